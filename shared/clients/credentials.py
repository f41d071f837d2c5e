"""The credential that all clients of Azure share."""

from azure.core.credentials import TokenCredential
from azure.identity import DefaultAzureCredential

from shared.clients.clouds import Cloud


def make_credential(cloud: Cloud, client_id: str | None) -> TokenCredential:
    """Return the credential: in Azure the Function App's managed identity, elsewhere usually the developer's login.

    `client_id` selects a user-assigned managed identity.
    """
    return DefaultAzureCredential(authority=cloud.authority, managed_identity_client_id=client_id)
