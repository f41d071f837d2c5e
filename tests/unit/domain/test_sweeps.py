"""A sweep does each of its parts once, begins no part that is under way, and ends when its last part has ended."""

from datetime import timedelta

import pytest

from shared.domain.sweeps import LOST_AFTER, MOST_RUNS, MOST_UNSEEN, Ended, Job, Part, Sweep, Sweeps, Unseen
from tests.build import HOUR, NOW

MINUTE = timedelta(minutes=1)
ONE, TWO = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"


def begun(*names: str) -> Sweeps:
    """Return the sweeps after one with these parts has begun."""
    return Sweeps().begin(NOW, names)


def running(sweeps: Sweeps, *names: str) -> Sweeps:
    """Return the sweeps with a run of each of these parts under way."""
    for name in names:
        sweeps = sweeps.with_run(NOW, name, NOW)
    return sweeps


def ended(sweeps: Sweeps, *names: str, **how: bool) -> Sweeps:
    """Return the sweeps after a run of each of these parts has begun and ended."""
    for name in names:
        sweeps = running(sweeps, name).with_end(NOW, Ended(name, **how), NOW)  # type: ignore[arg-type]
    return sweeps


def due(sweeps: Sweeps) -> set[str]:
    """Return the parts of the first sweep that are due."""
    return set(sweeps.sweeps[0].due)


def open_parts(sweeps: Sweeps) -> list[set[str]]:
    """Return the open parts of each sweep."""
    return [{part.name for part in sweep.parts} for sweep in sweeps.sweeps]


def judged(sweeps: Sweeps, *late: str) -> Sweeps:
    """Return the sweeps after a judging that had no time for some subscriptions."""
    return running(sweeps, Job.CERTIFICATES).with_end(NOW, Ended(Job.CERTIFICATES, judged=True, late=late), NOW)


def test_subscriptions_without_time_get_slices_and_then_a_judging() -> None:
    """What the judging had no time for is read in slices, and judged when each has ended or used up one run."""
    sweeps = judged(begun(Job.CERTIFICATES, Job.ENVIRONMENTS), ONE, TWO)
    assert due(sweeps) == {Job.ENVIRONMENTS, ONE, TWO}
    sweeps = ended(sweeps, ONE)
    assert Job.CERTIFICATES not in due(sweeps)
    assert Job.CERTIFICATES in due(ended(sweeps, TWO, goes_on=True))
    assert Job.CERTIFICATES in due(ended(sweeps, TWO, failed=True))


def test_certificates_are_judged_once_more_when_late_slices_end() -> None:
    """A judging without a late slice is repeated once, after the last slice has ended, and then the sweep is over."""
    sweeps = ended(judged(begun(Job.CERTIFICATES, Job.ENVIRONMENTS), ONE), ONE, Job.ENVIRONMENTS, goes_on=True)
    sweeps = judged(ended(sweeps, Job.ENVIRONMENTS), ONE)
    assert due(sweeps) == set()
    sweeps = ended(sweeps, ONE)
    assert due(sweeps) == {Job.CERTIFICATES}
    assert due(running(sweeps, Job.CERTIFICATES)) == set()
    (over,) = judged(sweeps, ONE).over
    assert over.judged


def test_slice_that_ends_during_a_judging_is_judged_after_it() -> None:
    """What the last slice reads while the certificates are being judged is judged by another run."""
    sweeps = ended(judged(begun(Job.CERTIFICATES), ONE), ONE, goes_on=True)
    sweeps = ended(running(sweeps, Job.CERTIFICATES), ONE)
    assert due(sweeps) == set()
    sweeps = sweeps.with_end(NOW, Ended(Job.CERTIFICATES, judged=True), NOW)
    assert due(sweeps) == {Job.CERTIFICATES}
    assert judged(sweeps).over


def test_slice_that_never_ends_is_given_up() -> None:
    """A slice that needs more runs than a slice takes ends without having read everything, and counts as failed."""
    sweeps = judged(begun(Job.CERTIFICATES), ONE)
    for _ in range(MOST_RUNS - 1):
        sweeps = ended(sweeps, ONE, goes_on=True)
        assert sweeps.sweeps[0].part(ONE)
    (over,) = judged(ended(sweeps, ONE, goes_on=True)).over
    assert over.failed == (ONE,)


def test_slice_of_an_earlier_sweep_is_left_to_it() -> None:
    """A subscription that an earlier sweep is still reading gets no second slice."""
    sweeps = ended(judged(begun(Job.CERTIFICATES), ONE), ONE, goes_on=True).begin(NOW + MINUTE, [Job.CERTIFICATES])
    later = sweeps.sweeps[-1].began
    sweeps = sweeps.with_run(later, Job.CERTIFICATES, NOW).with_end(
        later, Ended(Job.CERTIFICATES, late=(ONE, TWO)), NOW
    )
    assert open_parts(sweeps) == [{ONE}, {Job.CERTIFICATES, TWO}]
    assert sweeps.sweeps[-1].left == (ONE,)


def test_without_slices_the_certificates_are_judged_once() -> None:
    """A sweep whose slices have all ended ends with the certificates and the environments."""
    sweeps = begun(Job.CERTIFICATES, Job.ENVIRONMENTS)
    assert due(sweeps) == {Job.CERTIFICATES}
    sweeps = ended(sweeps, Job.CERTIFICATES, judged=True)
    assert due(sweeps) == {Job.ENVIRONMENTS}
    assert ended(sweeps, Job.ENVIRONMENTS).over


def test_part_under_way_is_left_to_the_earlier_sweep() -> None:
    """A later sweep has each part but the one that is under way, and people are told when that lasts."""
    sweeps = running(begun(Job.ORDERS, Job.MANAGED), Job.ORDERS)
    for number in (1, 2):
        assert not sweeps.lasting()
        sweeps = sweeps.with_run(NOW, Job.ORDERS, NOW + number * HOUR)
        sweeps = sweeps.begin(NOW + number * HOUR, (Job.ORDERS, Job.MANAGED))
        assert open_parts(sweeps) == [{Job.ORDERS}, *[set()] * (number - 1), {Job.MANAGED}]
        assert sweeps.sweeps[-1].left == (Job.ORDERS,)
    assert [(sweep.began, part.name) for sweep, part in sweeps.lasting()] == [(NOW, Job.ORDERS)]


@pytest.mark.parametrize("began", [True, False])
def test_part_without_a_sign_of_life_is_the_later_sweeps(began: bool) -> None:  # noqa: FBT001
    """A part whose message is lost, or that no run has begun, is begun by the next sweep, and counts as failed."""
    sweeps = running(begun(Job.ORDERS), *([Job.ORDERS] if began else []))
    sweeps = sweeps.begin(NOW + LOST_AFTER, [Job.ORDERS])
    assert open_parts(sweeps) == [set(), {Job.ORDERS}]
    (over,) = sweeps.over
    assert (over.failed, sweeps.sweeps[1].left) == ((Job.ORDERS,), ())
    assert open_parts(sweeps.told([over.began])) == [{Job.ORDERS}]


def test_two_sweeps_of_one_moment_have_two_names() -> None:
    """A message of one sweep never counts for another one, also if both begin at the same moment."""
    sweeps = running(begun(*Job), *Job).begin(NOW, Job)
    assert len({sweep.began for sweep in sweeps.sweeps}) == 2


@pytest.mark.parametrize(("began", "name"), [(NOW, Job.MANAGED), (NOW + HOUR, Job.ORDERS)])
def test_message_of_what_is_not_open_changes_nothing(began: object, name: str) -> None:
    """A second message of a part that has ended, and one of a sweep that is over, change nothing."""
    sweeps = begun(Job.ORDERS)
    assert sweeps.with_run(began, name, NOW) is sweeps  # type: ignore[arg-type]
    assert sweeps.with_end(began, Ended(name), NOW) is sweeps  # type: ignore[arg-type]


def test_failed_part_ends_and_is_named() -> None:
    """A part that fails holds up no other part, and the sweep says at its end which parts failed."""
    sweeps = ended(ended(begun(Job.ORDERS, Job.MANAGED), Job.ORDERS, failed=True), Job.MANAGED)
    assert [(sweep.failed, sweep.parts) for sweep in sweeps.over] == [((Job.ORDERS,), ())]


def test_other_sweeps_stay_as_they_are() -> None:
    """The end of a part changes only the sweep that the part belongs to."""
    sweeps = running(begun(Job.ORDERS), Job.ORDERS).begin(NOW + MINUTE, Job)
    after = ended(sweeps, Job.ORDERS)
    assert after.sweeps[1] == sweeps.sweeps[1]
    assert after.of(NOW) == Sweep(NOW, ())


def test_few_names_and_the_number_of_all_are_kept() -> None:
    """However much a sweep could not see, its record keeps a bounded number of short names and counts all."""
    unseen = Unseen.of([f"{number:04} {'x' * 1_000}" for number in range(500)] * 2)
    assert (len(unseen.names), unseen.number) == (MOST_UNSEEN, 500)
    assert max(map(len, unseen.names)) < 500
    assert Part(ONE).is_slice
