"""Run one Certroll installation on a simulated Azure: real SDK clients, the simulation's clock, no sleeping.

The queue is a model, even where storage is Azurite: a message that is invisible for a minute must become visible when
the simulation's clock says so. The queue model counts deliveries and moves failing messages to the poison queue as the
Functions host does.
"""

import heapq
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from local.azure.scripting.clock import Clock
from local.azure.world import World
from shared.clients.network.app_probe import THREAD as PROBING
from shared.clients.retrying import Retrying
from shared.clients.storage.leases import THREAD as RENEWING
from shared.clients.storage.tables import JOURNAL
from shared.controllers.compliance.controller import begin_compliance
from shared.controllers.environment.pending_starts import complete_pending_starts
from shared.controllers.intake.events import on_vault_event
from shared.controllers.intake.operators import confirm_stop_start, release, request_stop_start
from shared.controllers.intake.queues import on_certificate, on_environment, on_events, on_poison, on_site, on_sweep
from shared.controllers.sweep.certificates import judge_certificates
from shared.controllers.sweep.controller import begin_sweep
from shared.domain.intent import Intent, Mode
from shared.domain.messages import (
    CERTIFICATES,
    ENVIRONMENTS,
    EVENTS,
    SITES,
    SWEEPS,
    Cause,
    CertificateMessage,
    EnvironmentMessage,
    SiteMessage,
    SweepMessage,
)
from shared.domain.names import VaultCertificateRef, VaultName
from shared.domain.outcome import Outcome
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.ports import Ports
from tests.memory_storage import MemoryLease, MemoryLeases, MemoryTables
from tests.scenarios.storage import Storage

MOST_DEQUEUES = 5
REDELIVERY = timedelta(minutes=2)
"""The `visibilityTimeout` of host.json, after which a message comes back whose run failed."""
ABANDONED = timedelta(minutes=10)
"""When a message comes back at the latest whose process was stopped or died. Nothing releases the message before, also
not after a graceful stop (measured on Azure Functions host 4.1037)."""
MINUTE = timedelta(minutes=1)
WRITING = frozenset({"PUT", "POST", "PATCH", "DELETE", "MERGE"})
NO_WRITES = ("comp=lease", "/msi/", "/config/appsettings/list")
UNDECIDING = ("certroll-leases", "/Tables", "/certrollhistory(", "/certrollfindings(")
"""Parts of the URLs of leases, table creation, history and findings, by which no later run decides."""


IN_MEMORY: Mapping[str, Callable[..., bool]] = {
    "all": lambda *_: False,
    "row": lambda *_: False,
    "put": lambda *_: True,
    "put_batch": lambda *_: True,
    "write_batch": lambda table, _: table == JOURNAL,
    "delete": lambda table, *_: table == JOURNAL,
    "delete_revision": lambda *_: True,
}
"""The methods of the simulated tables that stand for one request each, and whether a later run decides by it."""


class Crash(BaseException):
    """The simulated death of the process; not an `Exception`, so that no code of Certroll catches it."""


@dataclass(order=True)
class Message:
    """A message on a queue of the installation."""

    visible_at: datetime
    number: int
    queue: str = field(compare=False)
    body: str = field(compare=False)
    tries: int = field(default=0, compare=False)


class WorldQueue:
    """The work queues of Certroll on the simulation's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[Message] = []
        self._lock = threading.Lock()
        self._sent = 0
        self.dead_letter: list[Message] = []

    def send_certificate(self, message: CertificateMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on the queue `certificates`."""
        self.put(CERTIFICATES, message.body(), delay)

    def send_site(self, message: SiteMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on the queue `sites`."""
        self.put(SITES, message.body(), delay)

    def send_environment(self, message: EnvironmentMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on the queue `environments`."""
        self.put(ENVIRONMENTS, message.body(), delay)

    def send_sweep(self, message: SweepMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on the queue `sweeps`."""
        self.put(SWEEPS, message.body(), delay)

    def put_back(self, queue: str, body: str) -> None:
        """Put the unchanged body of a message on the queue."""
        self.put(queue, body, timedelta(0))

    def create_missing(self) -> None:
        """Create no queue, because the model of the queues has all of them."""

    def put(self, queue: str, body: str, delay: timedelta = timedelta(0)) -> None:
        """Put a body on a queue; the message becomes visible after the delay."""
        with self._lock:
            self._sent += 1
            heapq.heappush(self._heap, Message(self._clock.now() + delay, self._sent, queue, body))

    def take(self, until: datetime, of: str = "") -> Message | None:
        """Return the next message, or None if no message is visible before `until`. `of` names the only queue to read.

        The method `take` moves the simulated clock to the moment at which the returned message becomes visible.
        """
        with self._lock:
            message = min((message for message in self._heap if of in {"", message.queue}), default=None)
            if message is None or message.visible_at > until:
                return None
            self._heap.remove(message)
            heapq.heapify(self._heap)
            if message.visible_at > self._clock.now():
                self._clock.set(message.visible_at)
            message.tries += 1
            return message

    def return_(self, message: Message) -> None:
        """Make a failed message visible again after a delay, or move the message to the poison queue."""
        with self._lock:
            if message.tries >= MOST_DEQUEUES:
                self.dead_letter.append(message)
                return
            message.visible_at = self._clock.now() + REDELIVERY
            heapq.heappush(self._heap, message)

    def abandon(self, message: Message) -> None:
        """Make the message of a process that ended visible again when the time of its reader is over."""
        with self._lock:
            message.visible_at = self._clock.now() + ABANDONED
            heapq.heappush(self._heap, message)

    def waiting(self) -> tuple[Message, ...]:
        """Return the messages on all queues, whether visible or not."""
        return tuple(self._heap)

    def __len__(self) -> int:
        return len(self._heap)


class Installation:
    """Certroll on a simulated Azure, with the production code from the SDK clients up."""

    def __init__(self, world: World, storage: Storage, ports: Ports, pool: Pool, **intent: object) -> None:
        self.world = world
        self.clock = world.clock
        self.queue = WorldQueue(world.clock)
        self.storage = storage
        self.pool = pool
        vaults = frozenset(VaultName(name) for name in world.vaults)
        self.intent = replace(Intent(vaults=vaults, mode=Mode.APPLY), **intent)  # type: ignore[arg-type]
        self.ports = replace(storage.under(ports), queue=self.queue)
        self.errors: list[Exception] = []
        self._paid_at = world.clock.now()

    def another_instance(self, ports: Ports) -> "Installation":
        """Return a second instance on the same queues and storage, with SDK connections of its own."""
        other = copy(self)
        other.ports = replace(self.storage.under(ports), queue=self.queue)
        return other

    def start(self) -> Run:
        """Return a Certroll run, built as a trigger would build it: no run knows what an earlier run waited for."""
        if isinstance(self.ports.retrying, Retrying):
            self.ports.retrying.forget()
        return Run.start(self.ports, self.intent, self.pool)

    def start_sparing(self) -> Run:
        """Return a run for a part of a sweep, which here spares no limit, because Azure refuses nothing."""
        return self.start()

    # ------------------------------------------------------------------------------------------------ triggers

    def event(self, text: str) -> None:
        """Deliver an Event Grid event to the webhook."""
        on_vault_event(self.start(), text)

    def look_at(self, vault: str, name: str, cause: Cause = Cause.EVENT, kind: str = "certificate") -> None:
        """Queue a message that makes Certroll inspect one vault certificate, or a vault secret with a certificate."""
        self.queue.send_certificate(CertificateMessage(VaultCertificateRef.parse(vault, kind, name), cause))

    def sweep(self) -> tuple[VaultCertificateRef, ...]:
        """Run the vault certificate part of the sweep, and return the certificates that the sweep queued."""
        judged = judge_certificates(self.start())
        if judged.error is not None:
            raise judged.error
        return judged.busy

    def begin_compliance(self) -> None:
        """Begin a compliance sweep, as its timer does."""
        begin_compliance(self.start())

    def begin_sweep(self) -> None:
        """Run the timer that begins a sweep."""
        begin_sweep(self.start())

    def sweep_everything(self) -> None:
        """Run a whole sweep: the timer, and each message of the sweep's parts that is visible by now.

        Raise the errors of the parts together, as they would stand in the log of the host.
        """
        before = len(self.errors)
        self.begin_sweep()
        while (message := self.queue.take(self.clock.now(), of=SWEEPS)) is not None:
            self.deliver(message)
        errors = self.errors[before:]
        del self.errors[before:]
        if errors:
            raise ExceptionGroup("parts of the sweep failed", errors)

    def deliver_all(self, during: timedelta = timedelta(hours=6)) -> None:
        """Deliver messages until no message is left or the time is over, moving the clock to each message.

        If the simulated fleet has environments, the timer that starts stopped apps also runs, at most once a minute.
        """
        until = self.clock.now() + during
        while (message := self.queue.take(until)) is not None:
            if self.world.web.environments.values() and self.clock.now() >= self._paid_at + MINUTE:
                self.pay()
            self.deliver(message)

    def deliver(self, message: Message) -> None:
        """Deliver one message as the Functions host does.

        A failed message is delivered again after two minutes, and moves to the poison queue after five failures. After
        a crash the message stays away for ten minutes.
        """
        try:
            if message.queue == CERTIFICATES:
                on_certificate(self.start(), message.body, message.tries)
            elif message.queue == SITES:
                on_site(self.start(), message.body)
            elif message.queue == EVENTS:
                on_events(self.start(), message.body)
            elif message.queue == SWEEPS:
                on_sweep(self.start_sparing(), message.body)
            else:
                on_environment(self.start(), message.body)
        except Crash:
            self.queue.abandon(message)
            raise
        except Exception as error:  # noqa: BLE001 - the host redelivers after any failure; tests read `errors`
            self.errors.append(error)
            self.queue.return_(message)
            if message in self.queue.dead_letter:
                on_poison(self.start(), message.queue, message.body)

    def pay(self) -> None:
        """Run the timer that starts apps which Certroll has stopped, and collect its error as the host would log it."""
        self._paid_at = self.clock.now()
        try:
            complete_pending_starts(self.start())
        except Exception as error:  # noqa: BLE001 - the timer runs again after any failure; tests read `errors`
            self.errors.append(error)

    def minutes(self, number: int) -> None:
        """Let the given number of minutes pass, and run the timer that starts stopped apps in each minute."""
        for _ in range(number):
            self.clock.set(self.clock.now() + MINUTE)
            self.pay()

    def request_stop_start(self, group: str, name: str, full_id: str = "") -> str:
        """Request that Certroll stops and starts the apps of an environment, as the operator's route does."""
        return request_stop_start(self.start(), group, name, full_id)

    def confirm_stop_start(self, group: str, name: str, full_id: str = "") -> str:
        """Report that an operator stopped and started the apps of an environment, as the operator's route does."""
        return confirm_stop_start(self.start(), group, name, full_id)

    def release(self, vault: str, name: str) -> str:
        """Allow a failed certificate version again, as an operator does by Certroll's HTTP route."""
        return release(self.start(), vault, name)

    def most_under_way(self, during: timedelta) -> int:
        """Deliver messages one by one; return how many apps at most waited at the same time for a good probe."""
        until, most = self.clock.now() + during, 0
        while (message := self.queue.take(until)) is not None:
            self.deliver(message)
            most = max(most, sum(state == "Overlapping" for state in self.rolls().values()))
        return most

    # ------------------------------------------------------------------------------------------------- records

    def findings(self) -> set[tuple[str, str]]:
        """Return the findings (reported problems) of Certroll, as pairs of subject and reason."""
        return {(row["subject"], row["reason"]) for row in self.rows("certrollfindings") if "subject" in row}

    def open_findings(self) -> set[tuple[str, str]]:
        """Return the findings (reported problems) whose causes last, as pairs of subject and reason."""
        rows = (row for row in self.rows("certrollfindings") if row.get("state") == "open")
        return {(row["subject"], row["reason"]) for row in rows}

    def details(self) -> str:
        """Return the details of all findings (reported problems), joined to one text."""
        return "\n".join(str(row.get("detail")) for row in self.rows("certrollfindings"))

    def kept(self) -> list[dict[str, object]]:
        """Return the dead letters."""
        return [dict(row) for row in self.rows("certrollfindings") if row.get("reason") == "DeadLetter"]

    def states(self) -> dict[str, str]:
        """Return the journal's state of each site."""
        return {
            row["site"].rpartition("/sites/")[2]: row["state"] for row in self.rows("certrolljournal") if "site" in row
        }

    def rolls(self) -> dict[str, str]:
        """Return the journal's state of the settings update of each app."""
        return {
            row["app"].rpartition("/sites/")[2].replace("/slots/", "/"): row["state"]
            for row in self.rows("certrolljournal")
            if "app" in row
        }

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return every row of a table in the installation's storage."""
        return self.storage.rows(table)


def decides(request: requests.PreparedRequest) -> bool:
    """Return True if the request changes data by which Certroll's next run decides."""
    url, body = str(request.url), str(request.body)
    if request.method not in WRITING or any(part in url for part in (*NO_WRITES, *UNDECIDING)):
        return False
    return "certrolljournal" in body if url.partition("?")[0].endswith("/$batch") else True


class Crasher:
    """The simulated killer of the process: after the chosen write no request leaves until the process restarts.

    A write of the journal counts on Azurite as a request, and in memory as a call of the simulated tables.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes = 0
        self.after: int | None = None
        self.at: str | None = None
        self._dead = False
        monkeypatch.setattr(HTTPAdapter, "send", self._sending(HTTPAdapter.send))
        for name, decides_by in IN_MEMORY.items():
            monkeypatch.setattr(MemoryTables, name, self._calling(getattr(MemoryTables, name), decides_by))
        monkeypatch.setattr(MemoryLeases, "release", self._releasing(MemoryLeases.release))

    def _sending(self, real: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
        def send(adapter: object, request: requests.PreparedRequest, **options: object) -> requests.Response:
            if self._dead and threading.current_thread().name in {PROBING, RENEWING}:
                raise requests.ConnectionError  # the threads of probes and leases belong to the dead process, too
            self._check_alive()
            answer = real(adapter, request, **options)
            if decides(request):
                try:
                    self._count((request.url or "").partition("?")[0])
                except Crash:
                    answer.close()
                    raise
            return answer

        return send

    def _calling(self, real: Callable[..., object], decides_by: Callable[..., bool]) -> Callable[..., object]:
        def call(tables: MemoryTables, *asked: object) -> object:
            self._check_alive()
            answer = real(tables, *asked)
            if decides_by(*asked):
                self._count("")
            return answer

        return call

    def _releasing(self, real: Callable[..., None]) -> Callable[..., None]:
        def release(leases: MemoryLeases, lease: MemoryLease) -> None:
            if not self._dead:  # a dead process releases no lease
                real(leases, lease)

        return release

    def _check_alive(self) -> None:
        if self._dead:
            raise Crash

    def _count(self, path: str) -> None:
        """Count a write, and die after the chosen write."""
        self.writes += 1
        if self.writes == self.after or (self.at is not None and path.endswith(self.at)):
            self._dead = True
            raise Crash

    @contextmanager
    def crashing_after(self, write: int) -> Iterator[None]:
        """Kill the simulated process after its n-th write, and revive the process when the block ends."""
        with self._crashing(write, None):
            yield

    @contextmanager
    def crashing_at(self, path: str) -> Iterator[None]:
        """Kill the process after the first write whose path ends with `path`; revive it when the block ends."""
        with self._crashing(None, path):
            yield

    @contextmanager
    def _crashing(self, write: int | None, path: str | None) -> Iterator[None]:
        self.writes, self.after, self.at, self._dead = 0, write, path, False
        try:
            yield
        finally:
            self.after, self.at, self._dead = None, None, False


def outcome_of(found: Outcome) -> str:
    """Return the class name of a run's outcome, such as a stalled or finished renewal."""
    return type(found).__name__


def deliver_dying(installation: Installation, crasher: Crasher, write: int) -> bool:
    """Deliver all messages, with a crash after the given write; return True if the crash happened.

    After a simulated crash the leases of the dead process expire, and a new process delivers the remaining messages.
    """
    try:
        with crasher.crashing_after(write):
            installation.deliver_all()
    except Crash:
        installation.storage.break_leases()
        installation.deliver_all()
        return True
    return False
