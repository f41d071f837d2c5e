"""An observer for tests, which records certificate and trust problems of apps after each change."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from local.azure.world import World


@dataclass(slots=True)
class AppWatch:
    """An observer that reads `world.apps.troubles()` at its start and after every change of the simulated Azure.

    An `AppWatch` counts one request as one change of the simulated Azure, even if the request writes several resources.
    """

    world: World
    troubles: list[tuple[datetime, str]] = field(default_factory=list)
    """Each trouble of an app, with the moment of the simulated Azure's clock at which it began."""
    looks: int = 0
    """The number of inspections so far."""
    _standing: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Return the `AppWatch`, after its first inspection of the simulated Azure."""
        with self.world.lock:
            self.world.changes.listen(self._look)
            self._look()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self.world.changes.forget(self._look)

    def _look(self) -> None:
        self.looks += 1
        found = self.world.apps.troubles()
        now = self.world.clock.now()
        self.troubles += [(now, trouble) for trouble in found if trouble not in self._standing]
        self._standing = frozenset(found)
