"""Run invocations on the worker, with time-outs, output bindings and .NET log lines."""

import asyncio
import itertools
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from datetime import timedelta

from local.host.functions import FunctionMetadata, Outcome, TriggerInput
from local.host.insights import Insights, Invocation
from local.host.worker_process import WorkerProcess

Start = Callable[[FunctionMetadata, TriggerInput], Future[Outcome]]
WriteOutputs = Callable[[FunctionMetadata, Outcome], None]

log = logging.getLogger("host")


class Dispatcher:
    """Start concurrent invocations, and count the invocations that have not ended."""

    def __init__(
        self,
        worker: WorkerProcess,
        timeout: timedelta,
        write_outputs: WriteOutputs,
        insights: Insights | None = None,
    ) -> None:
        """Run invocations on the worker. `insights` gets a row for each invocation that ends."""
        self._worker = worker
        self._timeout = timeout
        self._write_outputs = write_outputs
        self._insights = insights
        self._running: dict[int, Future[Outcome]] = {}
        self._numbers = itertools.count()
        self.ended: Counter[tuple[str, bool]] = Counter()

    @property
    def dropped(self) -> dict[tuple[str, str], int]:
        """How many log lines Azure's host would have dropped, for each logger and thread of the app."""
        return dict(self._worker.dropped)

    @property
    def running(self) -> int:
        """The number of invocations that have not ended."""
        return len(self._running)

    def start(self, function: FunctionMetadata, trigger: TriggerInput) -> Future[Outcome]:
        """Start the invocation, and return a future that never raises an error."""
        number = next(self._numbers)
        future = self._worker.run(self._run(function, trigger))
        self._running[number] = future
        future.add_done_callback(lambda _: self._running.pop(number, None))
        return future

    def drain(self, grace: timedelta) -> bool:
        """Wait for every invocation. Return True if all invocations ended within the grace time."""
        return not wait_for(tuple(self._running.values()), grace.total_seconds()).not_done

    async def _run(self, function: FunctionMetadata, trigger: TriggerInput) -> Outcome:
        invocation_id = str(uuid.uuid4())
        log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, trigger.reason, invocation_id)
        began = self._insights.now() if self._insights else None
        started = time.monotonic()
        outcome = await self._outcome(invocation_id, function, trigger)
        milliseconds = round((time.monotonic() - started) * 1000)
        self.ended[function.name, outcome.succeeded] += 1
        if self._insights and began:
            error = None if outcome.succeeded else outcome.error
            self._insights.ended(Invocation(invocation_id, function.name), began, error, outcome.trace)
        word = "Succeeded" if outcome.succeeded else f"Failed: {outcome.error}"
        log.info("Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)", function.name, word, invocation_id, milliseconds)
        return outcome

    async def _outcome(self, invocation_id: str, function: FunctionMetadata, trigger: TriggerInput) -> Outcome:
        try:
            outcome = await self._worker.invoke(invocation_id, function, trigger, self._timeout.total_seconds())
            if outcome.succeeded and outcome.outputs_with_return:
                await asyncio.to_thread(self._write_outputs, function, outcome)
        except TimeoutError:
            return Outcome(succeeded=False, error=f"Timeout value of {self._timeout} was exceeded by {function.name}")
        except Exception as problem:  # noqa: BLE001 - whatever an output binding raises fails the invocation, not the host
            return Outcome(succeeded=False, error=f"cannot write the outputs of {function.name}: {problem!r}")
        return outcome
