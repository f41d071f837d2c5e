"""How the settings of an app name certificates, and how such a name is changed without touching anything else.

Two kinds of setting hold a thumbprint: lists, and a pin, which is any other setting whose whole value is a thumbprint
or one of the paths that App Service gives a loaded certificate (Azure docs, "Use TLS/SSL certificates in your
application code"). The load list names what the app loads; the root list, in an App Service Environment, what the
workers of its plan trust (Azure docs, "Certificates and the App Service Environment"). Values are held in memory while
a setting is written, and nowhere else.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.domain.names import InvalidNameError, SiteRef, Thumbprint, VaultCertificateRef

LOAD_LIST = "WEBSITE_LOAD_CERTIFICATES"
ROOT_LIST = "WEBSITE_LOAD_ROOT_CERTIFICATES"
EVERYTHING = "*"

_THUMBPRINT = "(?P<thumbprint>[0-9A-Fa-f]{40})"
_LINUX = rf"/var/ssl/(?:private|certs)/{_THUMBPRINT}\.(?:p12|pfx|der|crt|cer)"
_WINDOWS = rf"[cC]:[\\/]appservice[\\/]certificates[\\/](?:private|public)[\\/]{_THUMBPRINT}\.(?:pfx|p12|cer|der|crt)"
_PATHS = (re.compile(_LINUX), re.compile(_WINDOWS, re.IGNORECASE))
_BARE = re.compile(_THUMBPRINT)
_ANYWHERE = re.compile(f"(?={_THUMBPRINT})")
_SEPARATED = re.compile(r"(?<=[0-9A-Fa-f]{2})[ :-](?=[0-9A-Fa-f]{2})")
_VAULT_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<inside>.*)\)", re.IGNORECASE | re.DOTALL)
_SECRET_URI = re.compile(
    r"https://(?P<vault>[^./]+)\.[^/]+/secrets/(?P<name>[^/]+)(?:/(?P<version>[^/]*))?/?", re.IGNORECASE
)


class ReferenceKind(StrEnum):
    """Through what a setting names a certificate."""

    LOAD_LIST = "load list"
    ROOT_LIST = "root list"
    PIN = "pin"
    PATH = "path"


LISTS = {LOAD_LIST: ReferenceKind.LOAD_LIST, ROOT_LIST: ReferenceKind.ROOT_LIST}


@dataclass(frozen=True, slots=True)
class SettingReference:
    """One thumbprint in one setting.

    A pin may be any text of 40 hex digits, so until its thumbprint is known to be a certificate's it is as secret as
    every other value: it is not in the representation, and only what is known is ever reported.
    """

    key: str
    kind: ReferenceKind
    thumbprint: Thumbprint = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultReference:
    """A setting that App Service fills from a vault.

    `pinned` is the version that it names, None where it follows the newest; `active` the version that the app has now,
    None where that is not known.
    """

    key: str
    ref: VaultCertificateRef
    pinned: str | None = None
    active: str | None = None


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """The part of an app's settings that is about certificates, and what tells whether the rest has changed.

    `odd_entries` counts what is in the load list and is no thumbprint, `odd_roots` the same of the root list.
    `digests` are salted, by setting: they are compared within one process and never leave it. `mentioned` is all that
    might be a thumbprint anywhere in a value; it is for one question, whether a certificate is still needed, and is
    told to nobody. `changing` says that a plan writes them already, once being enough.
    """

    site: SiteRef
    references: tuple[SettingReference, ...] = ()
    vault_references: tuple[VaultReference, ...] = ()
    loads_everything: bool = False
    odd_entries: int = 0
    digests: Mapping[str, str] = field(default_factory=dict, repr=False)
    mentioned: frozenset[Thumbprint] = field(default=frozenset(), repr=False, compare=False)
    changing: bool = field(default=False, compare=False)
    odd_roots: int = 0

    @property
    def load_list(self) -> tuple[Thumbprint, ...]:
        """The thumbprints of the load list, in its order."""
        return tuple(one.thumbprint for one in self.references if one.kind is ReferenceKind.LOAD_LIST)

    @property
    def root_list(self) -> tuple[Thumbprint, ...]:
        """The thumbprints of the root list, in its order."""
        return tuple(one.thumbprint for one in self.references if one.kind is ReferenceKind.ROOT_LIST)

    @property
    def pins(self) -> tuple[SettingReference, ...]:
        """The references outside of both lists."""
        return tuple(one for one in self.references if one.kind not in LISTS.values())

    @property
    def without_roots(self) -> "SiteSettings":
        """The same without what the root list names: what the app itself loads."""
        return replace(self, references=tuple(r for r in self.references if r.kind is not ReferenceKind.ROOT_LIST))

    @property
    def named(self) -> frozenset[Thumbprint]:
        """Every thumbprint that is named."""
        return frozenset(one.thumbprint for one in self.references)


@dataclass(frozen=True, slots=True)
class AppSettings:
    """All settings of an app, values included, for as long as it takes to write them. Neither printed nor kept.

    `etag` is that of the site, read before the values; None where Azure gave none or it was not asked for.
    """

    site: SiteRef
    values: Mapping[str, str] = field(repr=False)
    digests: Mapping[str, str] = field(repr=False)
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class SettingEdit:
    """One change of one setting: `add` in, `remove` out, all else as it is.

    In a pin `add` takes the place of the removed one; in a list it goes next to `beside`, and with None to the end.
    `whole` says that the setting comes with what is added, and goes when nothing is left in it. The edit itself says
    how it is taken back, see `inverse`.
    """

    key: str
    add: Thumbprint | None
    remove: tuple[Thumbprint, ...]
    beside: Thumbprint | None
    whole: bool = False


def read_settings(settings: AppSettings) -> SiteSettings:
    """Return what the settings say about certificates."""
    found = [one for key, value in _lists(settings.values) for one in _named(key, value)]
    for key, value in sorted(settings.values.items()):
        if not is_list(key) and (pin := _pin(key, value)) is not None:
            found.append(pin)
    return SiteSettings(
        site=settings.site,
        references=tuple(found),
        vault_references=_vault_references(settings.values),
        loads_everything=any(
            EVERYTHING in _entries(value) for key, value in _lists(settings.values) if is_load_list(key)
        ),
        odd_entries=_odd(settings.values, ReferenceKind.LOAD_LIST),
        odd_roots=_odd(settings.values, ReferenceKind.ROOT_LIST),
        digests=settings.digests,
        mentioned=_mentioned(settings.values),
    )


def is_load_list(key: str) -> bool:
    """Say whether the setting is a load list; names of settings have no case."""
    return key.upper() == LOAD_LIST


def is_root_list(key: str) -> bool:
    """Say whether the setting is a root list; names of settings have no case."""
    return key.upper() == ROOT_LIST


def is_list(key: str) -> bool:
    """Say whether the setting is a list of thumbprints."""
    return key.upper() in LISTS


def edited(key: str, value: str, edit: SettingEdit) -> str:
    """Return the value after the edit; the value itself where it is so already, or where the edit does not apply."""
    return _edited_list(value, edit) if is_list(key) else _edited_pin(value, edit)


def edited_values(values: Mapping[str, str], edits: Iterable[SettingEdit]) -> dict[str, str]:
    """Return all settings after the edits; one that comes as a whole is made, and does not stay empty."""
    after = dict(values)
    for edit in edits:
        if edit.key in after or edit.whole:
            after[edit.key] = edited(edit.key, after.get(edit.key, ""), edit)
        if edit.whole and not after[edit.key]:
            del after[edit.key]
    return after


def all_done(values: Mapping[str, str], edits: Collection[SettingEdit]) -> bool:
    """Say whether the settings are as the edits would leave them."""
    there = {edit.key: "" for edit in edits if edit.whole} | dict(values)
    return all(edit.key in there and is_done(edit.key, there[edit.key], edit) for edit in edits)


def is_done(key: str, value: str, edit: SettingEdit) -> bool:
    """Say whether the value is as the edit would leave it."""
    named = {one.thumbprint for one in _named(key, value)}
    return (edit.add is None or edit.add in named) and not named & set(edit.remove)


def edited_settings(settings: SiteSettings, edits: Iterable[SettingEdit]) -> SiteSettings:
    """Return what the settings will say after the edits."""
    by_key: dict[str, tuple[SettingReference, ...]] = {}
    for one in settings.references:
        by_key[one.key] = (*by_key.get(one.key, ()), one)
    for edit in edits:
        kind = LISTS.get(edit.key.upper()) or by_key[edit.key][0].kind
        value = edited(edit.key, ",".join(one.thumbprint for one in by_key.get(edit.key, ())), edit)
        by_key[edit.key] = tuple(SettingReference(edit.key, kind, Thumbprint(text)) for text in _entries(value))
    return replace(settings, references=tuple(one for references in by_key.values() for one in references))


def inverse(edit: SettingEdit) -> tuple[SettingEdit, ...]:
    """Return the edits that bring the last good value back: of a roll, or of a retirement of one version or several.

    What was added beside nothing is taken away again.
    """
    if edit.add is None:
        return tuple(replace(edit, add=removed, remove=()) for removed in edit.remove)
    beside = None if edit.beside is None else edit.add
    return (SettingEdit(edit.key, edit.beside, (edit.add,), beside, edit.whole),)


def fetched(settings: SiteSettings, ref: VaultCertificateRef, version: str | None) -> SiteSettings:
    """Return the settings after App Service has fetched what they refer to: a start does so, and a refresh."""
    led = tuple(
        replace(one, active=version) if one.ref == ref and one.pinned is None else one
        for one in settings.vault_references
    )
    return replace(settings, vault_references=led)


def changed_elsewhere(now: Mapping[str, str], then: Mapping[str, str], edits: Iterable[SettingEdit]) -> tuple[str, ...]:
    """Return the names of settings, but for the edited ones, that are not as they were."""
    ours = {edit.key for edit in edits}
    return tuple(sorted(key for key in {*now, *then} - ours if now.get(key) != then.get(key)))


# ------------------------------------------------------------------------------------------------------ reading


def _lists(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, value) for key, value in values.items() if is_list(key)))


def _entries(value: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())


def _listed(key: str, value: str) -> tuple[SettingReference | None, ...]:
    """Return the entries of a list, None for what is no thumbprint; `*` means something in a load list alone."""
    return tuple(
        SettingReference(key, LISTS[key.upper()], Thumbprint(entry.upper())) if _BARE.fullmatch(entry) else None
        for entry in _entries(value)
        if entry != EVERYTHING or is_root_list(key)
    )


def _odd(values: Mapping[str, str], kind: ReferenceKind) -> int:
    lists = (one for one in _lists(values) if LISTS[one[0].upper()] is kind)
    return sum(_listed(key, value).count(None) for key, value in lists)


def _mentioned(values: Mapping[str, str]) -> frozenset[Thumbprint]:
    """Return every run of 40 hex digits, also inside a longer text, and with the blanks and colons that people copy."""
    plain = (_SEPARATED.sub("", value) for value in values.values())
    texts = (*values.values(), *plain)
    return frozenset(Thumbprint(match["thumbprint"].upper()) for text in texts for match in _ANYWHERE.finditer(text))


def _pin(key: str, value: str) -> SettingReference | None:
    text = value.strip()
    for pattern, kind in ((_BARE, ReferenceKind.PIN), *((path, ReferenceKind.PATH) for path in _PATHS)):
        if match := pattern.fullmatch(text):
            return SettingReference(key, kind, Thumbprint(match["thumbprint"].upper()))
    return None


def _named(key: str, value: str) -> tuple[SettingReference, ...]:
    if is_list(key):
        return tuple(one for one in _listed(key, value) if one is not None)
    pin = _pin(key, value)
    return () if pin is None else (pin,)


def _vault_references(values: Mapping[str, str]) -> tuple[VaultReference, ...]:
    found = (_vault_reference(key, value) for key, value in sorted(values.items()))
    return tuple(reference for reference in found if reference is not None)


def _vault_reference(key: str, value: str) -> VaultReference | None:
    """Return the vault object of a Key Vault reference, in either of its forms; None for anything else."""
    match = _VAULT_REFERENCE.fullmatch(value.strip())
    if match is None:
        return None
    pairs = (part.partition("=") for part in match["inside"].split(";"))
    given = {name.strip().lower(): text.strip() for name, _, text in pairs}
    uri = _SECRET_URI.fullmatch(given.get("secreturi", ""))
    vault, name, version = (
        (uri["vault"], uri["name"], uri["version"])
        if uri
        else (given.get("vaultname", ""), given.get("secretname", ""), given.get("secretversion"))
    )
    try:
        return VaultReference(
            key, VaultCertificateRef.parse(vault, "certificate", name), (version or "").lower() or None
        )
    except InvalidNameError:
        return None


# ------------------------------------------------------------------------------------------------------ editing


def _edited_list(value: str, edit: SettingEdit) -> str:
    """Return the list after the edit. Entries of others keep their order and case; App Service wants no blanks."""
    before = _entries(value)
    if not _applies(edit, {entry.upper() for entry in before}):
        return value
    after = [entry for entry in before if entry.upper() not in edit.remove]
    if edit.add is not None and edit.add not in {entry.upper() for entry in before}:
        places = [place for place, entry in enumerate(before) if entry.upper() == edit.beside]
        following = before[places[-1] + 1 :] if places else ()
        kept_after = sum(entry.upper() not in edit.remove for entry in following)
        after.insert(len(after) - kept_after, edit.add)
    return value if tuple(after) == before else ",".join(after)


def _applies(edit: SettingEdit, present: set[str]) -> bool:
    if edit.beside is None:
        return edit.add is not None or not present.isdisjoint(edit.remove)
    return edit.beside in present or (edit.add is not None and not present.isdisjoint(edit.remove))


def _edited_pin(value: str, edit: SettingEdit) -> str:
    for pattern in (_BARE, *_PATHS):
        match = pattern.fullmatch(value.strip())
        if match and edit.add is not None and match["thumbprint"].upper() in edit.remove:
            start = value.index(match["thumbprint"])
            return value[:start] + edit.add + value[start + len(edit.add) :]
    return value
