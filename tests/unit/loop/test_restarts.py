"""How many apps restart at once: an app counts in every place, or in none."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.domain.errors import LeaseBusy
from shared.domain.names import SiteRef
from shared.restarts import claimed
from shared.run import Run
from tests.build import APPLY, NOW, REF, ManualClock, ports, site_ref

PLACES = (("plan", 2), ("environment", 5))


@dataclass
class Counting:
    """Claims of which the places `full` take nobody, and leases of which those in `busy` are held by others."""

    full: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()
    counted: list[tuple[str, SiteRef, int]] = field(default_factory=list)

    def claim(self, place: str, site: SiteRef, _: object, most: int) -> bool:
        """Count the site, unless the place is full."""
        self.counted += [] if place in self.full else [(place, site, most)]
        return place not in self.full

    def give_back(self, place: str, site: SiteRef, _: object) -> None:
        """Count the site no longer."""
        self.counted = [one for one in self.counted if one[:2] != (place, site)]

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lease, or raise."""
        if name.removeprefix("plan ") in self.busy:
            raise LeaseBusy(name)
        yield


def run(counting: Counting) -> Run:
    """Return a run that counts there."""
    nobody: Any = ThreadPoolExecutor
    given: Any = counting
    return Run.start(replace(ports(clock=ManualClock(NOW)), restart_claims=given, leases=given), APPLY, nobody)


def test_site_counts_in_every_place() -> None:
    """Each place is asked with its own limit."""
    counting = Counting()
    assert claimed(run(counting), PLACES, site_ref(), REF)
    assert counting.counted == [("plan", site_ref(), 2), ("environment", site_ref(), 5)]


@pytest.mark.parametrize("full", ["plan", "environment"])
def test_site_that_has_no_room_somewhere_counts_nowhere(full: str) -> None:
    """Where one place is full the other is given back: nobody is kept waiting by what does not restart."""
    counting = Counting(full=frozenset({full}))
    assert not claimed(run(counting), PLACES, site_ref(), REF)
    assert counting.counted == []


@pytest.mark.parametrize("busy", ["plan", "environment"])
def test_place_that_is_being_counted_gives_the_others_back(busy: str) -> None:
    """Where somebody else counts in a place just now the site counts nowhere, and is tried again."""
    counting = Counting(busy=frozenset({busy}))
    with pytest.raises(LeaseBusy):
        claimed(run(counting), PLACES, site_ref(), REF)
    assert counting.counted == []
