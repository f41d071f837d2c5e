"""Check that a pilot (CERTROLL_SCOPE=tagged) writes only what belongs to something with the tag `certroll: on`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from local.worlds.builders import Builder
from shared.controllers.managed import issuing
from shared.controllers.managed.work import Work
from shared.domain.fleet.bindings import Binding
from shared.domain.intent import Mode, Scope
from shared.domain.names import CopyRef
from shared.domain.orders.order import OrderRef
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.app_worlds import LIST, PIN, SUBJECT, Street, age, owned, street
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import ROOT, TAGS, Hosted
from tests.scenarios.installation import Installation
from tests.scenarios.test_kind_faults import KINDS, expected, renewed, world_of
from tests.scenarios.test_managed import HOST, ON, a_world, served
from tests.scenarios.test_orders import LATE, Shop
from tests.scenarios.test_uploads import uploads
from tests.scenarios.worlds import VAULT, after_renewal, renew, shown, small_world, writes

GRACE = timedelta(days=31)
IN = {"certroll": "on"}
ONE = MaxUnavailable(1)


def worked(installation: Installation, sweeps: int = 2) -> None:
    """Run the whole sweep and deliver all messages, twice, with the grace time between the sweeps."""
    for _ in range(sweeps):
        installation.sweep_everything()
        installation.deliver_all()
        installation.clock.advance(GRACE)


def pilot(install: Install, world: World, **intent: object) -> Installation:
    """Return an installation that writes only what is tagged, and may do everything else that settings allow."""
    return install(world, scope=Scope.TAGGED, delete_superseded=True, order_actions=True, **intent)


def an_app() -> Street:
    """Return an app that lists and pins an imported certificate."""
    town = street()
    town.app("orders", {LIST: town.old, PIN: town.old}, setting=PIN)
    return age(town)


UNTAGGED = {
    **{kind: lambda kind=kind: world_of(kind) for kind in KINDS},  # type: ignore[misc]
    "two webspaces": small_world,
    "uploads with an app": lambda: uploads().world,
}


@pytest.mark.parametrize("kind", UNTAGGED)
def test_nothing_is_written_where_nothing_is_tagged(install: Install, kind: str) -> None:
    """In a pilot, Certroll writes nothing for untagged vault objects of any kind, and reports what it would write."""
    world = UNTAGGED[kind]()
    installation = pilot(install, world)
    renewed(installation)
    worked(installation)
    assert writes(world) == 0
    assert "NotTagged" in {reason for _, reason in installation.findings()}
    assert installation.errors == []


def test_no_app_is_written_or_restarted_without_the_tag(install: Install) -> None:
    """In a pilot, Certroll neither writes the settings of an app nor restarts it for an untagged vault object."""
    town = an_app()
    installation = pilot(install, town.world)
    town.renew()
    worked(installation)
    assert writes(town.world) == 0
    assert town.restarts("orders") == 0


@pytest.mark.parametrize("mode", [Mode.APPLY, Mode.OBSERVE])
def test_no_managed_certificate_is_asked_for_without_the_tag(install: Install, mode: Mode) -> None:
    """In a pilot, Certroll requests and binds no managed certificate for a site without `certroll: on`."""
    world = a_world().world
    installation = pilot(install, world, mode=mode)
    worked(installation)
    assert writes(world) == 0
    assert (
        f"host name {HOST} of shop",
        "NotTagged" if mode is Mode.APPLY else "ObserveOnly",
    ) in installation.findings()


def test_a_tagged_site_gets_its_managed_certificate(install: Install) -> None:
    """In a pilot, Certroll requests and binds managed certificates for a site with `certroll: on`."""
    world = a_world(tags={**ON, **IN}).world
    installation = install(world, meddled=True, scope=Scope.TAGGED)
    installation.sweep_everything()
    assert served(world, HOST)


def test_an_order_that_loses_its_tag_in_the_meantime_costs_nothing(install: Install) -> None:
    """In a pilot, Certroll reads the tags of an order again before it pays, because the list of orders may be old."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), age=LATE, tags=dict(IN))
    shop.installation.intent = replace(shop.installation.intent, scope=Scope.TAGGED)
    orders = shop.installation.ports.orders

    class Untagging:
        """Certroll's interface to orders, with an operator who takes the tag away before Certroll reads the order."""

        def __getattr__(self, name: str) -> object:
            return getattr(orders, name)

        def order(self, ref: OrderRef) -> object:
            shop.order.tags.clear()
            return orders.order(ref)

    shop.installation.ports = replace(shop.installation.ports, orders=Untagging())
    shop.look()
    assert shop.writes() == 0
    assert shop.installation.rows("certrolljournal") == []


def test_a_site_that_loses_its_tag_in_the_meantime_gets_no_managed_certificate(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pilot, Certroll reads the tags of a site again before it asks for a managed certificate."""
    world = a_world(tags={**ON, **IN}).world
    installation = pilot(install, world)
    named = issuing.certificate_ref

    def untagging(work: Work, binding: Binding) -> CopyRef:
        for site in tuple(world.web.sites.values()):
            world.web.sites.put(site.id, replace(site, tags=dict(ON)))
        return named(work, binding)

    monkeypatch.setattr(issuing, "certificate_ref", untagging)
    installation.sweep_everything()
    assert {"certroll"} & {tag for site in world.web.sites.values() for tag in site.tags} == set()
    assert writes(world) == 0


@pytest.mark.parametrize("tags", [{}, IN, {"certroll": "onn"}], ids=["untagged", "tagged", "mistyped"])
def test_only_a_tagged_order_costs_money(install: Install, tags: dict[str, str]) -> None:
    """In a pilot, Certroll renews only an order that itself carries `certroll: on`."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), age=LATE, tags=tags)
    shop.installation.intent = replace(shop.installation.intent, scope=Scope.TAGGED)
    shop.sweeps(3)
    assert shop.asked("renew") == (tags == IN)
    assert (shop.writes() == 0) is (tags != IN)


@pytest.mark.parametrize("tagged", [False, True], ids=["untagged", "tagged"])
def test_apps_stop_only_for_a_tagged_root(install: Install, *, tagged: bool) -> None:
    """In a pilot, Certroll adds a root and stops apps only if the vault object of the root carries `certroll: on`."""
    hosted = Hosted(apps=3)
    installation = pilot(install, hosted.world, ase_max_unavailable=MaxUnavailable(3))
    hosted.put_new({**TAGS, **(IN if tagged else {})})
    worked(installation, sweeps=1)
    assert hosted.trusting(hosted.new) == (set(hosted.apps) if tagged else set())
    assert (writes(hosted.world) == 0) is not tagged


def test_a_root_that_was_there_is_no_work_without_the_tag(install: Install) -> None:
    """In a pilot, an untagged root that was there before Certroll costs no run and makes no finding for operators."""
    hosted = Hosted(apps=3)
    installation = pilot(install, hosted.world, ase_max_unavailable=MaxUnavailable(3))
    assert installation.sweep() == ()
    installation.look_at(VAULT, ROOT, kind="secret")
    worked(installation, sweeps=1)
    assert "RootWasThere" not in {reason for _, reason in installation.findings()}
    assert installation.sweep() == ()


def test_an_app_with_both_versions_is_nobodys_work_without_the_tag(install: Install) -> None:
    """In a pilot, Certroll begins no record of an app that names both versions of an untagged vault object."""
    town = street()
    new = town.renew()
    town.app("orders", {LIST: f"{town.old},{new}", PIN: new}, setting=PIN)
    age(town)
    installation = pilot(install, town.world)
    worked(installation)
    assert installation.rolls() == {}


def test_waves_end_where_the_pilot_begins(install: Install) -> None:
    """If operators begin a pilot while apps still wait for an untagged root, Certroll stops no further app."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world)  # without a limit, Certroll adds the root and stops no app
    hosted.put_new()
    worked(installation, sweeps=1)
    before = writes(hosted.world)
    installation.intent = replace(installation.intent, scope=Scope.TAGGED, ase_max_unavailable=ONE)
    worked(installation, sweeps=1)
    assert writes(hosted.world) == before
    hosted.put_new({**TAGS, **IN})
    worked(installation, sweeps=1)
    assert hosted.trusting(hosted.new) == set(hosted.apps)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tagged_vault_object_is_renewed_as_ever(install: Install, kind: str) -> None:
    """In a pilot, a vault object of any kind with `certroll: on` gets everywhere, as without a pilot."""
    world = world_of(kind)
    installation = install(world, scope=Scope.TAGGED)
    new = renewed(installation, **IN)
    installation.deliver_all()
    installation.sweep()
    installation.deliver_all()
    assert KINDS[kind].shown(world, new) == expected(kind, world)


def test_a_site_that_is_off_stays_off_in_a_pilot(install: Install) -> None:
    """In a pilot, `certroll: off` on a site still wins over `certroll: on` on the vault certificate."""
    world = small_world(Knobs(sync_moves_bindings=False))
    site = next(site for site in world.web.sites.values() if site.name == "api")
    world.web.put_site(replace(site, tags={"certroll": "off"}))
    installation = install(world, scope=Scope.TAGGED)
    before, new = shown(world), renew(world, tags=IN)
    installation.sweep()
    installation.deliver_all()
    moving = ("shop.contoso.com", "staging.contoso.com", "www.contoso.com")
    assert shown(world) == after_renewal(before, new, moving)


def test_in_an_app_only_the_entries_of_the_tagged_certificate_change(install: Install) -> None:
    """An app that names a tagged and an untagged certificate keeps its entries of the untagged certificate."""
    town = street()
    other = town.build.add_certificate("other", ("other.contoso.com",)).thumbprint
    town.build.add_copy("other", town.linux, name="other-linux")
    town.app("orders", {LIST: f"{town.old},{other}", PIN: town.old, "OTHER_CERT": other}, setting=PIN)
    age(town)
    installation = install(town.world, scope=Scope.TAGGED)
    new = town.renew(tags=IN)
    town.world.vaults[VAULT].renew("other")
    for _ in range(2):
        installation.sweep()
        installation.deliver_all()
    listed = f"{town.old},{new},{other}"
    assert town.settings("orders") == owned({LIST: listed, PIN: new, "OTHER_CERT": other})
    assert installation.rolls() == {"orders": "Validated"}
    assert SUBJECT in town.world.vaults[VAULT].certificates["client"].newest.host_names


def test_a_team_starts_with_a_few_of_its_certificates(install: Install) -> None:
    """In a pilot with one tagged certificate among many, a sweep plans for all and writes only for the tagged one."""
    world = World(Clock())
    build = Builder(world)
    plan = build.add_plan("plan")
    names = [f"app-{number:02}" for number in range(12)]
    for name in names:
        build.add_certificate(name, (f"{name}.contoso.com",))
        build.add_host(build.add_site(name, plan), f"{name}.contoso.com", build.add_copy(name, plan, name=name))
    world.clock.advance(timedelta(days=2))
    installation = install(world, scope=Scope.TAGGED)
    before = shown(world)
    new = {name: renew(world, name, tags=IN if name == "app-07" else {}) for name in names}
    worked(installation, sweeps=1)
    assert shown(world) == after_renewal(before, new["app-07"], ("app-07.contoso.com",))
    told = {subject for subject, reason in installation.findings() if reason == "NotTagged"}
    assert {f"binding {name}.contoso.com of {name}" for name in names if name != "app-07"} <= told
