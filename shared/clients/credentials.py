"""The credential that all clients of Azure share."""

from collections.abc import Callable
from typing import Any, TypeVar

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential

from shared.clients.clouds import Cloud
from shared.clients.tracing import AGENT
from shared.clients.transport import BoundedTransport
from shared.domain.errors import CertrollError

Token = TypeVar("Token", AccessToken, AccessTokenInfo)

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


class Identity:
    """The credential of the Function App, whose every failure is one error of the SDKs without an answer of Azure.

    For an answer that makes no sense, azure-identity raises any error of Python. For a refusal by the token endpoint,
    its error carries the endpoint's answer, which must not read as the answer of ARM: a 404 there says nothing about a
    site.
    """

    def __init__(self, credential: DefaultAzureCredential) -> None:
        self._credential = credential

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,  # noqa: ANN401 - azure-core's own signature
    ) -> AccessToken:
        """Return a token for the scopes. Raise ClientAuthenticationError if there is none."""
        options = {"claims": claims, "tenant_id": tenant_id, "enable_cae": enable_cae, **kwargs}
        return _known(lambda: self._credential.get_token(*scopes, **options))

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token for the scopes with its details. Raise ClientAuthenticationError if there is none."""
        return _known(lambda: self._credential.get_token_info(*scopes, options=options))


def _known(ask: Callable[[], Token]) -> Token:
    try:
        return ask()
    except CertrollError:
        raise
    except Exception as error:
        text = str(error) if isinstance(error, ClientAuthenticationError) else f"{type(error).__name__}: {error}"
        raise ClientAuthenticationError(text) from error


def make_credential(cloud: Cloud, client_id: str | None) -> TokenCredential:
    """Return the credential: in Azure the Function App's managed identity, elsewhere usually the developer's login.

    `client_id` selects a user-assigned managed identity.
    """
    found = DefaultAzureCredential(
        authority=cloud.authority,
        managed_identity_client_id=client_id,
        process_timeout=COMMAND_SECONDS,
        retry_total=RETRIES,
        user_agent=AGENT,
        retry_backoff_max=LONGEST_WAIT_SECONDS,
        transport=BoundedTransport(CONNECT_SECONDS, REQUEST_SECONDS, REQUEST_SECONDS, LONGEST_WAIT_SECONDS),
    )
    return Identity(found)
