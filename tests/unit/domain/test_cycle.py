"""The record of an environment says which roots are expected and whether all apps were stopped and started."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.environments.apps import WaveApp
from shared.domain.environments.record import (
    MOST_ROOTS,
    AppRestart,
    AppRestartState,
    EnvironmentRecord,
    NotedRoot,
    Want,
)
from shared.domain.names import Thumbprint
from tests.build import ASE, DAY, HOUR, NEW, NEWER, NOW, OLD, site_ref

BEFORE, AFTER = NOW - HOUR, NOW + HOUR
SECOND = timedelta(seconds=1)
NOTHING = EnvironmentRecord(ASE)
NOTED = NotedRoot(NEW, BEFORE)
SEEN = NotedRoot(NEW, BEFORE, NOW)
DONE = EnvironmentRecord(ASE, (SEEN,), since=NOW, done_at=AFTER)


def many(count: int) -> tuple[NotedRoot, ...]:
    """Return the given number of root certificates that are present in the App Service Environment."""
    return tuple(NotedRoot(Thumbprint(f"{number:040X}"), BEFORE, BEFORE) for number in range(count))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((), (NotedRoot(NEW, NOW),), id="the first"),
        pytest.param((NOTED,), (NotedRoot(NEW, NOW),), id="one that did not come, and is put once more"),
        pytest.param((SEEN,), (NotedRoot(NEW, NOW),), id="one that was seen, and is put once more"),
        pytest.param(
            (SEEN, NotedRoot(OLD, BEFORE)), (NotedRoot(OLD, BEFORE), NotedRoot(NEW, NOW)), id="the others are kept"
        ),
        pytest.param(many(MOST_ROOTS), (*many(MOST_ROOTS)[1:], NotedRoot(NEW, NOW)), id="the oldest makes room"),
        pytest.param(
            (SEEN, *many(MOST_ROOTS - 1)),
            (*many(MOST_ROOTS - 1), NotedRoot(NEW, NOW)),
            id="nothing else makes room for one that is known",
        ),
        pytest.param(
            (NotedRoot(OLD, BEFORE), *many(MOST_ROOTS - 1)),
            (NotedRoot(OLD, BEFORE), *many(MOST_ROOTS - 1)[1:], NotedRoot(NEW, NOW)),
            id="what did not come yet makes no room",
        ),
    ],
)
def test_root_is_noted_before_it_is_put(before: tuple[NotedRoot, ...], after: tuple[NotedRoot, ...]) -> None:
    """Certroll records a root before it uploads the root, and then waits until the environment has the root."""
    record = replace(DONE, roots=before)
    assert record.noting(NEW, NOW) == replace(DONE, roots=after)
    assert len(after) <= MOST_ROOTS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((), (NotedRoot(NEW, NOW, NOW),), id="the first"),
        pytest.param((NOTED,), (NOTED,), id="one that is waited for goes on being waited for"),
        pytest.param((SEEN,), (SEEN,), id="one that was seen already"),
        pytest.param(many(MOST_ROOTS), (*many(MOST_ROOTS)[1:], NotedRoot(NEW, NOW, NOW)), id="the oldest makes room"),
    ],
)
def test_root_that_somebody_else_put_is_known(before: tuple[NotedRoot, ...], after: tuple[NotedRoot, ...]) -> None:
    """Certroll remembers a root that somebody else uploaded, and stops no app for such a root."""
    record = replace(DONE, roots=before)
    assert record.knowing(NEW, NOW) == replace(DONE, roots=after)
    assert record.knowing(NEW, NOW).is_open is record.is_open


def test_root_that_a_vault_object_is_makes_no_room() -> None:
    """Certroll drops the oldest root from a full record, unless a vault object's current version is that root."""
    first, second, *others = many(MOST_ROOTS)
    full = replace(DONE, roots=(first, second, *others), wants=(Want("kv/a", first.thumbprint, NOW),))
    assert full.noting(NEW, NOW).roots == (first, *others, NotedRoot(NEW, NOW))


def test_root_is_found_by_its_thumbprint() -> None:
    """An environment's record finds a root by its thumbprint, and returns None for an unknown root."""
    assert (DONE.root(NEW), DONE.root(OLD)) == (SEEN, None)


@pytest.mark.parametrize(
    ("record", "is_open"),
    [
        pytest.param(NOTHING, False, id="nothing is known of it"),
        pytest.param(NOTHING.noting(NEW, NOW), True, id="a root is on its way"),
        pytest.param(NOTHING.knowing(NEW, NOW), False, id="somebody else put a root"),
        pytest.param(NOTHING.requested(NOW), True, id="somebody asks"),
        pytest.param(replace(DONE, done_at=None), True, id="its apps are listed and not done"),
        pytest.param(DONE, False, id="its apps are done"),
        pytest.param(DONE.noting(OLD, AFTER), True, id="they are done, and the next root is on its way"),
        pytest.param(replace(DONE, requested_at=BEFORE), True, id="they were asked for by a clock that is behind"),
        pytest.param(
            replace(DONE, requested_at=NOW).listed(frozenset(), AFTER).done(AFTER), False, id="who asked was heard"
        ),
        pytest.param(replace(DONE, requested_at=AFTER), True, id="they were asked for once more"),
    ],
)
def test_cycle_is_open_while_something_is_left(record: EnvironmentRecord, *, is_open: bool) -> None:
    """An environment's record is open until all roots have arrived, all apps are done, and no request is left."""
    assert record.is_open is is_open


@pytest.mark.parametrize(
    ("record", "there", "news"),
    [
        pytest.param(NOTHING, {NEW}, False, id="nobody noted what is there"),
        pytest.param(NOTHING.noting(NEW, NOW), {NEW}, True, id="a noted root has come"),
        pytest.param(NOTHING.noting(NEW, NOW), {OLD, None}, False, id="a noted root has not come yet"),
        pytest.param(DONE, {NEW}, False, id="it came before"),
        pytest.param(replace(DONE, done_at=None), {NEW}, False, id="its apps are listed for it"),
        pytest.param(NOTHING.requested(NOW), set[Thumbprint | None](), True, id="somebody asks"),
        pytest.param(DONE.requested(AFTER).listed(frozenset(), NOW), {NEW}, False, id="who asked was heard"),
        pytest.param(replace(DONE, requested_at=AFTER), {NEW}, True, id="somebody asks once more"),
    ],
)
def test_apps_are_listed_anew_for_news_alone(
    record: EnvironmentRecord, there: set[Thumbprint | None], *, news: bool
) -> None:
    """Certroll lists an App Service Environment's apps again only for a new root or at an operator's request."""
    assert record.has_news(frozenset(there)) is news


def test_listing_marks_the_roots_that_are_there() -> None:
    """When Certroll lists an environment's apps, it marks each present root as seen and expects new restarts of apps.

    Certroll records the time at which it first saw a root in an environment, and never changes this time.
    """
    noted = (SEEN, NotedRoot(OLD, BEFORE), NotedRoot(NEWER, BEFORE))
    before = EnvironmentRecord(ASE, noted, BEFORE, BEFORE, BEFORE, revision="7")
    after = before.listed(frozenset({NEW, OLD, None}), AFTER)
    roots = (SEEN, NotedRoot(OLD, BEFORE, AFTER), NotedRoot(NEWER, BEFORE))
    assert after == EnvironmentRecord(ASE, roots, AFTER, None, None, revision="7")
    assert before.listed(frozenset(), AFTER, hidden=True).hidden


def test_asking_keeps_what_is_known() -> None:
    """An operator's request to stop and start all apps of an environment changes only the time of the request."""
    assert DONE.requested(AFTER) == replace(DONE, requested_at=AFTER)


@pytest.mark.parametrize(
    ("record", "done_for"),
    [
        pytest.param(DONE, AFTER, id="it was there when they were listed"),
        pytest.param(replace(DONE, since=NOW + HOUR / 2), AFTER, id="they were listed once more, and are done again"),
        pytest.param(NOTHING, None, id="nothing is known of it"),
        pytest.param(replace(DONE, roots=()), None, id="the root is not known"),
        pytest.param(replace(DONE, roots=(NOTED,)), None, id="the root was not seen"),
        pytest.param(replace(DONE, done_at=None), None, id="they are under way"),
        pytest.param(replace(DONE, requested_at=AFTER), None, id="somebody asks once more"),
        pytest.param(NOTHING.knowing(NEW, NOW), None, id="somebody put it, and no app was listed"),
        pytest.param(
            EnvironmentRecord(ASE, (), since=BEFORE, done_at=BEFORE).knowing(NEW, NOW),
            None,
            id="somebody put it after they were done",
        ),
    ],
)
def test_apps_are_done_for_roots_that_were_there(record: EnvironmentRecord, done_for: datetime | None) -> None:
    """An environment's apps count as restarted for a root only if Certroll listed them after the root arrived.

    An app trusts only roots that were in the environment before the app started.
    """
    assert record.done_for(NEW) == done_for


def test_app_comes_into_a_new_state() -> None:
    """The record of an app's stop and start keeps the time of the app's state and the probe's result.

    The record of an app's stop and start shortens the detail of the app's state.
    """
    app = AppRestart(WaveApp(site_ref(), "plan"), AppRestartState.PENDING, BEFORE, "as it was", answered=True)
    assert app.site == site_ref()
    assert app.now(AppRestartState.STARTED, NOW) == AppRestart(app.app, AppRestartState.STARTED, NOW, "", answered=True)
    assert app.now(AppRestartState.FAILED, NOW, "x" * 5000).detail == "x" * 1000


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((), (Want("kv/a", NEW, NOW),), id="the first"),
        pytest.param((Want("kv/a", NEW, BEFORE),), (Want("kv/a", NEW, BEFORE),), id="what is known is kept for a day"),
        pytest.param((Want("kv/a", NEW, NOW - 2 * DAY),), (Want("kv/a", NEW, NOW),), id="what is older is renewed"),
        pytest.param((Want("kv/a", NEW, NOW - DAY),), (Want("kv/a", NEW, NOW),), id="what is a day old is renewed"),
        pytest.param(
            (Want("kv/a", NEW, NOW - DAY + SECOND),), (Want("kv/a", NEW, NOW - DAY + SECOND),), id="to the second"
        ),
        pytest.param((Want("kv/b", OLD, NOW - 8 * DAY),), (Want("kv/a", NEW, NOW),), id="another's that ends now"),
        pytest.param(
            (Want("kv/b", OLD, NOW - 8 * DAY + SECOND),),
            (Want("kv/b", OLD, NOW - 8 * DAY + SECOND), Want("kv/a", NEW, NOW)),
            id="another's that ends in a second",
        ),
        pytest.param((Want("kv/a", OLD, BEFORE),), (Want("kv/a", NEW, NOW),), id="another version takes its place"),
        pytest.param((Want("kv/b", OLD, BEFORE),), (Want("kv/b", OLD, BEFORE), Want("kv/a", NEW, NOW)), id="another's"),
        pytest.param((Want("kv/b", NEW, NOW),), (Want("kv/b", NEW, NOW), Want("kv/a", NEW, NOW)), id="of two, each"),
        pytest.param((Want("kv/b", OLD, NOW - 9 * DAY),), (Want("kv/a", NEW, NOW),), id="another's that has ended"),
    ],
)
def test_it_is_written_down_which_vault_objects_are_roots(before: tuple[Want, ...], after: tuple[Want, ...]) -> None:
    """Certroll records each vault object whose current version is a root, and drops the record after eight days.

    Once a day, Certroll renews its record that a vault object is a root.
    """
    assert replace(NOTHING, wants=before).wanting("kv/a", NEW, NOW).wants == after


def test_a_root_is_wanted_by_the_other_objects_it_is_the_current_version_of() -> None:
    """Certroll treats a root as wanted by another vault object only if it is that object's current version.

    Eight days after Certroll recorded that a vault object is a root, Certroll ignores the record.
    """
    wants = (Want("kv/a", NEW, NOW), Want("kv/b", OLD, NOW), Want("kv/c", NEW, NOW - 9 * DAY))
    record = replace(NOTHING, wants=wants)
    assert record.wanted_by_another("kv/b", NEW, NOW) == "kv/a"
    assert record.wanted_by_another("kv/a", NEW, NOW) is None
    assert record.lasting(NOW) == wants[:2]
    assert record.lasting(NOW + 8 * DAY) == ()
    assert record.lasting(NOW + 8 * DAY - SECOND) == wants[:2]


def test_what_never_came_is_not_waited_for() -> None:
    """Certroll forgets a root that did not arrive in its environment within a day, and keeps an arrived root."""
    seen = NotedRoot(NEW, NOW - 2 * DAY, NOW - 2 * DAY)
    lost, late = NotedRoot(OLD, NOW - 2 * DAY), NotedRoot(NEWER, BEFORE)
    record = replace(NOTHING, roots=(seen, lost, late))
    assert record.without_lost(frozenset(), NOW).roots == (seen, late)
    assert set(record.without_lost(frozenset({OLD}), NOW).roots) == {seen, lost, late}


@pytest.mark.parametrize(("ago", "counts"), [(DAY, False), (DAY - timedelta(seconds=1), True)])
def test_root_that_was_to_be_put_counts_for_a_day(ago: timedelta, *, counts: bool) -> None:
    """Certroll waits for exactly one day for the arrival of a root that it meant to upload."""
    record = replace(NOTHING, roots=(NotedRoot(NEW, NOW - ago),))
    assert bool(record.without_lost(frozenset(), NOW).roots) is counts


def test_people_may_say_that_it_is_done() -> None:
    """An operator's report of restarted apps counts for each present root, and for apps that Certroll cannot read."""
    known = NOTHING.knowing(NEW, BEFORE)
    said = replace(known, since=BEFORE, requested_at=BEFORE, hidden=True).done_by_hand(NOW)
    assert said == replace(known, since=NOW, done_at=NOW)
    assert (said.is_open, said.done_for(NEW)) == (False, NOW)
