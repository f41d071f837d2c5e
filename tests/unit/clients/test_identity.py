"""Whatever the endpoint of the managed identity answers, a call fails for want of a token, and may be repeated."""

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.clients.retrying import Retrying
from shared.clients.storage import accounts
from shared.clients.storage.tables import StorageTables
from shared.domain.deadline import Deadline
from shared.domain.endpoints import CloudName, StorageAddress
from shared.domain.errors import AzureError, StorageFailed, Unavailable
from tests.broken_answers import Answer, answering
from tests.build import HOUR, NOW, ManualClock

SCOPE = "https://management.azure.com/.default"
TOKEN = b'{"access_token": "abc", "expires_on": "4000000000", "resource": "x", "token_type": "Bearer"}'
ODD = {
    "500 without a body": (500, b""),
    "500 with HTML": (500, b"<html>geheim</html>"),
    "200 without a body": (200, b""),
    "HTML": (200, b"<html>geheim</html>"),
    "a list": (200, b"[]"),
    "a text": (200, b'"geheim"'),
    "null": (200, b"null"),
    "a number": (200, b"5"),
    "no token": (200, b'{"expires_in": "3600"}'),
    "no end": (200, b'{"access_token": "geheim"}'),
    "an odd end": (200, b'{"access_token": "geheim", "expires_on": "soon", "resource": "x"}'),
    "404": (404, b'{"error": "not_found"}'),
    "403": (403, b'{"error": {"code": "Forbidden", "message": "x"}}'),
    "409": (409, b'{"error": {"code": "MissingSubscriptionRegistration", "message": "x"}}'),
}
SOON = Deadline(NOW, NOW + HOUR, NOW + HOUR)


@pytest.fixture(autouse=True)
def _managed_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RequestsTransport, "sleep", lambda *_: None)
    for name, value in (
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token"),
        ("IDENTITY_HEADER", "header"),
        ("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential"),
    ):
        monkeypatch.setenv(name, value)


def failure(status: int, body: bytes, *, writing: bool) -> AzureError:
    """Return the error of a call of ARM while the identity endpoint answers with the given status and body."""

    def answer(_: requests.PreparedRequest) -> Answer:
        return status, {"Content-Type": "application/json"}, body

    credential = make_credential(CLOUDS[CloudName.PUBLIC], None)
    retrying = Retrying(ManualClock())
    call = retrying.write if writing else retrying.read
    with answering(answer), pytest.raises(AzureError) as caught:
        call("site shop", lambda: credential.get_token(SCOPE))
    return caught.value


@pytest.mark.parametrize("writing", [True, False], ids=["writing", "reading"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_answer_of_the_identity_endpoint_is_a_missing_token(odd: str, *, writing: bool) -> None:
    """An answer of the identity endpoint that makes no sense fails the call like a missing token, and is not shown.

    The endpoint's status never reads as the status of the resource, and no write has been sent.
    """
    found = failure(*ODD[odd], writing=writing)
    assert type(found) is Unavailable
    assert str(found).startswith("site shop: no token for the identity: ")
    assert "geheim" not in str(found)


def test_good_answer_of_the_identity_endpoint_is_a_token() -> None:
    """A good answer of the identity endpoint gives a token."""
    with answering(lambda _: (200, {"Content-Type": "application/json"}, TOKEN)):
        assert make_credential(CLOUDS[CloudName.PUBLIC], None).get_token(SCOPE).token.startswith("abc")


@pytest.mark.parametrize("odd", ODD)
def test_storage_without_a_token_is_a_failure_of_storage(odd: str) -> None:
    """An answer of the identity endpoint that makes no sense fails a call of storage as StorageFailed."""
    address = (f"https://contoso.{kind}.core.windows.net" for kind in ("blob", "queue", "table"))
    service = accounts.table_service(StorageAddress(None, *address), make_credential(CLOUDS[CloudName.PUBLIC], None))
    status, body = ODD[odd]
    with (
        answering(lambda _: (status, {"Content-Type": "application/json"}, body)),
        pytest.raises(StorageFailed, match="table t: no answer: "),
    ):
        StorageTables(service).rows("t", "p")
