"""Decide whether a webspace takes one more certificate, and which App Service plan an upload names."""

from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.subjects import copy_subject
from shared.planning.plan import Skip

MOST_IN_WEBSPACE = 1000
"""How many private certificates a webspace takes (Azure docs, "Add and manage TLS/SSL certificates")."""


PLANLESS = (
    "Certroll sees no App Service plan of this webspace, and an upload must name a plan: grant Reader on the plans"
)


def why_full(snapshot: Snapshot, webspace: Webspace) -> str:
    """Return why a webspace takes no more certificates, empty if the webspace takes more."""
    held = len(snapshot.fleet.certificates_in(webspace))
    if held < MOST_IN_WEBSPACE:
        return ""
    return f"{webspace} holds {held} certificates, and takes {MOST_IN_WEBSPACE} at most: delete superseded ones there"


def plan_for_upload(snapshot: Snapshot, copy: WebspaceCertificate, plan: ServerFarm | None) -> ServerFarm | Skip:
    """Return the App Service plan for the upload of the certificate, or the reason why Certroll cannot upload it."""
    if plan is None:
        return Skip(copy_subject(copy.ref, copy.webspace), Reason.NO_PLAN_IN_WEBSPACE, PLANLESS)
    if copy.site is None and (full := why_full(snapshot, copy.webspace)):
        return Skip(copy_subject(copy.ref, copy.webspace), Reason.WEBSPACE_FULL, full)
    return plan
