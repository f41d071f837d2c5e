"""The local host as a child process, for the demo, `make local` and tests."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from local import environment
from local.host.functions import Ready
from local.patience import HANG
from local.process import Child, StartFailed

ROOT = Path(__file__).resolve().parents[2]
WORKER_SETTINGS = {"FUNCTIONS_WORKER_RUNTIME": "python", "FUNCTIONS_EXTENSION_VERSION": "~4"}


class FunctionHost:
    """A function app running in a process of its own; the process's environment is the app settings given."""

    def __init__(
        self, app: Path, settings: Mapping[str, str], *, log: Path | None = None, port: int = 0, grace: float = 10.0
    ) -> None:
        self._app = app.resolve()
        self._settings = dict(settings)
        self._port = port
        self._grace = grace
        self._child: Child | None = None
        self._ready: Ready | None = None
        self.log = log or ROOT / "build" / "host.log"

    def __enter__(self) -> Self:
        """Started."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stopped."""
        self.stop()

    @property
    def ready(self) -> Ready:
        """What the started host said of itself: address, keys, functions, and which of them are in error."""
        if self._ready is None:
            raise StartFailed("the Functions host is not running: call start() first")
        return self._ready

    @property
    def running(self) -> bool:
        """Whether the host's process runs."""
        return self._child is not None and self._child.running

    @property
    def url(self) -> str:
        """Address of the started host."""
        return self.ready.url

    def webhook(self, function: str) -> str:
        """Address to which Event Grid delivers for a function."""
        return f"{self.url}/runtime/webhooks/eventgrid?functionName={function}"

    def start(self) -> None:
        """The app is indexed and every listener works; raises StartFailed with the reason otherwise.

        Started again, it is at the same address, as a restarted Function App is.
        """
        settings = environment.for_child({**WORKER_SETTINGS, **self._settings, "PYTHONPATH": str(ROOT)})
        command = [sys.executable, "-m", "local.host", "--app", str(self._app)]
        command += ["--port", str(self._port), "--grace", str(self._grace)]
        self._child = Child("the Functions host", command, settings, self._app, self.log)
        try:
            self._ready = _ready(self._child.expect(r"^HOST (READY|FAILED) (.*)", HANG).groups())
        except BaseException:
            self.stop()
            raise
        self._port = int(self._ready.url.rpartition(":")[2])

    def stop(self) -> int:
        """The host has ended; 0 if every invocation had ended too."""
        child, self._child, self._ready = self._child, None, None
        return 0 if child is None else child.stop(self._grace + HANG)

    def kill(self) -> None:
        """The host has ended at once, as in a crash; messages in flight stay invisible until their time is over."""
        child, self._child, self._ready = self._child, None, None
        if child is not None:
            child.kill()


def _ready(said: tuple[str | None, ...]) -> Ready:
    word, rest = said
    if word == "FAILED" or rest is None:
        raise StartFailed(f"the Functions host refuses the app: {rest}")
    fields = json.loads(rest)
    return Ready(**{**fields, "functions": tuple(fields["functions"])})
