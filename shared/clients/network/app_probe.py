"""The question to the app itself, over HTTPS, on the site's own default host name.

It is requests' transport alone, below its sessions: nothing there follows a redirect, keeps a cookie, looks into a
netrc file or tries again. Proxy and trusted roots come from the environment, by the rules that the SDKs go by
(HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, else the roots of certifi).
"""

import logging
import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from http.client import HTTPException
from typing import Any

from requests import PreparedRequest, Request, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ProxyError
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPSConnection

from shared.domain.fleet.probe import READ_AT_MOST, Probe, ProbeResult, Verdict, judge
from shared.domain.names import HostName, Thumbprint

TIME_OUT_SECONDS = 30.0
"""How long one probe may take in all, from the first packet to the last: an app that just started answers slowly."""
HEADERS = {"User-Agent": "certroll-probe", "Cache-Control": "no-cache"}
THREAD = "app-probe"


class AppProbe:
    """Asks apps how they are; `time_out` is how long one answer may take in all, in seconds."""

    def __init__(self, time_out: float = TIME_OUT_SECONDS) -> None:
        self._time_out = time_out
        logging.getLogger("urllib3.connection").addFilter(_not_of_a_probe)

    def ask(
        self, host: HostName, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint], address: str | None = None
    ) -> ProbeResult:
        """Return what the app answers to one GET on a new connection, or within the time why there is no answer.

        No exception is raised, and no host but this one is asked, by its name or at the address; its certificate has
        to be one for the host name in either case. Time-outs of sockets begin anew with each byte, so the whole is
        asked in a thread of its own, whose connection is cut when the time is over.
        """
        line, results = _Line(host), queue.SimpleQueue[ProbeResult]()
        url = f"https://{address or host}{probe.path}"
        asked = threading.Thread(
            target=lambda: results.put(_look(line, self._time_out, url, probe, new, old)), name=THREAD, daemon=True
        )
        asked.start()
        try:
            return results.get(timeout=self._time_out)
        except queue.Empty:
            return _unanswered(host, f"no whole answer came within {self._time_out:g} s")
        finally:
            line.cut()


class _Line:
    """The connection of one question to a host. It can be cut from another thread, also before it is made."""

    def __init__(self, host: HostName) -> None:
        self.host = host
        self._lock = threading.Lock()
        self._twins: list[socket.socket] = []
        self._is_cut = False

    def keep(self, made: socket.socket) -> None:
        """Remember a connection by a second descriptor, because TLS takes the first one away."""
        with self._lock:
            self._twins.append(made.dup())
            if self._is_cut:
                self._end()

    def cut(self) -> None:
        """End the connection, now or as soon as it is made; whoever reads from it sees its end."""
        with self._lock:
            self._is_cut = True
            self._end()

    def _end(self) -> None:
        for twin in self._twins:
            with closing(twin), suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """requests' transport, which hands each connection that it makes to the line, and believes its host alone."""

    def __init__(self, line: _Line) -> None:
        self._connection = _connection_on(line)
        self._host = line.host
        super().__init__()

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: bool | str,  # noqa: FBT001 - requests' own signature
        cert: str | tuple[str, str] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return where to connect, and that TLS asks for the host and compares the certificate with its name."""
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        return where, {**how, "server_hostname": self._host}

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: bool | str,  # noqa: FBT001 - requests' own signature
        proxies: dict[str, str] | None = None,
        cert: str | tuple[str, str] | None = None,
    ) -> HTTPConnectionPool:
        """Return the pool of the one connection."""
        pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        pool.ConnectionCls = self._connection
        return pool


def _connection_on(line: _Line) -> type[HTTPSConnection]:
    class Connection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            line.keep(made)
            return made

    return Connection


def _look(
    line: _Line, time_out: float, url: str, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint]
) -> ProbeResult:
    try:
        status, body = _get(line, time_out, url, probe.status)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is an answer; and a thread has nobody to raise it to
        return _unanswered(line.host, _cause(error))
    result = judge(probe, status, body, new, old)
    return replace(result, detail=f"{line.host}{result.detail}")


def _get(line: _Line, time_out: float, url: str, expected: int) -> tuple[int, str]:
    """Return status and beginning of the answer; what has another status than expected is not read any further."""
    prepared = Request("GET", url, headers={**HEADERS, "Host": line.host}).prepare()
    around: Mapping[str, Any] = Session().merge_environment_settings(url, {}, None, None, None)
    with closing(_Adapter(line)) as adapter:
        response = adapter.send(prepared, timeout=time_out, verify=around["verify"], proxies=around["proxies"])
        with closing(response):
            body = response.raw.read(READ_AT_MOST, decode_content=True) if response.status_code == expected else b""
        return response.status_code, body.decode("utf-8", "replace")


def _unanswered(host: HostName, why: str) -> ProbeResult:
    return ProbeResult(Verdict.FAILED, f"{host} gave no answer: {why}")


def _cause(error: Exception) -> str:
    """Return what went wrong by names and texts of the system alone: other texts may quote what the app sent."""
    causes = [cause for cause in _beneath(error) if isinstance(cause, OSError | HTTPException)]
    last = causes[-1] if causes else error
    words = [type(last).__name__]
    if isinstance(error, ProxyError) and not isinstance(last, ConnectionResetError):
        words.insert(0, "ProxyError")  # urllib3 takes an app that hangs up for the proxy
    if isinstance(last, ssl.SSLCertVerificationError):
        words.append(last.verify_message)
    elif isinstance(last, OSError) and last.strerror:
        words.append(last.strerror)
    return ": ".join(words)


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """Give an exception and those while which it came up, down to the first."""
    beneath: BaseException | None = error
    while beneath is not None:
        yield beneath
        beneath = beneath.__context__


def _not_of_a_probe(record: logging.LogRecord) -> bool:
    """Say whether urllib3 may log it: of headers that it cannot read it quotes all that follow."""
    return record.threadName != THREAD
