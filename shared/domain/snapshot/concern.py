"""Find the part of a fleet that concerns one vault certificate, because hundreds of plans cannot walk all sites."""

from collections.abc import Iterable
from itertools import chain

from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import TargetInvalid
from shared.domain.fleet.districts import Districts, Key, keys_of
from shared.domain.fleet.fleet import Fleet
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.tag_targets import parse_targets
from shared.domain.tags import TAGS, Tag

PLACING = tuple(tag for tag in TAGS if tag.makes_wanted)
"""The tags by which a vault certificate names places that may have none of its versions yet."""


def concerned(districts: Districts, lineage: Lineage, rollout: Rollout) -> Fleet:
    """Return the part of the fleet on which a plan for the vault certificate and the rollout depends.

    The plan from this part is the plan from the whole fleet.
    """
    known = {version.thumbprint for version in lineage.versions} | rollout.thumbprints
    known |= {binding.thumbprint for record in rollout.records for binding in record.last_good if binding.thumbprint}
    thumbprints = chain.from_iterable(map(keys_of, known | districts.imported(lineage.ref)))
    return districts.part((lineage.ref, *thumbprints, *_of_tags(lineage), *_of_unread(lineage), *_of_rollout(rollout)))


def _of_tags(lineage: Lineage) -> Iterable[Key]:
    """Yield the names in the tags, and the vault of an import whose tag names a place."""
    named = [name for tag in PLACING for name in _named(lineage, tag)]
    return (*named, lineage.ref.vault) if named else ()


def _named(lineage: Lineage, tag: Tag) -> tuple[str, ...]:
    try:
        return tuple(map(str, parse_targets(lineage.tags, tag)))
    except TargetInvalid:
        return ()  # the plan refuses the whole tag


def _of_unread(lineage: Lineage) -> Iterable[Key]:
    """Return the host names of uploads that may be versions which the vault does not show."""
    facts = lineage.current.facts if lineage.current else None
    return facts.host_names if lineage.unread and facts is not None else ()


def _of_rollout(rollout: Rollout) -> Iterable[Key]:
    """Yield the sites and webspaces of which the journal knows."""
    recorded: tuple[SiteRecord | RollRecord, ...]
    recorded = (*rollout.records, *rollout.past_failed, *rollout.rolls, *rollout.past_rolls)
    yield from (record.site.production for record in recorded)
    yield from (record.webspace for record in recorded)
    yield from (webspace for webspace, _ in rollout.held)
    yield rollout.first
