"""The journal finds each site and app in which Certroll has begun a change, whatever its vault shows."""

import pytest

from shared.clients.storage.journal import journal_ports
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.names import SiteRef
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteState
from tests.build import NEW, OLD, OTHER_REF, REF, ManualClock, record, roll, rollout, site_ref
from tests.memory_storage import MemoryTables

WROTE = (SettingEdit(LOAD_LIST, NEW, (), OLD),)


@pytest.mark.parametrize(
    ("app", "found"),
    [
        (roll(RollState.STALE), False),
        (roll(RollState.STALE, edits=WROTE), True),
        (roll(RollState.OVERLAPPING, edits=WROTE), True),
        (roll(RollState.FAILED, edits=WROTE), True),
        (roll(RollState.RESTORED, edits=WROTE), True),
        (roll(RollState.ROLLED_BACK, edits=WROTE), False),
        (roll(RollState.VALIDATED, edits=WROTE), False),
        (roll(RollState.REFUSED, edits=WROTE), False),
    ],
)
def test_an_app_is_begun_from_its_write_to_its_result(app: RollRecord, *, found: bool) -> None:
    """An app counts as begun if Certroll may have written its settings, and has not judged or restored them."""
    journal = journal_ports(MemoryTables(), ManualClock())
    rollouts = journal["rollouts"]
    journal["settings_rolls"].put_roll(REF, app)
    there: tuple[SiteRef, ...] = (app.site,) if found else ()
    assert rollouts.begun_in(REF) == there
    assert rollouts.begun() == ({REF} if found else set())
    assert rollouts.begun_in(OTHER_REF) == ()


@pytest.mark.parametrize("state", SiteState)
def test_a_site_is_begun_while_it_is_pending(state: SiteState) -> None:
    """A site counts as begun while Certroll has not found its bindings updated or failed."""
    rollouts = journal_ports(MemoryTables(), ManualClock())["rollouts"]
    rollouts.begin(REF, rollout(record(state)))
    pending = state is SiteState.PENDING
    assert rollouts.begun() == ({REF} if pending else set())
    assert rollouts.begun_in(REF) == ((site_ref(),) if pending else ())
    known = rollouts.site(REF, None, site_ref())
    assert known is not None
    assert known.state is state
    assert rollouts.site(REF, "v1", site_ref()) is None
