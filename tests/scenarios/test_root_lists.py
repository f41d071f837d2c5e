"""Rolling roots through the root lists of apps in an App Service Environment, as the owners of apps would see it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.azure.vault.authority import Authority, Leaf, Request, authority
from local.azure.watching.app_watch import AppWatch
from shared.domain.budget import MostDown
from shared.domain.messages import Cause
from shared.domain.names import EnvironmentRef, SiteRef
from tests.scenarios.app_worlds import LIST, PROBE, owned
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation, deliver_dying
from tests.scenarios.root_worlds import ROOT, ROOTS, Hosted, hosted, two_apps_and_a_slot
from tests.scenarios.worlds import VAULT, writes

HOURS = timedelta(hours=6)
STRANGER = "ab" * 20
ARM = "management.azure.com"
MOST_WRITES, FEWEST_WRITES, FEWEST_WRITES_BACK, PARTS = 120, 12, 8, 2
SPAN = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
ASKED = {"certroll-root-on": "billing"}


def look(town: Hosted, installation: Installation, during: timedelta = HOURS) -> None:
    """Have the root looked at, and deliver everything."""
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(during)
    assert installation.errors == []
    assert town.world.apps.troubles() == ()


def roll(town: Hosted, installation: Installation, fresh: Authority | None = None, **tags: str) -> str:
    """Put a new root into the vault, deliver everything, and return its thumbprint."""
    new = town.renew(fresh, **tags)
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(HOURS)
    assert installation.errors == []
    return new


def tell(installation: Installation) -> None:
    """Let the certificate's own run tell apps to go, and no app's run begin."""
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    message = installation.queue.take(installation.clock.now())
    assert message is not None
    installation.deliver(message)


def deliver_to_picky(town: Hosted, installation: Installation, name: str, root: str) -> None:
    """Deliver everything; that app does not work while its settings name the root."""
    app, until = town.world.apps.of(town.site(name)), installation.clock.now() + HOURS
    assert app is not None
    while (message := installation.queue.take(until)) is not None:
        try:
            installation.deliver(message)
        finally:
            app.broken = root in town.settings(name).get(ROOTS, "")


# ------------------------------------------------------------------------------------------------------ the roll


def test_a_root_rolls_over_in_the_lists_of_two_apps_and_a_slot(install: Install) -> None:
    """Old and new stand beside each other everywhere, each app restarted once, and the partner may move."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    fresh = Authority("Corp 2")
    with AppWatch(town.world) as watch:
        new = roll(town, installation, fresh)
        assert town.settings("billing") == owned({ROOTS: f"{town.old},{new}"})
        assert town.settings("billing/staging") == owned({ROOTS: f"{town.old},{new}"})
        assert town.settings("orders") == owned({ROOTS: f"{STRANGER},{town.old.lower()},{new}"})
        town.partner.move_to(fresh)
    assert watch.troubles == []
    assert town.restarts() == {"billing": 1, "orders": 1, "billing/staging": 1}
    assert installation.rolls() == dict.fromkeys(("billing", "billing/staging", "orders"), "Validated")
    assert sorted(map(len, map(town.public, town.restarts()))) == [0, 1, 1]
    assert writes(town.world) == 1 + 3
    assert installation.sweep() == ()
    assert installation.findings() == set()


def test_the_sweep_finds_a_root_without_any_event(install: Install) -> None:
    """Nothing of it is in any webspace: the root lists alone say where it is used."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    new = town.renew()
    assert [ref.name for ref in installation.sweep()] == [ROOT]
    installation.deliver_all(HOURS)
    assert new in town.settings("orders")[ROOTS]
    assert installation.sweep() == ()


def test_slots_go_before_their_site_and_one_app_of_a_plan_at_a_time(install: Install) -> None:
    """The roll of a root is a roll: first one app, a slot before production, and one restart of a plan at a time."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    town.renew()
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    order: dict[str, None] = {}
    while (message := installation.queue.take(installation.clock.now() + HOURS)) is not None:
        installation.deliver(message)
        moving = [app for app, state in installation.rolls().items() if state == "Overlapping"]
        assert len(moving) <= 1
        order |= dict.fromkeys(moving)
    assert list(order).index("billing/staging") < list(order).index("billing")
    assert len(order) == len(town.restarts())


@pytest.mark.real_storage
def test_the_next_roll_takes_the_root_before_the_last_one_out(install: Install) -> None:
    """After two renewals a list names the last two roots, not three."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    first = roll(town, installation)
    second = roll(town, installation, Authority("Corp 3"))
    assert town.settings("billing")[ROOTS] == f"{first},{second}"
    assert town.restarts()["billing"] == 2


def test_an_old_root_is_retired_where_asked_for(install: Install) -> None:
    """With the tag the old root leaves the list when the new one is proven, at the price of one more restart."""
    town = hosted()
    town.app("billing", tags={**PROBE, "certroll-retire": "on"})
    town.upload("billing")
    town.restart_all()
    installation = install(town.world)
    fresh = Authority("Corp 2")
    town.renew(fresh)
    town.partner.move_to(None)  # whom everybody trusts, so that the roots alone are looked at
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("billing")[ROOTS] == fresh.root_leaf.thumbprint
    assert installation.rolls() == {"billing": "Retired"}


def test_an_app_that_names_it_in_both_lists_is_written_once(install: Install) -> None:
    """Load list, root list and pin go in one write, whatever the others name."""
    town = hosted(**{"certroll-public-to": "billing"})
    town.app("billing", {ROOTS: town.old, LIST: f"{town.old},{STRANGER}", "PINNED_ROOT": town.old})
    town.upload("billing")
    town.restart_all()
    installation = install(town.world)
    new = roll(town, installation, **{"certroll-public-to": "billing"})
    listed = {ROOTS: f"{town.old},{new}", LIST: f"{town.old},{new},{STRANGER}", "PINNED_ROOT": new}
    assert town.settings("billing") == owned(listed)
    assert town.restarts() == {"billing": 1}
    assert installation.rolls() == {"billing": "Validated"}


def test_an_app_that_fails_with_the_new_root_is_taken_back(install: Install) -> None:
    """Its last good value returns as it was, the version is held, and the other apps stay as they are."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    before = {name: town.settings(name) for name in town.restarts()}
    new = town.renew()
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    deliver_to_picky(town, installation, "billing/staging", new)
    assert {name: town.settings(name) for name in town.restarts()} == before
    assert installation.rolls() == {"billing/staging": "RolledBack"}
    assert town.restarts() == {"billing": 0, "orders": 0, "billing/staging": 2}
    assert ("app billing/staging", "RolledBack") in installation.findings()
    assert town.world.apps.troubles() == ()


# ------------------------------------------------------------------------------------------------------- the tag


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {ROOTS: "{new}"}),
        ({ROOTS: ""}, {ROOTS: "{new}"}),
        ({ROOTS: STRANGER}, {ROOTS: STRANGER + ",{new}"}),
        ({ROOTS: f"{STRANGER}, x"}, {ROOTS: STRANGER + ",x,{new}"}),
    ],
    ids=["no setting", "an empty one", "another's root", "something odd"],
)
def test_a_tagged_app_gets_the_setting(install: Install, before: dict[str, str], after: dict[str, str]) -> None:
    """The certificate comes first, then the setting; nothing else of its settings changes, and it restarts once."""
    town = hosted(**ASKED)
    town.app("billing", before)
    town.partner.move_to(None)
    installation = install(town.world)
    town.world.journal.clear()
    look(town, installation)
    wanted = {key: value.format(new=town.old) for key, value in after.items()}
    assert town.settings("billing") == owned(before) | wanted
    assert town.public("billing") == {town.old}
    assert town.restarts() == {"billing": 1}
    assert installation.rolls() == {"billing": "Validated"}
    paths = [entry.path.partition("/sites/")[2].lower() for entry in town.world.journal.writes(ARM)]
    name = f"certroll-{VAULT}-{ROOT}-{town.old}".lower()
    assert paths == [f"billing/publiccertificates/{name}", "billing/config/appsettings"]
    assert installation.sweep() == ()


@pytest.mark.parametrize("before", [{}, {ROOTS: ""}, {ROOTS: STRANGER}], ids=["none", "an empty one", "another's"])
def test_a_setting_that_was_begun_goes_away_again(install: Install, before: dict[str, str]) -> None:
    """Where the tagged app fails with it, its settings are as they were: what was not there is not left empty."""
    town = hosted(**ASKED)
    town.app("billing", before)
    town.partner.move_to(None)
    installation = install(town.world)
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    deliver_to_picky(town, installation, "billing", town.old)
    assert town.settings("billing") == owned(before)
    assert installation.rolls() == {"billing": "RolledBack"}
    assert town.restarts() == {"billing": 2}
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("billing") == owned(before)


def test_a_setting_that_others_take_away_is_fought_over(install: Install) -> None:
    """A template that leaves it out wins after two times: for a day it is not written, and people are told."""
    town = hosted(**ASKED)
    town.app("billing", {})
    town.partner.move_to(None)
    installation = install(town.world)
    for _ in range(3):
        look(town, installation)
        town.world.meddle(town.site("billing"), edit=lambda _: owned({}))
    installation.sweep()
    installation.deliver_all(timedelta(hours=1))
    assert town.settings("billing") == owned({})
    assert installation.rolls() == {"billing": "FoughtOver"}
    assert ("app settings of billing", "FoughtOver") in installation.findings()


def test_the_sweep_finds_a_tag_without_any_event(install: Install) -> None:
    """A root that is in no list and on no app yet is looked after because its tag asks for it."""
    town = hosted(**ASKED)
    town.app("billing", {})
    town.partner.move_to(None)
    installation = install(town.world)
    assert [ref.name for ref in installation.sweep()] == [ROOT]
    installation.deliver_all(HOURS)
    assert town.settings("billing")[ROOTS] == town.old


def test_slots_and_groups_are_named_in_the_tag(install: Install) -> None:
    """Each slot is named by itself; what the tag names in vain is reported, and the others get theirs."""
    tags = {"certroll-root-on": "contoso/billing/staging, contoso/orders", "certroll-root-on-2": "nowhere"}
    town = hosted(**tags)
    for name in ("billing", "orders"):
        town.app(name, {})
    town.slot("billing", "staging", {})
    town.partner.move_to(None)
    installation = install(town.world)
    look(town, installation)
    listed = [name for name in town.restarts() if ROOTS in town.settings(name)]
    assert sorted(listed) == ["billing/staging", "orders"]
    assert (f"tag certroll-root-on of {VAULT}/{ROOT}: nowhere", "NoSuchTarget") in installation.findings()


def test_an_ambiguous_name_is_not_guessed_by_the_apps_own_run(install: Install) -> None:
    """An app that is rolled for another reason gets nothing that the tag may have meant for its namesake."""
    tags = {"certroll-root-on": "billing"}
    town = hosted(**tags)
    group = town.build.add_group("elsewhere")
    other = town.build.add_plan("other", group, environment=town.ase)
    town.app("billing", {LIST: town.old})
    town.build.add_site("billing", other, group, settings=owned({}))
    town.upload("billing")
    town.partner.move_to(None)
    installation = install(town.world)
    new = roll(town, installation, **tags, **{"certroll-public-to": "contoso/billing"})
    assert town.settings("billing") == owned({LIST: f"{town.old},{new}"})
    assert (f"tag certroll-root-on of {VAULT}/{ROOT}: billing", "AmbiguousTarget") in installation.findings()


# ---------------------------------------------------------------------------------------------- the certificate


def test_what_a_sibling_has_is_not_uploaded_again(install: Install) -> None:
    """A public certificate on any app of the plan serves all of them; one on another plan serves none."""
    town = two_apps_and_a_slot()
    far = town.app("far", plan=town.build.add_plan("windows-2", environment=town.ase))
    town.upload("far")
    town.restart_all()
    assert far.plan_id != town.site("orders").plan_id
    installation = install(town.world)
    fresh = Authority("Corp 2")
    town.upload("billing/staging", fresh.root_leaf) if not town.public("billing/staging") else None
    new = roll(town, installation, fresh)
    assert town.public("billing/staging") == {new}
    assert (town.public("billing"), town.public("orders")) == (set(), {town.old})
    assert town.public("far") == {town.old, new}
    assert set(installation.rolls().values()) == {"Validated"}
    assert town.world.apps.troubles() == ()


def test_a_certificate_that_went_meanwhile_is_not_named(install: Install) -> None:
    """Between the leave to go and the write somebody deletes it: the list stays as it is until it is back."""
    town = hosted()
    town.app("billing")
    town.upload("billing")
    town.restart_all()
    installation = install(town.world)
    new = town.renew()
    tell(installation)
    (fresh,) = (c for c in town.world.web.public_certificates_of(town.site("billing")) if c.thumbprint == new)
    town.world.web.public_certificates.remove(fresh.id)
    installation.deliver_all(timedelta(minutes=1))
    assert town.settings("billing") == owned({ROOTS: town.old})
    assert ("app billing", "NotLive") in installation.findings()
    for _ in range(2):  # it counts as the first to go for an hour
        installation.sweep()
        installation.deliver_all(HOURS)
    assert town.settings("billing") == owned({ROOTS: f"{town.old},{new}"})
    assert installation.rolls() == {"billing": "Validated"}


def test_an_app_that_is_out_gets_no_certificate_for_the_others(install: Install) -> None:
    """`certroll: off` spares an app: another one of the plan gets the certificate, and its list stays as it is."""
    town = hosted()
    town.app("archive", tags={**PROBE, "certroll": "off"})
    town.app("billing")
    town.upload("archive")
    town.restart_all()
    installation = install(town.world)
    new = roll(town, installation)
    assert (town.public("archive"), town.public("billing")) == ({town.old}, {new})
    assert town.settings("archive") == owned({ROOTS: town.old})
    assert town.settings("billing") == owned({ROOTS: f"{town.old},{new}"})


def test_a_superseded_root_stays_while_any_list_of_the_plan_names_it(install: Install) -> None:
    """It is deleted when its grace is over and the last list of the plan has left it, whichever app has it."""
    town = hosted()
    for name in ("billing", "orders"):
        town.app(name, tags={**PROBE, "certroll-retire": "on"} if name == "billing" else PROBE)
    town.upload("billing")
    town.restart_all()
    installation = install(town.world, delete_superseded=True)
    fresh = Authority("Corp 2")
    new = roll(town, installation, fresh)
    town.partner.move_to(fresh)
    for _ in range(2):
        town.world.clock.advance(timedelta(days=31))
        installation.sweep()
        installation.deliver_all(HOURS)
    assert town.settings("billing")[ROOTS] == new
    assert town.settings("orders")[ROOTS] == f"{town.old},{new}"
    assert town.public("billing") == {town.old, new}
    town.world.meddle(town.site("orders"), edit=lambda settings: {**settings, ROOTS: new})
    town.world.clock.advance(timedelta(days=31))
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.public("billing") == {new}
    assert installation.errors == []
    assert town.world.apps.troubles() == ()


def test_what_cannot_be_seen_of_a_plan_keeps_the_root(install: Install) -> None:
    """An app of the plan that Certroll may not see may trust it: it is not deleted, and people are told."""
    town = hosted()
    town.app("billing", tags={**PROBE, "certroll-retire": "on"})
    town.upload("billing")
    town.app("hidden")
    town.restart_all()
    town.world.roles.hide(town.site("hidden").id)
    installation = install(town.world, delete_superseded=True)
    new = roll(town, installation)
    for _ in range(2):
        town.world.clock.advance(timedelta(days=31))
        installation.sweep()
        installation.deliver_all(HOURS)
    assert town.public("billing") == {town.old, new}
    assert ("site hidden", "BlindSpot") in installation.findings()


# ------------------------------------------------------------------------------------------------ what is refused


def test_a_list_that_does_nothing_holds_up_no_other(install: Install) -> None:
    """Of an app on Linux the load list is rolled, also where somebody else was faster; the root list stays."""
    tags = {"certroll-public-to": "billing, orders"}
    town = hosted(**tags)
    linux = town.build.add_plan("linux", linux=True, environment=town.ase)
    for name in ("billing", "orders"):
        town.app(name, {LIST: town.old, ROOTS: town.old}, linux, tags={"certroll-probe": "/health"})
        town.upload(name)
    town.partner.move_to(None)
    installation = install(town.world, max_restarts=2)
    new = town.renew(**tags)
    tell(installation)
    both = {LIST: f"{town.old},{new}"}
    town.world.meddle(town.site("billing"), edit=lambda settings: {**settings, **both})
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    for name in ("billing", "orders"):
        assert town.settings(name) == owned({ROOTS: town.old, **both})
    assert installation.rolls() == dict.fromkeys(("billing", "orders"), "Unproven")
    assert {reason for _, reason in installation.findings()} == {"RootListUnheeded"}


@pytest.mark.parametrize("where", ["Linux", "container", "multi-tenant"])
@pytest.mark.parametrize("asked", [True, False], ids=["asked by the tag", "in the list"])
def test_where_it_does_nothing_it_is_not_written(install: Install, where: str, asked: bool) -> None:  # noqa: FBT001
    """On Linux, in a container, outside of an environment: a reason with the cure, and not one write."""
    tags = ASKED if asked else {}
    town = hosted(**tags)
    environment = None if where == "multi-tenant" else town.ase
    plan = town.build.add_plan("there", linux=where == "Linux", environment=environment)
    settings = {} if asked else {ROOTS: town.old}
    town.app("billing", settings, plan, windows_container=where == "container")
    if not asked:  # a wrong setting is seen where settings are read anyway
        town.build.add_upload(town.build.add_certificate("web", ("www.contoso.com",)), plan)
    town.partner.move_to(None)
    installation = install(town.world)
    roll(town, installation, **tags)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("billing") == owned(settings)
    assert writes(town.world) == 0
    assert ("root list of billing", "RootListUnheeded") in installation.findings()
    cure = "no custom roots" if where == "multi-tenant" else "certroll-root-of"
    assert cure in installation.details()


@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        (authority().issue(Request(("server.corp",), *SPAN, self_signed=True)), "NotAnAuthority"),
        (Leaf(Authority("Corp 2").issuer, None), "NotSelfSigned"),
        (Authority("Corp 2", (SPAN[0], SPAN[0] + timedelta(days=1))).root_leaf, None),
    ],
    ids=["a server's own certificate", "an intermediate", "an expired root"],
)
@pytest.mark.parametrize("asked", [True, False], ids=["asked by the tag", "in the list"])
def test_what_is_no_root_is_not_trusted(install: Install, leaf: Leaf, reason: str | None, asked: bool) -> None:  # noqa: FBT001
    """It is neither uploaded nor named anywhere, and people are told why; the old root stays as it is.

    An expired version never becomes the current one, so nothing is asked of it.
    """
    tags = ASKED if asked else {}
    town = hosted(**tags)
    town.app("billing")
    town.upload("billing")
    town.restart_all()
    installation = install(town.world)
    town.world.clock.advance(timedelta(days=2))
    town.build.add_root_object(ROOT, leaf, town.world.vaults[VAULT], tags=tags)
    installation.sweep()
    look(town, installation)
    assert town.settings("billing") == owned({ROOTS: town.old})
    assert writes(town.world) == 0
    assert {found for _, found in installation.findings()} == ({reason} if reason else set())


# ------------------------------------------------------------------------------------------------------- siblings


def test_who_shares_a_root_is_named_once(install: Install) -> None:
    """One finding for the plan, with the apps whose own list lacks it; none of those that are out, and no write."""
    town = two_apps_and_a_slot()
    for name, tags in (("quiet", PROBE), ("other", {}), ("out", {"certroll": "off"})):
        town.app(name, {}, tags=tags)
    town.app("alone", {}, town.build.add_plan("windows-2", environment=town.ase))
    town.app("linux", {}, town.build.add_plan("linux", linux=True, environment=town.ase))
    town.restart_all()
    installation = install(town.world)
    roll(town, installation)
    before = writes(town.world)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert writes(town.world) == before
    assert installation.findings() == {("apps of plan windows", "RootShared")}
    assert installation.details().startswith("other, quiet may trust it only because")
    assert town.settings("quiet") == owned({})


# ------------------------------------------------------------------------------------------------------- requests


def asked_of_arm(town: Hosted) -> Counter[tuple[str, str]]:
    """Return how often each thing below a site was asked for."""
    found = (e for e in town.world.journal.entries() if e.host == ARM and "/sites/" in e.path)
    return Counter((entry.method, entry.path.partition("/sites/")[2].lower()) for entry in found)


def test_looking_for_a_root_reads_each_app_once(install: Install) -> None:
    """Settings of each Windows app of an environment; public certificates only on the plan that lists the root."""
    town = two_apps_and_a_slot()
    town.app("far", {ROOTS: STRANGER}, town.build.add_plan("windows-2", environment=town.ase))
    town.app("linux", {}, town.build.add_plan("linux", linux=True, environment=town.ase))
    town.app("outside", {}, town.build.add_plan("shared"))
    town.partner.move_to(None)
    installation = install(town.world)
    town.world.journal.clear()
    look(town, installation)
    heeding, listing = (
        ("billing", "billing/slots/staging", "orders", "far"),
        ("billing", "billing/slots/staging", "orders"),
    )
    assert asked_of_arm(town) == {
        **{("POST", f"{name}/config/appsettings/list"): 1 for name in heeding},
        **{("GET", f"{name}/publiccertificates"): 1 for name in listing},
        ("GET", "billing/slots"): 1,
    }


def test_a_certificate_that_can_be_no_root_costs_no_more(install: Install) -> None:
    """For what somebody issued nothing is read in an environment beyond what is near its copies."""
    town = two_apps_and_a_slot()
    town.build.add_certificate("web", ("www.contoso.com",))
    installation = install(town.world)
    town.world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert asked_of_arm(town) == {}


def test_rolling_a_root_reads_the_app_that_has_it(install: Install) -> None:
    """In an app's own run the two certificates of a sibling, and the sibling; beside what any roll takes."""
    town = hosted()
    for name in ("billing", "orders"):
        town.app(name, {ROOTS: town.old} if name == "orders" else {})
    town.upload("billing")
    town.upload("billing")
    fresh = Authority("Corp 2")
    town.build.add_public_certificate(town.site("billing"), fresh.root_leaf.der, name="next")
    town.restart_all()
    town.partner.move_to(None)
    installation = install(town.world)
    town.renew(fresh)
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    asked: Counter[tuple[str, str]] = Counter()
    while (message := installation.queue.take(installation.clock.now() + HOURS)) is not None:
        town.world.journal.clear()
        installation.deliver(message)
        asked += asked_of_arm(town) if message.queue == "sites" else Counter()
    assert installation.rolls() == {"orders": "Validated"}
    assert asked == {
        ("PUT", "orders/config/appsettings"): 1,
        ("POST", "orders/config/appsettings/list"): 2 + 2,
        ("GET", "orders"): 2 + 1,
        ("GET", "billing"): 2,
        ("GET", "billing/publiccertificates/by-hand"): 2,
        ("GET", "billing/publiccertificates/next"): 2,
    }


# -------------------------------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize("part", range(PARTS))
def test_a_crash_after_any_write_leads_to_the_same_end(install: Install, crasher: Crasher, part: int) -> None:
    """A list that is rolled, and one that is begun: whichever write is the last of a process, both are right."""
    for write in range(1 + part, MOST_WRITES, PARTS):
        tags = {"certroll-root-on": "orders"}
        town = hosted()
        town.app("billing")
        town.app("orders", {})
        town.upload("billing")
        town.restart_all()
        installation = install(town.world)
        new = town.renew(**tags)
        installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
        died = deliver_dying(installation, crasher, write)
        if died:
            installation.sweep()
            installation.deliver_all(HOURS)
        assert installation.errors == [], f"after a crash at write {write}"
        assert town.settings("billing") == owned({ROOTS: f"{town.old},{new}"}), f"after a crash at write {write}"
        assert town.settings("orders") == owned({ROOTS: new}), f"after a crash at write {write}"
        assert set(installation.rolls().values()) == {"Validated"}, f"after a crash at write {write}"
        assert max(town.restarts().values()) <= 1 + 1, f"after a crash at write {write}"
        assert len(town.public("billing") | town.public("orders")) == 2, f"after a crash at write {write}"
        if not died:
            assert write > FEWEST_WRITES, "hardly anything was written: the loop did not look"
            return
    pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")


def deliver_dying_to_picky(town: Hosted, installation: Installation, crasher: Crasher, write: int) -> bool:
    """Deliver everything, dying once after that write; say whether it came to that. Then the sweep comes."""
    try:
        with crasher.crashing_after(write):
            deliver_to_picky(town, installation, "billing", town.old)
    except Crash:
        installation.storage.break_leases()
        deliver_to_picky(town, installation, "billing", town.old)
        installation.sweep()
        deliver_to_picky(town, installation, "billing", town.old)
        return True
    return False


@pytest.mark.parametrize("part", range(PARTS))
def test_a_crash_on_the_way_back_leaves_no_setting_behind(install: Install, crasher: Crasher, part: int) -> None:
    """The app fails with the setting that was begun: whichever write is the last of a process, it goes again."""
    for write in range(1 + part, MOST_WRITES, PARTS):
        town = hosted(**ASKED)
        town.app("billing", {})
        town.partner.move_to(None)
        installation = install(town.world)
        installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
        died = deliver_dying_to_picky(town, installation, crasher, write)
        assert installation.errors == [], f"after a crash at write {write}"
        assert town.settings("billing") == owned({}), f"after a crash at write {write}"
        assert installation.rolls() == {"billing": "RolledBack"}, f"after a crash at write {write}"
        assert town.restarts()["billing"] <= 2 + 1, f"after a crash at write {write}"
        if not died:
            assert write > FEWEST_WRITES_BACK, "hardly anything was written: the loop did not look"
            return
    pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")


# ------------------------------------------------------------------------------------------- the limit of environments


def several(*names: str) -> Hosted:
    """Return an environment in which these apps list the root, which is on one of them."""
    town = hosted()
    for name in names:
        town.app(name)
    town.upload(names[0])
    town.restart_all()
    return town


@pytest.mark.parametrize(("most", "expected"), [("1", 1), ("50%", 2), ("100%", 3)])
def test_as_many_apps_of_an_environment_roll_as_may_be_down(install: Install, most: str, expected: int) -> None:
    """What may be stopped at once is rolled at once, after the first one alone; every app is rolled in the end."""
    town = several("api", "billing", "orders", "users")
    installation = install(town.world, ase_max_unavailable=MostDown.parse(most))
    town.renew()
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    assert installation.most_under_way(HOURS) == expected
    assert set(installation.rolls().values()) == {"Validated"}
    assert town.restarts() == dict.fromkeys(("api", "billing", "orders", "users"), 1)


def test_a_group_of_an_environment_is_never_rolled_as_a_whole(install: Install) -> None:
    """Of two apps of a group one is left alone until the other has proven the new root, also where all may be down."""
    town = several("api", "billing")
    for name in ("api", "billing"):
        site = town.site(name)
        town.world.web.put_site(replace(site, tags={**site.tags, "certroll-group": "checkout"}))
    installation = install(town.world, ase_max_unavailable=MostDown.parse("100%"), stage_soak=timedelta(0))
    town.renew()
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    assert installation.most_under_way(HOURS) == 1
    assert set(installation.rolls().values()) == {"Validated"}


def test_a_roll_waits_for_what_else_is_down_in_the_environment(install: Install) -> None:
    """While a wave has taken as many apps of another plan down as may be, no app is rolled."""
    town = several("billing")
    installation = install(town.world, ase_max_unavailable=MostDown.parse("1"))
    environment = EnvironmentRef.parse(town.ase.id)
    other = SiteRef.parse(town.site("billing").id.replace("billing", "elsewhere"))
    restart_claims = installation.ports.restart_claims
    town.renew()
    assert restart_claims.claim(environment.resource_id, other, environment, 1)
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(timedelta(minutes=20))
    assert town.restarts() == {"billing": 0}
    restart_claims.give_back(environment.resource_id, other, environment)
    installation.deliver_all(HOURS)
    assert installation.rolls() == {"billing": "Validated"}
