"""`python -m local.host.worker_child --app DIR --socket N` is the process in which the functions of an app run.

The Functions host, in `local.host.worker_process`, sends the invocations through the socket.
"""

import argparse
import logging
import os
from concurrent.futures import Future
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock

from local.host.functions import Outcome
from local.host.insights import Insights, TraceHandler
from local.host.lines import Lines
from local.host.log import log_to_stdout
from local.host.sleeps import tell_sleeps
from local.host.timers import utc_now
from local.host.worker import IndexingFailed, Worker
from local.host.worker_process import Invocation


class Answers:
    """The way of results back to the Functions host."""

    def __init__(self, connection: "Connection[object, object]") -> None:
        self._connection = connection
        self._lock = Lock()

    def send(self, answer: object) -> None:
        """Send one answer, and end this process if the Functions host is gone."""
        try:
            with self._lock:
                self._connection.send(answer)
        except OSError:
            os._exit(0)


def serve(app: Path, answers: Answers, connection: "Connection[object, object]", lines: Lines) -> None:
    """Index the app, and run the invocations that arrive until the Functions host is gone."""
    try:
        worker = Worker(app)
    except IndexingFailed as problem:
        answers.send(problem)
        return
    answers.send(worker.functions)
    while True:
        try:
            invocation = connection.recv()
        except (EOFError, OSError):
            # In Azure the container ends with the host. Here too, no thread of a function may outlive the host.
            os._exit(0)
        if isinstance(invocation, Invocation):
            running = worker.run(_invoked(worker, lines, invocation))
            running.add_done_callback(partial(_answer, answers, invocation.id))


async def _invoked(worker: Worker, lines: Lines, invocation: Invocation) -> Outcome:
    with lines.of(invocation.id, invocation.function.name):
        return await worker.invoke(invocation.id, invocation.function, invocation.trigger)


def _answer(answers: Answers, invocation_id: str, running: Future[Outcome]) -> None:
    problem = running.exception()
    outcome = running.result() if problem is None else Outcome(succeeded=False, error=repr(problem))
    answers.send((invocation_id, outcome))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m local.host.worker_child", description=__doc__)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--telemetry", type=Path)
    options = parser.parse_args()
    host: "Connection[object, object]" = Connection(options.socket)
    to_host = Answers(host)
    heard = Lines(to_host.send)
    log_to_stdout(heard)
    if options.telemetry is not None:
        handler = TraceHandler(Insights(options.telemetry, utc_now), heard.invocation)
        handler.addFilter(heard.of_app)
        logging.getLogger().addHandler(handler)
    tell_sleeps()
    serve(options.app, to_host, host, heard)
