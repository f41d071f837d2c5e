"""The record of an app's settings update to a new version says whether Certroll may update the next apps."""

from datetime import datetime, timedelta

import pytest

from shared.domain.rollout.gates import opens, opens_at
from shared.domain.rollout.settings_record import CONTEST_WINDOW, RollRecord, RollState
from tests.build import DAY, HOUR, NOW, roll

SECOND = timedelta(seconds=1)
SOAK, LOST = HOUR, timedelta(minutes=15)
SINCE = NOW - HOUR / 2
UNDER_WAY = {RollState.STALE, RollState.OVERLAPPING, RollState.FAILED, RollState.RESTORED}
HOLDING = {RollState.FAILED, RollState.RESTORED, RollState.ROLLED_BACK, RollState.NO_LAST_GOOD}


def test_state_says_whether_it_goes_on_and_whether_it_holds() -> None:
    """The state of an app's settings update says whether the update is in progress and whether it stops the rollout.

    A failed removal of the old version from an app does not stop the rollout of the new version.
    """
    for retiring in (False, True):
        rolls = [roll(state, retiring=retiring) for state in RollState]
        assert {record.state for record in rolls if record.under_way} == UNDER_WAY
        assert {record.state for record in rolls if record.holds} == (set() if retiring else HOLDING)


@pytest.mark.parametrize(
    ("undone", "lately"),
    [
        pytest.param((), (), id="never"),
        pytest.param((NOW - CONTEST_WINDOW,), (), id="a day ago"),
        pytest.param((NOW - CONTEST_WINDOW + SECOND,), (NOW - CONTEST_WINDOW + SECOND,), id="just less than a day ago"),
        pytest.param((NOW - 2 * DAY, NOW - HOUR, NOW), (NOW - HOUR, NOW), id="several times, in their order"),
    ],
)
def test_undoing_is_remembered_for_a_day(undone: tuple[datetime, ...], lately: tuple[datetime, ...]) -> None:
    """Certroll remembers for 24 hours that another writer undid a settings update."""
    assert roll(RollState.VALIDATED, undone=undone).undone_lately(NOW) == lately
    assert DAY == CONTEST_WINDOW


@pytest.mark.parametrize(
    ("state", "calm", "urgent"),
    [
        pytest.param(RollState.VALIDATED, SINCE, SINCE, id="validated: since then"),
        pytest.param(RollState.RETIRED, SINCE, SINCE, id="retired: since then"),
        pytest.param(RollState.UNPROVEN, SINCE + SOAK, SINCE, id="unproven: after the soak"),
        pytest.param(RollState.REFUSED, SINCE + SOAK, SINCE, id="refused: after the soak"),
        pytest.param(RollState.ROLLED_BACK, SINCE + SOAK, SINCE, id="rolled back: after the soak"),
        pytest.param(RollState.CONTESTED, SINCE + SOAK, SINCE, id="contested: after the soak"),
        pytest.param(RollState.DEFERRED, SINCE + SOAK, SINCE, id="deferred: after the soak"),
        *(
            pytest.param(state, SINCE + SOAK, SINCE + LOST, id=f"{state}: after the soak, or when it is lost")
            for state in RollState
            if state in UNDER_WAY - {RollState.STALE}
        ),
        pytest.param(RollState.STALE, SINCE + DAY, SINCE + LOST, id="told, and not written: after a day, or lost"),
    ],
)
def test_app_holds_up_others_until_its_soak(state: RollState, calm: datetime, urgent: datetime) -> None:
    """After a proven app, Certroll updates the next app at once.

    After an unproven app, Certroll waits for the waiting time before it updates the next app.

    If the old certificate ends soon, Certroll updates the next app earlier.
    """
    assert opens(roll(state), SOAK, LOST, urgent=False) == calm
    assert opens(roll(state), SOAK, LOST, urgent=True) == urgent


@pytest.mark.parametrize(
    ("rolls", "calm", "urgent"),
    [
        pytest.param((), None, None, id="nothing: never"),
        pytest.param((roll(RollState.DEFERRED),), None, None, id="only what was deferred: never"),
        pytest.param((roll(RollState.VALIDATED),), SINCE, SINCE, id="validated: since then"),
        pytest.param((roll(RollState.UNPROVEN),), SINCE + SOAK, SINCE, id="unproven: after the soak"),
        *(
            pytest.param((roll(state),), SINCE + SOAK, SINCE + LOST, id=f"{state}: after the soak, or when it is lost")
            for state in RollState
            if state in UNDER_WAY - {RollState.STALE}
        ),
        pytest.param((roll(RollState.STALE),), SINCE + DAY, SINCE + LOST, id="told, and not written: after a day"),
        pytest.param(
            (roll(RollState.UNPROVEN), roll(RollState.VALIDATED, site="b", at=NOW)), NOW, SINCE, id="the soonest counts"
        ),
        pytest.param(
            (roll(RollState.DEFERRED, at=NOW - DAY), roll(RollState.UNPROVEN)),
            SINCE + SOAK,
            SINCE,
            id="what was deferred long ago does not",
        ),
    ],
)
def test_rest_may_go_with_the_first_result(
    rolls: tuple[RollRecord, ...], calm: datetime | None, urgent: datetime | None
) -> None:
    """Certroll updates the other apps once a first app is proven, or after an unproven first app's waiting time."""
    assert opens_at(rolls, SOAK, LOST, urgent=False) == calm
    assert opens_at(rolls, SOAK, LOST, urgent=True) == urgent
    assert opens_at(rolls[::-1], SOAK, LOST, urgent=False) == calm


def test_soak_of_more_than_a_day_counts_for_what_is_not_written() -> None:
    """An app whose settings Certroll could not yet write delays other apps for a day, or for a longer waiting time."""
    assert opens(roll(RollState.STALE), 2 * DAY, LOST, urgent=False) == SINCE + 2 * DAY


def test_what_is_lost_is_never_waited_for_longer_than_the_soak() -> None:
    """In an urgent settings update, Certroll waits no longer than the waiting time for an app that does not answer."""
    assert opens_at((roll(RollState.OVERLAPPING),), 5 * SECOND, LOST, urgent=True) == SINCE + 5 * SECOND
