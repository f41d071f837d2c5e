"""Test that Certroll writes no app settings after a read that lacks over two settings and over a quarter of all."""

from datetime import timedelta

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.actions.restart_site import RestartSite
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.guards import settings_shrunken
from shared.planning.plan import Plan, Skip, Step
from tests.build import APPLY, NEW, NOW, OLD, WEST, named, roll, rollout, site_ref, snapshot, version

EARLIER = Skip("something else", Reason.NOT_LIVE, "refused before")
EDIT = (SettingEdit(LOAD_LIST, NEW, (), OLD),)


def change(seen: int, kind: type[SettingsChange] = RollAppSettings) -> Step:
    """Return a change of an app of whose settings Certroll read `seen`."""
    settings = named(OLD, digests={str(number): "" for number in range(seen)})
    return Step(kind(settings, EDIT, WEST), Reason.STALE_THUMBPRINT)


def refusals(step: Step, *rolls: RollRecord) -> tuple[Skip, ...]:
    """Return the steps that the guard refuses, after a check that the guard keeps refusals from before."""
    judged = settings_shrunken.guard(Plan((step,), (EARLIER,)), snapshot(rollout=rollout(rolls=rolls)), APPLY)
    assert judged.skips[0] == EARLIER
    assert len(judged.steps) + len(judged.skips) == 2
    return judged.skips[1:]


@pytest.mark.parametrize(
    ("before", "seen", "refused"),
    [
        pytest.param(40, 40, False, id="as many as before"),
        pytest.param(40, 50, False, id="more than before"),
        pytest.param(40, 30, False, id="a quarter is gone"),
        pytest.param(40, 29, True, id="just more than a quarter is gone"),
        pytest.param(43, 33, False, id="a quarter is gone, rounded down"),
        pytest.param(43, 32, True, id="just more than a quarter is gone, rounded down"),
        pytest.param(40, 0, True, id="everything is gone"),
        pytest.param(3, 1, False, id="two of three are gone, as people do it"),
        pytest.param(11, 9, False, id="two of eleven are gone"),
        pytest.param(11, 8, True, id="three of eleven are gone"),
        pytest.param(3, 0, True, id="three of three are gone"),
        pytest.param(0, 0, False, id="there were none"),
    ],
)
@pytest.mark.parametrize("state", [RollState.STALE, RollState.FAILED])
def test_shrunken_read_is_not_written_back(state: RollState, before: int, seen: int, *, refused: bool) -> None:
    """Certroll writes no settings if it reads far fewer settings than in the record of the app's update or failure."""
    assert bool(refusals(change(seen), roll(state, at=NOW, settings=before))) is refused


@pytest.mark.parametrize(
    ("state", "ago"),
    [
        pytest.param(RollState.FAILED, timedelta(days=1), id="it failed long ago"),
        pytest.param(RollState.STALE, timedelta(days=1), id="it was admitted long ago"),
    ],
)
def test_shrunken_read_is_never_written_back_in_time(state: RollState, ago: timedelta) -> None:
    """After an app has waited for a day, Certroll still refuses to write settings if the read lacks most settings."""
    assert len(refusals(change(4), roll(state, at=NOW - ago, settings=40))) == 1


@pytest.mark.parametrize("kind", [RollAppSettings, RestoreAppSettings, RetireThumbprint])
def test_people_are_told_what_is_missing(kind: type[SettingsChange]) -> None:
    """The refusal of a write after an incomplete read gives the number of settings before and now."""
    detail = "Certroll read 4 settings, and 40 before: it writes nothing back"
    assert refusals(change(4, kind), roll(RollState.STALE, settings=40)) == (
        Skip("app settings of shop", Reason.SETTINGS_SHRUNKEN, detail, site_ref()),
    )


@pytest.mark.parametrize(
    "rolls",
    [
        pytest.param((), id="nothing is recorded"),
        pytest.param((roll(RollState.STALE, site="other", settings=40),), id="only another app is recorded"),
        *(
            pytest.param((roll(state, settings=40),), id=f"it is {state}")
            for state in RollState
            if state not in {RollState.STALE, RollState.FAILED}
        ),
    ],
)
def test_read_is_believed_where_nothing_is_known(rolls: tuple[RollRecord, ...]) -> None:
    """Certroll compares the number of settings only for an app with a record of an update or of a failure."""
    assert refusals(change(4), *rolls) == ()


def test_what_writes_no_settings_goes_on() -> None:
    """Certroll restarts an app in spite of missing settings, because a restart writes no settings."""
    step = Step(RestartSite(site_ref(), WEST, version()), Reason.LOADED_AT_START)
    assert refusals(step, roll(RollState.STALE, settings=40)) == ()
