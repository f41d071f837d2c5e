"""Retry failed calls to ARM and Key Vault: no other layer of the process retries these calls.

A call that Azure throttles is repeated when Azure says that it accepts requests again (shared/clients/pace.py slows
down before). Any other call is repeated after a random wait that grows.

The retries of azure-core are switched off for ARM and Key Vault, so that attempts do not multiply. If all retries of a
call to Azure fail, the run ends, and the queue delivers the run's message again after minutes. The hourly
sweep checks the vault certificate again.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

import tenacity
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged

from shared.clients.checked_names import NamesPolicy
from shared.clients.faults import comes_from_sdk, translate
from shared.clients.network.bounded import limited
from shared.clients.pace import Pace, PacePolicy, Pacing
from shared.clients.patience import Patience, PatiencePolicy
from shared.clients.tracing import AGENT, RunTrace, TracingPolicy
from shared.domain.deadline import NEVER, Deadline
from shared.domain.errors import CertrollError, OutcomeUnknown, OutOfTime, Rejected, Throttled, Transient
from shared.domain.reason import Reason
from shared.ports.clock import Clock
from shared.telemetry import event

PATIENCE = timedelta(seconds=90)
"""How long Certroll retries a call to Azure; then the queue message fails, and the queue delivers it again (ADR 2)."""
FIRST_WAIT_SECONDS = 1.0
"""The longest first wait before a retry. Certroll waits a random part of this time. Each next wait may double."""
LONGEST_WAIT_SECONDS = 30.0
"""The longest wait before a retry, unless Azure names a longer wait by Retry-After."""
CONNECT_SECONDS = 10
"""How long a connection to Azure may take, so that a host that does not answer cannot use up `PATIENCE`."""
READ_SECONDS = 60
"""How long Azure may send nothing during an answer. App Service answers some writes only after applying them."""
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS + 20
"""How long one request to ARM or Key Vault may take, from the resolution of the name to the last byte; also one page
of a list. A server that sends a byte now and then passes `READ_SECONDS`. The 20 s more are for a long page."""

Item = TypeVar("Item")
Result = TypeVar("Result")

SDK_OPTIONS: dict[str, Any] = {
    "retry_total": 0,
    "retry_connect": 0,
    "retry_read": 0,
    "retry_status": 0,
    "connection_timeout": CONNECT_SECONDS,
    "read_timeout": READ_SECONDS,
    "user_agent": AGENT,
    "per_call_policies": [NamesPolicy(), TracingPolicy(), PatiencePolicy(), PacePolicy()],
}


class Retrying:
    """This class repeats a failed call to Azure if the error may pass.

    Certroll waits by exponential backoff with jitter, and at least as long as Retry-After says. Certroll repeats a
    call for as long as `patience` lasts, once in a run for each request (shared/clients/patience.py). At the deadline
    of the run, Certroll repeats no call, and raises OutOfTime.
    """

    def __init__(
        self,
        clock: Clock,
        patience: timedelta = PATIENCE,
        deadline: Deadline = NEVER,
        trace: RunTrace | None = None,
        pace: Pace | None = None,
        *,
        sparing: bool = False,
    ) -> None:
        """Repeat calls by the clock. `pace` is what all runs of the process know about Azure's limits.

        With `sparing`, the reads leave a third of each limit to other work.
        """
        self._clock = clock
        self._patience = patience
        self._deadline = deadline
        self._trace = trace or RunTrace("")
        self._known = Patience(clock)
        self.pacing = Pacing(pace or Pace(), clock, deadline, patience, sparing=sparing)

    def forget(self) -> None:
        """Forget which requests have used up their patience, so that tests can use these clients for another run."""
        self._known = Patience(self._clock)

    def read(self, what: str, call: Callable[[], Result], remedy: str = "", *, secret: bool = False) -> Result:
        """Make a call to Azure that only reads, again after each error that may pass, and return its result.

        This function raises a transient error only if the next wait would end after `patience`, and any other error at
        once. If a request to Azure or the answer contains secrets (`secret`), Certroll's errors omit Azure's message.
        """
        return self._retry(lambda: self._attempt(what, call, writing=False, remedy=remedy, secret=secret), (Transient,))

    def write(self, what: str, call: Callable[[], object], remedy: str = "", *, secret: bool = False) -> None:
        """Make a call to Azure that writes, once. Only work that reads and compares before each write may use `retry`.

        An answer 202 is a success: Azure has accepted the write and carries it out. The SDKs raise an error for a 202
        that the description of the API does not list.
        """
        self._attempt(what, partial(_accepted, call), writing=True, remedy=remedy, secret=secret)

    def ask(self, what: str, call: Callable[[], Result], remedy: str = "") -> Result:
        """Make a call to Azure that writes, once, and return its result."""
        return self._attempt(what, call, writing=True, remedy=remedy)

    def retry(self, work: Callable[[], Result]) -> Result:
        """Call `work`, again after each error that may pass, and return its result.

        If the next wait would end after `patience`, this function raises the last error of the call to Azure.
        The function `work` may run several times, so `work` must read and compare before each write. A locked site
        means that another client writes the site, so a value that was read before the wait may be out of date.
        """
        return self._retry(work, (Transient, OutcomeUnknown))

    def pages(self, what: str, items: ItemPaged[Item], remedy: str = "") -> Iterator[Item]:
        """Yield the items of a paged list; after an error, this function requests only the failed page again.

        Each page after the first is new work of the run. Raise OutOfTime if the run begins no new work any more.
        """
        following: str | None = None
        road = Road(what)
        while True:
            page, following = self.read(what, partial(_page, items, following), remedy)
            yield from page
            if not following:
                return
            road.follow(following)
            if self._clock.now() >= self._deadline.work:
                raise OutOfTime(f"the time of this run is over after some pages of the {what}")

    def _attempt(
        self, what: str, call: Callable[[], Result], *, writing: bool, remedy: str, secret: bool = False
    ) -> Result:
        left = self._deadline.request_seconds(self._clock.now())
        with self._known.calling(writing=writing) as sent:
            try:
                with limited(left), self._trace.calling(writing=writing), self.pacing.calling(writing=writing):
                    return call()
            except CertrollError:
                raise
            except Exception as error:
                if not comes_from_sdk(error):
                    raise
                known = translate(error, what, writing=writing, now=self._clock.now(), remedy=remedy, secret=secret)
                self._known.failed(known, sent)
                if secret:
                    raise known from None
                raise known from error

    def _retry(self, work: Callable[[], Result], worth_it: tuple[type[Exception], ...]) -> Result:
        began = self._clock.now()
        give_up = min(began + self._patience, self._deadline.work)
        retryer = tenacity.Retrying(
            sleep=self._clock.sleep,
            wait=_wait,
            stop=lambda state: self._is_over(state, give_up),
            retry=tenacity.retry_if_exception_type(worth_it),
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            with self.pacing.until(give_up):
                return retryer(work)
        except Transient as error:
            if give_up == self._deadline.work and not self._known.is_spent(error):
                raise OutOfTime(f"no time is left to repeat a call: {error}") from error
            self._known.give_up(error, began)
            raise

    def _is_over(self, state: tenacity.RetryCallState, give_up: datetime) -> bool:
        later = self._clock.now() + timedelta(seconds=state.upcoming_sleep)
        return later > give_up or self._known.is_spent(_error(state))


class Road:
    """The links of a list from page to page."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[str] = set()

    def follow(self, link: str) -> None:
        """Note the link to the next page. Raise Rejected if the list has led there before, so that it would not end."""
        if link in self._seen:
            raise Rejected(f"{self._what}: its pages lead in a circle", Reason.ANSWER_UNREADABLE)
        self._seen.add(link)


def _accepted(call: Callable[[], object]) -> None:
    try:
        call()
    except HttpResponseError as error:
        if error.status_code != HTTPStatus.ACCEPTED:
            raise


def _page(items: ItemPaged[Item], start: str | None) -> tuple[list[Item], str | None]:
    """Return the items of a page, and where the next page starts, or None after the last page.

    An iterator of azure-core whose first page was unreadable ends as if the list were empty. So each attempt makes an
    iterator of its own.
    """
    pages = items.by_page(start)
    page = list(next(pages))
    following: str | None = getattr(pages, "continuation_token", None)
    return page, following


_backoff = tenacity.wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait before a retry: Azure's Retry-After after a throttled request, otherwise the backoff.

    A client that calls Azure earlier than Retry-After says may get another 429. After any other error that names a
    wait, Certroll waits the longer of the two.
    """
    error = _error(state)
    asked = error.retry_after.total_seconds() if isinstance(error, Transient) and error.retry_after else 0.0
    return asked if asked and isinstance(error, Throttled) else max(asked, _backoff(state))


def _log_retry(state: tenacity.RetryCallState) -> None:
    event(
        "request.retried", attempt=state.attempt_number, wait=round(state.upcoming_sleep, 1), error=str(_error(state))
    )


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    outcome: Any = state.outcome
    return outcome.exception() if outcome is not None else None
