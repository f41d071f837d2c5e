"""Find the stale parts of a snapshot: bindings, settings and uploads with an older version of the lineage."""

from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot


def is_stale(snapshot: Snapshot, binding: Binding) -> bool:
    """Return True if the binding shows an older version of the lineage, or an earlier thumbprint of its copies.

    An ambiguous binding is not stale, because the binding may belong to another lineage.
    """
    return looks_stale(snapshot, binding) and not is_ambiguous(snapshot, binding)


def looks_stale(snapshot: Snapshot, binding: Binding) -> bool:
    """Return True if the thumbprint alone makes the binding stale."""
    lineage, thumbprint = snapshot.lineage, binding.thumbprint
    claimed = lineage.has_key_of(thumbprint) or lineage.version_of(thumbprint) is None
    return claimed and stale_in(snapshot, snapshot.webspace_of(binding), thumbprint)


def is_ambiguous(snapshot: Snapshot, binding: Binding) -> bool:
    """Return True if the binding may also belong to another vault certificate."""
    return contested_in(snapshot, snapshot.webspace_of(binding), binding.thumbprint)


def stale_in(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if the thumbprint belongs to an older version of the lineage, or to a copy in the webspace before."""
    lineage = snapshot.lineage
    if lineage.is_stale(thumbprint):
        return lineage.has_key_of(thumbprint) or not _is_private(snapshot, webspace, thumbprint)
    unknown = lineage.current is not None and lineage.version_of(thumbprint) is None
    return unknown and (webspace, thumbprint) in (snapshot.held or ())


def _is_private(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if a certificate of the webspace has the thumbprint and a private key."""
    return any(
        copy.thumbprint == thumbprint and copy.webspace == webspace and not copy.ref.public
        for copy in snapshot.fleet.certificates
    )


def contested_in(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if a copy of another vault certificate has the thumbprint in the webspace.

    If two vault certificates contain each other's versions, each would replace the bindings of the other.
    """
    return any(
        copy.thumbprint == thumbprint and copy.source not in (None, snapshot.lineage.ref)
        for copy in snapshot.fleet.certificates_in(webspace)
    )


def shown_bindings(snapshot: Snapshot) -> tuple[Binding, ...]:
    """Return the bindings that show the current version or a stale version of the lineage, in a stable order."""
    shown = (
        binding
        for binding in snapshot.fleet.bindings
        if looks_stale(snapshot, binding) or snapshot.lineage.is_current(binding.thumbprint)
    )
    return tuple(sorted(shown))


def named_stale(snapshot: Snapshot, settings: SiteSettings) -> tuple[Thumbprint, ...]:
    """Return the stale thumbprints of the lineage that the settings name, with the last good thumbprint first.

    The last good thumbprint is the newest that the app's own answers have shown. Without such an answer it is the
    newest of all.
    """
    site, versions = snapshot.site(settings.site), snapshot.lineage.versions
    webspace = site.webspace if site else None
    age = {version.thumbprint: place for place, version in reversed(list(enumerate(versions)))}
    counted = settings if site is not None and site.supports_root_list else settings.without_roots
    stale = (named for named in counted.named if stale_in(snapshot, webspace, named))
    proven = snapshot.rollout.proven_at(settings.site)
    return tuple(sorted(stale, key=lambda named: (named not in proven, age.get(named, len(versions)), named)))


def rollable(snapshot: Snapshot, settings: SiteSettings) -> tuple[Thumbprint, ...]:
    """Return the stale thumbprints that Certroll may replace in the settings, with the last good thumbprint first.

    Contested thumbprints are excluded, because they may belong to another vault certificate. If the app is admitted and
    not written yet, Certroll replaces only the thumbprints in its record: the run that admitted the app saw the whole
    webspace.
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
    """Return the places that have an older version as an upload, and no import of the vault certificate.

    A place is a webspace, or a site that owns its certificates. An upload by people always counts. An upload by
    Certroll counts only while a binding there shows the upload or an app there names it.
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
    """Return True if anything may use the certificate.

    Resources that Certroll could not read, and apps that load every certificate, count as users.
    """
    fleet, apps = snapshot.fleet, snapshot.settings_in(webspace)
    bound = any(seen.thumbprint == thumbprint and snapshot.webspace_of(seen) == webspace for seen in fleet.bindings)
    named = any(thumbprint in app.mentioned or thumbprint in app.named for app in apps)
    loaded = any(app.loads_everything for app in apps)
    return bound or named or loaded or any(spot.hides(webspace) for spot in fleet.blind_spots)
