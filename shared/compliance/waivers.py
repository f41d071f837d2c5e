"""Waivers: an owner says by a tag that a finding is accepted, until a day and for a reason.

    ```
    certroll-waive    CRT402 YEAR-MONTH-DAY the partner has no client certificates yet
    certroll-waive-2  CRT204 YEAR-MONTH-DAY the old scanner speaks HTTP only
    ```

One tag holds one waiver. Whoever may tag a resource may waive its findings; CERTROLL_NO_WAIVE names the rules for which
waivers do not count.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shared.domain.tags import WAIVE, Tags

LONGEST = timedelta(days=366)
"""How far in the future a waiver may end, so that somebody looks at it again within a year."""
MOST_SHOWN = 120
"""How many characters of a broken waiver a finding shows."""
_ID = re.compile(r"CRT[0-9]{3}")


@dataclass(frozen=True, slots=True)
class Waiver:
    """A waiver that counts."""

    rule: str
    until: date
    """The last day of the waiver, in UTC."""
    reason: str


@dataclass(frozen=True, slots=True)
class BrokenWaiver:
    """A tag that looks like a waiver and does not count."""

    tag: str
    text: str
    problem: str


def waivers_in(
    tags: Tags, now: datetime, known: Collection[str]
) -> tuple[tuple[Waiver, ...], tuple[BrokenWaiver, ...]]:
    """Return the waivers of the tags, and the tags that do not count, with the reason."""
    waivers, broken = list[Waiver](), list[BrokenWaiver]()
    for key, value in tags:
        if WAIVE.number_of(key) is None:
            continue
        found = _parsed(value, now.date(), known)
        if isinstance(found, Waiver):
            waivers.append(found)
        else:
            broken.append(BrokenWaiver(key.strip().lower(), value.strip()[:MOST_SHOWN], found))
    return tuple(waivers), tuple(broken)


def _parsed(value: str, today: date, known: Collection[str]) -> Waiver | str:
    """Return the waiver in a tag's value, or what is wrong with it."""
    rule, _, rest = value.strip().partition(" ")
    until, _, reason = rest.strip().partition(" ")
    rule, reason = rule.upper(), reason.strip()
    if not _ID.fullmatch(rule):
        return "it begins with no rule: write a rule, a day and a reason, such as `CRT402 YEAR-MONTH-DAY reason`"
    if rule not in known:
        return f"there is no rule {rule}"
    try:
        day = date.fromisoformat(until)
    except ValueError:
        return "its second word is no day: write the year, the month and the day as YEAR-MONTH-DAY"
    if not reason:
        return "it gives no reason"
    if day < today:
        return f"it ended on {day}"
    if day > today + LONGEST:
        return f"it ends in more than {LONGEST.days} days"
    return Waiver(rule, day, reason)
