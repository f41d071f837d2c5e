"""Read and write HTTP/1.1 as far as SDKs and command-line clients use it."""

import http
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

from local.azure.wire import Drop, Request, Response, read_query

LINE_LIMIT = 65_536
HEADER_LIMIT = 200


class Malformed(ConnectionError):
    """The client does not speak HTTP/1.1, so the server closes the connection."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers of a request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def keeps_alive(self) -> bool:
        """True if the client may send another request on the same connection."""
        return self.headers.get("connection", "").lower() != "close"


def read_head(stream: BinaryIO) -> Head | None:
    """Return the head of the next request, or None if the client has closed the connection."""
    line = stream.readline(LINE_LIMIT)
    if not line:
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
        raise Malformed(f"not a request line: {line[:40]!r}")
    return Head(words[0].upper(), words[1], read_headers(stream))


def read_headers(stream: BinaryIO) -> dict[str, str]:
    """Return the headers up to the empty line, with their names in lower case."""
    headers: dict[str, str] = {}
    for _ in range(HEADER_LIMIT):
        line = stream.readline(LINE_LIMIT)
        if line in {b"\r\n", b"\n"}:
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise Malformed("a header without a colon")
        headers[name.strip().lower()] = value.strip()
    raise Malformed("too many headers")


def read_body(head: Head, stream: BinaryIO, send: Callable[[bytes], object]) -> bytes:
    """Return the request's body.

    A client that sent `Expect: 100-continue` first gets the permission to send the body.
    """
    if head.headers.get("expect", "").lower() == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return b"".join(_chunks(stream))
    length = _number(head.headers.get("content-length", "0"), 10)
    return stream.read(length) if length else b""


def _chunks(stream: BinaryIO) -> list[bytes]:
    chunks: list[bytes] = []
    while size := _number(stream.readline(LINE_LIMIT).split(b";")[0], 16):
        chunks.append(stream.read(size))
        stream.readline(LINE_LIMIT)
    while stream.readline(LINE_LIMIT) not in {b"\r\n", b"\n", b""}:
        pass
    return chunks


def _number(text: str | bytes, radix: int) -> int:
    try:
        return int(text, radix)
    except ValueError as wrong:
        raise Malformed(f"not a length: {text!r}") from wrong


def to_request(head: Head, body: bytes, default_host: str) -> Request:
    """Return the request as a value for the simulated services."""
    parts = urlsplit(head.target)
    host = (head.headers.get("host") or default_host).rpartition("@")[2].split(":")[0].lower()
    return Request(head.method, host, parts.path, read_query(parts.query), head.headers, body, parts.query)


def to_bytes(response: Response, head: Head, reason: str = "") -> bytes:
    """Return the response as bytes for the connection, with a reason in its first line."""
    headers = dict(response.headers)
    headers.setdefault("Content-Length", str(len(response.body)))
    if not head.keeps_alive:
        headers["Connection"] = "close"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    start = f"HTTP/1.1 {response.status} {_in_a_line(reason) or _phrase(response.status)}\r\n{lines}\r\n"
    return start.encode("latin-1") + (b"" if head.method == "HEAD" else response.body)


def _in_a_line(reason: str) -> str:
    """Return the reason without what would end a line or is no ASCII: it may repeat what a client sent."""
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in reason)


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def converse(
    stream: BinaryIO,
    send: Callable[[bytes], object],
    answer: Callable[[Request], Response],
    host: str = "",
    acknowledge: Callable[[], None] = lambda: None,
) -> None:
    """Answer every request on the stream until the client is done or a fault drops an answer.

    After the head of each request, `converse` calls `acknowledge`.
    """
    while head := read_head(stream):
        acknowledge()
        request = to_request(head, read_body(head, stream, send), host)
        try:
            response = answer(request)
        except Drop:
            return
        send(to_bytes(response, head))
        if not head.keeps_alive:
            return
