"""Tokens, and who gets them."""

import base64
import json
from urllib.parse import urlencode

import pytest

from local.azure.entra.routes import ManagedIdentity
from local.azure.entra.tokens import CERTROLL, OPERATOR, TENANT, Directory, Principal, principal_of, token
from local.azure.server import LocalAzure
from local.azure.wire import Request, Response
from local.azure.world import World

LOGIN = "https://login.microsoftonline.com"
TWIN = Principal("twin", "11111111-0000-0000-0000-000000000001", "11111111-0000-0000-0000-000000000002")


def ask_for_token(**form: str) -> Response:
    """Return Entra's answer to a client that asks for a token."""
    request = Request(
        "POST", "login.microsoftonline.com", f"/{TENANT}/oauth2/v2.0/token", body=urlencode(form).encode()
    )
    return LocalAzure(World()).handle(request)


def claims(text: str) -> dict[str, object]:
    """Return what a token says."""
    middle = text.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


def test_token_names_tenant_principal_and_audience() -> None:
    """A token says who asks, in which tenant, and for which service."""
    scope = "https://vault.azure.net/.default"
    answer = ask_for_token(client_id=OPERATOR.client_id, client_secret="operator", scope=scope)  # noqa: S106 - not a secret
    found = claims(answer.json()["access_token"])
    assert (found["tid"], found["oid"], found["aud"]) == (TENANT, OPERATOR.object_id, "https://vault.azure.net")


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": "nobody"}, 400, "unauthorized_client"),
        ({"client_id": OPERATOR.client_id, "client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": CERTROLL.client_id, "client_secret": ""}, 401, "invalid_client"),
    ],
    ids=["unknown application", "wrong secret", "a managed identity has no secret"],
)
def test_strangers_get_no_token(form: dict[str, str], status: int, error: str) -> None:
    """Who is unknown, or knows no secret, is refused in Entra's words."""
    answer = ask_for_token(**form)
    assert (answer.status, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("version", ["", "/v2.0"])
def test_discovery_leads_to_the_token_endpoint(version: str) -> None:
    """Both versions of the discovery document name the tenant's token endpoint."""
    url = f"{LOGIN}/{TENANT}{version}/.well-known/openid-configuration"
    found = LocalAzure(World()).handle(Request.to("GET", url)).json()
    assert found["token_endpoint"] == f"{LOGIN}/{TENANT}/oauth2{version}/token"


def test_unknown_tenant_is_refused() -> None:
    """A tenant that is not this one does not exist."""
    url = f"{LOGIN}/fabrikam/v2.0/.well-known/openid-configuration"
    answer = LocalAzure(World()).handle(Request.to("GET", url))
    assert (answer.status, answer.json()["error"]) == (400, "invalid_tenant")


def test_instance_discovery_knows_this_cloud() -> None:
    """Instance discovery names the login hosts of the public cloud."""
    url = f"{LOGIN}/common/discovery/instance?api-version=1.1"
    (metadata,) = LocalAzure(World()).handle(Request.to("GET", url)).json()["metadata"]
    assert "login.windows.net" in metadata["aliases"]


def identity(header: str | None, **query: str) -> Response:
    """Return the answer of App Service's identity endpoint."""
    endpoint = ManagedIdentity(World(), Directory([CERTROLL, OPERATOR, TWIN]), "right")
    headers = {} if header is None else {"x-identity-header": header}
    return endpoint(Request("GET", "127.0.0.1", "/msi/token", query, headers))


def test_identity_endpoint_speaks_for_the_app() -> None:
    """Whoever asks for nobody in particular gets the app's own identity; moments are text."""
    answer = identity("right", resource="https://vault.azure.net").json()
    assert claims(answer["access_token"])["xms_mirid"] == CERTROLL.resource_id
    assert (answer["resource"], answer["client_id"]) == ("https://vault.azure.net", CERTROLL.client_id)
    assert answer["expires_on"].isdigit()


def test_identity_endpoint_knows_other_identities() -> None:
    """A user-assigned identity is found by its client id; one that does not exist is refused."""
    answer = identity("right", resource="https://vault.azure.net", client_id=TWIN.client_id)
    assert claims(answer.json()["access_token"])["oid"] == TWIN.object_id
    assert identity("right", resource="https://vault.azure.net", client_id="nobody").status == 400


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [(None, {"resource": "r"}, 401), ("wrong", {"resource": "r"}, 401), ("right", {}, 400)],
    ids=["no header", "wrong header", "no resource"],
)
def test_identity_endpoint_refuses(header: str | None, query: dict[str, str], status: int) -> None:
    """Without the header, or without a resource, there is no token."""
    assert identity(header, **query).status == status


@pytest.mark.parametrize("text", ["", "Bearer", "Bearer a.b", "Bearer a.b.c", "Basic YTpi", "Bearer x.W10.y"])
def test_nonsense_is_nobody(text: str) -> None:
    """A header that holds no token makes nobody of its sender."""
    assert principal_of(Request("GET", "h", "/", {}, {"authorization": text})) is None


def test_token_makes_its_bearer_known() -> None:
    """Whoever bears a token is the principal it was issued to."""
    header = {"authorization": "Bearer " + token(TENANT, TWIN, "any", 0)}
    assert principal_of(Request("GET", "h", "/", {}, header)) == TWIN.object_id


def test_arm_takes_tokens_for_arm_only() -> None:
    """ARM challenges a request without a token, and one whose token is for a vault."""
    azure = LocalAzure(World())
    url = "https://management.azure.com/subscriptions?api-version=2022-12-01"
    bare = azure.handle(Request.to("GET", url))
    assert (bare.status, bare.json()["error"]["code"]) == (401, "AuthenticationFailed")
    assert f"{LOGIN}/{TENANT}" in bare.headers["WWW-Authenticate"]
    for audience, status in {"https://vault.azure.net": 401, "https://management.core.windows.net/": 200}.items():
        header = {"authorization": "Bearer " + token(TENANT, OPERATOR, audience, 0)}
        assert azure.handle(Request.to("GET", url, headers=header)).status == status
