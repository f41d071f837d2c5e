"""Hold a version whose certificate has failed as another version: two versions with one thumbprint are one certificate.

An operator may import the same certificate into the vault again. That is no newer certificate, so what failed with it
still holds it, until the failure is gone or an operator releases the hold.
"""

from dataclasses import replace

from shared.domain.certificates.lineage import Lineage
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord, SiteState


def with_holds(rollout: Rollout, lineage: Lineage) -> Rollout:
    """Return the rollout of the current version with the failures of other versions of the same certificate."""
    rolls = tuple(roll for roll in rollout.past_rolls if still_holds(roll, lineage))
    records = tuple(record for record in rollout.past_failed if has_failed(record, lineage))
    if not rolls and not records:
        return rollout
    return replace(
        rollout,
        rolls=tuple(sorted((*rollout.rolls, *rolls), key=lambda roll: roll.site)),
        records=tuple(sorted((*rollout.records, *records), key=lambda record: record.site)),
        past_rolls=tuple(roll for roll in rollout.past_rolls if roll not in rolls),
        past_failed=tuple(record for record in rollout.past_failed if record not in records),
    )


def still_holds(roll: RollRecord, lineage: Lineage) -> bool:
    """Return True if an app failed with the certificate of the current version."""
    added = {edit.add for edit in roll.edits}
    current = lineage.current
    again = current is not None and current.thumbprint in added
    return roll.holds and (again or roll.version in _versions(lineage))


def has_failed(record: SiteRecord, lineage: Lineage) -> bool:
    """Return True if the bindings of a site failed with the certificate of the current version."""
    return record.state is SiteState.FAILED and record.version in _versions(lineage)


def _versions(lineage: Lineage) -> frozenset[str]:
    """Return the ids of all versions with the certificate of the current version."""
    now = lineage.current
    return frozenset(known.version for known in lineage.versions if now and known.thumbprint == now.thumbprint)
