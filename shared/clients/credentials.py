"""The one credential."""

from azure.core.credentials import TokenCredential
from azure.identity import DefaultAzureCredential

from shared.clients.clouds import Cloud


def make_credential(cloud: Cloud, client_id: str | None) -> TokenCredential:
    """Return the identity's credential: its managed identity in Azure, a developer's login elsewhere.

    `client_id` picks a user-assigned identity.
    """
    return DefaultAzureCredential(authority=cloud.authority, managed_identity_client_id=client_id)
