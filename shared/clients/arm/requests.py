"""Send the requests that the SDK of ARM lacks, and read the answers of ARM."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.web import WebSiteManagementClient

from shared.clients.retrying import Retrying
from shared.domain.errors import Rejected
from shared.domain.fleet.fleet import BlindSpot, Listing
from shared.domain.names import Webspace
from shared.domain.tags import Tags

ODD = (ValueError, TypeError, AttributeError)
"""The errors that Python raises when code reads an answer whose JSON has an unexpected shape."""

Json = Mapping[str, Any]
Found = TypeVar("Found")
Wire = TypeVar("Wire")


def sent(client: WebSiteManagementClient, request: HttpRequest) -> HttpResponse:
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

    Raise Rejected if the `value` of a page is not a list.
    """
    found: list[Json] = []
    following: str | None = url
    while following:
        page = plain_read(retrying, client, following, what, remedy)
        found.extend(readable(what, _entries, page))
        following = page.get("nextLink")
    return tuple(found)


def plain_read(retrying: Retrying, client: WebSiteManagementClient, url: str, what: str, remedy: str) -> Json:
    """Send a GET that the SDK lacks, and return ARM's answer. Raise Rejected if the answer is not a JSON object."""
    answer = retrying.read(what, partial(sent, client, HttpRequest("GET", url)), remedy)
    return readable(what, _object, answer)


def _object(answer: HttpResponse) -> Json:
    found: object = answer.json()
    if not isinstance(found, Mapping):
        raise TypeError("the answer is not an object")
    return found


def _entries(page: Json) -> list[Json]:
    found = page.get("value") or []
    if not isinstance(found, list):
        raise TypeError("its value is not a list")
    return found


def listing(
    subscription: str, wires: Iterable[Json], read: Callable[[Json], Found], webspace: Webspace | None = None
) -> Listing[Found]:
    """Apply `read` to each entry of ARM's list, and return the readable entries.

    Each unreadable entry of Azure's list becomes a `BlindSpot`, and the returned listing has all readable entries.
    """
    found, blind = [], []
    for wire in wires:
        try:
            found.append(read(wire))
        except ODD as error:
            where = webspace or _webspace_of(subscription, wire)
            blind.append(BlindSpot(str(wire.get("id"))[:200], str(error), subscription, where))
    return Listing(tuple(found), tuple(blind))


def _webspace_of(subscription: str, wire: Json) -> Webspace | None:
    """Return the webspace of an unreadable list entry, or None if the entry's webspace is unreadable or missing."""
    with suppress(*ODD):
        return webspace_of(subscription, wire.get("properties") or {})
    return None


def readable(what: str, read: Callable[[Wire], Found], wire: Wire) -> Found:
    """Apply the function `read` to the given answer of Azure, and return its value.

    Raise Rejected if Azure's answer has an unexpected shape.
    """
    try:
        return read(wire)
    except ODD as error:
        raise Rejected(f"{what} cannot be read: {error}") from error


def webspace_of(subscription: str, properties: Json) -> Webspace | None:
    """Return the webspace in the properties of a resource, or None if the properties name no webspace."""
    name = properties.get("webSpace")
    return Webspace.parse(subscription, name) if name else None


def tags_of(wire: Json) -> Tags:
    """Return the tags of an Azure resource.

    In answers of newer API versions Azure repeats a resource's tags inside the resource's properties. A PUT of an Azure
    resource without tags deletes the resource's tags.
    """
    tags = wire.get("tags") or (wire.get("properties") or {}).get("tags") or {}
    return tuple(sorted((str(key), str(value)) for key, value in tags.items()))
