"""Run one function app with all its listeners."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path

from local.host import admin, configuration, event_grid, routes, web
from local.host.configuration import ConfigurationInvalid
from local.host.dispatch import Dispatcher
from local.host.functions import FunctionMetadata, Ready
from local.host.insights import Insights
from local.host.keys import Keys
from local.host.queues import QueueListener
from local.host.reach import Reach
from local.host.statuses import statuses
from local.host.storage import Queues
from local.host.timers import Schedule, TimerListener
from local.host.worker_process import WorkerProcess

DISABLED_FORMS = ("AzureWebJobs.{}.Disabled", "AzureWebJobs_{}_Disabled")
TRIGGERS = (event_grid.TRIGGER, admin.QUEUE_TRIGGER, admin.TIMER_TRIGGER, routes.TRIGGER)
OUTPUTS = ("queue", "http")
STOP_WITHIN = 0.05

log = logging.getLogger("host")


class Host:
    """A Functions host that indexes a function app and starts a listener for each function.

    The Functions host reports a function whose listener fails, and runs all other functions.
    """

    def __init__(
        self,
        app: Path,
        settings: Mapping[str, str],
        port: int,
        end: Callable[[], None],
        storage_patience: timedelta,
        insights: Insights | None = None,
    ) -> None:
        """Index the app. The host calls `end` if it cannot reach storage for the given time.

        `insights` gets the rows that the host of Azure sends to Application Insights.
        """
        self._settings = settings
        self._new_reach = partial(Reach, end, storage_patience)
        self._configuration = configuration.read(app, settings)
        self._worker = WorkerProcess(app, insights.path if insights else None)
        self._queues = Queues(settings, self._configuration.queues.message_encoding)
        timeout, write = self._configuration.function_timeout, self._queues.write_outputs
        self._dispatcher = Dispatcher(self._worker, timeout, write, insights)
        self.functions = {found.name: found for found in self._worker.functions if not self._disabled(found.name)}
        self.errors: dict[str, str] = {}
        self._statuses = statuses(settings, self._new_reach())
        self._queue_listeners: list[QueueListener] = []
        self._timers: list[TimerListener] = []
        self._found_routes: list[routes.Route] = []
        for function in self.functions.values():
            self._listen(function)
        self._queues.written = self._wake
        start = self._dispatcher.start
        self._keys = Keys()
        self._routes = routes.Routes(self._found_routes, start, self._keys)
        self._event_grid = event_grid.Webhook(self._with_trigger(event_grid.TRIGGER), start, self._keys)
        self._admin = admin.Admin(self.functions, self.errors, self._dispatcher, self._keys, self.take_nothing_more)
        self._server = web.serve(port, self._answer)

    def start(self) -> Ready:
        """Start every listener."""
        threading.Thread(target=self._server.serve_forever, args=(STOP_WITHIN,), name="web", daemon=True).start()
        for listener in self._queue_listeners:
            listener.start()
        for timer in self._timers:
            timer.start()
        for name, why in self.errors.items():
            log.error("The '%s' function is in error: %s", name, why)
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        keys = (self._keys.function, self._keys.master, self._keys.event_grid)
        return Ready(url, *keys, tuple(self.functions), self.errors)

    def take_nothing_more(self) -> None:
        """Stop timers and queue listeners. Invocations that have begun continue."""
        for timer in self._timers:
            timer.stop()
        for listener in self._queue_listeners:
            listener.stop()

    def stop(self, grace: timedelta) -> bool:
        """Stop every listener. Return True if every invocation ended within the grace time.

        The queue message of an unfinished invocation stays invisible for ten minutes after it was taken or renewed
        (measured on Azure Functions host 4.1037).
        """
        self.take_nothing_more()
        self._server.shutdown()
        finished = self._dispatcher.drain(grace)
        for listener in self._queue_listeners:
            listener.abandon()
        if finished:
            for timer in self._timers:
                timer.settle()
        self._server.server_close()
        self._worker.close()
        return finished

    def _listen(self, function: FunctionMetadata) -> None:
        try:
            _refuse_unknown(function)
            if function.trigger_type == admin.QUEUE_TRIGGER:
                given = (self._queues, self._configuration.queues, self._dispatcher.start, self._new_reach())
                self._queue_listeners.append(QueueListener(function, *given))
            if function.trigger_type == admin.TIMER_TRIGGER:
                schedule = Schedule(configuration.resolve(str(function.trigger["schedule"]), self._settings))
                self._timers.append(TimerListener(function, schedule, self._dispatcher.start, self._statuses))
            if function.trigger_type == routes.TRIGGER:
                self._found_routes.append(routes.Route.of(function, self._configuration.route_prefix))
        except ConfigurationInvalid as problem:
            self.errors[function.name] = str(problem)

    def _wake(self, queue: str) -> None:
        for listener in self._queue_listeners:
            listener.wake(queue)

    def _answer(self, request: web.Request) -> web.Response:
        path = request.path.lower()
        if path == event_grid.PATH:
            return self._event_grid.answer(request)
        if path.startswith(admin.PREFIX):
            return self._admin.answer(request)
        answer = self._routes.answer(request)
        if not path and answer.status == HTTPStatus.NOT_FOUND:
            return web.text(200, f"The local Functions host is up and running, as process {os.getpid()}.")
        return answer

    def _with_trigger(self, kind: str) -> dict[str, FunctionMetadata]:
        working: Iterable[FunctionMetadata] = (self.functions[name] for name in self.functions.keys() - self.errors)
        return {function.name: function for function in working if function.trigger_type == kind}

    def _disabled(self, name: str) -> bool:
        given = (self._settings.get(form.format(name), "") for form in DISABLED_FORMS)
        return any(value.lower() in {"true", "1"} for value in given)


def _refuse_unknown(function: FunctionMetadata) -> None:
    unknown = [str(output["type"]) for output in function.outputs if output["type"] not in OUTPUTS]
    if function.trigger_type not in TRIGGERS:
        unknown.append(function.trigger_type)
    if unknown:
        raise ConfigurationInvalid(f"binding {unknown[0]!r} is not part of the local host")
