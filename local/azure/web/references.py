"""Key Vault references in app settings, and the secret versions to which App Service resolves references.

Azure docs (app-service-key-vault-references) describe two forms of a Key Vault reference.

- `@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/n[/ver])` names the secret by its address.
- `@Microsoft.KeyVault(VaultName=v;SecretName=n[;SecretVersion=ver])` names the vault and the secret.

A Key Vault reference without a version names the newest version of the secret.
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
    """Return True if a setting's value is a Key Vault reference, even with invalid syntax."""
    return value.lower().startswith("@microsoft.keyvault(")


class References:
    """The resolution of Key Vault references in a simulated Azure, from the secrets of its vaults."""

    def __init__(self, vaults: Mapping[str, Vault]) -> None:
        """Resolve Key Vault references with the secrets of `vaults`, whose keys are vault names in lower case."""
        self._vaults = vaults

    def resolved(self, site: Site) -> Mapping[str, Resolution]:
        """Return the resolution of each Key Vault reference of the site now, by name of the setting.

        In the simulation, the site's resource id stands for the site's managed identity. A test takes the site's access
        to a vault away with `vault.deny(site.id)`.
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
    """Return the vault, secret and version of a Key Vault reference, or None if its syntax is invalid.

    An empty version in the parsed reference stands for the newest version of the secret.
    """
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
