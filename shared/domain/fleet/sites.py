"""Sites and slots, the App Service plans that they run on, and App Service Environments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.letter_case import lower_case
from shared.domain.names import EnvironmentRef, HostName, SiteRef, Webspace
from shared.domain.tags import Tags

FREE_TIERS = frozenset({"free", "shared"})
"""The tiers of App Service plans whose apps get no certificates (Azure docs, "Add and manage TLS/SSL certificates",
prerequisites: Basic or higher)."""
PUBLIC_DOMAIN = ".azurewebsites."
"""A part of the default host name of every site in public DNS, in every cloud."""


@dataclass(frozen=True, slots=True)
class ServerFarm:
    """An App Service plan."""

    resource_id: str
    webspace: Webspace
    location: str = ""
    environment: EnvironmentRef | None = None
    """The App Service Environment of the plan, None outside of environments."""
    tier: str = ""
    """The tier of the plan in Azure's words, empty if Azure does not show it."""

    @property
    def is_free(self) -> bool:
        """True if the apps of the plan get no certificates, because its tier is Free or Shared."""
        return self.tier.lower() in FREE_TIERS

    @property
    def resource_group(self) -> str:
        """The resource group of the plan in lower case, where the tool az creates certificates of the webspace."""
        return lower_case(self.resource_id.split("/")[4])


@dataclass(frozen=True, slots=True)
class Site:
    """A site or a slot of App Service, without its host name bindings."""

    ref: SiteRef
    webspace: Webspace | None
    """The webspace of the site, None if Azure did not return it."""
    default_host_name: HostName
    tags: Tags = ()
    running: bool = True
    plan: str = ""
    """The resource id of the App Service plan in lower case, empty if Azure did not return it."""
    flex: bool = False
    """True on a Flex Consumption plan, where each site owns its certificates."""
    environment: EnvironmentRef | None = None
    """The App Service Environment of the site, None outside of environments."""
    windows_code: bool = False
    """True if the site runs code on Windows, and no container."""
    silos: bool = False
    """True if Azure shows that the site also runs in other regions (Microsoft.Web 2026-06-01, silos)."""
    modified: datetime | None = None
    """The last change of the site or of its settings (`lastModifiedTimeUtc`), None if Azure does not show it."""
    shown: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What compliance rules judge, under Azure's names (`SHOWN_OF_SITE` in shared/clients/arm/wire.py)."""

    @property
    def supports_root_list(self) -> bool:
        """True if App Service supports a root list (the setting WEBSITE_LOAD_ROOT_CERTIFICATES) for the site.

        App Service supports WEBSITE_LOAD_ROOT_CERTIFICATES only for Windows code in an App Service Environment (Azure
        docs, "Certificates and the App Service Environment", private client certificate).
        """
        return self.environment is not None and self.windows_code

    @property
    def behind(self) -> EnvironmentRef | None:
        """The internal App Service Environment through which clients reach the site, None for a site in public DNS.

        In the public cloud, default host names end in `appserviceenvironment.net` in internal environments, and
        otherwise in `azurewebsites.net` (Azure docs, "Custom domain suffix for App Service Environments").
        """
        return None if PUBLIC_DOMAIN in self.default_host_name else self.environment


@dataclass(frozen=True, slots=True)
class Environment:
    """An App Service Environment."""

    ref: EnvironmentRef
    location: str
    internal: bool
    """True if clients reach the apps only from inside the network of the environment (ILB)."""
    tags: Tags = ()
    shown: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What compliance rules judge, under Azure's names."""
