"""Check how Certroll reaches apps in App Service Environments, and what it reports if an app is unreachable."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import RUNNING, STOPPED, Environment
from local.azure.world import World
from local.worlds.builders import Builder
from shared.controllers.managed.controller import look_after_managed
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.app_worlds import LIST, PIN, PROBE
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import AGE, VAULT, after_renewal, renew, shown, writes

INSIDE = "shop.contoso.com"
OUTSIDE = ("api.contoso.com", "www.contoso.com")
NETWORKING = "/configurations/networking"
SOAK = timedelta(hours=1)
Webspaces = Literal["per plan group", "one"]


def hosted(standing: str = "resolved", *, uploaded: bool = False, internal: bool = True) -> World:
    """Return a site in an environment and a site outside, each with the same certificate, imported or uploaded.

    Certroll starts with the webspace of the environment, because that webspace has fewer bindings.
    """
    world = World(Clock(), 0, Knobs(internal_environments=standing))  # type: ignore[arg-type]
    build = Builder(world)
    version = build.add_certificate("web", ("*.contoso.com",))
    plans = build.add_plan("inside", environment=build.add_environment("ase", internal=internal)), build.add_plan()
    for plan, name, hosts in zip(plans, ("shop", "web"), ((INSIDE,), OUTSIDE), strict=True):
        held = build.add_upload(version, plan, name=name) if uploaded else build.add_copy("web", plan, name=name)
        site = build.add_site(name, plan)
        for host in hosts:
            site = build.add_host(site, host, held)
    world.clock.advance(AGE)
    return world


def environment(world: World) -> Environment:
    """Return the only App Service Environment of the simulated fleet."""
    (only,) = world.web.environments.values()
    return only


def networking_read(world: World) -> int:
    """Return how often Certroll read the inbound address of the environment."""
    return sum(entry.path.endswith(NETWORKING) for entry in world.journal.reads("management.azure.com"))


@pytest.mark.parametrize("uploaded", [False, True], ids=["imported", "uploaded"])
@pytest.mark.parametrize(
    ("standing", "state"), [("resolved", "Proven"), ("by address", "Proven"), ("unreachable", "Unproven")]
)
def test_an_internal_environment_is_looked_at_by_its_address(
    install: Install,
    standing: str,
    state: str,
    uploaded: bool,  # noqa: FBT001
) -> None:
    """Certroll probes sites of an internal environment at the inbound address, even without the network's DNS.

    From outside of the environment's network Certroll can reach no site of the environment. Certroll's run for one site
    requests the environment's address once. The second webspace gets the new version after a good handshake of the
    first, or after the waiting time.
    """
    world = hosted(standing, uploaded=uploaded)
    installation = install(world, watched=standing == "resolved")
    before, new, began = shown(world), renew(world), world.clock.now()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (INSIDE, *OUTSIDE))
    assert installation.states() == {"shop": state, "web": "Proven"}
    assert (world.clock.now() - began >= SOAK) == (state == "Unproven")
    assert networking_read(world) == 1
    assert installation.sweep() == ()
    assert installation.errors == []


@pytest.mark.parametrize("hidden", ["denied", "silent"])
@pytest.mark.parametrize("uploaded", [False, True], ids=["imported", "uploaded"])
def test_an_address_that_cannot_be_read_is_said_and_fails_nothing(
    install: Install,
    hidden: str,
    uploaded: bool,  # noqa: FBT001
) -> None:
    """If Azure does not tell an environment's address, Certroll reports why no handshake with the site was possible."""
    world = hosted(uploaded=uploaded)
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    if hidden == "denied":
        world.roles.hide(f"{environment(world).id}{NETWORKING}")
    else:
        world.faults.add(Fault("server_error", "GET", path=f"{NETWORKING}$", status=503, times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (INSIDE, *OUTSIDE))
    assert installation.states() == {"shop": "Unproven", "web": "Proven"}
    assert ("shop", Reason.UNREACHABLE) in installation.findings()
    assert "the inbound address of environment" in installation.details()
    assert installation.errors == []


@pytest.mark.parametrize("standing", ["resolved", "unreachable"])
def test_an_external_environment_is_looked_at_like_others(install: Install, standing: str) -> None:
    """Certroll never requests the address of an external environment, whose host names are in public DNS."""
    world = hosted(standing, internal=False)
    world.roles.hide(environment(world).id)
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (INSIDE, *OUTSIDE))
    assert installation.states() == {"shop": "Proven", "web": "Proven"}
    assert networking_read(world) == 0


def spread(webspaces: Webspaces) -> World:
    """Return an environment with plans in two resource groups, each with a site and its own copy of a certificate.

    With one webspace for both plans, the sites share one copy. The group of the second plan has a plan outside of the
    environment, too, with a third copy.
    """
    world = World(Clock(), 0, Knobs(environment_webspaces=webspaces))
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",))
    hosting, shops = build.add_environment("ase"), build.add_group("shops")
    inside, apart = build.add_plan("inside", environment=hosting), build.add_plan("apart", shops, environment=hosting)
    copy = build.add_copy("web", inside, name="web")
    twin = build.add_copy("web", apart, name="web") if apart.webspace != inside.webspace else copy
    outside = build.add_plan("outside", shops)
    for name, plan, held in (
        ("shop", inside, copy),
        ("store", inside, copy),
        ("far", apart, twin),
        ("web", outside, build.add_copy("web", outside, name="web-outside")),
    ):
        build.add_host(build.add_site(name, plan), f"{name}.contoso.com", held)
    world.clock.advance(AGE)
    return world


@pytest.mark.parametrize(("webspaces", "copies"), [("per plan group", 3), ("one", 2)])
def test_each_webspace_of_an_environment_is_synced(install: Install, webspaces: Webspaces, copies: int) -> None:
    """Certroll syncs a vault certificate once per webspace of an environment, each in the webspace of its own plan.

    One webspace of the environment gets the version before the other, as webspaces outside of environments do. Two
    imports in two webspaces of one environment are no duplicates. Each inspection of the fleet asks each plan once.
    """
    world = spread(webspaces)
    installation = install(world, watched=True)
    assert installation.sweep() == ()
    before, new = shown(world), renew(world)
    world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, tuple(before))
    assert len(world.web.certificates.listing(lambda _: True)) == copies
    assert writes(world) == copies
    entries = world.journal.reads("management.azure.com")
    looks = sum(entry.path.lower().endswith("microsoft.web/certificates") for entry in entries)
    asked = Counter(entry.path.split("/")[-2] for entry in entries if "/serverfarms/" in entry.path)
    assert asked == dict.fromkeys(("inside", "apart", "outside"), looks)
    assert installation.states() == dict.fromkeys(("far", "shop", "store", "web"), "Proven")
    assert Reason.DUPLICATE_IMPORT not in {reason for _, reason in installation.findings()}
    assert installation.sweep() == ()
    assert installation.errors == []


@pytest.mark.parametrize("moves", [True, False], ids=["Azure moves the bindings", "Certroll moves the bindings"])
def test_webspaces_of_an_environment_are_stages(install: Install, moves: bool) -> None:  # noqa: FBT001
    """Certroll brings a version to one webspace of an environment, and to the others after a good handshake there."""
    world = spread("per plan group")
    world.knobs.turn(sync_moves_bindings=moves)
    installation = install(world)
    new = renew(world)
    installation.look_at(VAULT, "web")
    held: list[int] = []
    while (message := installation.queue.take(world.clock.now() + AGE)) is not None:
        installation.deliver(message)
        held.append(sum(copy.thumbprint == new for copy in world.web.certificates.values()))
        assert held[-1] <= 1 or installation.states()["far"] == "Proven"
    assert (held[0], held[-1]) == (1, 3)
    assert {seen.thumbprint for seen in shown(world).values()} == {new}


def test_an_import_by_tag_reaches_the_other_webspace_of_an_environment(install: Install) -> None:
    """The tag `certroll-import-to` imports into the named plan's webspace, although the environment has a copy.

    Certroll names that plan in the request, so Azure puts the import into the plan's webspace.
    """
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",), tags={"certroll-import-to": "apart"})
    hosting, shops = build.add_environment("ase"), build.add_group("shops")
    inside, apart = build.add_plan("inside", environment=hosting), build.add_plan("apart", shops, environment=hosting)
    build.add_copy("web", inside)
    world.clock.advance(AGE)
    installation = install(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    copies = {copy.webspace.name: copy.resource_group for copy in world.web.certificates.values()}
    assert copies == {inside.webspace.name: "contoso", apart.webspace.name: "shops"}
    assert writes(world) == 1
    assert installation.sweep() == ()


def with_app(standing: str, webspaces: Webspaces = "per plan group") -> World:
    """Return an app in an internal environment that loads a client certificate.

    The app's probe tells which version the app uses.
    """
    knobs = Knobs(internal_environments=standing, environment_webspaces=webspaces)  # type: ignore[arg-type]
    world = World(Clock(), 0, knobs)
    build = Builder(world)
    version = build.add_certificate("web", ("client.contoso.com",))
    plan = build.add_plan("inside", environment=build.add_environment("ase"))
    build.add_copy("web", plan)
    settings = {LIST: version.thumbprint, PIN: version.thumbprint}
    site = build.add_site("orders", plan, tags=PROBE, settings=settings)
    build.add_app(site, build.add_partner(), setting=PIN)
    world.clock.advance(AGE)
    return world


@pytest.mark.parametrize(
    ("standing", "denied", "state"),
    [
        ("resolved", False, "Validated"),
        pytest.param("by address", False, "Validated", marks=pytest.mark.real_storage),
        ("unreachable", False, "Unproven"),
        ("resolved", True, "Validated"),
        ("by address", True, "Unproven"),
    ],
)
def test_an_app_inside_is_asked_at_the_address_of_its_environment(
    install: Install,
    standing: str,
    denied: bool,  # noqa: FBT001
    state: str,
) -> None:
    """Certroll probes an app at the environment's address, or by the app's host name if the address is unknown.

    If Certroll cannot probe the app before the settings update, Certroll still writes the new version and reports that
    the app's success is unknown.
    """
    world = with_app(standing)
    if denied:
        world.roles.hide(f"{environment(world).id}{NETWORKING}")
    installation = install(world)
    new = renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert installation.rolls() == {"orders": state}
    (site,) = world.web.sites.values()
    assert site.settings[PIN] == new
    assert installation.errors == []


def test_the_address_is_read_once_in_each_run_of_an_app(install: Install) -> None:
    """One run of Certroll reads the environment's address at most once, however often the run probes the app."""
    world = with_app("by address")
    installation = install(world)
    renew(world)
    installation.look_at(VAULT, "web")
    until, runs = world.clock.now() + AGE, 0
    while (message := installation.queue.take(until)) is not None:
        runs += message.queue == "sites"
        installation.deliver(message)
    assert installation.rolls() == {"orders": "Validated"}
    assert 0 < networking_read(world) <= runs


def test_a_right_that_goes_while_an_app_restarts_takes_nothing_back(install: Install) -> None:
    """Certroll keeps the new version in an app that becomes unreachable after the settings update."""
    world = with_app("by address")
    installation = install(world)
    new = renew(world)
    installation.look_at(VAULT, "web")
    until = world.clock.now() + AGE
    while installation.rolls() != {"orders": "Overlapping"} and (message := installation.queue.take(until)):
        installation.deliver(message)
    world.roles.hide(f"{environment(world).id}{NETWORKING}")
    installation.deliver_all()
    assert installation.rolls() == {"orders": "Unproven"}
    assert ("app orders", Reason.UNREACHABLE) in installation.findings()
    (site,) = world.web.sites.values()
    assert site.settings[PIN] == new


@pytest.mark.parametrize("webspaces", ["per plan group", "one"])
def test_a_slot_in_another_webspace_belongs_to_the_group_of_an_app(install: Install, webspaces: Webspaces) -> None:
    """Certroll restarts no last running app of a group, even if the other app is a slot in another webspace.

    A group of apps (tag `certroll-group`) may be anywhere in an environment, and the limit
    CERTROLL_ASE_MAX_UNAVAILABLE holds for the whole environment.
    """
    world = grouped(webspaces)
    orders, _, slot = world.web.sites.values()
    installation = install(world, ase_max_unavailable=MaxUnavailable(100, percent=True))
    new = renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert ("app settings of orders", Reason.LAST_OF_GROUP) in installation.findings()
    assert (world.web.sites.get(orders.id) or orders).settings == orders.settings
    world.web.put_site(replace(slot, state=RUNNING))
    installation.sweep()
    installation.deliver_all()
    assert installation.rolls() == {"orders": "Validated"}
    assert (world.web.sites.get(orders.id) or orders).settings[PIN] == new


def grouped(webspaces: Webspaces = "per plan group") -> World:
    """Return an app in an environment, grouped with a stopped slot of a site on a plan in another resource group."""
    world = with_app("resolved", webspaces)
    build, pair = Builder(world), {"certroll-group": "pair"}
    (orders,) = world.web.sites.values()
    world.web.put_site(replace(orders, tags=dict(orders.tags) | pair))
    apart = build.add_plan("apart", build.add_group("shops"), environment=environment(world))
    slot = build.add_slot(build.add_site("store", apart), "staging", tags=pair)
    world.web.put_site(replace(slot, state=STOPPED))
    return world


@pytest.mark.parametrize("limit", [None, MaxUnavailable(1)])
def test_slots_of_another_webspace_are_read_for_a_limit_alone(install: Install, limit: MaxUnavailable | None) -> None:
    """Certroll reads the slots of the other webspaces once per inspection, and only if a limit holds for all apps."""
    world = grouped()
    installation = install(world, ase_max_unavailable=limit)
    world.journal.clear()
    installation.sweep()
    asked = Counter(
        entry.path.rpartition("/Microsoft.Web/")[2] for entry in world.journal.reads("management.azure.com")
    )
    assert asked["sites/store/slots"] == (limit is not None)
    assert asked["sites/store/config/appsettings/list"] == 0


@pytest.mark.parametrize("internal", [True, False])
def test_an_environment_has_no_managed_certificates(install: Install, internal: bool) -> None:  # noqa: FBT001
    """Certroll reports that a site in an environment cannot have a managed certificate, and requests none."""
    world = World(Clock())
    build = Builder(world)
    plan = build.add_plan(environment=build.add_environment("ase", internal=internal))
    site = build.add_host(build.add_site("shop", plan, tags={"certroll-managed": "on"}), INSIDE)
    build.add_record(INSIDE, "CNAME", site.default_host_name)
    installation = install(world, watched=True)
    (look,) = look_after_managed(installation.start())
    assert look.reason is Reason.IN_ENVIRONMENT
    assert writes(world) == 0
