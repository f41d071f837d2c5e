"""Decide which findings (reported problems) a complete inspection no longer sees.

A finding stays open if Certroll could not see its cause: after an error, or if something in its webspace is unreadable.
"""

from collections.abc import Callable, Collection
from datetime import datetime

from shared.domain.findings import OpenFinding, SeenBy
from shared.domain.fleet.fleet import Fleet
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, VaultName
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings
from shared.planning.plan import Plan

OF_LISTS = frozenset({Reason.VAULT_DENIED, Reason.VAULT_UNREACHABLE, Reason.DENIED_BY_AZURE})
"""The findings about a list of a vault or of all subscriptions, which nothing in the fleet can hide."""
OF_JOURNAL = frozenset({Reason.VERSION_HELD})
"""The findings about the journal's records of a version, which nothing in the fleet can hide."""
IsGone = Callable[[OpenFinding], bool]


def gone_from(snapshot: Snapshot, plan: Plan) -> IsGone:
    """Return a function that returns True if the cause of a vault object's finding is gone.

    What was reported about a version counts as gone if a newer version is the current one, and nothing waits for the
    subject. A newer version that is disabled, or that Certroll refuses, ends nothing. A refused write counts as gone if
    the plan neither does nor refuses anything about its subject. What a run of a site or app saw counts as gone if the
    site or app no longer uses the vault object.
    """
    waiting = {step.subject for step in plan.steps} | {skip.subject for skip in plan.not_done}
    users = _users(snapshot)
    current = snapshot.lineage.current

    def is_gone(found: OpenFinding) -> bool:
        if found.seen_by is SeenBy.VERSION:
            return found.subject not in waiting and current is not None and current.created > found.last_seen
        if found.reason in OF_JOURNAL:
            return found.last_seen < snapshot.now
        return unseen_in(snapshot.fleet)(found) and {
            SeenBy.INSPECTION: True,
            SeenBy.WRITE: found.subject not in waiting,
            SeenBy.SITE: found.site not in users,
            SeenBy.APP: found.site not in users,
        }.get(found.seen_by, False)

    return is_gone


def _users(snapshot: Snapshot) -> frozenset[SiteRef]:
    """Return the sites and slots that use the vault object, or that the journal has for its current version."""
    lineage, rollout = snapshot.lineage, snapshot.rollout
    bound = (binding.site for binding in shown_bindings(snapshot))
    naming = (
        settings.site
        for settings in snapshot.fleet.settings
        if any(map(lineage.version_of, settings.named))
        or any(reference.ref == lineage.ref for reference in settings.vault_references)
    )
    recorded = (record.site for record in rollout.records)
    rolled = (roll.site for roll in rollout.rolls)
    return frozenset((*bound, *naming, *recorded, *rolled))


def unseen_in(fleet: Fleet) -> IsGone:
    """Return a function that returns True if an inspection of the fleet could see a finding's cause, and did not."""
    return lambda found: found.last_seen < fleet.taken_at and _could_see(fleet, found)


def unseen_by_sweep(fleet: Fleet, began: datetime, unasked: Collection[VaultName] = ()) -> IsGone:
    """Return a function that returns True for what a sweep has not seen again, since it began before the fleet's time.

    A sweep that has read the fleet has asked every subscription. `unasked` are the vaults that the sweep could not
    list, for instance because its time was over.
    """
    hidden = {vault_subject(vault) for vault in unasked}
    return lambda found: (
        found.last_seen < began
        and found.subject not in hidden
        and (found.reason in OF_LISTS or _could_see(fleet, found))
    )


def vault_subject(vault: VaultName) -> str:
    """Return the subject of findings about the list of a vault."""
    return f"vault {vault}"


def is_of_vault(scope: str, vaults: Collection[VaultName]) -> bool:
    """Return True if findings with the scope are about an object of one of the vaults.

    A scope such as `orders` is no vault object, even if a vault has the name `orders`.
    """
    vault, slash, _ = scope.partition("/")
    return bool(slash) and vault in vaults


def left_scope(scope: str, intent: Intent) -> str | None:
    """Return why Certroll no longer looks at what findings with the scope are about, or None if Certroll does.

    The scope of a vault object is `vault/name`, and the scope of an environment is its resource id.
    """
    vault, slash, rest = scope.partition("/")
    if slash and vault:
        return None if vault in intent.vaults else f"vault {vault} is not among CERTROLL_VAULTS"
    kind, _, named = rest.partition("/")
    subscription, _, _ = named.partition("/")
    if kind != "subscriptions" or not intent.subscriptions or subscription in intent.subscriptions:
        return None
    return f"subscription {subscription} is not among CERTROLL_SUBSCRIPTIONS"


def _could_see(fleet: Fleet, found: OpenFinding) -> bool:
    """Return True if nothing unreadable in the fleet could hide the cause of a finding."""
    hidden = (found.webspace is None or spot.may_use(found.webspace) for spot in fleet.blind_spots)
    return not any(hidden)


def unused_in(fleet: Fleet) -> IsGone:
    """Return a function that returns True for each finding about a vault object that nothing in the fleet uses."""
    return lambda found: found.seen_by is not SeenBy.VERSION and unseen_in(fleet)(found)


def seen_before(began: datetime, *seen_by: SeenBy) -> IsGone:
    """Return a function that returns True for findings of the given kinds that were last seen before `began`."""
    return lambda found: found.seen_by in seen_by and found.last_seen < began
