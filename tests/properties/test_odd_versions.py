"""Check promises about plans if versions are disabled, or begin and end in another order than the vault's."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.rollout.settings_record import HOLDING
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from tests.build import APPLY, NOW, OLD, lineage, snapshot, version
from tests.properties.fleets import intents, opened, overlapping_settings, rolls_in, worlds
from tests.properties.plan_promises import no_host_name_is_unbound_or_moved, nothing_is_written_that_is_not_live
from tests.properties.promises import Broken, Case, keep, times

AGES = st.sampled_from([timedelta(days=days) for days in (1, 20, 40)])
LEFT = st.sampled_from([timedelta(days=days) for days in (30, 60, 90)])
HALF = st.booleans()


@st.composite
def odd_worlds(draw: st.DrawFn, fleets: st.SearchStrategy[Snapshot]) -> Snapshot:
    """Return a drawn snapshot whose versions below the current one are disabled at random and have random dates."""
    world = draw(fleets)
    known = world.lineage
    if known.current is None:
        return world
    place = known.versions.index(known.current)
    current = replace(known.current, not_before=NOW - draw(AGES), not_after=NOW + draw(LEFT))
    below = tuple(
        replace(older, not_before=NOW - draw(AGES), not_after=NOW + draw(LEFT), enabled=draw(HALF))
        for older in known.versions[place + 1 :]
    )
    odd = replace(known, versions=(*known.versions[:place], current, *below), current=current)
    return replace(world, lineage=odd)


def is_enabled(known: Lineage, thumbprint: object) -> bool:
    """Return True if a version with the thumbprint is enabled, or no version has the thumbprint."""
    found = [seen.enabled for seen in known.versions if seen.thumbprint == thumbprint]
    return any(found) or not found


def is_earlier(current: CertificateVersion, known: Lineage, thumbprint: object) -> bool:
    """Return True if the current version would replace an enabled certificate that begins and ends later."""
    found = next((seen for seen in known.versions if seen.thumbprint == thumbprint), None)
    if found is None or thumbprint == current.thumbprint or not is_enabled(known, thumbprint):
        return False
    return current.not_before < found.not_before and current.not_after < found.not_after


def no_disabled_version_is_written(case: Case) -> None:
    """No step writes the thumbprint of a version that an operator disabled, whatever the step is for."""
    for step in case.plan.steps:
        assert all(is_enabled(case.world.lineage, thumbprint) for thumbprint in step.action.writes)


def nothing_gives_way_to_an_earlier_certificate(case: Case) -> None:
    """No binding, import or setting gives up a certificate for one that begins and ends earlier."""
    known = case.world.lineage
    for step in case.plan.steps:
        action, gone = step.action, set[object]()
        if isinstance(action, UpdateBinding):
            gone = {action.binding.thumbprint}
        elif isinstance(action, SyncCertificate):
            gone = {action.copy.thumbprint}
        elif action.settings_write is not None and not isinstance(action, RestoreAppSettings):
            gone = {thumbprint for edit in action.settings_write.edits for thumbprint in edit.remove}
        assert known.current is not None or not gone
        assert not any(known.current and is_earlier(known.current, known, thumbprint) for thumbprint in gone)


ODD_PROMISES = (
    no_disabled_version_is_written,
    nothing_gives_way_to_an_earlier_certificate,
    no_host_name_is_unbound_or_moved,
    nothing_is_written_that_is_not_live,
)
seeds = st.integers(0, 99)
taking_back = worlds(opened, rolls=rolls_in(*HOLDING), settings=overlapping_settings)


@times(0.4, soak=1.5)
@given(st.builds(Case, odd_worlds(worlds() | worlds(opened) | taking_back), intents, seeds))
def test_promises_are_kept_with_odd_versions(case: Case) -> None:
    """Certroll's plans write no disabled version and go back to no earlier certificate, whatever the fleet is like."""
    keep(case, ODD_PROMISES)


EARLIER = version(not_before=NOW - timedelta(days=40), not_after=NOW + timedelta(days=30))
LATER = version("v1", OLD, not_before=NOW - timedelta(days=20), not_after=NOW + timedelta(days=60), facts=None)
RIGHT = lineage(replace(EARLIER, not_after=NOW + timedelta(days=90)), LATER)


def test_each_of_these_promises_can_fail() -> None:
    """Each promise about odd versions notices a planner that breaks the promise."""
    seen = snapshot(lineage=RIGHT)
    plan = Case(seen, APPLY).plan
    assert any(isinstance(step.action, SyncCertificate) for step in plan.steps)
    leaked = replace(RIGHT, versions=tuple(replace(seen, enabled=False) for seen in RIGHT.versions))
    Broken(
        no_disabled_version_is_written,
        Case(seen, APPLY, plans=lambda _world, _intent: plan),
        Case(replace(seen, lineage=leaked), APPLY, plans=lambda _world, _intent: plan),
    ).is_noticed()
    Broken(
        nothing_gives_way_to_an_earlier_certificate,
        Case(seen, APPLY, plans=lambda _world, _intent: plan),
        Case(replace(seen, lineage=lineage(EARLIER, LATER)), APPLY, plans=lambda _world, _intent: plan),
    ).is_noticed()
