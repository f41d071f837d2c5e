"""What a run has no time to read is a late blind spot of its own place, and everything else is seen."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.controllers.sweep.slices import keep_targets, read_slice
from shared.domain.errors import OutOfTime, Unavailable
from shared.domain.fleet.fleet import BlindSpot, Fleet, Listing
from shared.domain.reason import Reason
from shared.loop.observe.targets import Targets
from shared.loop.observe.view import View
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.planning.fleet_notices import blind_spots
from tests.build import APPLY, HOUR, NEW, NOW, OLD, SUBSCRIPTION, ManualClock
from tests.small_storage import SmallStorage, ports_on

TARGETS = Targets(
    frozenset({"shop"}), True, frozenset({"ase"}), frozenset({"api"}), frozenset({NEW}), frozenset({OLD}), limited=True
)


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Yield one thread that reads."""
    with Pool(1, "reader") as running:
        yield running


def hidden(subject: str, why: str) -> BlindSpot:
    """Return the blind spot about a subject."""
    return BlindSpot(subject, why, SUBSCRIPTION)


def ending_after(reads: int) -> Callable[[], None]:
    """Return a check of the time that lets some reads begin."""
    begun = list[int]()

    def check() -> None:
        if len(begun) == reads:
            raise OutOfTime("no time")
        begun.append(1)

    return check


def test_what_was_not_read_in_time_is_late(pool: Pool) -> None:
    """What is read in time counts, and each other subject becomes a late blind spot, which is no finding."""
    view = View(None, pool, ending_after(2))  # type: ignore[arg-type]
    found = view.each(lambda subject: Listing((subject,)), ["a", "b", "c", "d"], hidden)
    assert found == ("a", "b")
    assert [(spot.subject, spot.is_late) for spot in view.blind_spots] == [("c", True), ("d", True)]
    assert blind_spots("sweep", Fleet(NOW, blind_spots=(*view.blind_spots, hidden("e", "403")))) == blind_spots(
        "sweep", Fleet(NOW, blind_spots=(hidden("e", "403"),))
    )
    assert hidden("e", "403").reason is Reason.BLIND_SPOT


def test_time_that_ends_during_the_reads_makes_the_rest_late(pool: Pool) -> None:
    """If the time of the run ends while other runs occupy the threads, what did not come is late."""
    view = View(None, pool.within(lambda: 0.0), ending_after(9))  # type: ignore[arg-type]
    going_on = threading.Event()

    def read(subject: str) -> Listing[str]:
        going_on.wait(0.2)
        return Listing((subject,))

    assert view.each(read, ["a", "b", "c"], hidden) == ()
    assert [spot.is_late for spot in view.blind_spots] == [True] * 3


def test_view_of_a_certificates_run_ends_with_its_time(pool: Pool) -> None:
    """A run that may write something takes nothing unread for a blind spot: it ends, and another run goes on."""
    view = View(None, pool.within(lambda: 0.0))  # type: ignore[arg-type]
    going_on = threading.Event()
    with pytest.raises(OutOfTime):
        view.each(lambda _: going_on.wait(0.2) or Listing(()), ["a"], hidden)
    late = View(None, pool)  # type: ignore[arg-type]

    def out_of_time(_: str) -> Listing[str]:
        raise OutOfTime("no time")

    with pytest.raises(OutOfTime):
        late.each(out_of_time, ["a"], hidden)


@pytest.mark.parametrize("some_known", [True, False])
def test_silence_of_the_few_that_are_read_hides_only_them(pool: Pool, some_known: bool) -> None:  # noqa: FBT001
    """If nothing that has to be read answers, what is remembered still counts; only without it Azure may be down."""
    view = View(None, pool)  # type: ignore[arg-type]

    def silent(_: str) -> Listing[str]:
        raise Unavailable("503")

    subjects = [f"site-{number}" for number in range(30)]
    if some_known:
        assert view.each(silent, subjects, hidden, others=["a"]) == ()
        assert len(view.blind_spots) == len(subjects)
    else:
        with pytest.raises(Unavailable):
            view.each(silent, subjects, hidden)


@pytest.mark.parametrize("targets", [Targets(), TARGETS])
def test_targets_come_back_as_they_were(targets: Targets) -> None:
    """What a sweep keeps for its slices comes back unchanged: names and thumbprints."""
    assert Targets.parse(targets.text()) == targets


class Nothing:
    """An App Service without any resource, which notes of what it was asked."""

    def __init__(self) -> None:
        self.asked = list[str]()

    def __getattr__(self, name: str) -> Callable[..., Listing[Any]]:
        def answer(*subjects: object) -> Listing[Any]:
            self.asked.append(f"{name} {subjects[0]}")
            return Listing(())

        return answer


class Environments(Nothing):
    """Environments that nobody has."""


def slice_run(storage: SmallStorage, pool: Pool, asked: Environments) -> Run:
    """Return a run of a slice on an empty fleet."""
    ports = ports_on(storage, ManualClock(), app_service=Nothing(), environments=asked)
    return Run.start(ports, APPLY, pool)


def test_slice_reads_what_the_tags_name_in_its_own_subscription(pool: Pool) -> None:
    """A slice looks for the environments that tags name, as the sweep kept them, and asks no vault."""
    storage, asked = SmallStorage(), Environments()
    run = slice_run(storage, pool, asked)
    keep_targets(run, NOW, TARGETS)
    assert read_slice(run, NOW, SUBSCRIPTION) is False
    assert asked.asked == [f"environments {SUBSCRIPTION}"]


@pytest.mark.parametrize("odd", ["{}", "[", '{"sites": 1}', "x"])
def test_slice_without_readable_targets_reads_what_no_tag_names(pool: Pool, odd: str) -> None:
    """If what the sweep kept is lost, unreadable or of another sweep, the slice reads only what no tag names."""
    storage, asked = SmallStorage(), Environments()
    run = slice_run(storage, pool, asked)
    assert read_slice(run, NOW, SUBSCRIPTION) is False
    keep_targets(run, NOW + HOUR, TARGETS)
    assert read_slice(run, NOW, SUBSCRIPTION) is False
    run.ports.sweeps.keep(NOW, odd)
    assert read_slice(run, NOW, SUBSCRIPTION) is False
    run.ports.sweeps.keep(NOW, "x" * 500_000)
    storage.write("certrolljournal", [{"PartitionKey": "sweeps", "RowKey": "targets", "targets_parts": "x"}])
    assert run.ports.sweeps.kept(NOW) is None
    assert asked.asked == []
