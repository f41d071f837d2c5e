"""Find the resource that each target (a short name in a tag) stands for.

A target in a tag is a short name and must fit exactly one resource.
"""

from collections.abc import Mapping

from shared.domain.errors import TargetInvalid
from shared.domain.letter_case import lower_case
from shared.domain.names import EnvironmentRef, SiteRef, Webspace
from shared.domain.reason import Reason
from shared.domain.tag_targets import MOST_NAMED, Target, parse_targets
from shared.domain.tags import Tag, Tags


def resolve(target: Target, candidates: Mapping[str, frozenset[str]]) -> str:
    """Return the id of the only candidate resource that has the target's name.

    The argument `candidates` maps each id to the names of the resource. Raise TargetInvalid if no candidate or several
    candidates have the target's name. If several resources fit a target, the error's message lists up to ten of them.
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
        "as in `group/name` or `subscription/group/name`",
    )


def found_targets(
    tags: Tags, tag: Tag, candidates: Mapping[str, frozenset[str]]
) -> tuple[dict[Target, str], tuple[tuple[Target | None, TargetInvalid], ...]]:
    """Return the resource that each target of the tag stands for, and the problems of the other targets.

    A problem without a target (None) concerns the whole tag. A wrong target does not block the other targets of a tag,
    unless the whole tag is malformed. Two targets of a tag may stand for the same resource.
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
    """Return the names of a site, such as `site` and `group/site`, or of a slot, `site/slot` and `group/site/slot`."""
    return _names(str(site), site.resource_group, site.subscription)


def names_of_plan(resource_id: str) -> frozenset[str]:
    """Return `plan` and `group/plan`, the names of an App Service plan."""
    parts = lower_case(resource_id).strip("/").split("/")
    return _names(parts[-1], parts[3], parts[1])


def names_of_webspace(webspace: Webspace) -> frozenset[str]:
    """Return the single name by which a tag can name a webspace. The name contains the webspace's resource group."""
    return frozenset({lower_case(webspace.name)})


def names_of_environment(environment: EnvironmentRef) -> frozenset[str]:
    """Return the names of an App Service Environment, such as `environment` and `group/environment`."""
    return _names(environment.name, environment.resource_group, environment.subscription)


def _names(name: str, group: str, subscription: str) -> frozenset[str]:
    """Return the names of a resource. Two subscriptions may have a group and a resource of the same names."""
    return frozenset(map(lower_case, (name, f"{group}/{name}", f"{subscription}/{group}/{name}")))
