"""Decide when storage that does not answer ends the whole Functions host.

Measured on Azure Functions host 4.1037: the host logs "An unhandled exception has occurred" and shuts down after about
25 seconds without a connection, at once after a 403, and after a 429 to each retry. The host bears 409, 500 and 503.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from azure.core.exceptions import AzureError, HttpResponseError

PATIENCE = timedelta(seconds=25)
"""How long the retries of the .NET SDK take until an error reaches the Functions host."""
FORBIDDEN = 403
THROTTLED = 429

log = logging.getLogger("host")


class Reach:
    """The time since which a listener cannot reach its storage account."""

    def __init__(self, end: Callable[[], None], longest: timedelta, now: Callable[[], float] = time.monotonic) -> None:
        self._end = end
        self._longest = longest
        self._now = now
        self._since: float | None = None
        self._lock = threading.Lock()

    def answered(self) -> None:
        """Note that storage has answered."""
        with self._lock:
            self._since = None

    def failed(self, problem: AzureError) -> None:
        """Note that storage has not answered, and end the Functions host if .NET's retries are used up."""
        allowed = patience(problem, self._longest)
        if allowed is None:
            self.answered()
            return
        with self._lock:
            now = self._now()
            self._since = now if self._since is None else self._since
            over = now - self._since >= allowed.total_seconds()
        if over:
            log.critical("An unhandled exception has occurred. Host is shutting down. %s", problem)
            self._end()


def patience(problem: AzureError, longest: timedelta) -> timedelta | None:
    """Return how long the Functions host bears an error of storage, or None if the host bears it for ever."""
    if not isinstance(problem, HttpResponseError) or problem.status_code is None:
        return longest
    return {FORBIDDEN: timedelta(), THROTTLED: longest}.get(problem.status_code)
