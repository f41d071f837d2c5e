"""What was asked of DNS, and what came of it. That nothing could be seen is a value of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class RecordKind(StrEnum):
    """The kinds of records that are asked for."""

    A = "A"
    CNAME = "CNAME"
    CAA = "CAA"
    SOA = "SOA"


class Seen(StrEnum):
    """What came of a question."""

    RECORDS = "records"
    NO_RECORDS = "no such record"
    NO_NAME = "no such name"
    NOTHING = "could not look"


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The answer to one question; `records` are values as a zone file writes them, names without a dot at the end.

    `detail` says why nothing could be seen. Aliases on the way are followed, except where they are asked for.
    """

    name: str
    kind: RecordKind
    seen: Seen
    records: tuple[str, ...] = ()
    detail: str = ""


Ask = Callable[[str, RecordKind], DnsAnswer]
