"""Two versions with one thumbprint are one certificate, so what failed with it still holds it."""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.same_certificate import with_holds
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from tests.build import NEW, OLD, lineage, old_version, record, roll, version

AGAIN = replace(version(), version="v3")
ONCE_MORE = lineage(AGAIN, version(), old_version())
ANOTHER = lineage(replace(version(thumbprint="AB" * 20), version="v3"), version(), old_version())
EDIT = SettingEdit(LOAD_LIST, NEW, (OLD,), OLD)


@pytest.mark.parametrize(
    ("known", "state", "holds"),
    [
        pytest.param(ONCE_MORE, RollState.ROLLED_BACK, True, id="it was imported once more"),
        pytest.param(lineage(AGAIN, old_version()), RollState.ROLLED_BACK, True, id="its older version is not listed"),
        pytest.param(ONCE_MORE, RollState.VALIDATED, False, id="the app works with it"),
        pytest.param(ANOTHER, RollState.ROLLED_BACK, False, id="the new version is another certificate"),
        pytest.param(replace(ONCE_MORE, current=None), RollState.ROLLED_BACK, False, id="no version is good"),
    ],
)
def test_app_that_failed_holds_its_certificate(known: Lineage, state: RollState, *, holds: bool) -> None:
    """An app that failed holds each version with the same thumbprint, and no version with another one."""
    failed = roll(state, edits=(EDIT,))
    seen = with_holds(Rollout("v3", past_rolls=(failed,)), known)
    assert seen.held_by == ((failed,) if holds else ())
    assert seen.past_rolls == (() if holds else (failed,))


@pytest.mark.parametrize(
    ("known", "state", "holds"),
    [
        pytest.param(ONCE_MORE, SiteState.FAILED, True, id="it was imported once more"),
        pytest.param(ONCE_MORE, SiteState.UNPROVEN, False, id="the site did not fail"),
        pytest.param(ANOTHER, SiteState.FAILED, False, id="the new version is another certificate"),
    ],
)
def test_site_that_failed_holds_its_certificate(known: Lineage, state: SiteState, *, holds: bool) -> None:
    """A site that served another certificate holds each version with the same thumbprint."""
    failed = record(state)
    seen = with_holds(Rollout("v3", past_failed=(failed,)), known)
    assert seen.failed == ((failed,) if holds else ())
    assert seen.past_failed == (() if holds else (failed,))
