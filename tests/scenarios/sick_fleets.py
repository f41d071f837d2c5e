"""Simulate fleets in which one thing may be sick, and say what all other things must get although it is.

Each fleet has at least two of each kind of thing, in two subscriptions, so that a fault of one thing has neighbours.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.azure.principals import REGISTRATION
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Authority, Request
from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.vault.policy import Policy
from local.azure.vault.vault import Vault
from local.azure.web.resources import Environment, Plan, Site
from local.azure.world import World
from local.worlds.builders import Builder
from shared.domain.fleet.vault_access import registration
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.app_worlds import LIST, PIN

HOUR = timedelta(hours=1)
AGE = timedelta(days=2)
ORDER_AGE = timedelta(days=198 - 29)
FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
NAMED = {"certroll-probe": "/health 200 {thumbprint}"}
WELL = {"certroll-probe": "/health"}
EARLY = datetime(2023, 9, 30, tzinfo=UTC)
SUFFIX = ".vault.azure.net"


@dataclass(frozen=True, slots=True)
class Promise:
    """What one thing of a fleet must get, and the ids of the resources without which it cannot get it."""

    what: str
    kept: Callable[[], bool]
    needs: frozenset[str]


@dataclass(slots=True)
class Fleet:
    """A simulated fleet, with what each thing in it must get after `renew`."""

    world: World
    renew: Callable[[], None]
    """Change what Certroll has to react to, such as a certificate in a vault."""
    sweeps: int
    """How many hourly sweeps a run of the fleet gets."""
    promises: list[Promise] = field(default_factory=list)
    intent: dict[str, object] = field(default_factory=dict)
    later: timedelta = timedelta(0)
    """The time before one more sweep, such as the grace before a deletion."""

    def promise(self, what: str, kept: Callable[[], bool], needs: Iterable[str]) -> None:
        """Add what one thing must get."""
        self.promises.append(Promise(what, kept, frozenset(part.lower() for part in needs)))


def subscription_of(resource_id: str) -> str:
    """Return the id of the subscription of a resource."""
    return "/".join(resource_id.split("/")[:3])


def object_of(vault: Vault, name: str) -> tuple[str, str]:
    """Return what a vault object needs: its vault, and itself."""
    return f"{vault.name}{SUFFIX}", f"{vault.name}{SUFFIX}/{name}"


def webspace_of(place: Site | Plan) -> str:
    """Return the id by which a fleet names the webspace of a site or plan."""
    return f"webspace {place.webspace.subscription} {place.webspace.name}"


def place_of(site: Site) -> tuple[str, ...]:
    """Return what anything at a site needs: its subscription, webspace and plan, the site, and itself if a slot."""
    production = site.id.partition("/slots/")[0]
    return subscription_of(site.id), webspace_of(site), site.plan_id, production, site.id


class _Town:
    """Two subscriptions with a vault each, in which a fleet is built."""

    def __init__(self, knobs: Knobs | None = None, clock: Clock | None = None) -> None:
        self.world = World(clock or Clock(), 0, knobs)
        self.build = build = Builder(self.world)
        self.near = build.add_group("near", build.add_subscription("First", FIRST))
        self.far = build.add_group("far", build.add_subscription("Second", SECOND), "northeurope")
        self.vaults = build.add_vault("contoso-kv", self.near), build.add_vault("fabrikam-kv", self.far)
        self.apart = build.add_vault("apart-kv", self.far)
        self.new: dict[str, str] = {}

    def renew_all(self) -> None:
        """Renew every certificate of every vault, and remember the new thumbprints by the names of the objects."""
        for vault in self.world.vaults.values():
            secrets = [name for name in vault.secrets if name not in vault.certificates]
            self.new |= {name: vault.renew(name).thumbprint for name in tuple(vault.certificates)}
            self.new |= {name: vault.renew_secret(name).thumbprint for name in secrets}

    def fresh(self, site: Site) -> Site:
        """Return the current state of a site or slot."""
        return self.world.web.sites.get(site.id) or site

    def bound(self, fleet: Fleet, vault: Vault, name: str, site: Site, host: str, copy_id: str) -> None:
        """Promise that a host name shows the new version of a vault object."""
        host_id = f"{site.id}/hostNameBindings/{host}"
        ours = f"{copy_id.rpartition('/')[0]}/certroll-{name}-~"
        fleet.promise(
            f"{host} shows the new version of {name}",
            lambda: self.fresh(site).hosts[host].thumbprint == self.new[name],
            (*place_of(site), host_id, copy_id, ours, *object_of(vault, name)),
        )


# -------------------------------------------------------------------------------------------------------- webspaces


def webspaces() -> Fleet:
    """Return imported certificates in webspaces of two subscriptions, and their host names."""
    town = _Town(Knobs(sync_moves_bindings=False))
    build, (contoso, fabrikam) = town.build, town.vaults
    windows, linux = build.add_plan("windows", town.near), build.add_plan("linux", town.near, linux=True)
    away = build.add_plan("away", town.far)
    fleet = Fleet(town.world, town.renew_all, sweeps=1)
    shop, second = build.add_site("shop", windows), build.add_site("second", windows)
    api, branch = build.add_site("api", linux), build.add_site("branch", away)
    staging = build.add_slot(shop, "staging")
    bound: list[tuple[Vault, str, Plan, tuple[tuple[Site, str], ...]]] = [
        (contoso, "web", windows, ((shop, "shop.contoso.com"), (shop, "www.contoso.com"), (staging, "s.contoso.com"))),
        (fabrikam, "other", windows, ((shop, "shop.fabrikam.com"), (second, "second.fabrikam.com"))),
        (fabrikam, "other", away, ((branch, "b.fabrikam.com"),)),
        (contoso, "sealed", linux, ((api, "api.sealed.com"),)),
    ]
    build.add_certificate("web", ("*.contoso.com",), contoso)
    build.add_certificate("other", ("*.fabrikam.com",), fabrikam)
    build.add_secret("sealed", ("*.sealed.com",), contoso)
    for vault, name, plan, hosts in bound:
        copy = build.add_copy(name, plan, vault, name=f"{name}-{plan.name}")
        for site, host in hosts:
            build.add_host(site, host, copy)
            town.bound(fleet, vault, name, site, host, copy.id)
    return fleet


def holdings() -> Fleet:
    """Return uploads, public certificates, certificates of single sites, and imports that a tag asks for."""
    town = _Town(Knobs(sync_moves_bindings=False))
    build, (_, fabrikam) = town.build, town.vaults
    near, away = build.add_plan("near", town.near), build.add_plan("away", town.far)
    # the second subscription waits for the soak if the first one does not answer
    fleet = Fleet(town.world, town.renew_all, sweeps=2, later=timedelta(days=31), intent={"delete_superseded": True})
    uploaded = build.add_certificate("uploaded", ("*.uploads.com",), fabrikam, key_type="EC")
    sites = build.add_site("api", near), build.add_site("branch", away)
    for site, plan in zip(sites, (near, away), strict=True):
        host, upload = f"{site.name}.uploads.com", build.add_upload(uploaded, plan, name=f"upload-{plan.name}")
        build.add_host(site, host, upload)
        town.bound(fleet, fabrikam, "uploaded", site, host, upload.id)
        _gone(town, fleet, upload.id, plan, (site,))
    _own(town, fleet)
    _asked(town, fleet, *sites)
    return fleet


def _gone(town: _Town, fleet: Fleet, copy_id: str, plan: Plan, sites: tuple[Site, ...]) -> None:
    """Promise that a superseded upload is deleted at last. Whatever hides a part of its webspace may keep it."""
    near = (part for site in sites for part in (*place_of(site), f"{site.id}/config", f"{site.id}/publicCertificates"))
    hosts = (f"{site.id}/hostNameBindings/{host}" for site in sites for host in town.fresh(site).hosts)
    fleet.promise(
        f"{copy_id} is deleted",
        lambda: not any(copy.id == copy_id for copy in town.world.web.all_certificates()),
        (
            *near,
            *hosts,
            copy_id,
            f"{copy_id.rpartition('/')[0]}/certroll-uploaded-~",
            plan.id,
            *object_of(town.vaults[1], "uploaded"),
        ),
    )


def _own(town: _Town, fleet: Fleet) -> None:
    """Add a Flex Consumption site with a certificate of its own, one in each subscription."""
    build, (_, fabrikam) = town.build, town.vaults
    build.add_certificate("own", ("*.own.com",), fabrikam)
    for group, name in ((town.near, "flexa"), (town.far, "flexb")):
        site = build.add_site(name, group=group, flex=True)
        own = build.add_site_certificate(site, "own", fabrikam, loaded=True)
        build.add_host(site, f"{name}.own.com", own)
        town.bound(fleet, fabrikam, "own", site, f"{name}.own.com", own.id)


def _asked(town: _Town, fleet: Fleet, *sites: Site) -> None:
    """Let a tag ask for an import, and another tag for a public certificate, at each of the sites."""
    build, contoso, apart = town.build, town.vaults[0], town.apart
    names = ", ".join(site.name for site in sites)
    build.add_certificate("wanted", ("*.wanted.com",), apart, tags={"certroll-import-to": names})
    public = build.add_certificate(
        "public", ("public.com",), contoso, key_type="EC", tags={"certroll-public-to": names}
    )
    for site in sites:
        held = build.add_public_certificate(site, public.leaf.der, name="by-hand")
        fleet.promise(
            f"{site.name} holds the import",
            lambda site=site: any(
                copy.thumbprint == town.new["wanted"] and copy.webspace == site.webspace
                for copy in town.world.web.all_certificates()
            ),
            (*place_of(site), *object_of(apart, "wanted"), apart.resource_id, subscription_of(apart.resource_id)),
        )
        fleet.promise(
            f"{site.name} holds the public certificate",
            lambda site=site: any(
                found.thumbprint == town.new["public"] for found in town.world.web.public_certificates_of(site)
            ),
            (*place_of(site), held.id, f"{site.id}/publicCertificates", *object_of(contoso, "public")),
        )


# ------------------------------------------------------------------------------------------------------------- apps


def apps() -> Fleet:
    """Return apps whose settings name a client certificate, or load it at their start, in two subscriptions."""
    town = _Town()
    build, (contoso, fabrikam) = town.build, town.vaults
    fleet = Fleet(town.world, lambda: None, sweeps=1, intent={"max_restarts": 9})
    partner = build.add_partner()
    old = {vault: build.add_certificate("client", (f"client.{vault.name}.com",), vault) for vault in town.vaults}
    for vault, group in ((contoso, town.near), (fabrikam, town.far)):
        plan = build.add_plan(f"{group.name}-plan", group, linux=True)
        copy = build.add_copy("client", plan, vault, name=f"client-{group.name}")
        # the sync of the copy waits for the upload that keeps the version which apps still name
        held = copy.id, f"{copy.id.rpartition('/')[0]}/certroll-client-~"
        settings = {LIST: old[vault].thumbprint, PIN: old[vault].thumbprint}
        led = {"CERT": f"@Microsoft.KeyVault(SecretUri=https://{vault.name}{SUFFIX}/secrets/client)"}
        for kind in ("names", "also") if group is town.near else ("names",):
            site = build.add_site(f"{kind}-{group.name}", plan, tags=NAMED, settings=settings)
            build.add_app(site, partner, setting=PIN)
            fleet.promise(
                f"{site.name} names the new version",
                lambda site=site, vault=vault: town.fresh(site).settings[PIN] == town.new[vault.name],
                (*place_of(site), f"{site.id}/config", *held, *object_of(vault, "client")),
            )
        led_site = build.add_site(f"refers-{group.name}", plan, settings=led)
        restarted = build.add_site(
            f"starts-{group.name}", plan, tags={"certroll-restart": "on"}, settings={LIST: "*", "A": "b"}
        )
        fleet.promise(
            f"{restarted.name} is restarted",
            lambda site=restarted: town.fresh(site).restarts > 0,
            (*place_of(restarted), f"{restarted.id}/config", *held, *object_of(vault, "client")),
        )
        fleet.promise(
            f"the references of {led_site.name} are refreshed",
            lambda site=led_site: asked_for(town.world, f"{site.id}/config/configreferences/appsettings/refresh"),
            (*place_of(led_site), f"{led_site.id}/config", *held, *object_of(vault, "client")),
        )
    fleet.renew = lambda: town.new.update({vault.name: vault.renew("client").thumbprint for vault in town.vaults})
    return fleet


# ----------------------------------------------------------------------------------------------------- environments


def environments() -> Fleet:
    """Return two environments, whose apps must be stopped and started for a new root."""
    town = _Town()
    build = town.build
    limit = MaxUnavailable.parse("1")
    intent = {"ase_max_unavailable": limit, "delete_superseded": True, "delete_grace": HOUR / 2}
    fleet = Fleet(town.world, lambda: None, sweeps=3, intent=intent)
    old, new = Authority("Corp 2020"), Authority("Corp 2026")
    partner = build.add_partner("erp", own_root=old, open_to_all=True)
    for group, vault in ((town.near, town.vaults[0]), (town.far, town.vaults[1])):
        ase = build.add_environment(f"ase-{group.name}", group)
        plan = build.add_plan(f"plan-{group.name}", environment=ase)
        build.add_root_object("root", old.root_leaf, vault, tags={"certroll-root-of": ase.name})
        root = build.add_root_certificate(ase, old.root_leaf.der, name="by-hand")
        build.add_upload(_private(town, vault, old), plan, name=f"leaf-{group.name}", created=EARLY)
        names = ("api", "jobs") if group is town.near else ("api",)
        sites = [build.add_site(f"{name}-{group.name}", plan, tags=WELL) for name in names]
        sites.append(build.add_slot(sites[0], "staging", tags=WELL))
        for site in sites:
            build.add_app(site, partner, anonymous=True)
            _cycled(town, fleet, ase, site, vault)
        fleet.promise(
            f"the old root of {ase.name} is deleted",
            lambda root=root: root.id not in {known.id for known in town.world.web.roots.values()},
            (
                subscription_of(ase.id),
                ase.id,
                plan.id,
                webspace_of(plan),
                root.id,
                *object_of(vault, "root"),
                *(s.id for s in sites),
            ),
        )
    fleet.renew = lambda: [  # type: ignore[func-returns-value]
        build.add_root_object("root", new.root_leaf, vault, tags={"certroll-root-of": f"ase-{group.name}"})
        for group, vault in ((town.near, town.vaults[0]), (town.far, town.vaults[1]))
    ]
    return fleet


def _private(town: _Town, vault: Vault, authority: Authority) -> ImportedCertificate:
    """Put a certificate of a private authority into the vault, and return it as an upload."""
    now = town.world.clock.now()
    leaf = authority.issue(Request(("*.corp.com",), now, now + timedelta(days=90)))
    vault.append(vault.ensure("leaf", Policy(subject="CN=corp")), leaf, Policy(subject="CN=corp"), tags={})
    return imported(leaf)


def _cycled(town: _Town, fleet: Fleet, ase: Environment, site: Site, vault: Vault) -> None:
    """Promise that an app is stopped and started, and runs."""
    needs = (*place_of(site), ase.id, *object_of(vault, "root"))
    started = lambda: town.fresh(site).restarts > 0 and town.fresh(site).state == "Running"  # noqa: E731
    fleet.promise(f"{site.full_name} is stopped and started", started, needs)


# --------------------------------------------------------------------------------------------- managed certificates


def managed() -> Fleet:
    """Return host names without a binding, for which tags ask for managed certificates, in two subscriptions."""
    town = _Town()
    build = town.build
    fleet = Fleet(town.world, lambda: None, sweeps=1)
    for group in (town.near, town.far):
        plan = build.add_plan(f"plan-{group.name}", group)
        for name in ("shop", "blog") if group is town.near else ("shop",):
            site = build.add_site(f"{name}-{group.name}", plan, tags={"certroll-managed": "on"})
            for owner in (site, build.add_slot(site, "staging", tags={"certroll-managed": "on"})):
                prefix = "s." if owner.slot else ""
                host = f"{prefix}{name}.{group.name}.com"
                build.add_host(owner, host)
                build.add_record(host, "CNAME", owner.default_host_name)
                _issued(town, fleet, owner, host)
    return fleet


def _issued(town: _Town, fleet: Fleet, site: Site, host: str) -> None:
    """Promise that a host name is bound to a managed certificate."""
    copy_id = f"/subscriptions/{site.subscription}/resourceGroups/{site.resource_group}/providers/Microsoft.Web"
    needs = (*place_of(site), f"{site.id}/hostNameBindings", f"{site.id}/hostNameBindings/{host}")
    fleet.promise(
        f"{host} is bound",
        lambda: town.fresh(site).hosts[host].ssl_state == "SniEnabled",
        (*needs, f"{copy_id}/certificates/{host}", f"operation of {host}"),
    )


# ----------------------------------------------------------------------------------------------------------- orders


ASKED = {"late": "/renew", "manual": "", "again": "/reissue"}
"""What each kind of order must be asked for, as the end of a path: a mark in the tags alone is no request."""


def orders() -> Fleet:
    """Return orders of purchased certificates that Azure should have renewed, in two subscriptions."""
    town = _Town(Knobs(orders_renew_themselves=False))
    build = town.build
    known = registration(town.world.object_id(REGISTRATION))
    # one sweep for the mark on the order, and one for the request
    fleet = Fleet(town.world, lambda: None, sweeps=2, intent={"order_actions": True, "registration": known})
    for group, vault in ((town.near, town.vaults[0]), (town.far, town.vaults[1])):
        for kind, auto in (("late", True), ("manual", False), ("again", True)):
            name = f"{kind}-{group.name}"
            age = ORDER_AGE if kind == "late" else timedelta(days=30)
            order = build.add_order(name, f"{name}.com", vault, age=age, auto_renew=auto)
            order.tags = {"certroll-reissue": order.serial} if kind == "again" else {}
            (stored,) = order.stored.values()
            request = f"{order.id}{ASKED[kind]}"
            fleet.promise(
                f"{name} is asked",
                lambda request=request: asked_for(town.world, request),
                (subscription_of(order.id), order.id, *object_of(vault, stored.secret_name), vault.resource_id),
            )
    return fleet


def asked_for(world: World, resource_id: str) -> bool:
    """Return True if Azure accepted a write to exactly this path."""
    return any(
        entry.path.lower() == resource_id.lower() and entry.method != "GET" and 0 < entry.status < 300
        for entry in world.journal.entries()
    )


FLEETS: dict[str, Callable[[], Fleet]] = {
    "orders": orders,
    "managed": managed,
    "webspaces": webspaces,
    "environments": environments,
    "holdings": holdings,
    "apps": apps,
}
"""The fleets, the cheap ones first."""
