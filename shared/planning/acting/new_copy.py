"""Build new certificates for App Service, with names of their own, if the webspace can take them."""

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
"""How many private certificates a webspace takes (Azure docs, "Add and manage TLS/SSL certificates")."""
PLANLESS = (
    "Certroll sees no App Service plan of this webspace, and an upload must name a plan: grant Reader on the plans"
)


def own_copy(
    lineage: Lineage,
    version: CertificateVersion,
    webspace: Webspace,
    plan: ServerFarm | None,
    taken: Mapping[CopyRef, Webspace],
) -> WebspaceCertificate:
    """Return the copy that Certroll uploads, named `certroll-{name}-{thumbprint}`."""
    group = plan.resource_group if plan else "unknown"
    ref = CopyRef(webspace.subscription, group, f"{OWN_PREFIX}{lineage.ref.name}-{version.thumbprint}".lower())
    return WebspaceCertificate(
        ref=unique_name(ref, webspace, taken),
        webspace=webspace,
        location=plan.location if plan else "",
        thumbprint=version.thumbprint,
        host_names=version.facts.host_names if version.facts else frozenset(),
        not_after=version.not_after,
        source=None,
        tags=((LINEAGE.name, str(lineage.ref)),),
    )


def unique_name(ref: CopyRef, webspace: Webspace, taken: Mapping[CopyRef, Webspace]) -> CopyRef:
    """Return the name, with a suffix if another webspace has a certificate of this name.

    If two webspaces of one resource group shared a name, the second certificate would replace the first
    (azure-powershell issue 17347).
    """
    if taken.get(ref, webspace) == webspace:
        return ref
    return replace(ref, name=f"{ref.name}-{sha256(webspace.name.encode()).hexdigest()[:8]}")


def own_name(ref: VaultCertificateRef, thumbprint: Thumbprint | None) -> str:
    """Return the name of a public certificate that Certroll uploads.

    The name includes the vault object, because Azure stores no tags with a public certificate.
    """
    return f"{OWN_PREFIX}{ref.vault}-{ref.name}-{thumbprint}".lower()


def why_full(snapshot: Snapshot, webspace: Webspace) -> str:
    """Return why a webspace takes no more certificates, empty if it takes more."""
    held = len(snapshot.fleet.certificates_in(webspace))
    if held < MOST_IN_WEBSPACE:
        return ""
    return f"{webspace} holds {held} certificates, and takes {MOST_IN_WEBSPACE} at most: delete superseded ones there"


def plan_for_upload(snapshot: Snapshot, copy: WebspaceCertificate, plan: ServerFarm | None) -> ServerFarm | Skip:
    """Return the App Service plan for the upload of the copy, or the reason why Certroll cannot upload it."""
    if plan is None:
        return Skip(copy_subject(copy.ref, copy.webspace), Reason.NO_PLAN_IN_WEBSPACE, PLANLESS)
    if copy.site is None and (full := why_full(snapshot, copy.webspace)):
        return Skip(copy_subject(copy.ref, copy.webspace), Reason.WEBSPACE_FULL, full)
    return plan
