"""The credential that all clients of Azure share."""

from azure.core.credentials import TokenCredential
from azure.identity import DefaultAzureCredential

from shared.clients.clouds import Cloud
from shared.clients.tracing import AGENT
from shared.clients.transport import BoundedTransport

CONNECT_SECONDS = 5
"""How long a connection to the token endpoint may take; in Azure the endpoint is on the machine of the Function App."""
REQUEST_SECONDS = 15
"""How long one request for a token may take, from the resolution of the name to the last byte."""
LONGEST_WAIT_SECONDS = 4.0
"""The longest wait before a token is requested again. If the endpoint asks for a longer wait, the call of Azure fails,
and Certroll repeats the call as a whole."""
RETRIES = 2
COMMAND_SECONDS = 10
"""How long a command such as `az` may take to print a token on the machine of a developer."""


def make_credential(cloud: Cloud, client_id: str | None) -> TokenCredential:
    """Return the credential: in Azure the Function App's managed identity, elsewhere usually the developer's login.

    `client_id` selects a user-assigned managed identity.
    """
    return DefaultAzureCredential(
        authority=cloud.authority,
        managed_identity_client_id=client_id,
        process_timeout=COMMAND_SECONDS,
        retry_total=RETRIES,
        user_agent=AGENT,
        retry_backoff_max=LONGEST_WAIT_SECONDS,
        transport=BoundedTransport(CONNECT_SECONDS, REQUEST_SECONDS, REQUEST_SECONDS, LONGEST_WAIT_SECONDS),
    )
