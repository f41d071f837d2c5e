"""Decide which remembered app settings Certroll reads again before the run of a vault certificate changes something.

A memory is as old as CERTROLL_SETTINGS_REREAD at most, and somebody may have changed the settings since. An app that
names the old thumbprint meanwhile needs a copy of the old version before a sync, and keeps a copy from its deletion.
"""

from shared.controllers.certificate.admission import unrecorded
from shared.domain.intent import Intent
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import PROVEN
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan


def to_read(snapshot: Snapshot, plan: Plan, intent: Intent) -> frozenset[SiteRef]:
    """Return the sites and slots whose remembered settings decide what the run writes to Azure or to the journal.

    A step concerns all sites and slots of its webspace, because they share its certificates, and all slots of its site,
    with which the site may swap its settings. The journal gets records of apps that Certroll rolls, has not proven yet,
    or finds with the old and the new thumbprint.
    """
    remembered = [settings.site for settings in snapshot.fleet.settings if settings.remembered]
    if not remembered:
        return frozenset()
    actions = [step.action for step in (*plan.steps, *(would.step for would in plan.would))]
    webspaces = {action.webspace for action in actions}
    touched = (site for action in actions for site in (action.site, action.owner) if site is not None)
    families = {site.production for site in touched}
    judged = {roll.site for roll in snapshot.rollout.rolls if roll.state not in PROVEN}
    judged.update(skip.site for skip in plan.skips if skip.reason is Reason.CONTESTED and skip.site)
    judged.update(unrecorded(snapshot, plan, intent))

    def concerns(ref: SiteRef) -> bool:
        site = snapshot.site(ref)
        # a site whose webspace Azure does not show may be in each webspace
        near = bool(actions) and site is not None and site.webspace in {None, *webspaces}
        return near or ref in judged or ref.production in families

    return frozenset(filter(concerns, remembered))
