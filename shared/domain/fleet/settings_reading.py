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
from shared.domain.names import InvalidNameError, Thumbprint, VaultCertificateRef

_THUMBPRINT = "(?P<thumbprint>[0-9A-Fa-f]{40})"
_LINUX = rf"/var/ssl/(?:private|certs)/{_THUMBPRINT}\.(?:p12|pfx|der|crt|cer)"
_WINDOWS = rf"[cC]:[\\/]appservice[\\/]certificates[\\/](?:private|public)[\\/]{_THUMBPRINT}\.(?:pfx|p12|cer|der|crt)"
PATHS = (re.compile(_LINUX), re.compile(_WINDOWS, re.IGNORECASE))
BARE = re.compile(_THUMBPRINT)
_ANYWHERE = re.compile(f"(?={_THUMBPRINT})")
_SEPARATED = re.compile(r"(?<=[0-9A-Fa-f]{2})[ :-](?=[0-9A-Fa-f]{2})")
_VAULT_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<inside>.*)\)", re.IGNORECASE | re.DOTALL)
_SECRET_URI = re.compile(
    r"https://(?P<vault>[^./]+)\.[^/]+/secrets/(?P<name>[^/]+)(?:/(?P<version>[^/]*))?/?", re.IGNORECASE
)


def read_settings(settings: AppSettings) -> SiteSettings:
    """Return the parts of an app's settings that are about certificates, without the other values."""
    found = [reference for key, value in _lists(settings.values) for reference in references_in(key, value)]
    for key, value in sorted(settings.values.items()):
        if not is_list(key) and (pin := _pin(key, value)) is not None:
            found.append(pin)
    return SiteSettings(
        site=settings.site,
        references=tuple(found),
        vault_references=_vault_references(settings.values),
        loads_everything=any(
            EVERYTHING in entries(value) for key, value in _lists(settings.values) if is_load_list(key)
        ),
        odd_entries=_odd(settings.values, ReferenceKind.LOAD_LIST),
        odd_roots=_odd(settings.values, ReferenceKind.ROOT_LIST),
        digests=settings.digests,
        mentioned=_mentioned(settings.values),
    )


def _lists(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, value) for key, value in values.items() if is_list(key)))


def entries(value: str) -> tuple[str, ...]:
    """Return the entries of a comma-separated setting, without blanks around an entry and without empty entries."""
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())


def _listed(key: str, value: str) -> tuple[SettingReference | None, ...]:
    """Return a reference for each thumbprint in a list, and None for each entry that is not a thumbprint.

    Certroll does not report the entry `*` of WEBSITE_LOAD_CERTIFICATES, because App Service gives `*` a meaning there.
    """
    return tuple(
        SettingReference(key, LISTS[key.upper()], Thumbprint(entry.upper())) if BARE.fullmatch(entry) else None
        for entry in entries(value)
        if entry != EVERYTHING or is_root_list(key)
    )


def _odd(values: Mapping[str, str], kind: ReferenceKind) -> int:
    lists = ((key, value) for key, value in _lists(values) if LISTS[key.upper()] is kind)
    return sum(_listed(key, value).count(None) for key, value in lists)


def _mentioned(values: Mapping[str, str]) -> frozenset[Thumbprint]:
    """Return each run of 40 hex digits in the settings' values, also inside a longer text.

    Certroll ignores blanks, colons and dashes between the digits of a thumbprint, because operators may write them.
    """
    plain = (_SEPARATED.sub("", value) for value in values.values())
    texts = (*values.values(), *plain)
    return frozenset(Thumbprint(match["thumbprint"].upper()) for text in texts for match in _ANYWHERE.finditer(text))


def _pin(key: str, value: str) -> SettingReference | None:
    text = value.strip()
    for pattern, kind in ((BARE, ReferenceKind.PIN), *((path, ReferenceKind.PATH) for path in PATHS)):
        if match := pattern.fullmatch(text):
            return SettingReference(key, kind, Thumbprint(match["thumbprint"].upper()))
    return None


def references_in(key: str, value: str) -> tuple[SettingReference, ...]:
    """Return the thumbprints that a setting names in a list, as the whole value, or in the path of a certificate."""
    if is_list(key):
        return tuple(reference for reference in _listed(key, value) if reference is not None)
    pin = _pin(key, value)
    return () if pin is None else (pin,)


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
