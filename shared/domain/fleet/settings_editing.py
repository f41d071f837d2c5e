"""Change the thumbprints in an app's settings, and leave everything else in the settings unchanged."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import chain, islice

from shared.domain.fleet.app_settings import LISTS, SettingEdit, SettingReference, SiteSettings, is_list
from shared.domain.fleet.settings_reading import references_in
from shared.domain.fleet.thumbprint_text import in_form_of, is_list_text, listed, pinned
from shared.domain.names import Thumbprint

Entry = tuple[str, Thumbprint | None]
"""The text of an entry of a list, and its thumbprint. The thumbprint is None if the entry is no thumbprint."""

OTHER = "?"
"""The mark for an entry of a list that an edit leaves unchanged, in the text `SettingEdit.was`."""


def edited(key: str, value: str, edit: SettingEdit) -> str:
    """Return the setting's value after the edit, unchanged if the edit is already done or does not apply."""
    return _edited_list(value, edit) if is_list(key) else _edited_pin(value, edit)


def edited_values(values: Mapping[str, str | None], edits: Iterable[SettingEdit]) -> dict[str, str | None]:
    """Return all settings of an app with the edits applied.

    An edit with `whole` creates a missing app setting, and deletes an app setting that becomes empty.
    """
    after = dict(values)
    for edit in edits:
        if edit.key in after or edit.whole:
            after[edit.key] = edited(edit.key, after.get(edit.key) or "", edit)
        if edit.whole and not after[edit.key]:
            del after[edit.key]
    return after


def all_done(values: Mapping[str, str | None], edits: Collection[SettingEdit]) -> bool:
    """Return True if the app's settings already have the values that the edits make."""
    there = {edit.key: None for edit in edits if edit.whole} | dict(values)
    return all(edit.key in there and is_done(edit.key, there[edit.key] or "", edit) for edit in edits)


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
        value = edited(edit.key, ",".join(map(_text_of, by_key.get(edit.key, ()))), edit)
        by_key[edit.key] = tuple(replace(reference, kind=kind) for reference in references_in(edit.key, value))
    return replace(settings, references=tuple(chain.from_iterable(by_key.values())))


def with_text(settings: SiteSettings, edit: SettingEdit) -> SettingEdit:
    """Return the edit with the exact text of the thumbprints that it removes from the app's settings.

    The text contains no other value: the mark `?` stands for each other entry of a list.
    """
    there = {reference.place: reference for reference in settings.references if reference.key == edit.key}
    removed = {place: reference for place, reference in there.items() if reference.thumbprint in edit.remove}
    if not removed:
        return edit
    parts = (_text_of(removed[place]) if place in removed else OTHER for place in range(max(there) + 1))
    return replace(edit, was=",".join(parts))


def inverse(edit: SettingEdit) -> tuple[SettingEdit, ...]:
    """Return the edits that restore the value which the setting had before the given edit, byte for byte.

    The inverse of an edit that only removes thumbprints adds every removed thumbprint. The inverse of an addition at
    the end of a list only removes the added thumbprint.
    """
    if edit.add is None:
        return tuple(
            replace(edit, add=removed, remove=(), was="", restores=_until(edit, number))
            for number, removed in enumerate(edit.remove)
        )
    next_to = None if edit.next_to is None else edit.add
    return (SettingEdit(edit.key, edit.next_to, (edit.add,), next_to, edit.whole, restores=edit.was),)


def restoring_without(edit: SettingEdit, is_bad: Callable[[Thumbprint], bool]) -> SettingEdit:
    """Return an edit that restores a list without the entries of bad versions, such as disabled versions."""
    kept = (text for text, thumbprint in _entries(edit.restores) if thumbprint is None or not is_bad(thumbprint))
    return replace(edit, restores=",".join(kept))


def _until(edit: SettingEdit, number: int) -> str:
    """Return the text by which an edit adds one removed thumbprint, after the edits for the thumbprints before it.

    An entry that an earlier edit has added is one of the list's other entries. Return an empty text if the text of the
    removed thumbprints is unknown.
    """
    numbers = {thumbprint: place for place, thumbprint in enumerate(edit.remove)}
    parts = [(text, numbers[thumbprint] if thumbprint else -1) for text, thumbprint in _entries(edit.was)]
    return ",".join(text if place == number else OTHER for text, place in parts if place <= number)


def _text_of(reference: SettingReference) -> str:
    return reference.text or reference.thumbprint


def _edited_list(value: str, edit: SettingEdit) -> str:
    """Return the list of thumbprints in a setting after the edit.

    The list's other entries keep their order and every character. App Service accepts no blanks around an entry, so a
    new entry has none. A value that is no list of thumbprints stays as it is.
    """
    entries = _entries(value)
    present = {thumbprint for _, thumbprint in entries if thumbprint}
    if not is_list_text(value) or not _applies(edit, present):
        return value
    restored = _restored(entries, edit) if edit.restores else []
    if edit.add in {thumbprint for _, thumbprint in restored}:
        return _joined(restored)
    if edit.add is not None and edit.add not in present:
        text = in_form_of(_example(entries, edit.next_to), edit.add)
        entries.insert(_place(entries, edit.next_to), (text, edit.add))
    return _joined(entry for entry in entries if entry[1] not in edit.remove)


def _entries(value: str) -> list[Entry]:
    return [(text, listed(text.strip())) for text in value.split(",")] if value else []


def _joined(entries: Iterable[Entry]) -> str:
    return ",".join(text for text, _ in entries)


def _restored(entries: list[Entry], edit: SettingEdit) -> list[Entry]:
    """Return the entries of a list as they were before the edit that the given edit undoes.

    Entries that came meanwhile stay, at the end of the list.
    """
    others = [entry for entry in entries if entry[1] not in edit.remove]
    there = {thumbprint for _, thumbprint in others}
    left, restored = iter(others), list[Entry]()
    for text, thumbprint in _entries(edit.restores):
        if text == OTHER:
            restored += islice(left, 1)
        elif thumbprint not in there:
            restored.append((text, thumbprint))
    return [*restored, *left]


def _place(entries: list[Entry], next_to: Thumbprint | None) -> int:
    """Return the index for a new entry: behind the last entry `next_to`, or else behind the last entry of the list."""
    neighbours = [place for place, (_, thumbprint) in enumerate(entries) if thumbprint and thumbprint == next_to]
    filled = [place for place, (text, _) in enumerate(entries) if text.strip()]
    return max(neighbours or filled, default=-1) + 1


def _example(entries: list[Entry], next_to: Thumbprint | None) -> str:
    """Return the entry `next_to`, whose case a new entry takes, empty if the list lacks this entry."""
    return next((text.strip() for text, thumbprint in reversed(entries) if thumbprint and thumbprint == next_to), "")


def _edited_pin(value: str, edit: SettingEdit) -> str:
    pin = pinned(value)
    if pin is None or edit.add is None or pin.thumbprint not in edit.remove:
        return value
    restored = pinned(edit.restores)
    is_exact = restored is not None and restored.thumbprint == edit.add
    text = edit.restores if is_exact else in_form_of(value[pin.start : pin.end], edit.add)
    return value[: pin.start] + text + value[pin.end :]


def _applies(edit: SettingEdit, present: set[Thumbprint]) -> bool:
    if edit.next_to is None:
        return edit.add is not None or not present.isdisjoint(edit.remove)
    return edit.next_to in present or (edit.add is not None and not present.isdisjoint(edit.remove))
