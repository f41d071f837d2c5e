"""Restore the last good settings of an app by undoing the edits that Certroll recorded in its journal."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from shared.domain.certificates.requirements import Case
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import SettingEdit, SiteSettings, is_list, is_load_list
from shared.domain.fleet.settings_editing import inverse, restoring_without
from shared.domain.intent import Intent
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.liveness import live_for
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.plan import Skip, Step


@dataclass(frozen=True, slots=True)
class RestoreAppSettings(SettingsChange):
    """Undo Certroll's own edits in the present values of the app's settings."""

    protects: ClassVar[bool] = True

    def cases(self, _: CertificateVersion, __: Snapshot) -> tuple[Case, ...]:
        """Return no requirements for the new version, because the action is about an older version."""
        return ()


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose to restore the settings of each app whose probe failed for good after Certroll updated the settings.

    Certroll restores an app setting only if the setting still has the value that Certroll wrote.
    """
    for record in sorted(snapshot.rollout.rolls, key=lambda roll: roll.site):
        settings, site = snapshot.settings_of(record.site), snapshot.site(record.site)
        if record.state is not RollState.FAILED or settings is None or site is None or site.webspace is None:
            continue
        back = restoring(settings, record, partial(_good_for, snapshot, settings))
        edits = tuple(restoring_without(edit, snapshot.lineage.may_be_disabled) for edit in back)
        if edits:
            yield Step(RestoreAppSettings(settings, edits, site.webspace), Reason.PROBE_FAILED)


def _good_for(snapshot: Snapshot, settings: SiteSettings, key: str) -> frozenset[Thumbprint]:
    """Return the thumbprints that the setting can name, without versions that an operator disabled in the vault."""
    live = live_for(snapshot, settings, key)
    return frozenset(thumbprint for thumbprint in live if not snapshot.lineage.may_be_disabled(thumbprint))


def restoring(
    settings: SiteSettings, record: RollRecord, live: Callable[[str], frozenset[Thumbprint]]
) -> tuple[SettingEdit, ...]:
    """Return the edits that bring the last good settings back, empty if no edit of Certroll is left.

    `live` returns the thumbprints of good certificates that a setting can name. A setting keeps the new version if the
    webspace no longer holds its old version, or if an operator disabled the old version. If no old version is left, the
    function returns all edits, and a guard refuses the step. The new version stays in the app's lists if a setting
    still names the new version's thumbprint.
    """
    back = tuple(undo for edit in record.edits if _is_ours(settings, edit) for undo in inverse(edit))
    kept = tuple(edit for edit in back if edit.add is None or edit.add in live(edit.key)) or back
    ours = {edit.key for edit in kept}
    pinned = {pin.thumbprint for pin in settings.pins if pin.key not in ours}
    if kept != back or any(pinned & set(edit.remove) for edit in kept):
        kept = tuple(replace(edit, remove=()) if is_list(edit.key) else edit for edit in kept)
        kept = tuple(edit for edit in kept if edit.add is not None)
    return (*kept, *_loading(settings, kept))


def _is_ours(settings: SiteSettings, edit: SettingEdit) -> bool:
    named = {reference.thumbprint for reference in settings.references if reference.key == edit.key}
    if edit.add is None:
        return edit.next_to in named and not named & set(edit.remove)
    return edit.add in named


def _loading(settings: SiteSettings, back: tuple[SettingEdit, ...]) -> Iterable[SettingEdit]:
    """Yield edits that put the thumbprint of a restored setting back into the load list (WEBSITE_LOAD_CERTIFICATES).

    A person or tool other than Certroll took the thumbprint out of the load list (WEBSITE_LOAD_CERTIFICATES).
    """
    edited = {edit.key for edit in back}
    for key in sorted({reference.key for reference in settings.references if is_load_list(reference.key)} - edited):
        listed = {reference.thumbprint for reference in settings.references if reference.key == key}
        missing = dict.fromkeys(edit.add for edit in back if edit.add not in listed and edit.next_to in listed)
        yield from (SettingEdit(key, add, (), back[0].next_to) for add in missing)
