"""Handle an Event Grid event of a vault."""

from shared.domain.errors import EventRejected
from shared.domain.findings import Finding, SeenBy
from shared.domain.messages import Cause
from shared.loop.asks import ask_for_look
from shared.loop.run import Run
from shared.telemetry import event


def on_vault_event(run: Run, text: str) -> None:
    """Put the vault certificate that an Event Grid event names on the queue `certificates`.

    Certroll accepts an event of a vault outside of CERTROLL_VAULTS, and records the event as a finding (a reported
    problem). If Certroll refused an event of a foreign vault, Event Grid would deliver the event again for a day.
    """
    now = run.now()
    try:
        seen = run.ports.read_event(text, run.intent.vaults)
    except EventRejected as rejected:
        run.ports.findings.report((Finding(now, "events", str(rejected)[:200], rejected.reason, str(rejected)),))
        event("event.rejected", reason=rejected.reason, detail=str(rejected))
        return
    if seen.finding is not None:
        detail = "Key Vault reported this; Certroll inspects the certificate, and rolls out the newest version"
        found = Finding(now, str(seen.ref), str(seen.ref), seen.finding, detail, SeenBy.VERSION)
        run.ports.findings.report((found,))
    ask_for_look(run, seen.ref, Cause.EVENT)
    event("event.accepted", certificate=str(seen.ref), finding=seen.finding)
