"""An app gets a claim in each disruption budget (limit of restarts) that its restart needs, or in none."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.domain.errors import LeaseBusy
from shared.domain.names import SiteRef
from shared.loop.pool import Pool
from shared.loop.restart_claims import claimed
from shared.loop.run import Run
from tests.build import APPLY, NOW, REF, ManualClock, ports, site_ref

PLACES = (("plan", 2), ("environment", 5))


@dataclass
class Counting:
    """This fake is a journal whose disruption budgets in `full` are used up, and a store of leases.

    The field `busy` names the leases that another run of Certroll has.
    """

    full: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()
    counted: list[tuple[str, SiteRef, int]] = field(default_factory=list)

    def claim(self, place: str, site: SiteRef, _: object, most: int) -> bool:
        """Count the site in the disruption budget, unless the budget is used up."""
        self.counted += [] if place in self.full else [(place, site, most)]
        return place not in self.full

    def give_back(self, place: str, site: SiteRef, _: object) -> None:
        """Remove the site from the count of the disruption budget."""
        self.counted = [claim for claim in self.counted if claim[:2] != (place, site)]

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Take the lease for the caller, or raise `LeaseBusy`."""
        if name.removeprefix("plan ") in self.busy:
            raise LeaseBusy(name)
        yield


def run(counting: Counting) -> Run:
    """Return a run of Certroll with the fake journal and leases."""
    given: Any = counting
    return Run.start(
        replace(ports(clock=ManualClock(NOW)), restart_claims=given, leases=given), APPLY, Pool(1, "reader")
    )


def test_site_counts_in_every_place() -> None:
    """An app's restart counts against the limit of each disruption budget (limit of restarts) that the app needs."""
    counting = Counting()
    assert claimed(run(counting), PLACES, site_ref(), REF)
    assert counting.counted == [("plan", site_ref(), 2), ("environment", site_ref(), 5)]


@pytest.mark.parametrize("full", ["plan", "environment"])
def test_site_that_has_no_room_somewhere_counts_nowhere(full: str) -> None:
    """If one of an app's restart budgets is used up, the app gives up its claims on the other restart budgets."""
    counting = Counting(full=frozenset({full}))
    assert not claimed(run(counting), PLACES, site_ref(), REF)
    assert counting.counted == []


@pytest.mark.parametrize("busy", ["plan", "environment"])
def test_place_that_is_being_counted_gives_the_others_back(busy: str) -> None:
    """If another run has a restart budget's lease, an app gives up its claims, and Certroll tries the app again."""
    counting = Counting(busy=frozenset({busy}))
    with pytest.raises(LeaseBusy):
        claimed(run(counting), PLACES, site_ref(), REF)
    assert counting.counted == []
