"""Messages that failed for good, in the table `certrollfindings`.

PartitionKey: `poison-` and the queue, or `failures` for the cause of a message that may still succeed. RowKey: hash of
the message.
"""

from shared.clients.storage.findings import FINDINGS
from shared.clients.storage.rows import CHUNK, chunked, digest, joined
from shared.clients.storage.tables import Tables
from shared.domain.errors import NotFound
from shared.domain.findings import DeadLetter
from shared.domain.reason import Reason
from shared.ports.clock import Clock

FAILURES = "failures"


class TableDeadLetters:
    """Messages that failed for good."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def note_cause(self, body: str, cause: str) -> None:
        """Record why a message failed, for the day on which Azure moves it to a poison queue."""
        row = {"PartitionKey": FAILURES, "RowKey": digest(body), "cause": cause[:CHUNK], "at": self._clock.now()}
        self._tables.write(FINDINGS, [row])

    def add(self, queue: str, body: str, cause: str | None) -> DeadLetter:
        """Record a message that failed for good, with the given cause or the one that was noted."""
        key = digest(body)
        if cause is None:
            remembered = self._tables.row(FINDINGS, FAILURES, key)
            cause = str(remembered["cause"]) if remembered else "unknown: the function died before it could say"
        keys = {"PartitionKey": _poison_key(queue), "RowKey": key}
        about = {"reason": str(Reason.DEAD_LETTER), "queue": queue, "cause": cause, "at": self._clock.now()}
        self._tables.write(FINDINGS, [{**keys, **about, **chunked("body", body)}])
        return DeadLetter(key, queue, body, cause)

    def get(self, queue: str, key: str) -> DeadLetter:
        """Return a recorded message. Raises NotFound."""
        row = self._tables.row(FINDINGS, _poison_key(queue), key)
        if row is None:
            raise NotFound(f"no message {key[:80]!r} of queue {queue!r} is kept")
        return DeadLetter(key, queue, joined("body", row), str(row["cause"]))

    def forget(self, record: DeadLetter) -> None:
        """Forget a recorded message that was put back; if the message fails again it is recorded again."""
        self._tables.delete(FINDINGS, _poison_key(record.queue), record.key)


def _poison_key(queue: str) -> str:
    return f"poison-{queue}"
