"""The settings of an app that name certificates: two lists, pins (a thumbprint as value), and Key Vault references.

The load list (the setting WEBSITE_LOAD_CERTIFICATES) names the certificates that the app loads. The root list (the
setting WEBSITE_LOAD_ROOT_CERTIFICATES) names the roots that the workers of an App Service plan trust, in an App Service
Environment (Azure docs, "Certificates and the App Service Environment").

A pin is an app setting outside of these two lists, WEBSITE_LOAD_CERTIFICATES and WEBSITE_LOAD_ROOT_CERTIFICATES, whose
whole value is a thumbprint or the path of a loaded certificate (Azure docs, "Use TLS/SSL certificates in your
application code"). Blanks, invisible characters, colons, hyphens and quotes do not count.

A setting whose value contains a thumbprint inside a longer text only mentions the certificate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.domain.letter_case import upper_case
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef

LOAD_LIST = "WEBSITE_LOAD_CERTIFICATES"
"""The setting that holds the load list."""
ROOT_LIST = "WEBSITE_LOAD_ROOT_CERTIFICATES"
"""The setting that holds the root list."""
EVERYTHING = "*"
"""The entry of a load list that makes the app load every certificate."""


class ReferenceKind(StrEnum):
    """The form in which a setting names a certificate."""

    LOAD_LIST = "load list"
    ROOT_LIST = "root list"
    PIN = "pin"
    PATH = "path"


LISTS = {LOAD_LIST: ReferenceKind.LOAD_LIST, ROOT_LIST: ReferenceKind.ROOT_LIST}


@dataclass(frozen=True, slots=True)
class SettingReference:
    """One thumbprint in the value of one app setting."""

    key: str
    kind: ReferenceKind
    thumbprint: Thumbprint = field(repr=False)
    """The thumbprint, which `repr` does not show.

    The value of a setting may be a secret of 40 hex digits. Certroll reports only thumbprints of certificates that it
    knows.
    """
    text: str = field(default="", repr=False, compare=False)
    """The thumbprint exactly as the value has it. In a list, the whole entry with its blanks."""
    place: int = field(default=0, repr=False, compare=False)
    """The position of the entry in a list, counted from 0 over all entries."""


@dataclass(frozen=True, slots=True)
class VaultReference:
    """A setting that App Service fills from a vault (a Key Vault reference)."""

    key: str
    ref: VaultCertificateRef
    pinned: str | None = None
    """The version that the setting names, None if the setting follows the newest version."""
    active: str | None = None
    """The version that the app has now, None if Certroll does not know it."""

    def follows(self, version: str) -> bool:
        """Return True if the setting names no version, and the app has the given version now, in any letter case."""
        return self.pinned is None and self.active == version.lower()


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a memory of an app's settings has only as digests, because the values may be secrets."""

    count: int
    """How many settings the app had when Certroll read them."""
    pins: tuple[tuple[str, str], ...] = ()
    """The settings whose whole value looks like a thumbprint, each with the digest of the value."""
    mentions: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """The digest of every run of 40 hex digits, with the names of the settings that contain the run."""


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """The settings of an app that are about certificates, with digests of all settings' values."""

    site: SiteRef
    references: tuple[SettingReference, ...] = ()
    vault_references: tuple[VaultReference, ...] = ()
    loads_everything: bool = False
    """True if the load list has the entry `*`."""
    odd_entries: int = 0
    """How many entries of the load list are not thumbprints."""
    digests: Mapping[str, str] = field(default_factory=dict, repr=False)
    """A salted digest of each value, by setting. Certroll compares digests only within one process."""
    mentions: Mapping[Thumbprint, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)
    """Every run of 40 hex digits in any value of the app's settings, with the names of the settings.

    Certroll reports a run only if a certificate that Certroll knows has this thumbprint.
    """
    not_text: frozenset[str] = frozenset()
    """The names of the settings whose value is neither a text nor null."""
    changing: bool = field(default=False, compare=False)
    """True if a plan already writes these settings, because one write is enough."""
    odd_roots: int = 0
    """How many entries of the root list are not thumbprints."""
    references_unread: str = field(default="", compare=False)
    """Why Azure did not show which versions the Key Vault references have, empty if Certroll needs or knows them."""
    no_lists: frozenset[str] = frozenset()
    """The names of list settings whose value is no list of thumbprints, such as a reference, or `*` as a root list."""
    sealed: Sealed | None = field(default=None, compare=False, repr=False)
    """What only a memory of the settings has, None for settings that Certroll has just read from Azure."""

    @property
    def remembered(self) -> bool:
        """True if the settings come from a memory, from which Certroll plans no write."""
        return self.sealed is not None

    @property
    def count(self) -> int:
        """How many settings the app has, as far as Azure showed them."""
        return self.sealed.count if self.sealed is not None else len(self.digests)

    @property
    def load_list(self) -> tuple[Thumbprint, ...]:
        """The thumbprints of the load list (the setting WEBSITE_LOAD_CERTIFICATES), in the order of the list."""
        return self._named_by(ReferenceKind.LOAD_LIST)

    @property
    def root_list(self) -> tuple[Thumbprint, ...]:
        """The thumbprints of the root list (the setting WEBSITE_LOAD_ROOT_CERTIFICATES), in the order of the list."""
        return self._named_by(ReferenceKind.ROOT_LIST)

    def _named_by(self, kind: ReferenceKind) -> tuple[Thumbprint, ...]:
        return tuple(reference.thumbprint for reference in self.references if reference.kind is kind)

    @property
    def pins(self) -> tuple[SettingReference, ...]:
        """The settings outside of the load list and the root list that name a certificate."""
        return tuple(reference for reference in self.references if reference.kind not in LISTS.values())

    @property
    def without_roots(self) -> "SiteSettings":
        """The app's settings without WEBSITE_LOAD_ROOT_CERTIFICATES, which loads no certificate into the app."""
        loaded = tuple(reference for reference in self.references if reference.kind is not ReferenceKind.ROOT_LIST)
        return self if loaded == self.references else replace(self, references=loaded)

    @property
    def named(self) -> frozenset[Thumbprint]:
        """The thumbprints that the settings of the app name."""
        return frozenset(reference.thumbprint for reference in self.references)

    @property
    def mentioned(self) -> frozenset[Thumbprint]:
        """Every run of 40 hex digits in the values, in any notation.

        Certroll does not delete a certificate whose thumbprint is among them.
        """
        return frozenset(self.mentions)

    def mentioned_outside_roots(self, thumbprints: Iterable[Thumbprint]) -> frozenset[Thumbprint]:
        """Return those of the thumbprints that a setting other than WEBSITE_LOAD_ROOT_CERTIFICATES contains.

        Callers ask for the few thumbprints that they know. One long value may hold tens of thousands of runs of hex
        digits, and Certroll plans for hundreds of vault certificates.
        """
        return frozenset(
            thumbprint for thumbprint in thumbprints if not all(map(is_root_list, self.mentions.get(thumbprint, ())))
        )


@dataclass(frozen=True, slots=True)
class AppSettings:
    """All settings of an app with their values, which Certroll holds only in memory, during a read or a write."""

    site: SiteRef
    values: Mapping[str, str | None] = field(repr=False)
    """The values that are a text or null, by setting."""
    digests: Mapping[str, str] = field(repr=False)
    etag: str | None = None
    """The etag of the site, read before the values. None if Azure returned no etag or Certroll did not read it."""
    odd: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The settings whose value is neither a text nor null, and which `values` omits, with the value as JSON."""

    @property
    def not_text(self) -> frozenset[str]:
        """The names of the settings whose value is neither a text nor null."""
        return frozenset(self.odd)


@dataclass(frozen=True, slots=True)
class SettingEdit:
    """One change of one app setting.

    The function `inverse` returns the edit of an app setting that undoes the change.
    """

    key: str
    add: Thumbprint | None
    """The thumbprint to add. In a pin it replaces the removed thumbprint."""
    remove: tuple[Thumbprint, ...]
    """The thumbprints to remove."""
    next_to: Thumbprint | None
    """The entry of a list after which the new thumbprint goes, None for the end of the list."""
    whole: bool = False
    """True if the edit creates a missing setting, and deletes a setting that becomes empty."""
    was: str = field(default="", repr=False)
    """The removed thumbprints exactly as the value has them before the edit.

    In a list, the mark `?` stands for each entry that the edit leaves unchanged.
    """
    restores: str = field(default="", repr=False)
    """The text `was` of the edit that this edit undoes."""


def is_load_list(key: str) -> bool:
    """Return True if the name is that of the load list (the setting WEBSITE_LOAD_CERTIFICATES), in any case.

    Azure ignores upper and lower case in the names of app settings.
    """
    return upper_case(key) == LOAD_LIST


def is_root_list(key: str) -> bool:
    """Return True if the name is that of the root list (the setting WEBSITE_LOAD_ROOT_CERTIFICATES), in any case.

    Azure ignores upper and lower case in the names of app settings.
    """
    return upper_case(key) == ROOT_LIST


def is_list(key: str) -> bool:
    """Return True if the setting is WEBSITE_LOAD_CERTIFICATES or WEBSITE_LOAD_ROOT_CERTIFICATES."""
    return upper_case(key) in LISTS


def fetched(settings: SiteSettings, ref: VaultCertificateRef, version: str | None) -> SiteSettings:
    """Return the app's settings after App Service fetched the vault object's value at a start or a refresh."""
    references = tuple(
        replace(reference, active=version) if reference.ref == ref and reference.pinned is None else reference
        for reference in settings.vault_references
    )
    return replace(settings, vault_references=references)


def changed_elsewhere(now: Mapping[str, str], then: Mapping[str, str], edits: Iterable[SettingEdit]) -> tuple[str, ...]:
    """Return the names of the app settings that changed without an edit by Certroll.

    The arguments `now` and `then` map the name of each app setting to a digest of the value.
    """
    edited = {edit.key for edit in edits}
    return tuple(sorted(key for key in {*now, *then} - edited if now.get(key) != then.get(key)))
