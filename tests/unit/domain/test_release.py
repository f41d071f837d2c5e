"""An operator who releases a stopped version makes Certroll try the version's failed apps and sites again."""

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
    """A release of a stopped version covers only apps that are rolled back, contested or without last good settings."""
    held = state in {RollState.ROLLED_BACK, RollState.NO_LAST_GOOD, RollState.CONTESTED}
    app = roll(state)
    assert released(rollout(rolls=(app,)), NOW).rolls == ((app,) if held else ())


@pytest.mark.parametrize("state", sorted(TAKING_BACK))
def test_nothing_is_let_go_while_an_app_is_taken_back(state: RollState) -> None:
    """While Certroll restores an app's old settings, a release changes nothing and tells the operator to wait.

    While Certroll restores an app's settings, only the app's record has the old values of the settings.
    """
    seen = rollout(FAILED, rolls=(BACK, roll(state, site="z")))
    with pytest.raises(Conflict, match="z is being taken back; release the hold when that is done"):
        released(seen, NOW)


@pytest.mark.parametrize("state", SiteState)
def test_sites_that_failed_count_as_unproven(state: SiteState) -> None:
    """After a release of a stopped version, failed sites count as unproven and no longer stop the rollout.

    The record of a released site still names the failure that Certroll saw before.
    """
    seen = replace(FAILED, state=state)
    told = f"released at {NOW:%Y-%m-%d %H:%M} UTC; before: it serves another certificate"
    unproven = replace(seen, state=SiteState.UNPROVEN, detail=told)
    assert released(rollout(seen), NOW).records == ((unproven,) if state is SiteState.FAILED else ())


def test_detail_of_a_released_site_fits_into_the_journal() -> None:
    """The release of a stopped version shortens a site's long detail, so that the detail fits into the journal."""
    (site,) = released(rollout(replace(FAILED, detail="x" * 1000)), NOW).records
    assert site.detail.startswith("released at")
    assert len(site.detail) == 1000


def test_operator_is_told_where_the_version_was_let_go() -> None:
    """The answer to an operator's release of a stopped version names the apps that Certroll tries again.

    If another run recorded an app during a release, the app keeps its record and the release does not name the app.
    """
    other = roll(RollState.ROLLED_BACK, site="c")
    assert Release((BACK, other), (FAILED,)).sites((BACK,)) == (BACK.site, FAILED.site)
    assert Release((BACK,), (FAILED,)).sites(()) == (FAILED.site,)
    assert Release((BACK, other)).sites((BACK,)) == (BACK.site,)
    assert Release().sites(()) == ()


def test_operator_is_told_when_other_runs_recorded_everything() -> None:
    """If other runs recorded all apps and sites during a release, the operator is asked to repeat the release."""
    later = roll(RollState.ROLLED_BACK, site="b")
    with pytest.raises(Conflict, match=r"a, .*b was recorded by another run meanwhile; release the hold again"):
        Release((later, BACK)).sites(())
