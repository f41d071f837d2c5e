"""Build the findings (reported problems) and skips that tell operators about a plan and a snapshot.

The loop records them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.requirements import Case, Requirement, Use
from shared.domain.certificates.rules import refusals as refusals_of
from shared.domain.certificates.rules import warnings
from shared.domain.findings import Finding, SeenBy
from shared.domain.fleet.app_settings import ROOT_LIST, SiteSettings, is_list
from shared.domain.fleet.bindings import Binding
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.snapshot.roots import wants_root
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings, stale_in, uploaded_to
from shared.domain.subject import Subject, site_subject
from shared.domain.tags import ROOT_ON, are_wanted
from shared.planning.acting.in_use import in_use
from shared.planning.acting.subjects import binding_subject
from shared.planning.plan import Skip

MOST_NAMED = 10
BY_POLICY = frozenset({Requirement.EXPORTABLE_KEY, Requirement.CONTENT_TYPE})
"""The requirements about which the policy of a vault certificate decides for the next version."""


def refusals(
    ref: VaultCertificateRef, skips: Iterable[Skip], now: datetime, seen_by: SeenBy = SeenBy.INSPECTION
) -> tuple[Finding, ...]:
    """Return a finding for each skip whose reason operators should know (`Reason.makes_finding`).

    `seen_by` says what sees the refusal again: each inspection, or only another attempt to write.
    """
    return tuple(
        Finding(
            now,
            str(ref),
            skip.subject,
            skip.reason,
            skip.detail,
            seen_by,
            site=skip.site,
            webspace=skip.step.action.webspace if skip.step else None,
        )
        for skip in skips
        if skip.reason.makes_finding
    )


# ------------------------------------------------------------------------------------------------------ the version


def inherited_tags(lineage: Lineage, now: datetime) -> tuple[Finding, ...]:
    """Return a finding if Certroll uses the tags of an older version, because the newest version carries none."""
    if not lineage.tags_inherited:
        return ()
    detail = (
        "the newest version carries no certroll tag, so Certroll uses older tags: set the tags on the newest version"
    )
    return (Finding(now, str(lineage.ref), str(lineage.ref), Reason.TAGS_INHERITED, detail),)


def unreadable_versions(lineage: Lineage, now: datetime) -> tuple[Finding, ...]:
    """Return a finding for each entry in the list of versions that Certroll could not read.

    The other versions go on. A certificate in use of the unreadable version is not known, so Certroll replaces it by
    no other version.
    """
    ref = str(lineage.ref)
    return tuple(Finding(now, ref, spot.subject, spot.reason, spot.detail) for spot in lineage.unreadable)


def version_warnings(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return one finding with all warnings about the current version, empty if the version has no warnings."""
    lineage, current = snapshot.lineage, snapshot.lineage.current
    if current is None:
        return ()
    shown = {binding.thumbprint for binding in shown_bindings(snapshot)}
    used = in_use(snapshot, shown | {copy.thumbprint for copy in snapshot.copies})
    cases = (Case(current, use, snapshot.now, used, lineage.key) for use in _uses(snapshot))
    found = dict.fromkeys(f"{warning.requirement}: {warning.detail}" for case in cases for warning in warnings(case))
    if not found:
        return ()
    subject = f"version {current.version} of {lineage.ref}"
    return (Finding(snapshot.now, str(lineage.ref), subject, Reason.REQUIREMENT_WARNING, "; ".join(found)),)


def next_version(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return a finding if the policy makes a next version that App Service could not import or Certroll not upload.

    The policy of a vault certificate says nothing about the current version, which only the next version replaces.
    """
    lineage, current = snapshot.lineage, snapshot.lineage.current
    if current is None or lineage.next_key in {None, lineage.key}:
        return ()
    uses = (use for use in _uses(snapshot) if use in {Use.IMPORT, Use.UPLOAD})
    cases = (Case(current, use, snapshot.now, key=lineage.next_key) for use in uses)
    verdicts = (verdict for case in cases for verdict in refusals_of(case) if verdict.requirement in BY_POLICY)
    found = dict.fromkeys(verdict.detail for verdict in verdicts)
    if not found:
        return ()
    detail = f"of the next version: {'; '.join(found)}. Change the policy before the next renewal"
    subject = f"policy of {lineage.ref}"
    return (Finding(snapshot.now, str(lineage.ref), subject, Reason.REQUIREMENT_WARNING, detail),)


def _uses(snapshot: Snapshot) -> tuple[Use, ...]:
    """Return the uses of the vault certificate that the snapshot shows, such as bindings."""
    named = (thumbprint for settings in snapshot.fleet.settings for thumbprint in settings.without_roots.named)
    seen = {
        Use.IMPORT: bool(snapshot.copies),
        Use.UPLOAD: bool(uploaded_to(snapshot)),
        Use.BINDING: bool(shown_bindings(snapshot)),
        Use.OUTBOUND: any(map(snapshot.lineage.version_of, named)),
    }
    return tuple(use for use, is_used in seen.items() if is_used)


def newest_refused(snapshot: Snapshot, skips: Iterable[Skip]) -> tuple[Finding, ...]:
    """Return a finding if Certroll refuses the newest version, and goes on with an older version in its place.

    Without this finding, an upload or a root with a bad renewal looks like one without a renewal, until it ends. The
    finding is left out if nothing uses the vault object, or if a skip about an import tells the refusal.
    """
    lineage, refusal = snapshot.lineage, snapshot.lineage.refusal
    if refusal is None or lineage.current is None or refusal.reason is Reason.NOT_YET_VALID:
        return ()
    told = any(skip.reason is Reason.NEWEST_REFUSED for skip in skips)
    if told or not refusal.reason.makes_finding or not _is_wanted(snapshot):
        return ()
    ref, detail = str(lineage.ref), f"{refusal.detail}; Certroll goes on with version {lineage.current.version}"
    return (Finding(snapshot.now, ref, ref, refusal.reason, f"its newest version is refused: {detail}"),)


def _is_wanted(snapshot: Snapshot) -> bool:
    """Return True if something in App Service has a version of the vault object, or a tag wants it there."""
    known = map(snapshot.lineage.version_of, (root.thumbprint for root in snapshot.fleet.roots))
    listed = any(map(snapshot.lineage.version_of, (t for app in snapshot.fleet.settings for t in app.root_list)))
    return bool(_uses(snapshot)) or any(known) or listed or are_wanted(snapshot.lineage.tags)


def went_back(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return a finding for each import and each app with a Key Vault reference that went back to an earlier version.

    App Service fetches what the vault calls its newest version. After a restore of the vault's backup, the newest
    version may be the certificate that begins and ends first, and Azure syncs imports and references by itself.
    """
    lineage, current = snapshot.lineage, snapshot.lineage.current
    later = next((found for version in lineage.versions if (found := lineage.later(version.thumbprint))), None)
    if later is None or current is None:
        return ()
    detail = (
        f"App Service fetched version {current.version}, but version {later.version} begins and ends later (a restore "
        "reverses the order of versions): import the later certificate into the vault again, or issue a new version; "
        f"if the earlier one is meant, disable version {later.version}"
    )
    copies = (
        Subject(f"certificate {copy.ref}", copy.ref.resource_id)
        for copy in snapshot.copies
        if copy.thumbprint == current.thumbprint
    )
    apps = (
        site_subject(settings.site, "Key Vault references of ")
        for settings in snapshot.fleet.settings
        if any(led.ref == lineage.ref and led.follows(current.version) for led in settings.vault_references)
    )
    return tuple(
        Finding(snapshot.now, str(lineage.ref), subject, Reason.WENT_BACK, detail) for subject in (*copies, *apps)
    )


def unread_versions(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return a finding for each upload that may be an older version which the vault no longer lets Certroll read.

    An upload that this function reports covers only host names of the current version. This function reports only
    uploaded certificates that match none of the versions that Certroll can read in the vault.
    """
    lineage, current = snapshot.lineage, snapshot.lineage.current
    facts = current.facts if current else None
    if not lineage.unread or facts is None:
        return ()
    detail = (
        f"Certroll cannot read {lineage.unread} older versions of {lineage.ref}. This upload covers the same host "
        "names and may be one of those versions, so Certroll does not renew it. Enable the version in the vault, or "
        "replace the upload once by hand"
    )
    unknown = (
        copy for copy in snapshot.fleet.certificates if copy.uploaded and lineage.version_of(copy.thumbprint) is None
    )
    return tuple(
        Finding(
            snapshot.now,
            str(lineage.ref),
            Subject(f"certificate {copy.ref}", copy.ref.resource_id),
            Reason.VERSIONS_UNREAD,
            detail,
        )
        for copy in unknown
        if copy.host_names and copy.host_names <= facts.host_names
    )


# ---------------------------------------------------------------------------------------------------- what was seen


def moved_bindings(ref: VaultCertificateRef, record: SiteRecord, snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return a finding for each binding that a person or tool removed, or whose kind or address changed.

    Certroll never changes the kind or the address of a binding.
    """
    seen = {binding.host_name: binding for binding in snapshot.fleet.index.bindings.get(record.site, ())}
    return tuple(
        Finding(
            snapshot.now,
            str(ref),
            binding_subject(was),
            Reason.BINDING_MOVED,
            f"the binding was {_kind(was)} before this version, and is {_kind(seen.get(was.host_name))} now",
            SeenBy.SITE,
            record.site,
        )
        for was in record.last_good
        if _kind(seen.get(was.host_name)) != _kind(was)
    )


def _kind(binding: Binding | None) -> str:
    if binding is None:
        return "gone"
    return binding.ssl_state if binding.virtual_ip is None else f"{binding.ssl_state} at {binding.virtual_ip}"


def sharing(snapshot: Snapshot) -> list[Skip]:
    """Return a skip for each plan with apps that trust a version only through the root list of another app.

    Azure loads the root list (WEBSITE_LOAD_ROOT_CERTIFICATES) of each app for all apps of its App Service plan.
    """
    fleet = snapshot.fleet
    supporting = [settings for settings in fleet.settings if _supports(snapshot, settings.site)]
    naming = {settings.site for settings in supporting if any(map(snapshot.lineage.version_of, settings.root_list))}
    silent = {settings.site for settings in supporting if not wants_root(snapshot, settings.site)} - naming
    by_plan: dict[str, list[SiteRef]] = {}
    for ref in sorted(silent):
        site = fleet.site(ref)
        if site is not None and not fleet.is_left_alone(ref) and naming & set(fleet.plan_mates(ref)):
            by_plan.setdefault(site.plan, []).append(ref)
    return [
        Skip(Subject(f"apps of plan {plan.rpartition('/')[2]}", plan), *_shared(apps))
        for plan, apps in sorted(by_plan.items())
    ]


def _supports(snapshot: Snapshot, ref: SiteRef) -> bool:
    site = snapshot.site(ref)
    return site is not None and site.supports_root_list


def _shared(apps: list[SiteRef]) -> tuple[Reason, str]:
    more = f" and {len(apps) - MOST_NAMED} more" if len(apps) > MOST_NAMED else ""
    detail = (
        f"{', '.join(map(str, apps[:MOST_NAMED]))}{more} may trust the root only because another app of the plan names "
        f"it in {ROOT_LIST}. An app that needs the root may start before that other app: name the app in the tag "
        f"{ROOT_ON}"
    )
    return Reason.ROOT_SHARED, detail


def mentions(snapshot: Snapshot) -> list[Skip]:
    """Return a skip for each app with a setting that contains an older version's thumbprint inside a longer text.

    Certroll does not change such a setting. A setting that contains the current thumbprint too counts as changed.
    """
    return [
        Skip(
            site_subject(settings.site, f"app settings {', '.join(keys)} of "), *_mentioned(thumbprints), settings.site
        )
        for settings in sorted(snapshot.fleet.settings, key=lambda settings: settings.site)
        for keys, thumbprints in _by_keys(_stale_mentions(snapshot, settings)).items()
    ]


def _stale_mentions(snapshot: Snapshot, settings: SiteSettings) -> dict[Thumbprint, frozenset[str]]:
    site, current = snapshot.site(settings.site), snapshot.lineage.current
    done = settings.mentions.get(current.thumbprint, frozenset()) if current else frozenset[str]()
    named = {(reference.key, reference.thumbprint) for reference in settings.references}
    known = {version.thumbprint for version in snapshot.lineage.versions} | {found for _, found in snapshot.held or ()}
    there = ((thumbprint, settings.mentions.get(thumbprint, frozenset[str]())) for thumbprint in known)
    stale = {
        thumbprint: frozenset(key for key in keys - done if (key, thumbprint) not in named and not is_list(key))
        for thumbprint, keys in there
        if stale_in(snapshot, site.webspace if site else None, thumbprint)
    }
    return {thumbprint: keys for thumbprint, keys in stale.items() if keys}


def _by_keys(mentions: Mapping[Thumbprint, frozenset[str]]) -> dict[tuple[str, ...], list[Thumbprint]]:
    found: dict[tuple[str, ...], list[Thumbprint]] = {}
    for thumbprint, keys in sorted(mentions.items()):
        found.setdefault(tuple(sorted(keys)), []).append(thumbprint)
    return found


def _mentioned(thumbprints: list[Thumbprint]) -> tuple[Reason, str]:
    detail = (
        f"the value contains {', '.join(thumbprints)} inside a longer text, which Certroll does not change. Certroll "
        "keeps this older version until the setting names the current version: change the setting by hand"
    )
    return Reason.THUMBPRINT_MENTIONED, detail


def duplicates(snapshot: Snapshot) -> list[Skip]:
    """Return a skip for each webspace that imports the same vault certificate twice.

    If a webspace imports a vault certificate twice, Azure may refuse the sync of the second imported certificate.
    """
    by_webspace = groupby(sorted(snapshot.copies, key=lambda c: (c.webspace, c.ref)), key=lambda c: c.webspace)
    groups = [(webspace, [str(copy.ref) for copy in copies]) for webspace, copies in by_webspace]
    return [
        Skip(
            Subject(f"webspace {webspace}", webspace.subscription),
            Reason.DUPLICATE_IMPORT,
            f"the same vault certificate is imported as {', '.join(names)}: delete all but one",
        )
        for webspace, names in groups
        if len(names) > 1
    ]
