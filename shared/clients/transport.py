"""Carry the requests of the Azure SDKs, each within a total time from the resolution of the name to the last byte.

All SDK clients of a process share their connections, so that a second vault or subscription costs no second pool. The
SDKs also wait by the transport before they retry by themselves. A server chooses the length of such a wait by
`Retry-After`, so the transport bounds these waits, too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import requests
from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import ServiceRequestError, ServiceResponseError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import HttpRequest, HttpResponse, RequestsTransport
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection

from shared.clients.network.bounded import TookTooLong, bounded, current_line, kept, seconds_left

BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""The answers of a server that is busy or restarts."""
REFUSED = frozenset({429, 503})
"""The answers of a busy server that did nothing: with 503 (ServerBusy) Azure Storage says that it could not receive the
request. After a 500 (OperationTimedOut) Azure Storage may have done the work, and asks clients to read before they
repeat a request (Azure docs, "Common REST API error codes"; "Storage Analytics Logged Operations and Status Messages"
lists 503 as ThrottlingError)."""
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""The methods that azure-core's RetryPolicy sends again after a lost answer."""
HOSTS, CONNECTIONS = 64, 64
"""How many hosts, and how many connections to each host, the process keeps open for the next request."""


class _Kept:
    """A connection that the caller of a call can cut."""

    def _new_conn(self) -> Any:  # noqa: ANN401 - a method of urllib3
        return kept(super()._new_conn())  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - a method of urllib3
        """Send a request on a connection that the caller can cut, and note that the call has begun to send.

        A connection from the pool is open already, so this function keeps it for the present call.
        """
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        else:
            kept(self.sock)
        current_line().used = True
        super().request(*args, **kwargs)  # type: ignore[misc]

    sock: Any = None


class _Plain(_Kept, HTTPConnection):
    """A connection without TLS, such as to the endpoint of the managed identity."""


class _Secure(_Kept, HTTPSConnection):
    """A connection with TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    """The transport of `requests` with connections that the caller of a call can cut, also through a proxy."""

    def __init__(self) -> None:
        super().__init__(HOSTS, CONNECTIONS, max_retries=Retry(total=False, redirect=False, raise_on_status=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the connection pools for requests without a proxy."""
        super().init_poolmanager(*args, **kwargs)
        _use_kept(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:  # noqa: ANN401 - requests' own signature
        """Return the connection pools for requests through a proxy."""
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        _use_kept(manager)
        return manager


def _use_kept(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


class BoundedTransport(RequestsTransport):  # type: ignore[misc] # azure-core loads this class late, so without a type
    """The transport of azure-core, in which no request takes longer than its total time."""

    def __init__(
        self,
        connect: float,
        read: float,
        total: float,
        longest_wait: float = 0.0,
        repeat_after: float | None = None,
    ) -> None:
        """Store the seconds for a connection, for a pause in an answer, for a request, and for a wait before a retry.

        With `repeat_after` the transport itself repeats a request: once if it got no answer, and several times if the
        server was busy. A request that the server may have done is repeated only if `_is_repeatable` allows it.
        """
        session = requests.Session()
        adapter = _Adapter()
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        super().__init__(session=session, connection_timeout=connect, read_timeout=read)
        self._total, self._longest_wait, self._repeat_after = total, longest_wait, repeat_after

    def send(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:  # noqa: ANN401 - azure-core's own signature
        """Return the complete answer to a request.

        Raise ServiceResponseTimeoutError after the total time of a request, or if the time of the run is over. For the
        caller the outcome of such a request is unknown.
        """
        send = partial(self._send_once, request, kwargs)
        try:
            answer = send()
        except SdkError as error:
            unsent = isinstance(error, ServiceRequestError)
            if not (unsent or _is_repeatable(request)) or not self._may_wait(self._repeat_after):
                raise
            self.sleep(self._repeat_after)
            return send()
        return self._repeated(request, send, answer)

    def _repeated(self, request: HttpRequest, send: Callable[[], HttpResponse], answer: HttpResponse) -> HttpResponse:
        """Return the answer of a server that is no longer busy, or the last answer.

        Each wait is twice as long as the wait before, until a wait is longer than the longest.
        """
        usual = self._repeat_after
        while usual is not None:
            wait = _wait_for(answer, usual)
            undone = answer.status_code in REFUSED
            if not (undone or _is_repeatable(request)) or not self._may_wait(wait):
                break
            self.sleep(wait)
            answer, usual = send(), 2 * usual
        return answer

    def sleep(self, duration: float | None) -> None:
        """Wait before a retry. Raise ServiceResponseError if an SDK is to wait too long."""
        if not self._may_wait(duration):
            raise ServiceResponseError(f"the server asks to wait {duration} s, which is too long for this call")
        super().sleep(duration)

    def _may_wait(self, seconds: float | None) -> bool:
        return seconds is not None and seconds <= seconds_left(self._longest_wait)

    def _send_once(self, request: HttpRequest, kwargs: dict[str, Any]) -> HttpResponse:
        seconds = seconds_left(self._total)
        if seconds <= 0:
            raise ServiceRequestError("no time is left to send the request")
        try:
            return bounded(seconds, partial(_sent, super().send, request, dict(kwargs)))
        except TookTooLong as late:
            raise ServiceResponseTimeoutError(str(late), error=late) from late


def _is_repeatable(request: HttpRequest) -> bool:
    """Return True if a server that has done the request answers its repetition as it answered the request.

    After an insert (POST) or a write of a certain revision (If-Match), Azure Storage refuses the repetition. The caller
    would take the caller's own row for the row of another run.
    """
    return request.method in REPEATABLE and request.headers.get("If-Match", "*") == "*"


def _wait_for(answer: HttpResponse, usual: float | None) -> float | None:
    """Return how many seconds to wait for a busy server, or None if the server is not busy or the caller retries."""
    if usual is None or answer.status_code not in BUSY:
        return None
    asked = answer.headers.get("Retry-After", "")
    return max(float(asked), usual) if asked.isdecimal() else usual


def _sent(send: Any, request: HttpRequest, kwargs: dict[str, Any]) -> HttpResponse:  # noqa: ANN401 - azure-core's own signature
    """Return the answer to a request.

    azure-core reports an answer that stops after its headers as if the request had not been sent (`RequestsTransport`
    raises ServiceRequestError). The caller must read before it repeats such a write, so this function corrects the
    error.
    """
    try:
        answer: HttpResponse = send(request, **kwargs)
    except ServiceResponseError:
        raise
    except ServiceRequestError as error:
        if current_line().used:
            raise ServiceResponseError(error.message, error=error.inner_exception) from error
        raise
    return answer
