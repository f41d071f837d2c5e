"""Find the bindings, settings and uploads of a snapshot that still have an older version of the vault certificate."""

from shared.domain.certificates.lineage import is_later
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot


def is_stale(snapshot: Snapshot, binding: Binding) -> bool:
    """Return True if the binding still shows an older version of the vault certificate, or a thumbprint in `held`.

    An ambiguous binding (one that may belong to another vault certificate) does not count as stale.
    """
    return looks_stale(snapshot, binding) and not is_ambiguous(snapshot, binding)


def looks_stale(snapshot: Snapshot, binding: Binding) -> bool:
    """Return True if the binding shows an older version, whether or not other vault certificates have it too."""
    lineage, thumbprint = snapshot.lineage, binding.thumbprint
    claimed = lineage.has_key_of(thumbprint) or lineage.version_of(thumbprint) is None
    return claimed and stale_in(snapshot, snapshot.webspace_of(binding), thumbprint)


def is_ambiguous(snapshot: Snapshot, binding: Binding) -> bool:
    """Return True if the binding's certificate may also belong to another vault certificate."""
    return contested_in(snapshot, snapshot.webspace_of(binding), binding.thumbprint)


def stale_in(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if the thumbprint belongs to an older version, or only to an earlier import in the webspace."""
    lineage = snapshot.lineage
    if lineage.is_stale(thumbprint):
        return lineage.has_key_of(thumbprint) or not _is_private(snapshot, webspace, thumbprint)
    unknown = lineage.current is not None and lineage.version_of(thumbprint) is None
    return unknown and (webspace, thumbprint) in (snapshot.held or ()) and not later_in(snapshot, webspace, thumbprint)


def later_in(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if the certificate in the webspace begins and ends later than the vault's current version.

    The dates of a certificate decide, and not the order in which the vault lists its versions. If the vault does not
    show the version, Azure shows the dates of the import. A plain secret's disabled version is one that the vault does
    not show, and whose successor is meant to be earlier.
    """
    lineage, current = snapshot.lineage, snapshot.lineage.current
    if lineage.version_of(thumbprint) is not None or current is None:
        return lineage.later(thumbprint) is not None
    if lineage.reissued or lineage.may_be_disabled(thumbprint):
        return False
    return any(
        copy.not_before is not None
        and copy.not_after is not None
        and is_later(copy.not_before, copy.not_after, current)
        for copy in snapshot.copies
        if copy.webspace == webspace and copy.thumbprint == thumbprint
    )


def _is_private(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if a certificate in the webspace has the thumbprint and a private key."""
    return any(
        copy.thumbprint == thumbprint and copy.webspace == webspace and not copy.ref.public
        for copy in snapshot.fleet.certificates
    )


def contested_in(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if an import of another vault certificate has the thumbprint in the webspace.

    If two vault certificates contain each other's versions, their rollouts would replace each other's bindings.
    """
    return any(
        copy.thumbprint == thumbprint and copy.source not in (None, snapshot.lineage.ref)
        for copy in snapshot.fleet.certificates_in(webspace)
    )


def shown_bindings(snapshot: Snapshot) -> tuple[Binding, ...]:
    """Return the bindings that show the current or an older version of the vault certificate, in a stable order."""
    shown = (
        binding
        for binding in snapshot.fleet.bindings
        if looks_stale(snapshot, binding) or snapshot.lineage.is_current(binding.thumbprint)
    )
    return tuple(sorted(shown))


def named_stale(snapshot: Snapshot, settings: SiteSettings) -> tuple[Thumbprint, ...]:
    """Return the thumbprints of older versions that the settings name, with the last good thumbprint first.

    The last good thumbprint is the newest thumbprint that the app's own answers to probes have shown. If the app's
    answers have shown none of the thumbprints, the last good thumbprint is the newest thumbprint. A disabled version
    comes last, because it is never good.
    """
    site, lineage = snapshot.site(settings.site), snapshot.lineage
    versions = lineage.versions
    webspace = site.webspace if site else None
    age = {version.thumbprint: place for place, version in reversed(list(enumerate(versions)))}
    counted = settings if site is not None and site.supports_root_list else settings.without_roots
    stale = (named for named in counted.named if stale_in(snapshot, webspace, named))
    proven = snapshot.rollout.proven_at(settings.site)

    def rank(named: Thumbprint) -> tuple[bool, bool, int, Thumbprint]:
        return lineage.is_disabled(named), named not in proven, age.get(named, len(versions)), named

    return tuple(sorted(stale, key=rank))


def rollable(snapshot: Snapshot, settings: SiteSettings) -> tuple[Thumbprint, ...]:
    """Return the older thumbprints that Certroll may replace in the settings, with the last good thumbprint first.

    The returned thumbprints exclude each thumbprint that may belong to another vault certificate. If Certroll decided
    to update the app and has not written yet, only the thumbprints in the app's record count, because the run that
    decided saw the whole webspace.
    """
    site, record = snapshot.site(settings.site), snapshot.rollout.roll_of(settings.site)
    webspace = site.webspace if site else None
    admitted = record is not None and record.state is RollState.STALE
    return tuple(
        named
        for named in named_stale(snapshot, settings)
        if not contested_in(snapshot, webspace, named) and (record is None or not admitted or named in record.replaces)
    )


def uploaded_to(snapshot: Snapshot) -> frozenset[tuple[Webspace, SiteRef | None]]:
    """Return the webspaces and sites with an older version as an upload and no import of the vault certificate.

    Each pair names a webspace, and also the site if that site alone owns the certificate. A certificate that somebody
    other than Certroll uploaded counts even if no binding and no app uses it. A certificate that Certroll uploaded
    counts only while a binding, a setting or an unreadable resource may use it.
    """
    imported = {(copy.webspace, copy.site) for copy in snapshot.copies}
    lineage, uploads = snapshot.lineage, (copy for copy in snapshot.fleet.certificates if copy.is_upload)
    stale = (copy for copy in uploads if lineage.is_stale(copy.thumbprint) and lineage.has_key_of(copy.thumbprint))
    return frozenset(
        (copy.webspace, copy.site)
        for copy in stale
        if (copy.webspace, copy.site) not in imported
        and (copy.uploaded or _is_used(snapshot, copy.webspace, copy.thumbprint))
    )


def _is_used(snapshot: Snapshot, webspace: Webspace, thumbprint: Thumbprint | None) -> bool:
    """Return True if a binding, a setting or an unreadable resource of the webspace may use the certificate.

    A resource that Certroll could not read, or an app that loads every certificate, counts as a user of the
    certificate.
    """
    fleet, apps = snapshot.fleet, snapshot.settings_in(webspace)
    bound = thumbprint is not None and (thumbprint, webspace) in fleet.index.showing
    named = any(thumbprint in app.mentions or thumbprint in app.named for app in apps)
    loaded = any(app.loads_everything for app in apps)
    return bound or named or loaded or any(_may_hide_a_user(spot, webspace) for spot in fleet.blind_spots)


def _may_hide_a_user(spot: BlindSpot, webspace: Webspace) -> bool:
    return spot.hides(webspace) or (spot.of_itself and spot.may_use(webspace))
