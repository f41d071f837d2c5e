"""The Azure clouds that Certroll supports: the public cloud and Azure Government."""

from dataclasses import dataclass

from azure.core import AzureClouds

from shared.domain.endpoints import CloudName


@dataclass(frozen=True, slots=True)
class Cloud:
    """The addresses of one Azure cloud."""

    arm: AzureClouds
    """The SDK's own name for the cloud, from which each ARM client knows its address."""
    authority: str
    """The host name of Microsoft Entra ID, which issues the tokens."""
    vault_suffix: str
    """The domain of every Key Vault in the cloud."""


CLOUDS = {
    CloudName.PUBLIC: Cloud(AzureClouds.AZURE_PUBLIC_CLOUD, "login.microsoftonline.com", "vault.azure.net"),
    CloudName.US_GOVERNMENT: Cloud(
        AzureClouds.AZURE_US_GOVERNMENT, "login.microsoftonline.us", "vault.usgovcloudapi.net"
    ),
}
