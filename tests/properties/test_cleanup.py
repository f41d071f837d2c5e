"""What holds of every deletion, whatever the world looks like."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product
from typing import TypeVar

from hypothesis import find, given
from hypothesis import strategies as st

from shared import planner
from shared.actions.delete_certificate import DeleteCertificate
from shared.domain.model import Binding, SslState, WebspaceCertificate
from shared.domain.names import HostName, Thumbprint, Webspace
from shared.domain.plan import Intent
from shared.domain.roll import RollState
from shared.domain.rollout import SiteState
from shared.domain.snapshot import Snapshot
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
    named,
    record,
    roll,
    rollout,
    site,
    snapshot,
    version,
)

NAMES = ("shop", "api", "web")
TAG = (("certroll-lineage", "kv-shop/shop"),)
AGES = (0, 29, 30, 31, 90)
Item = TypeVar("Item")
GRACES = (timedelta(0), 30 * DAY)
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
either, limits = st.booleans(), st.sampled_from((0, 1, 5, 5))


@st.composite
def tidy_worlds(draw: st.DrawFn) -> tuple[Snapshot, Intent]:
    """Return a world some time after a renewal, with uploads of older versions, and what operators want of them."""
    odd = draw(some_troubles)

    def among(trouble: str, good: Item, *others: Item) -> Item:
        return draw(st.sampled_from((good, *others))) if trouble in odd else good

    old = among("versions", 90, *AGES)
    created = {NEW: among("versions", 40, *(age for age in AGES if age <= old)), OLD: old, OLDER: max(old, 90)}
    seen = [site(name, webspace=draw(places)) for name in NAMES]
    bound = [
        Binding(one.ref, HostName(HOST), among("bindings", *STATES), among("bindings", *THUMBPRINTS)) for one in seen
    ]
    listed = [among("settings", QUIET, *NOISE) for _ in seen]
    settings = [
        replace(named(*names, site=one.ref.name, everything=everything), mentioned=mentioned)
        for one, (names, mentioned, everything) in zip(seen, listed, strict=True)
    ]
    records = [
        replace(
            record(among("records", SiteState.PROVEN, *SiteState), site=one.ref.name, at=NOW - draw(ages) * DAY),
            last_good=(Binding(one.ref, HostName(HOST), SslState.SNI, among("records", OLD, OLDER)),),
        )
        for one in seen
    ]
    rolls = [roll(among("rolls", *ROLLS), site=one.ref.name, at=NOW - draw(ages) * DAY) for one in seen]
    synced = [copy(f"kv-{place}", among("copies", NEW, OLD), webspace=place) for place in (WEST, NORTH)]
    foreign = among("copies", (), (copy("foreign", OLD, source=OTHER_REF),))
    world = snapshot(
        lineage=lineage(*(version(f"v-{t[0]}", t, created=NOW - age * DAY) for t, age in created.items())),
        sites=(*seen, *among("places", (), (site("nowhere", webspace=None),))),
        bindings=tuple(bound[: among("bindings", 3, 2, 1, 0)]),
        copies=(*synced, *foreign, *draw(some_uploads)),
        blind_spots=among("view", *VIEWS),
        settings=tuple(settings[among("unread", 0, 1, 2) :]),
        rollout=rollout(*records[: among("records", 3, 2, 1)], rolls=tuple(rolls[: among("rolls", 3, 1, 0)])),
    )
    grace, superseded, most = draw(graces), draw(either), draw(limits)
    return world, replace(APPLY, delete_grace=grace, delete_superseded=superseded, max_deletes=most)


def deleted(world: Snapshot, intent: Intent) -> list[WebspaceCertificate]:
    """Return what the plan deletes."""
    steps = planner.plan(world, intent).steps
    return [step.action.copy for step in steps if isinstance(step.action, DeleteCertificate)]


def place_of(world: Snapshot, name: object) -> Webspace | None:
    """Return the webspace of a site."""
    return next((one.webspace for one in world.fleet.sites if one.ref == name), None)


@given(tidy_worlds())
def test_nothing_in_use_is_ever_deleted(case: tuple[Snapshot, Intent]) -> None:
    """No binding shows, and no setting mentions, what a plan deletes; all of its webspace was seen."""
    world, intent = case
    for gone in deleted(world, intent):
        assert gone.thumbprint in {OLD, OLDER}
        assert gone.source is None
        for bound in world.fleet.bindings:
            assert bound.thumbprint != gone.thumbprint or place_of(world, bound.site) != gone.webspace
        for settings in world.fleet.settings:
            assert gone.thumbprint not in settings.mentioned or place_of(world, settings.site) != gone.webspace
            assert gone.thumbprint not in settings.named or place_of(world, settings.site) != gone.webspace
        assert not [spot for spot in world.fleet.blind_spots if spot.webspace in {None, gone.webspace}]
        read = {settings.site for settings in world.fleet.settings}
        assert all(one.ref in read for one in world.fleet.sites if one.webspace in {None, gone.webspace})
        assert any(one.thumbprint == NEW and one.webspace == gone.webspace for one in after_all(world, intent))


def after_all(world: Snapshot, intent: Intent) -> tuple[WebspaceCertificate, ...]:
    """Return the certificates after the plan."""
    return planner.project(planner.plan(world, intent), world).fleet.certificates


@given(tidy_worlds())
def test_only_what_operators_gave_leave_for_is_deleted(case: tuple[Snapshot, Intent]) -> None:
    """What people uploaded stays unless they said so, no more go than they said, and none within the grace."""
    world, intent = case
    gone = deleted(world, intent)
    assert len(gone) <= intent.max_deletes
    assert intent.delete_superseded or all(one.ref.name.startswith("certroll-") and one.tags for one in gone)
    for one in gone:
        newer = {OLD: NEW, OLDER: OLD}[Thumbprint(str(one.thumbprint))]
        came = next(v.created for v in world.lineage.versions if v.thumbprint == newer)
        assert came + intent.delete_grace <= NOW
        assert one.thumbprint != OLD or all(
            found.at + intent.delete_grace <= NOW
            for found in world.rollout.records
            if any(b.thumbprint == OLD for b in found.last_good)
        )


@given(tidy_worlds())
def test_nothing_is_deleted_that_was_not_proven_to_be_replaced(case: tuple[Snapshot, Intent]) -> None:
    """Every place of the webspace that has the current version was seen to use it."""
    world, intent = case
    for gone in deleted(world, intent):
        for bound in world.fleet.bindings:
            if bound.thumbprint == NEW and place_of(world, bound.site) == gone.webspace:
                assert any(r.site == bound.site and r.state is SiteState.PROVEN for r in world.rollout.records)
        for settings in world.fleet.settings:
            if NEW in settings.named and place_of(world, settings.site) == gone.webspace:
                assert any(r.site == settings.site and r.state is RollState.VALIDATED for r in world.rollout.rolls)


def test_something_is_deleted() -> None:
    """The worlds above hold some in which one goes that Certroll made, and one that people uploaded."""
    assert find(tidy_worlds(), lambda case: any(one.tags for one in deleted(*case)))
    assert find(tidy_worlds(), lambda case: any(not one.tags for one in deleted(*case)))
