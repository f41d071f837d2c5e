"""Read the values of tags that name targets (resources), such as `certroll-import-to`."""

import re
from dataclasses import dataclass

from shared.domain.errors import TargetInvalid
from shared.domain.letter_case import lower_case
from shared.domain.reason import Reason
from shared.domain.tags import Tag, Tags

MOST_PARTS = 3
"""How many parts between slashes the name of a target has at most."""
MOST_NAMED = 10
"""How many names or problems a message lists at most."""
_PART = re.compile(r"[\w.()-]{1,90}")
_CONTINUES = re.compile(r"[2-9]|[1-9][0-9]")


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One entry of a tag that names targets (resources), such as `name` or `rg/name`."""

    parts: tuple[str, ...]
    """The parts of the entry between slashes, in lower case."""

    def __str__(self) -> str:
        return "/".join(self.parts)


def parse_targets(tags: Tags, tag: Tag) -> tuple[Target, ...]:
    """Return the targets (short names of resources) that the tag and its continuations name, each target once.

    Raise TargetInvalid if an entry is not a name, or if the numbers of the tags have a gap. TargetInvalid names up to
    ten problems of the tag.
    """
    values, problems = _numbered(tags, tag)
    found: dict[Target, None] = {}
    for number, value in sorted(values):
        for entry in (part.strip() for part in value.split(",")):
            target = Target(tuple(part.strip() for part in lower_case(entry).split("/")))
            if entry and not _is_name(target):
                problems.append(f"{_numbered_name(tag, number)}: {entry[:120]!r} is neither `name` nor `group/name`")
            elif entry:
                found[target] = None
    if problems:
        raise TargetInvalid(Reason.TARGET_INVALID, "; ".join(problems[:MOST_NAMED]))
    return tuple(found)


def words(tags: Tags, tag: Tag) -> frozenset[str]:
    """Return the parts of the targets in the tag, or an empty set for a malformed tag; a part may name a resource."""
    try:
        return frozenset(part for target in parse_targets(tags, tag) for part in target.parts)
    except TargetInvalid:
        return frozenset()


def _is_name(target: Target) -> bool:
    short = len(target.parts) <= MOST_PARTS
    return short and all(_PART.fullmatch(part) and not part.endswith(".") for part in target.parts)


def _numbered(tags: Tags, tag: Tag) -> tuple[list[tuple[int, str]], list[str]]:
    """Return the numbered values of the tag and of the tags that continue it, and problems with the numbers."""
    found = [(number, value) for key, value in tags if (number := tag.number_of(key)) is not None]
    values = [(int(number or 1), value) for number, value in found if not number or _CONTINUES.fullmatch(number)]
    odd = [number for number, _ in found if number and not _CONTINUES.fullmatch(number)]
    problems = [f"{tag}-{number[:20]}: the list begins with {tag} and goes on with {tag}-2" for number in odd]
    numbers = {number for number, _ in values}
    last = max(numbers, default=0)
    gap = next((number for number in range(1, last) if number not in numbers), None)
    if gap is not None:
        names = f"{_numbered_name(tag, last)} is there and {_numbered_name(tag, gap)} is not"
        problems.append(f"{names}: renumber the tags")
    return values, problems


def _numbered_name(tag: Tag, number: int) -> str:
    return tag.name if number == 1 else f"{tag}-{number}"
