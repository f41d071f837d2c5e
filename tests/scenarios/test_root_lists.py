"""Check how Certroll updates root lists (the setting WEBSITE_LOAD_ROOT_CERTIFICATES) in environments."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Authority, Leaf, Request, authority
from local.azure.watching.app_watch import AppWatch
from shared.domain.messages import Cause
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.app_worlds import LIST, PROBE, owned
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation, deliver_dying
from tests.scenarios.root_worlds import ROOT, ROOTS, Hosted, hosted, two_apps_and_a_slot, two_plans
from tests.scenarios.worlds import VAULT, writes
from tests.soaking import crashes

HOURS = timedelta(hours=6)
STRANGER = "ab" * 20
ARM = "management.azure.com"
MOST_WRITES, FEWEST_WRITES, FEWEST_WRITES_BACK = 120, 12, 8
SPAN = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
ASKED = {"certroll-root-on": "billing"}


def look(town: Hosted, installation: Installation, during: timedelta = HOURS) -> None:
    """Queue the message that the root's event causes, and deliver all messages."""
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(during)
    assert installation.errors == []
    assert town.world.apps.troubles() == ()


def roll(town: Hosted, installation: Installation, fresh: Authority | None = None, **tags: str) -> str:
    """Put a new root into the vault, deliver all messages, and return the root's thumbprint."""
    new = town.renew(fresh, **tags)
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(HOURS)
    assert installation.errors == []
    return new


def tell(installation: Installation) -> None:
    """Deliver only the message that makes Certroll decide which apps it may update, and no message for an app."""
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    message = installation.queue.take(installation.clock.now())
    assert message is not None
    installation.deliver(message)


def deliver_to_picky(town: Hosted, installation: Installation, name: str, root: str) -> None:
    """Deliver all messages, while the named app fails whenever WEBSITE_LOAD_ROOT_CERTIFICATES names the root."""
    app, until = town.world.apps.of(town.site(name)), installation.clock.now() + HOURS
    assert app is not None
    while (message := installation.queue.take(until)) is not None:
        try:
            installation.deliver(message)
        finally:
            app.broken = root in town.settings(name).get(ROOTS, "")


# ------------------------------------------------------------------------------------------------------ the roll


def test_a_root_rolls_over_in_the_lists_of_two_apps_and_a_slot(install: Install) -> None:
    """WEBSITE_LOAD_ROOT_CERTIFICATES of each app names old and new root after one restart, and no call fails."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    fresh = Authority("Corp 2")
    with AppWatch(town.world) as watch:
        new = roll(town, installation, fresh)
        assert town.settings("billing") == owned({ROOTS: f"{town.old},{new}"})
        assert town.settings("billing/staging") == owned({ROOTS: f"{town.old},{new}"})
        assert town.settings("orders") == owned({ROOTS: f"{STRANGER},{town.old.lower()},{new.lower()}"})
        town.partner.move_to(fresh)
    assert watch.troubles == []
    assert town.restarts() == {"billing": 1, "orders": 1, "billing/staging": 1}
    assert installation.rolls() == dict.fromkeys(("billing", "billing/staging", "orders"), "Validated")
    assert sorted(map(len, map(town.public, town.restarts()))) == [0, 1, 1]
    assert writes(town.world) == 1 + 3
    assert installation.sweep() == ()
    assert installation.findings() == set()


@pytest.mark.parametrize("webspaces", ["per plan group", "one"])
def test_each_plan_of_an_environment_gets_the_root_itself(
    install: Install, webspaces: Literal["per plan group", "one"]
) -> None:
    """Certroll uploads a root once per plan, whether two plans of an environment share a webspace or not.

    A root list (WEBSITE_LOAD_ROOT_CERTIFICATES) can name a public certificate only of an app on the same plan.
    """
    town = two_plans(Knobs(environment_webspaces=webspaces))
    spaces = {site.webspace for site in town.world.web.sites.values()}
    assert len(spaces) == (1 if webspaces == "one" else 2)
    installation = install(town.world, delete_superseded=True)
    fresh = Authority("Corp 2")
    new = roll(town, installation, fresh)
    for name in ("billing", "orders"):
        assert town.settings(name) == owned({ROOTS: f"{town.old},{new}"})
        assert town.public(name) == {town.old, new}
    assert writes(town.world) == 2 + 2
    assert installation.rolls() == dict.fromkeys(("billing", "orders"), "Validated")
    town.partner.move_to(fresh)
    assert town.world.apps.troubles() == ()
    assert installation.sweep() == ()


def test_the_sweep_finds_a_root_without_any_event(install: Install) -> None:
    """Without any event Certroll's sweep finds a new root by the setting WEBSITE_LOAD_ROOT_CERTIFICATES of apps."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    new = town.renew()
    assert [ref.name for ref in installation.sweep()] == [ROOT]
    installation.deliver_all(HOURS)
    assert new.lower() in town.settings("orders")[ROOTS]
    assert installation.sweep() == ()


def test_slots_go_before_their_site_and_one_app_of_a_plan_at_a_time(install: Install) -> None:
    """Certroll updates WEBSITE_LOAD_ROOT_CERTIFICATES in one app per plan at a time, and in a slot before its site."""
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
    """After two renewals the root list (WEBSITE_LOAD_ROOT_CERTIFICATES) of an app names only the last two roots."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    first = roll(town, installation)
    second = roll(town, installation, Authority("Corp 3"))
    assert town.settings("billing")[ROOTS] == f"{first},{second}"
    assert town.restarts()["billing"] == 2


def test_an_old_root_is_retired_where_asked_for(install: Install) -> None:
    """With the tag `certroll-retire` Certroll removes the old root from settings once the new root works."""
    town = hosted()
    town.app("billing", tags={**PROBE, "certroll-retire": "on"})
    town.upload("billing")
    town.restart_all()
    installation = install(town.world)
    fresh = Authority("Corp 2")
    town.renew(fresh)
    town.partner.move_to(None)  # every app trusts the partner server, so that only the app settings matter
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("billing")[ROOTS] == fresh.root_leaf.thumbprint
    assert installation.rolls() == {"billing": "Retired"}


def test_an_app_that_names_it_in_both_lists_is_written_once(install: Install) -> None:
    """Certroll changes WEBSITE_LOAD_CERTIFICATES, WEBSITE_LOAD_ROOT_CERTIFICATES and PINNED_ROOT in one write."""
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
    """Certroll restores the old settings of an app that fails with the new root, and changes no other app."""
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
        ({ROOTS: f"{STRANGER}, x"}, {ROOTS: STRANGER + ", x,{new}"}),
    ],
    ids=["no setting", "an empty one", "another's root", "something odd"],
)
def test_a_tagged_app_gets_the_setting(install: Install, before: dict[str, str], after: dict[str, str]) -> None:
    """Certroll uploads the root to a tagged app, then adds it to WEBSITE_LOAD_ROOT_CERTIFICATES, with one restart."""
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
    """If a tagged app fails with the new root, Certroll restores the app's old WEBSITE_LOAD_ROOT_CERTIFICATES."""
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
    """If a template removes WEBSITE_LOAD_ROOT_CERTIFICATES twice, Certroll reports a conflict and waits for a day."""
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
    assert installation.rolls() == {"billing": "Contested"}
    assert ("app settings of billing", "Contested") in installation.findings()


def test_the_sweep_finds_a_tag_without_any_event(install: Install) -> None:
    """Certroll's sweep finds a root that only a tag requests."""
    town = hosted(**ASKED)
    town.app("billing", {})
    town.partner.move_to(None)
    installation = install(town.world)
    assert [ref.name for ref in installation.sweep()] == [ROOT]
    installation.deliver_all(HOURS)
    assert town.settings("billing")[ROOTS] == town.old


def test_slots_and_groups_are_named_in_the_tag(install: Install) -> None:
    """A tag names each slot separately, and Certroll reports a name that does not exist."""
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
    """Certroll adds no WEBSITE_LOAD_ROOT_CERTIFICATES to an app whose name in the vault object's tag is ambiguous."""
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
    """Certroll does not upload a root that another app of the same plan already has."""
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
    """If an operator deletes the new root before the write, Certroll writes no setting until the root is back."""
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
    for _ in range(2):  # for one hour no other app gets the new root
        installation.sweep()
        installation.deliver_all(HOURS)
    assert town.settings("billing") == owned({ROOTS: f"{town.old},{new}"})
    assert installation.rolls() == {"billing": "Validated"}


def test_an_app_that_is_out_gets_no_certificate_for_the_others(install: Install) -> None:
    """Certroll uploads the root to another app of the plan if one app has the tag `certroll: off`."""
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
    """Certroll deletes an old root only after its grace period, when no app's setting on the plan names the root."""
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
    """Certroll keeps an old root while it cannot read an app of the plan, and reports that app."""
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
    """On Linux Certroll updates WEBSITE_LOAD_CERTIFICATES, but not the useless WEBSITE_LOAD_ROOT_CERTIFICATES."""
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
    assert {reason for _, reason in installation.findings()} == {"RootListUnsupported"}


@pytest.mark.parametrize("where", ["Linux", "container", "multi-tenant"])
@pytest.mark.parametrize("asked", [True, False], ids=["asked by the tag", "in the list"])
def test_where_it_does_nothing_it_is_not_written(install: Install, where: str, asked: bool) -> None:  # noqa: FBT001
    """Certroll never writes WEBSITE_LOAD_ROOT_CERTIFICATES where App Service ignores it, and reports the next step.

    App Service ignores WEBSITE_LOAD_ROOT_CERTIFICATES on Linux, in containers and outside of environments.
    """
    tags = ASKED if asked else {}
    town = hosted(**tags)
    environment = None if where == "multi-tenant" else town.ase
    plan = town.build.add_plan("there", linux=where == "Linux", environment=environment)
    settings = {} if asked else {ROOTS: town.old}
    town.app("billing", settings, plan, windows_container=where == "container")
    if not asked:  # Certroll finds a useless root setting only if it reads the app's settings for another reason
        town.build.add_upload(town.build.add_certificate("web", ("www.contoso.com",)), plan)
    town.partner.move_to(None)
    installation = install(town.world)
    roll(town, installation, **tags)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("billing") == owned(settings)
    assert writes(town.world) == 0
    assert ("root list of billing", "RootListUnsupported") in installation.findings()
    remedy = "custom roots only in one" if where == "multi-tenant" else "certroll-root-of"
    assert remedy in installation.details()


@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        (authority().issue(Request(("server.corp",), *SPAN, self_signed=True)), "NotAnAuthority"),
        (Leaf(Authority("Corp 2").issuer, None), "NotSelfSigned"),
        (Authority("Corp 2", (SPAN[0], SPAN[0] + timedelta(days=1))).root_leaf, "Expired"),
    ],
    ids=["a server's own certificate", "an intermediate", "an expired root"],
)
@pytest.mark.parametrize("asked", [True, False], ids=["asked by the tag", "in the list"])
def test_what_is_no_root_is_not_trusted(install: Install, leaf: Leaf, reason: str, asked: bool) -> None:  # noqa: FBT001
    """Certroll neither uploads nor lists a certificate that is no root or an expired root, and reports the reason."""
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
    assert {found for _, found in installation.findings()} == {reason}


# ------------------------------------------------------------------------------------------------------- siblings


def test_who_shares_a_root_is_named_once(install: Install) -> None:
    """One finding per plan names the apps that trust a root only because another app of the plan lists the root."""
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
    assert installation.details().startswith("other, quiet may trust the root only because")
    assert town.settings("quiet") == owned({})


# ------------------------------------------------------------------------------------------------------- requests


def asked_of_arm(town: Hosted) -> Counter[tuple[str, str]]:
    """Return how often each Azure resource below a site was requested."""
    found = (e for e in town.world.journal.entries() if e.host == ARM and "/sites/" in e.path)
    return Counter((entry.method, entry.path.partition("/sites/")[2].lower()) for entry in found)


def test_looking_for_a_root_reads_each_app_once(install: Install) -> None:
    """To find the users of a root, Certroll reads the settings of each Windows app of the environment once.

    Certroll reads public certificates only on the plan whose apps list the root.
    """
    town = two_apps_and_a_slot()
    town.app("far", {ROOTS: STRANGER}, town.build.add_plan("windows-2", environment=town.ase))
    town.app("linux", {}, town.build.add_plan("linux", linux=True, environment=town.ase))
    town.app("outside", {}, town.build.add_plan("shared"))
    town.partner.move_to(None)
    installation = install(town.world)
    town.world.journal.clear()
    look(town, installation)
    supporting, listing = (
        ("billing", "billing/slots/staging", "orders", "far"),
        ("billing", "billing/slots/staging", "orders"),
    )
    assert asked_of_arm(town) == {
        **{("POST", f"{name}/config/appsettings/list"): 1 for name in supporting},
        **{("GET", f"{name}/publiccertificates"): 1 for name in listing},
        ("GET", "billing/slots"): 1,
    }


def test_a_certificate_that_can_be_no_root_costs_no_more(install: Install) -> None:
    """For a certificate that cannot be a root Certroll reads no app settings in an environment."""
    town = two_apps_and_a_slot()
    town.build.add_certificate("web", ("www.contoso.com",))
    installation = install(town.world)
    town.world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert asked_of_arm(town) == {}


def test_rolling_a_root_reads_the_app_that_has_it(install: Install) -> None:
    """When Certroll adds a root to an app, it also reads the sibling app that has the root, with its certificates."""
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
        ("GET", "billing/publiccertificates"): 2 + 2,
    }


# -------------------------------------------------------------------------------------------------------- crashes


def test_a_crash_after_any_write_leads_to_the_same_end(install: Install, crasher: Crasher) -> None:
    """After a crash at any write Certroll still adds the new root to both apps' WEBSITE_LOAD_ROOT_CERTIFICATES."""
    for write in crashes(MOST_WRITES):
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
    """Deliver all messages, with a crash after the given write; return True if the crash happened.

    If Certroll crashed, the test runs Certroll's sweep afterwards.
    """
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


def test_a_crash_on_the_way_back_leaves_no_setting_behind(install: Install, crasher: Crasher) -> None:
    """If a new root fails, Certroll removes the WEBSITE_LOAD_ROOT_CERTIFICATES that it added, even after a crash."""
    for write in crashes(MOST_WRITES, first=2):
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
    """Return an environment in which the named apps list the root, and the first app has the root's certificate."""
    town = hosted()
    for name in names:
        town.app(name)
    town.upload(names[0])
    town.restart_all()
    return town


@pytest.mark.parametrize(("most", "expected"), [("1", 1), ("50%", 2), ("100%", 3)])
def test_as_many_apps_of_an_environment_roll_as_may_be_down(install: Install, most: str, expected: int) -> None:
    """After the first app Certroll adds the root to as many apps at once as `ase_max_unavailable` permits."""
    town = several("api", "billing", "orders", "users")
    installation = install(town.world, ase_max_unavailable=MaxUnavailable.parse(most))
    town.renew()
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    assert installation.most_under_way(HOURS) == expected
    assert set(installation.rolls().values()) == {"Validated"}
    assert town.restarts() == dict.fromkeys(("api", "billing", "orders", "users"), 1)


def test_a_group_of_an_environment_is_never_rolled_as_a_whole(install: Install) -> None:
    """Certroll adds the root to only one of two apps in a group (tag certroll-group) at a time."""
    town = several("api", "billing")
    for name in ("api", "billing"):
        site = town.site(name)
        town.world.web.put_site(replace(site, tags={**site.tags, "certroll-group": "checkout"}))
    installation = install(town.world, ase_max_unavailable=MaxUnavailable.parse("100%"), stage_soak=timedelta(0))
    town.renew()
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    assert installation.most_under_way(HOURS) == 1
    assert set(installation.rolls().values()) == {"Validated"}


def test_a_roll_waits_for_what_else_is_down_in_the_environment(install: Install) -> None:
    """Certroll adds the root to no app while as many apps of the environment are down as the settings permit."""
    town = several("billing")
    installation = install(town.world, ase_max_unavailable=MaxUnavailable.parse("1"))
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
