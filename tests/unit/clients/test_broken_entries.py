"""An unreadable entry of a list hides no other entry, and is named."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, get_origin, get_type_hints

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from shared.domain.errors import CertrollError, RecordUnreadable, Rejected, StorageFailed
from shared.domain.fleet.fleet import Listing
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from tests.broken_answers import UNREGISTERED, Answer, answering, good_body
from tests.client_calls import CLIENTS, calls_of, ports

SPOILED: dict[str, Callable[[dict[str, Any]], object]] = {
    "null": lambda _: None,
    "a number": lambda _: 5,
    "a text": lambda _: "text",
    "a list": lambda _: ["text", 5],
    "an empty object": lambda _: {},
    "a number for an id": lambda entry: {**entry, "id": 5},
}
"""What takes the place of the first entry of a list."""
OTHER_LISTS = {
    "managed.host_facts": 1,
    "app_service.vault_references": 1,
}
"""The lists that are no `Listing`, with the number of results for two good entries; some results are by name."""


@cache
def lists() -> tuple[str, ...]:
    """Return the names of all methods of clients that return a `Listing`, and of the other lists."""
    found = [
        f"{client}.{name}"
        for client in CLIENTS
        for name, _ in calls_of(getattr(ports(), client))
        if name != "call"
        and get_origin(get_type_hints(getattr(getattr(ports(), client), name)).get("return")) is Listing
    ]
    return (*found, *OTHER_LISTS)


@pytest.mark.parametrize("name", lists())
def test_a_list_that_is_null_is_never_an_empty_list(name: str) -> None:
    """A list that Azure answers with null is an error, because Azure writes an empty list as `[]`."""
    client, _, method = name.partition(".")

    def answer(request: requests.PreparedRequest) -> Answer:
        return 200, {"Content-Type": "application/json"}, json.dumps({**good_body(request), "value": None}).encode()

    with answering(answer), pytest.raises(Rejected, match="its list is null"):
        dict(calls_of(getattr(ports(), client)))[method]()


PARTS = {
    "app_service.binding": "properties",
    "app_service.settings": "properties",
    "app_service.site": "properties",
}
"""The methods that read one resource, with the part without which the resource is unreadable."""


@pytest.mark.parametrize(("name", "part"), PARTS.items())
def test_a_part_that_is_null_is_never_an_empty_part(name: str, part: str) -> None:
    """A binding or an app's settings without `properties` are an error, not a bare host name or an app without them."""
    client, _, method = name.partition(".")

    def answer(request: requests.PreparedRequest) -> Answer:
        return 200, {"Content-Type": "application/json"}, json.dumps({**good_body(request), part: None}).encode()

    with answering(answer), pytest.raises(Rejected):
        dict(calls_of(getattr(ports(), client)))[method]()


def listed(name: str, spoil: Callable[[dict[str, Any]], object]) -> object:
    """Return the result of a list whose first entry is spoiled."""
    client, _, method = name.partition(".")

    def answer(request: requests.PreparedRequest) -> Answer:
        body = good_body(request)
        body["value"][0] = spoil(body["value"][0])
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    with answering(answer):
        return dict(calls_of(getattr(ports(), client)))[method]()


def found_in(result: Any) -> list[object]:  # noqa: ANN401 - a list of any client
    """Return what a list found."""
    return list(result.found if isinstance(result, Listing) else result)


@pytest.mark.parametrize("name", lists())
def test_good_entries_are_found(name: str) -> None:
    """Each list of each client finds both of two good entries."""
    result = listed(name, lambda entry: entry)
    assert len(found_in(result)) == OTHER_LISTS.get(name, 2), result


@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("name", lists())
def test_unreadable_entry_hides_no_other(name: str, spoiled: str) -> None:
    """If one entry of a list makes no sense, the list has all other entries, and a blind spot for this one."""
    result = listed(name, SPOILED[spoiled])
    assert len(found_in(result)) >= 1
    if isinstance(result, Listing):
        assert len(result.found) == 1
        (spot,) = result.blind_spots
        assert spot.subject
        assert spot.detail


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-13-45"])
def test_date_beyond_python_hides_no_other_certificate(date: str) -> None:
    """A certificate whose date Python cannot hold in UTC is a blind spot, and all other certificates are read."""

    def spoil(entry: dict[str, Any]) -> object:
        return {**entry, "properties": {**entry["properties"], "expirationDate": date}}

    result = listed("app_service.certificates", spoil)
    assert isinstance(result, Listing)
    assert (len(result.found), len(result.blind_spots)) == (1, 1)


@pytest.mark.parametrize("name", lists())
@pytest.mark.parametrize("body", ["{}", "[]", "null", '{"value": {}}', '{"error": {"code": "x"}}', "<html>"])
def test_answer_without_a_list_is_no_empty_list(name: str, body: str) -> None:
    """An answer that holds no list never reads as an empty list, as if nothing were there."""
    client, _, method = name.partition(".")
    with answering(lambda _: (200, {"Content-Type": "application/json"}, body.encode())):
        call = dict(calls_of(getattr(ports(), client)))[method]
        with pytest.raises(Exception, match=r"(?s).+") as caught:
            call()
    assert type(caught.value).__module__ == "shared.domain.errors", caught.value


NO_HTTP = {"dns", "tls_probe"}
"""The clients that send no HTTP request. Their calls would reach the real network."""


def calls() -> tuple[str, ...]:
    """Return the names of all methods of all clients that send HTTP requests."""
    asking = (client for client in CLIENTS if client not in NO_HTTP)
    return tuple(f"{client}.{name}" for client in asking for name, _ in calls_of(getattr(ports(), client)))


@pytest.mark.parametrize("name", calls())
def test_no_call_registers_a_resource_provider(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call of any client, reading or writing, registers a resource provider in a subscription without it."""
    monkeypatch.setattr(RequestsTransport, "sleep", lambda *_: None)
    client, _, method = name.partition(".")
    with answering(lambda _: UNREGISTERED) as asked, suppress(CertrollError):
        dict(calls_of(getattr(ports(), client)))[method]()
    assert [request for request in asked if "/register" in request or "/providers/Microsoft.Web?" in request] == []


def test_unreadable_entry_of_a_vault_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """An entry of a vault's list that makes no sense is logged, and all other certificates are listed."""
    caplog.set_level("INFO", "certroll")
    found = listed("vault.names", lambda _: None)
    assert isinstance(found, Listing)
    assert found.found == (VaultCertificateRef.parse("kv-shop", "certificate", "shop"),)
    assert "vault.entry_unreadable" in caplog.text


@pytest.mark.parametrize("webspace", [["x"], {"name": "x"}, 5])
def test_webspace_that_is_no_text_is_a_blind_spot(webspace: object) -> None:
    """A certificate whose webspace is no text is a blind spot, and belongs to no webspace with a made-up name."""

    def spoil(entry: dict[str, Any]) -> object:
        return {**entry, "properties": {**entry["properties"], "webSpace": webspace}}

    result = listed("app_service.certificates", spoil)
    assert isinstance(result, Listing)
    assert (len(result.found), len(result.blind_spots)) == (1, 1)


@pytest.mark.parametrize("body", ["[]", '{"properties": 5}'])
@pytest.mark.parametrize(
    "name", [name for name in calls() if not name.startswith(("tls_probe", "app_service.upload_public"))]
)
def test_answer_that_makes_no_sense_is_no_refusal(name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of Azure that Certroll cannot read is never reported as a refusal, because Azure refused nothing.

    The argument that `calls` gives to the upload of a public certificate belongs to no site, so nothing is sent for it.
    TLS handshakes read no answers of Azure.
    """
    monkeypatch.setattr(RequestsTransport, "sleep", lambda *_: None)
    client, _, method = name.partition(".")
    caught: CertrollError | None = None
    with answering(lambda _: (200, {"Content-Type": "application/json"}, body.encode())):
        try:
            dict(calls_of(getattr(ports(), client)))[method]()
        except CertrollError as error:
            caught = error
    assert not isinstance(caught, Rejected) or caught.reason is not Reason.REJECTED_BY_AZURE, caught


KEYED = {"PartitionKey": "x", "RowKey": "y"}
MOST_PAGES = 10


@pytest.mark.parametrize(
    ("row", "error"),
    [
        pytest.param({"state": "Odd"}, StorageFailed, id="no keys"),
        pytest.param({**KEYED, "PartitionKey": None, "state": "Odd"}, StorageFailed, id="a PartitionKey of null"),
        pytest.param({**KEYED, "RowKey": 5, "state": "Odd"}, StorageFailed, id="a number for a RowKey"),
        pytest.param({**KEYED, "state": "Odd"}, RecordUnreadable, id="keys, and an odd state"),
    ],
)
@pytest.mark.parametrize("name", ["rollouts.site", "settings_rolls.roll", "environment_records.of"])
def test_row_without_keys_is_a_broken_answer(name: str, row: dict[str, object], error: type[CertrollError]) -> None:
    """A row without its two keys is a failure of storage, and an odd row with keys is one that a person can repair."""
    client, _, method = name.partition(".")

    def answer(request: requests.PreparedRequest) -> Answer:
        if request.method != "GET":  # the finding about the row
            return 204, {}, b""
        body = row if "certrolljournal" in str(request.url) else {"value": []}
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    with answering(answer):
        call = dict(calls_of(getattr(ports(), client)))[method]
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("row", [{}, {"PartitionKey": "x"}, {"RowKey": "y"}, None])
@pytest.mark.parametrize("name", ["rollouts.begun", "rollouts.observed", "app_restarts.of", "pending_starts.all"])
def test_list_with_a_row_without_keys_is_a_broken_answer(name: str, row: object) -> None:
    """A list of rows of which one has no keys is a failure of storage, and never a list without this row."""
    client, _, method = name.partition(".")
    with answering(lambda _: (200, {"Content-Type": "application/json"}, json.dumps({"value": [row]}).encode())):
        call = dict(calls_of(getattr(ports(), client)))[method]
        with pytest.raises(StorageFailed):
            call()


@pytest.mark.parametrize("name", ["rollouts.begun", "app_restarts.of", "pending_starts.all"])
def test_rows_whose_pages_lead_in_a_circle_end(name: str) -> None:
    """Each query of rows ends with a failure of storage if its second page leads back to the second page."""
    client, _, method = name.partition(".")
    asked = []

    def answer(request: requests.PreparedRequest) -> Answer:
        asked.append(request.url)
        again = {"x-ms-continuation-NextPartitionKey": "x", "x-ms-continuation-NextRowKey": "y"}
        further = again if len(asked) <= MOST_PAGES else {}
        return 200, {"Content-Type": "application/json", **further}, b'{"value": []}'

    with answering(answer):
        call = dict(calls_of(getattr(ports(), client)))[method]
        with pytest.raises(StorageFailed, match="lead in a circle"):
            call()
    assert len(asked) <= 3
