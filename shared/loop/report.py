"""Write the plan into the log, and record as findings (reported problems) the facts that operators have to know."""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding, SeenBy
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Carrier
from shared.planning import fleet_notices, notices
from shared.planning.held import held
from shared.planning.plan import Plan, Skip
from shared.planning.plan_rows import skip_rows, step_rows, would_rows
from shared.ports.journal import Findings
from shared.telemetry import event

SWEEP = "sweep"
"""The scope of findings about the fleet as a whole, which each sweep sees again."""
MOST_ROWS = 50
"""How many steps or refusals one line of the log lists."""


def report(to: Findings, findings: tuple[Finding, ...]) -> None:
    """Record the findings (reported problems) if the tuple has at least one."""
    if findings:
        to.report(findings)


def report_plan(findings: Findings, plan: Plan, snapshot: Snapshot) -> None:
    """Log the plan: its steps, the steps that Certroll would perform with other settings, and its refusals.

    Record as findings what Certroll does not do, and warnings about the version. What Certroll could not read concerns
    many vault certificates, so `report_blind_spots` records it once for all of them.
    """
    ref = snapshot.lineage.ref
    log_plan(plan, snapshot)
    refused = (skip for skip in plan.not_done if not _is_told_elsewhere(skip))
    skips = [*refused, *notices.duplicates(snapshot), *notices.sharing(snapshot), *notices.mentions(snapshot)]
    found = (
        *notices.refusals(ref, skips, snapshot.now),
        *notices.unread_versions(snapshot),
        *notices.version_warnings(snapshot),
        *notices.next_version(snapshot),
        *notices.went_back(snapshot),
        *notices.newest_refused(snapshot, plan.not_done),
    )
    report(findings, found)


def _is_told_elsewhere(skip: Skip) -> bool:
    """Return True if another finding has the cause of a refusal, so that one cause makes one finding.

    The function `report_held` reports a hold once for the version. The run of a failed app reports why Certroll does
    not restore the app's settings.
    """
    action = skip.step.action if skip.step else None
    restores = action is not None and action.protects and action.restarts_site
    return restores or skip.reason is Reason.VERSION_HELD


def report_held(findings: Findings, snapshot: Snapshot) -> None:
    """Record as a finding that the current version of the vault object is on hold, with where and how it failed."""
    report(findings, held(snapshot))


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
    """Record as findings (reported problems) the resources that Certroll could not read.

    The scope is `SWEEP`, or that of a part of Certroll with a view of its own. So a resource has one finding, however
    many vault certificates it may hide.
    """
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
