"""What people are told: the plan in the log, and as findings what somebody must look at."""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import VaultCertificateRef
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import notices
from shared.planning.plan import Plan, Skip
from shared.ports.journal import Findings
from shared.telemetry import event


def report(to: Findings, findings: tuple[Finding, ...]) -> None:
    """Record findings, if there are any."""
    if findings:
        to.report(findings)


def report_plan(findings: Findings, plan: Plan, snapshot: Snapshot) -> None:
    """Log the plan; record refusals, blind spots and warnings of the version as findings."""
    ref = snapshot.lineage.ref
    event(
        "plan.computed",
        certificate=str(ref),
        steps=[{"subject": step.subject, "reason": step.reason} for step in plan.steps],
        skips=[{"subject": skip.subject, "reason": skip.reason, "detail": skip.detail} for skip in plan.skips],
    )
    skips = [*plan.skips, *notices.duplicates(snapshot), *notices.sharing(snapshot)]
    report_skips(findings, ref, skips, snapshot.now)
    report_blind_spots(findings, str(ref), snapshot.fleet)
    report(findings, notices.unread_versions(snapshot))
    report(findings, notices.version_warnings(snapshot))


def report_skips(findings: Findings, ref: VaultCertificateRef, skips: Iterable[Skip], now: datetime) -> None:
    """Record refusals as findings, except for those that are in order."""
    report(findings, notices.refusals(ref, skips, now))


def report_blind_spots(findings: Findings, scope: str, fleet: Fleet) -> None:
    """Record as findings what Certroll could not see."""
    report(findings, notices.blind_spots(scope, fleet))


def report_lineage(findings: Findings, lineage: Lineage, now: datetime) -> None:
    """Record as a finding that the tags of an older version count for the newest."""
    report(findings, notices.inherited_tags(lineage, now))


def report_moved(findings: Findings, ref: VaultCertificateRef, record: SiteRecord, snapshot: Snapshot) -> None:
    """Record as findings the bindings that somebody else changed in kind or address."""
    report(findings, notices.moved_bindings(ref, record, snapshot))
