"""What a tag of a vault object names, found among what was observed."""

from collections.abc import Mapping

from shared.domain.errors import TargetInvalid
from shared.domain.lineage import Lineage
from shared.domain.plan import Skip
from shared.domain.targets import parse_targets, resolve


def named_targets(
    lineage: Lineage, tag: str, candidates: Mapping[str, frozenset[str]]
) -> tuple[frozenset[str], list[Skip]]:
    """Return the ids that the tag names, and a refusal for each target that is wrong; one does not hold up the others.

    `candidates` are the ids that there are, each with the names that it answers to.
    """
    subject = f"tag {tag} of {lineage.ref}"
    found: set[str] = set()
    skips: list[Skip] = []
    try:
        targets = parse_targets(lineage.tags, tag)
    except TargetInvalid as invalid:
        return frozenset(), [Skip(subject, invalid.reason, str(invalid))]
    for target in targets:
        try:
            found.add(resolve(target, candidates))
        except TargetInvalid as invalid:
            skips.append(Skip(f"{subject}: {target}", invalid.reason, str(invalid)))
    return frozenset(found), skips
