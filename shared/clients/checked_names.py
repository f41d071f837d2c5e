"""Refuse to send a request whose path has a name that breaks Azure's rule for such names.

Every client of ARM and Key Vault has this step, and the step is the last check before a request goes out.
"""

from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from shared.clients.clouds import CLOUDS
from shared.domain.errors import Rejected
from shared.domain.names import VaultName
from shared.domain.path_names import MOST_QUOTED, VAULT, path_problem
from shared.domain.reason import Reason

_VAULTS = tuple(f".{cloud.vault_suffix}" for cloud in CLOUDS.values())


class NamesPolicy(SansIOHTTPPolicy[Any, Any]):
    """The step of an SDK's pipeline that checks the names in the path of each request."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raise Rejected, which quotes the name and the rule, if a name in the path breaks Azure's rule."""
        if problem := _problem(request.http_request.url):
            raise Rejected(f"{problem}; Certroll sends no request with it", Reason.NAME_INVALID)


def _problem(url: str) -> str:
    if not url.isprintable():  # urlsplit takes line breaks out
        return f"{url[:MOST_QUOTED]!r} is not an address without line breaks"
    try:
        parts = urlsplit(url)
        return path_problem(parts.path, of_vault=(parts.hostname or "").endswith(_VAULTS))
    except ValueError as error:
        return f"{url[:MOST_QUOTED]!r} is not an address: {error}"


def checked_vault(vault: VaultName) -> VaultName:
    """Return the name of a vault for the address of a request. Raise Rejected if the name breaks Azure's rule."""
    if problem := VAULT.problem(vault):
        raise Rejected(f"{problem}; Certroll sends no request with it", Reason.NAME_INVALID)
    return vault
