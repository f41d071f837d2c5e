"""These tests cover the tokens of the local Entra ID and of the managed identity endpoint."""

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
    """Send a client's token request to Entra, and return the answer."""
    request = Request(
        "POST", "login.microsoftonline.com", f"/{TENANT}/oauth2/v2.0/token", body=urlencode(form).encode()
    )
    return LocalAzure(World()).handle(request)


def claims(text: str) -> dict[str, object]:
    """Return the claims of an Entra access token."""
    middle = text.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


def test_token_names_tenant_principal_and_audience() -> None:
    """An Entra token contains the tenant, the principal and the audience."""
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
    """Entra refuses an unknown application and a wrong secret, with Entra's own error codes."""
    answer = ask_for_token(**form)
    assert (answer.status, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("version", ["", "/v2.0"])
def test_discovery_leads_to_the_token_endpoint(version: str) -> None:
    """Both versions of Entra's discovery document name the tenant's token endpoint."""
    url = f"{LOGIN}/{TENANT}{version}/.well-known/openid-configuration"
    found = LocalAzure(World()).handle(Request.to("GET", url)).json()
    assert found["token_endpoint"] == f"{LOGIN}/{TENANT}/oauth2{version}/token"


def test_unknown_tenant_is_refused() -> None:
    """Entra answers an unknown tenant with the error `invalid_tenant`."""
    url = f"{LOGIN}/fabrikam/v2.0/.well-known/openid-configuration"
    answer = LocalAzure(World()).handle(Request.to("GET", url))
    assert (answer.status, answer.json()["error"]) == (400, "invalid_tenant")


def test_instance_discovery_knows_this_cloud() -> None:
    """Entra's instance discovery names the login hosts of the public cloud."""
    url = f"{LOGIN}/common/discovery/instance?api-version=1.1"
    (metadata,) = LocalAzure(World()).handle(Request.to("GET", url)).json()["metadata"]
    assert "login.windows.net" in metadata["aliases"]


def identity(header: str | None, **query: str) -> Response:
    """Send a request to App Service's identity endpoint, and return the answer."""
    endpoint = ManagedIdentity(World(), Directory([CERTROLL, OPERATOR, TWIN]), {"right": CERTROLL})
    headers = {} if header is None else {"x-identity-header": header}
    return endpoint(Request("GET", "127.0.0.1", "/msi/token", query, headers))


def test_identity_endpoint_speaks_for_the_app() -> None:
    """The identity endpoint returns a token of the app's own identity by default.

    The token's expiry time is a string of digits.
    """
    answer = identity("right", resource="https://vault.azure.net").json()
    assert claims(answer["access_token"])["xms_mirid"] == CERTROLL.resource_id
    assert (answer["resource"], answer["client_id"]) == ("https://vault.azure.net", CERTROLL.client_id)
    assert answer["expires_on"].isdigit()


def test_identity_endpoint_knows_other_identities() -> None:
    """The identity endpoint finds a user-assigned identity by client id, and refuses an unknown client id."""
    answer = identity("right", resource="https://vault.azure.net", client_id=TWIN.client_id)
    assert claims(answer.json()["access_token"])["oid"] == TWIN.object_id
    assert identity("right", resource="https://vault.azure.net", client_id="nobody").status == 400


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [(None, {"resource": "r"}, 401), ("wrong", {"resource": "r"}, 401), ("right", {}, 400)],
    ids=["no header", "wrong header", "no resource"],
)
def test_identity_endpoint_refuses(header: str | None, query: dict[str, str], status: int) -> None:
    """The identity endpoint issues no token if the request lacks the right header or a resource."""
    assert identity(header, **query).status == status


@pytest.mark.parametrize("text", ["", "Bearer", "Bearer a.b", "Bearer a.b.c", "Basic YTpi", "Bearer x.W10.y"])
def test_nonsense_is_nobody(text: str) -> None:
    """A request with an unreadable Authorization header has no principal."""
    assert principal_of(Request("GET", "h", "/", {}, {"authorization": text})) is None


def test_token_makes_its_bearer_known() -> None:
    """A request with a token has the principal to which Entra issued the token."""
    header = {"authorization": "Bearer " + token(TENANT, TWIN, "any", 0)}
    assert principal_of(Request("GET", "h", "/", {}, header)) == TWIN.object_id


def test_arm_takes_tokens_for_arm_only() -> None:
    """ARM answers 401 to a request without a token, and to a request with a Key Vault token."""
    azure = LocalAzure(World())
    url = "https://management.azure.com/subscriptions?api-version=2022-12-01"
    bare = azure.handle(Request.to("GET", url))
    assert (bare.status, bare.json()["error"]["code"]) == (401, "AuthenticationFailed")
    assert f"{LOGIN}/{TENANT}" in bare.headers["WWW-Authenticate"]
    for audience, status in {"https://vault.azure.net": 401, "https://management.core.windows.net/": 200}.items():
        header = {"authorization": "Bearer " + token(TENANT, OPERATOR, audience, 0)}
        assert azure.handle(Request.to("GET", url, headers=header)).status == status
