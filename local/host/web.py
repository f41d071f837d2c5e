"""Serve the Functions host's HTTP port, with requests and answers as values."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ENCODED_SLASH = re.compile("%(2f)", re.IGNORECASE)

log = logging.getLogger("host.web")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the Functions host, with header names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The decoded path without slashes at its ends. An encoded slash stays encoded, as in ASP.NET."""
        return unquote(ENCODED_SLASH.sub(r"%25\1", urlsplit(self.url).path)).strip("/")

    def query(self, name: str) -> str:
        """Return the value of a query parameter, or an empty text if it is absent.

        The name of the query parameter may be in upper or lower case.
        """
        pairs = parse_qsl(urlsplit(self.url).query, keep_blank_values=True)
        return next((value for key, value in pairs if key.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of the host."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=())


Answer = Callable[[Request], Response]


def text(status: int, message: str) -> Response:
    """Return an answer in plain text."""
    return Response(status, message.encode(), (("Content-Type", "text/plain; charset=utf-8"),))


def as_json(status: int, payload: Any) -> Response:  # noqa: ANN401 - whatever JSON can hold
    """Return an answer in JSON."""
    return Response(status, json.dumps(payload).encode(), (("Content-Type", "application/json; charset=utf-8"),))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(port: int, answer: Answer) -> ThreadingHTTPServer:
    """Return a server that is bound to the loopback port and does not serve yet.

    With port 0, the Functions host listens on a free port.
    """

    class Exchange(_Exchange):
        pass

    Exchange.answer = staticmethod(answer)
    return _Server(("127.0.0.1", port), Exchange)


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Kestrel"
    sys_version = ""
    answer: Answer

    def _exchange(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = f"http://{headers.get('host', '127.0.0.1')}{self.path}"
        self._send(self.answer(Request(self.command, url, headers, self.rfile.read(length))))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _exchange  # noqa: N815 - the server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's name
        log.debug(format, *args)
