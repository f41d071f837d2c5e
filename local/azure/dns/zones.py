"""The public DNS of a simulated Azure: records that tests write for custom host names, and Azure's own host names.

A default host name below `azurewebsites.net` leads to the address of its site, although no test writes a DNS record for
the name.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from local.azure.web.resources import DEFAULT_DOMAIN

Kind = Literal["A", "AAAA", "CNAME", "CAA", "TXT", "SOA"]
Trouble = Literal["silent", "servfail"]
LONGEST_CHAIN = 8
SOA_TEXT = "ns.{0}. hostmaster.{0}. 1 3600 600 86400 60"


class Zones:
    """The DNS records of a simulated Azure.

    The methods of `Zones` accept host names in upper or lower case, except `exists`, which needs lower case. A trailing
    dot in a host name is accepted only by `add`, `add_zone` and `remove`.
    """

    def __init__(self, address_of: Callable[[str], str | None]) -> None:
        """Begin without written records.

        `address_of` returns the IP address to which a default host name of Azure leads, or None.
        """
        self._address_of = address_of
        self._records: dict[tuple[str, str], tuple[str, ...]] = {}
        self._trouble: dict[str, Trouble] = {}

    def add(self, name: str, kind: Kind, value: str) -> None:
        """Add a DNS record whose value is spelled as in a zone file, such as `0 issue "digicert.com"`.

        The name of a DNS record is always fully qualified, and its trailing dot is optional.
        """
        key = (name.lower().rstrip("."), kind)
        plain = value.rstrip(".") if kind == "CNAME" else value
        self._records[key] = (*self._records.get(key, ()), plain)

    def add_zone(self, name: str) -> None:
        """Make the host name a DNS zone of its own by adding an SOA record at the name."""
        self.add(name, "SOA", SOA_TEXT.format(name.lower()))

    def remove(self, name: str, kind: Kind) -> None:
        """Remove all DNS records of this kind, such as TXT, at the host name."""
        self._records.pop((name.lower().rstrip("."), kind), None)

    def to_json(self) -> list[dict[str, str]]:
        """Return the DNS records that tests wrote, as JSON-ready values."""
        return [
            {"name": name, "kind": kind, "value": value}
            for (name, kind), values in sorted(self._records.items())
            for value in values
        ]

    def trouble(self, name: str, how: Trouble | None) -> None:
        """Answer every DNS question for the name with silence or SERVFAIL, or normally if `how` is None."""
        if how is None:
            self._trouble.pop(name.lower(), None)
        else:
            self._trouble[name.lower()] = how

    def trouble_of(self, name: str) -> Trouble | None:
        """Return the DNS failure that a test scripted for the host name (`silent` or `servfail`), or None."""
        return self._trouble.get(name.lower())

    def values(self, name: str, kind: str) -> tuple[str, ...]:
        """Return the values of the DNS records with exactly this name and kind."""
        if kind == "A" and name.lower().endswith(f".{DEFAULT_DOMAIN}"):
            address = self._address_of(name)
            return () if address is None else (address,)
        return self._records.get((name.lower(), kind), ())

    def exists(self, name: str) -> bool:
        """Return True if the host name, or a name below this host name, has a DNS record of any kind."""
        known = [owner for owner, _ in self._records]
        return bool(self.values(name, "A")) or any(owner == name or owner.endswith(f".{name}") for owner in known)

    def resolve(self, name: str, kind: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Yield the answer of a recursive DNS resolver: the CNAME records on the way, and the records at the end."""
        for _ in range(LONGEST_CHAIN):
            if found := self.values(name, kind):
                yield name, kind, found
                return
            target = self.values(name, "CNAME")
            if not target:
                return
            yield name, "CNAME", target
            name = target[0].lower()
