"""Count Certroll's requests, messages and sleeps, and compare the counts with the least possible counts.

The demo counts Certroll's requests and messages from the renewal events to the last write of a binding. The demo checks
these counts of requests and messages, and no seconds, because seconds depend on the machine. The demo takes the counts
from the journal of the simulated Azure, the request log of Azurite, and the log of the Functions host.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from local.app import LocalApp
from local.azure.scripting.journal import Entry
from local.azure.web.resources import Site
from local.azure.world import World
from local.demo.records import logged, sleeps
from local.demo.screen import Checks
from local.screen import Screen

ARM = "management.azure.com"
MOST_REQUESTS = 4
"""The bound on requests of Certroll, as a multiple of the least possible number.

Certroll reads the fleet again for each stage and at the end, and updates app settings meanwhile. On a slow machine, all
requests for this work come before the last write of a binding."""
MOST_MESSAGES = 2
"""The bound on messages without a delay, as a multiple of the least possible number."""
PAUSES = 2
"""How often Certroll sleeps while it asks an app three times in a row."""
LISTS = 3
"""How many lists Certroll reads of each subscription: copies, sites, plans."""
ARM_LATENCY = 0.0
"""Seconds by which the simulated ARM delays its answers. Azure takes tenths of a second."""
NEVER = datetime.max.replace(tzinfo=UTC)
BUSY = "Busy"
# Certroll sends each message with its delay. Event Grid's messages have a time to live, and do not count.
SENT = re.compile(r'\[(.+?)\] "POST /(\w+)/messages\?visibilitytimeout=(\d+) HTTP/[\d.]+" 201')


class Sent(NamedTuple):
    """A queue message that the storage account's log shows."""

    at: datetime
    """When storage accepted the message, to the second."""
    queue: str
    delay: int
    """How many seconds the message stayed invisible."""


@dataclass(frozen=True, slots=True)
class Least:
    """The least work that the renewals of the demo can take, computed by `least`."""

    requests: int
    messages: int
    sites: int
    apps: int


@dataclass(frozen=True, slots=True)
class Effort:
    """Certroll's work from the renewal events to the last write of a binding."""

    requests: int
    """Requests to ARM."""
    vault_requests: int
    messages: int
    """Messages without a delay."""
    sites_sent: int
    """Messages without a delay on the queue `sites`."""
    put_off: int
    """Runs that put off the bindings of a site."""
    sleeps: int
    delayed_before: int
    """Messages with a delay before the first write to ARM."""
    sleeps_before: int
    """Sleeps before the first write to ARM."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The time and the work from the renewal events until visitors received every new certificate."""

    seconds: float
    yardstick: float
    """The speed of the machine at that time: see local/yardstick.py."""
    done: Effort
    least: Least

    def to_json(self) -> dict[str, Any]:
        """Return the seconds, requests and messages of the renewals for the report of the demo."""
        return {
            "event_to_served_seconds": round(self.seconds, 2),
            "arm_latency_seconds": ARM_LATENCY,
            "yardstick_seconds": round(self.yardstick, 4),
            "effort": asdict(self.done),
            "least": asdict(self.least),
        }


def least(world: World, pairs: set[tuple[str, str]], bindings: int, apps: int) -> Least:
    """Return the least requests and messages that the demo's renewals can take.

    Each of `pairs` is a vault certificate with a site whose binding has to use the new version.

    For the least number of requests, Certroll reads the fleet once for each vault certificate. For the least number of
    requests, Certroll also reads and writes each imported certificate and binding once. For the least number of
    messages, each vault certificate's event makes one message, and each site needs one message.
    """
    lineages = {f"{vault}/{name}" for vault, name in world.renewing}
    with world.lock:
        copies = [copy for copy in world.web.certificates.values() if _lineage(copy.source) in lineages]
        looks = sum(
            _look(world, {copy.webspace for copy in copies if _lineage(copy.source) == lineage}) for lineage in lineages
        )
    requests = looks + 2 * (len(copies) + bindings)
    return Least(requests, len(lineages) + len(pairs), len(pairs), apps)


def _lineage(source: Any) -> str:  # noqa: ANN401 - a copy's source, or None
    return f"{source.vault_id.rpartition('/')[2]}/{source.secret_name}".lower() if source else ""


def _look(world: World, webspaces: set[object]) -> int:
    """Return the least number of requests that read all sites and certificates of the simulated fleet.

    To read the fleet, Certroll requests three lists of each subscription. For each site in `webspaces`, Certroll also
    requests the slots and the app settings.
    """
    near: list[Site] = [site for site in world.web.sites.values() if site.webspace in webspaces]
    return LISTS * len(world.subscriptions) + len(near) + sum(site.slot is None for site in near)


def effort(local: LocalApp, pairs: set[tuple[str, str]]) -> Effort:
    """Return Certroll's requests and messages up to the last write of a binding, or up to now without a write."""
    entries = local.stand.world.journal.entries()
    writes = [entry for entry in entries if entry.host == ARM and entry.is_write]
    first = min((entry.at for entry in writes), default=NEVER)
    last = max((entry.at for entry in writes if "/hostNameBindings/" in entry.path), default=NEVER)
    sent = [message for message in _sent(local) if message.at <= last]
    at_once = [message for message in sent if message.delay == 0]
    rests = sleeps(local)
    return Effort(
        requests=_count(entries, last, ARM),
        vault_requests=_count(entries, last, "vault.azure.net"),
        messages=len(at_once),
        sites_sent=sum(message.queue == "sites" for message in at_once),
        put_off=sum(_is_put_off(line, pairs) for line in logged(local, "site.reconciled")),
        sleeps=sum(at <= last for at in rests),
        delayed_before=sum(message.delay > 0 and _is_before(message.at, first) for message in sent),
        sleeps_before=sum(at <= first for at in rests),
    )


def _count(entries: Iterable[Entry], last: datetime, host: str) -> int:
    return sum(entry.host.endswith(host) and entry.at <= last for entry in entries)


def _is_put_off(line: dict[str, Any], pairs: set[tuple[str, str]]) -> bool:
    """Return True if a run of Certroll postponed the bindings of a site.

    A run that ends with the reason `Busy` does not count, because another run was working on the same site.
    """
    ours = (line["certificate"], line["site"]) in pairs
    return ours and line["outcome"] == "Waiting" and line["reason"] != BUSY


def _is_before(second: datetime, moment: datetime) -> bool:
    """Return True if the second that begins at `second` was over at `moment`."""
    return second <= moment - timedelta(seconds=1)


def _sent(local: LocalApp) -> Iterable[Sent]:
    """Yield all messages that the storage account accepted."""
    text = local.azurite.log.read_text(encoding="utf-8")
    for at, queue, delay in SENT.findall(text):
        yield Sent(datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z"), queue, int(delay))


def show_pace(screen: Screen, pace: Pace) -> None:
    """Print the seconds of the renewals, the number of requests, and the yardstick (the machine's speed)."""
    done = pace.done
    screen.heading(f"From the events to served, all of them: {pace.seconds:.1f} s")
    screen.line(
        f"with {done.requests} requests to ARM, which answers without delay here (latency {ARM_LATENCY:.0f} s),"
        f" and {done.vault_requests} to Key Vault, on a machine that takes {pace.yardstick * 1000:.0f} ms of processor"
        " time for the yardstick"
    )


def check_effort(checks: Checks, pace: Pace) -> None:
    """Check that Certroll needed few requests and messages, and did not wait before its first write.

    The bounds on requests and messages are the same on a slow machine.
    """
    done, floor = pace.done, pace.least
    most = MOST_REQUESTS * floor.requests
    checks.claim(
        done.requests <= most,
        f"{done.requests} requests to ARM from the events to the last binding (at most {most}: {MOST_REQUESTS} times"
        f" the {floor.requests} of one look for each certificate, and a read and a write of each copy and binding)",
    )
    messages, most = done.messages + done.put_off, MOST_MESSAGES * floor.messages
    checks.claim(
        messages <= most,
        f"{messages} messages were needed for it (at most {most}: {MOST_MESSAGES} times the {floor.messages} of one for"
        " each certificate, and for each site)",
    )
    checks.claim(
        done.sites_sent >= floor.sites,
        f"{done.sites_sent} of them sent a site to work at once, without a delay (at least {floor.sites})",
    )
    checks.claim(
        done.delayed_before == done.sleeps_before == 0,
        f"nothing waited before the first write: {done.delayed_before} messages with a delay,"
        f" {done.sleeps_before} sleeps",
    )
    most = PAUSES * floor.apps
    checks.claim(
        done.sleeps <= most,
        f"{done.sleeps} sleeps before the last binding (at most {most}: two for each app that is asked three times)",
    )
