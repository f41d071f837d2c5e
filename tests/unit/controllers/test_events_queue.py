"""Certroll takes the events that Event Grid puts on the queue `events`, and keeps each message that it cannot read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from shared.clients.vault.events import read_vault_events
from shared.controllers.intake.dead_letters import replay
from shared.controllers.intake.events import on_vault_event
from shared.controllers.intake.queues import on_events, on_poison
from shared.domain.errors import StorageFailed
from shared.domain.messages import CertificateMessage
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import APPLY, VAULT, ManualClock
from tests.small_storage import SmallStorage, ports_on

SECRET = "Pa55-phrase"  # noqa: S105 - what a person may type
NEW_VERSION = "Microsoft.KeyVault.CertificateNewVersionCreated"


@dataclass
class Box:
    """This fake is a queue that records sent messages, and fails on request."""

    storage: SmallStorage = field(default_factory=SmallStorage)
    sent: list[str] = field(default_factory=list)
    fails: Exception | None = None

    def run(self, pool: Pool) -> Run:
        """Return a run of Certroll on the fake queue."""
        return Run.start(ports_on(self.storage, ManualClock(), queue=self, read_events=read_vault_events), APPLY, pool)

    def send_certificate(self, message: CertificateMessage) -> None:
        """Record the vault certificate that Certroll enqueued."""
        if self.fails:
            raise self.fails
        self.sent.append(str(message.ref))

    def put_back(self, queue: str, body: str) -> None:
        """Record the body of the message that Certroll put back onto its queue."""
        self.sent.append(f"{queue} {body}")

    def findings(self) -> list[tuple[str, str]]:
        """Return scope and reason of each finding (a reported problem)."""
        return [(row["scope"], row["reason"]) for row in self.storage.all("certrollfindings") if "scope" in row]

    def kept(self) -> list[tuple[str, str]]:
        """Return queue and body of each dead letter."""
        return [(row["queue"], row["body_0"]) for row in self.storage.all("certrollfindings") if "queue" in row]

    def details(self) -> str:
        """Return all that operators read about findings."""
        return str([row["detail"] for row in self.storage.all("certrollfindings") if "detail" in row])


@pytest.fixture(name="pool")
def _pool() -> Iterator[Pool]:
    with Pool(1, "reader") as pool:
        yield pool


def event(name: object, vault: object = VAULT, kind: object = NEW_VERSION) -> dict[str, object]:
    """Return a CloudEvent of Key Vault."""
    data = {"VaultName": vault, "ObjectType": "Certificate", "ObjectName": name}
    return {"specversion": "1.0", "type": kind, "source": "/kv", "subject": name, "id": "1", "data": data}


def grid_event(name: str) -> dict[str, object]:
    """Return an event of Key Vault in Event Grid's own schema."""
    given = event(name)
    return {"id": "1", "eventType": NEW_VERSION, "topic": "/kv", "subject": name, "data": given["data"]}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param(event("shop"), ["shop"], id="one CloudEvent"),
        pytest.param(grid_event("shop"), ["shop"], id="one event in Event Grid's schema"),
        pytest.param([grid_event("shop"), event("web")], ["shop", "web"], id="several events"),
    ],
)
def test_each_certificate_of_a_message_is_enqueued(pool: Pool, body: object, names: list[str]) -> None:
    """Certroll enqueues the vault certificate of each event in a message, in both schemas."""
    box = Box()
    on_events(box.run(pool), json.dumps(body))
    assert box.sent == [f"{VAULT}/{name}" for name in names]
    assert (box.findings(), box.kept()) == ([], [])


def test_malformed_event_costs_no_other_event(pool: Pool) -> None:
    """Certroll takes the readable events of a message, and keeps the whole message for its malformed event."""
    box = Box()
    body = json.dumps([event("shop"), "junk", event("web"), event("x", "kv-foreign")])
    on_events(box.run(pool), body)
    assert box.sent == [f"{VAULT}/shop", f"{VAULT}/web"]
    assert box.kept() == [("events", body)]
    assert sorted(box.findings()) == [("events", "UnknownVault"), ("queue events", "MalformedMessage")]
    assert "1 of 4 events cannot be read: the event has no type or no data object" in box.details()


UNREADABLE = {
    "a password": SECRET,
    "nothing": "",
    "no JSON": "{nope",
    "deep JSON": "[" * 30_000,
    "64 KB": json.dumps(["x" * 60_000]),
    "a number": "5",
    "no event": "[]",
    "JSON of another program": json.dumps({"password": SECRET}),
    "an event of another schema": json.dumps({"eventType": {"a": 1}, "data": {"password": SECRET}}),
    "an event about no vault": json.dumps(event("shop", SECRET + "/x")),
    "an event about no object": json.dumps(event(SECRET + "/x")),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_unreadable_message_is_kept_and_shows_nothing_typed(
    pool: Pool, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that is no event becomes a finding and a dead letter, and only the dead letter's row shows its text."""
    caplog.set_level("INFO", "certroll")
    box = Box()
    on_events(box.run(pool), body)
    assert box.sent == []
    assert box.kept()[0][0] == "events"
    assert box.kept()[0][1] == body[:30_000]  # a longer text goes on in further columns
    assert box.findings() == [("queue events", "MalformedMessage")]
    assert "message.rejected" in caplog.text
    assert SECRET.lower() not in (caplog.text + box.details()).lower()


def test_event_that_is_not_for_us_is_no_dead_letter(pool: Pool) -> None:
    """An event of a foreign vault or of another type is a finding by each way, and no dead letter."""
    body = json.dumps([event("shop", "kv-foreign"), event("shop", kind="Microsoft.KeyVault.SecretNearExpiry")])
    by_queue, by_webhook = Box(), Box()
    on_events(by_queue.run(pool), body)
    on_vault_event(by_webhook.run(pool), body)
    assert sorted(by_queue.findings()) == [("events", "UnknownEvent"), ("events", "UnknownVault")]
    assert by_queue.details() == by_webhook.details()
    assert (by_queue.sent, by_queue.kept()) == ([], [])


def test_message_that_fails_is_delivered_again_and_put_back(pool: Pool) -> None:
    """A message whose certificate cannot be enqueued fails, becomes a dead letter with the cause, and is replayed."""
    box, body = Box(fails=StorageFailed("queue certificates: 503")), json.dumps(event("shop"))
    with pytest.raises(StorageFailed):
        on_events(box.run(pool), body)
    on_poison(box.run(pool), "events", body)
    (letter,) = (row for row in box.storage.all("certrollfindings") if row.get("reason") == "DeadLetter")
    assert (letter["queue"], letter["cause"]) == ("events", "StorageFailed: queue certificates: 503")
    replay(box.run(pool), "events", str(letter["RowKey"]))
    assert box.sent == [f"events {body}"]
    assert box.kept() == []
