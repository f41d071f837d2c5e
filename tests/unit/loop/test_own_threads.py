"""Work in own threads waits for no other work, and its lines are logged in the thread that awaits it."""

import asyncio
import json
import logging
import threading

import pytest

from shared.loop.own_threads import OwnThreads
from shared.telemetry import event


def test_lines_are_logged_by_the_thread_that_awaits(caplog: pytest.LogCaptureFixture) -> None:
    """The lines of the work arrive in order, logged by the awaiting thread, also if the work fails."""
    caplog.set_level(logging.INFO)

    def work() -> None:
        for number in range(3):
            event("counted", number=number, thread=threading.current_thread().name)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(OwnThreads(1, "own").run(work))
    said = [json.loads(record.message) for record in caplog.records if "counted" in record.message]
    assert [line["number"] for line in said] == [0, 1, 2]
    assert {line["thread"].partition("_")[0] for line in said} == {"own"}
    assert {record.thread for record in caplog.records if "counted" in record.message} == {threading.get_ident()}


def test_event_loop_goes_on_during_the_work() -> None:
    """While the work of one invocation waits, the event loop serves other invocations."""
    threads, go_on = OwnThreads(1, "own"), threading.Event()

    async def both() -> None:
        waiting = asyncio.create_task(threads.run(lambda: go_on.wait() and None))
        await asyncio.sleep(0)
        assert not waiting.done()
        go_on.set()
        await waiting

    asyncio.run(both())


def test_kinds_of_work_share_no_thread() -> None:
    """Work in one set of own threads goes on while all threads of another set are occupied."""
    full, free, go_on = OwnThreads(1, "full"), OwnThreads(1, "free"), threading.Event()

    async def both() -> None:
        stuck = [asyncio.create_task(full.run(lambda: go_on.wait() and None)) for _ in range(3)]
        await free.run(go_on.set)
        await asyncio.gather(*stuck)

    asyncio.run(both())
