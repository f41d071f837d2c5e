"""Change the thumbprints in an app's settings, and leave everything else in the settings unchanged."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import chain

from shared.domain.fleet.app_settings import LISTS, SettingEdit, SettingReference, SiteSettings, is_list
from shared.domain.fleet.settings_reading import BARE, PATHS, entries, references_in
from shared.domain.names import Thumbprint


def edited(key: str, value: str, edit: SettingEdit) -> str:
    """Return the setting's value after the edit, unchanged if the edit is already done or does not apply."""
    return _edited_list(value, edit) if is_list(key) else _edited_pin(value, edit)


def edited_values(values: Mapping[str, str], edits: Iterable[SettingEdit]) -> dict[str, str]:
    """Return all settings of an app with the edits applied.

    An edit with `whole` creates a missing app setting, and deletes an app setting that becomes empty.
    """
    after = dict(values)
    for edit in edits:
        if edit.key in after or edit.whole:
            after[edit.key] = edited(edit.key, after.get(edit.key, ""), edit)
        if edit.whole and not after[edit.key]:
            del after[edit.key]
    return after


def all_done(values: Mapping[str, str], edits: Collection[SettingEdit]) -> bool:
    """Return True if the app's settings already have the values that the edits make."""
    there = {edit.key: "" for edit in edits if edit.whole} | dict(values)
    return all(edit.key in there and is_done(edit.key, there[edit.key], edit) for edit in edits)


def is_done(key: str, value: str, edit: SettingEdit) -> bool:
    """Return True if the app setting already has the value that the edit makes."""
    named = {reference.thumbprint for reference in references_in(key, value)}
    return (edit.add is None or edit.add in named) and not named & set(edit.remove)


def edited_settings(settings: SiteSettings, edits: Iterable[SettingEdit]) -> SiteSettings:
    """Return the app's certificate settings as they will be after the edits."""
    by_key: dict[str, tuple[SettingReference, ...]] = {}
    for reference in settings.references:
        by_key[reference.key] = (*by_key.get(reference.key, ()), reference)
    for edit in edits:
        kind = LISTS.get(edit.key.upper()) or by_key[edit.key][0].kind
        value = edited(edit.key, ",".join(reference.thumbprint for reference in by_key.get(edit.key, ())), edit)
        by_key[edit.key] = tuple(SettingReference(edit.key, kind, Thumbprint(text)) for text in entries(value))
    return replace(settings, references=tuple(chain.from_iterable(by_key.values())))


def inverse(edit: SettingEdit) -> tuple[SettingEdit, ...]:
    """Return the edits that restore the value which the setting had before the given edit.

    The inverse of an edit that only removes thumbprints adds every removed thumbprint. The inverse of an addition at
    the end of a list only removes the added thumbprint.
    """
    if edit.add is None:
        return tuple(replace(edit, add=removed, remove=()) for removed in edit.remove)
    next_to = None if edit.next_to is None else edit.add
    return (SettingEdit(edit.key, edit.next_to, (edit.add,), next_to, edit.whole),)


def _edited_list(value: str, edit: SettingEdit) -> str:
    """Return the list of thumbprints in a setting after the edit.

    The list's other entries keep their order and their case. An edited list of thumbprints has no blanks, because App
    Service does not accept blanks in the app setting.
    """
    before = entries(value)
    if not _applies(edit, {entry.upper() for entry in before}):
        return value
    after = [entry for entry in before if entry.upper() not in edit.remove]
    if edit.add is not None and edit.add not in {entry.upper() for entry in before}:
        places = [place for place, entry in enumerate(before) if entry.upper() == edit.next_to]
        following = before[places[-1] + 1 :] if places else ()
        kept_after = sum(entry.upper() not in edit.remove for entry in following)
        after.insert(len(after) - kept_after, edit.add)
    return value if tuple(after) == before else ",".join(after)


def _applies(edit: SettingEdit, present: set[str]) -> bool:
    if edit.next_to is None:
        return edit.add is not None or not present.isdisjoint(edit.remove)
    return edit.next_to in present or (edit.add is not None and not present.isdisjoint(edit.remove))


def _edited_pin(value: str, edit: SettingEdit) -> str:
    for pattern in (BARE, *PATHS):
        match = pattern.fullmatch(value.strip())
        if match and edit.add is not None and match["thumbprint"].upper() in edit.remove:
            start = value.index(match["thumbprint"])
            return value[:start] + edit.add + value[start + len(edit.add) :]
    return value
