"""The resources of Microsoft.Web as immutable values: plans, sites, slots, host names and certificates."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

SslState = Literal["Disabled", "SniEnabled", "IpBasedEnabled"]


DISABLED: SslState = "Disabled"


SNI: SslState = "SniEnabled"


IP_BASED: SslState = "IpBasedEnabled"


SSL_STATES: Mapping[str, SslState] = {state.lower(): state for state in (DISABLED, SNI, IP_BASED)}


StoreLocation = Literal["CurrentUserMy", "LocalMachineMy", "Unknown"]


CURRENT_USER: StoreLocation = "CurrentUserMy"


STORE_LOCATIONS: tuple[StoreLocation, ...] = (CURRENT_USER, "LocalMachineMy", "Unknown")


FLEX = "FC"
"""The prefix of the sizes of Flex Consumption plans, of which the only one is FC1."""


FILE_TIMES_BEGIN = datetime(1601, 1, 1, tzinfo=UTC)


SHORTEST_WRITE = timedelta(microseconds=1)
"""The least time between two writes of one site."""


RUNNING = "Running"


STOPPED = "Stopped"


DEFAULT_DOMAIN = "azurewebsites.net"


EXTERNAL_DOMAIN = f"p.{DEFAULT_DOMAIN}"


INTERNAL_DOMAIN = "appserviceenvironment.net"


REGIONS = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "japanwest": "Japan West",
    "eastasia": "East Asia",
    "eastus": "East US",
    "uksouth": "UK South",
    "germanywestcentral": "Germany West Central",
}


def short_location(location: str) -> str:
    """Return the Azure location in the spelling of ARM's generic lists, such as `westeurope`."""
    return location.replace(" ", "").lower()


def display_location(location: str) -> str:
    """Return the Azure location in the spelling of Microsoft.Web, such as `West Europe`."""
    return REGIONS.get(short_location(location), location)


def group_id(subscription: str, resource_group: str) -> str:
    """Return the resource id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{resource_group}"


def web_id(subscription: str, resource_group: str, kind: str, name: str) -> str:
    """Return the resource id of a resource of Microsoft.Web."""
    return f"{group_id(subscription, resource_group)}/providers/Microsoft.Web/{kind}/{name}"


def dns_name(host_name: str) -> str:
    """Return the ASCII form of a host name, which DNS, TLS and certificates use for an international name.

    This function checks no rule for international names, so every name that a test gives a site has an ASCII form.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", host_name).lower()).rstrip(".")
    labels = (label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in plain.split("."))
    return ".".join(labels)


def covers(pattern: str, host_name: str) -> bool:
    """Return True if a name in a certificate covers the host name.

    A wildcard in a certificate covers exactly one label of a host name (RFC 6125).
    """
    pattern, host_name = dns_name(pattern), dns_name(host_name)
    if pattern == host_name:
        return True
    label, _, rest = host_name.partition(".")
    return bool(label) and pattern.startswith("*.") and pattern[2:] == rest


@dataclass(frozen=True, slots=True)
class Webspace:
    """A webspace, which is App Service's group of plans whose sites share certificates and an inbound address."""

    subscription: str
    name: str
    environment_id: str | None = field(default=None, compare=False)
    """The resource id of the App Service Environment that has the webspace, or None."""

    @property
    def key(self) -> tuple[str, str]:
        """The key of the webspace (App Service's group of plans) in lower case, for every spelling of its name."""
        return self.subscription.lower(), self.name.lower()


@dataclass(frozen=True, slots=True)
class Environment:
    """An App Service Environment v3."""

    subscription: str
    resource_group: str
    name: str
    location: str
    address: str
    """The inbound address that all apps of the environment share."""
    internal: bool = True
    """True if the inbound address is inside a virtual network."""
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None

    @property
    def id(self) -> str:
        """The resource id of the App Service Environment."""
        return web_id(self.subscription, self.resource_group, "hostingEnvironments", self.name)

    @property
    def dns_suffix(self) -> str:
        """The domain of the default host names in an App Service Environment (Azure docs, environment/using)."""
        return f"{self.name}.{INTERNAL_DOMAIN if self.internal else EXTERNAL_DOMAIN}".lower()

    def webspace(self, group: str) -> Webspace:
        """Return the webspace (group of plans with shared certificates) of the environment and a resource group.

        The form of the name is recorded once: `testasptod109-ASEtest109appseEastUSwebspace` is a webspace of the
        environment `ASEtest109` (azure-powershell TestRemoveAzWebAppCertificate.json at e86da1ad).
        """
        region = display_location(self.location).replace(" ", "")
        return Webspace(self.subscription, f"{group}-{self.name}appse{region}webspace", self.id)

    def has(self, resource: "Plan | Site") -> bool:
        """Return True if the App Service Environment runs the plan or the site."""
        return resource.environment is not None and resource.environment.id.lower() == self.id.lower()


@dataclass(frozen=True, slots=True)
class Plan:
    """An App Service plan (a server farm)."""

    subscription: str
    resource_group: str
    name: str
    location: str
    webspace: Webspace
    linux: bool = False
    sku: str = "P1v3"
    tags: Mapping[str, str] = field(default_factory=dict)
    environment: Environment | None = None
    shows_webspace: bool = True
    """False if Azure answers `"webSpace": null` for the plan. Users report such plans; no recording shows when."""

    @property
    def id(self) -> str:
        """The resource id of the App Service plan."""
        return web_id(self.subscription, self.resource_group, "serverfarms", self.name)

    @property
    def is_flex(self) -> bool:
        """True if the plan is a Flex Consumption plan."""
        return self.sku.upper().startswith(FLEX)


@dataclass(frozen=True, slots=True)
class Host:
    """A host name of a site, with its TLS binding."""

    name: str
    ssl_state: SslState | None = None
    """The kind of TLS binding; None if the host name was never bound."""
    thumbprint: str | None = None
    virtual_ip: str | None = None
    """The dedicated address of an IP-based binding, or None."""
    record_type: str | None = None
    host_name_type: str = "Verified"
    resource_type: str = "Website"
    hidden: bool = False
    """True if reads hide the thumbprint of a managed certificate."""

    @property
    def shown_thumbprint(self) -> str | None:
        """The thumbprint that reads of the host name show, or None if reads hide the thumbprint."""
        return None if self.hidden else self.thumbprint

    @property
    def is_bound(self) -> bool:
        """True if the host name has a TLS binding."""
        return self.ssl_state in {SNI, IP_BASED}


@dataclass(frozen=True, slots=True)
class Resolution:
    """The outcome of App Service's last resolution of a Key Vault reference, at a start or at a refresh."""

    status: str
    vault_name: str | None = None
    secret_name: str | None = None
    secret_version: str | None = None
    active_version: str | None = None
    """The version that the app received, or None."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site, or a slot of a site."""

    subscription: str
    resource_group: str
    name: str
    plan_id: str
    location: str
    webspace: Webspace
    slot: str | None = None
    """The name of the slot, or None for the site itself."""
    linux: bool = False
    windows_container: bool = False
    flex: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    """The host names by name in lower case, beginning with the default host name."""
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The app settings whose value is a text."""
    odd_settings: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The app settings whose value is null, or a JSON value other than a text."""
    references: Mapping[str, Resolution] = field(default_factory=dict)
    """The outcome of each Key Vault reference, by name of the app setting."""
    sticky_settings: tuple[str, ...] = ()
    configuration: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, object] = field(default_factory=dict)
    state: str = RUNNING
    restarts: int = 0
    created: datetime | None = None
    modified: datetime | None = None
    """The time of the last change, from which the ETag follows."""
    environment: Environment | None = None
    principal_id: str | None = None
    """The object id of the site's system-assigned managed identity, or None."""

    @property
    def id(self) -> str:
        """The resource id of the site or slot."""
        site = web_id(self.subscription, self.resource_group, "sites", self.name)
        return f"{site}/slots/{self.slot}" if self.slot else site

    @property
    def full_name(self) -> str:
        """The name that ARM shows: `site` or `site/slot`."""
        return f"{self.name}/{self.slot}" if self.slot else self.name

    @property
    def etag(self) -> str:
        """The ETag, which is `lastModifiedTimeUtc` as a Windows file time in hexadecimal (recorded azure-cli traffic).

        A Windows file time counts steps of 100 ns since 1601.
        """
        steps = 0 if self.modified is None else (self.modified - FILE_TIMES_BEGIN) // timedelta(microseconds=1) * 10
        return f"{steps:X}"

    @property
    def old_name(self) -> str:
        """The name in the older form of Microsoft.Web: `site` or `site(slot)`."""
        return f"{self.name}({self.slot})" if self.slot else self.name

    @property
    def kind(self) -> str:
        """The kind that ARM shows."""
        if self.flex:
            return "functionapp,linux"
        if self.windows_container:
            return "app,container,windows"
        return "app,linux" if self.linux else "app"

    @property
    def default_host_name(self) -> str:
        """The host name that App Service assigns, such as `site-slot.azurewebsites.net`."""
        return f"{self.full_name.replace('/', '-')}.{self.default_domain}".lower()

    @property
    def default_domain(self) -> str:
        """The domain in the site's default host name, such as `azurewebsites.net`."""
        return self.environment.dns_suffix if self.environment else DEFAULT_DOMAIN

    @property
    def dedicated_host(self) -> Host | None:
        """The site's host name with an IP-based TLS binding, or None."""
        return next((host for host in self.hosts.values() if host.ssl_state == IP_BASED), None)


def modified_after(before: Site | None, now: datetime, *, moves: bool) -> datetime:
    """Return the time of the last change that a site shows after a write.

    Two writes of a site never have the same time, even if the simulated clock stands still. `before` is the site before
    the write, and `moves` is False if the write leaves the time as it is.
    """
    if before is None or before.modified is None:
        return now
    return max(now, before.modified + SHORTEST_WRITE) if moves else before.modified
