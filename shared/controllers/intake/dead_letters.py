"""Messages that failed for good: keep them, and put them back on request."""

import re

from shared.domain.errors import NotFound
from shared.domain.messages import CERTIFICATES, ENVIRONMENTS, SITES
from shared.loop.run import Run
from shared.telemetry import event

_KEY = re.compile(r"[0-9a-f]{64}")


def on_poison(run: Run, queue: str, body: str) -> None:
    """Keep a message that failed five times, with the cause of its last failure."""
    record = run.ports.dead_letters.add(queue, body, None)
    event("message.dead_lettered", queue=queue, key=record.key, cause=record.cause)


def replay(run: Run, queue: str, key: str) -> None:
    """Put a kept message back on its queue. Raises NotFound where none is kept under this key."""
    if queue not in {CERTIFICATES, SITES, ENVIRONMENTS} or not _KEY.fullmatch(key):
        raise NotFound(f"{queue[:40]!r} and {key[:80]!r} do not name a kept message")
    record = run.ports.dead_letters.get(queue, key)
    run.ports.queue.put_back(queue, record.body)
    run.ports.dead_letters.forget(record)
    event("message.replayed", queue=queue, key=key)
