"""Write the plan into the log, and record as findings (reported problems) the facts that operators have to know."""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding, SeenBy
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import VaultCertificateRef
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Carrier
from shared.planning import fleet_notices, notices
from shared.planning.plan import Plan, Skip
from shared.planning.plan_rows import skip_rows, step_rows, would_rows
from shared.ports.journal import Findings
from shared.telemetry import event

MOST_ROWS = 50
"""How many steps or refusals one line of the log lists."""


def report(to: Findings, findings: tuple[Finding, ...]) -> None:
    """Record the findings (reported problems) if the tuple has at least one."""
    if findings:
        to.report(findings)


def report_plan(findings: Findings, plan: Plan, snapshot: Snapshot) -> None:
    """Log the plan: its steps, the steps that Certroll would perform with other settings, and its refusals.

    Record as findings what Certroll does not do, what Certroll could not read, and warnings about the version.
    """
    ref = snapshot.lineage.ref
    log_plan(plan, snapshot)
    skips = [*plan.not_done, *notices.duplicates(snapshot), *notices.sharing(snapshot), *notices.mentions(snapshot)]
    found = (
        *notices.refusals(ref, skips, snapshot.now),
        *fleet_notices.blind_spots(str(ref), snapshot.fleet),
        *notices.unread_versions(snapshot),
        *notices.version_warnings(snapshot),
        *notices.next_version(snapshot),
        *notices.went_back(snapshot),
        *notices.newest_refused(snapshot, plan.not_done),
    )
    report(findings, found)


def log_plan(plan: Plan, snapshot: Snapshot) -> None:
    """Log one line with the number of steps and refusals, and then all steps and refusals, fifty in a line.

    The steps that Certroll would perform with other settings or tags have a list of their own.
    """
    certificate, newest = str(snapshot.lineage.ref), next(iter(snapshot.lineage.versions), None)
    version = newest.version if newest else ""
    lists = {
        "steps": step_rows(plan.steps, snapshot),
        "would": would_rows(plan.would, snapshot),
        "skips": skip_rows(plan.skips, snapshot),
    }
    steps, would, skips = (len(rows) for rows in lists.values())
    event("plan.computed", certificate=certificate, version=version, steps=steps, would=would, skips=skips)
    for name, rows in lists.items():
        for start in range(0, len(rows), MOST_ROWS):
            event("plan.listed", certificate=certificate, list=name, rows=rows[start : start + MOST_ROWS])


def report_skips(
    findings: Findings, ref: VaultCertificateRef, skips: Iterable[Skip], now: datetime, seen_by: SeenBy = SeenBy.WRITE
) -> None:
    """Record steps that Azure refused as findings (reported problems), if the reason of the refusal makes a finding.

    `seen_by` names the run that writes the same step again.
    """
    report(findings, notices.refusals(ref, skips, now, seen_by))


def report_blind_spots(findings: Findings, scope: str, fleet: Fleet) -> None:
    """Record as findings (reported problems) the resources that Certroll could not read."""
    report(findings, fleet_notices.blind_spots(scope, fleet))


def report_lineage(findings: Findings, lineage: Lineage, now: datetime) -> None:
    """Record findings about inherited tags of a vault certificate, and about versions that Certroll could not read."""
    report(findings, (*notices.inherited_tags(lineage, now), *notices.unreadable_versions(lineage, now)))


def report_tags_of(findings: Findings, lineage: Lineage, now: datetime) -> None:
    """Record as findings the tags of a vault object whose names or values Certroll does not understand.

    The scope of these findings is the vault object, so that they stay open while Certroll cannot read the vault object.
    """
    scope = str(lineage.ref)
    report_tags(findings, scope, [(scope, lineage.tags, Carrier.VAULT_OBJECT)], now)


def report_tags(findings: Findings, scope: str, tagged: Iterable[fleet_notices.Tagged], now: datetime) -> None:
    """Record as findings (reported problems) the tags whose names or values Certroll does not understand."""
    report(findings, fleet_notices.misspelled_tags(scope, tagged, now))


def report_moved(findings: Findings, ref: VaultCertificateRef, record: SiteRecord, snapshot: Snapshot) -> None:
    """Record as findings (reported problems) the bindings whose kind or address a person or tool changed."""
    report(findings, notices.moved_bindings(ref, record, snapshot))
