"""Certroll translates each error of the Azure SDK into an error class of its domain."""

import json
import re
from datetime import timedelta
from email.utils import format_datetime

import pytest
import requests
from azure.core.exceptions import (
    AzureError as SdkError,
)
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.transport import HttpRequest, RequestsTransportResponse

from shared.clients.answers import parse_retry_after
from shared.clients.faults import translate
from shared.clients.retrying import Retrying
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
    Transient,
    Unavailable,
)
from tests.build import NOW, ManualClock

WHAT = "binding shop.contoso.com of shop"
LOCK = {
    "Code": "429",
    "Message": "Cannot acquire exclusive lock to create, update or delete this site. Retry the request later.",
    "Target": None,
    "Details": [
        {"Message": "Cannot acquire exclusive lock"},
        {"Code": "429"},
        {"ErrorEntity": {"ExtendedCode": "59206", "Code": "429"}},
    ],
}


def arm(code: str, message: str) -> dict[str, object]:
    """Return the error envelope of Azure Resource Manager (ARM)."""
    return {"error": {"code": code, "message": message}}


def web(code: str, message: str, extended: str = "") -> dict[str, object]:
    """Return the error envelope of Microsoft.Web, in which no `error` object surrounds the error's code and text."""
    entity = {"ErrorEntity": {"ExtendedCode": extended, "Code": code}}
    return {"Code": code, "Message": message, "Details": [{"Message": message}, entity]}


ARM = "https://management.azure.com/subscriptions/00000000-0000-0000-0000-00000000000a/providers/Microsoft.Web/sites"
VAULT = "https://kv-one.vault.azure.net/certificates?api-version=2025-07-01"


def refused_by_vault(code: str) -> object:
    """Return the body by which Key Vault refuses a request, with the exact reason as the inner code."""
    return {"error": {"code": "Forbidden", "message": "No.", "innererror": {"code": code}}}


def answer(
    status: int,
    body: object = None,
    headers: dict[str, str] | None = None,
    asked: dict[str, str] | None = None,
    *,
    url: str = "https://x",
) -> HttpResponseError:
    """Return the Azure SDK's error for an HTTP answer to a request of the address with the headers `asked`.

    A body of type `str` is sent unchanged.
    """
    wire = requests.Response()
    wire.status_code = status
    wire.headers.update(headers or {})
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    wire._content = text.encode()
    return HttpResponseError(response=RequestsTransportResponse(HttpRequest("GET", url, headers=asked), wire))


def translated(error: SdkError, *, writing: bool = False, remedy: str = "") -> AzureError:
    """Return the domain error for an error of the Azure SDK."""
    return translate(error, WHAT, writing=writing, now=NOW, remedy=remedy)


@pytest.mark.parametrize("writing", [False, True], ids=["reading", "writing"])
@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        pytest.param(
            answer(404, arm("ResourceNotFound", "The Resource was not found.")),
            NotFound,
            "404 ResourceNotFound The Resource was not found.",
            id="not found, as ARM says it",
        ),
        pytest.param(
            answer(404, web("NotFound", "Cannot find it.", "51004")),
            NotFound,
            "404 NotFound 51004 Cannot find it.",
            id="not found, as Microsoft.Web says it",
        ),
        pytest.param(answer(404), NotFound, "404", id="not found without a body, as a missing site is"),
        pytest.param(
            answer(409, arm("Conflict", "Certificate ABC is in use.")),
            Rejected,
            "409 Conflict Certificate ABC is in use.",
            id="a conflict that is no lock",
        ),
        pytest.param(
            answer(400, web("BadRequest", "Parameter thumbprint is invalid.", "04038")),
            Rejected,
            "400 BadRequest 04038 Parameter thumbprint is invalid.",
            id="a bad request",
        ),
        pytest.param(
            answer(412, arm("PreconditionFailed", "Etag."), asked={"If-Match": "1"}),
            Conflict,
            "412",
            id="a failed precondition",
        ),
        pytest.param(
            answer(412, arm("PreconditionFailed", "No.")), Rejected, "412", id="a precondition that nobody named"
        ),
        pytest.param(answer(429, arm("TooManyRequests", "Slow down.")), Throttled, "429", id="too many requests"),
        pytest.param(answer(429), Throttled, "429", id="too many requests without a body"),
        pytest.param(answer(429, LOCK), SiteLocked, "429 429 59206 Cannot acquire", id="a site lock, as recorded"),
        pytest.param(
            answer(409, arm("Conflict", "Another operation is in progress on the site.")),
            SiteLocked,
            "409",
            id="another operation in progress",
        ),
        pytest.param(
            answer(409, arm("Conflict", "CANNOT ACQUIRE EXCLUSIVE LOCK")), SiteLocked, "409", id="a lock in words"
        ),
        pytest.param(
            answer(400, arm("BadRequest", "Another operation is in progress.")),
            Rejected,
            "400",
            id="the words of a lock in a bad request",
        ),
        pytest.param(answer(409, web("Conflict", "Busy.", "59206")), SiteLocked, "409", id="a lock by its code"),
        pytest.param(answer(503, "<html>Service Unavailable</html>"), Unavailable, "503", id="unavailable, in HTML"),
        pytest.param(answer(408), Unavailable, "408", id="a request that took too long to arrive"),
        pytest.param(answer(401, arm("InvalidToken", "Expired.")), Denied, "401 InvalidToken", id="no good token"),
        pytest.param(
            answer(403, arm("AuthorizationFailed", "The client does not have authorization.")),
            Denied,
            "403 AuthorizationFailed",
            id="a missing right",
        ),
        pytest.param(answer(404, "[1, 2]"), NotFound, "404", id="a body that is a list"),
        pytest.param(answer(404, {"error": "gone"}), NotFound, "404", id="an error that is a text"),
        pytest.param(
            answer(404, {"Code": "x", "Details": [None, {"ErrorEntity": None}]}), NotFound, "404 x", id="empty details"
        ),
        pytest.param(answer(404, {"Code": "x", "Details": "none"}), NotFound, "404 x", id="details that are a text"),
        pytest.param(answer(409, '{"error": {"cod'), Rejected, "409", id="half a body"),
        pytest.param(
            ServiceRequestError("getaddrinfo failed\nmore"), Unavailable, "no connection: getaddrinfo", id="no DNS"
        ),
        pytest.param(
            ServiceRequestTimeoutError("connect timed out"), Unavailable, "no connection", id="no connection in time"
        ),
        pytest.param(
            ClientAuthenticationError("ManagedIdentityCredential authentication unavailable\nhint"),
            Unavailable,
            "no token for the identity: ManagedIdentityCredential authentication unavailable",
            id="no identity",
        ),
    ],
)
def test_error_is_understood(error: SdkError, kind: type[AzureError], words: str, *, writing: bool) -> None:
    """Certroll translates each listed Azure error into a domain error that names the resource and quotes Azure."""
    found = translated(error, writing=writing)
    assert type(found) is kind
    assert str(found).startswith(f"{WHAT}: {words}")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(answer(500, arm("InternalServerError", "")), id="an internal error"),
        pytest.param(answer(502, "<html>Bad Gateway</html>"), id="a bad gateway, in HTML"),
        pytest.param(answer(504, arm("GatewayTimeout", "")), id="a gateway that gave up"),
        pytest.param(ServiceResponseError("Connection aborted."), id="a connection that broke"),
        pytest.param(ServiceResponseTimeoutError("read timed out"), id="no answer in time"),
        pytest.param(IncompleteReadError("IncompleteRead(7 bytes read)"), id="half an answer"),
    ],
)
def test_write_without_a_clear_answer_may_have_been_applied(error: SdkError) -> None:
    """A write without a clear answer raises `OutcomeUnknown`, because Azure may have applied the write."""
    read, written = translated(error), translated(error, writing=True)
    assert (type(read), type(written)) == (Unavailable, OutcomeUnknown)
    assert str(read) == str(written)
    assert str(read).startswith((f"{WHAT}: 50", f"{WHAT}: no answer: "))


def test_denial_names_the_remedy() -> None:
    """Of all domain errors, only the error for a denied request names the role that the operator has to grant."""
    remedy = "grant the identity Reader"
    for status in (401, 403):
        refused = answer(status, arm("AuthorizationFailed", "No."))
        assert str(translated(refused, remedy=remedy)) == f"{WHAT}: {status} AuthorizationFailed No.; {remedy}"
        assert str(translated(refused)) == f"{WHAT}: {status} AuthorizationFailed No."
    assert remedy not in str(translated(answer(404), remedy=remedy))


REMEDY = "grant the identity Reader"
BY_HAND = {"error": {"code": "RequestDisallowedByPolicy", "message": "Resource 'shop' was disallowed by policy."}}
OLD_POLICY = (
    'Resource \'shop\' was disallowed by policy. Policy identifiers: \'[{"policyAssignment":{"name":"No web apps",'
    '"id":"/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/deny"},"policyDefinition":{"name":"x"}}]\'.'
)
NEW_POLICY = [
    {"type": "Other", "info": None},
    {"type": "PolicyViolation", "info": {"policyAssignmentName": "deny", "policyAssignmentDisplayName": "No web apps"}},
]


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        pytest.param(answer(403, arm("AuthorizationFailed", "No.")), Denied, REMEDY, id="a missing role"),
        pytest.param(answer(403), Denied, REMEDY, id="a denial without words"),
        pytest.param(
            answer(403, {"error": {**BY_HAND["error"], "additionalInfo": NEW_POLICY}}),
            Denied,
            "exempt the resource from the policy assignment No web apps deny, or change the policy",
            id="a policy that Azure names apart",
        ),
        pytest.param(
            answer(403, arm("RequestDisallowedByPolicy", OLD_POLICY)),
            Denied,
            "exempt the resource from the policy assignment No web apps "
            "/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/deny, or change the policy",
            id="a policy that Azure names in the message",
        ),
        pytest.param(
            answer(403, BY_HAND), Denied, "the policy assignment that the message names", id="a policy without a name"
        ),
        pytest.param(
            answer(403, {"Error": {"Code": "REQUESTDISALLOWEDBYPOLICY", "AdditionalInfo": NEW_POLICY}}),
            Denied,
            "the policy assignment No web apps deny",
            id="a policy in capitals",
        ),
        pytest.param(
            answer(409, arm("ScopeLocked", "The scope cannot perform write operation.")),
            Rejected,
            "remove the lock that the message names",
            id="a lock",
        ),
        pytest.param(
            answer(409, {"Error": {"Code": "ScopeLocked", "Message": "Locked."}}),
            Rejected,
            "remove the lock that the message names",
            id="a lock in capitals",
        ),
        pytest.param(
            answer(
                403, arm("LinkedAuthorizationFailed", "does not have permission to perform action 'x' on the linked")
            ),
            Denied,
            "grant the identity the action that the message names, on the linked resource",
            id="a missing right on another resource",
        ),
        pytest.param(
            answer(401, arm("InvalidAuthenticationToken", "The access token is invalid.")),
            Denied,
            "check that the identity exists, then restart the Function App",
            id="a token that Azure does not accept",
        ),
        pytest.param(
            answer(401, arm("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.")),
            Denied,
            "belongs to another tenant",
            id="another tenant",
        ),
        pytest.param(
            answer(401, arm("ExpiredAuthenticationToken", "Expired.")),
            Unavailable,
            "Azure does not accept",
            id="too old",
        ),
        pytest.param(
            answer(409, arm("SubscriptionNotRegistered", "Not registered to use namespace 'Microsoft.Web'.")),
            NotRegistered,
            "register the resource provider",
            id="a subscription without the service",
        ),
        pytest.param(
            answer(404, web("MissingSubscriptionRegistration", "Not registered.")),
            NotRegistered,
            "register the resource provider",
            id="a subscription without the service, in the shape of Microsoft.Web",
        ),
        pytest.param(
            answer(409, arm("ReadOnlyDisabledSubscription", "Disabled.")), Rejected, "is disabled", id="not paid for"
        ),
        pytest.param(
            answer(
                403, {"error": {"code": "Forbidden", "message": "x", "innererror": {"code": "ForbiddenByFirewall"}}}
            ),
            Denied,
            "through the firewall of the vault",
            id="a vault's firewall",
        ),
    ],
)
def test_code_decides_the_remedy(error: HttpResponseError, kind: type[AzureError], remedy: str) -> None:
    """The remedy of a refusal depends on Azure's error code, not on the HTTP status, in every shape of error body."""
    found = translated(error, remedy=REMEDY)
    assert type(found) is kind
    assert remedy in str(found)
    assert (REMEDY in str(found)) == (remedy == REMEDY)


@pytest.mark.parametrize(
    ("body", "url", "command"),
    [
        (arm("AuthorizationFailed", "No."), ARM, "infra/subscription.bicep"),
        (arm("LinkedAuthorizationFailed", "No."), ARM, "infra/subscription.bicep"),
        (refused_by_vault("ForbiddenByRbac"), VAULT, "infra/vault.bicep"),
        (refused_by_vault("ForbiddenByPolicy"), VAULT, "infra/vault.bicep"),
        (refused_by_vault("AccessDenied"), VAULT, "infra/vault.bicep"),
        (refused_by_vault("ForbiddenByFirewall"), VAULT, ""),
        (refused_by_vault("ForbiddenByConnection"), VAULT, ""),
        (arm("RequestDisallowedByPolicy", "No."), ARM, ""),
        (arm("DenyAssignmentAuthorizationFailed", "No."), ARM, ""),
        (arm("Forbidden", "No."), ARM, ""),
        ("<html>a proxy refuses</html>", ARM, ""),
    ],
)
def test_missing_right_names_the_owners_command(body: object, url: str, command: str) -> None:
    """An error names the owner's command if Azure says that a right is missing, and only then."""
    found = str(translated(answer(403, body, url=url), remedy=REMEDY))
    assert re.findall(r"--template-file (\S+)", found) == ([command] if command else [])


def test_policy_is_named_in_errors_about_secrets() -> None:
    """An error about a request with secrets names the policy assignment, and omits Azure's message."""
    refused = answer(403, arm("RequestDisallowedByPolicy", OLD_POLICY))
    found = translate(refused, WHAT, writing=True, now=NOW, remedy=REMEDY, secret=True)
    assert "No web apps" in str(found)
    assert "was disallowed" not in str(found)


@pytest.mark.parametrize("code", ["ScopeLocked", "AuthorizationFailed", "LinkedAuthorizationFailed"])
def test_message_about_scopes_is_shown_for_secrets(code: str) -> None:
    """An error about a request with secrets shows a message that names only scopes, to which the remedy refers."""
    found = translate(answer(403, arm(code, "on scope '/x'")), WHAT, writing=True, now=NOW, secret=True)
    assert "on scope '/x'" in str(found)
    hidden = translate(answer(400, arm("BadRequest", "value geheim")), WHAT, writing=True, now=NOW, secret=True)
    assert "geheim" not in str(hidden)


@pytest.mark.parametrize("status", [200, 202, 204, 302, 304])
def test_answer_that_is_no_refusal_is_none(status: int) -> None:
    """An answer below 400 that Azure does not document is no refusal: reads may pass, and writes are read back."""
    assert type(translated(answer(status))) is Unavailable
    assert type(translated(answer(status), writing=True)) is OutcomeUnknown


def test_long_answers_are_cut() -> None:
    """Certroll shortens a long error message of Azure, and leaves the text of an HTML page out."""
    assert len(str(translated(answer(400, arm("BadRequest", "x" * 1_000_000))))) < 500
    assert len(str(translated(ServiceRequestError("y" * 1_000_000)))) < 500
    assert "html" not in str(translated(answer(503, "<html>" * 1000)))


def test_error_without_words_is_still_named() -> None:
    """An error with an empty message still names the resource that Certroll asked for."""
    assert str(translated(ServiceRequestError(""))) == f"{WHAT}: no connection: "


@pytest.mark.parametrize(
    ("body", "status"),
    [(arm("x", "y"), 429), (LOCK, 429), ("", 503), ("", 408)],
    ids=["throttled", "locked", "unavailable", "too slow"],
)
def test_retry_after_is_carried_along(body: object, status: int) -> None:
    """A domain error for a passing fault carries the wait that Azure's `Retry-After` header asks for."""
    found = translated(answer(status, body, {"retry-after": "17"}))
    assert isinstance(found, Transient)
    assert found.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        pytest.param("7", timedelta(seconds=7), id="seconds"),
        pytest.param(" 7 ", timedelta(seconds=7), id="seconds with blanks"),
        pytest.param("0", timedelta(0), id="no wait"),
        pytest.param(
            format_datetime(NOW + timedelta(minutes=2), usegmt=True), timedelta(minutes=2), id="a date, as HTTP has it"
        ),
        pytest.param(
            "Sat, 21 Nov 2026 14:02:00 +0200", timedelta(minutes=2), id="a date with an offset from Greenwich"
        ),
        pytest.param("Sat, 21 Nov 2026 12:02:00 -0000", timedelta(minutes=2), id="a date of no known zone is UTC"),
        pytest.param(
            format_datetime(NOW - timedelta(hours=1), usegmt=True), timedelta(0), id="a date that is over: no wait"
        ),
        pytest.param(None, None, id="no header"),
        pytest.param("", None, id="an empty header"),
        pytest.param("soon", None, id="a word"),
        pytest.param("-1", None, id="a negative number"),
        pytest.param("1.5", None, id="a fraction"),
        pytest.param("\u00b2", None, id="a digit that is none"),
        pytest.param("9" * 30, None, id="a number beyond all time"),
    ],
)
def test_retry_after_is_read(text: str | None, wait: timedelta | None) -> None:
    """Certroll reads `Retry-After` as seconds or as an HTTP date, and ignores any other value of the header."""
    assert parse_retry_after(text, NOW) == wait


@pytest.mark.parametrize("text", ["999999999", "Fri, 31 Dec 9999 23:59:59 -1200", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_wait_of_years_is_no_other_error(text: str) -> None:
    """If `Retry-After` asks for a wait until the end of time, the call fails with its own error, at once."""

    def busy() -> None:
        raise Throttled("busy", parse_retry_after(text, NOW))

    with pytest.raises(Throttled, match="busy"):
        Retrying(ManualClock()).retry(busy)
