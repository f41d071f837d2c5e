"""Decide whether a webspace or an app takes one more certificate, and which App Service plan an upload names."""

from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import SiteRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.subjects import copy_subject
from shared.planning.plan import Skip

MOST_IN_WEBSPACE = 1000
"""How many private certificates a webspace takes (Azure docs, "Add and manage TLS/SSL certificates")."""

MOST_OF_FLEX_SITE = 3
"""How many private certificates, and how many public ones, a Flex Consumption app takes (azure-docs #128469)."""
PLANLESS = (
    "Certroll sees no App Service plan of this webspace, and an upload must name a plan: grant Reader on the plans"
)


def why_full(snapshot: Snapshot, webspace: Webspace) -> str:
    """Return why a webspace takes no more certificates, empty if the webspace takes more."""
    held = len(snapshot.fleet.certificates_in(webspace))
    if held < MOST_IN_WEBSPACE:
        return ""
    return f"{webspace} holds {held} certificates, and takes {MOST_IN_WEBSPACE} at most: delete superseded ones there"


def why_site_full(snapshot: Snapshot, site: SiteRef, *, public: bool) -> str:
    """Return why a Flex Consumption app takes no more certificates, empty if the app takes more.

    The text names the certificates of the app that no binding uses, because one of them may go.
    """
    held = [c for c in snapshot.fleet.certificates if c.site == site and c.ref.public == public]
    if len(held) < MOST_OF_FLEX_SITE:
        return ""
    idle = [c.ref.name for c in sorted(held, key=lambda c: c.ref) if not c.projected and not snapshot.served_by(c)]
    remedy = f"delete one that nothing uses; no binding uses {', '.join(idle)}" if idle else "bindings use all of them"
    kind = "public" if public else "private"
    return f"{site} holds {len(held)} {kind} certificates, and takes {MOST_OF_FLEX_SITE} at most: {remedy}"


def why_low(plan: ServerFarm) -> str:
    """Return why the apps of a plan get no certificates, empty if they get certificates."""
    name = plan.resource_id.rpartition("/")[2]
    return f"the plan {name} has the tier {plan.tier}; scale it up to Basic or higher" if plan.is_free else ""


def plan_for_upload(snapshot: Snapshot, copy: WebspaceCertificate, plan: ServerFarm | None) -> ServerFarm | Skip:
    """Return the App Service plan for the upload of the certificate, or the reason why Certroll cannot upload it."""
    subject = copy_subject(copy.ref, copy.webspace)
    if plan is None:
        return Skip(subject, Reason.NO_PLAN_IN_WEBSPACE, PLANLESS)
    if low := why_low(plan):
        return Skip(subject, Reason.TIER_TOO_LOW, low)
    if copy.site is None and (full := why_full(snapshot, copy.webspace)):
        return Skip(subject, Reason.WEBSPACE_FULL, full)
    if copy.site is not None and (full := why_site_full(snapshot, copy.site, public=False)):
        return Skip(subject, Reason.SITE_FULL, full)
    return plan
