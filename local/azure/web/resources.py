"""The resources of Microsoft.Web, as frozen values: plans, sites and slots, host names, certificates."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from local.azure.principals import APP_SERVICE
from local.azure.vault.issued import ImportedCertificate

SslState = Literal["Disabled", "SniEnabled", "IpBasedEnabled"]
DISABLED: SslState = "Disabled"
SNI: SslState = "SniEnabled"
IP_BASED: SslState = "IpBasedEnabled"
SSL_STATES: Mapping[str, SslState] = {state.lower(): state for state in (DISABLED, SNI, IP_BASED)}
StoreLocation = Literal["CurrentUserMy", "LocalMachineMy", "Unknown"]
CURRENT_USER: StoreLocation = "CurrentUserMy"
STORE_LOCATIONS: tuple[StoreLocation, ...] = (CURRENT_USER, "LocalMachineMy", "Unknown")
FLEX = "FC"
"""How the sizes of Flex Consumption plans begin; there is FC1 alone."""

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
    """Return the location as generic resources write it: `westeurope`."""
    return location.replace(" ", "").lower()


def display_location(location: str) -> str:
    """Return the location as Microsoft.Web writes it: `West Europe`."""
    return REGIONS.get(short_location(location), location)


def group_id(subscription: str, resource_group: str) -> str:
    """Return the resource id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{resource_group}"


def web_id(subscription: str, resource_group: str, kind: str, name: str) -> str:
    """Return the resource id of a resource of Microsoft.Web."""
    return f"{group_id(subscription, resource_group)}/providers/Microsoft.Web/{kind}/{name}"


def covers(pattern: str, host_name: str) -> bool:
    """Return True if a name in a certificate covers a host name; a wildcard stands for exactly one label (RFC 6125)."""
    pattern, host_name = pattern.lower(), host_name.lower()
    if pattern == host_name:
        return True
    label, _, rest = host_name.partition(".")
    return bool(label) and pattern.startswith("*.") and pattern[2:] == rest


@dataclass(frozen=True, slots=True)
class Webspace:
    """Where certificates live and who shares them: a subscription and Azure's `webSpace` string."""

    subscription: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """What two spellings of the same webspace have in common."""
        return self.subscription.lower(), self.name.lower()


@dataclass(frozen=True, slots=True)
class Environment:
    """An App Service Environment v3. An `internal` one has its one inbound address inside a virtual network."""

    subscription: str
    resource_group: str
    name: str
    location: str
    address: str
    internal: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None

    @property
    def id(self) -> str:
        """The environment's resource id."""
        return web_id(self.subscription, self.resource_group, "hostingEnvironments", self.name)

    @property
    def dns_suffix(self) -> str:
        """What the platform's names of its sites end with (Azure docs, App Service Environment: using)."""
        return f"{self.name}.{INTERNAL_DOMAIN if self.internal else EXTERNAL_DOMAIN}".lower()

    @property
    def webspace(self) -> Webspace:
        """The webspace of its plans, unless another is said: a certificate is uploaded once for all of its apps."""
        region = display_location(self.location).replace(" ", "")
        return Webspace(self.subscription, f"{self.resource_group}-{region}webspace-{self.name}")


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

    @property
    def id(self) -> str:
        """The plan's resource id."""
        return web_id(self.subscription, self.resource_group, "serverfarms", self.name)

    @property
    def is_flex(self) -> bool:
        """True if the plan is a Flex Consumption plan."""
        return self.sku.upper().startswith(FLEX)


@dataclass(frozen=True, slots=True)
class Host:
    """A host name of a site, and how it is bound: an `ssl_state` of None was never bound at all."""

    name: str
    ssl_state: SslState | None = None
    thumbprint: str | None = None
    virtual_ip: str | None = None
    record_type: str | None = None
    host_name_type: str = "Verified"
    resource_type: str = "Website"
    hidden: bool = False

    @property
    def shown_thumbprint(self) -> str | None:
        """The thumbprint as reads show it; that of a managed certificate may be hidden."""
        return None if self.hidden else self.thumbprint

    @property
    def is_bound(self) -> bool:
        """True if TLS is bound to the host name."""
        return self.ssl_state in {SNI, IP_BASED}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What App Service made of one Key Vault reference when it last looked: at a start, or when told to refresh."""

    status: str
    vault_name: str | None = None
    secret_name: str | None = None
    secret_version: str | None = None
    active_version: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A site, or a slot of one; hosts are keyed by lower-case name, the default host name first."""

    subscription: str
    resource_group: str
    name: str
    plan_id: str
    location: str
    webspace: Webspace
    slot: str | None = None
    linux: bool = False
    windows_container: bool = False
    flex: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    references: Mapping[str, Resolution] = field(default_factory=dict)
    sticky_settings: tuple[str, ...] = ()
    configuration: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, object] = field(default_factory=dict)
    state: str = RUNNING
    restarts: int = 0
    created: datetime | None = None
    modified: datetime | None = None
    etag: str = ""
    environment: Environment | None = None

    @property
    def id(self) -> str:
        """The site's resource id, with the slot."""
        site = web_id(self.subscription, self.resource_group, "sites", self.name)
        return f"{site}/slots/{self.slot}" if self.slot else site

    @property
    def full_name(self) -> str:
        """The name as ARM shows it: `site` or `site/slot`."""
        return f"{self.name}/{self.slot}" if self.slot else self.name

    @property
    def kind(self) -> str:
        """The kind as ARM shows it."""
        if self.flex:
            return "functionapp,linux"
        if self.windows_container:
            return "app,container,windows"
        return "app,linux" if self.linux else "app"

    @property
    def default_host_name(self) -> str:
        """The host name that the platform gives: `site.azurewebsites.net`, `site-slot.azurewebsites.net`."""
        return f"{self.full_name.replace('/', '-')}.{self.default_domain}".lower()

    @property
    def default_domain(self) -> str:
        """What the platform's host names of the site end with."""
        return self.environment.dns_suffix if self.environment else DEFAULT_DOMAIN

    @property
    def dedicated_host(self) -> Host | None:
        """The host name with an IP-based binding, or None."""
        return next((host for host in self.hosts.values() if host.ssl_state == IP_BASED), None)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an imported copy came from: a vault's resource id and the name of its object."""

    vault_id: str
    secret_name: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key: a copy imported from a vault, or one that was uploaded (no source).

    It belongs to a webspace, or with `site_id` to that Flex Consumption site or slot alone; then `loaded` says whether
    the app's code gets it, and `by_site_identity` whether the site's own identity reads the vault. `managed` is the
    host name that Azure manages it for; `hidden` says that reads show neither its thumbprint nor its dates.
    """

    subscription: str
    resource_group: str
    name: str
    location: str
    webspace: Webspace
    content: ImportedCertificate
    source: Source | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = "Initialized"
    site_id: str | None = None
    loaded: bool = False
    by_site_identity: bool = False
    managed: str | None = None
    hidden: bool = False
    created: datetime | None = None

    @property
    def id(self) -> str:
        """The certificate's resource id."""
        if self.site_id is not None:
            return f"{self.site_id}/certificates/{self.name}"
        return web_id(self.subscription, self.resource_group, "certificates", self.name)

    @property
    def scope(self) -> tuple[str, ...]:
        """Who may use the certificate: what the sites that may have in common."""
        return self.webspace.key if self.site_id is None else (self.site_id.lower(),)

    @property
    def reader(self) -> str:
        """The principal that reads the vault: App Service, or the site's identity, called by the site's id."""
        return self.site_id if self.site_id is not None and self.by_site_identity else APP_SERVICE

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the certificate in upper-case hex."""
        return self.content.thumbprint

    def covers(self, host_name: str) -> bool:
        """Return True if the certificate names the host name, itself or by a wildcard."""
        return any(covers(name, host_name) for name in self.content.host_names)


@dataclass(frozen=True, slots=True)
class PublicCertificate:
    """A certificate without a private key that was given to one site or slot, for its code to load."""

    site_id: str
    name: str
    der: bytes = field(repr=False)
    location: StoreLocation = CURRENT_USER

    @property
    def id(self) -> str:
        """The certificate's resource id."""
        return f"{self.site_id}/publicCertificates/{self.name}"

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the certificate in upper-case hex."""
        return thumbprint_of(self.der)


@dataclass(frozen=True, slots=True)
class RootCertificate:
    """A public certificate of an App Service Environment. Its apps trust it from a start on, if it `is_root`."""

    environment_id: str
    name: str
    location: str
    der: bytes = field(repr=False)
    is_root: bool = True

    @property
    def id(self) -> str:
        """The certificate's resource id."""
        return f"{self.environment_id}/publicCertificates/{self.name}"

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the certificate in upper-case hex."""
        return thumbprint_of(self.der)


def thumbprint_of(der: bytes) -> str:
    """Return the SHA-1 of a certificate in upper-case hex."""
    return hashlib.sha1(der).hexdigest().upper()  # noqa: S324 - Azure's identifier, not a safeguard
