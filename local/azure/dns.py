"""Public DNS as a world has it, and a real server for it on loopback.

Custom host names have the records that somebody wrote. Azure's own names lead to the sites by themselves.
"""

import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal, Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from local.azure.arm.resources import DEFAULT_DOMAIN
from local.listener import Connection, Listener

Kind = Literal["A", "AAAA", "CNAME", "CAA", "TXT", "SOA"]
Trouble = Literal["silent", "servfail"]
TTL = 60
PLAIN_UDP = 512
LONGEST_CHAIN = 8
SOA_TEXT = "ns.{0}. hostmaster.{0}. 1 3600 600 86400 60"


class Zones:
    """The records of a world. Names are taken in any case, without a dot at the end."""

    def __init__(self, address_of: Callable[[str], str | None]) -> None:
        """Begin with Azure's own names alone; `address_of` says where one of them leads."""
        self._address_of = address_of
        self._records: dict[tuple[str, str], tuple[str, ...]] = {}
        self._trouble: dict[str, Trouble] = {}

    def add(self, name: str, kind: Kind, value: str) -> None:
        """Add a record as a zone file writes its value: an address, a name, `0 issue "digicert.com"`.

        Names are whole ones, with their last dot or without.
        """
        key = (name.lower().rstrip("."), kind)
        plain = value.rstrip(".") if kind == "CNAME" else value
        self._records[key] = (*self._records.get(key, ()), plain)

    def add_zone(self, name: str) -> None:
        """Make the name a zone of its own: a root domain, which owns an SOA record."""
        self.add(name, "SOA", SOA_TEXT.format(name.lower()))

    def remove(self, name: str, kind: Kind) -> None:
        """Take away the records of a name of that kind."""
        self._records.pop((name.lower().rstrip("."), kind), None)

    def to_json(self) -> list[dict[str, str]]:
        """Return the records as JSON-ready values."""
        return [
            {"name": name, "kind": kind, "value": value}
            for (name, kind), values in sorted(self._records.items())
            for value in values
        ]

    def trouble(self, name: str, how: Trouble | None) -> None:
        """Answer questions for that name with silence or with SERVFAIL; None ends it."""
        if how is None:
            self._trouble.pop(name.lower(), None)
        else:
            self._trouble[name.lower()] = how

    def trouble_of(self, name: str) -> Trouble | None:
        """Return what is wrong with a name."""
        return self._trouble.get(name.lower())

    def values(self, name: str, kind: str) -> tuple[str, ...]:
        """Return the values of the records of exactly that name and kind."""
        if kind == "A" and name.lower().endswith(f".{DEFAULT_DOMAIN}"):
            address = self._address_of(name)
            return () if address is None else (address,)
        return self._records.get((name.lower(), kind), ())

    def exists(self, name: str) -> bool:
        """Whether the name, or one below it, has a record of any kind."""
        known = [owner for owner, _ in self._records]
        return bool(self.values(name, "A")) or any(one == name or one.endswith(f".{name}") for one in known)

    def resolve(self, name: str, kind: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Yield what a recursive resolver answers: the CNAMEs on the way, and the records at their end."""
        for _ in range(LONGEST_CHAIN):
            if found := self.values(name, kind):
                yield name, kind, found
                return
            target = self.values(name, "CNAME")
            if not target:
                return
            yield name, "CNAME", target
            name = target[0].lower()


def answer(zones: Zones, wire: bytes, longest: int | None = None) -> bytes | None:
    """Return the answer to a question as it came over the wire; None is silence.

    With `longest` an answer that does not fit is cut off and says so, as over UDP.
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
    """Answers over UDP and TCP on one loopback port, running from construction until `close`."""

    def __init__(self, zones: Callable[[], Zones]) -> None:
        """Listen on a free port; `zones` says whose records count at the time of a question."""
        self._zones = zones
        self._tcp = Listener(self._serve_tcp, "dns-tcp")
        self.port, self._udp = self._listen()
        self._thread = threading.Thread(target=self._udp.serve_forever, args=(0.05,), name="dns-udp", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def address(self) -> str:
        """Where the server answers, as `ip:port`."""
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Give back the port."""
        self._udp.shutdown()
        self._udp.server_close()
        self._thread.join()
        self._tcp.close()

    def _listen(self) -> tuple[int, socketserver.UDPServer]:
        """Return a port that both protocols got."""
        while True:
            port = self._tcp.listen()
            try:
                return port, socketserver.UDPServer(("127.0.0.1", port), self._datagram_handler())
            except OSError:  # somebody has that port for UDP
                self._tcp.leave("127.0.0.1")

    def _datagram_handler(self) -> type[socketserver.BaseRequestHandler]:
        server = self

        class Datagram(socketserver.BaseRequestHandler):
            """One question over UDP."""

            def handle(self) -> None:
                """Answer it, unless it is not readable or is met with silence."""
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
