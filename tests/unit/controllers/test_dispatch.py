"""Certroll decides which apps' settings it may now update to a new certificate version, and records these apps."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.controllers.certificate.admission import has_unrecorded, roll_records
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit, SiteSettings
from shared.domain.intent import Intent, Mode
from shared.domain.names import Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable, RestartBudget
from shared.domain.rollout.settings_record import CONTEST_WINDOW, RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning import planner
from shared.planning.actions.keep_superseded import KeepSuperseded
from shared.planning.actions.refresh_references import RefreshReferences
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.plan import Plan, Skip, Step
from tests.build import (
    APPLY,
    ASE,
    DAY,
    FOREIGN,
    HOUR,
    NEW,
    NORTH,
    NOW,
    OFF,
    OLD,
    OLDER,
    OTHER_ASE,
    OTHER_REF,
    REF,
    SUBSCRIPTION,
    WEST,
    binding,
    copy,
    farm,
    lineage,
    named,
    old_version,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

SECOND = timedelta(seconds=1)
SYNCED, KEPT = copy(thumbprint=NEW), copy("kept", OLD, source=None)
EDIT = SettingEdit(LOAD_LIST, NEW, (), OLD)
FRESH_RECORD = RollRecord(
    site_ref(),
    "v2",
    WEST,
    RollState.STALE,
    NOW,
    plan=site_ref().resource_id,
    copies=(KEPT.ref, SYNCED.ref),
    replaces=(OLD,),
)


def rolling(name: str = "shop", webspace: Webspace = WEST) -> Step:
    """Return the step that updates an app's settings from the old to the new certificate version."""
    return Step(RollAppSettings(named(OLD, site=name), (EDIT,), webspace), Reason.STALE_THUMBPRINT)


def world(*rolls: RollRecord, past: tuple[RollRecord, ...] = (), **others: Any) -> Snapshot:  # noqa: ANN401 - as snapshot
    """Return a snapshot of Azure with both versions in the webspace and an app that names the old version."""
    given: dict[str, Any] = {"copies": (SYNCED, KEPT), "settings": (named(OLD),)} | others
    return snapshot(**given, rollout=rollout(rolls=rolls, past=past))


def records(
    seen: Snapshot,
    *steps: Step,
    skips: tuple[Skip, ...] = (),
    intent: Intent = APPLY,
    fresh: bool = True,
) -> tuple[RollRecord, ...]:
    """Return the records of apps that Certroll writes for a plan of steps.

    An event or a sweep made the plan of steps, unless `fresh` is False.
    """
    return roll_records(seen, Plan(steps, skips), intent, fresh=fresh)


@pytest.mark.parametrize(
    ("state", "fresh", "told"),
    [
        pytest.param(RollState.REFUSED, True, True, id="it was refused, and somebody looks afresh"),
        pytest.param(RollState.REFUSED, False, False, id="it was refused a moment ago"),
        pytest.param(RollState.UNPROVEN, False, True, id="it was not refused"),
        pytest.param(None, False, True, id="nothing is recorded"),
    ],
)
def test_app_that_was_refused_is_told_afresh_only(state: RollState | None, *, fresh: bool, told: bool) -> None:
    """If an app's settings update was refused, Certroll tries the update again only after an event or a sweep."""
    seen = world(*([roll(state)] if state else []))
    assert bool(records(seen, rolling(), fresh=fresh)) is told


def test_app_that_was_refused_holds_up_nobody_anew() -> None:
    """If Certroll tries an app's refused settings update again, other apps do not wait for this app a second time."""
    (record,) = records(world(roll(RollState.REFUSED, at=NOW - DAY)), rolling())
    assert (record.state, record.at) == (RollState.STALE, NOW - DAY)
    (record,) = records(world(roll(RollState.UNPROVEN, at=NOW - DAY)), rolling())
    assert record.at == NOW


# -------------------------------------------------------------------------------------------- which apps are admitted


def test_app_that_may_go_is_recorded() -> None:
    """Certroll records an app before it updates the app's settings.

    An app's record has the replaced thumbprints and the certificates in App Service for both versions.
    """
    assert records(world(), rolling()) == (FRESH_RECORD,)


def test_record_knows_what_there_will_be() -> None:
    """An app's record lists the certificates in App Service that will have either version after the planned steps."""
    keep = Step(KeepSuperseded(REF, old_version(), KEPT, farm(), held_by=copy().ref), Reason.SUPERSEDED_IN_USE)
    sync = Step(SyncCertificate(copy(), farm(), version()), Reason.STALE_COPY)
    others = copy("x", FOREIGN), copy("y", NEW, webspace=NORTH), copy("z", OLDER, source=None)
    seen = world(copies=(copy(), *others))
    (record,) = records(seen, keep, sync, rolling())
    assert record.copies == (KEPT.ref, SYNCED.ref)


def test_record_knows_the_plan_of_the_app() -> None:
    """The record of an app names its App Service plan, or the app itself if Azure reports no plan."""
    (record,) = records(world(sites=(site(plan="/plans/a"),)), rolling())
    assert record == replace(FRESH_RECORD, plan="/plans/a")


def test_record_counts_the_settings() -> None:
    """The record of an app has the app's number of settings, so that Certroll notices an incomplete read."""
    (record,) = records(world(settings=(named(OLD, digests={"A": "1", "B": "2", "C": "3"}),)), rolling())
    assert record.settings == 3


def test_apps_are_told_in_a_stable_order() -> None:
    """Certroll starts each app's settings update once, in the order of names, whatever its number of steps."""
    sites = tuple(site(name) for name in ("b", "a"))
    seen = world(sites=sites, settings=tuple(named(OLD, site=name) for name in ("b", "a")))
    refresh = Step(RefreshReferences(named(OLD, site="b"), "v2", WEST), Reason.STALE_REFERENCE)
    assert [str(record.site) for record in records(seen, rolling("b"), rolling("a"), refresh)] == ["a", "b"]


def test_what_restarts_no_app_tells_none() -> None:
    """Certroll starts no update of app settings if the plan of steps changes only bindings or certificates."""
    update = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
    sync = Step(SyncCertificate(copy(), farm(), version()), Reason.STALE_COPY)
    assert records(world(), update, sync) == ()


def test_app_is_not_told_where_the_version_did_not_come() -> None:
    """If Azure refused to sync the imported certificate of a webspace, Certroll updates no app's settings there."""
    assert records(world(copies=(KEPT,)), rolling()) == ()
    assert records(world(), rolling()) == (FRESH_RECORD,)


@pytest.mark.parametrize(
    "others",
    [
        pytest.param({"lineage": lineage(current=None)}, id="no version passes the gate"),
        pytest.param({"settings": ()}, id="its settings were not read"),
        pytest.param({"sites": ()}, id="its site was not seen"),
        pytest.param({"sites": (site(webspace=None),)}, id="its webspace is not known"),
    ],
)
def test_app_is_not_told_blindly(others: dict[str, Any]) -> None:
    """Certroll updates no app's settings if the app's settings, site, webspace or target version are unknown."""
    assert records(world(**others), rolling()) == ()
    assert records(world(roll(RollState.REFUSED), **others), rolling()) == ()


def test_app_of_an_environment_is_told_how_many_may_restart_beside_it() -> None:
    """A percentage limit on restarts counts the running apps of the environment, and those of the app's own plan."""
    apps = [("shop", "front", True), ("b", "front", True), ("c", "back", True), ("d", "back", True)]
    apps += [(name, plan, False) for plan in ("front", "back") for name in (f"{plan}-1", f"{plan}-2")]
    hosted = [site(name, plan=plan, running=running, environment=ASE) for name, plan, running in apps]
    seen = world(sites=(*hosted, site("elsewhere", plan="front", environment=OTHER_ASE), site("outside")))
    half = replace(APPLY, ase_max_unavailable=MaxUnavailable(50, percent=True))
    assert [record.budget for record in records(seen, rolling(), intent=half)] == [RestartBudget(ASE.resource_id, 2, 1)]
    assert [record.budget for record in records(seen, rolling())] == [None]
    assert [record.budget for record in records(world(), rolling(), intent=half)] == [None]


def test_app_that_is_under_way_is_not_told_again() -> None:
    """Certroll does not start an app's settings update again while that update is in progress."""
    under_way = {RollState.STALE, RollState.OVERLAPPING, RollState.FAILED, RollState.RESTORED}
    told = {state: [record.state for record in records(world(roll(state)), rolling())] for state in RollState}
    assert told == {state: [] if state in under_way else [RollState.STALE] for state in RollState}


def test_app_is_not_told_before_an_earlier_version_is_judged() -> None:
    """Certroll updates an app to a later version only after the update to an earlier version is proven or undone."""
    unfinished = {RollState.OVERLAPPING, RollState.FAILED, RollState.RESTORED}
    earlier = [replace(roll(state), version="v1") for state in RollState]
    assert {record.state for record in earlier if not records(world(past=(record,)), rolling())} == unfinished
    elsewhere = [replace(record, site=site_ref("other")) for record in earlier]
    assert [record.state for record in elsewhere if len(records(world(past=(record,)), rolling())) != 1] == []


def test_record_follows_on_the_one_before() -> None:
    """The new record of an app keeps what was proven, and the way back of a write that Azure may still carry out."""
    before = roll(RollState.REFUSED, proven=(OLDER,), revision="7", detail="denied", settings=0, edits=(EDIT,))
    earlier = replace(before, version="v1", revision="5", proven=(OLD,))
    after = replace(FRESH_RECORD, at=before.at, proven=(OLDER,), revision="7")
    assert records(world(before), rolling()) == (after,)
    assert records(world(before, past=(earlier,)), rolling()) == (after,)
    doubtful = replace(before, in_doubt=True, asked="digest")
    assert records(world(doubtful), rolling()) == (replace(after, edits=(EDIT,), asked="digest"),)
    assert records(world(past=(earlier,)), rolling()) == (replace(FRESH_RECORD, proven=(OLD,), revision="5"),)
    assert records(world(roll(RollState.REFUSED, site="other", proven=(OLDER,))), rolling()) == (FRESH_RECORD,)


@pytest.mark.parametrize(
    ("state", "kept"),
    [(RollState.DEFERRED, True), (RollState.REFUSED, None), (RollState.UNPROVEN, None)],
    ids=["it was deferred", "it was refused", "it was unproven"],
)
def test_app_that_was_broken_before_is_known(state: RollState, *, kept: bool | None) -> None:
    """Certroll remembers that an app was broken before its settings update, and probes other apps before the update."""
    (record,) = records(world(roll(state, broken_before=True)), rolling())
    assert record.broken_before is kept


@pytest.mark.parametrize(
    ("before", "seen", "failing", "expected"),
    [
        pytest.param(40, 41, None, 41, id="more than before: what is seen"),
        pytest.param(40, 40, None, 40, id="as many as before"),
        pytest.param(40, 3, None, 40, id="fewer than before: what was known"),
        pytest.param(40, 3, DAY - SECOND, 40, id="fewer since just less than a day: what was known"),
        pytest.param(40, 3, DAY, 3, id="fewer since a day: what is seen"),
    ],
)
def test_shrunken_read_is_believed_after_a_day(
    before: int, seen: int, failing: timedelta | None, expected: int
) -> None:
    """If Certroll reads fewer settings of an app than before, Certroll trusts the smaller number only after a day.

    If a read shows fewer settings for a whole day, Certroll assumes that an operator removed the missing settings.
    """
    since = None if failing is None else NOW - failing
    known = replace(roll(RollState.REFUSED, settings=before), failing_since=since)
    settings = named(OLD, digests={str(number): "" for number in range(seen)})
    (record,) = records(world(known, settings=(settings,)), rolling())
    assert (record.settings, record.failing_since) == (expected, since)


def test_failing_since_is_not_taken_over_from_another_state() -> None:
    """Only if an app's settings update was refused, Certroll keeps the time since which the app has been failing."""
    known = replace(roll(RollState.UNPROVEN, settings=40), failing_since=NOW - DAY)
    (record,) = records(world(known), rolling())
    assert record.failing_since is None


# ------------------------------------------------------------------------------------------------- undone, and retired


@pytest.mark.parametrize(
    ("before", "undone"),
    [
        pytest.param(roll(RollState.VALIDATED), (NOW,), id="it was validated: somebody took it back"),
        pytest.param(roll(RollState.UNPROVEN), (NOW,), id="it was unproven: somebody took it back"),
        pytest.param(roll(RollState.RETIRED), (NOW,), id="it was retired: somebody took it back"),
        pytest.param(roll(RollState.REFUSED), (), id="it was refused: it was never done"),
        pytest.param(roll(RollState.DEFERRED), (), id="it was deferred: it was never done"),
        pytest.param(roll(RollState.ROLLED_BACK), (), id="it was rolled back: we did that"),
        pytest.param(
            roll(RollState.VALIDATED, undone=(NOW - CONTEST_WINDOW, NOW - HOUR)),
            (NOW - HOUR, NOW),
            id="what is a day ago is past",
        ),
        pytest.param(
            roll(RollState.CONTESTED, undone=(NOW - HOUR,)), (NOW - HOUR,), id="it was contested: not once more"
        ),
        pytest.param(
            roll(RollState.VALIDATED, replaces=(OLDER, OLD)), (NOW,), id="one of what it replaced is there again"
        ),
        pytest.param(
            roll(RollState.VALIDATED, replaces=(OLDER,)), (), id="what is there was not there before: it is new"
        ),
    ],
)
def test_roll_that_was_undone_is_counted(before: RollRecord, undone: tuple[Any, ...]) -> None:
    """Certroll notes the time at which it finds that another writer undid a completed settings update."""
    (record,) = records(world(before), rolling())
    assert (record.undone, record.retiring) == (undone, False)


RETIRE = Step(RetireThumbprint(named(OLD, NEW), (SettingEdit(LOAD_LIST, None, (OLD,), NEW),), WEST), Reason.SUPERSEDED)


def test_retirement_is_no_undoing() -> None:
    """Certroll does not count a settings update as undone if Certroll itself plans to remove the old version."""
    seen = world(roll(RollState.VALIDATED, undone=(NOW - HOUR,)), settings=(named(OLD, NEW),))
    assert records(seen, RETIRE) == (replace(FRESH_RECORD, retiring=True, undone=(NOW - HOUR,)),)


def test_validated_app_that_is_stale_again_is_rolled() -> None:
    """If another writer restored an app's old settings, Certroll updates them and removes no old version."""
    (record,) = records(world(roll(RollState.VALIDATED)), rolling())
    assert (record.retiring, record.undone) == (False, (NOW,))


def test_unproven_app_is_never_told_to_retire() -> None:
    """Certroll does not remove the old version from the settings of an app without proof of the new version."""
    (record,) = records(world(roll(RollState.UNPROVEN), settings=(named(OLD, NEW),)), RETIRE)
    assert record.retiring is False


CONTEST_SKIP = Skip("app settings of shop", Reason.CONTESTED, "others took this roll back", site_ref())


def test_fight_is_recorded_once() -> None:
    """After another writer undid an app's settings update twice, Certroll records the conflict once."""
    before = roll(RollState.VALIDATED, undone=(NOW - 2 * DAY, NOW - HOUR), revision="7", proven=(OLD,))
    after = replace(
        before, state=RollState.CONTESTED, at=NOW, undone=(NOW - HOUR, NOW), detail="others took this roll back"
    )
    assert records(world(before), skips=(CONTEST_SKIP,)) == (after,)
    assert records(world(after), skips=(CONTEST_SKIP,)) == ()


@pytest.mark.parametrize(
    ("skip", "known"),
    [
        pytest.param(replace(CONTEST_SKIP, reason=Reason.NOT_LIVE), True, id="another reason"),
        pytest.param(replace(CONTEST_SKIP, site=None), True, id="no site"),
        pytest.param(CONTEST_SKIP, False, id="nothing is recorded"),
    ],
)
def test_other_refusals_are_no_fight(skip: Skip, *, known: bool) -> None:
    """Certroll records a conflict with another writer only if its plan reports it and the app has a record."""
    assert records(world(*([roll(RollState.VALIDATED)] if known else [])), skips=(skip,)) == ()


# ----------------------------------------------------------------------------------------------- overlaps found as such

OVERLAP = named(NEW, OLD)
OVERLAPPING = replace(FRESH_RECORD, state=RollState.OVERLAPPING)


def test_overlap_that_nobody_recorded_is_recorded() -> None:
    """If an app's settings name both versions before any update, Certroll probes the app without a write."""
    seen = world(settings=(OVERLAP,))
    assert records(seen) == (OVERLAPPING,)
    assert has_unrecorded(seen, Plan(), APPLY)


def test_overlap_of_a_pin_is_recorded() -> None:
    """An app names both versions if a setting is the new thumbprint and WEBSITE_LOAD_CERTIFICATES has the old one."""
    assert records(world(settings=(named(OLD, pins={"PIN": NEW}),))) == (OVERLAPPING,)


@pytest.mark.parametrize(
    ("seen", "plan", "intent"),
    [
        pytest.param(world(settings=(named(NEW),)), Plan(), APPLY, id="it names the new one alone"),
        pytest.param(world(settings=(named(OLD),)), Plan(), APPLY, id="it names the old one alone"),
        pytest.param(world(settings=(named(NEW, FOREIGN),)), Plan(), APPLY, id="it names another's next to it"),
        pytest.param(world(settings=(OVERLAP,)), Plan(), Intent(), id="the mode is observe"),
        pytest.param(
            world(settings=(OVERLAP,), lineage=lineage(tags=OFF)), Plan(), APPLY, id="the vault certificate opted out"
        ),
        pytest.param(
            world(settings=(OVERLAP,), sites=(site(tags=(("certroll", "OFF"),)),)),
            Plan(),
            APPLY,
            id="the site opted out",
        ),
        pytest.param(
            world(settings=(OVERLAP,)),
            Plan(),
            Intent(mode=Mode.APPLY, own_site="shop", own_subscription=SUBSCRIPTION),
            id="it is our own",
        ),
        pytest.param(
            world(roll(RollState.UNPROVEN), settings=(OVERLAP,)), Plan(), APPLY, id="it is recorded for this version"
        ),
        pytest.param(
            world(settings=(OVERLAP,)),
            Plan((), (Skip("x", Reason.NOT_LIVE, "y", site_ref()),)),
            APPLY,
            id="it is refused",
        ),
        pytest.param(
            world(settings=(OVERLAP,), lineage=lineage(current=None)), Plan(), APPLY, id="no version passes the gate"
        ),
    ],
)
def test_what_is_no_overlap_is_not_recorded(seen: Snapshot, plan: Plan, intent: Intent) -> None:
    """In the listed test cases, Certroll does not record that an app names both the old and the new version."""
    assert roll_records(seen, plan, intent, fresh=True) == ()
    assert not has_unrecorded(seen, plan, intent)


def test_app_with_a_step_is_no_found_overlap() -> None:
    """Certroll updates the settings of an app that names both versions if the plan has a change for the app."""
    refresh = Step(RefreshReferences(OVERLAP, "v2", WEST), Reason.STALE_REFERENCE)
    seen = world(settings=(OVERLAP,))
    assert records(seen, refresh) == (FRESH_RECORD,)
    assert not has_unrecorded(seen, Plan((refresh,)), APPLY)


WRITTEN_ALL_THE_SAME = replace(
    roll(RollState.REFUSED, replaces=(OLD, OLDER), edits=(EDIT,), at=NOW - HOUR, revision="7"), failing_since=NOW - HOUR
)


@pytest.mark.parametrize("settings", [OVERLAP, named(NEW)], ids=["both are named", "only the new one is named"])
def test_app_that_counts_as_refused_and_was_written_is_asked(settings: SiteSettings) -> None:
    """Certroll probes an app if its refused settings write took effect anyway, and keeps the app's earlier values."""
    seen = world(WRITTEN_ALL_THE_SAME, settings=(settings,))
    found = replace(WRITTEN_ALL_THE_SAME, state=RollState.OVERLAPPING, at=NOW, failing_since=None)
    assert records(seen) == (found,)
    assert has_unrecorded(seen, Plan(), APPLY)
    assert records(seen, fresh=False) == ()


@pytest.mark.parametrize(
    ("record", "settings"),
    [
        pytest.param(replace(WRITTEN_ALL_THE_SAME, edits=()), OVERLAP, id="nothing was to be written"),
        pytest.param(WRITTEN_ALL_THE_SAME, named(OLD), id="the new one is not named"),
        pytest.param(
            replace(WRITTEN_ALL_THE_SAME, state=RollState.UNPROVEN), OVERLAP, id="it does not count as refused"
        ),
    ],
)
def test_app_that_was_not_written_is_not_asked(record: RollRecord, settings: SiteSettings) -> None:
    """If a refused settings write did not take effect, Certroll does not record that the app names both versions."""
    seen = world(record, settings=(settings,))
    assert records(seen) == ()
    assert not has_unrecorded(seen, Plan(), APPLY)


@pytest.mark.parametrize("tags", [(), (("certroll", "on"),)], ids=["no tag", "another word"])
def test_only_off_spares_an_overlap(tags: Tags) -> None:
    """Of the values of the tag `certroll`, only `off` excludes an app that names the old and the new version."""
    assert len(records(world(settings=(OVERLAP,), sites=(site(tags=tags),)))) == 1


def test_contested_version_is_not_replaced() -> None:
    """If a version was also imported from another vault certificate, Certroll replaces it in no app's settings."""
    theirs = copy("theirs", OLDER, source=OTHER_REF)
    versions = lineage(version(), old_version(), old_version("v0", OLDER))
    seen = world(settings=(named(OLD, OLDER, NEW),), copies=(SYNCED, KEPT, theirs), lineage=versions)
    assert records(seen) == (OVERLAPPING,)


def test_records_come_in_the_order_of_their_sites() -> None:
    """Certroll returns the records of admitted apps (apps whose settings it may update) in the order of their names."""
    names = "a", "b", "c"
    seen = snapshot(
        sites=tuple(site(name) for name in names),
        copies=(SYNCED, KEPT),
        settings=(named(OLD, NEW, site="a"), named(OLD, site="b"), named(OLD, site="c")),
        rollout=rollout(rolls=(roll(RollState.VALIDATED, site="b", undone=(NOW - HOUR,)),)),
    )
    contested = replace(CONTEST_SKIP, site=site_ref("b"))
    found = records(seen, rolling("c"), skips=(contested,))
    assert [(str(record.site), record.state) for record in found] == [
        ("a", RollState.OVERLAPPING),
        ("b", RollState.CONTESTED),
        ("c", RollState.STALE),
    ]


def test_told_app_has_nothing_else_to_plan() -> None:
    """Certroll's run for an app plans the settings update that Certroll's run for the certificate recorded."""
    seen = world()
    (record,) = records(seen, rolling())
    told = replace(seen, rollout=rollout(rolls=(record,)))
    assert [step.action for step in planner.plan(told, APPLY).steps if step.action.restarts_site] == [rolling().action]
