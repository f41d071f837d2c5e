"""Store messages that failed five times as dead letters.

On an operator's request, put a dead letter back on its queue, or remove the dead letter.
"""

import re

from shared.domain.errors import NotFound
from shared.domain.findings import DeadLetter
from shared.domain.messages import WORK_QUEUES
from shared.loop.run import Run
from shared.telemetry import event

_KEY = re.compile(r"[0-9a-f]{64}")


def on_poison(run: Run, queue: str, body: str) -> None:
    """Store a message that failed five times as a dead letter, with the cause of its last failure."""
    record = run.ports.dead_letters.add(queue, body, None)
    event("message.dead_lettered", queue=queue, key=record.key, cause=record.cause)


def replay(run: Run, queue: str, key: str) -> None:
    """Put a dead letter back on its queue. Raises NotFound if the journal has no dead letter with this key."""
    record = _found(run, queue, key)
    run.ports.queue.put_back(queue, record.body)
    run.ports.dead_letters.forget(record)
    event("message.replayed", queue=queue, key=key)


def remove(run: Run, queue: str, key: str) -> None:
    """Delete a dead letter for good. Raises NotFound if the journal has no dead letter with this key."""
    record = _found(run, queue, key)
    run.ports.dead_letters.forget(record)
    event("message.removed", queue=queue, key=key)


def _found(run: Run, queue: str, key: str) -> DeadLetter:
    if queue not in WORK_QUEUES or not _KEY.fullmatch(key):
        raise NotFound(f"{queue[:40]!r} and {key[:80]!r} do not name a dead letter")
    return run.ports.dead_letters.get(queue, key)
