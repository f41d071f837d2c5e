"""Decide what the answer 404 means for a resource that Azure listed when Certroll made the plan."""

from shared.domain.errors import AzureError, Conflict, NotFound, Rejected
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.reason import Reason
from shared.ports import Ports


def absence(subject: str, absent: NotFound, *, listed: bool) -> AzureError:
    """Return Conflict if Azure no longer lists the resource, so that Certroll plans again, else Rejected.

    If Azure lists a resource and answers 404 for it, a new plan would only meet the same answer.
    """
    if not listed:
        return Conflict(f"{subject} is gone: {absent}")
    detail = f"Azure lists it and does not find it: {absent}. Certroll tries again at the next sweep"
    return Rejected(f"{detail}: remove it and add it again, or renew it by hand", Reason.NOT_FOUND_BY_AZURE)


def lists_binding(ports: Ports, binding: Binding) -> bool:
    """Return True if Azure lists the host name of the binding on its site."""
    try:
        _, listed = ports.app_service.site(binding.site)
    except NotFound:
        return False
    return any(seen.address == binding.address for seen in listed)


def lists_copy(ports: Ports, copy: WebspaceCertificate) -> bool:
    """Return True if Azure lists the certificate, among those of its subscription or of the site that owns it."""
    app_service, owner = ports.app_service, copy.site
    try:
        if owner is None:
            listed = app_service.certificates(copy.ref.subscription)
        else:
            listed = app_service.site_certificates(owner, copy.webspace)
    except NotFound:
        return False
    return any(seen.ref == copy.ref for seen in listed.found)
