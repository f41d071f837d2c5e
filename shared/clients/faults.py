"""Translate the errors of the Azure SDKs into Certroll's own error classes.

Azure uses two shapes of error body. ARM's error body is `{"error": {"code", "message"}}`. Microsoft.Web's error body
has the fields `Code`, `Message` and `Details` without a wrapper. An entry of `Details` can contain an `ErrorEntity`
with an `ExtendedCode`. Azure's 404 for a site has no body. The test traffic of azure-cli and azure-libraries-for-java
records both error bodies and the 404 without a body.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import (
    AzureError as SdkError,
)
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.domain.errors import (
    AzureError,
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    Rejected,
    SiteLocked,
    Throttled,
    Unavailable,
)

SITE_LOCK_CODE = "59206"
IN_PROGRESS = ("another operation is in progress", "cannot acquire exclusive lock")
UNAVAILABLE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.SERVICE_UNAVAILABLE})
DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
KINDS: dict[int, type[AzureError]] = {
    HTTPStatus.UNAUTHORIZED: Denied,
    HTTPStatus.FORBIDDEN: Denied,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.PRECONDITION_FAILED: Conflict,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An error answer of Azure, read from either shape of error body."""

    status: int
    """The HTTP status of the answer."""
    code: str
    """The error code that Azure gives, or an empty text if the body has no code."""
    message: str
    """The first 300 characters of the error message that Azure gives, or an empty text."""
    extended_code: str
    """The more exact code of Microsoft.Web, such as 59206 for a locked site, or an empty text."""
    retry_after: timedelta | None
    """How long Azure asks the client to wait, or None if the answer has no Retry-After header."""


def translate(
    error: SdkError, what: str, *, writing: bool, now: datetime, remedy: str = "", secret: bool = False
) -> AzureError:
    """Return one of Certroll's own errors for an error of the Azure SDK.

    The argument `what` names the Azure resource, and `remedy` tells the operator which right to grant. Azure may have
    applied a write if the answer is lost or has a status from 500 upwards other than 503. If the request contains
    secrets (`secret`), the error omits Azure's message, because Azure may quote the request.
    """
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _from_answer(read_answer(error, now), what, writing=writing, remedy=remedy, secret=secret)
    return _without_answer(error, what, writing=writing)


def read_answer(error: HttpResponseError, now: datetime) -> Answer:
    """Return the parts of an error answer, with an empty text for each text that the answer's body lacks."""
    body = _body(error)
    inner = body.get("error")
    wrapped = {str(key).lower(): value for key, value in (inner if isinstance(inner, Mapping) else body).items()}
    details = wrapped.get("details")
    entities = [
        detail.get("ErrorEntity")
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict)
    ]
    extended = next((str(e.get("ExtendedCode", "")) for e in entities if isinstance(e, dict)), "")
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return Answer(
        status=int(error.status_code or 0),
        code=str(wrapped.get("code") or ""),
        message=str(wrapped.get("message") or "")[:300],
        extended_code=extended,
        retry_after=parse_retry_after(headers.get("Retry-After"), now),
    )


def parse_retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, or None if the header is missing or unreadable.

    The header Retry-After contains a number of seconds or a date (RFC 9110, 10.2.3).
    """
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return timedelta(seconds=int(text))
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((date if date.tzinfo else date.replace(tzinfo=UTC)) - now, timedelta(0))


def _body(error: HttpResponseError) -> dict[str, Any]:
    try:
        body = json.loads(error.response.text()) if error.response is not None else {}
    except (ValueError, AttributeError):
        return {}
    return body if isinstance(body, dict) else {}


def _without_answer(error: SdkError, what: str, *, writing: bool) -> AzureError:
    if isinstance(error, ClientAuthenticationError):
        return Unavailable(f"{what}: no token for the identity: {_first_line(error)}")
    if isinstance(error, ServiceRequestError) and not isinstance(error, ServiceResponseError):
        return Unavailable(f"{what}: no connection: {_first_line(error)}")
    kind = OutcomeUnknown if writing else Unavailable
    return kind(f"{what}: no answer: {_first_line(error)}")


def _from_answer(answer: Answer, what: str, *, writing: bool, remedy: str, secret: bool) -> AzureError:
    message = "" if secret else answer.message
    said = " ".join(part for part in (str(answer.status), answer.code, answer.extended_code, message) if part)
    text = f"{what}: {said}"
    if answer.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT) and _is_lock(answer):
        return SiteLocked(text, answer.retry_after)
    if answer.status in DENIED and remedy:
        text = f"{text}; {remedy}"
    if (
        answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        and writing
        and answer.status != HTTPStatus.SERVICE_UNAVAILABLE
    ):
        return OutcomeUnknown(text)
    if answer.status in UNAVAILABLE or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(text, answer.retry_after)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(text, answer.retry_after)
    return KINDS.get(answer.status, Rejected)(text)


def _is_lock(answer: Answer) -> bool:
    message = answer.message.lower()
    return answer.extended_code == SITE_LOCK_CODE or any(words in message for words in IN_PROGRESS)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]
