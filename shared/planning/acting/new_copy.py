"""Certificates that Certroll makes in App Service: their names, and where there is room for them."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.copies import OWN_PREFIX, WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import CopyRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import LINEAGE
from shared.planning.acting.subjects import copy_subject
from shared.planning.plan import Skip

MOST_IN_WEBSPACE = 1000
"""Private certificates that a webspace holds (Azure docs, "Add and manage TLS/SSL certificates")."""
PLANLESS = "no App Service plan of this webspace is visible, and an upload must name one: grant Reader on its plans"


def own_copy(
    lineage: Lineage,
    version: CertificateVersion,
    webspace: Webspace,
    plan: ServerFarm | None,
    taken: Mapping[CopyRef, Webspace],
) -> WebspaceCertificate:
    """Return a copy as we make it, named `certroll-{name}-{thumbprint}`."""
    group = plan.resource_group if plan else "unknown"
    ref = CopyRef(webspace.subscription, group, f"{OWN_PREFIX}{lineage.ref.name}-{version.thumbprint}".lower())
    return WebspaceCertificate(
        ref=told_apart(ref, webspace, taken),
        webspace=webspace,
        location=plan.location if plan else "",
        thumbprint=version.thumbprint,
        host_names=version.facts.host_names if version.facts else frozenset(),
        not_after=version.not_after,
        source=None,
        tags=((LINEAGE.name, str(lineage.ref)),),
    )


def told_apart(ref: CopyRef, webspace: Webspace, taken: Mapping[CopyRef, Webspace]) -> CopyRef:
    """Return the name, or one with a suffix where another webspace has it.

    Two webspaces of one resource group must not share a name: the second would replace the first (azure-powershell
    issue 17347).
    """
    if taken.get(ref, webspace) == webspace:
        return ref
    return replace(ref, name=f"{ref.name}-{sha256(webspace.name.encode()).hexdigest()[:8]}")


def own_name(ref: VaultCertificateRef, thumbprint: Thumbprint | None) -> str:
    """Return how a public certificate of ours is named: it has no tags to say of which vault object it is."""
    return f"{OWN_PREFIX}{ref.vault}-{ref.name}-{thumbprint}".lower()


def why_full(snapshot: Snapshot, webspace: Webspace) -> str:
    """Return that a webspace takes no more certificates, empty where it does."""
    held = len(snapshot.fleet.certificates_in(webspace))
    if held < MOST_IN_WEBSPACE:
        return ""
    return (
        f"{webspace} holds {held} certificates, and takes {MOST_IN_WEBSPACE} at most: delete what is superseded there"
    )


def room_for(snapshot: Snapshot, copy: WebspaceCertificate, plan: ServerFarm | None) -> ServerFarm | Skip:
    """Return the plan by which the copy can be uploaded, or why it cannot."""
    if plan is None:
        return Skip(copy_subject(copy.ref, copy.webspace), Reason.NO_PLAN_IN_WEBSPACE, PLANLESS)
    if copy.site is None and (full := why_full(snapshot, copy.webspace)):
        return Skip(copy_subject(copy.ref, copy.webspace), Reason.WEBSPACE_FULL, full)
    return plan
