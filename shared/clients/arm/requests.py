"""Send the requests that the SDK of ARM lacks, and read the answers of ARM."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeVar

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.certificateregistration import CertificateRegistrationMgmtClient
from azure.mgmt.web import WebSiteManagementClient

from shared.clients.reading import ODD, check_page, object_of, page_entries, readable, texts_of
from shared.clients.retrying import Retrying, Road
from shared.domain.fleet.fleet import BlindSpot, Listing
from shared.domain.names import Webspace
from shared.domain.tags import Tags

UNREGISTERED = "MissingSubscriptionRegistration"

Json = Mapping[str, Any]
Found = TypeVar("Found")


def refuse_registration(response: PipelineResponse[Any, Any]) -> None:
    """Raise an error before azure-mgmt-core registers a resource provider, because no read may change Azure.

    The policy `ARMAutoResourceProviderRegistrationPolicy` of azure-mgmt-core answers the error of a subscription that
    does not use a service with a POST that registers the service. Every ARM client must have this hook.
    """
    answer = response.http_response
    if answer.status_code == HTTPStatus.CONFLICT and UNREGISTERED in answer.text():
        raise HttpResponseError(response=answer)


def whole_page(response: PipelineResponse[Any, Any]) -> None:
    """Raise TypeError for an answer to a list request that is not a page of a list, so that it never reads as empty."""
    refuse_registration(response)
    check_page(response)


PAGES: Final[Mapping[str, Any]] = {"raw_response_hook": whole_page}
"""The option of every request for a list by an SDK. The SDKs read a page without a list as the end of the list."""


def wire_of(entry: Any) -> Json:  # noqa: ANN401 - the SDKs pass on whatever a list holds
    """Return the JSON of an entry in a list, or an empty JSON object for an entry that is not an object."""
    return entry.as_dict() if hasattr(entry, "as_dict") else entry if isinstance(entry, Mapping) else {}


def one_wire(retrying: Retrying, what: str, read: Callable[[], Any], remedy: str) -> Json:
    """Read one resource by an SDK, and return its JSON. Raise Rejected if ARM's answer is not a JSON object."""
    return readable(what, lambda model: object_of(model.as_dict()), retrying.read(what, read, remedy))


def sent(client: WebSiteManagementClient | CertificateRegistrationMgmtClient, request: HttpRequest) -> HttpResponse:
    """Send a request that the SDK lacks, and return ARM's answer.

    Raise HttpResponseError of the SDK if ARM's answer has an error status.
    """
    response = client.send_request(request)
    response.raise_for_status()
    return response


def plain_list(
    retrying: Retrying, client: WebSiteManagementClient, url: str, what: str, remedy: str
) -> tuple[Json, ...]:
    """Request all pages of a list that the SDK lacks, and return the items.

    Raise Rejected if the `value` of a page is not a list, or if the pages lead in a circle.
    """
    found: list[Json] = []
    following: str | None = url
    road = Road(what)
    while following:
        road.follow(following)
        page = plain_read(retrying, client, following, what, remedy)
        found.extend(readable(what, page_entries, page))
        following = readable(what, _next_link, page)
    return tuple(found)


def _next_link(page: Json) -> str | None:
    found = page.get("nextLink")
    if found is not None and not isinstance(found, str):
        raise TypeError("its link to the next page is not a text")
    return found


def plain_read(retrying: Retrying, client: WebSiteManagementClient, url: str, what: str, remedy: str) -> Json:
    """Send a GET that the SDK lacks, and return ARM's answer. Raise Rejected if the answer is not a JSON object."""
    return readable(what, object_of, retrying.read(what, partial(_json, client, HttpRequest("GET", url)), remedy))


def _json(client: WebSiteManagementClient, request: HttpRequest) -> object:
    return sent(client, request).json()


def listing(
    subscription: str, wires: Iterable[object], read: Callable[[Json], Found], webspace: Webspace | None = None
) -> Listing[Found]:
    """Apply `read` to each entry of ARM's list, and return the readable entries.

    Each unreadable entry of Azure's list becomes a `BlindSpot`, and the returned listing has all readable entries.
    """
    found, blind = [], []
    for entry in wires:
        wire = wire_of(entry)
        try:
            found.append(read(wire))
        except ODD as error:
            where = webspace or _webspace_of(subscription, wire)
            name = str(wire.get("id") or "an entry without an id")[:200]
            blind.append(BlindSpot(name, f"it cannot be read: {error}"[:500], subscription, where))
    return Listing(tuple(found), tuple(blind))


def _webspace_of(subscription: str, wire: Json) -> Webspace | None:
    """Return the webspace of an unreadable list entry, or None if the entry's webspace is unreadable or missing."""
    with suppress(*ODD):
        return webspace_of(subscription, wire.get("properties") or {})
    return None


def webspace_of(subscription: str, properties: Json) -> Webspace | None:
    """Return the webspace in the properties of a resource, or None if the properties name no webspace."""
    name = properties.get("webSpace")
    return Webspace.parse(subscription, name) if name else None


def tags_of(wire: Json) -> Tags:
    """Return the tags of an Azure resource.

    In answers of newer API versions Azure repeats a resource's tags inside the resource's properties. A PUT of an Azure
    resource without tags deletes the resource's tags.
    """
    return texts_of(written_tags(wire))


def written_tags(wire: Json) -> Json:
    """Return the tags of an Azure resource as Azure wrote them, which a PUT must return unchanged."""
    return wire.get("tags") or (wire.get("properties") or {}).get("tags") or {}
