"""Read the resources of many subjects in parallel, and note what Azure does not show or the run has no time for."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from shared.domain.errors import AzureError, OutOfTime, Transient
from shared.domain.fleet.fleet import BlindSpot, Listing
from shared.domain.reason import Reason
from shared.loop.observe.silence import Silence
from shared.loop.pool import LATE, Pool

Subject = TypeVar("Subject")
Found = TypeVar("Found")


class Reads:
    """Parallel reads of Azure.

    Each resource that Azure does not show becomes a blind spot (something that Certroll could not read).
    """

    def __init__(self, pool: Pool, check_time: Callable[[], None] | None) -> None:
        """Begin without blind spots.

        If `check_time` is given, it raises OutOfTime when no further read begins, and what is not read by then becomes
        a late blind spot. Without it, a read raises OutOfTime at the end of the run.
        """
        self._pool = pool
        self._check_time = check_time
        self.blind_spots: list[BlindSpot] = []

    def each(
        self,
        read: Callable[[Subject], Listing[Found]],
        subjects: Iterable[Subject],
        hidden: Callable[[Subject, str], BlindSpot],
        *,
        one_answers: bool = False,
        note: Callable[[Found], None] = lambda _: None,
        others: Iterable[str] = (),
    ) -> tuple[Found, ...]:
        """Read the resources of each subject, such as a subscription, and return all resources.

        This function calls `note` with each resource as soon as it has the resource.

        A subject that Azure refuses to show becomes a blind spot (something that Certroll could not read).

        Certroll gives a subscription up if Azure puts off or does not answer more than a tolerated number of its
        requests: all its other subjects become blind spots without a request. Raises Transient if Certroll gives up
        every subscription and knows nothing without a request. `others` has the subscriptions of further subjects,
        which Certroll knows already, and which count as answered. With `one_answers`, the subjects are subscriptions,
        and this function raises Transient if Azure answers for none of them, or leaves more than a tolerated number of
        requests without an answer.
        """
        subjects, others = tuple(subjects), tuple(others)
        found: list[Found] = []
        places = ["" if one_answers else hidden(subject, "").subscription for subject in subjects]
        silence = Silence((*places, *others), one_answers=one_answers)
        pairs = tuple(zip(places, subjects, strict=True))

        def heard(pair: tuple[str, Subject]) -> Listing[Found] | AzureError | OutOfTime:
            return silence.heard(pair[0], lambda: self._read_or_error(read, pair[1]))

        with self._pool.results(heard, pairs) as answers:
            for subject in subjects:
                answer = self._next_answer(answers)
                # if Certroll has given every subscription up, it assumes that Azure is down
                if isinstance(answer, Transient) and silence.is_everywhere and not others:
                    raise answer
                if isinstance(answer, OutOfTime):
                    self.blind_spots.append(replace(hidden(subject, str(answer)), reason=Reason.OUT_OF_TIME))
                    continue
                if isinstance(answer, AzureError):
                    self.blind_spots.append(hidden(subject, str(answer)))
                    continue
                found.extend(answer.found)
                for resource in answer.found:
                    note(resource)
                self.blind_spots.extend(answer.blind_spots)
        return tuple(found)

    def _read_or_error(
        self, read: Callable[[Subject], Listing[Found]], subject: Subject
    ) -> Listing[Found] | AzureError | OutOfTime:
        """Read the resources of a subject, or return the error for which the other subjects need not wait."""
        if self._check_time is None:
            return _or_error(read, subject)
        try:
            self._check_time()
            return _or_error(read, subject)
        except OutOfTime as late:
            return late

    def _next_answer(
        self, answers: Iterator[Listing[Found] | AzureError | OutOfTime]
    ) -> Listing[Found] | AzureError | OutOfTime:
        """Return the next answer. After the end of the run's time, each answer of a view with `check_time` is late."""
        try:
            return next(answers, OutOfTime(LATE))
        except OutOfTime as late:
            if self._check_time is None:
                raise
            return late

    def each_subscription(
        self, read: Callable[[str], Listing[Found]], subscriptions: tuple[str, ...]
    ) -> tuple[Found, ...]:
        """Read the resources of each subscription and return all resources.

        Raises Transient if Azure answers for none of the subscriptions.
        """
        return self.each(read, subscriptions, _subscription_hidden, one_answers=True)


def _or_error(read: Callable[[Subject], Listing[Found]], subject: Subject) -> Listing[Found] | AzureError:
    try:
        return read(subject)
    except AzureError as error:
        return error  # Certroll reads all other resources even if Azure does not show one of the resources


def _subscription_hidden(subscription: str, why: str) -> BlindSpot:
    return BlindSpot(f"subscription {subscription}", why, subscription)
