"""The fleet: the resources of App Service that Certroll read in one pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Generic, TypeVar, cast

from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.tags import OPT_OUT, Tag, opts_out

Found = TypeVar("Found")
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """A blind spot, which is a resource that Certroll could not read."""

    subject: str
    detail: str
    subscription: str
    webspace: Webspace | None = None
    """The webspace of the hidden resources, None if resources of the whole subscription may be hidden."""
    settings_only: bool = False
    """True if the blind spot hides only the settings of an app, and no binding."""
    roots_only: bool = False
    """True if the blind spot hides only roots of an App Service Environment, and nothing of a webspace."""
    other_regions: bool = False
    """True if the blind spot hides what a site has in other regions, where it may use certificates of any webspace."""
    of_itself: bool = False
    """True if the blind spot hides one plan that names no webspace. It holds no update, and still blocks deletions."""
    copies_only: bool = False
    """True if the blind spot hides one certificate, and no binding. It holds no sync, and still blocks all else."""
    versions_only: bool = False
    """True if the blind spot hides only which versions the Key Vault references of an app have. It holds nothing."""
    reason: Reason = Reason.BLIND_SPOT
    """The reason under which Certroll reports the blind spot."""

    @property
    def is_late(self) -> bool:
        """True if the run had no time to read the resource, which another run reads."""
        return self.reason is Reason.OUT_OF_TIME

    def hides(self, webspace: Webspace) -> bool:
        """Return True if the blind spot (something that Certroll could not read) may hide resources of the webspace."""
        if self.roots_only or self.of_itself or self.versions_only:
            return False
        return webspace == self.webspace or (self.webspace is None and webspace.subscription == self.subscription)

    @property
    def hides_sites(self) -> bool:
        """True if the blind spot may hide a site or slot, and not only details of resources that Certroll has seen."""
        only_details = self.settings_only or self.roots_only or self.copies_only or self.versions_only
        return not (only_details or self.other_regions or self.of_itself)

    def may_use(self, webspace: Webspace) -> bool:
        """Return True if hidden resources may use certificates of the webspace, so that Certroll deletes none there."""
        elsewhere = self.other_regions or self.of_itself
        return self.hides(webspace) or (elsewhere and webspace.subscription == self.subscription)


SeenSite = tuple[Site, tuple[Binding, ...]]


@dataclass(frozen=True, slots=True)
class Listing(Generic[Found]):
    """A list of resources from Azure, with the entries that Certroll could not read."""

    found: tuple[Found, ...]
    blind_spots: tuple[BlindSpot, ...] = ()
    """The entries of the list that Certroll could not read."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The resources of App Service that Certroll read in one pass."""

    taken_at: datetime
    """The moment of the observation."""
    sites: tuple[Site, ...] = ()
    bindings: tuple[Binding, ...] = ()
    certificates: tuple[WebspaceCertificate, ...] = ()
    plans: tuple[ServerFarm, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    settings: tuple[SiteSettings, ...] = ()
    environments: tuple[Environment, ...] = ()
    """All App Service Environments, which Certroll reads only if a tag makes a vault object a root of one."""
    roots: tuple[RootCertificate, ...] = ()
    """The roots of the App Service Environments that such a tag names."""
    _index: "FleetIndex | None" = field(default=None, init=False, repr=False, compare=False)

    @property
    def thumbprints(self) -> frozenset[Thumbprint]:
        """The thumbprints of the certificates, roots and bindings that App Service shows."""
        copies = (copy.thumbprint for copy in self.certificates)
        roots = (root.thumbprint for root in self.roots)
        bound = (binding.thumbprint for binding in self.bindings)
        return frozenset(thumbprint for thumbprint in (*copies, *roots, *bound) if thumbprint is not None)

    @property
    def index(self) -> "FleetIndex":
        """The lookup tables of a fleet's App Service resources, built when Certroll first needs the tables.

        Certroll's planner computes many changed fleets (sets of App Service resources) that need no lookup tables.
        """
        if self._index is None:
            object.__setattr__(self, "_index", FleetIndex(self))
        return cast("FleetIndex", self._index)

    def site(self, ref: SiteRef) -> Site | None:
        """Return the site or slot that Certroll read, None if Certroll did not see the site or slot."""
        return self.index.sites.get(ref)

    def tag(self, ref: SiteRef, tag: Tag) -> str | None:
        """Return the value of a tag of a site or slot. For Certroll a slot inherits most tags of the slot's site."""
        own = self.site(ref)
        value = tag.value_in(own.tags) if own else None
        if value is not None or tag.per_slot:
            return value
        parent = self.site(ref.production)
        return tag.value_in(parent.tags) if parent else None

    def opted_out(self, ref: SiteRef) -> bool:
        """Return True if an operator opted the site or slot out of Certroll's work by a tag.

        For Certroll a slot's own tag wins over the site's tag.
        """
        return opts_out(self.tag(ref, OPT_OUT))

    def has_silos(self, ref: SiteRef) -> bool:
        """Return True if Azure shows silos of the site, or of the site to which the slot belongs."""
        return any(site is not None and site.silos for site in (self.site(ref), self.site(ref.production)))

    def is_left_alone(self, ref: SiteRef) -> bool:
        """Return True if Certroll writes nothing to the site or slot: an operator opted it out, or it has silos."""
        return self.opted_out(ref) or self.has_silos(ref)

    def settings_of(self, ref: SiteRef) -> SiteSettings | None:
        """Return the app settings of a site or slot, None if Certroll did not read the settings."""
        return self.index.settings.get(ref)

    def certificates_in(self, webspace: Webspace | None) -> tuple[WebspaceCertificate, ...]:
        """Return the certificates that the sites of a webspace share."""
        return self.index.certificates.get(webspace, ()) if webspace is not None else ()

    def plan_in(self, webspace: Webspace) -> ServerFarm | None:
        """Return the App Service plan that Certroll names in a write into the webspace, None if Certroll sees no plan.

        From the same resources of App Service, Certroll always chooses the same App Service plan. A plan of the tier
        Free or Shared comes last.
        """
        plans = (plan for plan in self.plans if plan.webspace == webspace)
        return min(plans, key=lambda plan: (plan.is_free, plan.resource_id), default=None)

    def is_in_environment(self, webspace: Webspace) -> bool:
        """Return True if a site, a plan or a certificate shows that an App Service Environment has the webspace.

        An environment may have several webspaces, and Certroll may see no site in some of them.
        """
        return webspace in self.index.hosted

    def certificates_of(self, ref: SiteRef) -> tuple[WebspaceCertificate, ...]:
        """Return the certificates that a site or slot can use: those of the webspace, and the site's own certificates.

        A Flex Consumption site uses only the site's own certificates, unless a binding shows a certificate of the
        webspace. Azure does not document whether a Flex Consumption site can use the certificates of a webspace.
        """
        site, own = self.site(ref), self.index.own.get(ref, ())
        shared = self.certificates_in(site.webspace) if site else ()
        return (*shared, *own) if site is None or not site.flex or self._shares(ref, shared, own) else own

    def plan_mates(self, ref: SiteRef) -> tuple[SiteRef, ...]:
        """Return the other sites and slots on the App Service plan of a site, in order."""
        site = self.site(ref)
        return tuple(mate for mate in self.index.plans.get(site.plan if site else "", ()) if mate != ref)

    def roots_of(self, ref: SiteRef) -> tuple[WebspaceCertificate, ...]:
        """Return the public certificates that the setting WEBSITE_LOAD_ROOT_CERTIFICATES of a site or slot can name.

        All apps of an App Service plan can use a public certificate of one app on the plan (Azure docs, "Certificates
        and the App Service Environment").
        """
        site = self.site(ref)
        owners = (ref, *self.plan_mates(ref)) if site is not None and site.supports_root_list else ()
        return tuple(copy for owner in owners for copy in self.index.own.get(owner, ()) if copy.ref.public)

    def _shares(
        self, ref: SiteRef, shared: tuple[WebspaceCertificate, ...], own: tuple[WebspaceCertificate, ...]
    ) -> bool:
        beyond = {copy.thumbprint for copy in shared if copy.thumbprint} - {copy.thumbprint for copy in own}
        return not beyond.isdisjoint(binding.thumbprint for binding in self.index.bindings.get(ref, ()))


class FleetIndex:
    """Lookup tables of a fleet's App Service resources, each built when Certroll first needs it.

    A plan changes the fleet once for each step and looks for a few resources of each changed fleet, so that the tables
    nobody asks for would cost more than the plan.
    """

    def __init__(self, fleet: Fleet) -> None:
        """Begin without tables."""
        self._fleet = fleet

    @cached_property
    def sites(self) -> Mapping[SiteRef, Site]:
        """The sites and slots."""
        return {site.ref: site for site in self._fleet.sites}

    @cached_property
    def settings(self) -> Mapping[SiteRef, SiteSettings]:
        """The app settings of each site and slot."""
        return {settings.site: settings for settings in self._fleet.settings}

    @cached_property
    def settings_in(self) -> Mapping[Webspace, tuple[SiteSettings, ...]]:
        """The app settings of the sites and slots of each webspace, sorted by site."""
        found = ((self.sites.get(settings.site), settings) for settings in self._fleet.settings)
        placed = ((site.webspace, settings) for site, settings in found if site is not None and site.webspace)
        sort = partial(sorted, key=lambda settings: settings.site)
        return {webspace: tuple(sort(settings)) for webspace, settings in _grouped(placed).items()}

    @cached_property
    def certificates(self) -> Mapping[Webspace, tuple[WebspaceCertificate, ...]]:
        """The certificates that the sites of each webspace share."""
        return _grouped((copy.webspace, copy) for copy in self._fleet.certificates if copy.site is None)

    @cached_property
    def own(self) -> Mapping[SiteRef, tuple[WebspaceCertificate, ...]]:
        """The certificates that belong to a site alone."""
        return _grouped((copy.site, copy) for copy in self._fleet.certificates if copy.site is not None)

    @cached_property
    def bindings(self) -> Mapping[SiteRef, tuple[Binding, ...]]:
        """The bindings of each site and slot."""
        return _grouped((binding.site, binding) for binding in self._fleet.bindings)

    @cached_property
    def showing(self) -> Mapping[tuple[Thumbprint, Webspace], tuple[Binding, ...]]:
        """The bindings that show a certificate in a webspace."""
        found = ((binding, self.sites.get(binding.site)) for binding in self._fleet.bindings if binding.thumbprint)
        return _grouped(
            ((binding.thumbprint, site.webspace), binding)
            for binding, site in found
            if binding.thumbprint is not None and site is not None and site.webspace is not None
        )

    @cached_property
    def plans(self) -> Mapping[str, tuple[SiteRef, ...]]:
        """The sites and slots on each App Service plan, sorted."""
        return _grouped((site.plan, site.ref) for site in sorted(self._fleet.sites, key=_ref_of) if site.plan)

    @cached_property
    def hosted(self) -> frozenset[Webspace]:
        """The webspaces of App Service Environments."""
        fleet = self._fleet
        return frozenset(
            (
                *(site.webspace for site in fleet.sites if site.environment and site.webspace),
                *(plan.webspace for plan in fleet.plans if plan.environment),
                *(copy.webspace for copy in fleet.certificates if copy.in_environment),
            )
        )

    @cached_property
    def self_signed(self) -> frozenset[Thumbprint]:
        """The certificates whose own name App Service shows as their issuer."""
        return frozenset(copy.thumbprint for copy in self._fleet.certificates if copy.self_signed and copy.thumbprint)


def _ref_of(site: Site) -> SiteRef:
    return site.ref


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, tuple[Value, ...]]:
    """Return the values of each key, in the order of the pairs."""
    groups: dict[Key, list[Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}
