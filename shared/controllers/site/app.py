"""One app whose settings Certroll rolls: what was observed, and how its result is recorded."""

from dataclasses import dataclass, replace

from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.messages import MOST_WAITS, Cause, CertificateMessage
from shared.domain.names import Thumbprint
from shared.domain.outcome import Deferred, Outcome, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.observe.site import observe_app
from shared.loop.reach import Inbound, inbound_of
from shared.loop.report import report_plan
from shared.loop.restart_claims import Limits, give_back, limits_of
from shared.loop.run import Run
from shared.planning import planner
from shared.planning.acting.subjects import is_binding_subject
from shared.planning.guards.thumbprint_not_live import not_live
from shared.planning.plan import Plan
from shared.ports.storage import Lease


@dataclass(frozen=True, slots=True)
class App:
    """One app as it is looked at: what is recorded, what is there, and what is to be done."""

    run: Run
    lease: Lease
    lineage: Lineage
    record: RollRecord
    snapshot: Snapshot
    plan: Plan
    waits: int
    inbound: Inbound

    @property
    def new(self) -> Thumbprint:
        """The thumbprint that it is to use; the record names one where the vault knows the version no more."""
        added = next((edit.add for edit in self.record.edits if edit.add is not None), Thumbprint(""))
        current = self.lineage.current
        return current.thumbprint if current and current.version == self.record.version else added

    @property
    def old(self) -> frozenset[Thumbprint]:
        """The thumbprints that the app named before."""
        return frozenset(self.record.replaces)

    @property
    def running(self) -> bool:
        """Whether the app is running."""
        site = self.snapshot.site(self.record.site)
        return site is not None and site.running


def inspect_app(run: Run, lease: Lease, lineage: Lineage, record: RollRecord, waits: int) -> App:
    """Read the app and plan for it. What Azure shows of it becomes an App."""
    fleet = observe_app(run.ports.app_service, record.site, record.copies, lineage.ref, run.now())
    held = frozenset((record.webspace, thumbprint) for thumbprint in record.replaces)
    wanting_root = frozenset({record.site} if record.wants_root else ())
    snapshot = Snapshot(lineage, fleet, Rollout(record.version, rolls=(record,)), held, wanting_root)
    whole = planner.plan(snapshot, run.intent)
    plan = Plan(
        tuple(step for step in whole.steps if step.action.site == record.site and step.action.restarts_site),
        tuple(skip for skip in whole.skips if skip.site == record.site and not is_binding_subject(skip.subject)),
    ).refuse(lambda step: not_live(step, snapshot))  # what the plan would bring there is brought by another run
    report_plan(run.ports.findings, plan, snapshot)
    return App(run, lease, lineage, record, snapshot, plan, waits, inbound_of(run.ports, snapshot.site(record.site)))


def settling_after(app: App, state: RollState) -> Outcome:
    """Record the app in its new state, and wait until it has restarted."""
    now = app.run.now()
    record = replace(app.record, state=state, at=now, failing_since=None)
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, record)
    until = now + app.run.intent.probe_settle
    return Waiting(until, Reason.SETTLING, f"{record.site} restarts; it is asked afterwards", progress=True)


def restart_limits(run: Run, record: RollRecord) -> Limits:
    """Return where the app counts while it restarts: without a limit for its environment, on its plan alone."""
    return limits_of(record.plan, record.budget) if record.budget else ((record.plan, run.intent.max_restarts),)


# ------------------------------------------------------------------------------------------------------- the record


def conclude(app: App, state: RollState, outcome: Outcome, record: RollRecord | None = None) -> Outcome:
    """Record what became of the app, let another of its plan restart, and return the outcome.

    `record` is that of the app with what this run learned about it, if it learned anything.
    """
    at = app.record.at if state is RollState.REFUSED else app.run.now()
    record = replace(record or app.record, state=state, at=at, detail=outcome.detail)
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, record)
    give_back_restart(app.run, app.lineage, app.record)
    _wake(app, state, outcome)
    return report_app(app, outcome)


def _wake(app: App, state: RollState, outcome: Outcome) -> None:
    """Have the certificate's own run look at once, where this was the last app that it waited for.

    What is deferred goes back to it anyway; an app that was refused frees no other. It looks once: the run that waits
    for the apps goes on by itself.
    """
    ref = app.lineage.ref
    silent = isinstance(outcome, Deferred) or state is RollState.REFUSED
    if not silent and not app.run.ports.rollouts.rollout(ref, app.record.version).rolling:
        app.run.ports.queue.send_certificate(CertificateMessage(ref, Cause.WAIT, MOST_WAITS))


def report_app(app: App, outcome: Outcome) -> Outcome:
    """Write the outcome into the history; if it is not in order, record it as a finding. Return it."""
    ref, now, site = app.lineage.ref, app.run.now(), str(app.record.site)
    ports = app.run.ports
    ports.history.add(ref, (HistoryEntry(now, "app.rolled", site, outcome.reason, outcome.detail[:1000]),))
    if outcome.reason.makes_finding:
        ports.findings.report((Finding(now, str(ref), f"app {site}", outcome.reason, outcome.detail[:1000]),))
    return outcome


def give_back_restart(run: Run, lineage: Lineage, record: RollRecord) -> None:
    """Count the app no longer among those that restart."""
    give_back(run, (resource_id for resource_id, _ in restart_limits(run, record)), record.site, lineage.ref)
