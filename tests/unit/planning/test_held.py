"""A version on hold is one finding, in every way in which a version can be held."""

import pytest

from shared.domain.findings import OpenFinding, SeenBy
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import HOLDING, RollState
from shared.domain.rollout.site_record import SiteState
from shared.planning.closing import gone_from
from shared.planning.held import held
from shared.planning.plan import Plan
from tests.build import HOUR, NOW, REF, record, roll, rollout, snapshot


@pytest.mark.parametrize("state", sorted(HOLDING))
def test_app_that_holds_a_version_is_told_though_nothing_else_waits(state: RollState) -> None:
    """Certroll reports the hold of a version with the app and its state, also if no step of the plan waits."""
    (found,) = held(snapshot(rollout=rollout(rolls=(roll(state, site="bad", detail="its probe fails"),))))
    assert (found.scope, found.subject, found.reason) == (str(REF), str(REF), Reason.VERSION_HELD)
    assert found.detail.startswith(f"this version failed at bad ({state}: its probe fails): mend the app")


def test_site_that_holds_a_version_is_told() -> None:
    """Certroll reports the hold of a version with each site that serves another certificate."""
    (found,) = held(snapshot(rollout=rollout(record(SiteState.FAILED, site="bad", detail="it serves another"))))
    assert "bad (ServedAnother: it serves another)" in found.detail


@pytest.mark.parametrize("state", sorted({*RollState} - HOLDING))
def test_no_other_state_of_an_app_is_told_as_a_hold(state: RollState) -> None:
    """Certroll reports no hold for an app that did not fail with the version."""
    assert held(snapshot(rollout=rollout(rolls=(roll(state),)))) == ()


def test_hold_that_ended_closes_though_something_is_unreadable() -> None:
    """The finding of a hold closes when the journal has no failure any more, whatever Certroll could not read."""
    blind = (BlindSpot("subscription", "denied", "sub"),)
    seen = OpenFinding(str(REF), "VersionHeld", SeenBy.INSPECTION, None, None, NOW - HOUR, NOW - HOUR)
    assert gone_from(snapshot(blind_spots=blind), Plan())(seen)
