"""Build the names of resources that operators read in steps, skips and findings (reported problems)."""

from shared.domain.fleet.bindings import Binding
from shared.domain.names import CopyRef, RootRef, SiteRef, Webspace, readable_host
from shared.domain.subject import Subject, site_subject

_BINDING = "binding "


def copy_subject(ref: CopyRef, webspace: Webspace) -> str:
    """Return the name of a certificate of App Service, as text for operators."""
    return Subject(f"certificate {ref} in {webspace}", ref.resource_id)


def root_subject(ref: RootRef) -> str:
    """Return the names of a root certificate and of its environment, as text for operators."""
    return Subject(f"root certificate {ref.name} of environment {ref.environment}", ref.environment.resource_id)


def binding_subject(binding: Binding) -> str:
    """Return the name of a TLS binding, as text for operators."""
    return site_subject(binding.site, f"{_BINDING}{readable_host(binding.host_name)} of ")


def is_binding_subject(subject: str) -> bool:
    """Return True if the function `binding_subject` made the subject."""
    return subject.startswith(_BINDING)


def settings_subject(site: SiteRef) -> str:
    """Return the name of the settings of an app, as text for operators."""
    return site_subject(site, "app settings of ")


def root_list_subject(site: SiteRef) -> str:
    """Return the name of an app's root list (WEBSITE_LOAD_ROOT_CERTIFICATES), as text for operators."""
    return site_subject(site, "root list of ")
