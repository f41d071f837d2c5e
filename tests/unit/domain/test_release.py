"""What an operator lets go who releases a hold."""

from dataclasses import replace

import pytest

from shared.domain.errors import Conflict
from shared.domain.rollout.release import Release, released
from shared.domain.rollout.settings_record import TAKING_BACK, RollState
from shared.domain.rollout.site_record import SiteState
from tests.build import NOW, record, roll, rollout

BACK = roll(RollState.ROLLED_BACK, site="a")
FAILED = replace(record(SiteState.FAILED, site="b"), detail="it serves another certificate")


@pytest.mark.parametrize("state", sorted(frozenset(RollState) - TAKING_BACK))
def test_apps_that_hold_the_version_are_let_go(state: RollState) -> None:
    """An app whose roll was taken back, or was undone by others, is tried again from the start; no other app is."""
    held = state in {RollState.ROLLED_BACK, RollState.NO_LAST_GOOD, RollState.CONTESTED}
    app = roll(state)
    assert released(rollout(rolls=(app,)), NOW).rolls == ((app,) if held else ())


@pytest.mark.parametrize("state", sorted(TAKING_BACK))
def test_nothing_is_let_go_while_an_app_is_taken_back(state: RollState) -> None:
    """The record of that app alone knows its last good values: the operator is told to wait."""
    seen = rollout(FAILED, rolls=(BACK, roll(state, site="z")))
    with pytest.raises(Conflict, match="z is being taken back; release the hold when that is done"):
        released(seen, NOW)


@pytest.mark.parametrize("state", SiteState)
def test_sites_that_failed_count_as_unproven(state: SiteState) -> None:
    """Nothing is proven there, nothing holds any more, and what was seen before is still told."""
    seen = replace(FAILED, state=state)
    told = f"released at {NOW:%Y-%m-%d %H:%M} UTC; before: it serves another certificate"
    unproven = replace(seen, state=SiteState.UNPROVEN, detail=told)
    assert released(rollout(seen), NOW).records == ((unproven,) if state is SiteState.FAILED else ())


def test_detail_of_a_released_site_fits_into_the_journal() -> None:
    """A long detail is cut off at its end."""
    (site,) = released(rollout(replace(FAILED, detail="x" * 1000)), NOW).records
    assert site.detail.startswith("released at")
    assert len(site.detail) == 1000


def test_operator_is_told_where_the_version_was_let_go() -> None:
    """An app that another run recorded meanwhile keeps its record, and is not among them."""
    other = roll(RollState.ROLLED_BACK, site="c")
    assert Release((BACK, other), (FAILED,)).sites((BACK,)) == (BACK.site, FAILED.site)
    assert Release((BACK,), (FAILED,)).sites(()) == (FAILED.site,)
    assert Release().sites(()) == ()


def test_operator_is_told_when_other_runs_recorded_everything() -> None:
    """Nothing was let go: the operator is asked to do it again."""
    later = roll(RollState.ROLLED_BACK, site="b")
    with pytest.raises(Conflict, match=r"a, .*b was recorded by another run meanwhile; release the hold again"):
        Release((later, BACK)).sites(())
