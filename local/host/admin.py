"""Answer the admin routes: status, functions, drain mode, and an immediate run of a function.

All routes but `ping` need the master key (measured on Azure Functions host 4.1037).
"""

import json
from collections.abc import Callable, Mapping

from local.host import event_grid, timers, triggers
from local.host.dispatch import Dispatcher
from local.host.functions import FunctionMetadata, TriggerInput
from local.host.keys import Keys
from local.host.web import Request, Response, as_json, text

PREFIX = "admin/"
QUEUE_TRIGGER = "queueTrigger"
TIMER_TRIGGER = "timerTrigger"
HTTP_TRIGGER = "httpTrigger"


class NotRunnable(Exception):
    """A function cannot start with the given input. The message of `NotRunnable` says why the function cannot start."""


class Admin:
    """The HTTP routes of the Functions host below `/admin/`."""

    def __init__(
        self,
        functions: Mapping[str, FunctionMetadata],
        errors: Mapping[str, str],
        dispatcher: Dispatcher,
        keys: Keys,
        drain: Callable[[], None],
    ) -> None:
        self._functions = functions
        self._errors = errors
        self._dispatcher = dispatcher
        self._keys = keys
        self._drain = drain
        self._draining = False

    def answer(self, request: Request) -> Response:
        """Return the answer of the .NET host's admin API, or 404 for a route that the local Functions host lacks."""
        path = request.path[len(PREFIX) :]
        if path == "host/ping":
            return as_json(200, {})
        if (refusal := self._keys.refusal(request, self._keys.master)) is not None:
            return Response(refusal)
        if request.method == "GET":
            return self._read(path)
        if (request.method, path) == ("POST", "host/drain"):
            self._draining = True
            self._drain()
            return Response(202)
        parts = path.split("/")
        if request.method == "POST" and parts[0] == "functions" and len(parts) == len(("functions", "name")):
            return self._run(parts[1], request.body)
        return Response(404)

    def _read(self, path: str) -> Response:
        if path == "host/status":
            return as_json(200, self._status())
        if path == "host/drain/status":
            return as_json(200, self._drain_status())
        if path == "functions":
            return as_json(200, [_described(function) for function in self._functions.values()])
        name = path.removeprefix("functions/").removesuffix("/status")
        if name not in self._functions:
            return Response(404)
        if path.endswith("/status"):
            return as_json(200, {"errors": [self._errors[name]] if name in self._errors else []})
        return as_json(200, _described(self._functions[name]))

    def _status(self) -> dict[str, object]:
        ended = [
            {"function": name, "succeeded": succeeded, "count": count}
            for (name, succeeded), count in sorted(self._dispatcher.ended.items())
        ]
        # Only the local host's answer has `running`, `ended` and `dropped`, for tests and the demo.
        return {
            "id": "certroll-local",
            "state": "Running",
            "version": "4.0.0-local",
            "errors": [f"The '{name}' function is in error: {why}" for name, why in self._errors.items()],
            "running": self._dispatcher.running,
            "ended": ended,
            "dropped": [
                {"logger": logger, "thread": thread, "lines": count}
                for (logger, thread), count in sorted(self._dispatcher.dropped.items())
            ],
        }

    def _drain_status(self) -> dict[str, object]:
        running = self._dispatcher.running
        state = "InProgress" if running else "Completed"
        return {
            "state": state if self._draining else "Disabled",
            "outstandingInvocations": running,
            "outstandingRetries": 0,
        }

    def _run(self, name: str, body: bytes) -> Response:
        function = self._functions.get(name)
        if function is None:
            return Response(404)
        try:
            trigger = manual(function, _input(body))
        except NotRunnable as problem:
            return text(400, str(problem))
        self._dispatcher.start(function, trigger)
        return Response(202)


def manual(function: FunctionMetadata, given: str) -> TriggerInput:
    """Return the trigger value of a manual run.

    The input of a manual run is the text of a message for a queue trigger, and an event as JSON for Event Grid.
    """
    if function.trigger_type == TIMER_TRIGGER:
        return triggers.timer(timers.utc_now())
    if function.trigger_type == QUEUE_TRIGGER:
        return triggers.queue(triggers.manual_message(given), str(function.trigger["queueName"]))
    if function.trigger_type == event_grid.TRIGGER:
        return triggers.event_grid(_event(given))
    if function.trigger_type == HTTP_TRIGGER:
        return triggers.http("POST", f"http://localhost/admin/functions/{function.name}", {}, {}, given.encode())
    raise NotRunnable(f"'{function.name}' has a trigger of type {function.trigger_type}, which nobody can run by hand")


def _input(body: bytes) -> str:
    try:
        loaded = json.loads(body)
    except ValueError as problem:
        raise NotRunnable(f"the body is not JSON: {problem}") from problem
    if not isinstance(loaded, dict):
        raise NotRunnable('the body must be a JSON object such as {"input": "text"}')
    given = loaded.get("input", "")
    return given if isinstance(given, str) else json.dumps(given)


def _event(given: str) -> object:
    try:
        return json.loads(given)
    except ValueError as problem:
        raise NotRunnable(f"the input is not one event as JSON: {problem}") from problem


def _described(function: FunctionMetadata) -> dict[str, object]:
    return {"name": function.name, "config": {"bindings": [dict(binding) for binding in function.bindings]}}
