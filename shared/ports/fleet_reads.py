"""Define the port by which renewals that waited together share what one of them has read of the fleet (ADR 67)."""

from collections.abc import Callable
from typing import Protocol, TypeVar

Value = TypeVar("Value")


class SharedReads(Protocol):
    """What has been read of the fleet since one moment."""

    def once(self, what: str, subject: object, read: Callable[[], Value]) -> Value:
        """Return what another run has read, or read it. Raise the error of a failed read, which nobody else gets."""


class FleetReads(Protocol):
    """The port for what looks of this process have read of the fleet."""

    def mark(self) -> str:
        """Return the mark of this moment, for a message that asks for an inspection."""

    def begin(self) -> SharedReads:
        """Begin to read the fleet again."""

    def since(self, mark: str) -> SharedReads | None:
        """Return what has been read of the fleet, if all of it was read after the mark and within the last minute."""
