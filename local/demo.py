"""The main job, shown and checked: certificates renew in the vault, and every host name serves the new one.

What it prints it has checked, from outside: by TLS handshakes of a visitor, and in the journal of the simulated Azure.
This Azure does not move bindings by itself when a copy is synced, so each of them is Certroll's own write.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.data.tables import TableServiceClient

from local.app import BUILD, LocalApp
from local.azure.app_watch import AppWatch
from local.azure.arm.resources import Host, Site
from local.demo_rolls import SETTLE, apps_before, await_rolls, check_rolls
from local.frontend.visitor import Canary, HandshakeFailed
from local.stand import Stand

REPORT = BUILD / "demo.json"
PATIENCE = 60.0
LOOK_EVERY = 0.1
BAR = 10.0
"""Seconds from event to served that the whole world may take."""
ARM = "management.azure.com"
LEAST_MOVED, LEAST_IP_BASED = 12, 3


@dataclass(frozen=True, slots=True)
class Bound:
    """One host name as it was before the renewal."""

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
        """The name a visitor asks for: any one label for a wildcard."""
        return f"any{self.name[1:]}" if self.name.startswith("*") else self.name


@dataclass(slots=True)
class Checks:
    """What was claimed, and whether it held."""

    failed: list[str] = field(default_factory=list)

    def claim(self, holds: object, text: str) -> None:
        """Print a claim with the result of its check."""
        print(f"  {'ok    ' if holds else 'FAILED'}  {text}")
        if not holds:
            self.failed.append(text)


def main() -> int:
    """The demo has run; 0 only if everything it claims was checked."""
    began = time.monotonic()
    _say("Starting a local Azure, Azurite and the function app")
    with LocalApp(
        "contoso", {"CERTROLL_PROBE_SETTLE": SETTLE, "CERTROLL_MAX_RESTARTS": "2"}, logs=BUILD / "demo"
    ) as local:
        _say(f"Ready after {time.monotonic() - began:.1f} s")
        report, checks = _renew_and_watch(local)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _say(f"Written: {REPORT.relative_to(Path.cwd()) if REPORT.is_relative_to(Path.cwd()) else REPORT}")
    if checks.failed:
        print(f"\nFAILED: {len(checks.failed)} of the claims above did not hold", file=sys.stderr)
    return 1 if checks.failed else 0


def _renew_and_watch(local: LocalApp) -> tuple[dict[str, Any], Checks]:
    stand = local.stand
    stand.world.knobs.turn(sync_moves_bindings=False)
    before = _bound(stand)
    renewing = {f"{vault}/{name}" for vault, name in stand.world.renewing}
    _show_fleet(before, renewing)
    moving = [bound for bound in before if bound.host.is_bound and bound.lineage in renewing and not _opted_out(bound)]
    apps = apps_before(stand)
    with stand.canary() as canary, AppWatch(stand.world) as watch:
        stand.world.journal.clear()
        began = time.monotonic()
        old = {bound.name: bound.host.thumbprint for bound in before}
        seconds = _renew(stand, moving)
        settled = _await_settled(local, moving)
        _say("Every host name serves it; now the apps that present client certificates to partners")
        rolls = await_rolls(local, apps, began)
        writes = len(stand.world.journal.writes(ARM))
        _say("Sweeping once more: there should be nothing left to do")
        swept = _sweep(local)
    requests = stand.world.journal.counts(ARM)
    after = {bound.name: bound for bound in _bound(stand)}
    rows = [_row(stand, bound, after[bound.name], old) for bound in moving]
    _show_moved(rows)
    _show_rolls(rolls)
    checks = Checks()
    untouched = _untouched(local, before, moving)
    _show_untouched(untouched)
    print("\nChecked:")
    _check_served(checks, rows, seconds, settled=settled)
    _check_unharmed(checks, before, after, moving, canary)
    check_rolls(checks.claim, stand, apps, rolls, watch)
    most = _copies(stand, renewing) + len(moving) + _kept(stand) + len(apps) + sum(app.refused for app in apps)
    _check_requests(checks, stand, writes, most, swept=swept)
    return {
        "handshakes": canary.handshakes,
        "failed_handshakes": len(canary.failures),
        "addresses_before": {bound.name: bound.address for bound in before},
        "addresses_after": {name: bound.address for name, bound in after.items()},
        "bindings": rows,
        "requests": requests,
        "event_to_served_seconds": round(seconds, 2),
        "untouched": untouched,
        "rolls": rolls,
    }, checks


# ------------------------------------------------------------------------------------------------------- the world


def _bound(stand: Stand) -> list[Bound]:
    """Return every custom host name as it is now."""
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
    """Return how many imported copies there are of these lineages, in whatever webspace, bound or not."""
    with stand.world.lock:
        sources = [copy.source for copy in stand.world.web.certificates.values() if copy.source]
    return sum(f"{one.vault_id.rpartition('/')[2]}/{one.secret_name}".lower() in lineages for one in sources)


def _opted_out(bound: Bound) -> bool:
    return bound.site.tags.get("certroll") == "off"


def _renew(stand: Stand, moving: list[Bound]) -> float:
    """Renew, and return the seconds until every host name was seen to serve its new certificate."""
    expected: dict[str, str] = {}
    began = time.monotonic()
    for vault, name in stand.world.renewing:
        version = stand.world.vaults[vault].renew(name)
        expected[f"{vault}/{name}".lower()] = version.thumbprint
        _say(f"Renewed {vault}/{name}: {version.thumbprint[:12]}…")
    waiting = {bound.visited: expected[bound.lineage] for bound in moving}
    with _progress() as show:
        while waiting and time.monotonic() - began < PATIENCE:
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


def _await_settled(local: LocalApp, moving: list[Bound]) -> bool:
    """Return whether Certroll's own journal says of every site that it was proven."""
    sites = {bound.site.id.lower() for bound in moving}
    give_up = time.monotonic() + PATIENCE
    with TableServiceClient.from_connection_string(local.azurite.connection_string) as service:
        while time.monotonic() < give_up:
            rows = service.get_table_client("certrolljournal").list_entities()
            proven = {row["site"].lower() for row in rows if row.get("state") == "Proven"}
            if sites <= proven:
                return True
            time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time
    return False


def _sweep(local: LocalApp) -> bool:
    """Return whether a sweep, started now, succeeded."""
    if local.host is None:
        raise RuntimeError("the demo hosts the function app itself")
    before = _sweeps(local.host.url)
    _ask(f"{local.host.url}/admin/functions/sweep_timer", b'{"input": ""}')
    give_up = time.monotonic() + PATIENCE
    while (after := _sweeps(local.host.url)) == before and time.monotonic() < give_up:
        time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time
    return after.get(True, 0) > before.get(True, 0)


def _sweeps(url: str) -> dict[bool, int]:
    """Return how many runs of the sweep have ended so far, by whether they succeeded."""
    ended = json.loads(_ask(f"{url}/admin/host/status"))["ended"]
    return {row["succeeded"]: row["count"] for row in ended if row["function"] == "sweep_timer"}


def _ask(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - the local host
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return bytes(answer.read())


def _untouched(local: LocalApp, before: list[Bound], moving: list[Bound]) -> list[dict[str, str]]:
    """Return every host name that was left alone, with Certroll's own reason where it gave one."""
    with TableServiceClient.from_connection_string(local.azurite.connection_string) as service:
        findings = service.get_table_client("certrollfindings").list_entities()
        reasons = {str(row.get("subject")): str(row["reason"]) for row in findings if "reason" in row}
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
    """Return how many copies of superseded versions were made."""
    return sum(copy.name.startswith("certroll-") for copy in stand.world.web.certificates.values())


def _row(stand: Stand, was: Bound, now: Bound, old: dict[str, str | None]) -> dict[str, Any]:
    return {
        "host": was.name,
        "site": was.site.full_name,
        "ssl_state": now.host.ssl_state,
        "old_thumbprint": old[was.name],
        "new_thumbprint": now.host.thumbprint,
        "served_thumbprint": _serves(stand, was.visited),
    }


# ------------------------------------------------------------------------------------------------------ the checks


def _check_served(checks: Checks, rows: list[dict[str, Any]], seconds: float, *, settled: bool) -> None:
    served = [row for row in rows if row["served_thumbprint"] == row["new_thumbprint"] != row["old_thumbprint"]]
    ip_based = [row for row in served if row["ssl_state"] == "IpBasedEnabled"]
    checks.claim(
        len(served) == len(rows) >= LEAST_MOVED, f"{len(served)} of {len(rows)} host names serve the new version"
    )
    checks.claim(len(ip_based) >= LEAST_IP_BASED, f"{len(ip_based)} of them by an IP-based binding")
    checks.claim(seconds < BAR, f"from event to served, all of them: {seconds:.1f} s (bar: {BAR:.0f} s)")
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


def _check_requests(checks: Checks, stand: Stand, writes: int, most: int, *, swept: bool) -> None:
    later = len(stand.world.journal.writes(ARM)) - writes
    each = "one per stale copy, binding and app, one per copy kept, one to take a roll back"
    checks.claim(writes <= most, f"{writes} writes to ARM (at most {most}: {each})")
    checks.claim(swept and later == 0, f"{later} writes by the sweep that followed")


# ------------------------------------------------------------------------------------------------------ the screen


def _say(text: str) -> None:
    print(f"- {text}", flush=True)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _show_fleet(before: list[Bound], renewing: set[str]) -> None:
    print(f"\nThe fleet: {len(before)} custom host names; Azure moves none of their bindings by itself")
    rows = [
        (b.name, b.site.full_name, b.host.ssl_state or "not bound", b.address, b.lineage, _note(b, renewing))
        for b in before
    ]
    _table(("host name", "site", "binding", "address", "vault certificate", ""), rows)
    print()


def _show_rolls(rolls: list[dict[str, Any]]) -> None:
    print("\nRolled through app settings:")
    cells = [
        (row["site"], row["lineage"], row["from"][:12], row["to"][:12], row["outcome"], f"{row['seconds']:.0f} s")
        for row in rolls
    ]
    _table(("app", "vault certificate", "from", "to", "outcome", "after"), cells)


def _note(bound: Bound, renewing: set[str]) -> str:
    notes = ["opted out"] if _opted_out(bound) else []
    notes += ["renews now"] if bound.lineage in renewing else []
    return ", ".join(notes)


def _show_moved(rows: list[dict[str, Any]]) -> None:
    print("\nMoved:")
    cells = [
        (row["host"], row["site"], row["ssl_state"], str(row["old_thumbprint"])[:12], row["served_thumbprint"][:12])
        for row in rows
    ]
    _table(("host name", "site", "binding", "was", "is served"), cells)


def _show_untouched(untouched: list[dict[str, str]]) -> None:
    print("\nLeft alone:")
    _table(("what", "why"), [(row["subject"], row["reason"]) for row in untouched])


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Rewrite one line on a terminal; elsewhere print it when it changed in more than the time."""
    terminal, last = sys.stdout.isatty(), ""

    def show(text: str) -> None:
        nonlocal last
        if terminal:
            print(f"\r  {text}", end="", flush=True)
        elif text[8:] != last:
            print(f"  {text}", flush=True)
            last = text[8:]

    yield show
    if terminal:
        print()
