"""Run queue triggers with polling, redelivery and poison queues as in the .NET host.

Source: azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.Storage.Queues, `QueueListener` and `QueueProcessor`, and
measurements on Azure Functions host 4.1037.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import timedelta
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueMessage

from local.host import storage
from local.host.configuration import QueueSettings
from local.host.dispatch import Start
from local.host.functions import FunctionMetadata, Outcome
from local.host.reach import Reach
from local.host.triggers import QueuedMessage, queue

POISON_SUFFIX = "-poison"
PROCESSING_VISIBILITY = timedelta(minutes=10)
FIRST_POLLS = (0.1, 0.2, 0.26, 0.43, 0.88, 1.45)
"""The first pauses between two polls of an empty queue, in seconds (measured on Azure Functions host 4.1037)."""
POLL_GROWTH = 1.65
LARGEST_BATCH = 32
STALE = (400, 404)
"""The answers of Azure to a receipt that is no longer valid, because somebody else has the message."""

log = logging.getLogger("host.queues")


class QueueListener:
    """Poll a queue, and run its function once for each message."""

    def __init__(
        self, function: FunctionMetadata, queues: storage.Queues, settings: QueueSettings, start: Start, reach: Reach
    ) -> None:
        self.function = function
        self._reach = reach
        self._queues = queues
        self._queue = queues.named(function.trigger)
        has_poison = not self._queue.queue_name.endswith(POISON_SUFFIX)
        self._poison = queues.named(function.trigger, POISON_SUFFIX) if has_poison else None
        self._settings = settings
        self._start = start
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._abandoned: Future[None] = Future()
        self._in_flight: set[Future[None]] = set()
        most = settings.batch_size + settings.new_batch_threshold
        self._threads = ThreadPoolExecutor(most, thread_name_prefix=f"queue {self._queue.queue_name}")
        self._poller = threading.Thread(target=self._poll, name=f"poll {self._queue.queue_name}", daemon=True)

    def start(self) -> None:
        """Start to poll the queue."""
        self._poller.start()

    def stop(self) -> None:
        """Stop taking messages from the queue. After `stop`, the invocations that have begun continue."""
        self._stopping.set()
        self._wake.set()
        self._poller.join()

    def abandon(self) -> None:
        """Wait no longer for running invocations.

        The messages of these invocations stay invisible until ten minutes after the host took or renewed them.
        """
        self._abandoned.set_result(None)
        self._threads.shutdown(wait=True)

    def wake(self, queue: str) -> None:
        """Poll at once if the queue, to which an output binding has just written, is the listener's own."""
        if queue == self._queue.queue_name:
            self._wake.set()

    def _poll(self) -> None:
        pauses = polls(self._settings.max_polling_interval)
        while not self._stopping.is_set():
            if self._take_batch():
                pauses = polls(self._settings.max_polling_interval)
                continue
            self._wake.wait(next(pauses).total_seconds())
            self._wake.clear()

    def _take_batch(self) -> bool:
        if len(self._in_flight) > self._settings.new_batch_threshold:
            return False
        messages = self._receive()
        for message in messages:
            work = self._threads.submit(self._process, message)
            self._in_flight.add(work)
            work.add_done_callback(self._finished)
        return bool(messages)

    def _receive(self) -> list[QueueMessage]:
        seconds = round(PROCESSING_VISIBILITY.total_seconds())
        size = min(self._settings.batch_size, LARGEST_BATCH)
        try:
            pages = self._queue.receive_messages(messages_per_page=size, visibility_timeout=seconds).by_page()
            messages = list(next(pages, ()))
        except ResourceNotFoundError:
            if self._settings.warns_of_missing:
                log.warning("Azure.Core: 404 The specified queue does not exist: %s", self._queue.queue_name)
            messages = []
        except AzureError as problem:
            log.warning("cannot poll queue %s: %s", self._queue.queue_name, problem)
            self._reach.failed(problem)
            return []
        self._reach.answered()
        return messages

    def _finished(self, work: Future[None]) -> None:
        self._in_flight.discard(work)
        self._wake.set()
        if problem := work.exception():
            log.error("a message of %s could not be completed: %r", self._queue.queue_name, problem)

    def _process(self, message: QueueMessage) -> None:
        try:
            body = self._queues.decode(message.content)
        except storage.Undecodable as problem:
            log.warning("message %s of %s is %s", message.id, self._queue.queue_name, problem)
            self._to_poison(message)
            return
        except storage.Unbindable as problem:
            log.warning("Exception binding parameter of Functions.%s: %s", self.function.name, problem)
            self._complete(message, Outcome(succeeded=False, error=str(problem)))
            return
        if (message.dequeue_count or 0) > self._settings.max_dequeue_count and self._poison is not None:
            self._to_poison(message)
            return
        trigger = queue(_decoded(message, body), self._queue.queue_name)
        outcome = self._await(self._start(self.function, trigger), message)
        self._complete(message, outcome)

    def _await(self, invocation: Future[Outcome], message: QueueMessage) -> Outcome | None:
        renewal = PROCESSING_VISIBILITY.total_seconds() / 2
        either: tuple[Future[Any], ...] = (invocation, self._abandoned)
        while not wait_for(either, renewal, FIRST_COMPLETED).done:
            _if_still_ours(lambda: self._show_after(message, PROCESSING_VISIBILITY))
        return invocation.result() if invocation.done() else None

    def _complete(self, message: QueueMessage, outcome: Outcome | None) -> None:
        """Delete a message after success, and after a failure show it later or move it to the poison queue.

        Without an outcome the Functions host ends, and leaves the message invisible (measured on host 4.1037).
        """
        if outcome is not None:
            _if_still_ours(lambda: self._settle(message, outcome))

    def _settle(self, message: QueueMessage, outcome: Outcome) -> None:
        if outcome.succeeded:
            self._queue.delete_message(message)
        elif self._poison is None:
            log.warning("message %s stays invisible: a poison queue has no poison queue", message.id)
        elif (message.dequeue_count or 0) >= self._settings.max_dequeue_count:
            self._to_poison(message)
        else:
            self._show_after(message, self._settings.visibility_timeout)

    def _to_poison(self, message: QueueMessage) -> None:
        if self._poison is None:
            return
        most = self._settings.max_dequeue_count
        log.warning("Message has reached MaxDequeueCount of %d. Moving it to '%s'.", most, self._poison.queue_name)
        storage.create(self._poison)
        self._poison.send_message(message.content)
        self._queue.delete_message(message)

    def _show_after(self, message: QueueMessage, delay: timedelta) -> None:
        seconds = round(delay.total_seconds())
        updated = self._queue.update_message(message, visibility_timeout=seconds)
        message.pop_receipt = updated.pop_receipt


def polls(longest: timedelta) -> Iterator[timedelta]:
    """Yield the pauses between the polls of an empty queue, without the random part of the .NET host."""
    seconds = 0.0
    for seconds in FIRST_POLLS:
        yield min(timedelta(seconds=seconds), longest)
    while True:
        seconds = min(seconds * POLL_GROWTH, longest.total_seconds())
        yield timedelta(seconds=seconds)


def _if_still_ours(change: Callable[[], None]) -> None:
    """Change a message, or do nothing if somebody else has taken or changed it. The .NET host logs no error then."""
    try:
        change()
    except HttpResponseError as problem:
        if problem.status_code not in STALE:
            raise
        log.debug("somebody else has changed the message: %s", problem)


def _decoded(message: QueueMessage, body: str) -> QueuedMessage:
    if message.inserted_on is None or message.expires_on is None or message.next_visible_on is None:
        raise storage.Undecodable(f"message {message.id} came without its times")
    return QueuedMessage(
        id=message.id,
        body=body,
        pop_receipt=message.pop_receipt or "",
        dequeue_count=message.dequeue_count or 0,
        inserted_at=message.inserted_on,
        expires_at=message.expires_on,
        next_visible_at=message.next_visible_on,
    )
