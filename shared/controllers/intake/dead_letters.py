"""Store messages that failed five times as dead letters.

On an operator's request, put a dead letter back on its queue, or remove the dead letter.
"""

import re
from contextlib import suppress
from dataclasses import replace

from shared.domain.errors import MessageInvalid, NotFound
from shared.domain.findings import DeadLetter
from shared.domain.messages import CERTIFICATES, SWEEPS, WORK_QUEUES, CertificateMessage, SweepMessage
from shared.loop.run import Run
from shared.telemetry import event

_KEY = re.compile(r"[0-9a-f]{64}")


def keep(run: Run, queue: str, body: str) -> None:
    """Store a message that failed five times as a dead letter, with the cause of its last failure."""
    record = run.ports.dead_letters.add(queue, body, None)
    event("message.dead_lettered", queue=queue, key=record.key, cause=record.cause)


def replay(run: Run, queue: str, key: str) -> None:
    """Put a dead letter back on its queue. Raises NotFound if the journal has no dead letter with this key."""
    record = _found(run, queue, key)
    run.ports.queue.put_back(queue, _asked_for(queue, record.body))
    _forget(run, record)
    event("message.replayed", queue=queue, key=key)


def _asked_for(queue: str, body: str) -> str:
    """Return the body of a message that does its work whatever has happened since, because an operator asks for it now.

    A certificate message without a number always looks at the fleet, and a sweep message without a sweep does its part
    also after the sweep has ended.
    """
    with suppress(MessageInvalid):
        if queue == CERTIFICATES and (message := CertificateMessage.parse(body)).after is not None:
            return replace(message, after=None).body()
        if queue == SWEEPS:
            return replace(SweepMessage.parse(body), sweep=None).body()
    return body


def remove(run: Run, queue: str, key: str) -> None:
    """Delete a dead letter for good. Raises NotFound if the journal has no dead letter with this key."""
    record = _found(run, queue, key)
    _forget(run, record)
    event("message.removed", queue=queue, key=key)


def _forget(run: Run, record: DeadLetter) -> None:
    """Delete a dead letter's record, and close the finding about its message."""
    run.ports.dead_letters.forget(record)
    subject = message_subject(record)
    run.ports.findings.close(queue_scope(record.queue), run.now(), lambda found: found.subject == subject)


def message_subject(record: DeadLetter) -> str:
    """Return the subject of the finding about the message of a dead letter."""
    return f"message {record.key[:12]}"


def queue_scope(queue: str) -> str:
    """Return the scope of findings about messages of a queue."""
    return f"queue {queue}"


def _found(run: Run, queue: str, key: str) -> DeadLetter:
    if queue not in WORK_QUEUES or not _KEY.fullmatch(key):
        raise NotFound(f"{queue[:40]!r} and {key[:80]!r} do not name a dead letter")
    return run.ports.dead_letters.get(queue, key)
