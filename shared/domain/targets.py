"""What the targets of a tag lead to: each is a short name, and has to fit exactly one thing that was seen."""

from collections.abc import Mapping

from shared.domain.errors import TargetInvalid
from shared.domain.names import EnvironmentRef, SiteRef, Webspace
from shared.domain.reason import Reason
from shared.domain.tags import MOST_NAMED, Tag, Tags, Target, parse_targets


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
    tags: Tags, tag: Tag, candidates: Mapping[str, frozenset[str]]
) -> tuple[dict[Target, str], tuple[tuple[Target | None, TargetInvalid], ...]]:
    """Return the candidate that each target of the tag names, and what is wrong: by target, or with None all of it.

    One target that is wrong does not hold up the others; two may name the same candidate.
    """
    found: dict[Target, str] = {}
    problems: list[tuple[Target | None, TargetInvalid]] = []
    try:
        targets = parse_targets(tags, tag)
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
