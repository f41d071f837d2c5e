import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import requests

from local.host import FunctionHost
from local.patience import HANG
from tests.local.host.hosted import Storage, eventually

QUEUES = "AzureFunctionsJobHost__extensions__queues__"
LONG = "3600"
"""`LONG` is the text of a queue message whose invocation runs until the Functions host ends."""
Solo = Callable[..., FunctionHost]


def test_failing_message_ends_in_poison_queue(host: FunctionHost, storage: Storage) -> None:
    """The local Functions host moves a message that failed five times to the poison queue, unchanged."""
    storage.send("work", "fail for good")
    assert storage.take("buried", lambda text: text == "fail for good")
    assert host.log.read_text().count("'Functions.on_work' (Failed: RuntimeError('asked to fail at count 5'") == 1


def test_messages_run_at_once(host: FunctionHost, storage: Storage) -> None:
    """The local Functions host runs two messages concurrently, so that messages that wait for each other succeed."""
    storage.send("work", "meet a", "meet b")
    for name in ("meet a", "meet b"):
        assert storage.take("done", lambda text, name=name: name in text)
    assert host.running


def test_batch_size_limits_concurrency(solo: Solo, storage: Storage, queue_name: str) -> None:
    """With batchSize 1 and newBatchThreshold 0, the Functions host runs messages one after the other."""
    with solo(**{f"{QUEUES}batchSize": "1", f"{QUEUES}newBatchThreshold": "0"}):
        storage.send(queue_name, "0.1", "0.1", "0.1")
        seen = [json.loads(storage.take(f"{queue_name}-done"))["running"] for _ in range(3)]
    assert seen == [1, 1, 1]


def test_threshold_leaves_messages_to_others(solo: Solo, storage: Storage, queue_name: str, tmp_path: Path) -> None:
    """The Functions host takes no more messages while more messages run than newBatchThreshold allows."""
    released = tmp_path / "released"
    with solo(**{f"{QUEUES}batchSize": "1", f"{QUEUES}newBatchThreshold": "0"}) as host:
        storage.send(queue_name, str(released), "0")
        eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
        waiting = [base64.b64decode(message.content) for message in storage.queue(queue_name).peek_messages(5)]
        released.touch()
        seen = [json.loads(storage.take(f"{queue_name}-done"))["running"] for _ in range(2)]
    assert (waiting, seen) == ([b"0"], [1, 1])


def test_message_that_is_not_base64(solo: Solo, storage: Storage, queue_name: str) -> None:
    """The Functions host moves a message that is not base64 to the poison queue without running the function."""
    queue = storage.queue(queue_name)
    queue.create_queue()
    queue.send_message("!!!")
    poison = f"{queue_name}-poison"
    with solo() as host:
        assert eventually(lambda: storage.exists(poison) and storage.queue(poison).peek_messages())
        assert "Executing" not in host.log.read_text()
    assert storage.queue(poison).peek_messages()[0].content == "!!!"


def test_failed_message_stays_invisible(solo: Solo, storage: Storage, queue_name: str) -> None:
    """A failed message becomes visible again only after the visibility time-out."""
    settings = {f"{QUEUES}visibilityTimeout": "00:00:01", f"{QUEUES}maxDequeueCount": "2"}
    with solo(**settings):
        started = time.monotonic()
        storage.send(queue_name, "fail")
        assert storage.take(f"{queue_name}-poison") == "fail"
    assert time.monotonic() - started >= 0.9


def test_poison_queue_has_no_poison_queue(solo: Solo, storage: Storage, queue_name: str) -> None:
    """A message that fails in a poison queue stays in that queue, invisible."""
    poison = f"{queue_name}-poison"
    with solo(SOLO_QUEUE=poison) as host:
        storage.send(poison, "fail")
        eventually(lambda: "stays invisible" in host.log.read_text())
        assert storage.queue(poison).peek_messages() == []
        assert storage.queue(poison).get_queue_properties().approximate_message_count == 1


def test_stop_lets_invocations_finish(solo: Solo, storage: Storage, queue_name: str) -> None:
    """A stopping Functions host waits for running invocations, and exits with code 0."""
    host = solo()
    host.start()
    storage.send(queue_name, "1")
    eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
    assert host.stop() == 0
    assert json.loads(storage.take(f"{queue_name}-done"))["count"] == 1


def test_stop_releases_what_does_not_finish(solo: Solo, storage: Storage, queue_name: str) -> None:
    """A stopping Functions host makes a message visible again at once if its invocation exceeds the grace period."""
    host = solo(grace=0.1)
    host.start()
    storage.send(queue_name, LONG)
    eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
    assert host.stop() == 3
    message = storage.queue(queue_name).receive_message()
    assert message is not None
    assert (base64.b64decode(message.content), message.dequeue_count) == (LONG.encode(), 2)


def test_crash_keeps_the_message_invisible(solo: Solo, storage: Storage, queue_name: str) -> None:
    """A message stays in the queue, invisible, after its host has crashed."""
    host = solo()
    host.start()
    storage.send(queue_name, LONG)
    eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
    host.kill()
    queue = storage.queue(queue_name)
    assert queue.receive_message() is None
    assert queue.get_queue_properties().approximate_message_count == 1


def test_time_out_fails_the_invocation(solo: Solo, storage: Storage, queue_name: str) -> None:
    """The local Functions host fails an invocation that runs longer than functionTimeout."""
    settings = {"AzureFunctionsJobHost__functionTimeout": "00:00:00.3", f"{QUEUES}maxDequeueCount": "1"}
    with solo(grace=0.1, **settings):
        storage.send(queue_name, LONG)
        assert storage.take(f"{queue_name}-poison") == LONG


def test_restart_keeps_the_address(solo: Solo) -> None:
    """A restarted Functions host keeps its address."""
    with solo() as host:
        before = host.url
        host.stop()
        host.start()
        assert requests.get(f"{before}/admin/host/status", timeout=HANG).json()["state"] == "Running"
