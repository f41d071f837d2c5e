"""Store dead letters, which are messages that failed for good, in the table `certrollfindings`.

The PartitionKey of a dead letter is `poison-` and the name of its queue. The PartitionKey `failures` holds the recorded
causes of failed messages. The RowKey of a dead letter, and of a recorded cause, is the hash of the message's body.
"""

from functools import partial

from shared.clients.storage.edge import record_of
from shared.clients.storage.findings import FINDINGS
from shared.clients.storage.rows import Entity, chunked, digest, fitting, joined
from shared.clients.storage.tables import Tables
from shared.domain.errors import NotFound
from shared.domain.findings import DeadLetter
from shared.domain.reason import Reason
from shared.ports.clock import Clock

FAILURES = "failures"


class TableDeadLetters:
    """The dead letters of all queues, as rows of a table."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def note_cause(self, body: str, cause: str) -> None:
        """Record why a message failed, because Azure moves a message to its poison queue without the cause."""
        row = {"PartitionKey": FAILURES, "RowKey": digest(body), "cause": fitting(cause), "at": self._clock.now()}
        self._tables.write(FINDINGS, [row])

    def add(self, queue: str, body: str, cause: str | None) -> DeadLetter:
        """Record a dead letter.

        If the caller passes no cause, this function uses the cause that `note_cause` recorded.
        """
        key = digest(body)
        if cause is None:
            noted = self._tables.row(FINDINGS, FAILURES, key)
            cause = record_of(_cause, noted) if noted else "unknown: the function died before it recorded a cause"
        keys = {"PartitionKey": _poison_key(queue), "RowKey": key}
        about = {"reason": str(Reason.DEAD_LETTER), "queue": queue, "cause": fitting(cause), "at": self._clock.now()}
        self._tables.write(FINDINGS, [{**keys, **about, **chunked("body", body)}])
        return DeadLetter(key, queue, body, cause)

    def get(self, queue: str, key: str) -> DeadLetter:
        """Return one dead letter.

        Raise NotFound if no dead letter of the queue (a message that failed for good) has the key.
        """
        row = self._tables.row(FINDINGS, _poison_key(queue), key)
        if row is None:
            raise NotFound(f"queue {queue!r} has no dead letter with the key {key[:80]!r}")
        return DeadLetter(key, queue, record_of(partial(joined, "body"), row), record_of(_cause, row))

    def forget(self, record: DeadLetter) -> None:
        """Delete a dead letter's record after its message was sent again."""
        self._tables.delete(FINDINGS, _poison_key(record.queue), record.key)


def _cause(row: Entity) -> str:
    return str(row["cause"])


def _poison_key(queue: str) -> str:
    return f"poison-{queue}"
