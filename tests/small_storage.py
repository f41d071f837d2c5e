"""Ports on storage in memory whose process may die after so many writes, for one run of the loop by itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

from shared.clients.journal_rows import Entity
from shared.clients.journal_table import journal_ports
from shared.domain.errors import LeaseBusy
from shared.ports import Ports
from shared.ports.clock import Clock
from tests.memory_storage import MemoryTables

Result = TypeVar("Result")


class Died(BaseException):
    """The process is gone. Not an Exception: nothing may catch it."""


class SmallStorage(MemoryTables):
    """Tables of a process that lives for `lasts` writes, None for ever. A batch of rows is one write."""

    def __init__(self, lasts: int | None = None) -> None:
        """Begin without a table."""
        super().__init__()
        self.lasts = lasts

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Write a row of the journal in place of a revision. Raises Died when the time has come."""
        self._live()
        return super().put(row, revision, what)

    def write_batch(self, table: str, batch: list[Entity]) -> None:
        """Upsert the rows of one batch. Raises Died when the time has come."""
        self._live()
        super().write_batch(table, batch)

    def _live(self) -> None:
        if self.lasts == 0:
            raise Died
        self.lasts = None if self.lasts is None else self.lasts - 1


@dataclass
class SmallLeases:
    """Leases, of which those named in `busy` are held by others."""

    busy: set[str] = field(default_factory=set)

    @contextmanager
    def hold(self, name: str) -> Iterator["SmallLeases"]:
        """Hold the lease of a name. Raises LeaseBusy."""
        if name in self.busy:
            raise LeaseBusy(f"another instance is at work on {name}")
        yield self

    def check(self) -> None:
        """Return: a lease is never lost."""


class OnceOnly:
    """A retry layer that does everything once."""

    def again(self, work: Callable[[], Result]) -> Result:
        """Return what the work returns."""
        return work()


def ports_on(storage: SmallStorage, clock: Clock, **others: object) -> Ports:
    """Return ports with the journal on that storage; beside it only those given exist, and using another one fails."""
    given: dict[str, Any] = {
        "clock": clock,
        **journal_ports(storage, clock),
        "leases": SmallLeases(),
        "retrying": OnceOnly(),
    } | others
    return Ports(**{port.name: cast("Any", given.get(port.name)) for port in fields(Ports)})
