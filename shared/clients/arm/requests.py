"""What clients of Azure Resource Manager have in common: plain requests beside the SDK's, and reading what comes."""

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
"""What comes of reading an answer of another shape than it should have."""

Json = Mapping[str, Any]
Found = TypeVar("Found")
Wire = TypeVar("Wire")


def sent(client: WebSiteManagementClient, request: HttpRequest) -> HttpResponse:
    """Return the answer to a request that the SDK does not have. Raises the SDK's errors."""
    response = client.send_request(request)
    response.raise_for_status()
    return response


def plain_list(
    retrying: Retrying, client: WebSiteManagementClient, url: str, what: str, remedy: str
) -> tuple[Json, ...]:
    """Return the items of a list that the SDK does not have, of all its pages. Raises Rejected where it is none."""
    found: list[Json] = []
    following: str | None = url
    while following:
        page = plain_read(retrying, client, following, what, remedy)
        found.extend(readable(what, _entries, page))
        following = page.get("nextLink")
    return tuple(found)


def plain_read(retrying: Retrying, client: WebSiteManagementClient, url: str, what: str, remedy: str) -> Json:
    """Return the object that a GET answers which the SDK does not have. Raises Rejected where it is none."""
    answer = retrying.read(what, partial(sent, client, HttpRequest("GET", url)), remedy)
    return readable(what, _object, answer)


def _object(answer: HttpResponse) -> Json:
    found: object = answer.json()
    if not isinstance(found, Mapping):
        raise TypeError("the answer is no object")
    return found


def _entries(page: Json) -> list[Json]:
    found = page.get("value") or []
    if not isinstance(found, list):
        raise TypeError("its value is no list")
    return found


def listing(
    subscription: str, wires: Iterable[Json], read: Callable[[Json], Found], webspace: Webspace | None = None
) -> Listing[Found]:
    """Return what can be read of a list; one odd entry is a blind spot and does not hide the others."""
    found, blind = [], []
    for wire in wires:
        try:
            found.append(read(wire))
        except ODD as error:
            where = webspace or _webspace_of(subscription, wire)
            blind.append(BlindSpot(str(wire.get("id"))[:200], str(error), subscription, where))
    return Listing(tuple(found), tuple(blind))


def _webspace_of(subscription: str, wire: Json) -> Webspace | None:
    """Return the webspace that an odd entry says it is in, None where that cannot be read either."""
    with suppress(*ODD):
        return webspace_of(subscription, wire.get("properties") or {})
    return None


def readable(what: str, read: Callable[[Wire], Found], wire: Wire) -> Found:
    """Return what an answer says. Raises Rejected where it has another shape than it should have."""
    try:
        return read(wire)
    except ODD as error:
        raise Rejected(f"{what} cannot be read: {error}") from error


def webspace_of(subscription: str, properties: Json) -> Webspace | None:
    """Return the webspace that a resource says it is in."""
    name = properties.get("webSpace")
    return Webspace.parse(subscription, name) if name else None


def tags_of(wire: Json) -> Tags:
    """Return the tags; newer answers carry them inside the properties as well, and a PUT without them loses them."""
    tags = wire.get("tags") or (wire.get("properties") or {}).get("tags") or {}
    return tuple(sorted((str(key), str(value)) for key, value in tags.items()))
