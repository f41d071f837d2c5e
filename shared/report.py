"""What people are told: the plan in the log, and as findings what somebody must look at."""

from collections.abc import Iterable
from datetime import datetime

from shared import notices
from shared.domain.lineage import Lineage
from shared.domain.model import Fleet
from shared.domain.names import VaultCertificateRef
from shared.domain.plan import Plan, Skip
from shared.domain.ports import Journal
from shared.domain.record import Finding
from shared.domain.rollout import SiteRecord
from shared.domain.snapshot import Snapshot
from shared.telemetry import event


def report(journal: Journal, findings: tuple[Finding, ...]) -> None:
    """Record findings, if there are any."""
    if findings:
        journal.report(findings)


def report_plan(journal: Journal, plan: Plan, snapshot: Snapshot) -> None:
    """Log the plan; record refusals, blind spots and warnings of the version as findings."""
    ref = snapshot.lineage.ref
    event(
        "plan.computed",
        certificate=str(ref),
        steps=[{"subject": step.subject, "reason": step.reason} for step in plan.steps],
        skips=[{"subject": skip.subject, "reason": skip.reason, "detail": skip.detail} for skip in plan.skips],
    )
    skips = [*plan.skips, *notices.duplicates(snapshot), *notices.sharing(snapshot)]
    report_skips(journal, ref, skips, snapshot.now)
    report_blind_spots(journal, str(ref), snapshot.fleet)
    report(journal, notices.unread_versions(snapshot))
    report(journal, notices.version_warnings(snapshot))


def report_skips(journal: Journal, ref: VaultCertificateRef, skips: Iterable[Skip], now: datetime) -> None:
    """Record refusals as findings, except for those that are in order."""
    report(journal, notices.refusals(ref, skips, now))


def report_blind_spots(journal: Journal, scope: str, fleet: Fleet) -> None:
    """Record as findings what Certroll could not see."""
    report(journal, notices.blind_spots(scope, fleet))


def report_lineage(journal: Journal, lineage: Lineage, now: datetime) -> None:
    """Record as a finding that the tags of an older version count for the newest."""
    report(journal, notices.inherited_tags(lineage, now))


def report_moved(journal: Journal, ref: VaultCertificateRef, record: SiteRecord, snapshot: Snapshot) -> None:
    """Record as findings the bindings that somebody else changed in kind or address."""
    report(journal, notices.moved_bindings(ref, record, snapshot))
