"""What Certroll has begun is finished or taken back, and what it may not write is told with the last good values."""

from dataclasses import replace

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.intent import Intent, Mode, Scope
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.acting.by_hand import HANDS_OFF, bindings_by_hand, settings_by_hand
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.guards.frozen import finishes
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    HOST,
    NEW,
    NORTH,
    OFF,
    OLD,
    WEST,
    binding,
    copy,
    lineage,
    named,
    record,
    roll,
    rollout,
    site,
    snapshot,
)

PIN = "CERT"
WROTE = SettingEdit(PIN, NEW, (OLD,), None)
LISTED = SettingEdit(LOAD_LIST, NEW, (), OLD)
TOOK = SettingEdit(LOAD_LIST, None, (OLD,), NEW)
PILOT = Intent(vaults=APPLY.vaults, mode=Mode.APPLY, scope=Scope.TAGGED)
OBSERVE = Intent(vaults=APPLY.vaults, mode=Mode.OBSERVE)
BOTH = (copy(), copy("new-copy", NEW, source=None))


def begun(state: SiteState = SiteState.PENDING, **differences: object) -> Snapshot:
    """Return a site whose binding Certroll has begun to move; the new certificate is there."""
    parts: dict[str, object] = {"copies": (copy(thumbprint=NEW),), "rollout": rollout(record(state))}
    return snapshot(**{**parts, **differences})  # type: ignore[arg-type]


def bound(seen: Snapshot, intent: Intent) -> bool:
    """Return True if the plan binds the host name."""
    return any(step.action.binds for step in planner.plan(seen, intent).steps)


@pytest.mark.parametrize(
    ("intent", "seen", "goes_on"),
    [
        pytest.param(APPLY, begun(lineage=lineage(tags=OFF)), True, id="the certificate was tagged off on the way"),
        pytest.param(APPLY, begun(lineage=lineage(tags=OFF), rollout=Rollout("v2")), False, id="it was off before"),
        pytest.param(APPLY, begun(SiteState.UNPROVEN, lineage=lineage(tags=OFF)), False, id="the site was through"),
        pytest.param(APPLY, begun(sites=(site(tags=OFF),)), False, id="the site is off"),
        pytest.param(
            APPLY, begun(lineage=lineage(tags=OFF), sites=(site(tags=OFF),)), False, id="the site is off as well"
        ),
        pytest.param(PILOT, begun(), True, id="the tag of the pilot went on the way"),
        pytest.param(PILOT, begun(rollout=Rollout("v2")), False, id="it was never in the pilot"),
        pytest.param(OBSERVE, begun(), False, id="observe mode"),
    ],
)
def test_a_binding_under_way_is_finished(intent: Intent, seen: Snapshot, *, goes_on: bool) -> None:
    """A tag on the certificate stops what is new; a tag on the site, and observe mode, stop every write."""
    assert bound(seen, intent) is goes_on


@pytest.mark.parametrize(
    ("intent", "seen"),
    [
        pytest.param(OBSERVE, begun(), id="observe mode"),
        pytest.param(PILOT, begun(SiteState.UNPROVEN), id="outside of the pilot"),
        pytest.param(APPLY, begun(sites=(site(tags=OFF),)), id="the site is off"),
    ],
)
def test_each_way_to_stop_the_writes_counts_as_hands_off(intent: Intent, seen: Snapshot) -> None:
    """However operators stop the writes to a site under way, its run tells them the last good values."""
    left = [skip for skip in planner.plan(seen, intent).not_done if skip.step and skip.step.action.binds]
    assert left
    assert {skip.reason for skip in left} <= HANDS_OFF


@pytest.mark.parametrize(
    ("app", "goes_on"),
    [
        pytest.param(roll(RollState.FAILED, edits=(WROTE,)), True, id="it failed"),
        pytest.param(roll(RollState.STALE), False, id="it was only admitted"),
    ],
)
def test_an_app_that_failed_is_taken_back_though_the_certificate_is_off(app: object, *, goes_on: bool) -> None:
    """A certificate that is tagged off gives the last good settings back, and begins no app."""
    settings = named(pins={PIN: NEW if goes_on else OLD})
    seen = snapshot(
        lineage=lineage(tags=OFF),
        copies=BOTH,
        settings=(settings,),
        rollout=rollout(rolls=(app,)),  # type: ignore[arg-type]
    )
    assert bool(planner.plan(seen, APPLY).steps) is goes_on


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        pytest.param(rollout(record(SiteState.PENDING)), True, id="a site of the webspace is under way"),
        pytest.param(rollout(rolls=(roll(RollState.OVERLAPPING),)), True, id="an app of the webspace is under way"),
        pytest.param(rollout(record(SiteState.PENDING, webspace=NORTH)), False, id="another webspace"),
        pytest.param(rollout(rolls=(roll(RollState.OVERLAPPING, webspace=NORTH),)), False, id="an app elsewhere"),
        pytest.param(rollout(rolls=(roll(RollState.STALE),)), False, id="an app that was only admitted"),
    ],
)
def test_an_old_version_is_kept_only_where_something_is_under_way(there: Rollout, *, kept: bool) -> None:
    """After the hands are off, Certroll uploads an old version only into a webspace in which it has begun."""

    class Keep:
        site, binds, webspace, protects = None, None, WEST, True

    class Upload(Keep):
        protects = False

    assert finishes(Keep(), snapshot(rollout=there)) is kept  # type: ignore[arg-type]
    assert not finishes(Upload(), snapshot(rollout=there))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "finished"),
    [
        pytest.param(record(SiteState.PENDING), True, id="it is under way"),
        pytest.param(record(SiteState.FAILED), False, id="it failed"),
        pytest.param(replace(record(SiteState.PROVEN), rebind=Rebind.ASKED), True, id="its second write is left"),
        pytest.param(replace(record(SiteState.PROVEN), rebind=Rebind.DONE), False, id="its second write is done"),
        pytest.param(record(SiteState.PENDING, site="other"), False, id="another site is under way"),
    ],
)
def test_a_binding_is_finished_only_at_a_site_under_way(known: SiteRecord, *, finished: bool) -> None:
    """After the hands are off, Certroll writes no binding of a site that failed or is through."""
    assert finishes(UpdateBinding(binding(), NEW, WEST), snapshot(rollout=rollout(known))) is finished


def test_the_last_good_settings_are_told_without_other_values() -> None:
    """The text for operators holds the thumbprints, the names of settings and the command, and no other value."""
    app = roll(RollState.FAILED, slot="staging", edits=(WROTE, LISTED, TOOK))
    told = settings_by_hand(app, named(NEW, OLD, pins={PIN: NEW}))
    assert f"in {PIN} put {OLD} in place of {NEW}" in told
    assert f"in {LOAD_LIST} remove {NEW} and keep {OLD}" in told
    assert f"in {LOAD_LIST} add {OLD}" in told
    assert "-g rg-web -n shop --slot staging" in told
    assert f"{PIN}={OLD} '{LOAD_LIST}=<the value as said>'" in told
    assert f"'{PIN}=<the value as said>'" in settings_by_hand(app, None)


def test_the_bindings_that_are_left_are_told() -> None:
    """The text for operators names each host name that is left, with both thumbprints and the command."""
    step = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
    skips = (Skip("binding", Reason.OPTED_OUT, "", site().ref, step), Skip("certificate", Reason.OPTED_OUT, ""))
    told = bindings_by_hand(record(SiteState.PENDING), skips)
    assert f"{HOST} shows {OLD} and not {NEW} (OptedOut)" in told
    assert "az webapp config ssl bind" in told
