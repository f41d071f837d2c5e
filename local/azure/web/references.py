"""Key Vault references in app settings: what App Service makes of them when it looks.

Azure docs, app-service-key-vault-references: `@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/n[/ver])`
or `@Microsoft.KeyVault(VaultName=v;SecretName=n[;SecretVersion=ver])`. Without a version the newest one is taken.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from local.azure.vault.vault import Vault
from local.azure.web.resources import Resolution, Site

REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<inside>.*)\)", re.IGNORECASE | re.DOTALL)
SECRET_URI = re.compile(
    r"https://(?P<vault>[^./]+)\.vault\.azure\.net/secrets/(?P<name>[^/]+)(/(?P<version>[^/]*))?/?", re.IGNORECASE
)
RESOLVED = "Resolved"


def is_reference(value: str) -> bool:
    """Return True if a setting's value means a secret in a vault, well spelt or not."""
    return value.lower().startswith("@microsoft.keyvault(")


class References:
    """The Key Vault references of a world's sites, read from its vaults."""

    def __init__(self, vaults: Mapping[str, Vault]) -> None:
        """Read from these vaults, by lower-case name."""
        self._vaults = vaults

    def resolved(self, site: Site) -> Mapping[str, Resolution]:
        """Return what the site's references mean now, by name of the setting.

        `vault.deny(site.id)` denies the vault to that site alone: the site's id stands for its identity.
        """
        named = ((name, value) for name, value in site.settings.items() if is_reference(value))
        return {name: _resolve(self._vaults, site, value) for name, value in named}


def _resolve(vaults: Mapping[str, Vault], site: Site, value: str) -> Resolution:
    parts = _parts(value)
    if parts is None:
        return Resolution("InvalidSyntax")
    vault_name, secret_name, wanted = parts
    named = Resolution("Initialized", vault_name, secret_name, wanted or None)
    vault = vaults.get(vault_name.lower())
    if vault is None:
        return replace(named, status="VaultNotFound")
    if vault.refusal(site.id, "secrets/get"):
        return replace(named, status="AccessToKeyVaultDenied")
    return _looked_up(vault, named)


def _looked_up(vault: Vault, named: Resolution) -> Resolution:
    found = vault.secret(named.secret_name or "")
    if found is None:
        return replace(named, status="SecretNotFound")
    wanted = named.secret_version
    version = found.version(wanted) if wanted else vault.latest(found)
    if version is None:
        return replace(named, status="SecretVersionNotFound")
    if not version.enabled:
        return replace(named, status="OtherReasons")
    return replace(named, status=RESOLVED, active_version=version.id)


def _parts(value: str) -> tuple[str, str, str] | None:
    """Return vault, secret and version (empty: the newest), or None where the reference is not well spelt."""
    match = REFERENCE.fullmatch(value)
    inside = match["inside"] if match else ""
    pairs = (part.partition("=") for part in inside.split(";"))
    named = {name.strip().lower(): text.strip() for name, _, text in pairs}
    if "secreturi" in named:
        uri = SECRET_URI.fullmatch(named["secreturi"])
        return (uri["vault"], uri["name"], uri["version"] or "") if uri else None
    if named.get("vaultname") and named.get("secretname"):
        return named["vaultname"], named["secretname"], named.get("secretversion", "")
    return None
