"""Find the certificates that the current version would replace, with which the requirements compare the version.

The vault's order of versions does not show what App Service uses. An older version may be disabled, and a vault
certificate that was purged and made again shows none of its earlier versions.
"""

from collections.abc import Iterable
from dataclasses import replace

from shared.domain.certificates.version import CertificateVersion, InUse
from shared.domain.names import Thumbprint, Webspace
from shared.domain.snapshot.snapshot import Snapshot


def in_use(snapshot: Snapshot, thumbprints: Iterable[Thumbprint | None]) -> tuple[InUse, ...]:
    """Return what Certroll knows of the certificates with the thumbprints, and of the vault's version before.

    The version before does not count if Certroll could not read it and knows something else in use. The current version
    itself replaces nothing.
    """
    lineage = snapshot.lineage
    found = {found for found in thumbprints if found is not None and not lineage.is_current(found)}
    used = [_known(snapshot, thumbprint) for thumbprint in sorted(found)]
    before = lineage.before
    counted = before is not None and (before.facts is not None or not used)
    return tuple(dict.fromkeys((*used, before.in_use) if before is not None and counted else used))


def loaded_in(snapshot: Snapshot, webspace: Webspace) -> tuple[Thumbprint, ...]:
    """Return the thumbprints that an app of the webspace may have loaded without naming them."""
    earlier = (thumbprint for place, thumbprint in snapshot.held_unknown if place == webspace)
    return (*(version.thumbprint for version in snapshot.lineage.replaced), *earlier)


def uncompared(snapshot: Snapshot) -> tuple[CertificateVersion, ...]:
    """Return the older versions in use whose certificates Certroll has not read, newest first."""
    fleet, lineage = snapshot.fleet, snapshot.lineage
    shown = {binding.thumbprint for binding in fleet.bindings} | {copy.thumbprint for copy in snapshot.copies}
    named = {thumbprint for settings in fleet.settings for thumbprint in settings.named}
    held = {thumbprint for _, thumbprint in snapshot.held or ()}
    used = shown | named | held | {version.thumbprint for version in lineage.replaced}
    references = (reference for settings in fleet.settings for reference in settings.vault_references)
    active = {reference.active for reference in references if reference.ref == lineage.ref}
    return tuple(
        version
        for version in lineage.versions
        if version.facts is None
        and lineage.is_below(version.thumbprint)
        and (version.thumbprint in used or version.version.lower() in active)
    )


def _known(snapshot: Snapshot, thumbprint: Thumbprint) -> InUse:
    """Return what the vault says of the certificate, or App Service if the vault lacks the certificate."""
    version = snapshot.lineage.version_of(thumbprint)
    shown = thumbprint in snapshot.fleet.index.self_signed
    known = version.in_use if version else InUse()
    disabled = snapshot.lineage.may_be_disabled(thumbprint)
    return replace(known, shown_self_signed=shown, disabled=disabled)
