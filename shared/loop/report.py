"""Write the plan into the log, and record as findings (reported problems) the facts that operators have to know."""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import VaultCertificateRef
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import notices
from shared.planning.plan import Plan, Skip, Would
from shared.ports.journal import Findings
from shared.telemetry import event


def report(to: Findings, findings: tuple[Finding, ...]) -> None:
    """Record the findings (reported problems) if the tuple has at least one."""
    if findings:
        to.report(findings)


def report_plan(findings: Findings, plan: Plan, snapshot: Snapshot) -> None:
    """Log the plan: its steps, the steps that Certroll would perform with other settings, and its refusals.

    Record as findings what Certroll does not do, what Certroll could not read, and warnings about the version.
    """
    ref = snapshot.lineage.ref
    event(
        "plan.computed",
        certificate=str(ref),
        steps=[{"subject": step.subject, "reason": step.reason} for step in plan.steps],
        would=[_row(would) for would in plan.would],
        skips=[{"subject": skip.subject, "reason": skip.reason, "detail": skip.detail} for skip in plan.skips],
    )
    skips = [*plan.not_done, *notices.duplicates(snapshot), *notices.sharing(snapshot)]
    report_skips(findings, ref, skips, snapshot.now)
    report_blind_spots(findings, str(ref), snapshot.fleet)
    report(findings, notices.unread_versions(snapshot))
    report(findings, notices.version_warnings(snapshot))


def _row(would: Would) -> dict[str, object]:
    waits = {"reason": would.waits.reason, "detail": would.waits.detail} if would.waits else None
    return {"subject": would.step.subject, "reason": would.step.reason, "why": would.why, "waits": waits}


def report_skips(findings: Findings, ref: VaultCertificateRef, skips: Iterable[Skip], now: datetime) -> None:
    """Record refused steps as findings (reported problems), if the reason of the refusal makes a finding."""
    report(findings, notices.refusals(ref, skips, now))


def report_blind_spots(findings: Findings, scope: str, fleet: Fleet) -> None:
    """Record as findings (reported problems) the resources that Certroll could not read."""
    report(findings, notices.blind_spots(scope, fleet))


def report_lineage(findings: Findings, lineage: Lineage, now: datetime) -> None:
    """Record a finding if Certroll uses the tags of an older version, because the newest version has none."""
    report(findings, notices.inherited_tags(lineage, now))


def report_tags(findings: Findings, scope: str, tagged: Iterable[notices.Tagged], now: datetime) -> None:
    """Record as findings (reported problems) the tags whose names or values Certroll does not understand."""
    report(findings, notices.misspelled_tags(scope, tagged, now))


def report_moved(findings: Findings, ref: VaultCertificateRef, record: SiteRecord, snapshot: Snapshot) -> None:
    """Record as findings (reported problems) the bindings whose kind or address a person or tool changed."""
    report(findings, notices.moved_bindings(ref, record, snapshot))
