"""Run the local Functions host as a child process, for the demo, `make local` and tests."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import ProxyHandler, Request, build_opener

from local import environment
from local.host.functions import Ready
from local.host.reach import PATIENCE
from local.patience import HANG
from local.process import Child, StartFailed

ROOT = Path(__file__).resolve().parents[2]
WORKER_SETTINGS = {"FUNCTIONS_WORKER_RUNTIME": "python", "FUNCTIONS_EXTENSION_VERSION": "~4"}


class FunctionHost:
    """A function app that runs in a process of its own.

    The environment variables of the host's process are the app settings.
    """

    def __init__(
        self,
        app: Path,
        settings: Mapping[str, str],
        *,
        log: Path | None = None,
        port: int = 0,
        grace: float = 10.0,
        storage_patience: float = PATIENCE.total_seconds(),
        telemetry: Path | None = None,
    ) -> None:
        """Prepare the host. With `telemetry` it writes rows as of Application Insights into that file."""
        self._app = app.resolve()
        self._settings = dict(settings)
        self._port = port
        self._grace = grace
        self._storage_patience = storage_patience
        self._telemetry = () if telemetry is None else ("--telemetry", str(telemetry.resolve()))
        self._child: Child | None = None
        self._ready: Ready | None = None
        self.log = log or ROOT / "build" / "host.log"

    def __enter__(self) -> Self:
        """Start the host."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the host."""
        self.stop()

    @property
    def ready(self) -> Ready:
        """The report of the started host: address, keys, functions, and the functions that are in error."""
        if self._ready is None:
            raise StartFailed("the Functions host is not running: call start() first")
        return self._ready

    @property
    def running(self) -> bool:
        """True while the Functions host's process runs."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """The process id of the started Functions host."""
        if self._child is None:
            raise StartFailed("the Functions host is not running: call start() first")
        return self._child.pid

    @property
    def url(self) -> str:
        """The URL of the started Functions host."""
        return self.ready.url

    def webhook(self, function: str) -> str:
        """Return the address at which a function receives events from Event Grid, with the system key."""
        return f"{self.url}/runtime/webhooks/eventgrid?functionName={function}&code={self.ready.event_grid_key}"

    def run(self, function: str, given: str = "") -> None:
        """Start a function now, as an operator does with the master key."""
        self._ask(f"admin/functions/{function}", json.dumps({"input": given}).encode())

    def status(self) -> dict[str, Any]:
        """Return the state of the running host, with the number of running and of ended invocations."""
        found: dict[str, Any] = json.loads(self._ask("admin/host/status"))
        return found

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"x-functions-key": self.ready.master_key, "Content-Type": "application/json"}
        request = Request(f"{self.url}/{path}", body, headers)  # noqa: S310 - the local host
        with build_opener(ProxyHandler({})).open(request, timeout=HANG) as answer:
            return bytes(answer.read())

    def start(self) -> None:
        """Index the app and start every listener. Raise StartFailed if the Functions host does not start.

        A restart of the Functions host keeps its address, like a restart of a Function App in Azure.
        """
        settings = environment.for_child({**WORKER_SETTINGS, **self._settings, "PYTHONPATH": str(ROOT)})
        command = [sys.executable, "-m", "local.host", "--app", str(self._app)]
        command += ["--port", str(self._port), "--grace", str(self._grace)]
        command += ["--storage-patience", str(self._storage_patience), *self._telemetry]
        self._child = Child("the Functions host", command, settings, self._app, self.log)
        try:
            self._ready = _ready(self._child.expect(r"^HOST (READY|FAILED) (.*)", HANG).groups())
        except BaseException:
            self.stop()
            raise
        self._port = int(self._ready.url.rpartition(":")[2])

    def stop(self) -> int:
        """End the host. Return 0 if every invocation ended within the grace time."""
        child, self._child, self._ready = self._child, None, None
        return 0 if child is None else child.stop(self._grace + HANG)

    def kill(self) -> None:
        """Kill the process of the Functions host, as in a crash.

        After a kill of the Functions host, the queue messages of unfinished invocations stay invisible until their
        visibility timeout.
        """
        child, self._child, self._ready = self._child, None, None
        if child is not None:
            child.kill()


def _ready(said: tuple[str | None, ...]) -> Ready:
    word, rest = said
    if word == "FAILED" or rest is None:
        raise StartFailed(f"the Functions host refuses the app: {rest}")
    fields = json.loads(rest)
    return Ready(**{**fields, "functions": tuple(fields["functions"])})
