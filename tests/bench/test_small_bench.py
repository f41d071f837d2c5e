"""Run the bench with small fleets, and compare the counts of requests."""

import pytest

from bench.figures import Figures
from bench.fleets import tenants
from bench.limits import SettingsPosts
from bench.scenarios import fleet, four_renewals, sweeps, wildcard
from bench.sizes import SMALL, Size
from shared.domain.intent import Intent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.plan import Plan

TINY = Size(12, 3)


def _counted(found: Figures) -> tuple[int, int, int, int]:
    return found.reads, found.posts, found.writes, found.refused


def test_a_sweep_of_100_sites_costs_no_more_than_it_must() -> None:
    """A cold sweep reads each list and the settings of each site once, and no request is refused.

    An hour later the sweep reads the settings again of the two sites that people changed, and of one whose turn came.
    Seven more requests list subscriptions, orders, and what the inspection of managed certificates needs.
    """
    cold, warm = sweeps(SMALL, 1, SettingsPosts.WRITES)
    assert cold.requests == cold.floor_requests + 7
    assert _counted(cold) == (19, 100, 0, 0)
    assert _counted(warm) == (19, 3, 0, 0)
    assert cold.more["completed"] == warm.more["completed"] == 1
    assert cold.failed == warm.failed == {}


def test_a_wildcard_reaches_100_sites_with_few_requests() -> None:
    """One wildcard reaches all sites, each is proven, and a site costs less than two reads and one of settings."""
    found, afterwards = wildcard(SMALL, 1, SettingsPosts.OWN)
    assert found.more == {"bound": 100, "proven": 100}
    assert _counted(found) == (142, 100, 8, 0)
    assert found.seconds < 12
    assert afterwards.more == {"rolled out": 1}
    assert _counted(afterwards) == (13, 0, 0, 0)


def test_the_bench_counts_the_same_each_time() -> None:
    """With the same seed, all threads do the same in the same order: time and counts are equal."""
    once, again = (
        [(found.name, found.seconds, _counted(found), found.vault) for found in wildcard(TINY, 2, SettingsPosts.WRITES)]
        for _ in range(2)
    )
    assert once == again


def test_contosos_four_renewals_need_few_requests() -> None:
    """Certroll moves the 16 bindings of four renewed certificates with the counted requests to ARM."""
    bound, done, unswept = four_renewals(SettingsPosts.WRITES)
    assert bound.more == done.more == unswept.more == {"bindings": 16, "bindings moved": 16}
    assert (bound.requests, done.requests, unswept.requests) == (130, 151, 168)


def test_a_sweep_plans_each_certificate_from_its_own_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plans of a sweep look at the sites that share a webspace with a user of the certificate, and at no others."""
    looked = list[int]()

    def plan(snapshot: Snapshot, intent: Intent) -> Plan:
        looked.append(len(snapshot.fleet.sites))
        return planned(snapshot, intent)

    planned = planner.plan
    monkeypatch.setattr(planner, "plan", plan)
    with fleet(tenants, Size(24, 4, lineages=8), SettingsPosts.OWN) as hosted:
        hosted.first.sweep_everything()
        hosted.serve()
    assert looked == [6] * 8
