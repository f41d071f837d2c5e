"""The questions that Certroll asks DNS, and the answers. A DNS lookup that fails also gives a `DnsAnswer`."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class RecordKind(StrEnum):
    """The kinds of DNS records that Certroll looks up."""

    A = "A"
    CNAME = "CNAME"
    CAA = "CAA"
    SOA = "SOA"
    TXT = "TXT"


class Seen(StrEnum):
    """The kind of result of a DNS question."""

    RECORDS = "records"
    NO_RECORDS = "no such record"
    NO_NAME = "no such name"
    NOTHING = "could not look"


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The answer to one DNS question.

    The resolver follows CNAME aliases, unless the question is about CNAME records.
    """

    name: str
    kind: RecordKind
    seen: Seen
    records: tuple[str, ...] = ()
    """The values of the records as a zone file writes them. Names have no dot at the end."""
    detail: str = ""
    """The error of a lookup that failed."""


Ask = Callable[[str, RecordKind], DnsAnswer]
