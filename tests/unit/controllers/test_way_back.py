"""Certroll goes on with an app after a failed run exactly if a change of the app's settings is unfinished."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from shared.controllers.site.way_back import AGAIN, LOST_AFTER, go_on_later
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.intent import Intent
from shared.domain.messages import SiteMessage
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import NEW, NOW, OLD, REF, ManualClock, roll, site_ref
from tests.small_storage import SmallStorage, ports_on

EDIT = SettingEdit(LOAD_LIST, NEW, (OLD,), OLD)
SECOND = timedelta(seconds=1)


@dataclass
class Queue:
    """A queue that keeps what Certroll sends."""

    sent: list[tuple[SiteMessage, timedelta]] = field(default_factory=list)

    def send_site(self, message: SiteMessage, delay: timedelta) -> None:
        """Keep the message with its delay."""
        self.sent.append((message, delay))


def after_a_failure(record: RollRecord | None, retry: object = None) -> tuple[bool, Queue, RollRecord | None]:
    """Return whether Certroll goes on, what it sends, and the app's record afterwards."""
    queue = Queue()
    ports = ports_on(SmallStorage(), ManualClock(), queue=queue)
    if record is not None:
        ports.settings_rolls.put_roll(REF, record)
    with Pool(1, "reader") as pool:
        message = SiteMessage(site_ref(), REF, 7, retry)  # type: ignore[arg-type]
        goes_on = go_on_later(Run.start(ports, Intent(), pool), message, "Throttled: too many")
    return goes_on, queue, ports.settings_rolls.roll(REF, site_ref())


PENDING = {RollState.OVERLAPPING, RollState.FAILED, RollState.RESTORED}


@pytest.mark.parametrize("state", RollState)
@pytest.mark.parametrize("edits", [(), (EDIT,)], ids=["without edits", "with edits"])
def test_only_an_unfinished_change_goes_on(state: RollState, edits: tuple[SettingEdit, ...]) -> None:
    """Certroll goes on with an app that it has written, or may have written, and has not judged or taken back."""
    expected = state in PENDING or (state is RollState.STALE and bool(edits))
    goes_on, queue, known = after_a_failure(roll(state, edits=edits))
    assert goes_on is expected
    assert queue.sent == ([(SiteMessage(site_ref(), REF, 0, NOW + AGAIN), AGAIN)] if expected else [])
    assert known is not None
    assert known.retry == (NOW + AGAIN if expected else None)


def test_app_without_a_record_does_not_go_on() -> None:
    """The failure of a site that the journal does not know counts for the queue."""
    assert after_a_failure(None)[0] is False


FAILED = replace(roll(RollState.FAILED, edits=(EDIT,)), retry=NOW + SECOND)


def test_message_of_a_sweep_begins_no_second_series() -> None:
    """While the journal names another message that goes on, a failed message is not sent again."""
    goes_on, queue, known = after_a_failure(FAILED)
    assert goes_on
    assert queue.sent == []
    assert known is not None
    assert known.retry == FAILED.retry


def test_series_goes_on_whatever_the_clocks_of_instances_say() -> None:
    """The message that the journal names goes on, also on an instance whose clock is late."""
    _, queue, known = after_a_failure(FAILED, FAILED.retry)
    assert len(queue.sent) == 1
    assert known is not None
    assert known.retry == NOW + AGAIN


def test_lost_message_is_replaced() -> None:
    """If the message that the journal names is late by half an hour, the next message goes on in its place."""
    lost = replace(FAILED, retry=NOW - LOST_AFTER)
    assert len(after_a_failure(lost)[1].sent) == 1
    assert after_a_failure(replace(lost, retry=NOW - LOST_AFTER + SECOND))[1].sent == []
