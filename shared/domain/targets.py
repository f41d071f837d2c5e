"""Tags that name targets: short names of what a vault certificate is to be brought to.

    certroll-public-to    shop, rg-web/api, shop/staging
    certroll-public-to-2  rg-web/api/staging

The value of a tag holds 256 characters (Azure docs, "Tag support"), so a list goes on in tags that are numbered from 2.
The tags are one list in which order means nothing: what is named twice is named once, and empty entries are nothing.
A gap in the numbers is refused, because the part that is missing may have been lost.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.errors import TargetInvalid
from shared.domain.model import Tags
from shared.domain.names import EnvironmentRef, SiteRef, Webspace
from shared.domain.reason import Reason

MOST_PARTS = 3
MOST_NAMED = 10
_PART = re.compile(r"[\w.()-]{1,90}")
_CONTINUES = re.compile(r"[2-9]|[1-9][0-9]")


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One entry of such a tag in lower case: `name`, or what is before it as well, as in `rg/name`."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(self.parts)


def parse_targets(tags: Tags, name: str) -> tuple[Target, ...]:
    """Return the targets that the tag and those that continue it name, each once, in the order of the tags.

    Raises TargetInvalid, which names up to ten problems, where an entry cannot be a name or the numbers have a gap.
    """
    values, problems = _numbered(tags, name)
    found: dict[Target, None] = {}
    for number, value in sorted(values):
        for entry in (part.strip() for part in value.split(",")):
            target = Target(tuple(part.strip() for part in entry.lower().split("/")))
            if entry and not _is_name(target):
                problems.append(f"{_tag_name(name, number)}: {entry[:120]!r} is neither `name` nor `group/name`")
            elif entry:
                found[target] = None
    if problems:
        raise TargetInvalid(Reason.TARGET_INVALID, "; ".join(problems[:MOST_NAMED]))
    return tuple(found)


def words(tags: Tags, name: str) -> frozenset[str]:
    """Return every word of the targets that can be read: what they name may be called so."""
    try:
        return frozenset(part for target in parse_targets(tags, name) for part in target.parts)
    except TargetInvalid:
        return frozenset()


def resolve(target: Target, candidates: Mapping[str, frozenset[str]]) -> str:
    """Return the one candidate that answers to the name; candidates are ids with the names that each answers to.

    Raises TargetInvalid where there is none, or more than one: then all of them are named, and none is chosen.
    """
    named = sorted(candidate for candidate, names in candidates.items() if str(target) in names)
    if len(named) == 1:
        return named[0]
    if not named:
        raise TargetInvalid(
            Reason.NO_SUCH_TARGET, f"nothing that Certroll sees is called {str(target)!r}: correct the tag"
        )
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    raise TargetInvalid(
        Reason.AMBIGUOUS_TARGET,
        f"{str(target)!r} may be {', '.join(named[:MOST_NAMED])}{more}: write what tells them apart before it, "
        "as in `group/name`",
    )


def found_targets(
    tags: Tags, name: str, candidates: Mapping[str, frozenset[str]]
) -> tuple[dict[Target, str], tuple[tuple[Target | None, TargetInvalid], ...]]:
    """Return the candidate that each target of the tag names, and what is wrong: by target, or with None all of it.

    One target that is wrong does not hold up the others; two may name the same candidate.
    """
    found: dict[Target, str] = {}
    problems: list[tuple[Target | None, TargetInvalid]] = []
    try:
        targets = parse_targets(tags, name)
    except TargetInvalid as invalid:
        return {}, ((None, invalid),)
    for target in targets:
        try:
            found[target] = resolve(target, candidates)
        except TargetInvalid as invalid:
            problems.append((target, invalid))
    return found, tuple(problems)


def names_of_site(site: SiteRef) -> frozenset[str]:
    """Return what a site or slot answers to: `site` and `group/site`, or `site/slot` and `group/site/slot`."""
    return _names(str(site), site.resource_group)


def names_of_plan(resource_id: str) -> frozenset[str]:
    """Return what an App Service plan answers to: `plan` and `group/plan`."""
    parts = resource_id.lower().strip("/").split("/")
    return _names(parts[-1], parts[3])


def names_of_webspace(webspace: Webspace) -> frozenset[str]:
    """Return what a webspace answers to: its own name, which has its resource group in it."""
    return frozenset({webspace.name.lower()})


def names_of_environment(environment: EnvironmentRef) -> frozenset[str]:
    """Return what an App Service Environment answers to: `environment` and `group/environment`."""
    return _names(environment.name, environment.resource_group)


def _names(name: str, group: str) -> frozenset[str]:
    return frozenset({name.lower(), f"{group}/{name}".lower()})


def _is_name(target: Target) -> bool:
    short = len(target.parts) <= MOST_PARTS
    return short and all(_PART.fullmatch(part) and not part.endswith(".") for part in target.parts)


def _numbered(tags: Tags, name: str) -> tuple[list[tuple[int, str]], list[str]]:
    """Return the values of the tag and of those that continue it, numbered; and what is wrong with the numbers."""
    pattern = re.compile(rf"{re.escape(name)}(?:-([0-9]+))?")
    found = [(match[1], value) for key, value in tags if (match := pattern.fullmatch(key.strip().lower()))]
    values = [(int(number or 1), value) for number, value in found if number is None or _CONTINUES.fullmatch(number)]
    odd = [number for number, _ in found if number and not _CONTINUES.fullmatch(number)]
    problems = [f"{name}-{number[:20]}: the list begins with {name} and goes on with {name}-2" for number in odd]
    numbers = {number for number, _ in values}
    last = max(numbers, default=0)
    gap = next((number for number in range(1, last) if number not in numbers), None)
    if gap is not None:
        problems.append(f"{_tag_name(name, last)} is there and {_tag_name(name, gap)} is not: number the tags anew")
    return values, problems


def _tag_name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
