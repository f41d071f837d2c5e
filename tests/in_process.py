"""Lead the requests of Azure's SDKs to the simulated Azure without sockets.

The simulation replaces azure-core's `transport`, the session and the adapter of the package requests. A request to the
simulated Azure skips TLS, the proxy and the bytes of HTTP. Apart from the connection to Azure, the code of Azure's SDKs
runs unchanged. A test may also replace `requests.adapters.HTTPAdapter.send`.
"""

import io
from collections.abc import Callable, Mapping
from http.client import RemoteDisconnected
from types import SimpleNamespace
from urllib.parse import urlsplit

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from local.azure.wire import Drop, Request, Response, read_query

Handle = Callable[[Request], Response]


def in_process(handle: Handle) -> RequestsTransport:
    """Return an azure-core transport whose requests the function `handle` answers."""
    return RequestsTransport(session=_Session(handle), session_owner=False)


class _Session:
    """The session of the package requests, without the proxies, cookies and hooks that no SDK of Azure uses.

    The session of the package spends as much processor time on a request as the simulated Azure does.
    """

    def __init__(self, handle: Handle) -> None:
        self._adapter = _Adapter(handle)

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], data: str | bytes | None, **_: object
    ) -> requests.Response:
        """Return the answer of the simulated Azure, or raise an error of the package requests."""
        asked = requests.PreparedRequest()
        asked.prepare_method(method)
        asked.prepare_url(url, None)
        asked.headers, asked.body = CaseInsensitiveDict(headers), data
        return self._adapter.send(asked, verify=False)


class _Adapter(HTTPAdapter):
    """The adapter of the package requests, with connections that lead to a function."""

    def __init__(self, handle: Handle) -> None:
        super().__init__()
        self._handle = handle

    def get_connection_with_tls_context(  # type: ignore[override] # only `urlopen` is used of the connection pool
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> object:
        """Return an object that replaces the connection to the request's host."""
        host = (urlsplit(request.url or "").hostname or "").lower()
        return SimpleNamespace(urlopen=lambda **asked: self._ask(host, **asked))

    def _ask(
        self, host: str, *, method: str, url: str, body: str | bytes | None, headers: Mapping[str, str], **_: object
    ) -> HTTPResponse:
        """Return the answer of the simulated Azure.

        Raise ProtocolError if the simulated Azure closes the connection without an answer.
        """
        parts = urlsplit(url)
        named = {name.lower(): value for name, value in headers.items()}
        content = body.encode() if isinstance(body, str) else body or b""
        try:
            answer = self._handle(Request(method, host, parts.path, read_query(parts.query), named, content))
        except Drop:
            gone = RemoteDisconnected("Remote end closed connection without response")
            raise ProtocolError("Connection aborted.", gone) from None
        return HTTPResponse(
            io.BytesIO(answer.body),
            {**answer.headers, "Content-Length": str(len(answer.body))},
            answer.status,
            preload_content=False,
            decode_content=False,
            request_method=method,
        )
