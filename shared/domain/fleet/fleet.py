"""All of App Service that Certroll observed at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar, cast

from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.tags import OPT_OUT, Tag, is_off

Found = TypeVar("Found")


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
        owners = (ref, *self.plan_mates(ref)) if site is not None and site.supports_root_list else ()
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
