"""Send events as Azure and strangers might, through Microsoft's runtime into real storage."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from local.azurite import Azurite
from local.host import Call, inspect
from local.host.functions import Outcome
from tests.triggers.app import ROOT, Storage, event_call, queue_call

VAULT_ID = "/subscriptions/0a/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/KV-Shop"
NEW_VERSION = "Microsoft.KeyVault.CertificateNewVersionCreated"
DATA: Mapping[str, object] = {
    "Id": "https://kv-shop.vault.azure.net/certificates/web/0123",
    "VaultName": "kv-shop",
    "ObjectType": "Certificate",
    "Version": "0123",
    "NBF": 1556391780,
    "EXP": 1564167780,
}
EVENT_GRID: Mapping[str, object] = {
    "id": "1",
    "topic": VAULT_ID,
    "subject": "web",
    "eventType": NEW_VERSION,
    "eventTime": "2026-11-21T12:00:00Z",
    "dataVersion": "1",
    "metadataVersion": "1",
}
CLOUD_EVENT: Mapping[str, object] = {
    "id": "1",
    "source": VAULT_ID,
    "specversion": "1.0",
    "type": NEW_VERSION,
    "time": "2026-11-21T12:00:00Z",
}


def event(name: str, envelope: Mapping[str, object] = EVENT_GRID, **data: object) -> dict[str, object]:
    """Return an event for the named certificate, with the given changes in the event's data."""
    return {**envelope, "data": {**DATA, "ObjectName": name, **data}}


ACCEPTED: Mapping[str, object] = {
    "list-of-one": [event("list-of-one")],
    "as-documented": event("as-documented"),
    "cloud-event": event("cloud-event", CLOUD_EVENT),
    "bad-time": event("bad-time", {**EVENT_GRID, "eventTime": "yesterday at noon"}),
    "number-as-time": event("number-as-time", {**EVENT_GRID, "eventTime": 1556391780}),
    "no-time": event("no-time", {key: value for key, value in EVENT_GRID.items() if key != "eventTime"}),
    "bad-cloud-time": event("bad-cloud-time", {**CLOUD_EVENT, "time": None}),
    "null-times": event("null-times", NBF=None, EXP=None),
    "times-as-text": event("times-as-text", NBF="1556391780", EXP="never"),
    "blank-version": event("blank-version", Version=" 0123"),
    "upper-topic": event("upper-topic", {**EVENT_GRID, "topic": VAULT_ID.upper()}, VaultName=None),
    "number-as-id": event("number-as-id", {**EVENT_GRID, "id": 7, "dataVersion": None}),
    "stray-blanks": {
        **EVENT_GRID,
        "data": {"id": None, "vaultname": " KV-Shop", "ObjectName ": "stray-blanks", "nbf": "", "exp": "NaN"},
    },
}


class Refused(NamedTuple):
    """An event that Certroll accepts without acting on it, and the finding that Certroll records about the event."""

    text: str
    reason: str
    detail: str


REFUSED: Mapping[str, Refused] = {
    "an array of texts": Refused(json.dumps(["array"]), "MalformedEvent", "no type or no data"),
    "a text": Refused(json.dumps("hello"), "MalformedEvent", "no type or no data"),
    "null": Refused("null", "MalformedEvent", "no type or no data"),
    "no JSON": Refused("{nope", "MalformedEvent", "not JSON"),
    "nothing": Refused("", "MalformedEvent", "not JSON"),
    "data as text": Refused(json.dumps({**EVENT_GRID, "data": "web"}), "MalformedEvent", "no type or no data"),
    "a path as name": Refused(json.dumps(event("../x")), "MalformedEvent", "names no vault object"),
    "a foreign vault": Refused(json.dumps(event("x", VaultName="kv-foreign")), "UnknownVault", "'kv-foreign'"),
    "a secret": Refused(
        json.dumps(event("x", {**EVENT_GRID, "eventType": "Microsoft.KeyVault.SecretNearExpiry"})),
        "UnknownEvent",
        "SecretNearExpiry",
    ),
}
WARNINGS = {"CertificateNearExpiry": "NearExpiry", "CertificateExpired": "Expired"}


@dataclass(frozen=True)
class Seen:
    """The results of all events: the outcome of each call, the queued messages and the findings."""

    outcomes: Mapping[str, Outcome]
    queued: list[dict[str, object]]
    findings: list[dict[str, object]]


def by_queue(text: str) -> Call:
    """Return a call of the queue's function with a message as Event Grid writes it: an event in base64."""
    return queue_call("events_queue", base64.b64encode(text.encode()).decode())


WAYS: Mapping[str, Callable[[str], Call]] = {"webhook": event_call, "queue": by_queue}


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Return a way by which events reach Certroll."""
    return str(request.param)


@pytest.fixture(scope="module")
def seen(azurite: Azurite, way: str) -> Seen:
    """Send an event of each known and unknown shape to the app, and return the app's answers and findings."""
    storage = Storage(azurite)
    storage.clear()
    texts = {name: json.dumps(raw) for name, raw in ACCEPTED.items()} | {k: v.text for k, v in REFUSED.items()}
    for kind in WARNINGS:
        warning = event(kind, {**EVENT_GRID, "eventType": f"Microsoft.KeyVault.{kind}"})
        texts[kind] = json.dumps(warning)
    settings = {"CERTROLL_VAULTS": "kv-shop", "AzureWebJobsStorage": azurite.connection_string}
    outcomes = inspect(ROOT, settings, [WAYS[way](text) for text in texts.values()]).outcomes
    return Seen(dict(zip(texts, outcomes, strict=True)), storage.take_all("certificates"), storage.findings())


@pytest.mark.parametrize("name", ACCEPTED)
def test_event_is_queued_however_it_is_written(seen: Seen, name: str) -> None:
    """Certroll queues a certificate of its vaults once, whichever of the known shapes the event has.

    The message has the number of the last inspection that began, which is 0 before the first (ADR 48), and the mark of
    the process (ADR 67).
    """
    assert seen.outcomes[name].error == ""
    queued = [dict(message) for message in seen.queued if message["name"] == name]
    assert [re.fullmatch("[0-9a-f]{16}-[0-9]+", str(message.pop("mark"))) is not None for message in queued] == [True]
    expected = {"v": 1, "vault": "kv-shop", "kind": "certificate", "name": name, "cause": "event", "waits": 0}
    assert queued == [{**expected, "after": 0}]


@pytest.mark.parametrize("name", REFUSED)
def test_other_event_is_accepted_and_recorded(seen: Seen, way: str, name: str) -> None:
    """Certroll accepts an unreadable or foreign event, so that Azure does not resend it, and records the reason.

    An unreadable message of the queue is also a dead letter, with the whole text.
    """
    assert seen.outcomes[name].error == ""
    assert seen.outcomes[name].succeeded
    text, reason, detail = REFUSED[name]
    if way == "queue" and reason == "MalformedEvent":
        reason = "MalformedMessage"
        assert text in {row["body_0"] for row in seen.findings if row["reason"] == "DeadLetter"}
    assert [row for row in seen.findings if row["reason"] == reason and detail in str(row["detail"])]


@pytest.mark.parametrize(("kind", "reason"), WARNINGS.items())
def test_warning_is_recorded_and_looked_at(seen: Seen, kind: str, reason: str) -> None:
    """Certroll records an expiry warning of Key Vault as a finding, and queues the certificate."""
    subject = f"kv-shop/{kind.lower()}"
    assert [row["reason"] for row in seen.findings if row.get("subject") == subject] == [reason]
    assert [message["name"] for message in seen.queued if message["name"] == kind.lower()] == [kind.lower()]


def test_nothing_else_is_queued(seen: Seen) -> None:
    """Certroll queues no message for a refused event."""
    assert {message["name"] for message in seen.queued} == {*ACCEPTED, *(kind.lower() for kind in WARNINGS)}
