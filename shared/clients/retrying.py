"""The one retry layer. azure-core's own retries are off for ARM and Key Vault, so that attempts do not multiply.

Above it: queue redelivery (minutes), and above that the sweep (hours).
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import tenacity
from azure.core.exceptions import AzureError as SdkError
from azure.core.paging import ItemPaged

from shared.clients.faults import translate
from shared.domain.errors import OutcomeUnknown, Transient
from shared.ports.clock import Clock
from shared.telemetry import event

PATIENCE = timedelta(seconds=90)
"""How long a call is retried in place; after that the message fails, and the queue delivers it again (ADR 2)."""
FIRST_WAIT_SECONDS = 1.0
"""The longest first wait before a retry; a random part of it is taken, and each further wait may be twice as long."""
LONGEST_WAIT_SECONDS = 30.0
"""The longest wait before a retry, if Azure does not name a longer one by Retry-After."""
CONNECT_SECONDS = 10
"""How long a connection to Azure may take: a name that leads nowhere must not use up the patience."""
READ_SECONDS = 60
"""How long Azure may be silent in the middle of an answer; some writes of App Service answer only after the work."""

Item = TypeVar("Item")
Result = TypeVar("Result")

SDK_OPTIONS: dict[str, Any] = {
    "retry_total": 0,
    "retry_connect": 0,
    "retry_read": 0,
    "retry_status": 0,
    "connection_timeout": CONNECT_SECONDS,
    "read_timeout": READ_SECONDS,
}


class Retrying:
    """Calls Azure again while it says that it is worth it: exponential backoff with jitter, Retry-After, a deadline."""

    def __init__(self, clock: Clock, patience: timedelta = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience

    def read(self, what: str, call: Callable[[], Result], remedy: str = "", *, secret: bool = False) -> Result:
        """Return what the call returns. Raises the domain error that is left when patience runs out.

        `secret` says that the request or its answer holds secrets: then nothing of an error answer's text is passed on.
        """
        return self._retry(lambda: self._attempt(what, call, writing=False, remedy=remedy, secret=secret), (Transient,))

    def write(self, what: str, call: Callable[[], Result], remedy: str = "", *, secret: bool = False) -> Result:
        """Return what the call returns. Made once: whoever repeats a write reads and compares first, see `again`."""
        return self._attempt(what, call, writing=True, remedy=remedy, secret=secret)

    def retry(self, work: Callable[[], Result]) -> Result:
        """Return what the work returns; it reads and compares before it writes, so it may be done again.

        A lock on a site means that somebody else is writing it: what was read before the wait is no longer true after
        it. Raises the domain error that is left when patience runs out.
        """
        return self._retry(work, (Transient, OutcomeUnknown))

    def pages(self, what: str, items: ItemPaged[Item], remedy: str = "") -> Iterator[Item]:
        """Yield the items of a paged list; a page that fails is asked for again, not the whole list."""
        pages = items.by_page()
        while (page := self.read(what, lambda: _next_page(pages), remedy)) is not None:
            yield from page

    def _attempt(
        self, what: str, call: Callable[[], Result], *, writing: bool, remedy: str, secret: bool = False
    ) -> Result:
        try:
            return call()
        except SdkError as error:
            known = translate(error, what, writing=writing, now=self._clock.now(), remedy=remedy, secret=secret)
            if secret:
                raise known from None
            raise known from error

    def _retry(self, work: Callable[[], Result], worth_it: tuple[type[Exception], ...]) -> Result:
        give_up = self._clock.now() + self._patience
        retryer = tenacity.Retrying(
            sleep=self._clock.sleep,
            wait=_wait,
            stop=lambda state: self._clock.now() + timedelta(seconds=state.upcoming_sleep) > give_up,
            retry=tenacity.retry_if_exception_type(worth_it),
            before_sleep=_tell,
            reraise=True,
        )
        return retryer(work)


def _next_page(pages: Iterator[Iterator[Item]]) -> list[Item] | None:
    page = next(pages, None)
    return None if page is None else list(page)


_backoff = tenacity.wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)


def _wait(state: tenacity.RetryCallState) -> float:
    """Wait as long as Azure asks, and never less than the backoff: calling early renews a 429."""
    error = _error(state)
    asked = error.retry_after.total_seconds() if isinstance(error, Transient) and error.retry_after else 0.0
    return max(asked, _backoff(state))


def _tell(state: tenacity.RetryCallState) -> None:
    event(
        "request.retried", attempt=state.attempt_number, wait=round(state.upcoming_sleep, 1), error=str(_error(state))
    )


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    outcome: Any = state.outcome
    return outcome.exception() if outcome is not None else None
