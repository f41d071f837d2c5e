"""These tests cover the demo's statements about Certroll's work from the first event to the last binding."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from local.app import LocalApp
from local.azure.scripting.journal import Entry
from local.demo.effort import Effort, Least, Pace, check_effort, effort, least
from local.demo.screen import Checks
from local.worlds.contoso import contoso

FLOOR = Least(requests=100, messages=10, sites=8, apps=2)
GOOD = Effort(
    requests=400,
    vault_requests=50,
    messages=20,
    sites_sent=8,
    put_off=0,
    sleeps=4,
    delayed_before=0,
    sleeps_before=0,
)
START = datetime(2026, 11, 30, 12, tzinfo=UTC)


def failed(done: Effort, seconds: float = 1.0, yardstick: float = 0.1) -> list[str]:
    """Return the claims that fail."""
    checks = Checks()
    check_effort(checks, Pace(seconds, yardstick, done, FLOOR))
    return checks.failed


def test_a_slow_machine_fails_no_claim() -> None:
    """The demo's statements about work stay true on a machine that is a hundred times slower."""
    assert failed(GOOD) == failed(GOOD, seconds=400.0, yardstick=10.0) == []


@pytest.mark.parametrize(
    ("done", "claim"),
    [
        (replace(GOOD, requests=401), "401 requests to ARM"),
        (replace(GOOD, messages=21), "21 messages"),
        (replace(GOOD, put_off=1), "21 messages"),
        (replace(GOOD, sites_sent=7), "7 of them sent a site to work at once"),
        (replace(GOOD, delayed_before=1), "1 messages with a delay, 0 sleeps"),
        (replace(GOOD, sleeps_before=1), "0 messages with a delay, 1 sleeps"),
        (replace(GOOD, sleeps=5), "5 sleeps before the last binding"),
    ],
)
def test_what_was_done_in_vain_fails_its_claim(done: Effort, claim: str) -> None:
    """One excess request, message, delay or sleep makes exactly one statement of the demo false."""
    (only,) = failed(done)
    assert claim in only


def test_the_least_of_contoso() -> None:
    """`least` computes the minimum number of messages and requests for the renewals of the fleet Contoso."""
    floor = least(contoso(), {("kv/a", "one"), ("kv/a", "two")}, bindings=1, apps=3)
    assert (floor.messages, floor.sites, floor.apps) == (8, 2, 3)
    assert floor.requests == 148 + 2 * (9 + 1)


def entry(after: float, method: str, path: str, host: str = "management.azure.com") -> Entry:
    """Return a journal entry for a request at the given number of seconds after the start."""
    return Entry(1, START + timedelta(seconds=after), method, host, path)


def logs(folder: Path, storage: list[str], host: list[str], entries: list[Entry]) -> LocalApp:
    """Return a stub of the local app with a request journal and the logs of Azurite and the Functions host."""
    (folder / "azurite.log").write_text("\n".join(storage))
    (folder / "host.log").write_text("\n".join(host))
    world = SimpleNamespace(journal=SimpleNamespace(entries=lambda: tuple(entries)))
    found = SimpleNamespace(
        stand=SimpleNamespace(world=world),
        azurite=SimpleNamespace(log=folder / "azurite.log"),
        host=SimpleNamespace(log=folder / "host.log"),
    )
    return cast("LocalApp", found)


def sent(second: int, queue: str, delay: int, status: int = 201) -> str:
    """Return the line that Azurite logs for a new queue message."""
    path = f"/{queue}/messages?visibilitytimeout={delay}"
    return f'127.0.0.1 - - [30/Nov/2026:12:00:{second:02} +0000] "POST {path} HTTP/1.1" {status} -'


def test_effort_is_counted_up_to_the_last_binding(tmp_path: Path) -> None:
    """`effort` counts Certroll's requests, messages and sleeps up to the last write of a binding.

    `effort` counts Certroll's delays and sleeps before the first write to ARM separately.
    """
    storage = [
        sent(0, "certificates", 0, 404),
        sent(0, "certificates", 0),
        sent(1, "certificates", 60),
        sent(5, "sites", 0),
        sent(5, "certificates", 1),
        sent(50, "sites", 0),
        sent(0, "events", 0).replace("visibilitytimeout=0", "messagettl=604800"),
    ]
    reconciled = '2026-11-30T12:00:07.000Z INFO certroll: {"event": "site.reconciled", "certificate": "kv/a",'
    host = [
        "2026-11-30T12:00:02.500Z INFO host.sleeps: Sleeping for 1.000 s",
        "2026-11-30T12:00:06.000Z INFO host.sleeps: Sleeping for 1.000 s",
        "2026-11-30T12:00:59.000Z INFO host.sleeps: Sleeping for 1.000 s",
        f'{reconciled} "site": "one", "outcome": "Waiting", "reason": "Settling"}}',
        f'{reconciled} "site": "one", "outcome": "Waiting", "reason": "Busy"}}',
        f'{reconciled} "site": "other", "outcome": "Waiting", "reason": "Settling"}}',
    ]
    entries = [
        entry(1, "GET", "/subscriptions"),
        entry(1, "GET", "/certificates/a", "kv.vault.azure.net"),
        entry(5, "PUT", "/x/certificates/a"),
        entry(8, "PUT", "/x/sites/one/hostNameBindings/a.example"),
        entry(20, "GET", "/subscriptions"),
    ]
    assert effort(logs(tmp_path, storage, host, entries), {("kv/a", "one")}) == Effort(
        requests=3,
        vault_requests=1,
        messages=2,
        sites_sent=1,
        put_off=1,
        sleeps=2,
        delayed_before=1,
        sleeps_before=1,
    )


def test_nothing_moved_is_counted_too(tmp_path: Path) -> None:
    """`effort` counts all of Certroll's requests and messages if no binding was written."""
    done = effort(logs(tmp_path, [sent(1, "sites", 0)], [], [entry(1, "GET", "/subscriptions")]), set())
    assert (done.requests, done.messages) == (1, 1)
