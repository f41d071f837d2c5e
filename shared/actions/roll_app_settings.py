"""Let an app load, or trust, the new version beside the old one, and use the new one where it names one by itself.

The load list, the root list and pins go in one write. A root list is also begun, where the tag `certroll-root-on` of
the vault object names the app. Where it would do nothing it is left alone, and people are told.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.actions.named_targets import named_sites
from shared.actions.settings_change import SettingsChange, settings_subject
from shared.domain.app_settings import ROOT_LIST, SettingEdit, SiteSettings, is_list, is_load_list, is_root_list
from shared.domain.model import Site
from shared.domain.names import Thumbprint, Webspace
from shared.domain.plan import Intent, Skip, Step
from shared.domain.reason import Reason
from shared.domain.roll import TAKING_BACK, WRITTEN, RollRecord
from shared.domain.snapshot import Snapshot
from shared.domain.tags import ROOT_OF, ROOT_ON

MOST_UNDONE = 2


@dataclass(frozen=True, slots=True)
class RollAppSettings(SettingsChange):
    """Put the new thumbprint next to the old one in the lists, and in the old one's place in pins.

    Where the old version is no longer in the webspace it is replaced in the list as well: there is no overlap.
    """


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose a roll for every app whose settings name a stale version where they should name the current one.

    Likewise for every app whose root list lacks it although the tag asks for it.
    """
    if snapshot.lineage.current is not None:
        yield from named_sites(snapshot, ROOT_ON)[1]
    for settings in sorted(snapshot.fleet.settings, key=lambda one: one.site):
        site = snapshot.site(settings.site)
        if site is None:
            continue
        yield from _unheeded(snapshot, site, settings)
        stale = snapshot.named_stale(settings)
        if not stale and not snapshot.lacks_root(settings):
            continue
        if site.webspace is None:
            detail = "Azure does not say in which webspace the site is, so no certificate of it is known to be live"
            yield Skip(settings_subject(settings.site), Reason.INCOMPLETE_VIEW, detail, settings.site)
            continue
        yield from _roll(snapshot, site, site.webspace, settings, stale)


def _roll(
    snapshot: Snapshot, site: Site, webspace: Webspace, settings: SiteSettings, stale: tuple[Thumbprint, ...]
) -> Iterable[Step | Skip]:
    contested = tuple(one for one in stale if snapshot.contested_in(webspace, one))
    if contested:
        yield Skip(
            settings_subject(site.ref),
            Reason.AMBIGUOUS_LINEAGE,
            f"{', '.join(contested)} is an older version of {snapshot.lineage.ref}, and a copy of another vault "
            "certificate holds it too: write what it should follow by hand, or delete one of the two copies",
            site.ref,
        )
    edits = roll_edits(snapshot, site, settings, snapshot.rollable(settings))
    if not edits:
        return
    record = snapshot.rollout.roll_of(site.ref)
    if record is not None and record.state in TAKING_BACK:
        return
    if record is not None and is_fought_over(record, snapshot):
        detail = (
            "others took this roll back twice within 24 hours: find what writes these settings (a template, a "
            "pipeline) and let it name the new version, or leave the setting out"
        )
        yield Skip(settings_subject(site.ref), Reason.FOUGHT_OVER, detail, site.ref)
        return
    asked = all(edit.beside is None for edit in edits)
    yield Step(RollAppSettings(settings, edits, webspace), Reason.ROOT_ASKED if asked else Reason.STALE_THUMBPRINT)


def _unheeded(snapshot: Snapshot, site: Site, settings: SiteSettings) -> Iterable[Skip]:
    """Say where a root list would do nothing: it is only for Windows code in an App Service Environment."""
    named = any(snapshot.lineage.version_of(one) for one in settings.root_list)
    if site.heeds_roots or not (named or site.ref in (snapshot.rooted or ())):
        return
    kind, cure = (
        (
            "no Windows code app",
            f"have the root added to {site.environment}, for apps of every kind: name that in the tag {ROOT_OF}",
        )
        if site.environment
        else (
            "in no App Service Environment",
            "App Service offers no custom roots there: move it into one, or let its own code trust the root",
        )
    )
    detail = f"{site.ref} is {kind}, so {ROOT_LIST} does nothing for it; {cure}"
    yield Skip(f"root list of {site.ref}", Reason.ROOT_LIST_UNHEEDED, detail, site.ref)


def is_fought_over(record: RollRecord, snapshot: Snapshot) -> bool:
    """Say whether others took the roll back twice within 24 hours, this time included.

    For a day nothing is written there; then it is tried again.
    """
    this_time = record.state in WRITTEN
    return len(record.undone_lately(snapshot.now)) + this_time >= MOST_UNDONE


def roll_edits(
    snapshot: Snapshot, site: Site, settings: SiteSettings, stale: tuple[Thumbprint, ...]
) -> tuple[SettingEdit, ...]:
    """Return the edits that bring an app's settings to the current version; `stale` has the last good one first."""
    current = snapshot.lineage.current
    if current is None:
        return ()
    new = current.thumbprint
    lists = [edit for key in lists_of(site, settings) for edit in _list_edit(snapshot, site, settings, key, stale, new)]
    if snapshot.lacks_root(settings) and not any(is_root_list(edit.key) for edit in lists):
        lists.append(_first_root(settings, new))
    loaded = snapshot.live_at(site.ref) & (settings.named if settings.loads_everything else set(settings.load_list))
    loaded |= snapshot.roots_at(site.ref) & set(settings.root_list)
    pins = [
        SettingEdit(one.key, new, (one.thumbprint,), stale[0] if stale[0] in loaded else one.thumbprint)
        for one in settings.pins
        if one.thumbprint in stale
    ]
    return (*lists, *pins)


def lists_of(site: Site, settings: SiteSettings) -> tuple[str, ...]:
    """Return the names of the settings that are lists of the app, but for a root list that it does not heed."""
    keys = {one.key for one in settings.references if is_list(one.key)}
    return tuple(sorted(key for key in keys if site.heeds_roots or is_load_list(key)))


def _first_root(settings: SiteSettings, thumbprint: Thumbprint) -> SettingEdit:
    """Return the edit that puts the thumbprint at the end of the root list, which is made where there is none."""
    known = {*settings.digests, *(one.key for one in settings.references)}
    key = next((key for key in sorted(known) if is_root_list(key)), None)
    return SettingEdit(key or ROOT_LIST, thumbprint, (), None, whole=key is None)


def _list_edit(
    snapshot: Snapshot, site: Site, settings: SiteSettings, key: str, stale: tuple[Thumbprint, ...], new: Thumbprint
) -> Iterable[SettingEdit]:
    listed = {one.thumbprint for one in settings.references if one.key == key}
    old = tuple(one for one in stale if one in listed)
    everything = settings.loads_everything and is_load_list(key)
    if not old or new in listed or everything:
        return
    live = snapshot.live_for(settings, key)
    last_good = next((one for one in old if one in live), old[0])
    needed = {last_good, *(pin.thumbprint for pin in settings.pins)}
    leaving = tuple(
        one for one in old if one not in live or (one not in needed and _may_leave(snapshot, site, one, last_good))
    )
    yield SettingEdit(key, new, leaving, last_good)


def _may_leave(snapshot: Snapshot, site: Site, thumbprint: Thumbprint, last_good: Thumbprint) -> bool:
    """Say whether a version before the last good one may leave: when it expired, or the last good one is proven."""
    version = snapshot.lineage.version_of(thumbprint)
    expired = version is not None and version.not_after <= snapshot.now
    return expired or last_good in snapshot.rollout.proven_at(site.ref)
