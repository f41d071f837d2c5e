"""Kill the simulated process after any single write to Azure, to the journal or to a queue.

The process dies at each third write, on Azurite at each seventh, and at every write in `make soak`.
After each kill ten minutes pass until the message comes back, as after a stop of the Functions host (see `ABANDONED`).
"""

from datetime import timedelta

import pytest

from local.azure.scripting.knobs import Knobs
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation, deliver_dying
from tests.scenarios.worlds import VAULT, after_renewal, renew, shown, small_world, writes
from tests.soaking import crashes

MOST_WRITES = 80


@pytest.mark.parametrize(
    ("moves", "step"),
    [
        pytest.param(True, 3, id="Azure moves the bindings"),
        pytest.param(False, 3, id="Certroll moves the bindings"),
        pytest.param(False, 7, id="on Azurite", marks=pytest.mark.real_storage),
    ],
)
def test_a_crash_after_any_write_leads_to_the_same_end(
    install: Install,
    crasher: Crasher,
    moves: bool,  # noqa: FBT001
    step: int,
) -> None:
    """After a crash at any write the redelivered message completes the renewal, and repeats no write to Azure."""
    for write in crashes(MOST_WRITES, step=step):
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


def test_sweeps_without_a_pause_do_the_work_once(install: Install) -> None:
    """Three sweeps with no pause between them lead to the same end as one, with the same writes to Azure.

    Azure runs a sweep at once after a sweep that was missed, that died, or that lasted longer than its interval.
    """
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    for _ in range(3):
        installation.sweep_everything()
    installation.deliver_all()
    for _ in range(3):
        installation.sweep_everything()
        installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert set(installation.states().values()) == {"Proven"}
    assert writes(world) == 6
    assert installation.errors == []


def test_sweep_that_died_is_made_up_for_at_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash of the sweep at any of its messages, a second sweep at the same moment leads to the same end."""
    died = []
    for message in range(1, MOST_WRITES):
        world = small_world()
        installation = install(world, watched=True)
        before, new = shown(world), renew(world)
        with monkeypatch.context() as patch:
            died.append(sweep_dying(installation, patch, message))
        installation.sweep_everything()
        installation.deliver_all()
        assert shown(world) == after_renewal(before, new), f"after a crash at message {message}"
        assert installation.errors == [], f"after a crash at message {message}"
        if not died[-1]:
            break
    assert died[0], "the sweep sent no message"
    assert not died[-1], f"{MOST_WRITES} messages and no end"


def sweep_dying(installation: Installation, patch: pytest.MonkeyPatch, last: int) -> bool:
    """Run a sweep that dies when it has sent `last` messages, and return True if the sweep died."""
    sent, put = [], installation.queue.put

    def put_and_die(queue: str, body: str, delay: timedelta = timedelta(0)) -> None:
        put(queue, body, delay)
        sent.append(body)
        if len(sent) == last:
            raise Crash

    patch.setattr(installation.queue, "put", put_and_die)
    try:
        installation.sweep_everything()
    except Crash:
        installation.storage.break_leases()
        return True
    return False
