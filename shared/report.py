"""What people are told: the plan in the log, and as findings what somebody must look at."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from shared.domain.app_settings import ROOT_LIST
from shared.domain.lineage import Lineage
from shared.domain.model import Binding, Fleet
from shared.domain.names import SiteRef, VaultCertificateRef
from shared.domain.plan import Plan, Skip
from shared.domain.ports import Journal
from shared.domain.reason import Reason
from shared.domain.record import Finding
from shared.domain.requirements import Case, Use, warnings
from shared.domain.rollout import SiteRecord
from shared.domain.snapshot import Snapshot
from shared.domain.tags import ROOT_ON
from shared.telemetry import event

MOST_NAMED = 10


def report_plan(journal: Journal, plan: Plan, snapshot: Snapshot) -> None:
    """Log the plan, and record as findings every refusal and blind spot, and what the version is warned of."""
    ref = snapshot.lineage.ref
    event(
        "plan.computed",
        certificate=str(ref),
        steps=[{"subject": step.subject, "reason": step.reason} for step in plan.steps],
        skips=[{"subject": skip.subject, "reason": skip.reason, "detail": skip.detail} for skip in plan.skips],
    )
    report_skips(journal, ref, [*plan.skips, *_duplicates(snapshot), *sharing(snapshot)], snapshot.now)
    report_blind_spots(journal, str(ref), snapshot.fleet)
    report_unread(journal, snapshot)
    report_warnings(journal, snapshot)


def report_warnings(journal: Journal, snapshot: Snapshot) -> None:
    """Record what somebody should look at in the current version, as one finding of this version."""
    lineage, current = snapshot.lineage, snapshot.lineage.current
    if current is None:
        return
    cases = (Case(current, use, snapshot.now, lineage.before, lineage.key) for use in _uses(snapshot))
    found = dict.fromkeys(f"{one.requirement}: {one.detail}" for case in cases for one in warnings(case))
    if found:
        subject = f"version {current.version} of {lineage.ref}"
        finding = Finding(snapshot.now, str(lineage.ref), subject, Reason.REQUIREMENT_WARNING, "; ".join(found))
        journal.report((finding,))


def _uses(snapshot: Snapshot) -> tuple[Use, ...]:
    """Return what the vault certificate is used for in what was seen."""
    named = (one for settings in snapshot.fleet.settings for one in settings.without_roots.named)
    seen = {
        Use.IMPORT: bool(snapshot.copies),
        Use.UPLOAD: bool(snapshot.uploaded_to),
        Use.BINDING: bool(snapshot.bindings),
        Use.OUTBOUND: any(snapshot.lineage.version_of(one) for one in named),
    }
    return tuple(use for use, is_used in seen.items() if is_used)


def report_unread(journal: Journal, snapshot: Snapshot) -> None:
    """Record uploads that may be versions of a secret which cannot be read any more."""
    lineage, facts = snapshot.lineage, snapshot.lineage.current.facts if snapshot.lineage.current else None
    if not lineage.unread or facts is None:
        return
    detail = (
        f"{lineage.unread} older versions of {lineage.ref} cannot be read, and it covers the same names: whether it is "
        "one of them is not known, and it is not renewed. Enable the version that it is, or replace it once by hand"
    )
    unknown = (
        copy for copy in snapshot.fleet.certificates if copy.uploaded and lineage.version_of(copy.thumbprint) is None
    )
    findings = tuple(
        Finding(snapshot.now, str(lineage.ref), f"certificate {copy.ref}", Reason.VERSIONS_UNREAD, detail)
        for copy in unknown
        if copy.host_names and copy.host_names <= facts.host_names
    )
    if findings:
        journal.report(findings)


def report_blind_spots(journal: Journal, scope: str, fleet: Fleet) -> None:
    """Record as findings what could not be seen: it is not fine because nothing was seen of it."""
    spots = fleet.blind_spots
    findings = tuple(Finding(fleet.taken_at, scope, spot.subject, Reason.BLIND_SPOT, spot.detail) for spot in spots)
    if findings:
        journal.report(findings)


def report_skips(journal: Journal, ref: VaultCertificateRef, skips: Iterable[Skip], now: datetime) -> None:
    """Record as findings the refusals that a person should know of."""
    told = (skip for skip in skips if skip.reason.makes_finding)
    findings = tuple(Finding(now, str(ref), skip.subject, skip.reason, skip.detail) for skip in told)
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


def sharing(snapshot: Snapshot) -> list[Skip]:
    """Name, by App Service plan, the apps that trust a version only because the root list of another app names it."""
    fleet, heeding = snapshot.fleet, [one for one in snapshot.fleet.settings if _heeds(snapshot, one.site)]
    naming = {one.site for one in heeding if any(map(snapshot.lineage.version_of, one.root_list))}
    silent = {one.site for one in heeding if not snapshot.is_rooted(one.site)} - naming
    by_plan: dict[str, list[SiteRef]] = {}
    for ref in sorted(silent):
        site = fleet.site(ref)
        if site is not None and not fleet.opted_out(ref) and naming & set(fleet.plan_mates(ref)):
            by_plan.setdefault(site.plan, []).append(ref)
    return [Skip(f"apps of plan {plan.rpartition('/')[2]}", *_shared(apps)) for plan, apps in sorted(by_plan.items())]


def _heeds(snapshot: Snapshot, ref: SiteRef) -> bool:
    site = snapshot.site(ref)
    return site is not None and site.heeds_roots


def _shared(apps: list[SiteRef]) -> tuple[Reason, str]:
    more = f" and {len(apps) - MOST_NAMED} more" if len(apps) > MOST_NAMED else ""
    detail = (
        f"{', '.join(map(str, apps[:MOST_NAMED]))}{more} may trust it only because another app of the plan has it in "
        f"its {ROOT_LIST}: who depends on it should have it in its own, or may start before the other; name those apps "
        f"in the tag {ROOT_ON}"
    )
    return Reason.ROOT_SHARED, detail


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
