"""Find the observed resources that a tag of a vault object names."""

from collections.abc import Mapping

from shared.domain.certificates.lineage import Lineage
from shared.domain.names import SiteRef
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tag_targets import Target
from shared.domain.tags import Tag
from shared.domain.targets import found_targets, names_of_site
from shared.planning.plan import Skip


def named_targets(
    lineage: Lineage, tag: Tag, candidates: Mapping[str, frozenset[str]]
) -> tuple[dict[Target, str], list[Skip]]:
    """Return the id of each resource that the tag names, and a refusal for each name without a resource.

    `candidates` maps each observed id to all names by which a tag may name the resource.
    """
    found, problems = found_targets(lineage.tags, tag, candidates)
    refusals = [
        Skip(target_subject(lineage, tag, target), invalid.reason, str(invalid)) for target, invalid in problems
    ]
    return found, refusals


def target_subject(lineage: Lineage, tag: Tag, target: Target | None) -> str:
    """Return the subject of a finding about one name in the tag, or about the whole tag if the name is None."""
    subject = f"tag {tag} of {lineage.ref}"
    return f"{subject}: {target}" if target else subject


def named_sites(snapshot: Snapshot, tag: Tag) -> tuple[frozenset[SiteRef], list[Skip]]:
    """Return the sites and slots that the tag names, and a refusal for each name without a site."""
    candidates = {site.ref.resource_id: names_of_site(site.ref) for site in snapshot.fleet.sites}
    found, skips = named_targets(snapshot.lineage, tag, candidates)
    return frozenset(map(SiteRef.parse, found.values())), skips
