"""Tell that a version is on hold, once for the version instead of once for each step that the hold stops."""

from collections.abc import Iterable

from shared.domain.findings import Finding
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.snapshot.snapshot import Snapshot

REMEDY = "mend the app or site and release the hold, or put a newer version into the vault"


def failures(rollout: Rollout) -> tuple[str, ...]:
    """Return each site and app that holds the version, with the way in which it failed. Empty without a hold.

    A site failed because App Service serves another certificate. An app failed its probe: the text has the state of
    the app's settings update.
    """
    sites = (f"{record.site} ({Reason.SERVED_ANOTHER}: {record.detail})" for record in rollout.failed)
    apps = (f"{roll.site} ({roll.state}: {roll.detail})" for roll in rollout.held_by)
    return (*sorted(sites), *sorted(apps))


def held_at(where: Iterable[str]) -> str:
    """Return where the version failed, and what ends the hold, as text for operators."""
    return f"this version failed at {', '.join(where)}: {REMEDY}"


def held(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return the finding that the current version is on hold, also if the hold stops no step of the plan."""
    where = failures(snapshot.rollout)
    if not where:
        return ()
    ref = str(snapshot.lineage.ref)
    return (Finding(snapshot.now, ref, ref, Reason.VERSION_HELD, held_at(where)),)
