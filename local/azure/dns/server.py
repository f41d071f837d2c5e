"""A real DNS server on loopback, which answers from the DNS records of a simulated Azure."""

import socketserver
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from local.azure.dns.zones import Zones
from local.listener import Connection, Listener

TTL = 60
PLAIN_UDP = 512


def answer(zones: Zones, wire: bytes, longest: int | None = None) -> bytes | None:
    """Return the answer to a DNS question in wire format, or None if a test scripted silence for the name.

    `longest` is the size limit of a UDP answer in bytes, unless the DNS question announces a larger size (EDNS). If a
    UDP answer is longer than its size limit, the server sends an empty answer with the TC flag, so that the client asks
    over TCP.
    """
    request = dns.message.from_wire(wire)
    question = request.question[0]
    name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
    trouble = zones.trouble_of(name)
    if trouble == "silent":
        return None
    response = dns.message.make_response(request, recursion_available=True)
    if trouble == "servfail":
        response.set_rcode(dns.rcode.SERVFAIL)
    else:
        _fill(response, zones, name, kind)
    try:
        return response.to_wire(max_size=max(request.payload, longest) if longest else 0)
    except dns.exception.TooBig:
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()


def _fill(response: dns.message.Message, zones: Zones, name: str, kind: str) -> None:
    last = name
    for owner, found_kind, values in zones.resolve(name, kind):
        absolute = [f"{value}." if found_kind == "CNAME" else value for value in values]
        response.answer.append(dns.rrset.from_text(f"{owner}.", TTL, "IN", found_kind, *absolute))
        last = values[0].lower() if found_kind == "CNAME" != kind else owner
    if not zones.exists(last):
        response.set_rcode(dns.rcode.NXDOMAIN)


class DnsServer:
    """A DNS server for UDP and TCP on one loopback port, which runs from its construction until `close`."""

    def __init__(self, zones: Callable[[], Zones]) -> None:
        """Let the DNS server listen on a free port.

        The DNS server calls the function `zones` for every question, and answers from the records that `zones` returns.
        """
        self._zones = zones
        self._tcp = Listener(self._serve_tcp, "dns-tcp")
        self.port, self._udp = self._listen()
        self._thread = threading.Thread(target=self._udp.serve_forever, args=(0.05,), name="dns-udp", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the server."""
        self.close()

    @property
    def address(self) -> str:
        """The address of the DNS server, as `ip:port`."""
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop the DNS server and free its port."""
        self._udp.shutdown()
        self._udp.server_close()
        self._thread.join()
        self._tcp.close()

    def _listen(self) -> tuple[int, socketserver.UDPServer]:
        """Return a port that is free for both UDP and TCP, and a UDP server on that port."""
        while True:
            port = self._tcp.listen()
            try:
                return port, socketserver.UDPServer(("127.0.0.1", port), self._datagram_handler())
            except OSError:  # An OSError means that another program uses the port for UDP.
                self._tcp.leave("127.0.0.1")

    def _datagram_handler(self) -> type[socketserver.BaseRequestHandler]:
        server = self

        class Datagram(socketserver.BaseRequestHandler):
            """The handler of one DNS question that arrived over UDP."""

            def handle(self) -> None:
                """Send the DNS answer, unless the question is unreadable or a test scripted silence for its name."""
                wire, socket = self.request
                if (reply := server._answer(wire, PLAIN_UDP)) is not None:
                    socket.sendto(reply, self.client_address)

        return Datagram

    def _serve_tcp(self, connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            while len(head := stream.read(2)) == struct.calcsize("!H"):
                reply = self._answer(stream.read(struct.unpack("!H", head)[0]), None)
                if reply is not None:
                    connection.socket.sendall(struct.pack("!H", len(reply)) + reply)

    def _answer(self, wire: bytes, longest: int | None) -> bytes | None:
        with suppress(dns.exception.DNSException):
            return answer(self._zones(), wire, longest)
        return None
