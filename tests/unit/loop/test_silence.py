"""Certroll gives up a subscription of which too many reads get no answer, and reads the other subscriptions on."""

import pytest

from shared.domain.errors import Throttled, Transient, Unavailable
from shared.domain.fleet.fleet import BlindSpot, Listing
from shared.loop.observe.silence import FEW_SILENT, MOST_SILENT
from shared.loop.observe.view import View
from shared.loop.pool import Pool
from tests.build import SUBSCRIPTION

OTHER = "00000000-0000-0000-0000-00000000000b"
MANY = 10 * MOST_SILENT


class Azure:
    """A simulated Azure with numbered resources, some of which never answer."""

    def __init__(self, *silent: tuple[str, int]) -> None:
        self.silent = set(silent)
        self.asked: list[tuple[str, int]] = []

    def read(self, subject: tuple[str, int]) -> Listing[int]:
        """Return the number of a resource, or fail if the resource never answers."""
        self.asked.append(subject)
        if subject in self.silent:
            raise Throttled("429")
        return Listing((subject[1],))


def hidden(subject: tuple[str, int], why: str) -> BlindSpot:
    """Return the blind spot of a resource."""
    return BlindSpot(f"site {subject[1]}", why, subject[0])


@pytest.fixture
def pool() -> object:
    """Return a pool with one thread, so that the reads come in order."""
    return Pool(1, "reader")


def seen(azure: Azure, pool: Pool, *subjects: tuple[str, int]) -> tuple[tuple[int, ...], list[str]]:
    """Return the numbers that a view found, and the subjects of its blind spots."""
    view = View(None, pool)  # type: ignore[arg-type]  # the reads are the test's own
    found = view.each(azure.read, subjects, hidden)
    return found, [spot.subject for spot in view.blind_spots]


def test_throttled_subscription_hides_itself_alone(pool: Pool) -> None:
    """If Azure throttles each read of one subscription, all resources of the other subscriptions are read."""
    sick = [(SUBSCRIPTION, number) for number in range(FEW_SILENT + 9)]
    healthy = [(OTHER, number) for number in range(100, 103)]
    azure = Azure(*sick)
    found, blind = seen(azure, pool, *sick, *healthy)
    assert found == (100, 101, 102)
    assert blind == [f"site {number}" for _, number in sick]
    assert len([subject for subject in azure.asked if subject in sick]) == FEW_SILENT + 1, "the others cost no request"


def test_azure_that_answers_nothing_ends_the_reading_soon(pool: Pool) -> None:
    """If no subscription answers, the reading ends with the error instead of an empty fleet."""
    sick = [(place, number) for place in (SUBSCRIPTION, OTHER) for number in range(FEW_SILENT + 9)]
    with pytest.raises(Transient):
        seen(Azure(*sick), pool, *sick)


def test_few_sick_things_of_many_hide_themselves_alone(pool: Pool) -> None:
    """Up to a tenth of the resources of a subscription may be sick without hiding the others."""
    subjects = [(SUBSCRIPTION, number) for number in range(MANY)]
    found, blind = seen(Azure(*subjects[:MOST_SILENT]), pool, *subjects)
    assert len(found) == MANY - MOST_SILENT
    assert len(blind) == MOST_SILENT


@pytest.mark.parametrize("error", [Throttled("429"), Unavailable("503")])
def test_subscriptions_of_which_one_answers_are_enough(pool: Pool, error: Transient) -> None:
    """If the lists of all subscriptions but one get no answer, Certroll goes on with this one, and not with none."""
    view = View(None, pool)  # type: ignore[arg-type]  # the reads are the test's own

    def read(subscription: str) -> Listing[str]:
        if subscription != OTHER:
            raise error
        return Listing((subscription,))

    assert view.each_subscription(read, (SUBSCRIPTION, OTHER)) == (OTHER,)
    with pytest.raises(type(error)):
        view.each_subscription(read, (SUBSCRIPTION,))
