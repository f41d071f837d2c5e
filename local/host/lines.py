"""Drop the log lines of the function app that Azure's Functions host drops, and count them.

The host of Azure passes a line of the app only if the worker names the invocation that logged it, and this invocation
still runs. So the host drops lines at import, after the end, and of the app's own threads. Of a line that passes,
Application Insights stores only the first 32,768 characters.
"""

import importlib
import logging
import sys
from asyncio import _get_running_loop
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.host.insights import Invocation

BY_CONTEXT = (3, 13)
"""The first Python whose worker looks for the invocation in a context variable and not in a thread-local one.

The worker of older Pythons is another program (azure-functions-python-worker, pull request 1745 and issue 1860).
"""
SYSTEM = ("azure.functions", "azure_functions_runtime")
"""The loggers of Microsoft's worker, whose lines need no invocation."""
HOST = ("host", "local")
"""The loggers of the local Functions host."""

MOST_CHARACTERS = 32_768
"""How much of a line Application Insights stores (Azure docs, "Application Insights telemetry data model")."""

log = logging.getLogger("host")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that Azure's Functions host would have dropped: the line's logger and thread."""

    logger: str
    thread: str


class Lines(logging.Filter):
    """A filter for a log handler that passes the lines that Azure's Functions host passes."""

    def __init__(self, tell: Callable[[Dropped], None], version: tuple[int, int] = sys.version_info[:2]) -> None:
        """Begin without invocations. The filter calls `tell` for each line that it drops."""
        super().__init__()
        self._tell = tell
        self._by_context = version >= BY_CONTEXT
        runtime = "azure_functions_runtime"
        self._variable: Any = importlib.import_module(f"{runtime}.utils.executor").invocation_id_cv
        self._thread: Any = importlib.import_module(f"{runtime}.bindings.context")._invocation_id_local  # noqa: SLF001 - the worker of Azure reads it, too
        self._running: dict[str, str] = {}
        self._known: set[Dropped] = set()

    @contextmanager
    def of(self, invocation_id: str, function: str = "") -> Iterator[None]:
        """Pass the lines of an invocation of a function until the context ends."""
        self._running[invocation_id] = function
        try:
            yield
        finally:
            self._running.pop(invocation_id, None)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if Azure's Functions host would pass the line, after a cut of a line that is too long.

        Report a line that the host would drop by `tell`.
        """
        if _is_below(record.name, HOST + SYSTEM):
            return True
        if self._invocation() in self._running:
            _cut(record)
            return True
        self._drop(Dropped(record.name, record.threadName or ""))
        return False

    def invocation(self) -> Invocation | None:
        """Return the running invocation to which the worker assigns a line of the present thread, or None."""
        running = self._invocation()
        return Invocation(running, self._running[running]) if running in self._running else None

    def of_app(self, record: logging.LogRecord) -> bool:
        """Return True for a line of the app that Azure's Functions host would pass."""
        return not _is_below(record.name, HOST + SYSTEM) and self.invocation() is not None

    def _drop(self, line: Dropped) -> None:
        self._tell(line)
        if line not in self._known:
            self._known.add(line)
            where = line.logger, line.thread
            log.warning("Azure drops what the logger '%s' says in the thread '%s': no invocation runs there", *where)

    def _invocation(self) -> Any:  # noqa: ANN401 - the runtime is untyped
        """Return the id of the invocation to which the worker assigns a line of the present thread, or None."""
        if self._by_context or _get_running_loop() is not None:
            return self._variable.get()
        return getattr(self._thread, "invocation_id", None)


def _cut(record: logging.LogRecord) -> None:
    """Leave of the line what Application Insights stores, and warn. .NET counts characters in UTF-16."""
    text = record.getMessage().encode("utf-16-le", "surrogatepass")
    if len(text) > 2 * MOST_CHARACTERS:
        record.msg, record.args = text[: 2 * MOST_CHARACTERS].decode("utf-16-le", "ignore"), ()
        log.warning(
            "Application Insights cuts a line of the logger '%s', of %d characters", record.name, len(text) // 2
        )


def _is_below(name: str, loggers: tuple[str, ...]) -> bool:
    return any(name == logger or name.startswith(f"{logger}.") for logger in loggers)
