"""Build ports on storage in memory, for runs whose process dies after some writes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

from shared.clients.fleet_reads import ProcessReads
from shared.clients.storage.journal import journal_ports
from shared.clients.storage.rows import Entity
from shared.clients.tracing import RunTrace
from shared.domain.errors import LeaseBusy
from shared.ports import Ports
from shared.ports.clock import Clock
from tests.memory_storage import MemoryTables

Result = TypeVar("Result")


class Died(BaseException):
    """The simulated process died.

    The class is not an Exception, so that no handler for errors can catch it.
    """


class SmallStorage(MemoryTables):
    """The tables of a process that dies after `lasts` writes, or never if `lasts` is None.

    A batch of rows counts as one write of the process.
    """

    def __init__(self, lasts: int | None = None) -> None:
        """Begin with a simulated storage account that has no table."""
        super().__init__()
        self.lasts = lasts

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Write a row of the journal, or raise Died if the process has used up its writes."""
        self._live()
        return super().put(row, revision, what)

    def put_batch(self, batch: list[tuple[Entity, str | None]], what: str) -> list[str]:
        """Replace the rows of one batch, or raise Died if the process has used up its writes."""
        self._live()
        return super().put_batch(batch, what)

    def write_batch(self, table: str, batch: list[Entity]) -> None:
        """Insert or update the rows of one batch, or raise Died if the process has used up its writes."""
        self._live()
        super().write_batch(table, batch)

    def _live(self) -> None:
        if self.lasts == 0:
            raise Died
        self.lasts = None if self.lasts is None else self.lasts - 1


@dataclass
class SmallLeases:
    """Simulated leases that any caller can take, except for the names in `busy`."""

    busy: set[str] = field(default_factory=set)

    @contextmanager
    def hold(self, name: str) -> Iterator["SmallLeases"]:
        """Take the simulated lease of the given name.

        Raise LeaseBusy if the name is in `busy`.
        """
        if name in self.busy:
            raise LeaseBusy(f"another instance is at work on {name}")
        yield self

    def check(self) -> None:
        """Return without an error, because no holder ever loses a simulated lease."""


class OnceOnly:
    """A retrier that does each piece of work once, without any retry."""

    def retry(self, work: Callable[[], Result]) -> Result:
        """Do the work once, and return its result."""
        return work()


def ports_on(storage: SmallStorage, clock: Clock, **others: object) -> Ports:
    """Return Certroll's ports with the journal on the given storage, and with the given other ports.

    Every port that is not given fails when it is used.
    """
    given: dict[str, Any] = {
        "clock": clock,
        **journal_ports(storage, clock),
        "fleet_reads": ProcessReads(clock),
        "leases": SmallLeases(),
        "retrying": OnceOnly(),
        "trace": RunTrace("run"),
    } | others
    return Ports(**{port.name: cast("Any", given.get(port.name)) for port in fields(Ports)})
