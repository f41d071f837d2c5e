"""The queue listener of the local Functions host, on a queue in memory."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueMessage

from local.host import configuration
from local.host import queues as queues_module
from local.host.functions import FunctionMetadata, Outcome, TriggerInput
from local.host.queues import POISON_SUFFIX, QueueListener
from local.host.reach import PATIENCE, Reach

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
FUNCTION = FunctionMetadata("solo", "1", ({"type": "queueTrigger", "name": "m", "queueName": "work"},))
DONE = Outcome(succeeded=True)


class StaleReceipt(HttpResponseError):
    """Azure's answer to a receipt that somebody else has made invalid."""

    def __init__(self) -> None:
        super().__init__("The specified pop receipt did not match")
        self.status_code = 400


@dataclass
class Queue:
    """This fake queue notes what the listener does with messages, and refuses stale receipts."""

    queue_name: str
    stale: bool = False
    done: list[str] = field(default_factory=list)

    def delete_message(self, _message: QueueMessage) -> None:
        """Note the deletion."""
        self._note("deleted")

    def update_message(self, message: QueueMessage, *, visibility_timeout: int) -> QueueMessage:
        """Note for how many seconds the message is invisible from now on."""
        self._note(f"invisible for {visibility_timeout}")
        return message

    def send_message(self, content: str) -> None:
        """Note the message."""
        self.done.append(f"sent {content}")

    def create_queue(self) -> None:
        """Note the creation."""
        self.done.append("created")

    def _note(self, what: str) -> None:
        if self.stale:
            raise StaleReceipt
        self.done.append(what)


@dataclass
class Account:
    """A storage account with the queue of the function and its poison queue."""

    work: Queue = field(default_factory=lambda: Queue("work"))
    poison: Queue = field(default_factory=lambda: Queue("work-poison"))

    def named(self, _binding: Mapping[str, object], suffix: str = "") -> Queue:
        """Return one of the two queues."""
        return self.poison if suffix == POISON_SUFFIX else self.work

    def decode(self, content: str) -> str:
        """Return the content."""
        return content


@dataclass
class Runs:
    """The invocations of the function, which end with the given outcome, or never."""

    outcome: Outcome | None = DONE
    begun: list[TriggerInput] = field(default_factory=list)
    last: Future[Outcome] = field(default_factory=Future)

    def start(self, _function: FunctionMetadata, trigger: TriggerInput) -> Future[Outcome]:
        """Begin an invocation."""
        self.begun.append(trigger)
        self.last = Future()
        if self.outcome is not None:
            self.last.set_result(self.outcome)
        return self.last


def listener(account: Account, runs: Runs, tmp_path: Path) -> QueueListener:
    """Return the listener of the function, with the settings of Certroll's host.json."""
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    settings = replace(configuration.read(tmp_path, {}).queues, visibility_timeout=timedelta(minutes=2))
    queues: Any = account
    return QueueListener(FUNCTION, queues, settings, runs.start, Reach(lambda: None, PATIENCE))


def message(count: int) -> QueueMessage:
    """Return a message at its n-th delivery."""
    found = QueueMessage(content="text")
    found.id, found.pop_receipt, found.dequeue_count = "id", "receipt", count
    found.inserted_on = found.expires_on = found.next_visible_on = NOW
    return found


FAILED = Outcome(succeeded=False)
BURIED = ["created", "sent text"]


@pytest.mark.parametrize(
    ("count", "outcome", "work", "poison", "calls"),
    [
        pytest.param(1, DONE, ["deleted"], [], 1, id="success deletes"),
        pytest.param(4, FAILED, ["invisible for 120"], [], 1, id="the fourth failure waits for two minutes"),
        pytest.param(5, FAILED, ["deleted"], BURIED, 1, id="the fifth failure goes to the poison queue"),
        pytest.param(6, DONE, ["deleted"], BURIED, 0, id="the sixth delivery goes there without a call"),
    ],
)
def test_what_becomes_of_a_message(
    tmp_path: Path, count: int, outcome: Outcome, work: list[str], poison: list[str], calls: int
) -> None:
    """A message is deleted, delayed or moved to the poison queue, as its run and its deliveries say."""
    account, runs = Account(), Runs(outcome)
    listener(account, runs, tmp_path)._process(message(count))
    assert (account.work.done, account.poison.done, len(runs.begun)) == (work, poison, calls)


@pytest.mark.parametrize("outcome", [DONE, FAILED], ids=["success", "failure"])
def test_receipt_that_somebody_changed_is_no_error(tmp_path: Path, outcome: Outcome) -> None:
    """If somebody else has changed the message, the listener neither deletes nor delays it, and raises no error."""
    account = Account(work=Queue("work", stale=True))
    listener(account, Runs(outcome), tmp_path)._process(message(1))
    assert account.work.done == account.poison.done == []


def test_run_goes_on_although_its_message_is_renewed_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal with a stale receipt ends neither the run nor the listener's wait for it."""
    monkeypatch.setattr(queues_module, "PROCESSING_VISIBILITY", timedelta(milliseconds=2))
    account, runs, renewals = Account(work=Queue("work", stale=True)), Runs(None), []

    def update(*_: object, **__: object) -> None:
        renewals.append("renewed")
        if len(renewals) == 3:
            runs.last.set_result(DONE)
        raise StaleReceipt

    monkeypatch.setattr(account.work, "update_message", update)
    listener(account, runs, tmp_path)._process(message(1))
    assert len(renewals) == 3
    assert account.work.done == []


def test_message_of_a_host_that_ends_stays_as_it_is(tmp_path: Path) -> None:
    """A listener that waits no longer for a run neither deletes nor releases the message of the run."""
    account, runs = Account(), Runs(None)
    ending = listener(account, runs, tmp_path)
    ending.abandon()
    ending._process(message(1))
    assert (len(runs.begun), account.work.done, account.poison.done) == (1, [], [])


def test_output_binding_wakes_the_listener_of_its_queue(tmp_path: Path) -> None:
    """A message that an output binding writes wakes the listener of its queue, and no other listener."""
    woken = listener(Account(), Runs(), tmp_path)
    woken.wake("other")
    assert not woken._wake.is_set()
    woken.wake("work")
    assert woken._wake.is_set()
