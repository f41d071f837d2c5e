"""Remember during one run which requests have used up the patience of the run, so that no other call waits again.

```text
a request fails until its patience is spent ──▶ the same read is answered at once with the same error
two requests to one vault, or two lists of one subscription, are spent, and nothing there answered meanwhile
                                            ──▶ all other reads there are answered at once, too
```

A write is always sent, because an app may wait for it, but a spent write is not repeated. A run ends after minutes, so
nothing is remembered for long.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

from shared.domain.errors import Transient
from shared.ports.clock import Clock

Request = tuple[str, str]
"""The method and the URL of a request."""
SILENT = 2
"""How many requests must be spent before a vault, or the lists of a subscription, count as silent."""
_PARTS_OF_LIST = 3
_NO_ANSWERS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass
class Call:
    """A call of an SDK, with the last request that the SDK has sent for it."""

    patience: "Patience"
    writing: bool
    request: Request | None = None


_call: ContextVar[Call | None] = ContextVar("call", default=None)


@dataclass
class Patience:
    """The requests that have used up the patience of one run."""

    clock: Clock
    _spent: dict[Request, Transient] = field(default_factory=dict)
    _silent: dict[str, dict[Request, Transient]] = field(default_factory=dict)
    """The spent requests to each place, since the place last answered."""
    _answered: dict[str, datetime] = field(default_factory=dict)
    _asked: "WeakKeyDictionary[Transient, Request]" = field(default_factory=WeakKeyDictionary)

    @contextmanager
    def calling(self, *, writing: bool) -> Iterator[Call]:
        """Let `PatiencePolicy` know the call while the context lasts."""
        call = Call(self, writing)
        token = _call.set(call)
        try:
            yield call
        finally:
            _call.reset(token)

    def failed(self, error: Exception, call: Call) -> None:
        """Note which request failed with an error."""
        if isinstance(error, Transient) and call.request is not None:
            self._asked[error] = call.request

    def check(self, request: Request) -> None:
        """Raise the error of a spent request again, or the error of a place that is silent."""
        silent = self._silent.get(_place(request), {})
        known = self._spent.get(request) or (next(iter(silent.values())) if len(silent) >= SILENT else None)
        if known is not None:
            again = type(known)(str(known), known.retry_after)
            self._asked[again] = self._asked[known]
            raise again

    def is_spent(self, error: BaseException | None) -> bool:
        """Return True if the error comes from a request that has used up its patience."""
        return isinstance(error, Transient) and self._asked.get(error) in self._spent

    def give_up(self, error: Transient, began: datetime) -> None:
        """Note that the call that began at the given time has used up its patience with the error."""
        request = self._asked.get(error)
        if request is None or request in self._spent:
            return
        self._spent[request] = error
        place = _place(request)
        if place and (place not in self._answered or self._answered[place] < began):
            self._silent.setdefault(place, {})[request] = error

    def answered(self, request: Request) -> None:
        """Note that Azure has answered a request."""
        self._spent.pop(request, None)
        if place := _place(request):
            self._answered[place] = self.clock.now()
            self._silent.pop(place, None)


class PatiencePolicy(SansIOHTTPPolicy[Any, Any]):
    """The step of an SDK's pipeline that sends no read whose patience is spent. All SDK clients share this step."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raise the error of an earlier request, if it has used up the patience of the run."""
        if (call := _call.get()) is not None:
            call.request = request.http_request.method, request.http_request.url
            if not call.writing:
                call.patience.check(call.request)

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Note an answer of Azure, unless Azure answers that it is busy or broken."""
        status = response.http_response.status_code
        if (call := _call.get()) is not None and not _is_no_answer(status):
            call.patience.answered((request.http_request.method, request.http_request.url))


def _is_no_answer(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NO_ANSWERS


def _place(request: Request) -> str:
    """Return the vault or the subscription that a request asks, or an empty text for a single resource of ARM.

    Other resources of ARM may answer although one does not, so only the lists of a subscription have a place.
    """
    parts = urlsplit(request[1])
    names = parts.path.lower().strip("/").split("/")
    if names[0] != "subscriptions":
        return parts.netloc.lower()
    return names[1] if len(names) >= _PARTS_OF_LIST and "resourcegroups" not in names else ""
