"""Plan for one vault certificate, and put it on the queue if it has work."""

from dataclasses import dataclass

from shared.controllers.certificate.admission import has_unrecorded
from shared.controllers.certificate.roots import has_unknown, note_wants, report_waves
from shared.controllers.sweep.reading import Inspection
from shared.controllers.sweep.use import Use
from shared.domain.certificates.lineage import Lineage
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.intent import Mode
from shared.domain.messages import Cause, CertificateMessage
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.backoff import LONGEST_PAUSE, until_open
from shared.loop.report import report_lineage, report_plan
from shared.loop.run import Run
from shared.planning import planner
from shared.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen once for all vault certificates: the fleet, and what the journal knows of environments."""

    fleet: Fleet
    environment_records: tuple[EnvironmentRecord, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """One vault certificate in the fleet, and what is to be done for it."""

    snapshot: Snapshot
    plan: Plan


def judge(run: Run, seen: Seen, use: Use, ref: VaultCertificateRef, inspection: Inspection) -> Inspection:
    """Put the certificate on the queue if it has work, and say so. Bringing old values back needs no vault."""
    if inspection.error is not None:
        return inspection
    try:
        if ref in use.opposed and inspection.lineage is not None:
            return _left_alone(run, seen, inspection.lineage, use.opposed[ref])
        if inspection.lineage is None:
            busy = bool(run.ports.rollouts.rollout(ref, "").unfinished(seen.fleet.taken_at))
        else:
            busy = use.has(inspection.lineage) and _has_work(run, _planned(run, seen, inspection.lineage))
        if busy:
            run.ports.queue.send_certificate(CertificateMessage(ref, Cause.SWEEP))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one lineage, the others are looked at; raised above
        return Inspection(inspection.lineage, error=error)
    return Inspection(inspection.lineage, busy)


def _left_alone(run: Run, seen: Seen, lineage: Lineage, other: VaultCertificateRef) -> Inspection:
    """Report what would be done, and why nothing is."""
    ref = lineage.ref
    _has_work(run, _planned(run, seen, lineage))
    detail = (
        f"{ref} and {other} hold the same certificates in opposite order, and each would take the other's choice for "
        "stale; nothing of either is moved: delete one of them, or put a new version on top"
    )
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), Reason.AMBIGUOUS_LINEAGE, detail),))
    return Inspection(lineage)


def _planned(run: Run, seen: Seen, lineage: Lineage) -> Planned:
    """Plan for one vault certificate, and report the plan."""
    fleet = seen.fleet
    report_lineage(run.ports.findings, lineage, fleet.taken_at)
    if lineage.current is None and lineage.refusal is not None:
        finding = Finding(fleet.taken_at, str(lineage.ref), str(lineage.ref), *lineage.refusal)
        run.ports.findings.report((finding,))
    version = lineage.current.version if lineage.current else ""
    rollout = run.ports.rollouts.rollout(lineage.ref, version) if lineage.current else Rollout(version)
    snapshot = Snapshot(lineage, fleet, rollout, environment_records=seen.environment_records)
    plan = planner.plan(snapshot, run.intent)
    report_plan(run.ports.findings, plan, snapshot)
    report_waves(snapshot, plan, run.intent)
    return Planned(snapshot, plan)


def _has_work(run: Run, planned: Planned) -> bool:
    """Return True if a message for the certificate would change something, or finish what was begun."""
    snapshot, plan, rollout = planned.snapshot, planned.plan, planned.snapshot.rollout
    outstanding = rollout.pending or rollout.failed or rollout.rolling or rollout.unfinished(snapshot.now)
    more = has_unrecorded(snapshot, plan, run.intent) or _opens_soon(run, plan)
    return bool(plan.steps or outstanding or more or _has_unknown_root(run, snapshot))


def _has_unknown_root(run: Run, snapshot: Snapshot) -> bool:
    """Return True if the vault object is a root that is there and that the journal does not know.

    On the way, write down of which environments the vault object is a root.
    """
    if run.intent.mode is not Mode.APPLY:
        return False
    note_wants(run, snapshot)
    return has_unknown(snapshot)


def _opens_soon(run: Run, plan: Plan) -> bool:
    """Return True if something waits for a restart window that a later sweep might miss."""
    closed = any(skip.reason is Reason.OUTSIDE_WINDOW for skip in plan.skips)
    return closed and until_open(run) - run.now() <= LONGEST_PAUSE
