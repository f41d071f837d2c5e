"""Handle the queue `sites`: bring the current version to one site or slot, and prove that the site serves it."""

from dataclasses import replace

from shared.controllers.site.app import awaiting_turn, give_back_restart, may_restart
from shared.controllers.site.bindings import bindings_of_site
from shared.controllers.site.finishing import finish_bindings
from shared.controllers.site.settings_roll import roll_app
from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import CertrollError, Conflict, LeaseBusy, NotSettled, OutOfTime, RecordUnreadable, Transient
from shared.domain.findings import Finding, SeenBy
from shared.domain.messages import MOST_WAITS, Cause, SiteMessage
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.same_certificate import has_failed, still_holds
from shared.domain.rollout.settings_record import UNFINISHED, RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.loop.asks import ask_for_look
from shared.loop.backoff import UNANSWERED, planning_again, until_answered, until_free
from shared.loop.lineage import read_lineage, refuse_unknown, without_current
from shared.loop.run import Run
from shared.ports.storage import Lease
from shared.telemetry import event

LATER: tuple[type[CertrollError], ...] = (*UNANSWERED, NotSettled)
"""The errors after which the message comes back. After NotSettled, Azure took a write and still shows the old state."""
BINDINGS_LEFT = frozenset({SiteState.PENDING, SiteState.FAILED})
"""The states of a site whose bindings a run may have to move although the settings of its app wait."""
URGENCY: tuple[type[Outcome], ...] = (Waiting, Deferred, Stalled, Converged)
"""The types of outcomes in order: if a site has two outcomes, the message gets the outcome whose type comes first."""


def reconcile_site(run: Run, message: SiteMessage) -> Outcome:
    """Bring the current version of one vault certificate to the bindings and app settings of one site or slot."""
    if foreign := refuse_unknown(run, message.ref):
        return _log_site(message, foreign)
    try:
        with run.ports.leases.hold(f"site {message.site.resource_id}") as lease:
            outcome = planning_again(lambda: _reconcile_recorded_site(run, lease, message))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late))
    except RecordUnreadable as unreadable:
        outcome = Stalled(Reason.RECORD_UNREADABLE, str(unreadable))
    except LATER as error:
        roll = run.ports.settings_rolls.roll(message.ref, message.site)
        if roll is not None and roll.state in UNFINISHED:
            raise  # the queue goes on with the app until its change is finished or taken back
        outcome = _put_off(run, message, roll, error)
    # Only the run of a vault certificate decides on which sites Certroll works next. If a queue message names a site
    # that is not in Certroll's journal, or that no longer holds the version, Certroll starts a run of the vault
    # certificate. For any other recorded site, a message
    # of the vault certificate already waits in the queue. For a site in the journal, Certroll queues a message of the
    # vault certificate whose run must finish without a pause. A run that must finish without a pause reads Azure's
    # resources only once.
    if isinstance(outcome, Deferred):
        waits = 0 if outcome.reason in {Reason.NOT_ADMITTED, Reason.HOLD_ENDED} else MOST_WAITS
        ask_for_look(run, message.ref, Cause.WAIT, waits)
    return _log_site(message, outcome)


def _put_off(run: Run, message: SiteMessage, roll: RollRecord | None, error: CertrollError) -> Outcome:
    """Report a site for which Azure gave no useful answer, and return the outcome.

    An app that Azure shows changed at each write waits for the next sweep, so that it keeps no other app waiting.
    """
    outcome: Stalled | Waiting = until_answered(run, error, message.waits)
    if isinstance(error, Conflict) and roll is not None and roll.state is RollState.STALE:
        outcome = Stalled(outcome.reason, outcome.detail)
        run.ports.settings_rolls.put_roll(message.ref, replace(roll, state=RollState.REFUSED, detail=outcome.detail))
        give_back_restart(run, message.ref, roll)
    subject, detail = str(message.site), outcome.detail
    finding = Finding(run.now(), str(message.ref), subject, outcome.reason, detail, SeenBy.SITE, message.site)
    run.ports.findings.report((finding,))
    return outcome


def _log_site(message: SiteMessage, outcome: Outcome) -> Outcome:
    event(
        "site.reconciled",
        certificate=str(message.ref),
        site=str(message.site),
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome


# ------------------------------------------------------------------------------------------------ one site or slot


def _reconcile_recorded_site(run: Run, lease: Lease, message: SiteMessage) -> Outcome:
    """Update the bindings of the site first, and then its app settings, as the journal's records of the site demand.

    Certroll finishes the settings update of an older version if the update began before the current version came.
    """
    recorded = run.ports.settings_rolls.roll(message.ref, message.site)
    if recorded is not None and _only_waits(run, message, recorded):
        return awaiting_turn(run, recorded, message.waits)
    lineage = _lineage(run, message, recorded)
    known = lineage if isinstance(lineage, Lineage) else Lineage(message.ref, (), None)
    current = known.current
    record = _site_record(run, message, known, recorded)
    # bindings wait for a vault that is only silent, because the vault may have refused or disabled the version
    waiting = isinstance(lineage, Lineage) or lineage.reason is Reason.VAULT_UNREACHABLE
    left = None if waiting else run.ports.rollouts.site(message.ref, None, message.site)
    roll = _to_go_on_from(recorded, known)
    outcomes: list[Outcome] = []
    if record is not None and current and (roll is None or record.state in BINDINGS_LEFT):
        outcomes.append(bindings_of_site(run, lease, known, current, record))
    if left is not None and left.state is SiteState.PENDING:
        outcomes.append(finish_bindings(run, lease, message.ref, left))
    if roll is not None:
        outcomes.append(roll_app(run, lease, _as_of(known, roll), roll, message.waits))
    if outcomes:
        return min(outcomes, key=lambda outcome: URGENCY.index(type(outcome)))
    if not isinstance(lineage, Lineage):
        return lineage
    if current is None:
        return without_current(run, lineage)
    detail = f"{message.site} is not recorded for version {current.version} of {message.ref}"
    return Deferred(Reason.NOT_ADMITTED, detail)


def _only_waits(run: Run, message: SiteMessage, roll: RollRecord) -> bool:
    """Return True if the app may not restart yet, and its site has no bindings to move either.

    The journal alone decides it, because fifty waiting apps come back hundreds of times until each has had its turn.
    """
    if roll.state is not RollState.STALE or may_restart(run, message.ref, roll):
        return False
    record = run.ports.rollouts.site(message.ref, None, message.site)
    return record is None or record.state not in BINDINGS_LEFT


def _site_record(run: Run, message: SiteMessage, lineage: Lineage, roll: RollRecord | None) -> SiteRecord | None:
    """Return the record of the site's bindings, or None without a record of the current certificate.

    Raise RecordUnreadable if the record is unreadable, unless Certroll must judge or take back settings of the app.
    """
    if lineage.current is None:
        return None
    try:
        record = run.ports.rollouts.site(message.ref, None, message.site)
    except RecordUnreadable:
        if roll is None or roll.state not in UNFINISHED:
            raise
        return None
    is_of = record is not None and (record.version == lineage.current.version or has_failed(record, lineage))
    return record if is_of else None


def _lineage(run: Run, message: SiteMessage, roll: RollRecord | None) -> Lineage | Stalled:
    """Read the vault certificate. If the vault does not answer, a run that judges or takes back an app goes on.

    The edits in the journal and the app's answers suffice to judge and restore settings that Certroll has written. Only
    the vault tells which settings to write, whether an app whose write is in doubt still names the certificate, and
    which certificate an app without edits has to show.
    """
    try:
        return read_lineage(run, message.ref)
    except Transient as silent:
        if roll is None or roll.state not in UNFINISHED or not roll.edits:
            raise
        return Stalled(Reason.VAULT_UNREACHABLE, str(silent))


def _to_go_on_from(roll: RollRecord | None, lineage: Lineage) -> RollRecord | None:
    """Return the record of the settings update to carry on with, or None.

    Certroll carries on with a settings update for the current version. Certroll finishes the settings update for
    another version, because Certroll can judge and restore an app's settings without Key Vault. If Certroll cannot read
    the vault object, it also finds out whether a write of which it knows no outcome changed the settings.
    """
    if roll is None or _is_of(roll, lineage.current) or still_holds(roll, lineage):
        return roll
    return roll if roll.state in UNFINISHED or (roll.is_left_open and not lineage.versions) else None


def _is_of(roll: RollRecord, version: CertificateVersion | None) -> bool:
    """Return True if the settings update brings the app the given version of the vault certificate."""
    return version is not None and roll.version == version.version


def _as_of(lineage: Lineage, roll: RollRecord) -> Lineage:
    """Return the vault certificate with the version of the app's record as its current version, None if it is gone."""
    version = next((known for known in lineage.versions if known.version == roll.version), None)
    return replace(lineage, current=version, refusal=None)
