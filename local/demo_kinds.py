"""One of each kind of certificate in the demo: its renewal, or the reason why a person is needed.

Events lead Certroll to what renews in a vault; one sweep then finds what has no event: imports that a tag asks for,
managed certificates, orders, and what is superseded.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from local.app import BUILD, LocalApp
from local.azure.registration.orders import Order
from local.azure.watching.app_watch import AppWatch
from local.azure.web.resources import DEFAULT_DOMAIN, Certificate, Site
from local.azure.world import World
from local.demo_records import LOOK_EVERY, Told, await_recorded, findings, skips, sweep
from local.demo_rolls import SETTLE
from local.demo_screen import Checks, progress, say, table
from local.fleet import bound_host_names
from local.frontend.visitor import Canary, HandshakeFailed
from local.patience import HANG
from local.stand import Stand
from local.worlds import fabrikam as names

ISSUANCE_SECONDS = 2.0
"""How long the demo's Azure takes to issue a managed certificate; live it is minutes."""
ARM = "management.azure.com"
SERVED = {
    "www.fabrikam.com": ("imported", names.WWW),
    "shop.fabrikam.com": ("uploaded", names.SHOP),
    "legacy.fabrikam.com": ("uploaded", names.LEGACY),
    "forms.fabrikam.com": ("uploaded", names.FORMS),
    "api.fabrikam.com": ("secret", names.API),
    "jobs.fabrikam.com": ("site-scoped", names.JOBS),
}
"""The host names whose certificates renew in the vault, with their kind and the vault object."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of certificate somewhere: the outcome that is claimed, in words too, and how it is looked for."""

    kind: str
    subject: str
    outcome: str
    text: str
    holds: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Before:
    """How it was: the address of each host name and how it is bound, and the serial number of each order."""

    addresses: Mapping[str, tuple[str | None, str | None]]
    serials: Mapping[str, str]


def show_kinds(checks: Checks) -> list[dict[str, str]]:
    """Renew one of each kind, claim what became of each, and return it as rows for the report."""
    print()
    say("Now one of each kind of certificate, in another world")
    with LocalApp("fabrikam", {"CERTROLL_PROBE_SETTLE": SETTLE}, logs=BUILD / "demo-kinds") as local:
        world = local.stand.world
        world.knobs.turn(sync_moves_bindings=False, managed_issuance_seconds=ISSUANCE_SECONDS)
        before = _before(world)
        cases = _cases(local, before)
        with local.stand.canary() as canary, AppWatch(world) as watch:
            recorded = _renew_and_sweep(local, cases)
            _await_visits(canary, world)
        held = {case: case.holds() for case in cases}
        _show(cases, held, (*findings(local), *skips(local)))
        print("\nChecked:")
        for case in cases:
            checks.claim(held[case], case.text)
        _check_unharmed(checks, world, before, canary, watch)
        checks.claim(recorded, "Certroll itself saw each site serve and each app answer, and recorded it")
        checks.claim(_is_idle_sweep(local), "0 writes to ARM by the sweep that followed")
    return [{"kind": c.kind, "subject": c.subject, "outcome": c.outcome if held[c] else "Failed"} for c in cases]


def _before(world: World) -> Before:
    return Before(_addresses(world), {order.name: order.serial for order in world.orders})


def _addresses(world: World) -> dict[str, tuple[str | None, str | None]]:
    """Return the address of each custom host name, and how it is bound."""
    with world.lock:
        hosts = [host for site in world.web.sites.values() for host in site.hosts.values()]
    custom = (host for host in hosts if not host.name.endswith(DEFAULT_DOMAIN))
    return {host.name: (world.web.address_of(host.name), host.ssl_state) for host in custom}


# ------------------------------------------------------------------------------------------------------- the course


def _renew_and_sweep(local: LocalApp, cases: tuple[Case, ...]) -> bool:
    """Renew all, sweep once what renewed is served and proven, and wait for the rest; whether all was recorded."""
    world = local.stand.world
    _renew(world)
    hosts = (*SERVED, f"{names.RENEWS}.fabrikam.com")
    sites = {site.id.lower() for host in hosts if (site := world.web.site_with_host(host))}
    _await(tuple(case for case in cases if case.outcome in {"Served", "Renewed"}))
    proven = await_recorded(local, "site", sites, "Proven")
    say("What renewed in a vault is served; now a sweep, for what has no event")
    swept = sweep(local)
    _await(cases)
    return (
        swept
        and proven
        and await_recorded(local, "app", {app.site_id.lower() for app in world.apps.all()}, "Validated")
    )


def _await(cases: tuple[Case, ...]) -> None:
    """Return when all cases hold, or patience is over."""
    began, waiting = time.monotonic(), cases
    with progress() as show:
        while waiting and time.monotonic() - began < HANG:
            waiting = tuple(case for case in waiting if not case.holds())
            show(
                f"{time.monotonic() - began:5.1f} s  {len(cases) - len(waiting)} of {len(cases)} are as they should be"
            )
            time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time


def _await_visits(canary: Canary, world: World) -> None:
    """Return when the canary has visited what is bound by now, or patience is over."""
    give_up = time.monotonic() + HANG
    while _unvisited(canary, world) and time.monotonic() < give_up:
        time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time


def _unvisited(canary: Canary, world: World) -> set[str]:
    return set(bound_host_names(world)) - set(canary.visits)


def _renew(world: World) -> None:
    for vault_name, name in world.renewing:
        vault = world.vaults[vault_name]
        version = vault.renew(name) if vault.certificate(name) else vault.renew_secret(name)
        say(f"Renewed {vault_name}/{name}: {version.thumbprint[:12]}…")
    with world.lock:
        order = _order(world, names.RENEWS)
        world.orders.begin(order, "renew")
        order.due = world.clock.now()  # the authority takes minutes, which the demo has not
        world.orders.settle()
    say(f"Renewed order {order.name}, which stores it in {names.ORDERS_VAULT}")


# -------------------------------------------------------------------------------------------------------- the cases


def _cases(local: LocalApp, before: Before) -> tuple[Case, ...]:
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
    renews, waits = _order(world, names.RENEWS), _order(world, names.WAITS)
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
                [one.thumbprint for one in _copies(world, names.INTRANET)]
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
    (own,) = (one.name for one in world.web.certificates.values() if one.name.startswith("certroll-"))
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


def _order(world: World, name: str) -> Order:
    return next(order for order in world.orders if order.name == name)


def _bought(order: Order) -> str:
    return order.certificate.thumbprint if order.certificate else "none"


def _issued(stand: Stand, host: str) -> set[str]:
    with stand.world.lock:
        return {one.thumbprint for one in stand.world.web.certificates.values() if one.managed == host}


def _copies(world: World, name: str) -> list[Certificate]:
    with world.lock:
        return [one for one in world.web.all_certificates() if one.source and one.source.secret_name == name]


def _uploads(world: World, name: str) -> list[Certificate]:
    with world.lock:
        return [one for one in world.web.certificates.values() if one.name == name]


def _says(told: Iterable[Told], word: str, reason: str) -> bool:
    return any(word in one.subject and one.reason == reason for one in told)


# ------------------------------------------------------------------------------------------------------- the checks


def _check_unharmed(checks: Checks, world: World, before: Before, canary: Canary, watch: AppWatch) -> None:
    after = _addresses(world)
    bound = {name: seen for name, seen in before.addresses.items() if seen[1] is not None}
    moved = [name for name, (address, _) in before.addresses.items() if after[name][0] != address]
    checks.claim(
        not moved and bound.items() <= after.items(), "no address changed, and no kind of binding that was there"
    )
    checks.claim(
        not _unvisited(canary, world) and not canary.failures,
        f"{canary.handshakes} handshakes by a visitor meanwhile, with every host name, {len(canary.failures)} failed",
    )
    checks.claim(watch.looks > 1 and not watch.troubles, f"{watch.looks} looks at the apps meanwhile, all were well")


def _is_idle_sweep(local: LocalApp) -> bool:
    """Return whether another sweep succeeds and writes nothing to ARM; it tries the import that cannot be again."""
    journal = local.stand.world.journal
    before = len(journal.writes(ARM))
    return sweep(local, followed_by="certificates_queue") and len(journal.writes(ARM)) == before


# ------------------------------------------------------------------------------------------------------- the screen


def _show(cases: tuple[Case, ...], held: Mapping[Case, bool], told: tuple[Told, ...]) -> None:
    print("\nOne of each kind:")
    rows = [(case.kind, case.subject, case.outcome if held[case] else "FAILED") for case in cases]
    table(("kind", "what", "outcome"), rows)
    reasons = {case.outcome: case.subject.rpartition("/")[2] for case in cases}
    print("\nFor a person to do:")
    for one in dict.fromkeys(told):
        if one.reason in reasons and reasons[one.reason] in one.subject:
            print(f"  {one.reason}: {one.subject}: {one.detail}")
