"""Run the functions of an app in a worker process, as Azure's host does, and replace a worker that ends.

Measured on Azure Functions host 4.1037: a run that reaches its time-out takes the worker process along. The other runs
of this worker hang until their own time-out. If the worker dies by itself, all its runs fail at once. After a
time-out and after such a death, a new worker starts within two seconds.
"""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from local import environment
from local.host.functions import FunctionMetadata, Outcome, TriggerInput
from local.host.lines import Dropped
from local.host.worker import IndexingFailed

CHILD = "local.host.worker_child"
THREADS = {"PYTHON_THREADPOOL_THREAD_COUNT": "1000"}
"""What the host sets for the worker where the app does not (azure-functions-host, since version 4)."""
T = TypeVar("T")

log = logging.getLogger("host.worker")


class WorkerGone(Exception):
    """The Functions host ends, so no worker takes the invocation."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation on its way to the worker."""

    id: str
    function: FunctionMetadata
    trigger: TriggerInput


class WorkerProcess:
    """A worker process, its successors, and the loop on which the Functions host waits for invocations."""

    def __init__(self, app: Path, telemetry: Path | None = None) -> None:
        """Start a worker. Raise IndexingFailed with the runtime's message if the runtime refuses the app.

        The worker writes the lines of the app to the file `telemetry` as rows of Application Insights.
        """
        self._start = partial(_Child, app, telemetry, self._replace)
        self._closing = False
        self._changed = threading.Condition()
        self.dropped: Counter[tuple[str, str]] = Counter()
        """How many log lines of the app Azure's host would have dropped, for each logger and thread."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="host loop", daemon=True)
        self._thread.start()
        self._child = self._start(self.dropped)
        self.functions = self._child.functions

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start the coroutine on the loop of the Functions host."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def invoke(
        self, invocation_id: str, function: FunctionMetadata, trigger: TriggerInput, seconds: float
    ) -> Outcome:
        """Return the outcome of the function. After `seconds`, kill its worker and raise TimeoutError."""
        child, running = await self._begin(Invocation(invocation_id, function, trigger))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), seconds)
        except TimeoutError:
            await asyncio.to_thread(child.kill)
            raise

    def close(self) -> None:
        """End the worker with all its runs, and the loop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._child.kill()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5)

    async def _begin(self, invocation: Invocation) -> tuple["_Child", Future[Outcome]]:
        """Send the invocation to the worker, or to its successor if the worker has just ended."""
        while True:
            child = self._child
            try:
                return child, child.begin(invocation)
            except OSError:
                await asyncio.to_thread(self._await_successor, child)
            if self._closing:
                raise WorkerGone

    def _await_successor(self, child: "_Child") -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._child is not child or self._closing)

    def _replace(self) -> None:
        """Start a worker after the present one has ended. End the host if the app can no longer be indexed."""
        with self._changed:
            if self._closing:
                return
            log.warning("the worker process has ended, and a new one starts")
            try:
                self._child = self._start(self.dropped)
            except IndexingFailed as problem:
                log.critical("the new worker process cannot index the app: %s", problem)
                os.kill(os.getpid(), signal.SIGTERM)
                self._closing = True
            self._changed.notify_all()


class _Child:
    """One worker process."""

    def __init__(
        self, app: Path, telemetry: Path | None, on_end: Callable[[], None], dropped: Counter[tuple[str, str]]
    ) -> None:
        self._on_end = on_end
        self._dropped = dropped
        self._killed = False
        self._running: dict[str, Future[Outcome]] = {}
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair()
        more = () if telemetry is None else ("--telemetry", str(telemetry))
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", CHILD, "--app", str(app), "--socket", str(theirs.fileno()), *more],
                cwd=app,
                env={**THREADS, **environment.of_this_process()},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._connection: Connection[Any, Any] = Connection(ours.detach())
        self.functions: tuple[FunctionMetadata, ...] = self._indexed()
        threading.Thread(target=self._read, name="worker answers", daemon=True).start()

    def begin(self, invocation: Invocation) -> Future[Outcome]:
        """Send the invocation to the worker, and return the future outcome. Raise OSError if the worker is dead."""
        outcome: Future[Outcome] = Future()
        with self._lock:
            self._connection.send(invocation)
            self._running[invocation.id] = outcome
        return outcome

    def kill(self) -> None:
        """Kill the worker process amid its runs, which hang from now on."""
        self._killed = True
        self._process.kill()
        self._process.wait()

    def _received(self) -> Any:  # noqa: ANN401 - an answer of the worker, whose kind the caller expects
        """Return the next answer of the worker, and count the dropped log lines before it."""
        while isinstance(answer := self._connection.recv(), Dropped):
            self._dropped[answer.logger, answer.thread] += 1
        return answer

    def _indexed(self) -> tuple[FunctionMetadata, ...]:
        try:
            answer = self._received()
        except EOFError:
            answer = IndexingFailed(f"the worker process ended with {self._process.wait()}")
        if isinstance(answer, IndexingFailed):
            self._process.wait()
            raise answer
        return tuple(answer)

    def _read(self) -> None:
        while True:
            try:
                invocation_id, outcome = self._received()
            except (EOFError, OSError):
                break
            self._finish(invocation_id, outcome)
        if not self._killed:
            for invocation_id in tuple(self._running):
                self._finish(invocation_id, _died())
        self._process.wait()
        self._on_end()

    def _finish(self, invocation_id: str, outcome: Outcome) -> None:
        with self._lock:
            running = self._running.pop(invocation_id)
        if running.set_running_or_notify_cancel():
            running.set_result(outcome)


def _died() -> Outcome:
    return Outcome(succeeded=False, error="the worker process has ended (Exited)")
