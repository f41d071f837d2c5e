import base64
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from inspect import signature
from itertools import islice
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from local.host import FunctionHost
from local.host.queues import polls
from local.host.reach import PATIENCE, Reach
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


def test_stop_releases_nothing(solo: Solo, storage: Storage, queue_name: str) -> None:
    """The message of an invocation that exceeds the grace period of a stopping host stays invisible."""
    host = solo(grace=0.1)
    host.start()
    storage.send(queue_name, LONG)
    eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
    assert host.stop() == 3
    assert storage.queue(queue_name).receive_message() is None
    assert storage.invisible(queue_name) == 1


def test_host_gives_invocations_ten_seconds() -> None:
    """A stopping Functions host waits ten seconds for running invocations, as measured on Azure's host."""
    assert signature(FunctionHost).parameters["grace"].default == 10.0


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


TIME_OUT = {"AzureFunctionsJobHost__functionTimeout": "00:00:01"}
TIMED_OUT = "Timeout value of 0:00:01 was exceeded"


def test_time_out_fails_the_invocation(solo: Solo, storage: Storage, queue_name: str) -> None:
    """The local Functions host fails an invocation that runs longer than functionTimeout."""
    with solo(grace=0.1, **TIME_OUT, **{f"{QUEUES}maxDequeueCount": "1"}):
        storage.send(queue_name, LONG)
        assert storage.take(f"{queue_name}-poison") == LONG


def test_time_out_takes_the_other_runs_along(solo: Solo, storage: Storage, queue_name: str, tmp_path: Path) -> None:
    """A time-out kills the worker process with all its runs, which hang until their own time-out and come back."""
    started, released = "Executing 'Functions.solo'", tmp_path / "released"
    with solo(grace=0.1, **TIME_OUT, **{f"{QUEUES}maxDequeueCount": "2"}) as host:
        storage.send(queue_name, LONG)
        eventually(lambda: started in host.log.read_text())
        storage.send(queue_name, str(released))
        eventually(lambda: host.log.read_text().count(started) == 2)
        eventually(lambda: TIMED_OUT in host.log.read_text())
        released.touch()
        assert json.loads(storage.take(f"{queue_name}-done"))["count"] == 2
        assert host.log.read_text().count(TIMED_OUT) >= 2
        assert "the worker process has ended" in host.log.read_text()


def test_wait_for_a_thread_counts_as_run_time(solo: Solo, storage: Storage, queue_name: str) -> None:
    """An invocation that waits for a thread of the worker reaches its time-out without having begun."""
    one_thread = {"PYTHON_THREADPOOL_THREAD_COUNT": "1", f"{QUEUES}maxDequeueCount": "1"}
    with solo(grace=0.1, **TIME_OUT, **one_thread) as host:
        storage.send(queue_name, LONG)
        eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
        storage.send(queue_name, "0")
        assert {storage.take(f"{queue_name}-poison") for _ in range(2)} == {LONG, "0"}


def test_worker_has_a_thread_for_each_message(solo: Solo, storage: Storage, queue_name: str, tmp_path: Path) -> None:
    """The worker runs all messages at once that its host takes, whatever the number of processor cores."""
    released, texts = tmp_path / "released", [str(tmp_path / "released")] * 16
    storage.send(queue_name, *texts)
    with solo():
        eventually(lambda: len(list(tmp_path.glob("begun-*"))) == len(texts))
        released.touch()
        seen = [json.loads(storage.take(f"{queue_name}-done"))["running"] for _ in texts]
    assert max(seen) == len(texts)


def test_worker_that_dies_fails_all_its_runs(solo: Solo, storage: Storage, queue_name: str, tmp_path: Path) -> None:
    """If the worker process dies by itself, all its runs fail at once, and a new worker runs their messages again."""
    released = tmp_path / "released"
    with solo() as host:
        storage.send(queue_name, str(released))
        eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
        storage.send(queue_name, "die")
        eventually(lambda: host.log.read_text().count("Failed: the worker process has ended") == 2)
        released.touch()
        seen = [json.loads(storage.take(f"{queue_name}-done"))["count"] for _ in range(2)]
    assert seen == [2, 2]


def test_worker_dies_with_its_host(solo: Solo, storage: Storage, queue_name: str, tmp_path: Path) -> None:
    """No run goes on after its host was killed, because the container ends with the host."""
    released = tmp_path / "released"
    host = solo()
    host.start()
    storage.send(queue_name, str(released))
    eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
    children = worker_processes(queue_name)
    host.kill()
    eventually(lambda: not worker_processes(queue_name))
    assert len(children) == 1


def worker_processes(marker: str) -> list[str]:
    """Return the worker processes whose queue setting belongs to this test."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command, variables = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            if b"worker_child" in command and marker.encode() in variables:
                found.append(folder.name)
    return found


@pytest.mark.parametrize("kind", ["refused key", "no connection"])
def test_storage_out_of_reach_ends_the_host(solo: Solo, storage: Storage, kind: str) -> None:
    """The Functions host shuts down if storage refuses its key, or if no connection is possible for some time."""
    found = storage.connection_string
    if kind == "refused key":
        wrong = re.sub("AccountKey=[^;]+", "AccountKey=" + base64.b64encode(b"wrong").decode(), found)
    else:
        wrong = re.sub(r"QueueEndpoint=http://127.0.0.1:\d+", "QueueEndpoint=http://127.0.0.1:1", found)
    host = solo(patience=HANG if kind == "refused key" else 0.0, AzureWebJobsStorage=wrong)
    host.start()
    eventually(lambda: not host.running)
    assert "An unhandled exception has occurred. Host is shutting down" in host.log.read_text()
    assert host.stop() == 0


REFUSED, LOST, THROTTLED = 403, None, 429


def failure(status: int | None) -> AzureError:
    """Return the error of the SDK for an answer with this status, or for no answer."""
    return ServiceRequestError("no connection") if status is None else StatusError(status)


class StatusError(HttpResponseError):
    """An answer of storage with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answer {status}")
        self.status_code = status


@pytest.mark.parametrize(
    ("status", "seconds"),
    [(REFUSED, 0), (LOST, 25), (THROTTLED, 25), (409, None), (500, None), (503, None)],
    ids=["403 at once", "no connection", "429 through all retries", "409 is borne", "500 is borne", "503 is borne"],
)
def test_how_long_the_host_bears_a_failure(status: int | None, seconds: int | None) -> None:
    """The error of storage decides whether the host ends at once, after 25 seconds or never, as on Azure."""
    now, ended = [0.0], []
    reach = Reach(lambda: ended.append(now[0]), PATIENCE, lambda: now[0])
    while not ended and now[0] < 100:
        reach.failed(failure(status))
        now[0] += 1
    assert ended == ([] if seconds is None else [float(seconds)])


def test_answer_of_storage_ends_the_count() -> None:
    """The Functions host bears two short failures of storage with an answer between them."""
    now, ended = [0.0], []
    reach = Reach(lambda: ended.append(now[0]), PATIENCE, lambda: now[0])
    for seconds in (0, 20, 40):
        now[0] = seconds
        reach.failed(failure(LOST))
        reach.answered()
    assert ended == []


def test_bytes_that_are_no_text_never_reach_the_function(solo: Solo, storage: Storage, queue_name: str) -> None:
    """Base64 of bytes that are not UTF-8 fails at each delivery without a call, and ends in the poison queue."""
    content = base64.b64encode(b"\xff\xfe").decode()
    with solo(**{f"{QUEUES}maxDequeueCount": "2"}) as host:
        storage.send_raw(queue_name, content)
        poison = f"{queue_name}-poison"
        assert eventually(lambda: storage.exists(poison) and storage.queue(poison).peek_messages())
        assert "Executing" not in host.log.read_text()
        assert host.log.read_text().count("Exception binding parameter") == 2
    assert storage.queue(poison).peek_messages()[0].content == content


def test_blank_inside_base64_is_read(solo: Solo, storage: Storage, queue_name: str) -> None:
    """The Functions host reads base64 that has a blank inside."""
    with solo():
        storage.send_raw(queue_name, "MC 4x")
        assert json.loads(storage.take(f"{queue_name}-done"))["count"] == 1


NONE = {f"{QUEUES}messageEncoding": "none"}


@pytest.mark.parametrize("content", ["fail", "MC4x!", "", " ", '{"a": "2026-11-30T03:00:00+01:00"}', "x" * 48_000])
def test_encoding_none_brings_every_message(solo: Solo, storage: Storage, queue_name: str, content: str) -> None:
    """With `messageEncoding` none, a function gets the text of each message as it is, and so does its poison queue."""
    with solo(**NONE, **{f"{QUEUES}maxDequeueCount": "1"}) as host:
        storage.send_raw(queue_name, content)
        poison = f"{queue_name}-poison"
        eventually(lambda: storage.exists(poison) and storage.queue(poison).peek_messages())
        assert "Executing 'Functions.solo'" in host.log.read_text()
    assert (storage.queue(poison).peek_messages()[0].content or "") == content


MISSING = "The specified queue does not exist"


def test_missing_queue_is_a_warning_each_time(solo: Solo) -> None:
    """The Functions host warns each time it asks for a queue that does not exist."""
    with solo() as host:
        eventually(lambda: host.log.read_text().count(MISSING) > 2)


def test_missing_queue_is_silent_by_host_json(solo: Solo, storage: Storage, queue_name: str) -> None:
    """The Functions host does not warn of a missing queue if host.json shows only errors of `Azure.Core`."""
    with solo(**{"AzureFunctionsJobHost__logging__logLevel__Azure.Core": "Error"}) as host:
        storage.send(queue_name, "0")
        assert storage.take(f"{queue_name}-done")
        assert MISSING not in host.log.read_text()


@pytest.mark.parametrize("text", ["", "fail"], ids=["the run succeeds", "the run fails"])
def test_message_that_is_gone_is_no_error(
    solo: Solo, storage: Storage, queue_name: str, tmp_path: Path, text: str
) -> None:
    """If somebody else removes a message during its run, the host completes the run without an error."""
    released = tmp_path / "released"
    with solo() as host:
        storage.send(queue_name, f"{released}{'?' if text else ''}")
        eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
        storage.queue(queue_name).clear_messages()
        released.with_name(f"released{'?' if text else ''}").write_text(text)
        eventually(lambda: "Executed 'Functions.solo'" in host.log.read_text())
        storage.send(queue_name, "0")
        eventually(lambda: host.log.read_text().count("Executed 'Functions.solo'") == 2)
    assert "could not be completed" not in host.log.read_text()


def test_pauses_between_polls_grow() -> None:
    """The pauses between polls of an empty queue grow as measured on Azure's host, up to `maxPollingInterval`."""
    first = [round(pause.total_seconds(), 2) for pause in islice(polls(timedelta(seconds=2)), 8)]
    assert first == [0.1, 0.2, 0.26, 0.43, 0.88, 1.45, 2.0, 2.0]
    assert set(islice(polls(timedelta(seconds=0.1)), 9)) == {timedelta(seconds=0.1)}


def test_drained_host_takes_nothing_more(solo: Solo, storage: Storage, queue_name: str, tmp_path: Path) -> None:
    """A host in drain mode finishes its runs and takes no further message."""
    released = tmp_path / "released"
    with solo() as host:
        key = {"x-functions-key": host.ready.master_key}
        storage.send(queue_name, str(released))
        eventually(lambda: "Executing 'Functions.solo'" in host.log.read_text())
        assert requests.post(f"{host.url}/admin/host/drain", headers=key, timeout=HANG).status_code == 202
        status = f"{host.url}/admin/host/drain/status"
        drain = requests.get(status, headers=key, timeout=HANG).json()
        assert (drain["state"], drain["outstandingInvocations"]) == ("InProgress", 1)
        storage.send(queue_name, "0")
        released.touch()
        eventually(lambda: requests.get(status, headers=key, timeout=HANG).json()["state"] == "Completed")
        assert json.loads(storage.take(f"{queue_name}-done"))["running"] == 1
        assert len(storage.queue(queue_name).peek_messages()) == 1


def test_restart_keeps_the_address(solo: Solo) -> None:
    """A restarted Functions host keeps its address."""
    with solo() as host:
        before = host.url
        host.stop()
        host.start()
        assert (host.url, host.status()["state"]) == (before, "Running")
