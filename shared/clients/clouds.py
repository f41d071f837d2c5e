"""Where Azure is: public, or US Government."""

from dataclasses import dataclass

from azure.core import AzureClouds

from shared.domain.endpoints import CloudName


@dataclass(frozen=True, slots=True)
class Cloud:
    """The names of one cloud."""

    arm: AzureClouds
    authority: str
    vault_suffix: str


CLOUDS = {
    CloudName.PUBLIC: Cloud(AzureClouds.AZURE_PUBLIC_CLOUD, "login.microsoftonline.com", "vault.azure.net"),
    CloudName.US_GOVERNMENT: Cloud(
        AzureClouds.AZURE_US_GOVERNMENT, "login.microsoftonline.us", "vault.usgovcloudapi.net"
    ),
}
