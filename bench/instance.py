"""Run instances of the Function App on simulated time, with the production code from the SDK clients up.

```text
sweep, events ──▶ queues ──▶ host: at most 12 messages of a queue at once per instance ──▶ runs of Certroll
                                     each run on a thread of the scheduler, with its own deadline
```
"""

import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from heapq import heappop
from typing import Any
from unittest.mock import patch

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential

from bench.pool import SharedPool
from bench.scheduler import Lock, Scheduler, Signal
from bench.sight import WorldHandshakes, WorldProbes
from local.azure.entra.tokens import CERTROLL, TENANT, token
from local.azure.server import LocalAzure
from local.azure.wire import Request, Response
from local.azure.world import World
from shared.clients.connect import Connections
from shared.domain.deadline import Deadline
from shared.domain.endpoints import CloudName, StorageAddress
from shared.domain.messages import Cause
from shared.domain.names import VaultCertificateRef
from shared.loop.asks import ask_for_look
from shared.loop.run import Run
from shared.runtime import PROBES, READERS, SPARING_READERS
from tests.in_process import in_process
from tests.scenarios.installation import Installation, Message, WorldQueue
from tests.scenarios.storage import MemoryStorage, Storage

NO_STORAGE = "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9uZQ==;EndpointSuffix=nowhere.invalid"
"""The connection string of clients whose storage the bench replaces by storage in memory."""
RUNS_PER_QUEUE = 12
"""How many messages of a queue an instance handles at once: batchSize and newBatchThreshold of host.json together."""
TOKEN_SECONDS = 10 * 365 * 86_400


class Queues(WorldQueue):
    """The queues of Certroll, whose messages several instances take while time passes."""

    def __init__(self, world: World, scheduler: Scheduler) -> None:
        """Begin without messages."""
        super().__init__(world.clock)
        self.changed = Signal(scheduler)
        self._due: defaultdict[str, deque[Message]] = defaultdict(deque)
        """The visible messages of each queue, for which no instance has had room yet."""

    def put(self, queue: str, body: str, delay: timedelta = timedelta(0)) -> None:
        """Put a body on a queue, and let the host look at the queues."""
        super().put(queue, body, delay)
        self.changed.send()

    def return_(self, message: Message) -> None:
        """Make a failed message visible again after a delay, and let the host look at the queues."""
        super().return_(message)
        self.changed.send()

    def visible(self, admits: Callable[[str], bool]) -> Iterator[Message]:
        """Take and yield the visible messages of each queue in order, while `admits` accepts the queue."""
        now = self._clock.now()
        while self._heap and self._heap[0].visible_at <= now:
            message = heappop(self._heap)
            self._due[message.queue].append(message)
        for queue, due in self._due.items():
            while due and admits(queue):
                message = due.popleft()
                message.tries += 1
                yield message

    def seconds_until_next(self) -> float | None:
        """Return the seconds until the next invisible message becomes visible, or None without such a message."""
        return max((self._heap[0].visible_at - self._clock.now()).total_seconds(), 0.0) if self._heap else None

    def __len__(self) -> int:
        return len(self._heap) + sum(map(len, self._due.values()))


class Instance(Installation):
    """One instance of the Function App, whose runs end by their deadlines."""

    def __init__(
        self,
        world: World,
        storage: Storage,
        queues: Queues,
        scheduler: Scheduler,
        handle: Callable[[Request], Response],
        **intent: object,
    ) -> None:
        """Make the clients and the pools of a process."""
        self._connections = Connections(
            CloudName.PUBLIC, None, StorageAddress(NO_STORAGE), world.clock, transport=in_process(handle)
        )
        super().__init__(world, storage, self._connections.ports(), SharedPool(READERS, scheduler), **intent)
        self.queue = queues
        self._sparing_pool = SharedPool(SPARING_READERS, scheduler)
        self._probes = SharedPool(PROBES, scheduler)
        self._sight: dict[str, Any] = {"tls_probe": WorldHandshakes(world), "app_probe": WorldProbes(world)}
        self.running: Counter[str] = Counter()

    def start(self, *, sparing: bool = False) -> Run:
        """Return a run that starts now, as `shared/runtime.py` starts it."""
        deadline = Deadline.of_run(self.clock.now())
        connected = self._connections.ports(deadline, sparing=sparing)
        ports = replace(self.storage.under(connected), queue=self.queue, **self._sight)
        return Run.start(ports, self.intent, self._sparing_pool if sparing else self.pool, deadline, self._probes)

    def look_at(self, vault: str, name: str, cause: Cause = Cause.EVENT, kind: str = "certificate") -> None:
        """Queue a message for a vault object, as Certroll does for an event, so that renewals can share a look."""
        ask_for_look(self.start(), VaultCertificateRef.parse(vault, kind, name), cause)

    def start_sparing(self) -> Run:
        """Return a run whose reads leave a third of Azure's request limits to other runs."""
        return self.start(sparing=True)


class Hosted:
    """An installation of Certroll in the bench: its instances, its storage, its queues and the simulated Azure."""

    def __init__(self, world: World, scheduler: Scheduler, instances: int = 1, **intent: object) -> None:
        """Connect the instances with the simulated Azure, in process."""
        self.world, self.scheduler = world, scheduler
        self.azure_seconds = 0.0
        """The processor seconds of the simulated Azure, which are no costs of Certroll."""
        self.queues = Queues(world, scheduler)
        self.storage = MemoryStorage(world.clock)
        self._azure = LocalAzure(world)
        self.instances = [
            Instance(world, self.storage, self.queues, scheduler, self._handle, **intent) for _ in range(instances)
        ]
        self.first = self.instances[0]
        self.failures = Counter[str]()
        self.most_at_once = 0
        """The most runs that an instance had under way at once."""

    def serve(self, during: timedelta = timedelta(hours=6), until: Callable[[], bool] = lambda: False) -> None:
        """Deliver messages as the Functions host does, until no message is left, or the time is over.

        The condition `until` ends the delivery of further messages, too.
        """
        end = self.scheduler.seconds + during.total_seconds()
        while self.scheduler.seconds < end:
            stops = until()
            for message in () if stops else self.queues.visible(self._has_room):
                instance = min(self.instances, key=lambda instance: instance.running[message.queue])
                instance.running[message.queue] += 1
                self.most_at_once = max(self.most_at_once, instance.running.total())
                self.scheduler.spawn(partial(self._deliver, instance, message))
            wait = None if stops else self.queues.seconds_until_next()
            if not self._is_busy() and wait is None:
                return
            left = end - self.scheduler.seconds
            self.scheduler.wait(self.queues.changed, left if wait is None else min(wait, left))

    def at_once(self, works: Iterable[Callable[[], object]]) -> None:
        """Do works of the installation at the same time, and return when all have ended."""
        ended, left = Signal(self.scheduler), [len(works := list(works))]

        def done(work: Callable[[], object]) -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the bench counts failures
                self.failures[_name(error)] += 1
            left[0] -= 1
            ended.send()

        for work in works:
            self.scheduler.spawn(partial(done, work))
        while left[0]:
            self.scheduler.wait(ended)

    def _deliver(self, instance: Instance, message: Message) -> None:
        try:
            instance.deliver(message)
        finally:
            instance.running[message.queue] -= 1
            self.queues.changed.send()

    def _has_room(self, queue: str) -> bool:
        return any(instance.running[queue] < RUNS_PER_QUEUE for instance in self.instances)

    def _is_busy(self) -> bool:
        return any(instance.running.total() for instance in self.instances)

    def _handle(self, request: Request) -> Response:
        began = time.thread_time()
        try:
            return self._azure.handle(request)
        finally:
            self.azure_seconds += time.thread_time() - began

    def forget_errors(self) -> None:
        """Forget the failures of runs so far."""
        self.failures.clear()
        for instance in self.instances:
            instance.errors.clear()

    def errors(self) -> Counter[str]:
        """Return how often runs failed, by kind of error."""
        return self.failures + Counter(_name(error) for instance in self.instances for error in instance.errors)


def _name(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(sorted({_name(part) for part in error.exceptions}))
    return type(error).__name__


class _Credential:
    """A credential with tokens of Certroll's identity in the simulated Entra."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """Return a token for the first scope."""
        info = self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(self, *scopes: str, **_: object) -> AccessTokenInfo:
        """Return a token for the first scope."""
        now = int(time.time())
        audience = scopes[0].removesuffix("/.default")
        return AccessTokenInfo(token(TENANT, CERTROLL, audience, now), now + TOKEN_SECONDS)


def _credential(*_: object) -> TokenCredential:
    return _Credential()


@contextmanager
def shared_time(scheduler: Scheduler, seed: int = 0) -> Iterator[None]:
    """Let Certroll wait on simulated time within the context, with tokens of the simulated Entra and a fixed seed."""
    with ExitStack() as stack:
        stack.enter_context(patch("shared.clients.connect.make_credential", _credential))
        stack.enter_context(patch("shared.loop.preflight.Lock", partial(Lock, scheduler)))
        before = random.getstate()
        stack.callback(random.setstate, before)
        random.seed(seed)
        yield
