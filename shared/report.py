"""What people are told: the plan in the log, and as findings what somebody must look at."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from shared.domain.lineage import Lineage
from shared.domain.model import Binding, Fleet
from shared.domain.names import VaultCertificateRef
from shared.domain.plan import Plan, Skip
from shared.domain.ports import Journal
from shared.domain.reason import Reason
from shared.domain.record import Finding
from shared.domain.rollout import SiteRecord
from shared.domain.snapshot import Snapshot
from shared.telemetry import event

IN_ORDER = frozenset(
    {Reason.AWAITING_FIRST_STAGE, Reason.AWAITING_FIRST_SITE, Reason.AWAITING_SLOTS, Reason.OUTSIDE_WINDOW}
)


def report_plan(journal: Journal, plan: Plan, snapshot: Snapshot) -> None:
    """Log the plan, and record every refusal and blind spot as a finding."""
    ref = snapshot.lineage.ref
    event(
        "plan.computed",
        certificate=str(ref),
        steps=[{"subject": step.subject, "reason": step.reason} for step in plan.steps],
        skips=[{"subject": skip.subject, "reason": skip.reason, "detail": skip.detail} for skip in plan.skips],
    )
    report_skips(journal, ref, [*plan.skips, *_duplicates(snapshot)], snapshot.now)
    report_blind_spots(journal, str(ref), snapshot.fleet)


def report_blind_spots(journal: Journal, scope: str, fleet: Fleet) -> None:
    """Record as findings what could not be seen: it is not fine because nothing was seen of it."""
    spots = fleet.blind_spots
    findings = tuple(Finding(fleet.taken_at, scope, spot.subject, Reason.BLIND_SPOT, spot.detail) for spot in spots)
    if findings:
        journal.report(findings)


def report_skips(journal: Journal, ref: VaultCertificateRef, skips: Iterable[Skip], now: datetime) -> None:
    """Record refusals as findings, but for those that are in order."""
    findings = tuple(
        Finding(now, str(ref), skip.subject, skip.reason, skip.detail) for skip in skips if skip.reason not in IN_ORDER
    )
    if findings:
        journal.report(findings)


def report_lineage(journal: Journal, lineage: Lineage, now: datetime) -> None:
    """Record as a finding where the newest version lives on an older one's tags."""
    if lineage.tags_inherited:
        detail = "the newest version carries no certroll tag; those of an older version count: set them on the newest"
        journal.report((Finding(now, str(lineage.ref), str(lineage.ref), Reason.TAGS_INHERITED, detail),))


def report_moved(journal: Journal, ref: VaultCertificateRef, record: SiteRecord, snapshot: Snapshot) -> None:
    """Record bindings that somebody else changed in kind or address; they are never moved back."""
    seen = {binding.host_name: binding for binding in snapshot.fleet.bindings if binding.site == record.site}
    findings = tuple(
        Finding(
            snapshot.now,
            str(ref),
            f"binding {was.host_name} of {was.site}",
            Reason.BINDING_MOVED,
            f"it was {_kind(was)} before this version, and is {_kind(seen.get(was.host_name))} now",
        )
        for was in record.last_good
        if _kind(seen.get(was.host_name)) != _kind(was)
    )
    if findings:
        journal.report(findings)


def _kind(binding: Binding | None) -> str:
    if binding is None:
        return "gone"
    return binding.ssl_state if binding.virtual_ip is None else f"{binding.ssl_state} at {binding.virtual_ip}"


def _duplicates(snapshot: Snapshot) -> list[Skip]:
    """Name webspaces that import the same vault certificate twice: Azure may refuse the second copy's sync."""
    by_webspace = groupby(sorted(snapshot.copies, key=lambda c: (c.webspace, c.ref)), key=lambda c: c.webspace)
    groups = [(webspace, [str(copy.ref) for copy in copies]) for webspace, copies in by_webspace]
    return [
        Skip(
            f"webspace {webspace}",
            Reason.DUPLICATE_IMPORT,
            f"the same vault certificate is imported as {', '.join(names)}: delete all but one",
        )
        for webspace, names in groups
        if len(names) > 1
    ]
