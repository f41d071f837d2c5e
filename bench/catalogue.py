"""The catalogue of scenarios that `python -m bench` runs, each in a process of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench.figures import Figures
from bench.limits import SettingsPosts
from bench.long import day, roll, root, year
from bench.planning import cold_start, planning, queues_full
from bench.scenarios import HOURS, four_renewals, sweeps, wildcard
from bench.sizes import CROWDED, LARGE, MIDDLE, PLANNED, TENANTS, TINY, WIDE, Size

INSTANCES = 10
"""How many instances carry a certificate to 10,000 sites. Azure adds instances while a queue is long."""
BOTH, ANY = tuple(SettingsPosts), (SettingsPosts.OWN,)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, which yields its figures."""

    about: str
    run: Callable[[SettingsPosts], Iterator[Figures]]
    knobs: tuple[SettingsPosts, ...] = BOTH
    large: bool = False
    """True if the scenario takes many minutes of processor time, so that it is not for every day."""


SCENARIOS: dict[str, Scenario] = {
    "sweep-10000": Scenario("a cold and 24 warm sweeps of 10,000 sites", partial(sweeps, LARGE, HOURS), large=True),
    "wildcard-10000": Scenario("one wildcard to 10,000 sites", partial(wildcard, WIDE, INSTANCES), large=True),
    "full": Scenario("one instance with full queues", partial(queues_full, CROWDED), large=True),
    "sweep-wide": Scenario("a cold and a warm sweep of 20 subscriptions", partial(sweeps, WIDE, 1), large=True),
    "day": Scenario("a day of 45-day certificates", partial(day, TENANTS), large=True),
    "planning": Scenario("plans for 300 certificates of 10,000 sites", lambda _: planning(PLANNED), ANY),
    "sweep-1000": Scenario("a cold and 24 warm sweeps of 1,000 sites", partial(sweeps, MIDDLE, HOURS)),
    "wildcard-1000": Scenario("one wildcard to 1,000 sites", partial(wildcard, MIDDLE, 1)),
    "year": Scenario("a year of 45-day certificates", partial(year, TINY), (SettingsPosts.WRITES,)),
    "roll": Scenario("a roll of settings on 200 apps", partial(roll, Size(200, 4))),
    "root": Scenario("one root on 100 apps", partial(root, Size(100, 4))),
    "contoso": Scenario("four renewals of Contoso", four_renewals),
    "start": Scenario("the start of a process", lambda _: cold_start(), ANY),
}
"""The scenarios by name, the longest first, because as many run at once as the machine has processors."""
