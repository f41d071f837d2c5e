"""Test which steps of a plan a freeze stops: new ones, except for certificates that end soon."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.freeze import Freeze
from shared.domain.intent import Intent, Mode
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.actions.add_root_certificate import AddRootCertificate
from shared.planning.actions.delete_root_certificate import DeleteRootCertificate
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.guards import frozen
from shared.planning.plan import Plan, Step
from tests.build import (
    APPLY,
    DAY,
    HOST,
    HOUR,
    NEW,
    NORTH,
    NOW,
    OLD,
    OLDER,
    REF,
    WEST,
    binding,
    copy,
    environment,
    lineage,
    named,
    old_version,
    record,
    roll,
    rollout,
    root,
    site,
    snapshot,
    two_webspaces,
    version,
)

FREEZE = Freeze(((NOW - DAY, NOW + 6 * DAY),))
FROZEN = replace(APPLY, freeze=FREEZE)
ENDING = lineage(version(), old_version(not_after=NOW + 71 * HOUR))
NOT_YET = lineage(version(), old_version(not_after=NOW + 73 * HOUR))
ADDED = SettingEdit(LOAD_LIST, NEW, (), OLD)


def steps(seen: Snapshot, intent: Intent = FROZEN) -> list[Reason]:
    """Return the reasons of the steps of the plan."""
    return [step.reason for step in planner.plan(seen, intent).steps]


def waiting(seen: Snapshot, intent: Intent = FROZEN) -> list[str]:
    """Return the subjects that the plan names as frozen."""
    return [skip.subject for skip in planner.plan(seen, intent).skips if skip.reason is Reason.FROZEN]


def test_nothing_new_begins_during_a_freeze() -> None:
    """During a freeze Certroll begins nothing new, and the plan names each step that waits, and until when."""
    plan = planner.plan(snapshot(settings=(named(OLD),), copies=(copy(), copy("mine", OLD, source=None))), FROZEN)
    assert plan.steps == ()
    assert {skip.reason for skip in plan.skips} == {Reason.FROZEN, Reason.NOT_PROVEN}
    details = {skip.detail for skip in plan.skips if skip.reason is Reason.FROZEN}
    assert details == {"CERTROLL_FREEZE lasts until 2026-11-27 12:00 UTC; an urgent certificate is still replaced"}


@pytest.mark.parametrize("freeze", [None, Freeze(((NOW - 2 * DAY, NOW),)), Freeze(((NOW + HOUR, NOW + DAY),))])
def test_outside_of_a_freeze_everything_goes_on(freeze: Freeze | None) -> None:
    """Before and after a freeze Certroll plans as without one."""
    assert planner.plan(snapshot(), replace(APPLY, freeze=freeze)) == planner.plan(snapshot(), APPLY)


def test_what_ends_soon_goes_on() -> None:
    """During a freeze Certroll replaces a certificate with less than 72 hours left, with all steps that this needs."""
    ending = snapshot(lineage=ENDING, copies=(copy(not_after=NOW + 71 * HOUR),), settings=(named(OLD),))
    assert steps(ending) == steps(ending, APPLY) != []
    later = snapshot(lineage=NOT_YET, copies=(copy(not_after=NOW + 73 * HOUR),))
    assert steps(later) == []


def test_what_ends_soon_drags_nothing_else_along() -> None:
    """During a freeze only the webspace and the host name whose certificate ends soon get the new version."""
    seen = snapshot(
        lineage=lineage(version(), old_version(), old_version("v0", OLDER, not_after=NOW + 71 * HOUR)),
        sites=(site(), site("north", webspace=NORTH)),
        bindings=(binding(), binding("www.contoso.com", site="north", thumbprint=OLDER)),
        copies=(copy(), copy("north-copy", OLDER, webspace=NORTH, not_after=NOW + 71 * HOUR)),
    )
    wide = replace(seen, lineage=lineage(*(replace(v, facts=None) for v in seen.lineage.versions)))
    plan = planner.plan(wide, FROZEN)
    assert [step.action.webspace for step in plan.steps] == [NORTH, NORTH]
    assert len(waiting(wide)) == 2


def test_forgotten_binding_opens_no_freeze() -> None:
    """A certificate that ended more than 72 hours ago does not open a freeze, because nobody seems to need it."""
    ended = NOW - 73 * HOUR
    seen = snapshot(lineage=lineage(version(), old_version(not_after=ended)), copies=(copy(not_after=None),))
    assert steps(seen) == []


def test_deletions_wait_for_the_end() -> None:
    """During a freeze Certroll deletes nothing, however soon the old certificate ends."""
    old = copy("certroll-kv-shop-old", OLD, source=None, not_after=NOW + HOUR)
    seen = snapshot(
        lineage=lineage(replace(version(), created=NOW - 40 * DAY), old_version(not_after=NOW + HOUR)),
        bindings=(binding(thumbprint=NEW),),
        copies=(copy(thumbprint=NEW), old),
        settings=(named(),),
        rollout=rollout(record(SiteState.PROVEN, at=NOW - 40 * DAY)),
    )
    may = {"delete_superseded": True, "delete_grace": timedelta(0)}
    assert steps(seen, replace(APPLY, **may)) == [Reason.SUPERSEDED]  # type: ignore[arg-type]
    assert steps(seen, replace(FROZEN, **may)) == []  # type: ignore[arg-type]


def test_only_replacements_hurry() -> None:
    """During a freeze Certroll neither deletes a root nor shortens a list, even if the old certificate ends soon."""
    seen = snapshot(lineage=ENDING, settings=(named(OLD, NEW),), environments=(environment(),), roots=(root(),))
    retire = RetireThumbprint(named(OLD, NEW), (SettingEdit(LOAD_LIST, None, (OLD,), NEW),), WEST)
    plan = Plan(tuple(Step(action, Reason.SUPERSEDED) for action in (DeleteRootCertificate(root()), retire)))
    assert [skip.reason for skip in frozen.guard(plan, seen, FROZEN).skips] == [Reason.FROZEN, Reason.FROZEN]


def test_root_is_added_if_the_old_root_ends_soon() -> None:
    """During a freeze Certroll adds the successor of a root that ends soon or is disabled, and no other root."""
    disabled = lineage(version(), replace(old_version(), enabled=False))
    for known, goes_on in ((NOT_YET, False), (ENDING, True), (disabled, True)):
        add = Plan((Step(AddRootCertificate(REF, version(), root("new", NEW)), Reason.ROOT_MISSING),))
        seen = snapshot(lineage=known, bindings=(), copies=(), environments=(environment(),), roots=(root(),))
        assert bool(frozen.guard(add, seen, FROZEN).steps) is goes_on


@pytest.mark.parametrize(("state", "done"), [(SiteState.PENDING, True), (SiteState.FAILED, False)])
def test_only_a_binding_under_way_is_finished(state: SiteState, *, done: bool) -> None:
    """Hands off: Certroll finishes the bindings of a site that it is moving, and begins no failed site again."""
    update = UpdateBinding(binding(), NEW, WEST)
    assert frozen.finishes(update, snapshot(rollout=rollout(record(state)))) is done


@pytest.mark.parametrize(
    ("there", "goes_on"),
    [
        pytest.param((OLDER,), True, id="nothing replaced it"),
        pytest.param((OLDER, NEW), True, id="only the current root is there"),
        pytest.param((OLDER, OLD), False, id="a later root replaced it"),
    ],
)
def test_disabled_root_hurries_until_a_later_root_is_there(there: tuple[Thumbprint, ...], *, goes_on: bool) -> None:
    """During a freeze a disabled root makes Certroll add the new root, unless a later root took its place before."""
    known = lineage(version(), old_version(), replace(old_version("v0", OLDER), enabled=False))
    add = Plan((Step(AddRootCertificate(REF, version(), root("new", NEW)), Reason.ROOT_MISSING),))
    roots = tuple(root(thumbprint.lower(), thumbprint) for thumbprint in there)
    seen = snapshot(lineage=known, bindings=(), copies=(), environments=(environment(),), roots=roots)
    assert bool(frozen.guard(add, seen, FROZEN).steps) is goes_on


def test_retirement_drags_no_sync_along() -> None:
    """During a freeze an app that only drops an ending version from its list makes no sync in its webspace urgent."""
    seen = snapshot(lineage=ENDING, bindings=(), settings=(named(OLD, pins={"PIN": OLD}),))
    edit = SettingEdit(LOAD_LIST, None, (OLD,), NEW)
    retire = Step(RetireThumbprint(seen.fleet.settings[0], (edit,), WEST), Reason.SUPERSEDED)
    (sync,) = (step for step in planner.plan(seen, APPLY).steps if step.action.replaces)
    assert frozen.guard(Plan((sync, retire)), seen, FROZEN).steps == ()


def test_root_that_no_other_replaces_does_not_hurry() -> None:
    """During a freeze Certroll adds a root to no other environment only because the root itself ends soon."""
    known = lineage(version(not_after=NOW + 71 * HOUR), old_version())
    add = Plan((Step(AddRootCertificate(REF, version(), root("new", NEW)), Reason.ROOT_MISSING),))
    seen = snapshot(lineage=known, bindings=(), copies=(), environments=(environment(),), roots=(root("new", NEW),))
    assert frozen.guard(add, seen, FROZEN).steps == ()


def test_import_that_ends_soon_is_synced() -> None:
    """During a freeze Certroll syncs an import that ends soon, even if no binding shows it."""
    assert steps(snapshot(bindings=(), copies=(copy(not_after=NOW + 71 * HOUR),))) == [Reason.STALE_COPY]
    assert steps(snapshot(bindings=(), copies=(copy(not_after=NOW + 73 * HOUR),))) == []


def test_begun_webspace_is_finished_and_no_other_begins() -> None:
    """During a freeze Certroll finishes the webspace whose sites it has recorded, and begins no other webspace."""
    begun = two_webspaces(rollout(record(SiteState.PENDING)))
    plan = planner.plan(begun, FROZEN)
    assert {str(step.action.webspace) for step in plan.steps} == {"rg-westeuropewebspace"}
    assert len(plan.steps) == 2
    assert len(waiting(begun)) == 3
    done = two_webspaces(rollout(record(SiteState.PROVEN)))
    assert steps(done) == []


REFUSED = frozenset({(HOST, Reason.DENIED_BY_AZURE)})


@pytest.mark.parametrize(
    ("known", "goes_on"),
    [
        pytest.param(record(SiteState.UNPROVEN), False, id="all bindings were written"),
        pytest.param(replace(record(SiteState.UNPROVEN), refused=REFUSED), True, id="Azure refused a binding"),
        pytest.param(replace(record(SiteState.UNPROVEN), rebind=Rebind.ASKED), True, id="a rebind is half done"),
        pytest.param(replace(record(SiteState.PROVEN), rebind=Rebind.DONE), False, id="a rebind is done"),
    ],
)
def test_site_that_is_half_written_is_finished(known: SiteRecord, *, goes_on: bool) -> None:
    """During a freeze Certroll writes the bindings that are left of a site, and begins no other site."""
    seen = snapshot(copies=(copy(thumbprint=NEW), copy("mine", OLD, source=None)), rollout=rollout(known))
    assert (Reason.STALE_THUMBPRINT in steps(seen)) is goes_on


@pytest.mark.parametrize(
    ("rolled", "goes_on"),
    [
        pytest.param(roll(RollState.STALE), False, id="admitted only"),
        pytest.param(roll(RollState.STALE, edits=(ADDED,)), True, id="perhaps written"),
        pytest.param(roll(RollState.DEFERRED), False, id="broken before"),
    ],
)
def test_app_whose_settings_may_be_written_is_finished(rolled: object, *, goes_on: bool) -> None:
    """During a freeze Certroll writes an app's settings only if an earlier run may have written them already."""
    seen = snapshot(bindings=(), copies=(copy(thumbprint=NEW), copy("kept", OLD, source=None)), settings=(named(OLD),))
    seen = replace(seen, rollout=rollout(rolls=(rolled,)))  # type: ignore[arg-type]
    assert (Reason.STALE_THUMBPRINT in steps(seen)) is goes_on


def test_last_good_values_come_back_during_a_freeze() -> None:
    """During a freeze Certroll restores the last good settings of an app that fails with the new version."""
    seen = snapshot(
        bindings=(),
        copies=(copy(thumbprint=NEW), copy("kept", OLD, source=None)),
        settings=(named(OLD, NEW),),
        rollout=rollout(rolls=(roll(RollState.FAILED, edits=(ADDED,)),)),
    )
    assert steps(seen) == [Reason.PROBE_FAILED]


def test_old_versions_are_kept_during_a_freeze() -> None:
    """During a freeze Certroll keeps the old version that an app names, because Azure syncs the import by itself."""
    assert steps(snapshot(settings=(named(OLD),))) == [Reason.SUPERSEDED_IN_USE]


def test_version_on_hold_is_told_as_held() -> None:
    """During a freeze the plan still says that a version failed, because an operator has to act."""
    plan = planner.plan(snapshot(rollout=rollout(record(SiteState.FAILED))), FROZEN)
    assert {skip.reason for skip in plan.skips} == {Reason.VERSION_HELD}


def test_app_that_loads_everything_waits_unless_its_certificate_ends_soon() -> None:
    """During a freeze Certroll restarts an app that loads every certificate only near the end of the old version."""
    for known, goes_on in ((NOT_YET, False), (ENDING, True)):
        seen = snapshot(
            lineage=known,
            sites=(site(tags=(("certroll-restart", "on"),)),),
            bindings=(),
            copies=(copy(thumbprint=NEW),),
            settings=(named(everything=True),),
        )
        assert steps(seen, APPLY) == [Reason.LOADED_AT_START]
        assert steps(seen) == ([Reason.LOADED_AT_START] if goes_on else [])


def test_nothing_is_bound_that_the_freeze_keeps_away() -> None:
    """During a freeze Certroll writes no thumbprint whose certificate only a frozen step would bring."""
    plan = planner.plan(snapshot(lineage=ENDING), APPLY)
    sync, bind = plan.steps
    elsewhere = replace(sync.action, copy=copy(webspace=NORTH))  # type: ignore[type-var]
    left = frozen.guard(Plan((Step(elsewhere, sync.reason), bind)), snapshot(lineage=ENDING), FROZEN)
    assert left.steps == ()
    assert [skip.reason for skip in left.skips] == [Reason.FROZEN, Reason.FROZEN]


def test_observe_mode_says_what_a_freeze_would_hold_back() -> None:
    """In observe mode the plan says of each step that it would wait for the end of the freeze."""
    plan = planner.plan(snapshot(), replace(FROZEN, mode=Mode.OBSERVE))
    assert [would.waits.reason if would.waits else None for would in plan.would] == [Reason.FROZEN, Reason.FROZEN]
