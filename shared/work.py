"""What each trigger asks for: the step between a message and the loop."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from shared.cycle_environment import cycled_by_hand, reconcile_environment
from shared.domain.errors import Conflict, EventRejected, LeaseBusy, MessageInvalid, NotFound
from shared.domain.messages import Cause, CertificateMessage, EnvironmentMessage, SiteMessage
from shared.domain.names import EnvironmentRef, InvalidNameError, VaultCertificateRef
from shared.domain.outcome import Outcome, Waiting
from shared.domain.reason import Reason
from shared.domain.record import Finding, HistoryEntry
from shared.holds import let_go
from shared.reconcile import reconcile_certificate, reconcile_site
from shared.run import LONGEST_PAUSE, Run
from shared.telemetry import event

CERTIFICATES: Final = "certificates"
SITES: Final = "sites"
ENVIRONMENTS: Final = "environments"

_KEY = re.compile(r"[0-9a-f]{64}")
Message = TypeVar("Message", CertificateMessage, SiteMessage, EnvironmentMessage)


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


def on_certificate(run: Run, body: str, tries: int) -> None:
    """Reconcile the vault certificate of a message. `tries` counts from 1; a later one follows a run that died."""

    def work() -> None:
        message = CertificateMessage.parse(body)
        outcome = reconcile_certificate(run, message, redelivered=tries > 1)
        _come_back(run, outcome, message, run.ports.queue.send_certificate)

    _remembering(run, CERTIFICATES, body, work)


def on_site(run: Run, body: str) -> None:
    """Reconcile the site or slot of a message."""

    def work() -> None:
        message = SiteMessage.parse(body)
        _come_back(run, reconcile_site(run, message), message, run.ports.queue.send_site)

    _remembering(run, SITES, body, work)


def on_environment(run: Run, body: str) -> None:
    """Carry the apps of an App Service Environment through their stops and starts."""

    def work() -> None:
        message = EnvironmentMessage.parse(body)
        _come_back(run, reconcile_environment(run, message), message, run.ports.queue.send_environment)

    _remembering(run, ENVIRONMENTS, body, work)


def cycle(run: Run, group: str, name: str) -> str:
    """Have the apps of a known App Service Environment stopped and started, in waves; return which it is.

    Raises NotFound where none of that name was ever given a root, or had one, by Certroll.
    """
    found = _known_environments(run, group, name)
    for environment in found:
        run.ports.cycles.change(environment, lambda known: known.asked(run.now()))
        event("cycle.asked", environment=str(environment))
        run.ports.queue.send_environment(EnvironmentMessage(environment))
    return ", ".join(environment.resource_id for environment in found)


def cycled(run: Run, group: str, name: str) -> str:
    """Take people's word that the apps of an environment were stopped and started; return which it is.

    Raises NotFound as `cycle` does, and Conflict while a wave is under way.
    """
    found = _known_environments(run, group, name)
    for environment in found:
        try:
            cycled_by_hand(run, environment)
        except LeaseBusy as busy:
            raise Conflict(f"{busy}; try again when its wave is over") from busy
    return ", ".join(environment.resource_id for environment in found)


def _known_environments(run: Run, group: str, name: str) -> tuple[EnvironmentRef, ...]:
    wanted = (group.strip().lower(), name.strip().lower())
    known = (cycle.environment for cycle in run.ports.cycles.all())
    found = tuple(environment for environment in known if (environment.resource_group, environment.name) == wanted)
    if not found:
        raise NotFound(f"no App Service Environment {group[:90]}/{name[:60]} is known: no vault object is a root of it")
    return found


def on_poison(run: Run, queue: str, body: str) -> None:
    """Keep a message that failed five times, with the cause of its last failure."""
    record = run.ports.dead_letters.add(queue, body, None)
    event("message.poisoned", queue=queue, key=record.key, cause=record.cause)


def replay(run: Run, queue: str, key: str) -> None:
    """Put a kept message back on its queue. Raises NotFound where none is kept under this key."""
    if queue not in {CERTIFICATES, SITES, ENVIRONMENTS} or not _KEY.fullmatch(key):
        raise NotFound(f"{queue[:40]!r} and {key[:80]!r} do not name a kept message")
    record = run.ports.dead_letters.get(queue, key)
    run.ports.queue.put_back(queue, record.body)
    run.ports.dead_letters.forget(record)
    event("message.replayed", queue=queue, key=key)


def release(run: Run, vault: str, name: str) -> str:
    """Let a version that failed somewhere go on; return where that was.

    Raises NotFound where nothing is held, Conflict while an app is being taken back, or where another run recorded
    meanwhile all that was held.
    """
    try:
        ref = VaultCertificateRef.parse(vault, "certificate", name)
    except InvalidNameError as error:
        raise NotFound(str(error)) from error
    if ref.vault not in run.intent.vaults:
        raise NotFound(f"vault {ref.vault!r} is not among CERTROLL_VAULTS")
    current = run.ports.vault.lineage(ref, run.now()).current
    sites = let_go(run.ports.rollouts, run.ports.settings_rolls, ref, current.version, run.now()) if current else ()
    if current is None or not sites:
        raise NotFound(f"no version of {ref} is held")
    where = ", ".join(sorted(map(str, sites)))
    entry = HistoryEntry(run.now(), "hold.released", str(ref), Reason.HOLD_RELEASED, where[:1000])
    run.ports.history.add(ref, (entry,))
    event("hold.released", certificate=str(ref), version=current.version, sites=where)
    run.ports.queue.send_certificate(CertificateMessage(ref, Cause.MANUAL))
    return where


def _remembering(run: Run, queue: str, body: str, work: Callable[[], None]) -> None:
    """Do the work; remember why it failed, for the day the message is found in the poison queue.

    A message that cannot be read is kept at once: no retry can mend it.
    """
    try:
        work()
    except MessageInvalid as invalid:
        record = run.ports.dead_letters.add(queue, body, f"{Reason.MALFORMED_MESSAGE}: {invalid}")
        event("message.rejected", queue=queue, key=record.key, detail=str(invalid))
    except Exception as error:
        run.ports.dead_letters.note_cause(body, f"{type(error).__name__}: {error}")
        event("message.failed", queue=queue, error=type(error).__name__, detail=str(error))
        raise


def _come_back(run: Run, outcome: Outcome, message: Message, send: Callable[[Message, timedelta], None]) -> None:
    """Send the message that follows a wait; one that waited too often, or would wait long, is left to the sweep."""
    if not isinstance(outcome, Waiting):
        return
    again = message.again(progress=outcome.progress)
    delay = max(outcome.until - run.now(), timedelta(0))
    if again is None or delay > LONGEST_PAUSE:
        event("wait.left_to_sweep", reason=outcome.reason, until=outcome.until)
        return
    send(again, delay)
