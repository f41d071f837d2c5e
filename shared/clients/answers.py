"""Read the error answers of Azure.

Azure uses several shapes of error body. ARM's error body is `{"error": {"code", "message"}}`, and some services write
`{"Error": {"Code", "Message"}}`. Microsoft.Web's error body has the fields `Code`, `Message` and `Details` without a
wrapper. An entry of `Details` can contain an `ErrorEntity` with an `ExtendedCode`. Table storage wraps its error in
`odata.error`, and its message is an object with the field `value`. Azure's 404 for a site has no body. The test traffic
of azure-cli and azure-libraries-for-java records ARM's and Microsoft.Web's error bodies, and the 404 without a body.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import HttpResponseError

LONGEST_MESSAGE = 300
LONGEST_CODE = 100
LONGEST_SEARCHED = 5_000
"""How much of a message Certroll searches, because the time of the search grows with the square of the length."""
LONGEST_WAIT = timedelta(days=1)
"""The longest wait that Certroll reads from a Retry-After header, because no run and no message lasts longer."""
_ASSIGNMENT = re.compile(r'"policyAssignment":\{[^{}]*"name":"([^"]+)"[^{}]*"id":"([^"]+)"')
"""The policy assignment in the message of a refusal, as in vscode-apimanagement #348."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An error answer of Azure, read from any shape of error body."""

    status: int
    """The HTTP status of the answer."""
    code: str = ""
    """The error code that Azure gives, or an empty text if neither the body nor a header has a code."""
    message: str = ""
    """The first 300 characters of the error message that Azure gives, or an empty text."""
    extended_code: str = ""
    """The more exact code of Microsoft.Web or Key Vault, such as 59206 for a locked site, or an empty text."""
    policy: str = ""
    """The assignment of Azure Policy that refused the request, or an empty text."""
    retry_after: timedelta | None = None
    """How long Azure asks the client to wait, or None if the answer has no Retry-After header."""


def read_answer(error: HttpResponseError, now: datetime) -> Answer:
    """Return the parts of an error answer, with an empty text for each text that the answer lacks."""
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    fields = _fields(_body(error))
    message = fields.get("message")
    text = _text(message.get("value") if isinstance(message, Mapping) else message)
    return Answer(
        status=int(error.status_code or 0),
        code=_text(fields.get("code") or headers.get("x-ms-error-code"))[:LONGEST_CODE],
        message=text[:LONGEST_MESSAGE],
        extended_code=_extended_code(fields),
        policy=_policy(fields, text)[:LONGEST_MESSAGE],
        retry_after=parse_retry_after(headers.get("Retry-After"), now),
    )


def parse_retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, or None if the header is missing or unreadable.

    The header Retry-After contains a number of seconds or a date (RFC 9110, 10.2.3).
    """
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return min(timedelta(seconds=int(text)), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(text)
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
        return min(max(wait, timedelta(0)), LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return None


def _body(error: HttpResponseError) -> Mapping[str, Any]:
    try:
        body = json.loads(error.response.text()) if error.response is not None else {}
    except (SdkError, ValueError, AttributeError, LookupError, RecursionError):
        # SdkError: a body that was not read. LookupError: an unknown charset
        return {}
    return _lowered(body)


def _fields(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of an error body with names in lower case, without the wrapper of the error."""
    wrapped = (body.get(wrapper) for wrapper in ("error", "odata.error"))
    return next((_lowered(inner) for inner in wrapped if isinstance(inner, Mapping)), body)


def _lowered(found: object) -> Mapping[str, Any]:
    return {str(key).lower(): value for key, value in found.items()} if isinstance(found, Mapping) else {}


def _extended_code(fields: Mapping[str, Any]) -> str:
    inner = _lowered(fields.get("innererror")).get("code")
    if inner:
        return _text(inner)[:LONGEST_CODE]
    entities = (_lowered(_lowered(detail).get("errorentity")) for detail in _entries(fields.get("details")))
    return next((_text(entity.get("extendedcode"))[:LONGEST_CODE] for entity in entities if entity), "")


def _policy(fields: Mapping[str, Any], message: str) -> str:
    """Return the name of the policy assignment that refused a request, or an empty text.

    Azure names the assignment in `additionalInfo`, and in older answers in the message (Azure docs, "Resolve error for
    request disallowed by policy").
    """
    for detail in _entries(fields.get("additionalinfo")):
        info = _lowered(_lowered(detail).get("info"))
        names = dict.fromkeys(
            _text(info.get(name))
            for name in ("policyassignmentdisplayname", "policyassignmentname", "policyassignmentid")
        )
        if any(names):
            return " ".join(name for name in names if name)
    said = _ASSIGNMENT.search(message[:LONGEST_SEARCHED])
    return f"{said[1]} {said[2]}" if said else ""


def _entries(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _text(found: object) -> str:
    return found if isinstance(found, str) else str(found) if isinstance(found, int) else ""
