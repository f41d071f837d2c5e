"""Observe one app whose settings Certroll updates, and record the result of the update."""

from dataclasses import dataclass, replace

from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding, HistoryEntry, SeenBy
from shared.domain.messages import MOST_WAITS, Cause, SiteMessage
from shared.domain.names import Thumbprint, VaultCertificateRef
from shared.domain.outcome import Deferred, Outcome, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.subject import site_subject
from shared.loop.asks import ask_for_look
from shared.loop.backoff import pause
from shared.loop.compare import with_compared
from shared.loop.connect_address import Inbound, inbound_of
from shared.loop.observe.site import observe_app
from shared.loop.report import report_plan
from shared.loop.restart_claims import Limits, give_back, has_room, limits_of
from shared.loop.run import Run
from shared.planning import planner
from shared.planning.acting.subjects import is_binding_subject
from shared.planning.closing import seen_before
from shared.planning.guards.thumbprint_not_live import not_live
from shared.planning.plan import Plan
from shared.ports.storage import Lease

UNASKED = (Reason.NO_PROBE, Reason.PROBE_INVALID, Reason.PROBE_PROVES_NOTHING, Reason.NOT_ASKED_BEFORE)
"""The results that show nothing of an app, so that an earlier finding about the app may still hold."""

ENDED = (Reason.CHANGE_UNFINISHED, Reason.UNANSWERED)
"""The findings that end with any result of the app, because Azure has shown the app, and the change is over."""


@dataclass(frozen=True, slots=True)
class App:
    """One app, with its record in the journal, the resources that Certroll observed, and the plan for the app."""

    run: Run
    lease: Lease
    """The lease of the site. A run that has lost this lease may write nothing more."""
    lineage: Lineage
    """The vault certificate, with the version of the record as its current version."""
    record: RollRecord
    snapshot: Snapshot
    plan: Plan
    """The steps that write the settings of this app, and why Certroll may not do other steps."""
    waits: int
    """How often the message has waited already."""
    inbound: Inbound
    """The address of the internal environment of the app."""

    @property
    def new(self) -> Thumbprint:
        """The thumbprint of the version of the vault certificate that the app is to use.

        If the vault's current version is another one, Certroll takes the thumbprint from the journal's settings edits.
        """
        added = next((edit.add for edit in self.record.edits if edit.add is not None), Thumbprint(""))
        current = self.lineage.current
        return current.thumbprint if current and current.version == self.record.version else added

    @property
    def old(self) -> frozenset[Thumbprint]:
        """The thumbprints that the app's settings named before Certroll updated these settings."""
        return frozenset(self.record.replaces)

    @property
    def running(self) -> bool:
        """True if Azure shows the app as running."""
        site = self.snapshot.site(self.record.site)
        return site is not None and site.running


def forget_settings(app: App) -> None:
    """Forget the settings of the app, so that the next inspection reads what Certroll is about to write.

    Some writes of settings do not move the moment by which Certroll notices a change (azure-cli recordings).
    """
    site = app.record.site
    app.run.ports.settings_memory.forget(site.subscription, (site.resource_id,))


def inspect_app(run: Run, lease: Lease, lineage: Lineage, record: RollRecord, waits: int) -> App:
    """Observe the app, build the plan for the app, and return both as an `App`."""
    fleet = observe_app(run.ports.app_service, record.site, record.copies, lineage.ref, run.now())
    held = frozenset((record.webspace, thumbprint) for thumbprint in record.replaces)
    wanting_root = frozenset({record.site} if record.wants_root else ())
    observed = Snapshot(lineage, fleet, Rollout(record.version, rolls=(record,)), held, wanting_root)
    snapshot = with_compared(run.ports, observed)
    whole = planner.plan(snapshot, run.intent).of(record.site)
    plan = Plan(
        tuple(step for step in whole.steps if step.action.restarts_site),
        tuple(skip for skip in whole.skips if not is_binding_subject(skip.subject)),
        tuple(would for would in whole.would if would.step.action.restarts_site),
        # the run of an app writes no certificates into App Service; the run of the vault certificate does
    ).refuse(lambda step: not_live(step, snapshot))
    report_plan(run.ports.findings, plan, snapshot)
    return App(run, lease, lineage, record, snapshot, plan, waits, inbound_of(run.ports, snapshot.site(record.site)))


def settling_after(app: App, state: RollState, *, doubtful: bool = False) -> Outcome:
    """Record the app in its new state, and return a `Waiting` outcome while App Service restarts the app.

    With `doubtful`, the record says that Azure may not have carried out the change, and otherwise no longer says so.
    """
    now = app.run.now()
    record = replace(app.record, state=state, at=now, failing_since=None, in_doubt=doubtful)
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, record)
    until = now + app.run.intent.probe_settle
    return Waiting(
        until, Reason.SETTLING, f"{record.site} restarts; Certroll sends its probe afterwards", progress=True
    )


def restart_limits(run: Run, record: RollRecord) -> Limits:
    """Return the limits on simultaneous restarts that apply to the app.

    If the app's record names no restart budget of an environment, only the limit of the App Service plan applies.
    """
    return limits_of(record.plan, record.budget) if record.budget else ((record.plan, run.intent.max_restarts),)


def may_restart(run: Run, ref: VaultCertificateRef, record: RollRecord) -> bool:
    """Return True if the restart limits of its plan and environment let the app restart now."""
    return has_room(run, restart_limits(run, record), record.site, ref)


def awaiting_turn(run: Run, record: RollRecord, waits: int) -> Waiting:
    """Return the wait of an app for the restarts of other apps."""
    detail = f"{record.site} waits: enough other sites of its App Service plan or environment are restarting"
    return Waiting(run.now() + pause(waits), Reason.PLAN_BUSY, detail)


# ------------------------------------------------------------------------------------------------------- the record


def conclude(app: App, state: RollState, outcome: Outcome, record: RollRecord | None = None) -> Outcome:
    """Record the result of the app's settings update, stop counting the app as restarting, and return the outcome.

    The restart budget is the limit on how many apps of an App Service plan or environment may restart at once.

    `record` is the app's changed journal record, or None if this run changed no field of the journal record.
    """
    record = record or app.record
    # Azure may still carry out the change of an app that is put off; any other result is the end of the doubt.
    at, in_doubt = (record.at, record.in_doubt) if state is RollState.REFUSED else (app.run.now(), False)
    record = replace(record, state=state, at=at, detail=outcome.detail, in_doubt=in_doubt)
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, record)
    give_back_restart(app.run, app.lineage.ref, app.record)
    rollout = app.run.ports.rollouts.rollout(app.lineage.ref, app.record.version)
    _wake(app, state, outcome, rollout)
    report_app(app, outcome)
    _send_next(app, rollout)
    return outcome


def _send_next(app: App, rollout: Rollout) -> None:
    """Queue a message for the next app that waits for the restart which this app gives back.

    The message of a waiting app comes back after up to a quarter of an hour. The apps take turns in the order of their
    names, so that an app which cannot go on holds up no other app twice.
    """
    limits = {resource_id for resource_id, _ in restart_limits(app.run, app.record)}
    waiting = sorted(
        roll.site
        for roll in rollout.rolls
        if roll.state is RollState.STALE
        and roll.site != app.record.site
        and not limits.isdisjoint(resource_id for resource_id, _ in restart_limits(app.run, roll))
    )
    if waiting:
        site = next((site for site in waiting if site > app.record.site), waiting[0])
        app.run.ports.queue.send_site(SiteMessage(site, app.lineage.ref))


def _wake(app: App, state: RollState, outcome: Outcome, rollout: Rollout) -> None:
    """Start a run of the vault certificate at once if the certificate waited for this app alone.

    This function ignores a deferred app (which failed its probe before any write), because the controller sends a
    message for a deferred app. This function sends no message for an app whose update Azure refused, because a
    refusal does not let Certroll continue with other apps. The message that this function queues must finish without a
    pause, because a message of the vault certificate already waits.
    """
    ref = app.lineage.ref
    silent = isinstance(outcome, Deferred) or state is RollState.REFUSED
    if not silent and not rollout.rolling:
        ask_for_look(app.run, ref, Cause.WAIT, MOST_WAITS)


def report_app(app: App, outcome: Outcome) -> Outcome:
    """Write the outcome into the history, record a finding (a reported problem) if needed, and return the outcome."""
    ref, now, site = app.lineage.ref, app.run.now(), str(app.record.site)
    ports = app.run.ports
    ports.history.add(ref, (HistoryEntry(now, "app.rolled", site, outcome.reason, outcome.detail[:1000]),))
    # The run of the vault object reports a hold, once for the version.
    if outcome.reason.makes_finding and outcome.reason is not Reason.VERSION_HELD:
        detail, seen_by = outcome.detail[:1000], SeenBy.APP
        found = Finding(
            now, str(ref), site_subject(app.record.site, "app "), outcome.reason, detail, seen_by, app.record.site
        )
        ports.findings.report((found,))
    is_gone, asked = seen_before(now, SeenBy.APP), outcome.reason not in UNASKED
    ports.findings.close(
        str(ref),
        now,
        lambda found: found.site == app.record.site and (asked or found.reason in ENDED) and is_gone(found),
    )
    return outcome


def give_back_restart(run: Run, ref: VaultCertificateRef, record: RollRecord) -> None:
    """Stop counting the app against the limit of simultaneous restarts."""
    give_back(run, (resource_id for resource_id, _ in restart_limits(run, record)), record.site, ref)
