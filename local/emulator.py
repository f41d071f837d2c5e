"""Send requests for a storage account's host names to Azurite."""

import re
import select
import socket
import ssl
from collections import deque
from collections.abc import Mapping

from local.azure.wire import Drop, Request, Response
from local.azurite import HOST, SERVICES, Azurite
from local.http_wire import Head, read_body, read_headers
from local.listener import IDLE

WITHOUT_BODY = (204, 304)
OF_CONNECTION = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "proxy-connection", "transfer-encoding"}
)
"""The headers that are about one connection and its framing, and not about the request or the answer."""
PART = re.compile(rb"^([A-Z]+ https://[^/\s]+/)", re.MULTILINE)
"""The start of each request inside a batch of a table."""


class Emulator:
    """The connections over which requests go to an Azurite that takes tokens.

    A request keeps its host name, from which Azurite takes the name of the account.
    """

    def __init__(self, azurite: Azurite) -> None:
        """Open no connection yet."""
        self._account = azurite.account.encode()
        self._ports = dict(azurite.ports)
        self._context = ssl.create_default_context(cafile=azurite.trust["connection_verify"])
        self._idle: Mapping[str, deque[_Line]] = {service: deque() for service in SERVICES}

    def send(self, service: str, request: Request) -> Response:
        """Return the answer of Azurite. Raise Drop, which closes the client's connection, if Azurite gives none."""
        content = _to_bytes(request, self._body(request))
        try:
            line = self._free(service)
            response, is_open = line.exchange(content, is_head=request.method == "HEAD")
        except (OSError, ValueError) as lost:
            raise Drop from lost
        if is_open:
            self._idle[service].append(line)
        return response

    def close(self) -> None:
        """Close every idle connection."""
        for lines in self._idle.values():
            while lines:
                lines.pop().close()

    def _free(self, service: str) -> "_Line":
        """Return a connection that no other thread uses."""
        lines = self._idle[service]
        while lines:
            try:
                line = lines.pop()
            except IndexError:  # another thread took the last one
                break
            if line.is_usable():
                return line
            line.close()
        return _Line(HOST, self._ports[service], self._context)

    def _body(self, request: Request) -> bytes:
        """Return the request's body, in which a batch names the account as Azurite needs it.

        Azurite 3.35 finds the table of a part by `/account/table` (BatchSerialization.extractPath), also if the host
        name has the account.
        """
        is_batch = request.path.endswith("/$batch")
        return PART.sub(rb"\1" + self._account + b"/", request.body) if is_batch else request.body


class _Line:
    """A TLS connection to one service of Azurite."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        """Connect to the service."""
        plain = socket.create_connection((host, port), timeout=IDLE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname=host)
        self._stream = self._socket.makefile("rb")
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)

    def is_usable(self) -> bool:
        """Return True unless Azurite has closed the connection. Between two answers, Azurite sends nothing else."""
        return not self._readable.poll(0)

    def exchange(self, content: bytes, *, is_head: bool) -> tuple[Response, bool]:
        """Send a request, and return the answer, and True if the connection can carry another request.

        Raise OSError if Azurite gives no answer, and ValueError if the answer is no HTTP.
        """
        try:
            self._socket.sendall(content)
            _, status, *_ = self._stream.readline().split()
            headers = read_headers(self._stream)
            head = Head("", "", headers)
            is_empty = is_head or int(status) in WITHOUT_BODY
            body = b"" if is_empty else read_body(head, self._stream, self._socket.sendall)
        except BaseException:
            self.close()
            raise
        kept = _kept(headers)
        if is_head and "content-length" in headers:
            kept["Content-Length"] = headers["content-length"]
        if not head.keeps_alive:
            self.close()
        return Response(int(status), kept, body), head.keeps_alive

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()


def _to_bytes(request: Request, body: bytes) -> bytes:
    target = f"{request.path}?{request.query_text}" if request.query_text else request.path
    headers = {**_kept(request.headers), "host": request.host, "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in OF_CONNECTION}
