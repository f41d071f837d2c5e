"""Ask for an inspection of the fleet by a message; one inspection answers all that asked before it began (ADR 48)."""

from shared.domain.errors import StorageFailed
from shared.domain.messages import Cause, CertificateMessage
from shared.domain.names import VaultCertificateRef
from shared.loop.run import Run


def ask_for_look(run: Run, ref: VaultCertificateRef, cause: Cause, waits: int = 0) -> None:
    """Queue a message for a vault certificate, with the number of the last inspection that has begun.

    If the journal does not answer, the message has no number, and its run always looks. The message also has the mark
    of this moment, by which renewals that wait together share an inspection (ADR 67).
    """
    try:
        after: int | None = run.ports.looks.last(ref).number
    except StorageFailed:
        after = None
    run.ports.queue.send_certificate(CertificateMessage(ref, cause, waits, after, run.ports.fleet_reads.mark()))
