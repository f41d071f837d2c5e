"""Translate the errors of the Azure SDKs into Certroll's own error classes.

No other error leaves a client of Certroll. For an answer that makes no sense the SDKs raise whatever error Python
raises, such as TypeError for a list in place of an object.
"""

from datetime import datetime
from http import HTTPStatus
from json import JSONDecodeError
from traceback import walk_tb

from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.clients.answers import Answer, read_answer
from shared.clients.remedies import EXPIRED_TOKEN, NAMES_ONLY_SCOPES, NOT_REGISTERED, remedy_for
from shared.domain.errors import (
    AzureError,
    Conflict,
    Denied,
    NotFound,
    NotRegistered,
    OutcomeUnknown,
    Rejected,
    SiteLocked,
    Throttled,
    Unavailable,
)
from shared.domain.reason import Reason

SITE_LOCK_CODE = "59206"
IN_PROGRESS = ("another operation is in progress", "cannot acquire exclusive lock")
UNAVAILABLE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.SERVICE_UNAVAILABLE})
NO_ANSWER = (DecodeError, JSONDecodeError)
"""The errors for a body that is not JSON at all, such as the HTML page of a proxy on the way, or half an answer."""
KINDS: dict[int, type[AzureError]] = {
    HTTPStatus.UNAUTHORIZED: Denied,
    HTTPStatus.FORBIDDEN: Denied,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.PRECONDITION_FAILED: Conflict,
}


def comes_from_sdk(error: Exception) -> bool:
    """Return True if the SDKs of Azure raised or passed on the error.

    For an answer that makes no sense, the SDKs raise any error of Python. An error of Certroll's own code is a bug, and
    goes on as it is.
    """
    if isinstance(error, SdkError):
        return True
    return any(str(frame.f_globals.get("__name__")).startswith("azure.") for frame, _ in walk_tb(error.__traceback__))


def translate(
    error: Exception, what: str, *, writing: bool, now: datetime, remedy: str = "", secret: bool = False
) -> AzureError:
    """Return one of Certroll's own errors for an error that a call of the Azure SDK raised.

    The argument `what` names the Azure resource, and `remedy` tells the operator which right to grant. Azure may have
    applied a write if the answer is lost or unreadable, or has a status from 500 upwards other than 503. If the request
    contains secrets (`secret`), the error omits Azure's message, because Azure may quote the request. The messages of
    some codes name only actions and scopes, and the remedy for them refers to the message.
    """
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _from_answer(error, read_answer(error, now), what, writing=writing, remedy=remedy, secret=secret)
    if isinstance(error, SdkError):
        return _without_answer(error, what, writing=writing)
    return _senseless(error, what, writing=writing, secret=secret)


def _senseless(error: Exception, what: str, *, writing: bool, secret: bool) -> AzureError:
    """Return the error for an answer that the SDK could not read.

    A body that is not JSON comes from the way to Azure, so the same request may succeed. JSON of an unexpected shape is
    Azure's own answer, which the same request would get again.
    """
    said = type(error).__name__ if secret else f"{type(error).__name__}: {_first_line(error)}"
    if writing:
        return OutcomeUnknown(f"{what}: the answer cannot be read: {said}")
    if isinstance(error, NO_ANSWER):
        return Unavailable(f"{what}: the answer is not JSON: {said}")
    return Rejected(f"{what} cannot be read: {said}", Reason.ANSWER_UNREADABLE)


def _without_answer(error: SdkError, what: str, *, writing: bool) -> AzureError:
    if isinstance(error, ClientAuthenticationError):
        return Unavailable(f"{what}: no token for the identity: {_first_line(error)}")
    if isinstance(error, ServiceRequestError) and not isinstance(error, ServiceResponseError):
        return Unavailable(f"{what}: no connection: {_first_line(error)}")
    kind = OutcomeUnknown if writing else Unavailable
    return kind(f"{what}: no answer: {_first_line(error)}")


def _from_answer(
    error: HttpResponseError, answer: Answer, what: str, *, writing: bool, remedy: str, secret: bool
) -> AzureError:
    message = answer.message if not secret or answer.code.lower() in NAMES_ONLY_SCOPES else ""
    said = " ".join(part for part in (str(answer.status), answer.code, answer.extended_code, message) if part)
    request = getattr(error.response, "request", None)
    method, url = (str(getattr(request, name, "")) for name in ("method", "url"))
    text = "; ".join(part for part in (f"{what}: {said}", remedy_for(answer, remedy, method, url)) if part)
    if answer.status < HTTPStatus.BAD_REQUEST:
        return _odd_success(error, text, writing=writing)
    if answer.code.lower() in NOT_REGISTERED:
        return NotRegistered(text)
    if answer.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT) and _is_lock(answer):
        return SiteLocked(text, answer.retry_after)
    if (
        answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        and writing
        and answer.status != HTTPStatus.SERVICE_UNAVAILABLE
    ):
        return OutcomeUnknown(text)
    if _may_pass(answer):
        return Unavailable(text, answer.retry_after)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(text, answer.retry_after)
    if answer.status == HTTPStatus.PRECONDITION_FAILED and not _has_precondition(error):
        return Rejected(text)
    return KINDS.get(answer.status, Rejected)(text)


def _has_precondition(error: HttpResponseError) -> bool:
    """Return True if the request had the header If-Match. Only then does a 412 say that the resource changed."""
    request = getattr(error.response, "request", None)
    return "If-Match" in getattr(request, "headers", {})


def _odd_success(error: HttpResponseError, text: str, *, writing: bool) -> AzureError:
    """Return the error for an answer that is no refusal, and that the SDK does not expect: a 204, a redirect, HTML."""
    problem = "the answer is not JSON" if isinstance(error, NO_ANSWER) else "Azure does not document this answer"
    return (OutcomeUnknown if writing else Unavailable)(f"{text}: {problem}")


def _may_pass(answer: Answer) -> bool:
    busy = answer.status in UNAVAILABLE or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return busy or answer.code.lower() == EXPIRED_TOKEN


def _is_lock(answer: Answer) -> bool:
    message = answer.message.lower()
    return answer.extended_code == SITE_LOCK_CODE or any(words in message for words in IN_PROGRESS)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]
