"""Store dead letters, which are messages that failed for good, in the table `certrollfindings`.

The PartitionKey of a dead letter is `poison-` and the name of its queue. The PartitionKey `failures` holds the recorded
causes of failed messages. The RowKey of a dead letter, and of a recorded cause, is the hash of the message's body.
"""

from shared.clients.storage.findings import FINDINGS
from shared.clients.storage.rows import Entity, chunked, digest, fitting, joined
from shared.clients.storage.tables import Tables
from shared.clients.storage.unreadable import Rows
from shared.domain.errors import NotFound
from shared.domain.findings import DeadLetter
from shared.domain.reason import Reason
from shared.ports.clock import Clock

FAILURES = "failures"
POISON = "poison-"


class TableDeadLetters:
    """The dead letters of all queues, as rows of a table."""

    def __init__(self, tables: Tables, clock: Clock, rows: Rows) -> None:
        self._tables = tables
        self._clock = clock
        self._rows = rows

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
            cause = self._noted_cause(key) or "unknown: the function died before it recorded a cause"
        keys = {"PartitionKey": _poison_key(queue), "RowKey": key}
        about = {"reason": str(Reason.DEAD_LETTER), "queue": queue, "cause": fitting(cause), "at": self._clock.now()}
        self._tables.write(FINDINGS, [{**keys, **about, **chunked("body", body)}])
        return DeadLetter(key, queue, body, cause)

    def get(self, queue: str, key: str) -> DeadLetter:
        """Return one dead letter.

        Raise NotFound if no dead letter of the queue (a message that failed for good) has the key, and RecordUnreadable
        if its row is unreadable.
        """
        row = self._tables.row(FINDINGS, _poison_key(queue), key)
        if row is None:
            raise NotFound(f"queue {queue!r} has no dead letter with the key {key[:80]!r}")
        body, cause = self._rows.one(FINDINGS, letter_of, row)
        return DeadLetter(key, queue, body, cause)

    def forget(self, record: DeadLetter) -> None:
        """Delete a dead letter's record after its message was sent again."""
        self._tables.delete(FINDINGS, _poison_key(record.queue), record.key)

    def _noted_cause(self, key: str) -> str:
        """Return the recorded cause of a message's failure, or an empty text if it is missing or unreadable."""
        noted = self._tables.row(FINDINGS, FAILURES, key)
        causes, _ = self._rows.all(FINDINGS, cause_of, () if noted is None else (noted,))
        return "".join(causes)


def cause_of(row: Entity) -> str:
    """Return the cause of a message's failure that a row records."""
    return str(row["cause"])


def letter_of(row: Entity) -> tuple[str, str]:
    """Return the body of a dead letter and the cause of its failure."""
    return joined("body", row), cause_of(row)


def _poison_key(queue: str) -> str:
    return f"{POISON}{queue}"
