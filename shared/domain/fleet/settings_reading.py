"""Find the thumbprints of certificates in the values of an app's settings."""

import re
from collections.abc import Mapping

from shared.domain.fleet.app_settings import (
    EVERYTHING,
    LISTS,
    AppSettings,
    ReferenceKind,
    SettingReference,
    SiteSettings,
    VaultReference,
    is_list,
    is_load_list,
    is_root_list,
)
from shared.domain.fleet.thumbprint_text import is_list_text, is_reference, listed, mentioned, pinned
from shared.domain.names import InvalidNameError, Thumbprint, VaultCertificateRef

_VAULT_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<inside>.*)\)", re.IGNORECASE | re.DOTALL)
_SECRET_URI = re.compile(
    r"https://(?P<vault>[^./]+)\.[^/]+/secrets/(?P<name>[^/]+)(?:/(?P<version>[^/]*))?/?", re.IGNORECASE
)


def read_settings(settings: AppSettings) -> SiteSettings:
    """Return the parts of an app's settings that are about certificates, without the other values."""
    values = {key: value for key, value in sorted(settings.values.items()) if value is not None}
    lists = {key: value for key, value in values.items() if is_list(key)}
    pins = {key: value for key, value in values.items() if not is_list(key)}
    return SiteSettings(
        site=settings.site,
        references=tuple(found for part in (lists, pins) for key in part for found in references_in(key, part[key])),
        vault_references=_vault_references(values),
        loads_everything=any(_loads_everything(key, value) for key, value in lists.items()),
        odd_entries=_odd(lists, ReferenceKind.LOAD_LIST),
        odd_roots=_odd(lists, ReferenceKind.ROOT_LIST),
        digests=settings.digests,
        mentions=_mentions({**values, **settings.odd}),
        not_text=settings.not_text,
        no_lists=frozenset(key for key, value in lists.items() if not _is_understood(key, value)),
    )


def entries(value: str) -> tuple[str, ...]:
    """Return the entries of a comma-separated setting, without blanks around an entry and without empty entries."""
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())


def _is_understood(key: str, value: str) -> bool:
    """Return True if the value of a list setting is a list of thumbprints, or `*` as a load list."""
    return is_list_text(value) or _loads_everything(key, value)


def _loads_everything(key: str, value: str) -> bool:
    return is_load_list(key) and EVERYTHING in entries(value) and not is_reference(value)


def _odd(lists: Mapping[str, str], kind: ReferenceKind) -> int:
    """Return how many entries of the lists are not thumbprints.

    The entry `*` of WEBSITE_LOAD_CERTIFICATES does not count, because App Service gives `*` a meaning there.
    """
    return sum(
        listed(entry) is None and (entry != EVERYTHING or is_root_list(key))
        for key, value in lists.items()
        if LISTS[key.upper()] is kind
        for entry in entries(value)
    )


def _mentions(values: Mapping[str, str]) -> Mapping[Thumbprint, frozenset[str]]:
    """Return each run of 40 hex digits in the settings' values, with the names of the settings that contain it."""
    found: dict[Thumbprint, set[str]] = {}
    for key, value in values.items():
        for thumbprint in mentioned(value):
            found.setdefault(thumbprint, set()).add(key)
    return {thumbprint: frozenset(keys) for thumbprint, keys in found.items()}


def references_in(key: str, value: str) -> tuple[SettingReference, ...]:
    """Return the thumbprints that a setting names in a list, as the whole value, or in the path of a certificate."""
    if is_list(key) and not is_list_text(value):
        return ()
    if is_list(key):
        kind = LISTS[key.upper()]
        named = ((place, entry, listed(entry.strip())) for place, entry in enumerate(value.split(",")))
        return tuple(
            SettingReference(key, kind, thumbprint, entry, place) for place, entry, thumbprint in named if thumbprint
        )
    pin = pinned(value)
    if pin is None:
        return ()
    kind = ReferenceKind.PATH if pin.is_path else ReferenceKind.PIN
    return (SettingReference(key, kind, pin.thumbprint, value[pin.start : pin.end]),)


def _vault_references(values: Mapping[str, str]) -> tuple[VaultReference, ...]:
    found = (_vault_reference(key, value) for key, value in sorted(values.items()))
    return tuple(reference for reference in found if reference is not None)


def _vault_reference(key: str, value: str) -> VaultReference | None:
    """Return the Key Vault reference in a setting's value, which Azure allows in two forms.

    Return None for a value that is no Key Vault reference.
    """
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
