"""Decide which edits bring the settings of an app to the current version."""

from collections.abc import Iterable

from shared.domain.fleet.app_settings import ROOT_LIST, SettingEdit, SiteSettings, is_list, is_load_list, is_root_list
from shared.domain.fleet.sites import Site
from shared.domain.names import Thumbprint
from shared.domain.snapshot.liveness import live_at, live_for, roots_at, uploads_at
from shared.domain.snapshot.roots import lacks_root
from shared.domain.snapshot.snapshot import Snapshot


def roll_edits(
    snapshot: Snapshot, site: Site, settings: SiteSettings, stale: tuple[Thumbprint, ...]
) -> tuple[SettingEdit, ...]:
    """Return the edits that bring an app's settings to the current version of the vault certificate.

    `stale` are the older thumbprints that the edits replace, with the last good thumbprint first.
    """
    current = snapshot.lineage.current
    if current is None:
        return ()
    new = current.thumbprint
    lists = [edit for key in lists_of(site, settings) for edit in _list_edit(snapshot, site, settings, key, stale, new)]
    if lacks_root(snapshot, settings) and not any(map(is_root_list, (*settings.no_lists, *(e.key for e in lists)))):
        lists.append(_first_root(settings, new))
    loaded = live_at(snapshot, site.ref) & (settings.named if settings.loads_everything else set(settings.load_list))
    loaded |= roots_at(snapshot, site.ref) & set(settings.root_list)
    pins = [
        SettingEdit(pin.key, new, (pin.thumbprint,), _good(snapshot, pin.thumbprint, stale[0], loaded))
        for pin in settings.pins
        if pin.thumbprint in stale and not hides_loaded(settings)
    ]
    return (*lists, *pins)


def hides_loaded(settings: SiteSettings) -> bool:
    """Return True if Certroll cannot see which certificates the app loads, because its load list is no list.

    An app that follows a new thumbprint in another setting finds the certificate only if it loads the certificate.
    """
    return any(map(is_load_list, settings.no_lists))


def _good(snapshot: Snapshot, own: Thumbprint, last_good: Thumbprint, loaded: frozenset[Thumbprint]) -> Thumbprint:
    """Return the thumbprint that a restore writes into a setting.

    The setting gets its own old thumbprint back, unless the app cannot load that version or the version is disabled.
    """
    is_good = own in loaded and not snapshot.lineage.is_disabled(own)
    return last_good if last_good in loaded and not is_good else own


def lists_of(site: Site, settings: SiteSettings) -> tuple[str, ...]:
    """Return the names of the app's list settings.

    The function omits WEBSITE_LOAD_ROOT_CERTIFICATES if App Service ignores this setting for the app.
    """
    keys = {reference.key for reference in settings.references if is_list(reference.key)}
    return tuple(sorted(key for key in keys if site.supports_root_list or is_load_list(key)))


def _first_root(settings: SiteSettings, thumbprint: Thumbprint) -> SettingEdit:
    """Return the edit that adds the thumbprint to the root list (WEBSITE_LOAD_ROOT_CERTIFICATES).

    The edit creates the root list (WEBSITE_LOAD_ROOT_CERTIFICATES) if the app has no root list.
    """
    known = {*settings.digests, *(reference.key for reference in settings.references)}
    key = next((key for key in sorted(known) if is_root_list(key)), None)
    return SettingEdit(key or ROOT_LIST, thumbprint, (), None, whole=key is None)


def _list_edit(
    snapshot: Snapshot, site: Site, settings: SiteSettings, key: str, stale: tuple[Thumbprint, ...], new: Thumbprint
) -> Iterable[SettingEdit]:
    listed = {reference.thumbprint for reference in settings.references if reference.key == key}
    old = tuple(thumbprint for thumbprint in stale if thumbprint in listed)
    everything = settings.loads_everything and is_load_list(key)
    if not old or new in listed or everything:
        return
    live = live_for(snapshot, settings, key)
    last_good = next((thumbprint for thumbprint in old if thumbprint in live), old[0])
    needed = {last_good, *(pin.thumbprint for pin in settings.pins)}
    leaving = tuple(
        thumbprint
        for thumbprint in old
        if thumbprint not in live
        or snapshot.lineage.is_disabled(thumbprint)
        or (thumbprint not in needed and _may_leave(snapshot, site, thumbprint, last_good))
    )
    yield SettingEdit(key, new, leaving, last_good)


def _may_leave(snapshot: Snapshot, site: Site, thumbprint: Thumbprint, last_good: Thumbprint) -> bool:
    """Return True if Certroll may take a version older than the last good version out of the app's list.

    Certroll may take an older version out of the list if that version expired. Certroll may also take an older version
    out if the app has proven the last good version, and that version is an upload.
    """
    version = snapshot.lineage.version_of(thumbprint)
    expired = version is not None and version.not_after <= snapshot.now
    stays = last_good in uploads_at(snapshot, site.ref)
    return expired or (stays and last_good in snapshot.rollout.proven_at(site.ref))
