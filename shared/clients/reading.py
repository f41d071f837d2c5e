"""Read answers of Azure whose shape may be anything."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar

from azure.core.pipeline import PipelineResponse

from shared.domain.errors import Rejected
from shared.domain.reason import Reason
from shared.domain.tags import Tags

ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The errors that Python raises when code reads an answer whose JSON has an unexpected shape, or a date in year 1."""

Found = TypeVar("Found")
Wire = TypeVar("Wire")


def readable(what: str, read: Callable[[Wire], Found], wire: Wire) -> Found:
    """Apply the function `read` to the given answer of Azure, and return its value.

    Raise Rejected if Azure's answer has an unexpected shape.
    """
    try:
        return read(wire)
    except ODD as error:
        raise Rejected(f"{what} cannot be read: {error}", Reason.ANSWER_UNREADABLE) from error


def readable_secret(what: str, read: Callable[[Wire], Found], wire: Wire) -> Found:
    """Apply `read` to an answer that holds secrets. The error for an unexpected shape quotes nothing of the answer."""
    with suppress(*ODD):
        return read(wire)
    raise Rejected(f"{what} cannot be read: the answer has an unexpected shape", Reason.ANSWER_UNREADABLE)


def text_of(wire: Mapping[str, Any], name: str) -> str:
    """Return a field of an answer as a text, and an empty text for null and for a missing field."""
    found = wire.get(name)
    return "" if found is None else str(found)


def texts_of(tags: Mapping[str, Any]) -> Tags:
    """Return the tags of a resource in order. A tag whose value is null has an empty text.

    A tag of Certroll with an empty text counts as not understood, so that null never reads as a missing tag.
    """
    return tuple(sorted((str(name), text_of(tags, name)) for name in tags))


def object_of(found: object) -> Mapping[str, Any]:
    """Return the JSON object. Raise TypeError for any other JSON."""
    if not isinstance(found, Mapping):
        raise TypeError("the answer is not an object")
    return found


def page_entries(page: object) -> list[Any]:
    """Return the entries of a page of a list. Raise TypeError if the page has no list.

    Azure writes an empty list as `[]`, so null is no empty list. Only in 2016 and 2019 did a new vault without any
    secret answer null (azure-sdk-for-net #6758), which the SDK for Python cannot read either.
    """
    found = object_of(page).get("value", "")
    if found is None:
        raise TypeError("its list is null")
    if not isinstance(found, list):
        raise TypeError("its value is not a list")
    return found


def check_page(response: PipelineResponse[Any, Any]) -> None:
    """Raise TypeError for an answer without a list, which the SDKs would read as the end of the list."""
    answer = response.http_response
    if answer.status_code == HTTPStatus.OK:
        page_entries(answer.json())
