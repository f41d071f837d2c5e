"""What a tag of a vault object names, found among what was observed."""

from collections.abc import Mapping

from shared.domain.lineage import Lineage
from shared.domain.names import SiteRef
from shared.domain.plan import Skip
from shared.domain.snapshot import Snapshot
from shared.domain.targets import found_targets, names_of_site


def named_targets(
    lineage: Lineage, tag: str, candidates: Mapping[str, frozenset[str]]
) -> tuple[frozenset[str], list[Skip]]:
    """Return the ids that the tag names, and a refusal for each target that is wrong; one does not hold up the others.

    `candidates` are the ids that there are, each with the names that it answers to.
    """
    subject = f"tag {tag} of {lineage.ref}"
    found, problems = found_targets(lineage.tags, tag, candidates)
    return found, [
        Skip(f"{subject}: {target}" if target else subject, invalid.reason, str(invalid))
        for target, invalid in problems
    ]


def named_sites(snapshot: Snapshot, tag: str) -> tuple[frozenset[SiteRef], list[Skip]]:
    """Return the sites and slots that the tag names, and a refusal for each target that is wrong."""
    candidates = {site.ref.resource_id: names_of_site(site.ref) for site in snapshot.fleet.sites}
    found, skips = named_targets(snapshot.lineage, tag, candidates)
    return frozenset(map(SiteRef.parse, found)), skips
