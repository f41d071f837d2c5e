"""A watch over the apps' outbound calls, for tests: no change of the world may break one."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from local.azure.world import World


@dataclass(slots=True)
class AppWatch:
    """Looks at `world.apps.troubles()` at once and after every change of the world, while it is open.

    `troubles` holds each trouble with the moment of the world's clock at which it began; `looks` counts. A request is
    one change, whatever it changes on the way.
    """

    world: World
    troubles: list[tuple[datetime, str]] = field(default_factory=list)
    looks: int = 0
    _standing: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Return the watch, after its first look."""
        with self.world.lock:
            self.world.changes.listen(self._look)
            self._look()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self.world.changes.forget(self._look)

    def _look(self) -> None:
        self.looks += 1
        found = self.world.apps.troubles()
        now = self.world.clock.now()
        self.troubles += [(now, trouble) for trouble in found if trouble not in self._standing]
        self._standing = frozenset(found)
