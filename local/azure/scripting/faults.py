"""Scripted faults: the failures that a test injects, the requests that they strike, and how often."""

import math
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from local.azure.scripting.bucket import Bucket
from local.azure.scripting.clock import Clock
from local.azure.scripting.journal import Journal
from local.azure.wire import Drop, Request, Response, arm_error, vault_error, web_error

Kind = Literal[
    "latency",
    "throttle",
    "site_lock",
    "server_error",
    "applied_but_lost",
    "dropped",
    "stale_list",
    "denied",
    "missing",
    "answered",
]
Call = Callable[[], Response]

_writes_back: ContextVar[int] = ContextVar("writes_back", default=0)


def writes_back() -> int:
    """Return the number of the last writes whose results the current request does not see."""
    return _writes_back.get()


@contextmanager
def seen_from(writes: int) -> Iterator[None]:
    """Let reads inside the `with` block see the state of the simulated Azure before the last `writes` writes."""
    token = _writes_back.set(writes)
    try:
        yield
    finally:
        _writes_back.reset(token)


@dataclass(slots=True)
class Fault:
    """One scripted fault: its kind, the requests that it strikes, and how often it strikes.

    `method`, `host` and `path` are regular expressions for parts of the request's method, host name and path, in upper
    or lower case.
    """

    kind: Kind
    method: str = ""
    host: str = ""
    path: str = ""
    times: int | None = 1
    """The number of requests that the fault strikes; None means every matching request."""
    skip: int = 0
    """The number of matching requests that pass before the fault strikes."""
    seconds: float = 0.0
    """For `latency`: the seconds by which the response is delayed."""
    status: int = 500
    """For `server_error`: the status 500, 502 or 503. For `answered`: any status."""
    body: str = ""
    """For `answered`: the body, whatever the request was, for example an error that Azure documents, or HTML."""
    retry_after: float | None = 1.0
    """For `throttle`, `site_lock` and `server_error`: the Retry-After header in seconds; None omits it."""
    bucket: int = 0
    """For `throttle`: the number of requests that pass before the first refusal."""
    refill: float = 0.0
    """For `throttle`: the number of further requests that may pass per second."""
    applied: bool = False
    """For `dropped` and `answered`: True if the request takes effect before the answer."""
    writes: int = 1
    """For `stale_list`: the number of writes by which the response is behind."""
    strikes: int = field(default=0, init=False)
    """The number of requests that the fault has struck so far."""

    def matches(self, request: Request) -> bool:
        """Return True if the fault's patterns match the request."""
        pairs = ((self.method, request.method), (self.host, request.host), (self.path, request.path))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in pairs)

    @property
    def is_over(self) -> bool:
        """True if the fault has struck as often as `times` allows."""
        return self.times is not None and self.strikes >= self.times

    def due(self, request: Request) -> bool:
        """Return True if the fault strikes the request; a matching request that passes lowers the count `skip`."""
        if self.is_over or not self.matches(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.strikes += 1
        return True


class Faults:
    """The scripted faults of a simulated Azure, in the order in which tests added the faults."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        """Begin without faults."""
        self._clock = clock
        self._journal = journal
        self._faults: list[Fault] = []
        self._buckets: dict[int, Bucket] = {}
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Add faults, which strike matching requests from now on."""
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()
            self._buckets.clear()

    def all(self) -> tuple[Fault, ...]:
        """Return all scripted faults, including finished faults, so that a test can see which faults struck."""
        with self._lock:
            return tuple(self._faults)

    def around(self, request: Request, call: Call) -> Response:
        """Return the response to the request under the scripted faults; raise Drop if a fault drops the connection.

        All matching latency faults delay the request, and a throttle fault may then refuse the request. If no throttle
        fault refuses the request, the first matching fault of another kind applies. The caller of `around` must not
        hold the lock of the simulated Azure, because a latency sleeps while other requests continue.
        """
        pauses, throttles, fault = self._draw(request)
        for pause in pauses:
            self._clock.sleep(pause)
        refusal, headers = self._throttle(request, throttles)
        if refusal is not None:
            return refusal
        return (call() if fault is None else self._strike(fault, request, call)).adding(headers)

    def _draw(self, request: Request) -> tuple[list[float], list[Fault], Fault | None]:
        with self._lock:
            pauses = [fault.seconds for fault in self._faults if fault.kind == "latency" and fault.due(request)]
            throttles = [fault for fault in self._faults if fault.kind == "throttle" and fault.matches(request)]
            others = (fault for fault in self._faults if fault.kind not in {"latency", "throttle"})
            return pauses, throttles, next((fault for fault in others if fault.due(request)), None)

    def _throttle(self, request: Request, throttles: list[Fault]) -> tuple[Response | None, dict[str, str]]:
        headers: dict[str, str] = {}
        for fault in throttles:
            left = self._take(fault)
            if left is None and fault.due(request):
                self._journal.note_fault("throttle")
                return _too_many(request, fault), headers
            headers |= _remaining(request, left or 0)
        return None, headers

    def _take(self, fault: Fault) -> int | None:
        with self._lock:
            now = self._clock.now()
            bucket = self._buckets.setdefault(id(fault), Bucket.full(fault.bucket, fault.refill, now))
            return bucket.take(now)

    def _strike(self, fault: Fault, request: Request, call: Call) -> Response:
        self._journal.note_fault(fault.kind)
        return _ACTS[fault.kind](fault, request, call)


def _is_vault(request: Request) -> bool:
    return ".vault." in request.host


def _retry_after(fault: Fault) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    return {"Retry-After": str(math.ceil(fault.retry_after))}


def _kind_of_request(request: Request) -> str:
    return {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(request.method, "writes")


def _remaining(request: Request, left: int) -> dict[str, str]:
    return (
        {} if _is_vault(request) else {f"x-ms-ratelimit-remaining-subscription-{_kind_of_request(request)}": str(left)}
    )


def _too_many(request: Request, fault: Fault) -> Response:
    if fault.retry_after is not None and fault.refill:
        fault.retry_after = max(fault.retry_after, 1 / fault.refill)
    headers = _retry_after(fault) | _remaining(request, 0)
    if _is_vault(request):
        return vault_error(
            429, "Throttled", "Request was not processed because too many requests were received."
        ).adding(headers)
    message = "Number of requests exceeded the limit. Please try again later."
    return arm_error(429, "TooManyRequests", message).adding(headers)


def _site_lock(fault: Fault, _request: Request, _call: Call) -> Response:
    """Refuse a change as if another change of the site was in progress (recorded azure-libraries-for-java traffic)."""
    template = "Cannot acquire exclusive lock to create, update or delete this site. Retry the request later."
    return web_error(429, "429", "59206", template).adding(_retry_after(fault))


def _server_error(fault: Fault, request: Request, _call: Call) -> Response:
    message = "The server encountered an internal error. Please retry the request."
    error = vault_error if _is_vault(request) else arm_error
    headers = _retry_after(fault) if fault.status == 503 else {}  # noqa: PLR2004 - the status that may carry Retry-After
    return error(fault.status, "InternalServerError", message).adding(headers)


def _applied_but_lost(_fault: Fault, _request: Request, call: Call) -> Response:
    call()
    message = "The gateway did not receive a response from 'Microsoft.Web' within the specified time period."
    return arm_error(504, "GatewayTimeout", message)


def _dropped(fault: Fault, _request: Request, call: Call) -> Response:
    if fault.applied:
        call()
    raise Drop


def _stale_list(fault: Fault, _request: Request, call: Call) -> Response:
    with seen_from(fault.writes):
        return call()


def _denied(_fault: Fault, request: Request, _call: Call) -> Response:
    if _is_vault(request):
        return vault_error(
            403, "Forbidden", "Caller is not authorized to perform action on resource.", "ForbiddenByRbac"
        )
    message = f"The client does not have authorization to perform action over scope '{request.path}'."
    return arm_error(403, "AuthorizationFailed", message)


def _missing(_fault: Fault, request: Request, _call: Call) -> Response:
    """Answer as if the resource did not exist, which a list may contradict (recorded azure-cli traffic, 404)."""
    return web_error(404, "NotFound", "51004", "Cannot find {0} with name {1}.", *request.path.split("/")[-2:])


def _answered(fault: Fault, _request: Request, call: Call) -> Response:
    if fault.applied:
        call()
    return Response(fault.status, {"Content-Type": "application/json; charset=utf-8"}, fault.body.encode())


_ACTS: dict[Kind, Callable[[Fault, Request, Call], Response]] = {
    "site_lock": _site_lock,
    "server_error": _server_error,
    "applied_but_lost": _applied_but_lost,
    "dropped": _dropped,
    "stale_list": _stale_list,
    "denied": _denied,
    "missing": _missing,
    "answered": _answered,
}
