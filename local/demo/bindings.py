"""Show that the host names whose certificates renew in the vault serve the new certificates.

The demo checks most statements from outside: by a visitor's TLS handshakes, and in the simulated Azure's journal. In
this part of the demo, the simulated Azure moves no binding when App Service syncs an imported certificate. In this part
of the demo, Certroll itself writes each binding that has to use a new certificate.
"""

import time
from dataclasses import dataclass
from typing import Any

from local.app import LocalApp
from local.azure.watching.app_watch import AppWatch
from local.azure.web.resources import Host, Site, dns_name
from local.demo.effort import Pace, check_effort, effort, least, show_pace
from local.demo.records import LOOK_EVERY, await_recorded, findings, sweep
from local.demo.rolls import Named, apps_before, await_rolls, check_rolls
from local.demo.screen import Checks
from local.frontend.visitor import Canary, HandshakeFailed
from local.layout import Column
from local.patience import HANG
from local.screen import Screen
from local.stand import Stand
from local.yardstick import yardstick

ARM = "management.azure.com"
LEAST_MOVED, LEAST_IP_BASED = 12, 3


@dataclass(frozen=True, slots=True)
class Bound:
    """A host name at one moment, with the vault certificate that its binding uses."""

    site: Site
    host: Host
    address: str
    lineage: str

    @property
    def name(self) -> str:
        """The host name."""
        return self.host.name

    @property
    def visited(self) -> str:
        """The name that a visitor asks for: a wildcard's `*` is replaced by the label `any`."""
        return f"any{self.name[1:]}" if self.name.startswith("*") else self.name


@dataclass(frozen=True, slots=True)
class Course:
    """The measured times and outcomes of the demo's renewals, from the renewal events to Certroll's final records.

    The measurements include the sweep (Certroll's check of all certificates) after the renewals.
    """

    moving: list[Bound]
    """The host names, before the renewals, whose bindings have to move."""
    apps: list[Named]
    """The apps, before the renewals, whose settings have to roll."""
    pace: Pace
    settled: bool
    """True if Certroll recorded that each site serves its new certificate."""
    rolls: list[dict[str, Any]]
    writes: int
    """The writes to ARM before the sweep."""
    swept: bool
    """True if the sweep succeeded."""
    canary: Canary
    watch: AppWatch


def show_bindings(local: LocalApp, checks: Checks) -> dict[str, Any]:
    """Renew the certificates of the simulated fleet Contoso, check the results, and return the report."""
    stand, screen = local.stand, checks.screen
    stand.world.knobs.turn(sync_moves_bindings=False)
    before = _bound(stand)
    renewing = {f"{vault}/{name}" for vault, name in stand.world.renewing}
    _show_fleet(screen, before, renewing)
    moving = [bound for bound in before if bound.host.is_bound and bound.lineage in renewing and not _opted_out(bound)]
    course = _renew_and_watch(local, moving, screen)
    requests = stand.world.journal.counts(ARM)
    after = {bound.name: bound for bound in _bound(stand)}
    rows = [_row(stand, bound, after[bound.name]) for bound in moving]
    untouched = _untouched(local, before, moving)
    _show_moved(screen, rows)
    _show_rolls(screen, course.rolls)
    _show_untouched(screen, untouched)
    show_pace(screen, course.pace)
    _check(checks, stand, course, before, after, rows)
    return {
        "handshakes": course.canary.handshakes,
        "failed_handshakes": len(course.canary.failures),
        "addresses_before": {bound.name: bound.address for bound in before},
        "addresses_after": {name: bound.address for name, bound in after.items()},
        "bindings": rows,
        "requests": requests,
        **course.pace.to_json(),
        "untouched": untouched,
        "rolls": course.rolls,
    }


def _renew_and_watch(local: LocalApp, moving: list[Bound], screen: Screen) -> Course:
    """Renew the certificates, wait until Certroll recorded the results, and start one more sweep.

    During the renewals, a canary (a visitor that makes TLS handshakes) visits every host name, and an `AppWatch`
    observes the apps.
    """
    stand = local.stand
    apps = apps_before(stand)
    pairs = {(bound.lineage, bound.site.full_name) for bound in moving}
    floor = least(stand.world, pairs, len(moving), len(apps))
    with stand.canary() as canary, AppWatch(stand.world) as watch:
        stand.world.journal.clear()
        began, before_it = time.monotonic(), yardstick()
        seconds = _renew(stand, moving, screen)
        pace = Pace(seconds, (before_it + yardstick()) / 2, effort(local, pairs), floor)
        settled = await_recorded(local, "site", {bound.site.id.lower() for bound in moving}, "Proven")
        screen.say("Every host name serves it; now the apps that present client certificates to partners")
        rolls = await_rolls(local, apps, began)
        writes = len(stand.world.journal.writes(ARM))
        screen.say("Sweeping once more: there should be nothing left to do")
        swept = sweep(local)
    return Course(moving, apps, pace, settled, rolls, writes, swept, canary, watch)


def _check(
    checks: Checks,
    stand: Stand,
    course: Course,
    before: list[Bound],
    after: dict[str, Bound],
    rows: list[dict[str, Any]],
) -> None:
    """Check the demo's statements about the renewals, and print each statement with its result."""
    checks.screen.heading("Checked")
    _check_served(checks, rows, settled=course.settled)
    check_effort(checks, course.pace)
    _check_unharmed(checks, before, after, course.moving, course.canary)
    check_rolls(checks.claim, stand, course.apps, course.rolls, course.watch)
    _check_requests(checks, stand, course)


# ------------------------------------------------------------------------------------------------------- the world


def _bound(stand: Stand) -> list[Bound]:
    """Return every custom host name with its binding and address now."""
    world = stand.world
    with world.lock:
        copies = list(world.web.certificates.values())
        found = []
        for site in world.web.sites.values():
            for host in site.hosts.values():
                if host.name.lower() == site.default_host_name:
                    continue
                copy = next((c for c in copies if c.thumbprint == host.thumbprint and c.source), None)
                source = copy.source if copy else None
                lineage = f"{source.vault_id.rpartition('/')[2]}/{source.secret_name}".lower() if source else ""
                found.append(Bound(site, host, world.web.address_of(host.name) or "", lineage))
    return sorted(found, key=lambda bound: (bound.site.id, bound.name))


def _copies(stand: Stand, lineages: set[str]) -> int:
    """Return the number of certificates that all webspaces imported from these vault certificates, bound or not."""
    with stand.world.lock:
        sources = [copy.source for copy in stand.world.web.certificates.values() if copy.source]
    return sum(f"{source.vault_id.rpartition('/')[2]}/{source.secret_name}".lower() in lineages for source in sources)


def _opted_out(bound: Bound) -> bool:
    return bound.site.tags.get("certroll") == "off"


def _renew(stand: Stand, moving: list[Bound], screen: Screen) -> float:
    """Renew the certificates, and return the seconds until visitors saw every new certificate."""
    expected: dict[str, str] = {}
    began = time.monotonic()
    for vault, name in stand.world.renewing:
        version = stand.world.vaults[vault].renew(name)
        expected[f"{vault}/{name}".lower()] = version.thumbprint
        screen.say(f"Renewed {vault}/{name}: {version.thumbprint[:12]}…")
    waiting = {bound.visited: expected[bound.lineage] for bound in moving}
    with screen.progress() as show:
        while waiting and time.monotonic() - began < HANG:
            waiting = {name: new for name, new in waiting.items() if _serves(stand, name) != new}
            show(
                f"{time.monotonic() - began:5.1f} s  {len(moving) - len(waiting)} of {len(moving)} host names serve it"
            )
            time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time
    return time.monotonic() - began


def _serves(stand: Stand, name: str) -> str:
    try:
        return stand.visitor.handshake(name)
    except HandshakeFailed:
        return ""


def _untouched(local: LocalApp, before: list[Bound], moving: list[Bound]) -> list[dict[str, str]]:
    """Return every host name whose binding Certroll did not change, with the reason that Certroll reported."""
    reasons = {found.subject: found.reason for found in findings(local)}
    moved = {bound.name for bound in moving}
    left = []
    for bound in before:
        if bound.name in moved:
            continue
        subject = f"binding {bound.name} of {bound.site.full_name.lower()}"
        plain = "NothingStale" if bound.host.is_bound else "NotBound"
        left.append({"subject": subject, "reason": reasons.get(subject, plain)})
    return left


def _kept(stand: Stand) -> int:
    """Return the number of uploads that Certroll made of superseded certificates."""
    return sum(copy.name.startswith("certroll-") for copy in stand.world.web.certificates.values())


def _row(stand: Stand, was: Bound, now: Bound) -> dict[str, Any]:
    return {
        "host": was.name,
        "site": was.site.full_name,
        "ssl_state": now.host.ssl_state,
        "old_thumbprint": was.host.thumbprint,
        "new_thumbprint": now.host.thumbprint,
        "served_thumbprint": _serves(stand, was.visited),
    }


# ------------------------------------------------------------------------------------------------------ the checks


def _check_served(checks: Checks, rows: list[dict[str, Any]], *, settled: bool) -> None:
    served = [row for row in rows if row["served_thumbprint"] == row["new_thumbprint"] != row["old_thumbprint"]]
    ip_based = [row for row in served if row["ssl_state"] == "IpBasedEnabled"]
    checks.claim(
        len(served) == len(rows) >= LEAST_MOVED, f"{len(served)} of {len(rows)} host names serve the new version"
    )
    checks.claim(len(ip_based) >= LEAST_IP_BASED, f"{len(ip_based)} of them by an IP-based binding")
    for row in rows:
        if not row["host"].isascii():
            name, ok = dns_name(row["host"]), row in served
            checks.claim(ok, f"{row['host']} is among them, which clients ask for as {name}")
    checks.claim(settled, "Certroll itself saw each of them served and recorded it")


def _check_unharmed(
    checks: Checks, before: list[Bound], after: dict[str, Bound], moving: list[Bound], canary: Canary
) -> None:
    kept = all(after[b.name].address == b.address and after[b.name].host.ssl_state == b.host.ssl_state for b in before)
    still = [b for b in before if b not in moving and after[b.name].host.thumbprint == b.host.thumbprint]
    checks.claim(kept, "no address and no kind of binding changed")
    checks.claim(
        canary.handshakes and not canary.failures,
        f"{canary.handshakes} handshakes by a visitor meanwhile, {len(canary.failures)} failed",
    )
    checks.claim(len(still) == len(before) - len(moving), f"{len(still)} other host names are as they were")


def _check_requests(checks: Checks, stand: Stand, course: Course) -> None:
    renewing = {f"{vault}/{name}" for vault, name in stand.world.renewing}
    once = _copies(stand, renewing) + len(course.moving) + _kept(stand) + len(course.apps)
    most = once + sum(app.refused for app in course.apps)
    each = "one per stale copy, binding and app, one per copy kept, one to take a roll back"
    checks.claim(course.writes <= most, f"{course.writes} writes to ARM (at most {most}: {each})")
    later = len(stand.world.journal.writes(ARM)) - course.writes
    checks.claim(course.swept and later == 0, f"{later} writes by the sweep that followed")


# ------------------------------------------------------------------------------------------------------ the screen


def _show_fleet(screen: Screen, before: list[Bound], renewing: set[str]) -> None:
    screen.heading(f"The fleet: {len(before)} custom host names; Azure moves none of their bindings by itself")
    rows = [
        (b.name, b.site.full_name, b.host.ssl_state or "not bound", b.address, b.lineage, _note(b, renewing))
        for b in before
    ]
    columns = ("host name", Column("site", 1), Column("binding", 2), Column("address", 3), "vault certificate", "note")
    screen.table(columns, rows)
    screen.line()


def _show_rolls(screen: Screen, rolls: list[dict[str, Any]]) -> None:
    screen.heading("Rolled through app settings")
    cells = [
        (row["site"], row["lineage"], row["from"][:12], row["to"][:12], row["outcome"], f"{row['seconds']:.0f} s")
        for row in rolls
    ]
    screen.table(("app", "vault certificate", Column("from", 3), Column("to", 2), "outcome", Column("after", 1)), cells)


def _note(bound: Bound, renewing: set[str]) -> str:
    notes = ["opted out"] if _opted_out(bound) else []
    notes += ["renews now"] if bound.lineage in renewing else []
    return ", ".join(notes)


def _show_moved(screen: Screen, rows: list[dict[str, Any]]) -> None:
    screen.heading("Moved")
    cells = [
        (row["host"], row["site"], row["ssl_state"], str(row["old_thumbprint"])[:12], row["served_thumbprint"][:12])
        for row in rows
    ]
    screen.table(("host name", Column("site", 1), Column("binding", 2), "was", "is served"), cells)


def _show_untouched(screen: Screen, untouched: list[dict[str, str]]) -> None:
    screen.heading("Left alone")
    screen.table(("what", "why"), [(row["subject"], row["reason"]) for row in untouched])
