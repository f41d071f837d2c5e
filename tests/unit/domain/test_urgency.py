"""A certificate is urgent in its last 72 hours, or in the last tenth of a shorter life, for every guard and wait."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.certificates.urgency import URGENT, is_urgent
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from tests.build import (
    APPLY,
    DAY,
    NEW,
    NOW,
    OLD,
    binding,
    blind_spot,
    copy,
    facts,
    lineage,
    named,
    record,
    roll,
    rollout,
    site,
    snapshot,
    two_webspaces,
    version,
)

SECOND = timedelta(seconds=1)
SHORT = timedelta(hours=160)
"""The life of a short-lived certificate (letsencrypt.org, "6-day and IP Address Certificates are Generally
Available")."""
TWO_DAYS, HALF_A_DAY = timedelta(hours=48), timedelta(hours=12)


@pytest.mark.parametrize(
    ("life", "margin"),
    [
        pytest.param(90 * DAY, URGENT, id="a long life: 72 hours"),
        pytest.param(30 * DAY, URGENT, id="30 days, of which 72 hours are a tenth"),
        pytest.param(29 * DAY, timedelta(hours=69.6), id="less than 30 days: a tenth"),
        pytest.param(SHORT, timedelta(hours=16), id="160 hours: 16 hours"),
        pytest.param(None, URGENT, id="a life of unknown length: 72 hours"),
    ],
)
def test_last_tenth_of_a_short_life_is_urgent(life: timedelta | None, margin: timedelta) -> None:
    """A certificate becomes urgent 72 hours or a tenth of its life before its end, whichever is later."""
    ends = NOW + margin
    begins = None if life is None else ends - life
    assert not is_urgent(begins, ends, NOW)
    assert is_urgent(begins, ends, NOW + SECOND)


def short_lived(left: timedelta, *, seen: Snapshot, shown_by_azure: bool) -> Snapshot:
    """Return the snapshot whose old certificate lives for 160 hours in all, and has the given time left."""
    ends = NOW + left
    old = version("v1", OLD, created=ends - SHORT, not_before=ends - SHORT, not_after=ends)
    known = lineage(replace(version(), facts=facts("*.contoso.com")), old)
    begins = ends - SHORT if shown_by_azure else None
    copies = tuple(replace(held, not_after=ends, not_before=begins) for held in seen.fleet.certificates)
    return Snapshot(known, replace(seen.fleet, certificates=copies), seen.rollout)


UNSEEN = snapshot(blind_spots=(blind_spot(),))
LOSING = snapshot(
    bindings=(binding("far.fabrikam.com"),), copies=(copy(host_names=("far.fabrikam.com",)),), sites=(site(),)
)
SOAKING = two_webspaces(rollout(record(SiteState.UNPROVEN)))
TURNS = snapshot(
    sites=(site("a"), site("b")),
    bindings=(),
    copies=(copy(), copy("new", NEW, source=None)),
    settings=(named(OLD, site="a"), named(OLD, site="b")),
    rollout=rollout(rolls=(roll(RollState.UNPROVEN, site="a"),)),
)


@pytest.mark.parametrize("shown_by_azure", [True, False], ids=["Azure shows the life", "only the vault shows the life"])
@pytest.mark.parametrize(
    ("seen", "refusal"),
    [
        pytest.param(UNSEEN, Reason.INCOMPLETE_VIEW, id="a resource that Certroll cannot read"),
        pytest.param(LOSING, Reason.NOT_COVERED, id="a host name that loses its cover"),
        pytest.param(SOAKING, Reason.AWAITING_FIRST_STAGE, id="a webspace that waits for the first"),
        pytest.param(TURNS, Reason.AWAITING_FIRST_SITE, id="an app that waits for the first"),
    ],
)
def test_two_days_are_not_urgent_for_a_certificate_of_160_hours(
    seen: Snapshot, refusal: Reason, *, shown_by_azure: bool
) -> None:
    """No guard yields two days before the end of a certificate that lives for 160 hours, and all yield in its last."""

    def subjects(left: timedelta) -> set[str]:
        plan = planner.plan(short_lived(left, seen=seen, shown_by_azure=shown_by_azure), APPLY)
        return {skip.subject for skip in plan.skips if skip.reason is refusal}

    assert subjects(TWO_DAYS) > subjects(HALF_A_DAY)


def test_urgency_is_decided_in_one_place() -> None:
    """Only one module knows the 72 hours of urgency, so that no guard keeps a margin of its own."""
    root = Path(__file__).resolve().parents[3] / "shared"
    knowing = {path.name for path in root.rglob("*.py") if "URGENT" in path.read_text(encoding="utf-8")}
    assert knowing == {"urgency.py"}
