"""What an Event Grid event asks for."""

from shared.domain.errors import EventRejected
from shared.domain.findings import Finding
from shared.domain.messages import Cause, CertificateMessage
from shared.loop.run import Run
from shared.telemetry import event


def on_vault_event(run: Run, text: str) -> None:
    """Put the certificate that an event names on the queue; an event that is not for us is recorded and accepted.

    A refusal would only be sent again for a day.
    """
    now = run.now()
    try:
        seen = run.ports.read_event(text, run.intent.vaults)
    except EventRejected as rejected:
        run.ports.findings.report((Finding(now, "events", str(rejected)[:200], rejected.reason, str(rejected)),))
        event("event.rejected", reason=rejected.reason, detail=str(rejected))
        return
    if seen.finding is not None:
        detail = "Key Vault says so; it is looked at again, and a newer version rolled out where there is one"
        run.ports.findings.report((Finding(now, str(seen.ref), str(seen.ref), seen.finding, detail),))
    run.ports.queue.send_certificate(CertificateMessage(seen.ref, Cause.EVENT))
    event("event.accepted", certificate=str(seen.ref), finding=seen.finding)
