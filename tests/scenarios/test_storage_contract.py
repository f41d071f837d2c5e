"""Check what the journal, the leases and the queues rely on, for storage in memory and for Azurite.

Each storage test runs against storage in memory and against Azurite. Where a test needs an expired lease on Azurite,
the test breaks the lease so that nobody waits for the expiry. Where a test needs an expired lease in memory, the test
advances the simulated clock.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
import requests
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy

from local.azure.scripting.clock import Clock
from local.azurite import Azurite
from shared.clients.storage.leases import LEASE_SECONDS, RENEW_EVERY_SECONDS, SAFE_SECONDS, BlobLeases
from shared.clients.storage.queues import StorageQueue
from shared.clients.storage.rows import Entity, revision_of
from shared.clients.storage.tables import JOURNAL, TRANSACTION, StorageTables, Tables
from shared.domain.errors import Conflict, LeaseBusy, LeaseLost, StorageFailed
from shared.domain.messages import Cause, CertificateMessage, EnvironmentMessage, SiteMessage
from shared.domain.names import EnvironmentRef, SiteRef, VaultCertificateRef
from shared.ports.storage import Leases, Queue
from tests.memory_storage import MemoryLeases, MemoryTables
from tests.scenarios.installation import WorldQueue
from tests.scenarios.storage import AzuriteStorage

HISTORY = "certrollhistory"
AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
NO_REVISION = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""
REF = VaultCertificateRef.parse("contoso-kv", "certificate", "web")
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SITE = SiteRef(SUBSCRIPTION, "group", "shop")
ENVIRONMENT = EnvironmentRef(SUBSCRIPTION, "group", "ase")
CERTIFICATE_MESSAGE = CertificateMessage(REF, Cause.EVENT)
SITE_MESSAGE = SiteMessage(SITE, REF)
ENVIRONMENT_MESSAGE = EnvironmentMessage(ENVIRONMENT)
HOUR = timedelta(hours=1)

both = pytest.mark.parametrize("kind", ["in memory", "on Azurite"])


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> Azurite:
    """Return Azurite after deleting its tables, leases and messages."""
    azurite: Azurite = request.getfixturevalue("azurite")
    AzuriteStorage(azurite.connection_string).clear()
    with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        for queue in service.list_queues():
            service.delete_queue(queue)
    return azurite


def row(key: str = "row", partition: str = "partition", **properties: object) -> dict[str, object]:
    """Return a row for Table storage with the given keys and properties."""
    return {"PartitionKey": partition, "RowKey": key, **properties}


# -------------------------------------------------------------------------------------------------------------- tables


@pytest.fixture
def tables(kind: str, request: pytest.FixtureRequest) -> Iterator[Tables]:
    """Yield empty tables of the tested storage."""
    if kind == "in memory":
        yield MemoryTables()
        return
    storage = request.getfixturevalue("storage")
    with TableServiceClient.from_connection_string(storage.connection_string) as service:
        yield StorageTables(service)


def properties(found: Entity | None) -> dict[str, object]:
    """Return the properties of a row without the row's keys."""
    assert found is not None
    return {name: value for name, value in found.items() if name not in {"PartitionKey", "RowKey"}}


@both
def test_nothing_is_there_before_it_is_written(tables: Tables) -> None:
    """A table that does not exist yet has no row, and deleting rows of that table raises no error."""
    assert tables.rows(JOURNAL, "partition") == ()
    assert tables.row(JOURNAL, "partition", "row") is None
    tables.delete(JOURNAL, "partition", "row")
    tables.delete_revision("partition", "row", NO_REVISION, "the record")


@both
@pytest.mark.parametrize("rows", [1, 2], ids=["a row", "a batch"])
@pytest.mark.parametrize(
    "value",
    ["", "text", "ünïcode ☂ 𝄞", "quotes \" ' and \n lines", True, False, 0, -1, 2**31 - 1, -(2**31), AT],
    ids=repr,
)
def test_a_value_comes_back_as_it_was_written(tables: Tables, rows: int, value: object) -> None:
    """Texts, booleans, numbers and datetimes keep value and type, in a single row and in a batch."""
    tables.write(JOURNAL, [row(f"row{number}", value=value) for number in range(rows)])
    for found in tables.rows(JOURNAL, "partition"):
        assert properties(found) == {"value": value}
        assert isinstance(found["value"], type(value))


@both
def test_a_moment_comes_back_in_utc(tables: Tables) -> None:
    """A datetime of another time zone comes back as the same moment in UTC, exact to the microsecond."""
    tables.write(JOURNAL, [row(at=AT.astimezone(timezone(timedelta(hours=5))))])
    found = properties(tables.row(JOURNAL, "partition", "row"))["at"]
    assert isinstance(found, datetime)
    assert (found, found.utcoffset()) == (AT, timedelta(0))


@both
def test_a_property_without_a_value_is_none(tables: Tables) -> None:
    """A property with the value None is not stored, and leaves a stored value unchanged."""
    tables.write(JOURNAL, [row(kept="old", absent=None)])
    tables.write(JOURNAL, [row(kept=None)])
    assert properties(tables.row(JOURNAL, "partition", "row")) == {"kept": "old"}


@both
@pytest.mark.parametrize("rows", [1, 2], ids=["a row", "a batch"])
def test_an_upsert_merges(tables: Tables, rows: int) -> None:
    """An upsert changes the named properties and keeps the others, in a single row and in a batch."""
    keys = [f"row{number}" for number in range(rows)]
    tables.write(JOURNAL, [row(key, kept="old", changed="old") for key in keys])
    tables.write(JOURNAL, [row(key, changed="new", added="new") for key in keys])
    for key in keys:
        found = properties(tables.row(JOURNAL, "partition", key))
        assert found == {"kept": "old", "changed": "new", "added": "new"}


@both
def test_a_put_replaces(tables: Tables) -> None:
    """A row that replaces a revision keeps no property of that revision."""
    revision = tables.put(row(old="old"), None, "the record")
    tables.put(row(new="new"), revision, "the record")
    assert properties(tables.row(JOURNAL, "partition", "row")) == {"new": "new"}


@both
def test_rows_come_in_the_order_of_their_keys(tables: Tables) -> None:
    """Storage returns the rows of a partition in the order of their keys, without rows of other partitions."""
    for key in ("b", "c", "a"):
        tables.write(JOURNAL, [row(key)])
    tables.write(JOURNAL, [row("a", "another")])
    assert [found["RowKey"] for found in tables.rows(JOURNAL, "partition")] == ["a", "b", "c"]


@both
def test_tables_are_apart(tables: Tables) -> None:
    """A row of one table does not appear in another table under the same keys."""
    tables.write(JOURNAL, [row(of="journal")])
    tables.write(HISTORY, [row(of="history")])
    tables.delete(HISTORY, "partition", "row")
    assert properties(tables.row(JOURNAL, "partition", "row")) == {"of": "journal"}
    assert tables.row(HISTORY, "partition", "row") is None


@both
def test_a_partition_of_several_pages_is_read_whole(tables: Tables) -> None:
    """All rows of a partition are returned, although Azure sends at most a thousand rows per page."""
    tables.write(JOURNAL, (row(f"{number:04}") for number in range(1001)))
    assert [found["RowKey"] for found in tables.rows(JOURNAL, "partition")] == [f"{n:04}" for n in range(1001)]


@both
def test_what_is_read_is_a_copy(tables: Tables) -> None:
    """Changing a row after reading it does not change the stored row."""
    tables.write(JOURNAL, [row(value="stored")])
    found = tables.row(JOURNAL, "partition", "row")
    assert found is not None
    found["value"] = "changed"  # type: ignore[index]
    assert properties(tables.row(JOURNAL, "partition", "row")) == {"value": "stored"}


# -------------------------------------------------------------------------------------------------- conditional writes


@both
def test_a_new_row_is_put_once(tables: Tables) -> None:
    """If two runs put the same new row, the second run gets a conflict and the first row stays."""
    tables.put(row(by="first"), None, "the record")
    with pytest.raises(Conflict, match="the record was written by another run"):
        tables.put(row(by="second"), None, "the record")
    assert properties(tables.row(JOURNAL, "partition", "row")) == {"by": "first"}


@both
def test_a_revision_is_replaced_once(tables: Tables) -> None:
    """If two runs replace the same revision of a row, the second run gets a conflict and the first row stays."""
    revision = tables.put(row(by="nobody"), None, "the record")
    tables.put(row(by="first"), revision, "the record")
    with pytest.raises(Conflict, match="the record was written by another run"):
        tables.put(row(by="second"), revision, "the record")
    assert properties(tables.row(JOURNAL, "partition", "row")) == {"by": "first"}


@both
@pytest.mark.parametrize("number", [1, 50, 51], ids=["a row", "a batch", "two batches"])
def test_rows_are_put_together(tables: Tables, number: int) -> None:
    """Several rows replace the rows that are there, whole, and each gets the revision that a read shows."""
    tables.write(JOURNAL, [row("row00", old="old")])
    keys = [f"row{place:02}" for place in range(number)]
    revisions = tables.put_all([(row(key, new="new"), None) for key in keys], "the records")
    found = tables.rows(JOURNAL, "partition")
    assert [(properties(each), revision_of(each)) for each in found] == [({"new": "new"}, rev) for rev in revisions]
    again = tables.put_all([(row(key), rev) for key, rev in zip(keys, revisions, strict=True)], "the records")
    assert not set(again) & set(revisions)


@both
@pytest.mark.parametrize("gone", [False, True], ids=["another revision", "no row"])
def test_rows_are_put_together_or_not_at_all(tables: Tables, gone: bool) -> None:  # noqa: FBT001 - a parameter
    """If another run has replaced or deleted a row, Certroll gets a conflict, and the batch writes no row."""
    first, second = tables.put_all([(row("a", by="us"), None), (row("b", by="us"), None)], "the records")
    if gone:
        tables.delete(JOURNAL, "partition", "b")
    else:
        tables.put(row("b", by="others"), second, "the record")
    with pytest.raises(Conflict, match="the records was written by another run"):
        tables.put_all([(row("a", by="late"), first), (row("b", by="late"), second)], "the records")
    assert [found["by"] for found in tables.rows(JOURNAL, "partition")] == (["us"] if gone else ["us", "others"])


@both
@pytest.mark.parametrize("how", ["put", "upserted alone", "upserted in a batch"])
def test_every_write_makes_a_new_revision(tables: Tables, how: str) -> None:
    """Every write of a row makes the row's earlier revision invalid, even if the values are equal."""
    revision = tables.put(row(), None, "the record")
    if how == "put":
        tables.put(row(), revision, "the record")
    else:
        tables.write(JOURNAL, [row(), row("other")] if how == "upserted in a batch" else [row()])
    with pytest.raises(Conflict):
        tables.put(row(), revision, "the record")


@both
def test_the_revision_that_is_read_is_the_one_that_was_returned(tables: Tables) -> None:
    """A row has the same revision after a put, a read of the row and a read of its partition."""
    revision = tables.put(row(), None, "the record")
    found = tables.row(JOURNAL, "partition", "row")
    assert found is not None
    assert revision_of(found) == revision
    assert [revision_of(found) for found in tables.rows(JOURNAL, "partition")] == [revision]


@both
def test_a_row_that_is_gone_is_not_put_in_place_of_its_revision(tables: Tables) -> None:
    """A write for the revision of a deleted row is refused and does not create the row again."""
    revision = tables.put(row(), None, "the record")
    tables.delete(JOURNAL, "partition", "row")
    with pytest.raises(Conflict):
        tables.put(row(), revision, "the record")
    assert tables.row(JOURNAL, "partition", "row") is None


@both
def test_a_table_that_is_gone_holds_no_revision(tables: Tables) -> None:
    """A write for a revision of a missing table is refused."""
    with pytest.raises(Conflict):
        tables.put(row(), NO_REVISION, "the record")


@both
def test_only_the_revision_that_was_read_is_deleted(tables: Tables) -> None:
    """If a run deletes a row by an old revision, storage refuses, and the row that another run has written stays."""
    revision = tables.put(row(by="first"), None, "the record")
    newer = tables.put(row(by="second"), revision, "the record")
    with pytest.raises(Conflict, match="the record was written by another run"):
        tables.delete_revision("partition", "row", revision, "the record")
    assert properties(tables.row(JOURNAL, "partition", "row")) == {"by": "second"}
    tables.delete_revision("partition", "row", newer, "the record")
    assert tables.row(JOURNAL, "partition", "row") is None


@both
def test_a_row_is_deleted_alone(tables: Tables) -> None:
    """Deleting a row keeps its neighbours, and deleting the row twice raises no error."""
    tables.write(JOURNAL, [row("a"), row("b")])
    tables.delete(JOURNAL, "partition", "a")
    tables.delete(JOURNAL, "partition", "a")
    assert [found["RowKey"] for found in tables.rows(JOURNAL, "partition")] == ["b"]


# ------------------------------------------------------------------------------------------------------------- batches


@both
def test_nothing_to_write_writes_nothing(tables: Tables) -> None:
    """A write of an empty list of rows to Table storage raises no error."""
    tables.write(JOURNAL, [])
    assert tables.rows(JOURNAL, "partition") == ()


@both
def test_a_batch_is_written_whole_or_not_at_all(tables: Tables) -> None:
    """If storage refuses one row of a batch, storage writes no row of the whole batch."""
    rows = [row(f"{number:02}", value="x" * (33_000 if number == 1 else 1)) for number in range(3)]
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, rows)
    assert tables.rows(JOURNAL, "partition") == ()


@both
def test_batches_are_written_in_order(tables: Tables) -> None:
    """A refused row ends the write: earlier batches are stored, and later batches are not."""
    rows = [row(f"{n:03}", value="x" * (33_000 if n == TRANSACTION + 1 else 1)) for n in range(3 * TRANSACTION)]
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, rows)
    assert [found["RowKey"] for found in tables.rows(JOURNAL, "partition")] == [f"{n:03}" for n in range(TRANSACTION)]


@both
def test_large_rows_go_in_batches_that_storage_takes(tables: Tables) -> None:
    """Fifty rows of 240 KB each are stored, although one transaction takes only 4 MiB."""
    rows = [row(f"{n:03}", **{f"text_{part}": "é" * 30_000 for part in range(4)}) for n in range(TRANSACTION)]
    tables.write(JOURNAL, rows)
    assert [found["RowKey"] for found in tables.rows(JOURNAL, "partition")] == [f"{n:03}" for n in range(TRANSACTION)]


@both
def test_a_batch_is_of_one_partition(tables: Tables) -> None:
    """A batch with rows of two partitions is refused."""
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, [row("a", "one"), row("a", "another")])


@both
def test_a_batch_names_a_row_once(tables: Tables) -> None:
    """A batch that contains the same row twice is refused."""
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, [row(value="first"), row(value="second")])


# ---------------------------------------------------------------------------------------------------- sizes and limits


@both
@pytest.mark.parametrize("rows", [1, 2], ids=["a row", "a batch"])
def test_a_property_holds_32_k_characters(tables: Tables, rows: int) -> None:
    """A property of a table row has room for 32 Ki characters in UTF-16, and storage refuses a longer value."""
    tables.write(JOURNAL, [row(f"row{number}", value="x" * 32 * 1024) for number in range(rows)])
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, [row(f"row{number}", value="x" * (32 * 1024 + 1)) for number in range(rows)])
    assert {len(found["value"]) for found in tables.rows(JOURNAL, "partition")} == {32 * 1024}


@both
@pytest.mark.parametrize("character", ["/", "\\", "#", "?"])
def test_a_key_holds_no_character_of_a_path(tables: Tables, character: str) -> None:
    """A key with a path character is refused, which is why Certroll's keys are hashes."""
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, [row(f"a{character}b"), row("c")])
    assert tables.rows(JOURNAL, "partition") == ()


@both
def test_a_row_holds_a_megabyte(tables: Tables) -> None:
    """A row of 480,000 characters is stored, and a row of 1,080,000 characters is refused.

    A row in Table storage may have one megabyte, which Azure counts in UTF-16 and Azurite counts in UTF-8.
    """
    tables.write(JOURNAL, [row("small", **{f"part{number}": "x" * 30_000 for number in range(16)})])
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, [row("large", **{f"part{number}": "x" * 30_000 for number in range(36)})])
    assert [found["RowKey"] for found in tables.rows(JOURNAL, "partition")] == ["small"]


@both
@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, object()], ids=["too large", "too small", "no value"])
def test_what_storage_has_no_type_for_is_refused(tables: Tables, value: object) -> None:
    """The storage client refuses an integer of more than 32 bits, and for an arbitrary object."""
    with pytest.raises(StorageFailed):
        tables.write(JOURNAL, [row(value=value)])


# -------------------------------------------------------------------------------------------------------------- leases


@dataclass(frozen=True, slots=True)
class LeaseStand:
    """The leases of the tested storage, with functions that take leases away."""

    leases: Leases
    lose_all: Callable[[], None]
    """The function that takes every lease away from its holder."""
    die: Callable[[object], None]
    """The function that stops the renewals of this lease and lets the duration of the lease pass."""


@pytest.fixture
def stand_of_leases(kind: str, request: pytest.FixtureRequest) -> Iterator[LeaseStand]:
    """Yield leases without a holder."""
    if kind == "in memory":
        clock = Clock()
        leases = MemoryLeases(clock)

        def die(lease: object) -> None:
            lease.stop_renewing()  # type: ignore[attr-defined]
            clock.advance(timedelta(seconds=61))

        yield LeaseStand(leases, leases.break_all, die)
        return
    storage = AzuriteStorage(request.getfixturevalue("storage").connection_string)
    with BlobServiceClient.from_connection_string(request.getfixturevalue("storage").connection_string) as service:
        yield LeaseStand(BlobLeases(service), storage.break_leases, lambda _: storage.break_leases())


@both
def test_a_lease_has_one_holder(stand_of_leases: LeaseStand) -> None:
    """A lease has only one holder, and the error for other instances contains the lease's name."""
    with stand_of_leases.leases.hold("site x") as lease:
        with pytest.raises(LeaseBusy, match="another instance is at work on site x"):
            stand_of_leases.leases.hold("site x").__enter__()
        lease.check()


@both
def test_names_are_apart(stand_of_leases: LeaseStand) -> None:
    """The holder of one lease does not block the lease of another name."""
    with stand_of_leases.leases.hold("site x") as first, stand_of_leases.leases.hold("site y") as second:
        first.check()
        second.check()


@both
@pytest.mark.parametrize("how", ["done", "failed"])
def test_a_lease_is_free_after_it_was_held(stand_of_leases: LeaseStand, how: str) -> None:
    """A lease is free at once after the holder's work has ended, with success or with an error."""
    with suppress(ZeroDivisionError), stand_of_leases.leases.hold("site x"):
        _ = 1 / (how == "done")
    with stand_of_leases.leases.hold("site x") as lease:
        lease.check()


@both
def test_a_lease_that_is_renewed_stays(stand_of_leases: LeaseStand) -> None:
    """A renewed lease stays with its holder, and other instances cannot get it."""
    with stand_of_leases.leases.hold("site x") as lease:
        assert lease.renew()  # type: ignore[attr-defined]
        lease.check()
        with pytest.raises(LeaseBusy):
            stand_of_leases.leases.hold("site x").__enter__()


@both
def test_a_lease_that_was_taken_away_is_lost_at_the_next_renewal(stand_of_leases: LeaseStand) -> None:
    """After the renewal of a lease failed, every check of the lease raises an error that contains the lease's name."""
    with stand_of_leases.leases.hold("site x") as lease:
        stand_of_leases.lose_all()
        assert not lease.renew()  # type: ignore[attr-defined]
        for _ in range(2):
            with pytest.raises(LeaseLost, match="the lease on site x was lost"):
                lease.check()


@both
def test_a_lease_of_the_dead_runs_out(stand_of_leases: LeaseStand) -> None:
    """Another instance gets the lease of a dead process, and the dead process cannot release the new lease."""
    with ExitStack() as after:
        with stand_of_leases.leases.hold("site x") as dead:
            stand_of_leases.die(dead)
            lease = after.enter_context(stand_of_leases.leases.hold("site x"))
            dead.renew()  # type: ignore[attr-defined]
            with pytest.raises(LeaseLost):
                dead.check()
        lease.check()
        with pytest.raises(LeaseBusy):
            stand_of_leases.leases.hold("site x").__enter__()


def test_a_lease_lasts_longer_than_its_holder_believes(storage: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease outlasts two renewal intervals, and its holder stops writing before another can get the lease."""
    assert 2 * RENEW_EVERY_SECONDS < SAFE_SECONDS < LEASE_SECONDS
    asked, send = [], requests.adapters.HTTPAdapter.send

    def sending(adapter: object, request: requests.PreparedRequest, **options: object) -> requests.Response:
        asked.append(request.headers.get("x-ms-lease-duration"))
        return send(adapter, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", sending)
    with BlobServiceClient.from_connection_string(storage.connection_string) as service:
        for name in ("made for it", "made for it"):
            with BlobLeases(service).hold(name):
                pass
    assert {duration for duration in asked if duration} == {str(LEASE_SECONDS)}


# -------------------------------------------------------------------------------------------------------------- queues


@dataclass(frozen=True, slots=True)
class QueueStand:
    """The queues to send to, and a function that returns the messages that are visible now.

    The visible messages are returned in the order of the names of their queues.
    """

    queue: Queue
    arriving: Callable[[], list[tuple[str, str]]]


@pytest.fixture
def stand_of_queues(kind: str, request: pytest.FixtureRequest) -> Iterator[QueueStand]:
    """Yield queues without a message."""
    if kind == "in memory":
        clock = Clock()
        queue = WorldQueue(clock)
        taken = iter(lambda: queue.take(clock.now()), None)
        yield QueueStand(queue, lambda: sorted((message.queue, message.body) for message in taken))
        return
    storage = request.getfixturevalue("storage").connection_string
    with QueueServiceClient.from_connection_string(storage) as service:
        yield QueueStand(StorageQueue(service), lambda: arriving(service))


def arriving(service: QueueServiceClient) -> list[tuple[str, str]]:
    """Return the queue and the text of each message that is visible now in a storage account."""
    clients = (
        service.get_queue_client(queue, message_decode_policy=TextBase64DecodePolicy())
        for queue in service.list_queues()
    )
    return sorted((client.queue_name, message.content) for client in clients for message in client.receive_messages())


@both
def test_a_message_arrives_as_it_was_sent(stand_of_queues: QueueStand) -> None:
    """Each message arrives on the queue of its kind, with the body that the queue's trigger reads."""
    stand_of_queues.queue.send_certificate(CERTIFICATE_MESSAGE)
    stand_of_queues.queue.send_site(SITE_MESSAGE)
    stand_of_queues.queue.send_environment(ENVIRONMENT_MESSAGE)
    assert stand_of_queues.arriving() == [
        ("certificates", CERTIFICATE_MESSAGE.body()),
        ("environments", ENVIRONMENT_MESSAGE.body()),
        ("sites", SITE_MESSAGE.body()),
    ]


@both
def test_a_delayed_message_does_not_arrive_before_its_time(stand_of_queues: QueueStand) -> None:
    """A delayed message does not arrive at once, and a message without a delay does."""
    stand_of_queues.queue.send_certificate(CERTIFICATE_MESSAGE, HOUR)
    stand_of_queues.queue.send_site(SITE_MESSAGE, HOUR)
    stand_of_queues.queue.send_environment(ENVIRONMENT_MESSAGE, HOUR)
    stand_of_queues.queue.put_back("sites", "at once")
    assert stand_of_queues.arriving() == [("sites", "at once")]


@both
def test_a_body_is_put_back_as_it_was(stand_of_queues: QueueStand) -> None:
    """A replayed message arrives unchanged, even if no trigger can read the message's body."""
    body = 'not json: ☂ " \\ \n'
    stand_of_queues.queue.put_back("sites", body)
    assert stand_of_queues.arriving() == [("sites", body)]


@both
def test_messages_sent_twice_arrive_twice(stand_of_queues: QueueStand) -> None:
    """Two equal messages both arrive, because the queue merges no messages."""
    for _ in range(2):
        stand_of_queues.queue.send_site(SITE_MESSAGE)
    assert stand_of_queues.arriving() == [("sites", SITE_MESSAGE.body())] * 2
