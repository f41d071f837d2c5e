"""Ask an app over HTTPS, on its site's default host name, whether the app works with a new certificate.

The app probe sends its request by the transport adapter of the library `requests`. The transport adapter of `requests`
follows no redirects, stores no cookies, reads no netrc file and does not retry. HTTPS_PROXY, NO_PROXY,
REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE set the app probe's proxy and trusted roots, as for the SDKs. If no environment
variable names a bundle of roots, the app probe trusts the roots of certifi.
"""

import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.client import HTTPException
from math import inf
from typing import Any

from requests import PreparedRequest, Request, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ProxyError
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPSConnection

from shared.clients.network.bounded import TookTooLong, bounded, kept
from shared.clients.tracing import AGENT
from shared.domain.errors import OutOfTime
from shared.domain.fleet.probe import READ_AT_MOST, Probe, ProbeResult, Verdict, judge
from shared.domain.names import HostName, Thumbprint

TIME_OUT_SECONDS = 30.0
"""How long a probe may take from the first packet to the last. An app that has just started answers slowly."""
HEADERS = {"User-Agent": f"{AGENT} probe", "Cache-Control": "no-cache"}
THREAD = "app-probe"


class AppProbe:
    """The client that asks apps whether the apps work, for at most `time_out` seconds per probe."""

    def __init__(self, time_out: float = TIME_OUT_SECONDS, seconds_left: Callable[[], float] = lambda: inf) -> None:
        """Store the longest time of a probe, and a function that returns the seconds that the run has left for one."""
        self._time_out = time_out
        self._seconds_left = seconds_left
        logging.getLogger("urllib3.connection").addFilter(_comes_from_no_probe)

    def ask(
        self, host: HostName, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint], address: str | None = None
    ) -> ProbeResult:
        """Send one GET on a new connection to the app, and return the result.

        `ask` returns a failed request as a result instead of raising an exception. If `address` is given, the request
        goes to this address instead of the host name's address. The TLS certificate that answers must be valid for the
        host name, also if `address` is given. `ask` ends the connection at the latest after the probe's time-out. Raise
        OutOfTime if the run ends before, because such a probe says nothing about the app.
        """
        left = self._seconds_left()
        url = f"https://{address or host}{probe.path}"
        call = partial(_probe_result, host, self._time_out, url, probe, new, old)
        try:
            return bounded(min(self._time_out, left), call, THREAD)
        except TookTooLong as late:
            if left < self._time_out:
                raise OutOfTime(f"the time of this run ended during the probe of {host}") from late
            return _unanswered(host, f"no complete answer came within {self._time_out:g} s")


class _Adapter(HTTPAdapter):
    """The transport of `requests`, with connections that can be cut, and the host name for the TLS check."""

    def __init__(self, host: HostName) -> None:
        self._host = host
        super().__init__()

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: bool | str,  # noqa: FBT001 - requests' own signature
        cert: str | tuple[str, str] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the keys of the connection pool, with the host name that TLS sends and checks.

        TLS sends the host name and checks the server's certificate for this host name.
        """
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        return where, {**how, "server_hostname": self._host}

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: bool | str,  # noqa: FBT001 - requests' own signature
        proxies: dict[str, str] | None = None,
        cert: str | tuple[str, str] | None = None,
    ) -> HTTPConnectionPool:
        """Return the connection pool, which opens each connection as a `_Connection`."""
        pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        pool.ConnectionCls = _Connection
        return pool


class _Connection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return kept(super()._new_conn())


def _probe_result(
    host: HostName, time_out: float, url: str, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint]
) -> ProbeResult:
    try:
        status, body = _get(host, time_out, url, probe.status)
    except Exception as error:  # noqa: BLE001 - each error is a result of the probe
        return _unanswered(host, _cause(error))
    result = judge(probe, status, body, new, old)
    return replace(result, detail=f"{host}{result.detail}")


def _get(host: HostName, time_out: float, url: str, expected: int) -> tuple[int, str]:
    """Return the status of the app's answer and the first part of the answer's body.

    If the HTTP status of the app's answer is unexpected, this function does not read the answer's body.
    """
    prepared = Request("GET", url, headers={**HEADERS, "Host": host}).prepare()
    around: Mapping[str, Any] = Session().merge_environment_settings(url, {}, None, None, None)
    with closing(_Adapter(host)) as adapter:
        response = adapter.send(prepared, timeout=time_out, verify=around["verify"], proxies=around["proxies"])
        with closing(response):
            body = response.raw.read(READ_AT_MOST, decode_content=True) if response.status_code == expected else b""
        return response.status_code, body.decode("utf-8", "replace")


def _unanswered(host: HostName, why: str) -> ProbeResult:
    return ProbeResult(Verdict.FAILED, f"{host} gave no answer: {why}")


def _cause(error: Exception) -> str:
    """Return the cause of an error as class names and texts of the operating system or of the TLS check.

    The cause of a failed probe omits all other error texts, because an error text may quote the app's answer.
    """
    causes = [cause for cause in _beneath(error) if isinstance(cause, OSError | HTTPException)]
    last = causes[-1] if causes else error
    words = [type(last).__name__]
    if isinstance(error, ProxyError) and not isinstance(last, ConnectionResetError):
        words.insert(0, "ProxyError")  # urllib3 also raises ProxyError if the app closes the connection
    if isinstance(last, ssl.SSLCertVerificationError):
        words.append(last.verify_message)
    elif isinstance(last, OSError) and last.strerror:
        words.append(last.strerror)
    return ": ".join(words)


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and then each exception in the chain of `__context__`."""
    beneath: BaseException | None = error
    while beneath is not None:
        yield beneath
        beneath = beneath.__context__


def _comes_from_no_probe(record: logging.LogRecord) -> bool:
    """Return True if the log message does not come from a probe's request.

    urllib3 logs unreadable headers together with their values.
    """
    return record.threadName != THREAD
