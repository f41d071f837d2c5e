"""The safety net that makes events optional: every imported vault certificate is looked at."""

from dataclasses import dataclass
from functools import partial

from shared import planner
from shared.dispatch import has_unrecorded
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.lineage import Lineage
from shared.domain.messages import Cause, CertificateMessage
from shared.domain.model import Fleet
from shared.domain.names import VaultCertificateRef, VaultName
from shared.domain.plan import Plan
from shared.domain.reason import Reason
from shared.domain.record import Finding
from shared.domain.rollout import Rollout
from shared.domain.snapshot import Snapshot
from shared.inventory import report_references
from shared.observe import observe_fleet
from shared.reconcile import stalled_on_vault
from shared.report import report_blind_spots, report_lineage, report_plan
from shared.run import LONGEST_PAUSE, Run, until_open
from shared.telemetry import event


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at one vault certificate."""

    lineage: Lineage | None = None
    busy: bool = False
    error: Exception | None = None


def sweep(run: Run) -> tuple[VaultCertificateRef, ...]:
    """Return the vault certificates that have work to do, after putting each on the queue.

    The fleet is observed once, whatever the number of lineages. A lineage that cannot be read does not hold up the
    others; what went wrong is raised at the end, as a group.
    """
    vaults = run.intent.vaults
    fleet = _observed(run, vaults)
    report_blind_spots(run.ports.journal, "sweep", fleet)
    refs = sorted({*_imported(fleet, vaults), *_behind_uploads(run, fleet, vaults)})
    looks = list(run.pool.map(partial(_looked_at, run, fleet), refs))
    busy = tuple(ref for ref, look in zip(refs, looks, strict=True) if look.busy)
    report_references(run.ports.journal, fleet, [look.lineage for look in looks if look.lineage])
    event("sweep.completed", certificates=len(refs), enqueued=[str(ref) for ref in busy], sites=len(fleet.sites))
    if failed := [look.error for look in looks if look.error]:
        raise ExceptionGroup("the sweep could not look at everything; what it found elsewhere is on its way", failed)
    return busy


def _imported(fleet: Fleet, vaults: frozenset[VaultName]) -> set[VaultCertificateRef]:
    return {copy.source for copy in fleet.certificates if copy.source and copy.source.vault in vaults}


def _behind_uploads(run: Run, fleet: Fleet, vaults: frozenset[VaultName]) -> set[VaultCertificateRef]:
    """Return every vault certificate where somebody uploads: only its versions tell whether an upload is one."""
    if not any(copy.uploaded for copy in fleet.certificates):
        return set()
    found: set[VaultCertificateRef] = set()
    for vault in sorted(vaults):
        try:
            found.update(run.ports.vault.names(vault))
        except (Denied, NotFound, Rejected) as error:
            finding = Finding(run.now(), "sweep", f"vault {vault}", Reason.VAULT_DENIED, str(error))
            run.ports.journal.report((finding,))
    return found


def _observed(run: Run, vaults: frozenset[VaultName]) -> Fleet:
    try:
        return observe_fleet(
            run.ports.app_service,
            run.pool,
            run.intent.subscriptions,
            lambda copy: copy.uploaded or (copy.source is not None and copy.source.vault in vaults),
            lambda ref: ref.vault in vaults,
            run.now(),
        )
    except Denied as error:
        run.ports.journal.report((Finding(run.now(), "sweep", "subscriptions", Reason.DENIED_BY_AZURE, str(error)),))
        raise


def _looked_at(run: Run, fleet: Fleet, ref: VaultCertificateRef) -> Look:
    """Put the certificate on the queue if it has work, and say so; or return what went wrong with it."""
    try:
        run.check_time()
        lineage = run.ports.vault.lineage(ref, fleet.taken_at)
        busy = _has_work(run, fleet, lineage)
        if busy:
            run.ports.queue.send_certificate(CertificateMessage(ref, Cause.SWEEP))
    except (Denied, NotFound, Rejected) as error:
        stalled_on_vault(run, ref, error)
        if run.ports.journal.rollout(ref, "").unfinished(fleet.taken_at):  # bringing old values back needs no vault
            run.ports.queue.send_certificate(CertificateMessage(ref, Cause.SWEEP))
            return Look(busy=True)
        return Look()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one lineage, the others are looked at; raised above
        return Look(error=error)
    return Look(lineage, busy)


def _has_work(run: Run, fleet: Fleet, lineage: Lineage) -> bool:
    report_lineage(run.ports.journal, lineage, fleet.taken_at)
    version = lineage.current.version if lineage.current else ""
    rollout = run.ports.journal.rollout(lineage.ref, version) if lineage.current else Rollout(version)
    snapshot = Snapshot(lineage, fleet, rollout)
    plan = planner.plan(snapshot, run.intent)
    report_plan(run.ports.journal, plan, snapshot)
    outstanding = rollout.pending or rollout.failed or rollout.rolling or rollout.unfinished(fleet.taken_at)
    return bool(plan.steps or outstanding or has_unrecorded(snapshot, plan, run.intent) or _opens_soon(run, plan))


def _opens_soon(run: Run, plan: Plan) -> bool:
    """Say whether something waits for a restart window that a later sweep might miss."""
    closed = any(skip.reason is Reason.OUTSIDE_WINDOW for skip in plan.skips)
    return closed and until_open(run) - run.now() <= LONGEST_PAUSE
