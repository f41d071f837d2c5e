"""Public DNS as a world has it: written records for custom host names, and Azure's own names.

Azure's own names lead to the sites by themselves.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from local.azure.web.resources import DEFAULT_DOMAIN

Kind = Literal["A", "AAAA", "CNAME", "CAA", "TXT", "SOA"]
Trouble = Literal["silent", "servfail"]
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
        """Return True if the name, or one below it, has a record of any kind."""
        known = [owner for owner, _ in self._records]
        return bool(self.values(name, "A")) or any(owner == name or owner.endswith(f".{name}") for owner in known)

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
