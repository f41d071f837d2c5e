"""Count the reads that Azure puts off or does not answer, and give up the subscription that has too many of them."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.domain.errors import AzureError, Transient

FEW_SILENT, MOST_SILENT = 5, 20
"""The least and the most reads of a subscription that may fail without an answer before Certroll gives it up.

Between the two limits, a tenth of the reads may fail. Each failing read occupies a thread for 90 s.
"""
Answer = TypeVar("Answer")


class Silence:
    """How many reads of each subscription Azure has put off or not answered. Threads of a pool share this object."""

    def __init__(self, places: Iterable[str], *, one_answers: bool) -> None:
        """Begin without unanswered reads. `places` has the subscription of each read, also of one that is not needed.

        With `one_answers`, at least one read of each place must have an answer.
        """
        reads = Counter(places)
        self._most = {place: _most_silent(reads[place], one_answers=one_answers) for place in reads}
        self._silent: dict[str, list[Transient]] = {place: [] for place in reads}
        """The errors by subscription. A list, because threads append to a list one after another."""
        self._lost: dict[str, Transient] = {}

    @property
    def is_everywhere(self) -> bool:
        """True if Certroll has given up every subscription."""
        return len(self._lost) == len(self._most)

    def heard(self, place: str, read: Callable[[], Answer | AzureError]) -> Answer | AzureError:
        """Return the answer to a read, or the last error of its subscription if Certroll has given it up."""
        if (lost := self._lost.get(place)) is not None:
            return lost
        answer = read()
        if isinstance(answer, Transient):
            self._silent[place].append(answer)
            if len(self._silent[place]) > self._most[place]:
                self._lost[place] = answer
        return answer


def _most_silent(reads: int, *, one_answers: bool) -> int:
    """Return how many reads of a subscription may stay without an answer before Certroll gives it up."""
    most = min(max(FEW_SILENT, reads // 10), MOST_SILENT)
    return min(most, reads - 1) if one_answers else most
