"""Refuse all changes of a vault certificate, a site or a slot that carries the tag `certroll: off`."""

from dataclasses import replace
from functools import partial

from shared.domain.intent import Intent
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import OPT_OUT, opted_out
from shared.planning.guards.frozen import finishes
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse steps on resources that carry `certroll: off`.

    If a resource carries `certroll: off`, each skip for the resource gives this tag as its reason.

    If a slot and its site carry different `certroll` tags, the tag of the slot applies to the slot. If the vault
    certificate carries the tag, Certroll still finishes or takes back what it has begun at a site. The tag on the site
    itself also stops that.
    """
    judged = plan.refuse(partial(_refusal, snapshot))
    told = ((skip, _opted_out(skip.subject, skip.site, snapshot)) for skip in judged.skips)
    skips = tuple(replace(off, step=skip.step) if off else skip for skip, off in told)
    return replace(judged, skips=skips)


def _site_of(step: Step) -> SiteRef | None:
    """Return the site that the step changes, else the only site that has the step's certificate."""
    return step.action.site or step.action.owner


def _refusal(snapshot: Snapshot, step: Step) -> Skip | None:
    if finishes(step.action, snapshot):
        return _of_site(step.subject, _site_of(step), snapshot)
    return _opted_out(step.subject, _site_of(step), snapshot)


def _opted_out(subject: str, site: SiteRef | None, snapshot: Snapshot) -> Skip | None:
    if opted_out(snapshot.lineage.tags):
        said = OPT_OUT.value_in(snapshot.lineage.tags)
        detail = f"vault certificate {snapshot.lineage.ref} carries the tag certroll: {said}"
        return Skip(subject, Reason.OPTED_OUT, detail, site)
    return _of_site(subject, site, snapshot)


def _of_site(subject: str, site: SiteRef | None, snapshot: Snapshot) -> Skip | None:
    if site is None or not snapshot.fleet.opted_out(site):
        return None
    detail = (
        f"{site} carries the tag certroll: {snapshot.tag(site, OPT_OUT)}. A sync of a shared copy still moves the "
        "bindings of the site: only the same tag on the vault certificate keeps Certroll from such a sync"
    )
    return Skip(subject, Reason.OPTED_OUT, detail, site)
