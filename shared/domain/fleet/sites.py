"""Sites and slots, the App Service plans that they run on, and App Service Environments."""

from dataclasses import dataclass

from shared.domain.names import EnvironmentRef, HostName, SiteRef, Webspace
from shared.domain.tags import Tags

PUBLIC_DOMAIN = ".azurewebsites."
"""In the default host name of every site that the internet can reach, of whatever cloud."""


@dataclass(frozen=True, slots=True)
class ServerFarm:
    """An App Service plan. `resource_group` is where the webspace's certificates belong (az names them there)."""

    resource_id: str
    webspace: Webspace
    location: str = ""

    @property
    def resource_group(self) -> str:
        """The resource group that the plan is in, in lower case."""
        return self.resource_id.split("/")[4].lower()


@dataclass(frozen=True, slots=True)
class Site:
    """A site or a slot, without its bindings. `webspace` is None where Azure did not say it.

    `plan` is the resource id of its App Service plan in lower case, empty where Azure did not say it. `flex` says that
    it is on a Flex Consumption plan, where each site has certificates of its own. `environment` is the App Service
    Environment that it runs in, None outside of one. `windows_code` says that it is code on Windows, not a container.
    """

    ref: SiteRef
    webspace: Webspace | None
    default_host_name: HostName
    tags: Tags = ()
    running: bool = True
    plan: str = ""
    flex: bool = False
    environment: EnvironmentRef | None = None
    windows_code: bool = False

    @property
    def supports_root_list(self) -> bool:
        """Whether it heeds a root list: Windows code in an App Service Environment alone does.

        Azure docs, "Certificates and the App Service Environment", private client certificate.
        """
        return self.environment is not None and self.windows_code

    @property
    def behind(self) -> EnvironmentRef | None:
        """The environment by whose address it is reached, None where its default host name is in public DNS.

        Default host names end in `azurewebsites.net` outside of internal environments, and in
        `appserviceenvironment.net` inside (Azure docs, "Custom domain suffix for App Service Environments").
        """
        return None if PUBLIC_DOMAIN in self.default_host_name else self.environment


@dataclass(frozen=True, slots=True)
class Environment:
    """An App Service Environment. `internal` says that its apps are reached from inside its network alone (ILB)."""

    ref: EnvironmentRef
    location: str
    internal: bool
    tags: Tags = ()
