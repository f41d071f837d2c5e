"""This function app logs in every way of which Azure's Functions host passes some lines and drops the others."""

import asyncio
import contextvars
import json
import logging
import threading
from collections.abc import Callable

import azure.functions as func

from shared.telemetry import event

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
log = logging.getLogger("talkative")
log.info("at import")
ended = threading.Event()


def _in_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name)
    thread.start()
    return thread


@app.route(route="talk")
def talk(req: func.HttpRequest) -> str:  # noqa: ARG001 - the host passes it
    """Log in the invocation's own thread, in a new thread, and in a thread with a copy of the context."""
    log.info("from the function")
    _in_thread("plain", lambda: log.info("from a thread")).join()
    copied = contextvars.copy_context()
    _in_thread("copied", lambda: copied.run(log.info, "with a copied context")).join()
    log.info("at the end of the function")
    return "talked"


@app.route(route="talk-late")
def talk_late(req: func.HttpRequest, context: func.Context) -> str:  # noqa: ARG001 - the host passes it
    """Log in a thread that carries the id of the invocation, and again there after the invocation has ended."""
    told = threading.Event()

    def work() -> None:
        context.thread_local_storage.invocation_id = context.invocation_id
        log.info("with the id of the invocation")
        told.set()
        ended.wait()
        log.info("after the end")

    _in_thread("late", work)
    told.wait()
    return "talks on"


@app.route(route="end")
def end(req: func.HttpRequest) -> str:  # noqa: ARG001 - the host passes it
    """Let the thread of `talk_late` log its last line."""
    ended.set()
    return "ended"


@app.route(route="talk-long")
def talk_long(req: func.HttpRequest) -> str:
    """Log a line of as many characters as the body of the request says."""
    log.info("%s", "☂" * int(req.get_body()))
    log.info("after a line of %s", req.get_body().decode())
    return "talked"


@app.route(route="talk-events")
def talk_events(req: func.HttpRequest) -> str:
    """Log the events of Certroll that the body of the request names, each with the given fields."""
    for name, fields in json.loads(req.get_body()):
        event(name, **fields)
    log.info("after all events")
    return "talked"


@app.route(route="talk-async")
async def talk_async(req: func.HttpRequest) -> str:  # noqa: ARG001 - the host passes it
    """Log in a coroutine before and after it waits for a thread that logs, too."""
    log.info("before the wait")
    await asyncio.get_running_loop().run_in_executor(None, log.info, "from an executor")
    log.info("after the wait")
    return "talked"
