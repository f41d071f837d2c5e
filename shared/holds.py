"""Release a hold: the domain judges the records, the journal stores what it says."""

from datetime import datetime

from shared.domain.names import SiteRef, VaultCertificateRef
from shared.domain.release import released
from shared.ports.journal import Rollouts, SettingsRolls


def let_go(
    rollouts: Rollouts, rolls: SettingsRolls, ref: VaultCertificateRef, version: str, now: datetime
) -> tuple[SiteRef, ...]:
    """Forget the failures that hold a version; return where they were. The version is tried there from the start.

    A record that another run writes meanwhile stays as that run wrote it. Raises Conflict if that leaves nothing to
    release, and while an app is being taken back.
    """
    release = released(rollouts.rollout(ref, version), now)
    forgotten = tuple(roll for roll in release.rolls if rolls.forget(ref, roll))
    sites = release.sites(forgotten)
    for record in release.records:
        rollouts.record_site(ref, record)
    return sites
