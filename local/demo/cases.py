"""The statements about each kind of certificate that the demo checks in the simulated Azure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from local.app import LocalApp
from local.azure.registration.orders import Order
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import DEFAULT_DOMAIN, Site
from local.azure.world import World
from local.demo.records import Told, findings, skips
from local.frontend.visitor import HandshakeFailed
from local.stand import Stand
from local.worlds import fabrikam as names

SERVED = {
    "www.fabrikam.com": ("imported", names.WWW),
    "shop.fabrikam.com": ("uploaded", names.SHOP),
    "legacy.fabrikam.com": ("uploaded", names.LEGACY),
    "forms.fabrikam.com": ("uploaded", names.FORMS),
    "api.fabrikam.com": ("secret", names.API),
    "jobs.fabrikam.com": ("site-scoped", names.JOBS),
}
"""The host names whose certificates renew in the vault, with the kind and the vault object of each."""


@dataclass(frozen=True, slots=True)
class Case:
    """A statement that the demo checks about a certificate of some kind."""

    kind: str
    subject: str
    """The host name, site, order or object that the claim is about."""
    outcome: str
    """A word for the outcome in the report: `Served`, or the reason why a person is needed."""
    text: str
    """The claim as a sentence."""
    holds: Callable[[], bool]
    """Return True if the claim is true now."""


@dataclass(frozen=True, slots=True)
class Before:
    """The simulated Azure before the renewals."""

    addresses: Mapping[str, tuple[str | None, str | None]]
    """The inbound address and the kind of binding of each custom host name."""
    serials: Mapping[str, str]
    """The serial number of each order."""

    @classmethod
    def of(cls, world: World) -> Self:
        """Return the addresses and serial numbers in the simulated Azure before the renewals."""
        return cls(addresses(world), {order.name: order.serial for order in world.orders})


def addresses(world: World) -> dict[str, tuple[str | None, str | None]]:
    """Return the inbound address and the kind of binding of each custom host name."""
    with world.lock:
        hosts = [host for site in world.web.sites.values() for host in site.hosts.values()]
    custom = (host for host in hosts if not host.name.endswith(DEFAULT_DOMAIN))
    return {host.name: (world.web.address_of(host.name), host.ssl_state) for host in custom}


def all_cases(local: LocalApp, before: Before) -> tuple[Case, ...]:
    """Return all statements that the demo checks about the kinds of certificates."""
    return (
        *_served(local.stand),
        *_loaded(local.stand.world),
        *_orders(local, before),
        *_managed(local),
        *_imports(local),
        *_cleanup(local),
    )


def _served(stand: Stand) -> list[Case]:
    def case(host: str, kind: str, name: str) -> Case:
        text = f"{host} serves the new version of {name} ({kind})"
        return Case(kind, host, "Served", text, lambda: _serves(stand, host) == _newest(stand.world, names.VAULT, name))

    return [case(host, kind, name) for host, (kind, name) in SERVED.items()]


def _loaded(world: World) -> list[Case]:
    orders, audit = _site(world, "orders-fabrikam"), _site(world, "audit-fabrikam")
    return [
        Case(
            "uploaded",
            orders.name,
            "Loaded",
            f"the app of {orders.name} presents the new version of {names.SHOP}, which it pins",
            lambda: _presented(world, orders) == _newest(world, names.VAULT, names.SHOP),
        ),
        Case(
            "public",
            audit.name,
            "Loaded",
            f"the app of {audit.name} trusts the new version of {names.SIGNER}, without a key",
            lambda: _trusted(world, audit) == _newest(world, names.VAULT, names.SIGNER),
        ),
    ]


def _orders(local: LocalApp, before: Before) -> list[Case]:
    stand, world = local.stand, local.stand.world
    renews, waits = order_named(world, names.RENEWS), order_named(world, names.WAITS)
    return [
        Case(
            "purchased",
            renews.name,
            "Renewed",
            f"order {renews.name} has a new certificate, and {renews.host} serves it",
            lambda: renews.serial != before.serials[renews.name] and _serves(stand, renews.host) == _bought(renews),
        ),
        Case(
            "purchased",
            waits.name,
            "OrderPending",
            f"order {waits.name} waits for the proof of its domain, which people are told; {waits.host} serves on",
            lambda: (
                _says(findings(local), waits.name, "OrderPending")
                and waits.serial == before.serials[waits.name]
                and _serves(stand, waits.host) == _bought(waits)
            ),
        ),
    ]


def _managed(local: LocalApp) -> list[Case]:
    stand, host = local.stand, names.MANAGED_HOST

    def refused(host: str, reason: str, why: str) -> Case:
        text = f"{host} gets no managed certificate: {why}, which people are told"
        return Case(
            "managed", host, reason, text, lambda: _says(findings(local), host, reason) and not _issued(stand, host)
        )

    return [
        Case(
            "managed",
            host,
            "Created",
            f"{host} serves the managed certificate that was made for it",
            lambda: _serves(stand, host) in _issued(stand, host),
        ),
        refused(names.FORBIDDEN_HOST, "CaaForbids", "its CAA record forbids it"),
        refused(names.LEADS_AWAY, "CnameNotDirect", "its CNAME leads elsewhere"),
    ]


def _imports(local: LocalApp) -> list[Case]:
    world = local.stand.world
    vaults = {names.INTRANET: names.VAULT, names.EXCHANGE: names.CLOSED_VAULT}
    there, lacking = (f"{vault}/{name}" for name, vault in vaults.items())
    return [
        Case(
            "import",
            there,
            "Imported",
            f"{there} was imported where its tag asks for it",
            lambda: (
                [copy.thumbprint for copy in _copies(world, names.INTRANET)]
                == [_newest(world, names.VAULT, names.INTRANET)]
            ),
        ),
        Case(
            "import",
            lacking,
            "VaultAccessLacking",
            f"{lacking} was not: App Service may not read its vault, which people are told",
            lambda: _says(findings(local), names.EXCHANGE, "VaultAccessLacking") and not _copies(world, names.EXCHANGE),
        ),
    ]


def _cleanup(local: LocalApp) -> list[Case]:
    world = local.stand.world
    (own,) = (copy.name for copy in world.web.certificates.values() if copy.name.startswith("certroll-"))
    return [
        Case(
            "cleanup",
            own,
            "Deleted",
            "what Certroll itself had kept of a version superseded long ago is deleted",
            lambda: not _uploads(world, own),
        ),
        Case(
            "cleanup",
            names.THEIRS,
            "NotOurs",
            f"{names.THEIRS}, as old and unused, stays, because people uploaded it",
            lambda: len(_uploads(world, names.THEIRS)) == 1 and _says(skips(local), names.THEIRS, "NotOurs"),
        ),
    ]


# -------------------------------------------------------------------------------------------------------- the world


def _serves(stand: Stand, host: str) -> str:
    try:
        return stand.visitor.handshake(host)
    except HandshakeFailed:
        return ""


def _newest(world: World, vault: str, name: str) -> str:
    found = world.vaults[vault].secret(name)
    return found.versions[-1].thumbprint if found else "none"


def _site(world: World, name: str) -> Site:
    return next(site for site in world.web.sites.values() if site.name == name)


def _presented(world: World, site: Site) -> str | None:
    """Return the client certificate of the newest process of the site's app."""
    app = world.apps.of(site)
    process = app.answering(world.clock.now())[-1] if app else None
    return process.certificate.thumbprint if process and process.certificate else None


def _trusted(world: World, site: Site) -> str | None:
    app = world.apps.of(site)
    return app.answering(world.clock.now())[-1].trusted if app else None


def order_named(world: World, name: str) -> Order:
    """Return the purchased order of the given name."""
    return next(order for order in world.orders if order.name == name)


def _bought(order: Order) -> str:
    return order.certificate.thumbprint if order.certificate else "none"


def _issued(stand: Stand, host: str) -> set[str]:
    with stand.world.lock:
        return {copy.thumbprint for copy in stand.world.web.certificates.values() if copy.managed == host}


def _copies(world: World, name: str) -> list[Certificate]:
    with world.lock:
        return [copy for copy in world.web.all_certificates() if copy.source and copy.source.secret_name == name]


def _uploads(world: World, name: str) -> list[Certificate]:
    with world.lock:
        return [copy for copy in world.web.certificates.values() if copy.name == name]


def _says(told: Iterable[Told], word: str, reason: str) -> bool:
    return any(word in entry.subject and entry.reason == reason for entry in told)
