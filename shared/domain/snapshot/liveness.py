"""Find the certificates of a snapshot that an app can load, bind, or name in WEBSITE_LOAD_ROOT_CERTIFICATES."""

from collections.abc import Iterable

from shared.domain.fleet.app_settings import SettingEdit, SiteSettings, is_load_list, is_root_list
from shared.domain.fleet.settings_editing import edited_settings
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.snapshot.snapshot import Snapshot


def live_in(snapshot: Snapshot, webspace: Webspace | None) -> frozenset[Thumbprint]:
    """Return the thumbprints of the certificates that the sites of the webspace share."""
    copies = snapshot.fleet.certificates_in(webspace)
    return frozenset(copy.thumbprint for copy in copies if copy.thumbprint is not None)


def live_at(snapshot: Snapshot, ref: SiteRef) -> frozenset[Thumbprint]:
    """Return the thumbprints of the certificates that the app of a site or slot can load."""
    copies = snapshot.fleet.certificates_of(ref)
    return frozenset(copy.thumbprint for copy in copies if copy.thumbprint is not None)


def uploads_at(snapshot: Snapshot, ref: SiteRef) -> frozenset[Thumbprint]:
    """Return the thumbprints of the uploads that the app of a site or slot can load, which no sync replaces."""
    copies = (copy for copy in snapshot.fleet.certificates_of(ref) if copy.source is None)
    return frozenset(copy.thumbprint for copy in copies if copy.thumbprint is not None)


def roots_at(snapshot: Snapshot, ref: SiteRef) -> frozenset[Thumbprint]:
    """Return the thumbprints that WEBSITE_LOAD_ROOT_CERTIFICATES of a site or slot can name."""
    return frozenset(copy.thumbprint for copy in snapshot.fleet.roots_of(ref) if copy.thumbprint is not None)


def private_at(snapshot: Snapshot, ref: SiteRef) -> frozenset[Thumbprint]:
    """Return the thumbprints of the certificates with a private key, which bindings of a site or slot can use."""
    copies = (copy for copy in snapshot.fleet.certificates_of(ref) if not copy.ref.public)
    return frozenset(copy.thumbprint for copy in copies if copy.thumbprint is not None)


def live_for(snapshot: Snapshot, settings: SiteSettings, key: str) -> frozenset[Thumbprint]:
    """Return the thumbprints of the certificates that a setting of an app may name.

    A setting that is no list may also name the entries of WEBSITE_LOAD_ROOT_CERTIFICATES.
    """
    roots = roots_at(snapshot, settings.site)
    if is_root_list(key):
        return roots
    live = live_at(snapshot, settings.site)
    return live if is_load_list(key) else live | (roots & set(settings.root_list))


def absent_after(snapshot: Snapshot, settings: SiteSettings, edits: Iterable[SettingEdit]) -> frozenset[Thumbprint]:
    """Return the added thumbprints whose certificates the app could not find by the edited setting."""
    edits = tuple(edits)
    after = edited_settings(settings, [edit for edit in edits if is_root_list(edit.key)])
    adds = ((edit.key, edit.add) for edit in edits if edit.add is not None)
    return frozenset(add for key, add in adds if add not in live_for(snapshot, after, key))
