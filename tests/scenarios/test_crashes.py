"""Kill the simulated process after any single write to Azure, to the journal or to a queue."""

from collections.abc import Iterator

import pytest

from local.azure.scripting.knobs import Knobs
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crasher, deliver_dying
from tests.scenarios.worlds import VAULT, after_renewal, renew, shown, small_world, writes

pytestmark = pytest.mark.real_storage

MOST_WRITES = 80


def _every_write() -> Iterator[int]:
    return iter(range(1, MOST_WRITES + 1))


@pytest.mark.parametrize("moves", [True, False], ids=["Azure moves the bindings", "Certroll moves the bindings"])
def test_a_crash_after_any_write_leads_to_the_same_end(install: Install, crasher: Crasher, moves: bool) -> None:  # noqa: FBT001
    """After a crash at any write the redelivered message completes the renewal, and repeats no write to Azure."""
    for write in _every_write():
        world = small_world(Knobs(sync_moves_bindings=moves))
        installation = install(world, watched=True)
        before, new = shown(world), renew(world)
        installation.look_at(VAULT, "web")
        died = deliver_dying(installation, crasher, write)
        assert shown(world) == after_renewal(before, new), f"after a crash at write {write}"
        assert set(installation.states().values()) == {"Proven"}, f"after a crash at write {write}"
        assert writes(world) == (2 if moves else 6), f"after a crash at write {write}"
        assert installation.errors == []
        if not died:
            break
    else:
        pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")
    assert write > 8, "hardly anything was written: the loop did not look"
