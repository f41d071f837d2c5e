"""Handle the events of a vault, which Event Grid delivers to the queue `events` or to the function `vault_event`."""

from collections.abc import Iterable

from shared.domain.errors import EventRejected
from shared.domain.events import VaultEvent
from shared.domain.findings import Finding, SeenBy
from shared.domain.messages import Cause
from shared.loop.asks import ask_for_look
from shared.loop.run import Run
from shared.telemetry import event


def on_vault_event(run: Run, text: str) -> None:
    """Put each vault certificate that the text of Event Grid names on the queue `certificates`.

    Certroll accepts an event of a vault outside of CERTROLL_VAULTS, and records the event as a finding (a reported
    problem). If Certroll refused an event of a foreign vault, Event Grid would deliver the event again for a day.
    """
    take_events(run, run.ports.read_events(text, run.intent.vaults))


def take_events(run: Run, events: Iterable[VaultEvent | EventRejected]) -> None:
    """Record each rejected event and each warning of Key Vault as a finding, and enqueue the vault certificates."""
    rejected, seen = list[EventRejected](), list[VaultEvent]()
    for read in events:
        if isinstance(read, EventRejected):
            rejected.append(read)
        else:
            seen.append(read)
    findings = (*(_rejection(run, read) for read in rejected), *_warnings(run, seen))
    if findings:
        run.ports.findings.report(findings)
    for rejection in rejected:
        event("event.rejected", reason=rejection.reason, detail=str(rejection))
    for accepted in seen:
        ask_for_look(run, accepted.ref, Cause.EVENT)
        event("event.accepted", certificate=str(accepted.ref), finding=accepted.finding)


def _rejection(run: Run, rejected: EventRejected) -> Finding:
    return Finding(run.now(), "events", str(rejected)[:200], rejected.reason, str(rejected))


def _warnings(run: Run, seen: Iterable[VaultEvent]) -> Iterable[Finding]:
    detail = "Key Vault reported this; Certroll inspects the certificate, and rolls out the newest version"
    for read in seen:
        if read.finding is not None:
            yield Finding(run.now(), str(read.ref), str(read.ref), read.finding, detail, SeenBy.VERSION)
