"""Refuse all changes of a vault certificate, a site or a slot that carries the tag `certroll: off`."""

from dataclasses import replace

from shared.domain.intent import Intent
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import OPT_OUT, opted_out
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse steps on resources that carry `certroll: off`.

    If a resource carries `certroll: off`, each skip for the resource gives this tag as its reason.

    If a slot and its site carry different `certroll` tags, the tag of the slot applies to the slot.
    """
    judged = plan.refuse(lambda step: _opted_out(step.subject, _site_of(step), snapshot))
    skips = tuple(_opted_out(skip.subject, skip.site, snapshot) or skip for skip in judged.skips)
    return replace(judged, skips=skips)


def _site_of(step: Step) -> SiteRef | None:
    """Return the site that the step changes, else the only site that has the step's certificate."""
    return step.action.site or step.action.owner


def _opted_out(subject: str, site: SiteRef | None, snapshot: Snapshot) -> Skip | None:
    if opted_out(snapshot.lineage.tags):
        said = OPT_OUT.value_in(snapshot.lineage.tags)
        detail = f"vault certificate {snapshot.lineage.ref} carries the tag certroll: {said}"
        return Skip(subject, Reason.OPTED_OUT, detail, site)
    if site is None or not snapshot.fleet.opted_out(site):
        return None
    detail = (
        f"{site} carries the tag certroll: {snapshot.tag(site, OPT_OUT)}. A sync of a shared copy still moves the "
        "bindings of the site: only the same tag on the vault certificate keeps Certroll from such a sync"
    )
    return Skip(subject, Reason.OPTED_OUT, detail, site)
