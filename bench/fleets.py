"""Build fleets of many sites quickly: websites, tenants with a certificate each, and apps that name certificates."""

import itertools
from datetime import timedelta

from bench.limits import SettingsPosts, limit
from bench.scheduler import Scheduler, SharedClock
from bench.sizes import Size
from local.azure.vault.authority import Authority
from local.azure.web.load_list import LOAD_LIST
from local.azure.world import World
from local.worlds.builders import Builder

SHORT = timedelta(days=30)
VAULT, WILD = "contoso-kv", "wild"
ROOT_LIST = "WEBSITE_LOAD_ROOT_CERTIFICATES"


def empty(scheduler: Scheduler) -> World:
    """Return a simulated Azure without resources, on the time of the scheduler."""
    return World(SharedClock(scheduler))


def websites(scheduler: Scheduler, size: Size, posts: SettingsPosts) -> World:
    """Return a fleet whose sites all have a host name with a wildcard of the vault, behind Azure's limits.

    The fleet was built two days ago, so no change of it is new.
    """
    build = Builder(empty(scheduler))
    world = build.world
    subscriptions = [build.add_subscription(f"Contoso {number}") for number in range(size.subscriptions)]
    vault = build.add_vault(VAULT, build.add_group("vaults"))
    names = [WILD, *(f"other-{number}" for number in range(1, size.lineages))]
    for name in names:
        build.add_certificate(name, ("*.contoso.com", f"{name}.contoso.com"), vault)
    plans = [
        build.add_plan(f"plan-{number}", build.add_group(f"group-{number}", subscription))
        for number, subscription in zip(range(size.webspaces), itertools.cycle(subscriptions))
    ]
    places = [
        (plan, build.add_copy(name, plan, vault, name=f"{name}-{number}"))
        for name in names[: size.used]
        for number, plan in enumerate(plans)
    ]
    for number, (plan, copy) in zip(range(size.sites), itertools.cycle(places)):
        site = build.add_site(f"site-{number}", plan, settings={"COLOUR": "green"})
        build.add_host(site, f"host-{number}.contoso.com", copy)
    world.clock.advance(timedelta(days=2))
    limit(world, posts)
    return world


def tenants(scheduler: Scheduler, size: Size, posts: SettingsPosts) -> World:
    """Return a fleet with many certificates, each of which some sites in one webspace use."""
    build = Builder(empty(scheduler))
    world = build.world
    vault = build.add_vault(VAULT, build.add_group("vaults"))
    now = world.clock.now()
    plans = [build.add_plan(f"plan-{number}", build.add_group(f"group-{number}")) for number in range(size.webspaces)]
    copies, born = [], now - timedelta(days=15)
    for number, plan in zip(range(size.lineages), itertools.cycle(plans)):
        names = (f"*.tenant-{number}.com",)
        build.add_certificate(f"tenant-{number}", names, vault, created=born, not_before=born, not_after=now + SHORT)
        copies.append((number, plan, build.add_copy(f"tenant-{number}", plan, vault, name=f"tenant-{number}")))
    for number, (tenant, plan, copy) in zip(range(size.sites), itertools.cycle(copies)):
        site = build.add_site(f"site-{number}", plan, settings={"COLOUR": "green"})
        build.add_host(site, f"host-{number}.tenant-{tenant}.com", copy)
    limit(world, posts)
    return world


CLIENT, ROOT = "client", "corp-root"
PROBED = {"certroll-probe": "/health 200 {thumbprint}"}


def apps(scheduler: Scheduler, size: Size, posts: SettingsPosts) -> World:
    """Return Linux apps that name a client certificate in their settings, and that a probe proves."""
    build = Builder(empty(scheduler))
    world = build.world
    vault = build.add_vault(VAULT, build.add_group("vaults"))
    version = build.add_certificate(CLIENT, ("client.contoso.com",), vault)
    partner = build.add_partner()
    plans = [build.add_plan(f"plan-{n}", build.add_group(f"group-{n}"), linux=True) for n in range(size.webspaces)]
    for number, plan in enumerate(plans):
        build.add_copy(CLIENT, plan, vault, name=f"client-{number}")
    settings = {LOAD_LIST: version.thumbprint, "CERT_PATH": f"/var/ssl/private/{version.thumbprint}.p12"}
    for number, plan in zip(range(size.sites), itertools.cycle(plans)):
        site = build.add_site(f"app-{number}", plan, tags=PROBED, settings=settings)
        build.add_app(site, partner, setting="CERT_PATH")
    world.clock.advance(timedelta(days=2))
    limit(world, posts)
    return world


def root_apps(scheduler: Scheduler, size: Size, posts: SettingsPosts) -> World:
    """Return Windows apps of an App Service Environment that trust a private root by their root lists."""
    build = Builder(empty(scheduler))
    world = build.world
    vault = build.add_vault(VAULT, build.add_group("vaults"))
    environment = build.add_environment("ase")
    corp = Authority("Corp")
    build.add_root_object(ROOT, corp.root_leaf, vault)
    partner = build.add_partner("erp", own_root=corp, open_to_all=True)
    plans = [
        build.add_plan(f"plan-{number}", build.add_group(f"group-{number}"), environment=environment)
        for number in range(size.webspaces)
    ]
    sites = [
        build.add_site(f"app-{number}", plan, tags=PROBED, settings={ROOT_LIST: corp.root_leaf.thumbprint})
        for number, plan in zip(range(size.sites), itertools.cycle(plans))
    ]
    for site in sites[: len(plans)]:
        build.add_public_certificate(site, corp.root_leaf.der, name="by-hand")
    for site in sites:
        build.add_app(site, partner, anonymous=True)
    world.clock.advance(timedelta(days=2))
    limit(world, posts)
    return world
