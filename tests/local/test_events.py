"""These tests cover Event Grid events of the local Azure, and their delivery to a webhook and to a storage queue."""

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, SystemEventNames
from azure.storage.queue import QueueClient

from local.azure.eventgrid.delivery import Delivery
from local.azure.eventgrid.event import DOCUMENTED_SAMPLE, DOCUMENTED_TABLE, Event, Schema, Shape
from local.azure.eventgrid.storage_queue import StorageQueue
from local.azure.eventgrid.webhook import Webhook
from local.azure.vault.vault import Vault
from local.azure.wire import Request, Response, json_response
from local.azure.world import World
from local.azurite import Azurite
from local.http_wire import converse
from local.listener import Connection, Listener
from local.patience import HANG


@pytest.fixture
def world() -> World:
    """Build a simulated Azure with a vault that has one certificate."""
    world = World()
    vault = world.new_vault("kv-Shop", subscription="sub", resource_group="rg")
    world.vaults["kv-shop"] = vault
    vault.add("shop", ["shop.contoso.com"])
    return world


@pytest.fixture
def vault(world: World) -> Vault:
    """Return the vault, which has one certificate."""
    return world.vaults["kv-shop"]


@pytest.fixture
def heard(world: World) -> list[Event]:
    """Return the list of events that a subscriber receives."""
    heard: list[Event] = []
    world.events.subscribe(heard.append)
    return heard


def test_renewal_is_announced(vault: Vault, heard: list[Event]) -> None:
    """The simulated Key Vault announces a new certificate version in an event of the type that the SDK knows."""
    version = vault.renew("shop")
    (event,) = heard
    assert event.payload["eventType"] == SystemEventNames.KeyVaultCertificateNewVersionCreatedEventName
    assert event.payload["topic"] == vault.resource_id
    assert event.payload["data"] == {
        "Id": f"https://kv-shop.vault.azure.net/certificates/shop/{version.id}",
        "VaultName": "kv-Shop",
        "ObjectType": "Certificate",
        "ObjectName": "shop",
        "Version": version.id,
        "NBF": int(version.not_before.timestamp()),
        "EXP": int(version.not_after.timestamp()),
    }


def test_sdk_reads_both_schemas(vault: Vault, world: World, heard: list[Event]) -> None:
    """Microsoft's SDK classes read the event in Event Grid's schema and as a CloudEvent."""
    vault.renew("shop")
    world.events.shape = Shape(schema="CloudEvents")
    vault.renew("shop")
    grid, cloud = heard
    assert EventGridEvent.from_dict(grid.payload).subject == "shop"
    assert CloudEvent.from_dict(cloud.payload).source == vault.resource_id


def test_documented_spellings_are_all_there(vault: Vault, world: World, heard: list[Event]) -> None:
    """The local Azure can send events in each spelling that Azure's documentation shows."""
    for shape in (DOCUMENTED_SAMPLE, DOCUMENTED_TABLE, Shape(times_as="null", topic_case="upper")):
        world.events.shape = shape
        vault.renew("shop")
    sample, table, odd = (event.payload for event in heard)
    assert sample["data"]["ObjectName "] == "shop"
    assert sample["data"]["Version"].startswith(" ")
    assert isinstance(sample["data"]["EXP"], str)
    assert "id" in table["data"]
    assert odd["data"]["NBF"] is None
    assert odd["topic"] == vault.resource_id.upper()


def test_twins_announce_themselves_where_asked(vault: Vault, world: World, heard: list[Event]) -> None:
    """A simulation setting makes Key Vault also announce the secret behind a new certificate version.

    The simulation setting `certificate_events_have_secret_twins` turns on the event of the secret behind a certificate.
    """
    world.knobs.certificate_events_have_secret_twins = True
    version = vault.renew("shop")
    certificate, secret = heard
    assert certificate.type == "Microsoft.KeyVault.CertificateNewVersionCreated"
    assert secret.type == SystemEventNames.KeyVaultSecretNewVersionCreatedEventName
    assert secret.url == f"https://kv-shop.vault.azure.net/secrets/shop/{version.id}"


def test_new_version_of_a_secret_is_announced(vault: Vault, world: World, heard: list[Event]) -> None:
    """Key Vault announces a plain secret's new version only as a secret.

    An event about a plain secret has dates only if the secret has dates.
    """
    world.knobs.certificate_events_have_secret_twins = True
    vault.set_secret("password", "one")
    version = vault.set_pfx_secret("order", ["shop.contoso.com"], dated=True)
    password, order = heard
    assert {event.type for event in heard} == {SystemEventNames.KeyVaultSecretNewVersionCreatedEventName}
    assert (password.payload["data"]["NBF"], password.payload["data"]["EXP"]) == (None, None)
    assert order.payload["data"]["Id"] == f"https://kv-shop.vault.azure.net/secrets/order/{version.id}"
    assert order.payload["data"]["EXP"] == int(version.leaf.certificate.not_valid_after_utc.timestamp())


def test_secrets_and_twins_are_announced_on_request(vault: Vault, world: World, heard: list[Event]) -> None:
    """A test can announce any vault object again, and can announce a certificate's key."""
    vault.set_secret("password", "one")
    heard.clear()
    world.events.emit("kv-shop", "password", "NearExpiry")
    world.events.emit("kv-shop", "shop", object_type="Key")
    assert [event.type for event in heard] == [
        "Microsoft.KeyVault.SecretNearExpiry",
        "Microsoft.KeyVault.KeyNewVersionCreated",
    ]


def test_repeated_event_keeps_its_id(vault: Vault, world: World, heard: list[Event]) -> None:
    """A repeated event equals the original event, including its id."""
    vault.renew("shop")
    world.events.repeat()
    assert heard[0] == heard[1]


def test_held_events_come_newest_first_or_never(vault: Vault, world: World, heard: list[Event]) -> None:
    """A test can delay events, and then deliver the delayed events newest first or discard them."""
    events = world.events
    events.hold()
    older, newer = vault.renew("shop"), vault.renew("shop")
    assert heard == []
    events.release()
    assert [event.version for event in heard] == [newer.id, older.id]
    events.hold()
    vault.renew("shop")
    assert len(events.lose()) == 1
    vault.renew("shop")
    assert len(heard) == 3


def test_expiry_is_announced_on_request(vault: Vault, world: World, heard: list[Event]) -> None:
    """A test can send NearExpiry and Expired events for any version of a certificate."""
    first = vault.certificates["shop"].newest
    vault.renew("shop")
    event = world.events.emit("KV-SHOP", "Shop", "NearExpiry", first.id)
    assert heard[-1] == event
    assert (event.type, event.version) == ("Microsoft.KeyVault.CertificateNearExpiry", first.id)
    with pytest.raises(KeyError, match="no version"):
        world.events.emit("kv-shop", "shop", "Expired", "0123")


def test_ended_subscription_hears_nothing(vault: Vault, world: World) -> None:
    """A subscriber receives no events after its subscription has ended."""
    heard: list[Event] = []
    world.events.subscribe(heard.append)()
    vault.renew("shop")
    assert heard == []


class Receiver:
    """A webhook that answers with the given statuses, then with 200, and stores all received requests."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[Request] = []
        self.listener = Listener(self._serve, "webhook")
        self.url = f"http://127.0.0.1:{self.listener.listen()}/runtime/webhooks/eventgrid?functionName=vault_event"

    @property
    def notifications(self) -> list[Request]:
        """The requests to the webhook that carried an event."""
        return [request for request in self.requests if request.headers.get("aeg-event-type") == "Notification"]

    def _serve(self, connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            converse(stream, connection.socket.sendall, self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        if request.headers.get("aeg-event-type") == "SubscriptionValidation":
            return json_response(200, {"validationResponse": request.json()[0]["data"]["validationCode"]})
        return Response(self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    """Yield a running webhook."""
    webhook = Receiver()
    with webhook.listener:
        yield webhook


@pytest.fixture
def delivery(world: World, webhook: Receiver) -> Delivery:
    """Return a delivery of the simulated Azure's events to the webhook, which runs only when the test calls `pump`."""
    delivery = Delivery(Webhook(webhook.url), world.clock)
    world.events.subscribe(delivery)
    return delivery


def test_webhook_is_validated_first(webhook: Receiver, delivery: Delivery) -> None:
    """Event Grid validates a webhook with a code, at exactly the registered path and query."""
    delivery.validate()
    (request,) = webhook.requests
    assert (request.path, request.query) == ("/runtime/webhooks/eventgrid", {"functionname": "vault_event"})


def test_webhook_that_stays_silent_is_not_subscribed(webhook: Receiver, delivery: Delivery) -> None:
    """A failed validation raises an error that names the webhook, without the secrets of its query."""
    delivery.destination = Webhook(webhook.url.replace("/runtime", "/other") + "&code=secret")
    delivery.schema = "CloudEvents"
    webhook.statuses = [404]
    with pytest.raises(PermissionError, match="/other/webhooks/eventgrid did not pass"):
        delivery.validate()


def test_event_arrives_as_array_of_one(vault: Vault, webhook: Receiver, delivery: Delivery) -> None:
    """Event Grid's schema delivers each event as an array with one element."""
    vault.renew("shop")
    assert delivery.pump() == 1
    (request,) = webhook.notifications
    assert [event["subject"] for event in request.json()] == ["shop"]
    assert delivery.pump() == 0


def test_cloud_event_arrives_as_one_object(vault: Vault, webhook: Receiver, delivery: Delivery) -> None:
    """A CloudEvents subscription validates with OPTIONS, and delivers each event as a single object."""
    delivery.schema = "CloudEvents"
    delivery.validate()
    vault.renew("shop")
    delivery.pump()
    assert webhook.requests[0].method == "OPTIONS"
    assert webhook.notifications[0].headers["content-type"] == "application/cloudevents+json"
    assert json.loads(webhook.notifications[0].body)["specversion"] == "1.0"


def test_failed_delivery_is_tried_again_on_the_worlds_clock(
    vault: Vault, world: World, webhook: Receiver, delivery: Delivery
) -> None:
    """Event Grid delivers an event again ten seconds after the webhook answered 500."""
    webhook.statuses = [500]
    vault.renew("shop")
    assert delivery.pump() == 0
    world.clock.advance(timedelta(seconds=9))
    assert delivery.pump() == 0
    assert len(webhook.notifications) == 1
    world.clock.advance(timedelta(seconds=1))
    assert delivery.pump() == 1
    first, second = webhook.notifications
    assert first.body == second.body
    assert [request.headers["aeg-delivery-count"] for request in (first, second)] == ["0", "1"]


def test_refused_event_is_a_dead_letter(vault: Vault, world: World, webhook: Receiver, delivery: Delivery) -> None:
    """Event Grid gives an event up after an answer of 400, or after a day of failures."""
    webhook.statuses = [400]
    vault.renew("shop")
    delivery.pump()
    assert len(delivery.dead_letters) == 1
    webhook.statuses = [503] * 20
    vault.renew("shop")
    for _ in range(20):
        delivery.pump()
        world.clock.advance(timedelta(hours=3))
    assert len(delivery.dead_letters) == 2
    assert 5 < len(webhook.notifications) < 21


def test_silent_webhook_counts_as_failure(vault: Vault, webhook: Receiver, delivery: Delivery) -> None:
    """Event Grid keeps an event for another attempt if the webhook's port refuses connections."""
    webhook.listener.close()
    vault.renew("shop")
    assert delivery.pump() == 0
    assert delivery.dead_letters == []


def test_running_delivery_needs_no_pump(vault: Vault, webhook: Receiver, delivery: Delivery) -> None:
    """A started delivery posts events by itself, without calls of `pump`."""
    delivery.start()
    vault.renew("shop")
    end = time.monotonic() + HANG
    while not webhook.notifications and time.monotonic() < end:
        delivery._stopped.wait(0.002)
    delivery.stop()
    assert len(webhook.notifications) == 1


QUEUE = "events"


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Yield an Azurite that only the tests of queues use."""
    with Azurite(tmp_path_factory.mktemp("events") / "azurite.log") as running:
        yield running


@pytest.fixture
def messages(azurite: Azurite) -> Iterator[QueueClient]:
    """Yield a client of a new, empty queue."""
    with QueueClient.from_connection_string(azurite.connection_string, QUEUE) as queue:
        queue.create_queue()
        yield queue
        queue.delete_queue()


@pytest.fixture
def to_queue(world: World, azurite: Azurite) -> Delivery:
    """Return a delivery of certificates' new versions to the queue, which runs only when the test calls `pump`."""
    destination = StorageQueue(azurite.connection_string, QUEUE)
    included = {"Microsoft.KeyVault.CertificateNewVersionCreated"}
    delivery = Delivery(destination, world.clock, "CloudEvents", included)
    world.events.subscribe(delivery)
    return delivery


@pytest.mark.parametrize(("schema", "key"), [("CloudEvents", "specversion"), ("EventGrid", "eventType")])
def test_event_is_a_message_in_the_schema_of_the_subscription(
    vault: Vault, messages: QueueClient, to_queue: Delivery, schema: Schema, key: str
) -> None:
    """A storage queue receives each event as one JSON object in base64, for seven days."""
    to_queue.schema = schema
    to_queue.validate()
    vault.renew("shop")
    assert to_queue.pump() == 1
    (message,) = messages.receive_messages()
    received = json.loads(base64.b64decode(message.content))
    assert (received["subject"], key in received) == ("shop", True)
    assert message.expires_on is not None
    assert message.inserted_on is not None
    assert message.expires_on - message.inserted_on == timedelta(days=7)


def test_subscription_gets_only_the_types_that_it_names(
    vault: Vault, world: World, messages: QueueClient, to_queue: Delivery
) -> None:
    """Event Grid delivers no event whose type the subscription does not include."""
    world.events.emit("kv-shop", "shop", "NearExpiry")
    assert to_queue.pump() == 0
    vault.renew("shop")
    assert to_queue.pump() == 1
    assert messages.get_queue_properties().approximate_message_count == 1


def test_plain_text_is_an_old_form(vault: Vault, messages: QueueClient, to_queue: Delivery) -> None:
    """The local Azure can write messages in plain text, as Event Grid did until 2021."""
    assert isinstance(to_queue.destination, StorageQueue)
    to_queue.destination = replace(to_queue.destination, in_base64=False)
    vault.renew("shop")
    to_queue.pump()
    (message,) = messages.receive_messages()
    assert json.loads(message.content)["subject"] == "shop"


def test_missing_queue_gets_its_event_later(vault: Vault, world: World, azurite: Azurite, to_queue: Delivery) -> None:
    """Event Grid keeps an event for another attempt while the queue is missing."""
    vault.renew("shop")
    assert (to_queue.pump(), to_queue.dead_letters) == (0, [])
    world.clock.advance(timedelta(seconds=10))
    with QueueClient.from_connection_string(azurite.connection_string, QUEUE) as queue:
        queue.create_queue()
        assert to_queue.pump() == 1
        queue.delete_queue()


def test_refused_identity_is_a_dead_letter(vault: Vault, messages: QueueClient, to_queue: Delivery) -> None:
    """Event Grid gives an event up if the storage account refuses the identity of the topic."""
    assert isinstance(to_queue.destination, StorageQueue)
    connection = to_queue.destination.connection_string
    wrong = re.sub("AccountKey=[^;]+", f"AccountKey={base64.b64encode(b'wrong').decode()}", connection)
    to_queue.destination = StorageQueue(wrong, messages.queue_name)
    vault.renew("shop")
    assert (to_queue.pump(), len(to_queue.dead_letters)) == (0, 1)


@pytest.mark.parametrize(
    ("address", "options"),
    [
        pytest.param("http://127.0.0.1:9/x", {}, id="it does not answer"),
        pytest.param("https://127.0.0.1:9/x", {"connection_verify": "gone/ca.pem"}, id="its certificate is gone"),
    ],
)
def test_unreachable_storage_gets_its_event_later(
    vault: Vault, to_queue: Delivery, address: str, options: dict[str, str]
) -> None:
    """Event Grid keeps an event for another attempt if the storage account does not answer, or has ended."""
    assert isinstance(to_queue.destination, StorageQueue)
    connection = to_queue.destination.connection_string
    to_queue.destination = StorageQueue(
        re.sub(r"QueueEndpoint=[^;]+", f"QueueEndpoint={address}", connection), QUEUE, options=options
    )
    vault.renew("shop")
    assert (to_queue.pump(), to_queue.dead_letters) == (0, [])
