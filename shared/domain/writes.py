"""The writes that Certroll sends to Azure, with the ids under which Azure's logs list them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AzureWrite:
    """One request of Certroll that changes something in Azure."""

    method: str
    path: str
    """The path of the URL, which names the resource."""
    status: int | None
    """The HTTP status of Azure's answer, None if no answer came."""
    correlation: str
    """The id by which the Activity Log groups the request with others (`x-ms-correlation-request-id`).

    It is the id that Azure answers with, and otherwise the id that Certroll sent.
    """
    request: str
    """The id that Azure gave the request alone (`x-ms-request-id`), empty if no answer came."""
