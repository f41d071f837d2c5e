"""Check promises about Certroll's deletions of certificates in random snapshots."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import combinations, product
from typing import TypeVar

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import HostName, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.plan import Action, Plan, Step
from tests.build import (
    APPLY,
    DAY,
    HOST,
    NEW,
    NORTH,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    WEST,
    blind_spot,
    copy,
    lineage,
    mentions,
    named,
    record,
    roll,
    rollout,
    site,
    snapshot,
    version,
)
from tests.properties.promises import Broken, Case, Planner, Promise, keep, times

NAMES = ("shop", "api", "web")
TAG = (("certroll-lineage", "kv-shop/shop"),)
AGES = (0, 29, 30, 31, 90)
Item = TypeVar("Item")
GRACES = (timedelta(0), 30 * DAY)
LIVES = (91 * DAY, 45 * DAY)
THUMBPRINTS = (NEW, OLD, OLDER)
STATES = (SslState.SNI, SslState.IP_BASED, SslState.DISABLED)
ROLLS = (RollState.VALIDATED, RollState.UNPROVEN, RollState.ROLLED_BACK, RollState.OVERLAPPING)
VIEWS = ((), (blind_spot(WEST),), (blind_spot(None),), (replace(blind_spot(NORTH), settings_only=True),))
ages = st.sampled_from(AGES)
TROUBLES = ("versions", "view", "places", "bindings", "copies", "settings", "records", "rolls", "unread")
QUIET = ((), frozenset[Thumbprint](), False)
NOISE = (
    ((NEW,), frozenset({NEW}), False),
    ((OLD, NEW), frozenset({OLD, NEW}), False),
    ((), frozenset({OLD}), False),
    ((NEW,), frozenset({OLDER, NEW}), False),
    ((), frozenset[Thumbprint](), True),
)
some_troubles = st.sampled_from(
    [frozenset(some) for count in (0, 0, 0, 1, 1, 2) for some in combinations(TROUBLES, count)]
    + [frozenset(TROUBLES)] * 3
)
made_uploads = st.sampled_from(
    [
        replace(
            copy(
                f"{'certroll-' if ours else 'by-hand-'}{thumbprint[0].lower()}", thumbprint, webspace=place, source=None
            ),
            tags=TAG if ours else (),
        )
        for thumbprint, place, ours in product((OLD, OLDER), (WEST, NORTH), (True, False))
    ]
)
some_uploads = st.lists(made_uploads, min_size=1, max_size=4, unique=True)
places, graces = st.sampled_from((WEST, WEST, NORTH)), st.sampled_from(GRACES)
lives = st.sampled_from(LIVES)
either, limits = st.booleans(), st.sampled_from((0, 1, 5, 5))


@cache
def one_of(items: tuple[Item, ...]) -> st.SearchStrategy[Item]:
    """Return a cached strategy for the items, because building a strategy takes longer than a draw."""
    return st.sampled_from(items)


@st.composite
def tidy_worlds(draw: st.DrawFn) -> Case:
    """Return a case some time after a renewal, with uploads of older versions and the operator's intent."""
    odd = draw(some_troubles)

    def among(trouble: str, good: Item, *others: Item) -> Item:
        return draw(one_of((good, *others))) if trouble in odd else good

    old = among("versions", 90, *AGES)
    created = {NEW: among("versions", 40, *(age for age in AGES if age <= old)), OLD: old, OLDER: max(old, 90)}
    seen = [site(name, webspace=draw(places)) for name in NAMES]
    bound = [
        Binding(app.ref, HostName(HOST), among("bindings", *STATES), among("bindings", *THUMBPRINTS)) for app in seen
    ]
    listed = [among("settings", QUIET, *NOISE) for _ in seen]
    read = [
        replace(named(*names, site=app.ref.name, everything=everything), mentions=mentions(*mentioned))
        for app, (names, mentioned, everything) in zip(seen, listed, strict=True)
    ]
    records = [
        replace(
            record(among("records", SiteState.PROVEN, *SiteState), site=app.ref.name, at=NOW - draw(ages) * DAY),
            webspace=app.webspace or WEST,
            last_good=(Binding(app.ref, HostName(HOST), SslState.SNI, among("records", OLD, OLDER)),),
        )
        for app in seen
    ]
    rolls = [roll(among("rolls", *ROLLS), site=app.ref.name, at=NOW - draw(ages) * DAY) for app in seen]
    synced = [copy(f"kv-{place}", among("copies", NEW, OLD), webspace=place) for place in (WEST, NORTH)]
    foreign = among("copies", (), (copy("foreign", OLD, source=OTHER_REF),))
    ends = NOW - DAY + draw(lives)
    versions = (version(f"v-{t[0]}", t, created=NOW - age * DAY, not_after=ends) for t, age in created.items())
    world = snapshot(
        lineage=lineage(*versions),
        sites=(*seen, *among("places", (), (site("nowhere", webspace=None),))),
        bindings=tuple(bound[: among("bindings", 3, 2, 1, 0)]),
        copies=(*synced, *foreign, *draw(some_uploads)),
        blind_spots=among("view", *VIEWS),
        settings=tuple(read[among("unread", 0, 1, 2) :]),
        rollout=rollout(*records[: among("records", 3, 2, 1)], rolls=tuple(rolls[: among("rolls", 3, 1, 0)])),
    )
    grace, superseded, most = draw(graces), draw(either), draw(limits)
    return Case(world, replace(APPLY, delete_grace=grace, delete_superseded=superseded, max_deletes=most))


def deleted(case: Case) -> list[WebspaceCertificate]:
    """Return the certificates that the plan deletes from App Service."""
    return [step.action.copy for step in case.plan.steps if isinstance(step.action, DeleteCertificate)]


def place_of(world: Snapshot, name: object) -> Webspace | None:
    """Return the webspace of a site."""
    return next((found.webspace for found in world.fleet.sites if found.ref == name), None)


def nothing_in_use_is_deleted(case: Case) -> None:
    """Certroll deletes no certificate that a binding or a setting uses, and none in a partly unreadable webspace."""
    world = case.world
    for gone in deleted(case):
        assert gone.thumbprint in {OLD, OLDER}
        assert gone.source is None
        for bound in world.fleet.bindings:
            assert bound.thumbprint != gone.thumbprint or place_of(world, bound.site) != gone.webspace
        for app in world.fleet.settings:
            assert gone.thumbprint not in app.mentioned or place_of(world, app.site) != gone.webspace
            assert gone.thumbprint not in app.named or place_of(world, app.site) != gone.webspace
        assert not [spot for spot in world.fleet.blind_spots if spot.webspace in {None, gone.webspace}]
        read = {app.site for app in world.fleet.settings}
        assert all(found.ref in read for found in world.fleet.sites if found.webspace in {None, gone.webspace})
        left = case.after.fleet.certificates
        assert any(c.thumbprint == NEW and c.webspace == gone.webspace for c in left)


def only_what_operators_gave_leave_for_is_deleted(case: Case) -> None:
    """Certroll deletes operators' uploads only on request, stays within the limit, and respects the grace period."""
    world, intent, gone = case.world, case.intent, deleted(case)
    # all versions of a case have the same dates
    life = world.lineage.versions[0].not_after - world.lineage.versions[0].not_before
    grace = min(intent.delete_grace, life / 3)
    assert len(gone) <= intent.max_deletes
    assert intent.delete_superseded or all(c.ref.name.startswith("certroll-") and c.tags for c in gone)
    for upload in gone:
        newer = {OLD: NEW, OLDER: OLD}[Thumbprint(str(upload.thumbprint))]
        came = next(v.created for v in world.lineage.versions if v.thumbprint == newer)
        assert came + grace <= NOW
        assert upload.thumbprint != OLD or all(
            found.at + grace <= NOW
            for found in world.rollout.records
            if found.webspace == upload.webspace and any(bound.thumbprint == OLD for bound in found.last_good)
        )


def nothing_is_deleted_that_was_not_proven_to_be_replaced(case: Case) -> None:
    """Certroll's plan deletes an old certificate only if every use of the current version in its webspace is proven."""
    world, records, rolls = case.world, case.world.rollout.records, case.world.rollout.rolls
    for gone in deleted(case):
        for bound in world.fleet.bindings:
            if bound.thumbprint == NEW and place_of(world, bound.site) == gone.webspace:
                assert any(r.site == bound.site and r.state is SiteState.PROVEN for r in records)
        for app in world.fleet.settings:
            if NEW in app.named and place_of(world, app.site) == gone.webspace:
                assert any(r.site == app.site and r.state is RollState.VALIDATED for r in rolls)


PROMISES: tuple[Promise[Case], ...] = (
    nothing_in_use_is_deleted,
    only_what_operators_gave_leave_for_is_deleted,
    nothing_is_deleted_that_was_not_proven_to_be_replaced,
)


@times(0.5, soak=1.5)
@given(tidy_worlds())
def test_promises_about_deletions_are_kept(case: Case) -> None:
    """Certroll's plans keep every promise about deletions, whatever certificates exist some time after a renewal."""
    keep(case, PROMISES)


@pytest.mark.parametrize("ours", [True, False])
def test_something_is_deleted(*, ours: bool) -> None:
    """The strategy `tidy_worlds` draws cases in which the plan deletes Certroll's uploads and operators' uploads."""
    quick = settings(max_examples=2000, phases=[Phase.generate])
    assert find(tidy_worlds(), lambda case: any(bool(copy.tags) is ours for copy in deleted(case)), settings=quick)


# ------------------------------------------------------------------------------------------ each promise can fail

UPLOAD = copy("by-hand", OLD, source=None)
WIDE = replace(APPLY, delete_superseded=True)
LATE = NOW - 40 * DAY
VERSIONS = lineage(version(created=LATE), version("v1", OLD, created=NOW - 90 * DAY))
SHOWS_NEW = Binding(site().ref, HostName(HOST), SslState.SNI, NEW)
LAST_GOOD = replace(record(SiteState.PROVEN, at=LATE), last_good=(replace(SHOWS_NEW, thumbprint=OLD),))
TIDY = snapshot(
    lineage=VERSIONS,
    bindings=(SHOWS_NEW,),
    copies=(copy("kv", NEW), UPLOAD),
    settings=(named(),),
    rollout=rollout(LAST_GOOD),
)


def with_fleet(**differences: object) -> Snapshot:
    """Return the snapshot `TIDY` with the given differences in its sites and certificates."""
    return replace(TIDY, fleet=replace(TIDY.fleet, **differences))  # type: ignore[arg-type]


def deleting(*copies: WebspaceCertificate) -> Planner:
    """Return a faulty planner that deletes the given certificates in every snapshot."""
    actions: list[Action] = [DeleteCertificate(found, ()) for found in copies]
    plan = Plan(tuple(Step(action, Reason.SUPERSEDED) for action in actions))
    return lambda _world, _intent: plan


NEVER_PROVEN = replace(TIDY, rollout=rollout())
NAMES_NEW = with_fleet(settings=(named(NEW),))
SOON = replace(TIDY, lineage=lineage(version(created=NOW - DAY), version("v1", OLD, created=NOW - 90 * DAY)))
FRESHLY_MOVED = replace(TIDY, rollout=rollout(replace(LAST_GOOD, at=NOW - DAY)))
MENTIONED = with_fleet(settings=(replace(named(), mentions=mentions(OLD)),))
DOCTORED: tuple[tuple[Promise[Case], Case, Planner], ...] = (
    (nothing_in_use_is_deleted, Case(TIDY), deleting(copy("kv", NEW))),
    (nothing_in_use_is_deleted, Case(TIDY), deleting(copy("kv", OLD))),
    (nothing_in_use_is_deleted, Case(with_fleet(bindings=(replace(SHOWS_NEW, thumbprint=OLD),))), deleting(UPLOAD)),
    (nothing_in_use_is_deleted, Case(MENTIONED), deleting(UPLOAD)),
    (nothing_in_use_is_deleted, Case(with_fleet(settings=(named(OLD),))), deleting(UPLOAD)),
    (nothing_in_use_is_deleted, Case(with_fleet(blind_spots=(blind_spot(WEST),))), deleting(UPLOAD)),
    (nothing_in_use_is_deleted, Case(with_fleet(settings=())), deleting(UPLOAD)),
    (nothing_in_use_is_deleted, Case(with_fleet(certificates=(UPLOAD,))), deleting(UPLOAD)),
    (only_what_operators_gave_leave_for_is_deleted, Case(TIDY), deleting(UPLOAD)),
    (only_what_operators_gave_leave_for_is_deleted, Case(TIDY, replace(WIDE, max_deletes=0)), deleting(UPLOAD)),
    (only_what_operators_gave_leave_for_is_deleted, Case(SOON, WIDE), deleting(UPLOAD)),
    (only_what_operators_gave_leave_for_is_deleted, Case(FRESHLY_MOVED, WIDE), deleting(UPLOAD)),
    (nothing_is_deleted_that_was_not_proven_to_be_replaced, Case(NEVER_PROVEN), deleting(UPLOAD)),
    (nothing_is_deleted_that_was_not_proven_to_be_replaced, Case(NAMES_NEW), deleting(UPLOAD)),
)
BROKEN = [Broken(promise, case, replace(case, plans=plans)) for promise, case, plans in DOCTORED]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_each_promise_can_fail(broken: Broken[Case]) -> None:
    """The check of a promise fails for a planner that breaks the promise, and passes for Certroll's planner."""
    broken.is_noticed()


def test_no_promise_is_left_out() -> None:
    """For each promise about deletions a test has a planner that breaks the promise."""
    assert {promise for promise, *_ in DOCTORED} == {*PROMISES}
