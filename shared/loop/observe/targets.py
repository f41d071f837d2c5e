"""What of the fleet has to be looked at: what tags of vault objects name, and what is near a wanted certificate."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Environment, Site
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint, Webspace
from shared.domain.tags import Kind, Tag, Tags, of_kind, words


@dataclass(frozen=True, slots=True)
class Targets:
    """What vault objects ask for by their tags."""

    sites: frozenset[str] = frozenset()
    """The sites that a tag names."""
    anywhere: bool = False
    """True if a tag names a site or a webspace, which may be in any subscription."""
    environments: frozenset[str] = frozenset()
    """The App Service Environments that a tag names."""
    wanting_root: frozenset[str] = frozenset()
    """Those of the sites whose root lists a tag asks to name a version."""
    roots: frozenset[Thumbprint] = frozenset()
    """The versions that may be roots. Any root list may name them."""
    private: frozenset[Thumbprint] = frozenset()
    """The current versions that no public authority issued: Certroll may have to upload them once more, by date."""

    @classmethod
    def of(cls, lineages: Iterable[Lineage]) -> "Targets":
        """Return what all of the lineages ask for."""
        lineages = tuple(lineages)
        tags = [lineage.tags for lineage in lineages]
        sites = _words(tags, of_kind(Kind.SITES))
        environments = _words(tags, of_kind(Kind.ENVIRONMENTS))
        wanting_root = _words(tags, (tag for tag in of_kind(Kind.SITES) if tag.makes_root))
        versions = (version for lineage in lineages if _may_be_root(lineage) for version in lineage.versions)
        anywhere = bool(sites or _words(tags, of_kind(Kind.PLACES)))
        current = (lineage.current for lineage in lineages if lineage.current)
        private = (version.thumbprint for version in current if version.facts and not version.facts.public_policy)
        roots = frozenset(version.thumbprint for version in versions)
        return cls(sites, anywhere, environments, wanting_root, roots, frozenset(private))

    def needs_root(self, site: Site, settings: SiteSettings | None) -> bool:
        """Return True if the root list of an app names a version that may be a root, or a tag asks for that."""
        listed = settings.root_list if settings is not None else ()
        return site.supports_root_list and (site.ref.name in self.wanting_root or not self.roots.isdisjoint(listed))


def _words(tags_of_all: list[Tags], asking: Iterable[Tag]) -> frozenset[str]:
    """Return each word by which the tags name a target, of all vault objects."""
    return frozenset(word for tag in asking for tags in tags_of_all for word in words(tags, tag))


def _may_be_root(lineage: Lineage) -> bool:
    facts = lineage.current.facts if lineage.current else None
    return facts is not None and (facts.is_ca or facts.self_signed)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a wanted certificate may be used, or is to be used: only there Certroll reads slots and app settings.

    A thumbprint can be used only inside the webspace that holds the certificate, so other sites need no closer reading.
    """

    targets: Targets
    """What the tags ask for."""
    webspaces: frozenset[Webspace]
    """The webspaces that hold a wanted certificate."""
    owners: frozenset[SiteRef]
    """The sites that hold a wanted certificate of their own."""
    environments: frozenset[EnvironmentRef]
    """The App Service Environments that a tag names."""

    @classmethod
    def of(
        cls, targets: Targets, wanted: Iterable[WebspaceCertificate], environments: Iterable[Environment]
    ) -> "Scope":
        """Return the scope for the wanted certificates among those that are there."""
        wanted = tuple(wanted)
        webspaces = frozenset(copy.webspace for copy in wanted if copy.site is None)
        owners = frozenset(copy.site for copy in wanted if copy.site is not None)
        refs = (environment.ref for environment in environments)
        return cls(targets, webspaces, owners, frozenset(ref for ref in refs if ref.name in targets.environments))

    def is_near(self, site: Site) -> bool:
        """Return True if Certroll has to read what the app settings of the site name."""
        named = site.ref.name in self.targets.sites or site.ref in self.owners
        return site.webspace in self.webspaces or named or self.may_list_roots(site)

    def may_list_roots(self, site: Site) -> bool:
        """Return True if the root list of the site may name a version that may be a root."""
        return bool(self.targets.roots) and site.supports_root_list

    def is_hosted(self, site: Site) -> bool:
        """Return True if the site is in an App Service Environment that a tag names."""
        return site.environment in self.environments

    def is_listed(self, site: Site) -> bool:
        """Return True if Certroll has to know the slots of the site."""
        return self.is_near(site) or self.is_hosted(site)

    def subscriptions(self, subscriptions: tuple[str, ...], sites: Iterable[Site]) -> tuple[str, ...]:
        """Return the subscriptions in which something is near; all of them if a target may be anywhere."""
        if self.targets.anywhere:
            return subscriptions
        listing = (site.ref for site in sites if self.may_list_roots(site))
        places: tuple[Webspace | SiteRef | EnvironmentRef, ...] = (
            *self.webspaces,
            *self.owners,
            *listing,
            *self.environments,
        )
        concerned = {place.subscription for place in places}
        return tuple(subscription for subscription in subscriptions if subscription in concerned)
