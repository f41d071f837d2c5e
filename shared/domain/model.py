"""What is observed in Azure, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Generic, TypeVar, cast

from shared.domain.app_settings import SiteSettings
from shared.domain.names import (
    CopyRef,
    EnvironmentRef,
    HostName,
    RootRef,
    SiteRef,
    Thumbprint,
    VaultCertificateRef,
    Webspace,
)
from shared.domain.tags import OPT_OUT, Tag, Tags, is_off

OWN_PREFIX = "certroll-"
PUBLIC_DOMAIN = ".azurewebsites."
"""In the default host name of every site that the internet can reach, of whatever cloud."""
Found = TypeVar("Found")


class SslState(StrEnum):
    """How a host name is bound, in ARM's own words."""

    DISABLED = "Disabled"
    SNI = "SniEnabled"
    IP_BASED = "IpBasedEnabled"


class KeyType(StrEnum):
    """The kind of a certificate's key."""

    RSA = "RSA"
    EC = "EC"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What an X.509 certificate says of itself.

    `key_size` in bits; `curve` is None where the key is not on one. `server_auth` and `client_auth` are what its
    extended key usage allows, which is anything where there is none. `signature_hash` is the hash under the issuer's
    signature, or the number of an algorithm that has none. `serial_octets` is the length of the serial number as it is
    encoded. `public_policy` says that it names a policy that the CA/Browser Forum reserves for public certificates;
    `is_ca` that it may sign others.
    """

    host_names: frozenset[HostName]
    key_type: KeyType
    key_size: int
    self_signed: bool
    server_auth: bool
    client_auth: bool
    signature_hash: str
    serial_octets: int
    issuer: str
    curve: str | None
    public_policy: bool
    is_ca: bool = False


class KeyFound(StrEnum):
    """Which private key lies beside a certificate."""

    NONE = auto()
    FOREIGN = auto()
    MATCHING = auto()


@dataclass(frozen=True, slots=True)
class Bundle:
    """What lies beside a certificate in a PFX or PEM.

    `issuers` are the names of the certificates above it, nearest first. `missing` is the name of the one that issued
    the last of them and is not there, None where that is a root. `ordered` says that they lay in this order.
    """

    key: KeyFound
    issuers: tuple[str, ...]
    missing: str | None
    ordered: bool


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What decides whether App Service can import a vault certificate, or be given it: its key, and its format."""

    exportable: bool
    content_type: str


@dataclass(frozen=True, slots=True)
class CertificateVersion:
    """One version of a vault certificate.

    `facts` is None where they were not needed and not read, `bundle` where the certificate alone was.
    """

    version: str
    thumbprint: Thumbprint
    not_before: datetime
    not_after: datetime
    enabled: bool
    created: datetime
    facts: CertificateFacts | None = None
    bundle: Bundle | None = None


@dataclass(frozen=True, slots=True)
class WebspaceCertificate:
    """A copy of a certificate in a webspace.

    `thumbprint` is None for free managed certificates, which hide it. `source` is the vault object that an imported
    copy comes from; `key_vault_id` and `key_vault_secret` are that source as Azure wrote it, for the way back.
    `switches` are further properties that a PUT has to give back as they are, as JSON; `loaded` is the one of them by
    which the code of a Flex Consumption app gets the certificate. `created` is when it was uploaded, None where Azure
    does not say it, and where nobody needed to know.
    """

    ref: CopyRef
    webspace: Webspace
    location: str
    thumbprint: Thumbprint | None
    host_names: frozenset[HostName]
    not_after: datetime | None
    source: VaultCertificateRef | None
    key_vault_id: str | None = None
    key_vault_secret: str | None = None
    tags: Tags = ()
    switches: str = "{}"
    loaded: bool = False
    created: datetime | None = None

    @property
    def site(self) -> SiteRef | None:
        """The one site or slot that has it to itself, None where the webspace shares it."""
        return self.ref.owner

    @property
    def is_upload(self) -> bool:
        """Whether it was uploaded with its key, by people or by us: it comes from no vault, nor is it Azure's own."""
        return self.source is None and self.thumbprint is not None and not self.ref.public

    @property
    def uploaded(self) -> bool:
        """Whether people uploaded it."""
        return self.is_upload and not self.ref.name.startswith(OWN_PREFIX)


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
    def heeds_roots(self) -> bool:
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


@dataclass(frozen=True, slots=True)
class RootCertificate:
    """A public certificate of an App Service Environment, which its apps trust from a start on where it `is_root`.

    `thumbprint` is None where Azure shows neither it nor the certificate, and the name is none of ours.
    """

    ref: RootRef
    location: str
    thumbprint: Thumbprint | None
    is_root: bool = True


@dataclass(frozen=True, slots=True)
class Binding:
    """A host name of a site or slot, with how it is bound."""

    site: SiteRef
    host_name: HostName
    ssl_state: SslState
    thumbprint: Thumbprint | None
    virtual_ip: str | None = None

    def __lt__(self, other: "Binding") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[SiteRef, str, str, str, str]:
        return self.site, self.host_name, self.ssl_state, self.thumbprint or "", self.virtual_ip or ""


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """Something that could not be seen. `webspace` is None where it may hide anything of the subscription.

    `settings_only` is set where it hides no binding, only what an app's settings name; `roots_only` where it hides
    nothing of a webspace, only what an App Service Environment trusts.
    """

    subject: str
    detail: str
    subscription: str
    webspace: Webspace | None = None
    settings_only: bool = False
    roots_only: bool = False

    def hides(self, webspace: Webspace) -> bool:
        """Say whether things of this webspace may be hidden behind it."""
        if self.roots_only:
            return False
        return webspace == self.webspace or (self.webspace is None and webspace.subscription == self.subscription)


SeenSite = tuple[Site, tuple[Binding, ...]]


@dataclass(frozen=True, slots=True)
class Listing(Generic[Found]):
    """What a list of Azure held, and what of it could not be read."""

    found: tuple[Found, ...]
    blind_spots: tuple[BlindSpot, ...] = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything of App Service that was observed at one moment.

    App Service Environments are there only where a vault object is to be a root of one, and roots only of that one.
    """

    taken_at: datetime
    sites: tuple[Site, ...] = ()
    bindings: tuple[Binding, ...] = ()
    certificates: tuple[WebspaceCertificate, ...] = ()
    plans: tuple[ServerFarm, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    settings: tuple[SiteSettings, ...] = ()
    environments: tuple[Environment, ...] = ()
    roots: tuple[RootCertificate, ...] = ()
    _index: "FleetIndex | None" = field(default=None, init=False, repr=False, compare=False)

    @property
    def index(self) -> "FleetIndex":
        """What is looked up most, made when it is first needed: a plan projects many fleets that nobody looks at."""
        if self._index is None:
            object.__setattr__(self, "_index", FleetIndex.of(self))
        return cast("FleetIndex", self._index)

    def site(self, ref: SiteRef) -> Site | None:
        """Return the observed site or slot, None where it was not seen."""
        return self.index.sites.get(ref)

    def tag(self, ref: SiteRef, tag: Tag) -> str | None:
        """Return the value of a site's tag. A slot without the tag may have its site's."""
        own = self.site(ref)
        value = tag.value_in(own.tags) if own else None
        if value is not None or tag.per_slot:
            return value
        parent = self.site(ref.production)
        return tag.value_in(parent.tags) if parent else None

    def opted_out(self, ref: SiteRef) -> bool:
        """Say whether operators took a site or slot out; a slot's own tag wins over its site's."""
        return is_off(self.tag(ref, OPT_OUT))

    def settings_of(self, ref: SiteRef) -> SiteSettings | None:
        """Return what the settings of a site or slot name, None where they were not read."""
        return self.index.settings.get(ref)

    def certificates_in(self, webspace: Webspace | None) -> tuple[WebspaceCertificate, ...]:
        """Return the copies that one webspace shares."""
        return self.index.certificates.get(webspace, ()) if webspace is not None else ()

    def plan_in(self, webspace: Webspace) -> ServerFarm | None:
        """Return the plan that a write into the webspace names, always the same one; None where none is seen."""
        plans = (plan for plan in self.plans if plan.webspace == webspace)
        return min(plans, key=lambda one: one.resource_id, default=None)

    def is_in_environment(self, webspace: Webspace) -> bool:
        """Say whether a site in the webspace is seen to run in an App Service Environment."""
        return webspace in self.index.hosted

    def certificates_of(self, ref: SiteRef) -> tuple[WebspaceCertificate, ...]:
        """Return the copies that a site or slot can use: those of its webspace, and its own.

        A site on a Flex Consumption plan has its own alone, unless it is seen to be bound to one of its webspace: which
        of the two holds is not documented.
        """
        site, own = self.site(ref), self.index.own.get(ref, ())
        shared = self.certificates_in(site.webspace) if site else ()
        return (*shared, *own) if site is None or not site.flex or self._shares(ref, shared, own) else own

    def plan_mates(self, ref: SiteRef) -> tuple[SiteRef, ...]:
        """Return the other sites and slots that are seen on its App Service plan, in order."""
        site = self.site(ref)
        return tuple(one for one in self.index.plans.get(site.plan if site else "", ()) if one != ref)

    def roots_of(self, ref: SiteRef) -> tuple[WebspaceCertificate, ...]:
        """Return the public certificates that the root list of a site or slot can name: its own, then its plan's.

        One has to be uploaded only once to be used by the apps of an App Service plan (Azure docs, "Certificates and
        the App Service Environment").
        """
        site = self.site(ref)
        owners = (ref, *self.plan_mates(ref)) if site is not None and site.heeds_roots else ()
        return tuple(copy for owner in owners for copy in self.index.own.get(owner, ()) if copy.ref.public)

    def _shares(
        self, ref: SiteRef, shared: tuple[WebspaceCertificate, ...], own: tuple[WebspaceCertificate, ...]
    ) -> bool:
        beyond = {copy.thumbprint for copy in shared if copy.thumbprint} - {copy.thumbprint for copy in own}
        return not beyond.isdisjoint(self.index.bound.get(ref, ()))


@dataclass(frozen=True, slots=True)
class FleetIndex:
    """A fleet by what it is asked for: each binding of a large one looks its own site and copies up."""

    sites: Mapping[SiteRef, Site]
    settings: Mapping[SiteRef, SiteSettings]
    certificates: Mapping[Webspace, tuple[WebspaceCertificate, ...]]
    own: Mapping[SiteRef, tuple[WebspaceCertificate, ...]]
    bound: Mapping[SiteRef, tuple[Thumbprint | None, ...]]
    plans: Mapping[str, tuple[SiteRef, ...]]
    hosted: frozenset[Webspace]

    @classmethod
    def of(cls, fleet: Fleet) -> "FleetIndex":
        """Return the index of a fleet."""
        by_webspace: dict[Webspace, list[WebspaceCertificate]] = {}
        by_site: dict[SiteRef, list[WebspaceCertificate]] = {}
        for copy in fleet.certificates:
            if copy.site is None:
                by_webspace.setdefault(copy.webspace, []).append(copy)
            else:
                by_site.setdefault(copy.site, []).append(copy)
        certificates = {webspace: tuple(copies) for webspace, copies in by_webspace.items()}
        own = {site: tuple(copies) for site, copies in by_site.items()}
        bound: dict[SiteRef, tuple[Thumbprint | None, ...]] = {}
        for binding in fleet.bindings:
            bound[binding.site] = (*bound.get(binding.site, ()), binding.thumbprint)
        plans: dict[str, list[SiteRef]] = {}
        for site in sorted(fleet.sites, key=lambda one: one.ref):
            if site.plan:
                plans.setdefault(site.plan, []).append(site.ref)
        sites, settings = {site.ref: site for site in fleet.sites}, {one.site: one for one in fleet.settings}
        hosted = frozenset(site.webspace for site in fleet.sites if site.environment and site.webspace)
        on_plans = {plan: tuple(refs) for plan, refs in plans.items()}
        return cls(sites, settings, certificates, own, bound, on_plans, hosted)
