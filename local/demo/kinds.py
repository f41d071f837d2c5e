"""Show that Certroll renews a certificate of each kind, or reports why an operator has to act.

An event tells Certroll of each renewal in a vault. A sweep (Certroll's check of all certificates) finds the work that
no event announces, such as imports that a tag asks for, managed certificates and superseded certificates.
"""

import time
from collections.abc import Mapping

from local.app import BUILD, LocalApp
from local.azure.watching.app_watch import AppWatch
from local.azure.world import World
from local.demo.cases import SERVED, Before, Case, addresses, all_cases, order_named
from local.demo.records import LOOK_EVERY, Told, await_recorded, findings, skips, sweep
from local.demo.rights import check_azure
from local.demo.rolls import SETTLE
from local.demo.screen import Checks
from local.fleet import bound_host_names
from local.frontend.visitor import Canary
from local.patience import HANG
from local.screen import Screen
from local.worlds import fabrikam as names

ISSUANCE_SECONDS = 2.0
"""How long the demo's Azure takes to issue a managed certificate; the real Azure takes minutes."""
ARM = "management.azure.com"


def show_kinds(checks: Checks) -> list[dict[str, str]]:
    """Renew a certificate of each kind, check the outcomes, and return the outcomes as rows for the report."""
    screen = checks.screen
    screen.line()
    screen.say("Now one of each kind of certificate, in another world")
    with LocalApp("fabrikam", {"CERTROLL_PROBE_SETTLE": SETTLE}, logs=BUILD / "demo-kinds") as local:
        world = local.stand.world
        world.knobs.turn(sync_moves_bindings=False, managed_issuance_seconds=ISSUANCE_SECONDS)
        before = Before.of(world)
        cases = all_cases(local, before)
        with local.stand.canary() as canary, AppWatch(world) as watch:
            recorded = _renew_and_sweep(local, cases, screen)
            _await_visits(canary, world)
        held = {case: case.holds() for case in cases}
        _show(screen, cases, held, (*findings(local), *skips(local)))
        screen.heading("Checked")
        for case in cases:
            checks.claim(held[case], case.text)
        check_azure(checks, world)
        _check_unharmed(checks, world, before, canary, watch)
        checks.claim(recorded, "Certroll itself saw each site serve and each app answer, and recorded it")
        checks.claim(_is_idle_sweep(local), "0 writes to ARM by the sweep that followed")
    return [{"kind": c.kind, "subject": c.subject, "outcome": c.outcome if held[c] else "Failed"} for c in cases]


# ------------------------------------------------------------------------------------------------------- the course


def _renew_and_sweep(local: LocalApp, cases: tuple[Case, ...], screen: Screen) -> bool:
    """Renew the certificates, wait until visitors receive the new certificates, and start Certroll's sweep.

    Return True if the sweep succeeded and Certroll recorded every site and app.
    """
    world = local.stand.world
    _renew(world, screen)
    hosts = (*SERVED, f"{names.RENEWS}.fabrikam.com")
    sites = {site.id.lower() for host in hosts if (site := world.web.site_with_host(host))}
    _await(tuple(case for case in cases if case.outcome in {"Served", "Renewed"}), screen)
    proven = await_recorded(local, "site", sites, "Proven")
    screen.say("What renewed in a vault is served; now a sweep, for what has no event")
    swept = sweep(local)
    _await(cases, screen)
    return (
        swept
        and proven
        and await_recorded(local, "app", {app.site_id.lower() for app in world.apps.all()}, "Validated")
    )


def _await(cases: tuple[Case, ...], screen: Screen) -> None:
    """Wait until the statements of all `cases` are true, for nine minutes at most."""
    began, waiting = time.monotonic(), cases
    with screen.progress() as show:
        while waiting and time.monotonic() - began < HANG:
            waiting = tuple(case for case in waiting if not case.holds())
            show(
                f"{time.monotonic() - began:5.1f} s  {len(cases) - len(waiting)} of {len(cases)} are as they should be"
            )
            time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time


def _await_visits(canary: Canary, world: World) -> None:
    """Wait until the canary (a test visitor) has visited every bound host name, for nine minutes at most."""
    give_up = time.monotonic() + HANG
    while _unvisited(canary, world) and time.monotonic() < give_up:
        time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time


def _unvisited(canary: Canary, world: World) -> set[str]:
    return set(bound_host_names(world)) - set(canary.visits)


def _renew(world: World, screen: Screen) -> None:
    for vault_name, name in world.renewing:
        vault = world.vaults[vault_name]
        version = vault.renew(name) if vault.certificate(name) else vault.renew_secret(name)
        screen.say(f"Renewed {vault_name}/{name}: {version.thumbprint[:12]}…")
    with world.lock:
        order = order_named(world, names.RENEWS)
        world.orders.begin(order, "renew")
        order.due = world.clock.now()  # A real certificate authority takes minutes, and the demo does not wait.
        world.orders.settle()
    screen.say(f"Renewed order {order.name}, which stores it in {names.ORDERS_VAULT}")


# ------------------------------------------------------------------------------------------------------- the checks


def _check_unharmed(checks: Checks, world: World, before: Before, canary: Canary, watch: AppWatch) -> None:
    after = addresses(world)
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
    """Return True if another sweep (check of all certificates) succeeds and writes nothing to ARM.

    Certroll's sweep (a check of all certificates) also retries the import from the vault that App Service may not read.
    """
    journal = local.stand.world.journal
    before = len(journal.writes(ARM))
    return sweep(local, followed_by="certificates_queue") and len(journal.writes(ARM)) == before


# ------------------------------------------------------------------------------------------------------- the screen


def _show(screen: Screen, cases: tuple[Case, ...], held: Mapping[Case, bool], told: tuple[Told, ...]) -> None:
    screen.heading("One of each kind")
    rows = [(case.kind, case.subject, case.outcome if held[case] else "FAILED") for case in cases]
    screen.table(("kind", "what", "outcome"), rows)
    reasons = {case.outcome: case.subject.rpartition("/")[2] for case in cases}
    screen.heading("For a person to do")
    screen.entries(
        [
            (entry.reason, entry.subject, entry.detail)
            for entry in dict.fromkeys(told)
            if entry.reason in reasons and reasons[entry.reason] in entry.subject
        ]
    )
