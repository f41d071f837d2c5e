"""Check every promise about plans in random snapshots of many kinds."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.rollout.settings_record import HOLDING, RollState
from shared.domain.snapshot.snapshot import Snapshot
from tests.build import APPLY
from tests.properties.fleets import (
    all_settings,
    any_rolls,
    chained_worlds,
    closed,
    contested_worlds,
    failed,
    fresh,
    intents,
    no_rolls,
    opened,
    overlapping_settings,
    rolls_in,
    stale_settings,
    started,
    with_slots,
    worlds,
)
from tests.properties.plan_promises import IN_ANY_ORDER, PLAN_PROMISES, WRITES_NOTHING, everything_stale_is_renewed
from tests.properties.promises import Case, keep, times
from tests.properties.setting_promises import SETTING_PROMISES

PROMISES = (*PLAN_PROMISES, *SETTING_PROMISES)
ALL = (*PROMISES, *WRITES_NOTHING, *IN_ANY_ORDER)
seeds = st.integers(0, 99)


def cases(worlds: st.SearchStrategy[Snapshot]) -> st.SearchStrategy[Case]:
    """Return a strategy that draws test cases: a given snapshot and random settings of the operator."""
    return st.builds(Case, worlds, intents, seeds)


@times(0.4, soak=1)
@given(cases(worlds()))
def test_promises_are_kept_everywhere(case: Case) -> None:
    """Certroll's plans pass every check in snapshots of all kinds while no version has failed."""
    keep(case, (*PROMISES, *WRITES_NOTHING))


@times(0.4, soak=1)
@given(cases(worlds(rolls=any_rolls)))
def test_promises_are_kept_whatever_is_recorded(case: Case) -> None:
    """Certroll's plans pass every check whatever the journal says about the settings updates of apps."""
    keep(case, (*PROMISES, *IN_ANY_ORDER))


@times(0.4, soak=1.5)
@given(cases(worlds(fresh) | worlds(closed)))
def test_promises_are_kept_in_the_first_place(case: Case) -> None:
    """Certroll's plans pass every check until a handshake with the first webspace that gets the new version."""
    keep(case, PROMISES)


taken_back = worlds(rolls=rolls_in(RollState.FAILED), settings=overlapping_settings)


@times(0.6, soak=2)
@given(cases(worlds(failed) | worlds(rolls=rolls_in(*HOLDING)) | taken_back))
def test_promises_are_kept_when_the_version_failed(case: Case) -> None:
    """Certroll's plans pass every check after a site or an app failed with the new version."""
    keep(case, PROMISES)


open_worlds = worlds(opened) | worlds(opened, rolls=no_rolls)
lagging = worlds(opened, rolls=no_rolls, settings=stale_settings) | worlds(opened, settings=all_settings)


@times(0.4, soak=1.2)
@given(cases(open_worlds | lagging))
def test_promises_are_kept_when_the_first_place_is_proven(case: Case) -> None:
    """Certroll's plans pass every check once every webspace may get the new certificate version.

    In some drawn cases every app names an old version in its settings, or loads every certificate.
    """
    keep(case, PROMISES)


@times(0.3, soak=0.5)
@given(cases(worlds(started)))
def test_promises_are_kept_on_the_way(case: Case) -> None:
    """Certroll's plans pass every check at any time while a version spreads from webspace to webspace."""
    keep(case, PROMISES)


@times(0.4, soak=1.2)
@given(st.builds(Case, worlds(opened, st.just(frozenset()), no_rolls), st.just(APPLY), seeds))
def test_promises_are_kept_where_nothing_is_in_the_way(case: Case) -> None:
    """If nothing prevents a change, Certroll's plans pass every check and renew every stale binding and import."""
    keep(case, (*PROMISES, everything_stale_is_renewed))


@times(0.3, soak=1.2)
@given(cases(contested_worlds()))
def test_promises_are_kept_beside_another_vault_certificate(case: Case) -> None:
    """Certroll's plans pass every check if an old version was also imported from another vault object."""
    keep(case, PROMISES)


@times(0.3, soak=1.2)
@given(cases(chained_worlds() | chained_worlds(opened) | chained_worlds(started)))
def test_promises_are_kept_in_environments(case: Case) -> None:
    """Certroll's plans pass every check in environments whose servers may lack the certificate's chain."""
    keep(case, ALL)


validated = worlds(opened, rolls=rolls_in(RollState.VALIDATED), settings=stale_settings, sites=with_slots)


@times(0.3, soak=1.2)
@given(cases(validated))
def test_promises_are_kept_beside_slots(case: Case) -> None:
    """Certroll's plans pass every check if an app and its slot name an old version and others use the new version."""
    keep(case, PROMISES)


waiting = worlds(opened, rolls=rolls_in(RollState.DEFERRED, RollState.OVERLAPPING), settings=stale_settings)


@times(0.3, soak=1.2)
@given(cases(waiting))
def test_promises_are_kept_while_an_app_has_yet_to_answer(case: Case) -> None:
    """Certroll's plans pass every check while the first app with the new version has not answered a probe."""
    keep(case, PROMISES)


overlapping = worlds(opened, rolls=rolls_in(RollState.VALIDATED, RollState.UNPROVEN), settings=overlapping_settings)


@times(0.3, soak=1.2)
@given(cases(overlapping))
def test_promises_are_kept_where_old_versions_may_be_retired(case: Case) -> None:
    """Certroll's plans pass every check if apps list both the old and the new version."""
    keep(case, PROMISES)
