"""Decide by numbers whether an inspection at the fleet answers a question, without comparing clocks.

```text
question: last begun is 7 ──▶ look 8 begins ──▶ look 8 ends well ──▶ the question is answered
                                  └── a question that comes now says 8: only look 9 answers it
```
"""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Look:
    """An inspection at the fleet for one vault certificate."""

    number: int = 0
    """The number of the inspection. Looks of one vault certificate have rising numbers."""
    whole: int = 0
    """The number of the last inspection that ended well and sent every message again."""
    partial: int = 0
    """The number of the last other inspection that ended well."""
    revision: str | None = None
    """The revision of the entry in the journal."""

    def answers(self, after: int | None, *, whole: bool) -> bool:
        """Return True if an inspection that began after the inspection `after` has ended well.

        A question for a `whole` look is answered only by a whole look. A question without a number is never answered.
        """
        ended = self.whole if whole else max(self.whole, self.partial)
        return after is not None and ended > after

    def next(self) -> Self:
        """Return the next inspection, which has not ended."""
        return replace(self, number=self.number + 1)

    def ended(self, *, whole: bool) -> Self:
        """Return the inspection after it ended well."""
        return replace(self, whole=self.number) if whole else replace(self, partial=self.number)

    def stored(self, revision: str) -> Self:
        """Return the inspection with the revision of its entry in the journal."""
        return replace(self, revision=revision)
