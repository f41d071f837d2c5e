"""Build the plan for one vault certificate, and queue a message for the vault certificate if it needs a change."""

from dataclasses import dataclass

from shared.controllers.certificate.admission import has_unrecorded
from shared.controllers.certificate.progress import send_sites
from shared.controllers.certificate.roots import has_unknown, note_wants, report_waves
from shared.controllers.sweep.reading import Inspection
from shared.controllers.sweep.use import Use
from shared.domain.certificates.lineage import Lineage
from shared.domain.despite_storage import storage_failures
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import StorageFailed
from shared.domain.findings import Finding
from shared.domain.fleet.districts import Districts
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_memory import recalled
from shared.domain.intent import Mode
from shared.domain.messages import Cause
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.same_certificate import with_holds
from shared.domain.snapshot.concern import concerned
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.asks import ask_for_look
from shared.loop.backoff import LONGEST_PAUSE, until_open
from shared.loop.compare import with_compared
from shared.loop.opposed import opposed_finding
from shared.loop.preflight import preflighted
from shared.loop.report import report_held, report_lineage, report_plan, report_tags_of
from shared.loop.run import Run
from shared.planning import planner
from shared.planning.closing import IsGone, gone_from, unused_in
from shared.planning.plan import Plan
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class Seen:
    """The fleet and the records of environments that the sweep read once for all vault certificates."""

    fleet: Fleet
    districts: Districts
    """The districts of the fleet, because the plan for a vault certificate looks only at those that it concerns."""
    environment_records: tuple[EnvironmentRecord, ...]
    checks: Ports
    """The ports by which the sweep checks the steps of all plans before a write."""
    with_findings: frozenset[str] = frozenset()
    """The scopes that may have open findings, such as vault certificates."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The snapshot of the fleet for one vault certificate, and the plan for this vault certificate."""

    snapshot: Snapshot
    plan: Plan


def judge(run: Run, seen: Seen, use: Use, ref: VaultCertificateRef, inspection: Inspection) -> Inspection:
    """Plan for a vault certificate that the sweep has read, and queue a message if the certificate needs a run.

    Return the given inspection with the decision (`busy`), or with the error that prevented a plan.

    A vault certificate that Certroll could not read still needs a run if the change of a site or app is unfinished.
    Certroll can restore the last good settings of an app without Key Vault.
    """
    if inspection.error is not None:
        return inspection
    try:
        if inspection.lineage is not None:
            report_tags_of(run.ports.findings, inspection.lineage, seen.fleet.taken_at)
        if ref in use.opposed and inspection.lineage is not None:
            return _left_alone(run, seen, inspection.lineage, use.opposed[ref])
        if inspection.lineage is None:
            busy = bool(run.ports.rollouts.begun_in(ref))
        elif use.has(inspection.lineage):
            planned = _planned(run, seen, inspection.lineage)
            busy = _has_work(run, planned)
            if not busy:
                # the app's run sees whether the app still uses the version, with few requests
                send_sites(run, ref, (roll.site for roll in planned.snapshot.rollout.held_by))
        else:
            busy = False
            _close(run, seen, ref, unused_in(seen.fleet))
        if busy:
            ask_for_look(run, ref, Cause.SWEEP)
    except Exception as error:  # noqa: BLE001 - the other certificates must continue; the sweep raises it
        return Inspection(inspection.lineage, error=error)
    return Inspection(inspection.lineage, busy)


def queue_begun(run: Run, known: frozenset[str]) -> tuple[tuple[VaultCertificateRef, ...], tuple[StorageFailed, ...]]:
    """Queue a message for each vault certificate with an unfinished change that the sweep does not know.

    Return these vault certificates, and the errors of messages that could not be sent. An operator may have deleted the
    vault certificate, or taken its vault out of CERTROLL_VAULTS.
    """
    begun = tuple(sorted(ref for ref in run.ports.rollouts.begun() if str(ref) not in known))
    return begun, storage_failures(begun, lambda ref: ask_for_look(run, ref, Cause.SWEEP))


def _left_alone(run: Run, seen: Seen, lineage: Lineage, other: VaultCertificateRef) -> Inspection:
    """Report the plan for one of two vault certificates that share versions in opposite order.

    If two vault certificates share versions in opposite order, Certroll reports both plans and carries neither out.
    """
    run.ports.findings.report((opposed_finding(run, lineage.ref, other),))
    _has_work(run, _planned(run, seen, lineage))
    return Inspection(lineage)


def _close(run: Run, seen: Seen, ref: VaultCertificateRef, is_gone: IsGone) -> None:
    """Close the findings of a vault certificate whose causes are gone, if the vault certificate may have findings."""
    if str(ref) in seen.with_findings:
        run.ports.findings.close(str(ref), run.now(), is_gone)


def _planned(run: Run, seen: Seen, lineage: Lineage) -> Planned:
    """Build and report the plan for one vault certificate."""
    at = seen.fleet.taken_at
    report_lineage(run.ports.findings, lineage, at)
    if lineage.current is None and lineage.refusal is not None:
        finding = Finding(at, str(lineage.ref), str(lineage.ref), *lineage.refusal)
        run.ports.findings.report((finding,))
    version = lineage.current.version if lineage.current else ""
    known = run.ports.rollouts.rollout(lineage.ref, version) if lineage.current else Rollout(version)
    rollout = with_holds(known, lineage)
    fleet = concerned(seen.districts, lineage, rollout)
    if more := rollout.thumbprints.difference(version.thumbprint for version in lineage.versions):
        fleet = recalled(fleet, more)
    observed = Snapshot(lineage, fleet, rollout, environment_records=seen.environment_records)
    snapshot = with_compared(run.ports, observed)
    plan = preflighted(run, seen.checks, planner.plan(snapshot, run.intent), snapshot)
    report_plan(run.ports.findings, plan, snapshot)
    report_held(run.ports.findings, snapshot)
    report_waves(snapshot, plan, run.intent)
    _close(run, seen, lineage.ref, gone_from(snapshot, plan))
    return Planned(snapshot, plan)


def _has_work(run: Run, planned: Planned) -> bool:
    """Return True if a run for the vault certificate would change something, or finish an earlier change."""
    snapshot, plan, rollout = planned.snapshot, planned.plan, planned.snapshot.rollout
    outstanding = rollout.pending or rollout.failed or rollout.rolling or rollout.unfinished(snapshot.now)
    more = has_unrecorded(snapshot, plan, run.intent) or _opens_soon(run, plan)
    return bool(plan.steps or outstanding or more or _has_unknown_root(run, snapshot))


def _has_unknown_root(run: Run, snapshot: Snapshot) -> bool:
    """Return True if an environment holds the vault object as a root certificate that Certroll's journal does not list.

    In the mode `apply`, this function also records the environments in which the vault object is to be a root.
    """
    if run.intent.mode is not Mode.APPLY:
        return False
    note_wants(run, snapshot)
    barrier = run.intent.barrier(snapshot.lineage.tags, str(snapshot.lineage.ref))
    return barrier is None and has_unknown(snapshot)


def _opens_soon(run: Run, plan: Plan) -> bool:
    """Return True if a step waits for a restart window that opens in the next four hours."""
    closed = any(skip.reason is Reason.OUTSIDE_WINDOW for skip in plan.skips)
    return closed and until_open(run) - run.now() <= LONGEST_PAUSE
