"""How the things that change are named to people, in steps, skips and findings."""

from shared.domain.fleet.bindings import Binding
from shared.domain.names import CopyRef, RootRef, SiteRef, Webspace

_BINDING = "binding "


def copy_subject(ref: CopyRef, webspace: Webspace) -> str:
    """Return how a certificate of App Service is named to people."""
    return f"certificate {ref} in {webspace}"


def root_subject(ref: RootRef) -> str:
    """Return how a root certificate is named to people."""
    return f"root certificate {ref.name} of environment {ref.environment}"


def binding_subject(binding: Binding) -> str:
    """Return how a binding is named to people."""
    return f"{_BINDING}{binding.host_name} of {binding.site}"


def is_binding_subject(subject: str) -> bool:
    """Return True if the subject is a binding."""
    return subject.startswith(_BINDING)


def settings_subject(site: SiteRef) -> str:
    """Return how the settings of an app are named to people."""
    return f"app settings of {site}"


def root_list_subject(site: SiteRef) -> str:
    """Return how the root list of an app is named to people."""
    return f"root list of {site}"
