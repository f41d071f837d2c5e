"""What it took from the events to the last binding: requests, messages and waits, held to the least that is possible.

Seconds depend on the machine; these counts do not. They are taken from outside where they can be: from the journal of
the simulated Azure, from the request log of Azurite, and from the log of the Functions host.
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
from local.demo_records import logged, sleeps
from local.demo_screen import Checks

ARM = "management.azure.com"
MOST_REQUESTS = 4
"""How many times the least requests may be made: the fleet is looked at again for each stage and to see it done, and
apps are rolled meanwhile; on a slow machine all of that falls before the last binding."""
MOST_MESSAGES = 2
"""How many times the least messages may be sent to be worked on at once."""
PAUSES = 2
"""How often Certroll rests while it asks an app three times in a row."""
LISTS = 3
"""What a look at the fleet lists of each subscription: copies, sites, plans."""
ARM_LATENCY = 0.0
"""Seconds by which the simulated ARM delays its answers; live it is tenths of a second."""
NEVER = datetime.max.replace(tzinfo=UTC)
BUSY = "Busy"
SENT = re.compile(r'\[(.+?)\] "POST /\w+/(\w+)/messages\?visibilitytimeout=(\d+) HTTP/[\d.]+" 201')


class Sent(NamedTuple):
    """A message as storage took it: when, to the second; on which queue; and for how many seconds nobody saw it."""

    at: datetime
    queue: str
    delay: int


@dataclass(frozen=True, slots=True)
class Least:
    """The least that has to be done: see `least`."""

    requests: int
    messages: int
    sites: int
    apps: int


@dataclass(frozen=True, slots=True)
class Effort:
    """What was done, from the events to the last binding; what came `before` came before the first write to ARM."""

    requests: int
    vault_requests: int
    messages: int
    sites_sent: int
    put_off: int
    sleeps: int
    delayed_before: int
    sleeps_before: int


@dataclass(frozen=True, slots=True)
class Pace:
    """The seconds from the events to served, the yardstick of the machine at that time, and what was done meanwhile."""

    seconds: float
    yardstick: float
    done: Effort
    least: Least

    def to_json(self) -> dict[str, Any]:
        """Return it as keys of the report."""
        return {
            "event_to_served_seconds": round(self.seconds, 2),
            "arm_latency_seconds": ARM_LATENCY,
            "yardstick_seconds": round(self.yardstick, 4),
            "effort": asdict(self.done),
            "least": asdict(self.least),
        }


def least(world: World, pairs: set[tuple[str, str]], bindings: int, apps: int) -> Least:
    """Return the least for these renewals, where `pairs` are the lineages and sites whose bindings move.

    Requests: each lineage looks at the fleet once, and each copy and binding is read and written once. Messages: the
    event of each lineage puts one on the queue, and each site gets one.
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
    """Return the requests of a look at the fleet: the lists, the slots of each site near, the settings of all near."""
    near: list[Site] = [site for site in world.web.sites.values() if site.webspace in webspaces]
    return LISTS * len(world.subscriptions) + len(near) + sum(site.slot is None for site in near)


def effort(local: LocalApp, pairs: set[tuple[str, str]]) -> Effort:
    """Return what was done up to the last binding, or up to now where none has moved."""
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
    """Return True if a run put off the bindings of a site. Another run at the same site at that time is no delay."""
    ours = (line["certificate"], line["site"]) in pairs
    return ours and line["outcome"] == "Waiting" and line["reason"] != BUSY


def _is_before(second: datetime, moment: datetime) -> bool:
    """Return True if all of that second was over by then."""
    return second <= moment - timedelta(seconds=1)


def _sent(local: LocalApp) -> Iterable[Sent]:
    """Return all messages that storage took."""
    text = local.azurite.log.read_text(encoding="utf-8")
    for at, queue, delay in SENT.findall(text):
        yield Sent(datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z"), queue, int(delay))


def show_pace(pace: Pace) -> None:
    """Print the seconds beside what they depend on."""
    done = pace.done
    print(
        f"\nFrom the events to served, all of them: {pace.seconds:.1f} s"
        f"\n  with {done.requests} requests to ARM, which answers without delay here (latency {ARM_LATENCY:.0f} s),"
        f" and {done.vault_requests} to Key Vault"
        f"\n  on a machine that takes {pace.yardstick * 1000:.0f} ms of processor time for the yardstick"
    )


def check_effort(checks: Checks, pace: Pace) -> None:
    """Claim that no more was done than has to be, and that nothing waited; a slow machine changes none of it."""
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
