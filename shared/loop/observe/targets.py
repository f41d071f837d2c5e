"""Decide which parts of the fleet Certroll reads in detail, from the tags of vault objects and wanted certificates."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint, Webspace, parse_thumbprint
from shared.domain.tag_targets import words
from shared.domain.tags import Kind, Tag, Tags, of_kind


@dataclass(frozen=True, slots=True)
class Targets:
    """The sites, webspaces and environments that the tags of vault objects name.

    A webspace is App Service's place for certificates.
    """

    sites: frozenset[str] = frozenset()
    """The sites that a tag names."""
    anywhere: bool = False
    """True if a tag names a site or a webspace, which may be in any subscription."""
    environments: frozenset[str] = frozenset()
    """The App Service Environments that a tag names."""
    wanting_root: frozenset[str] = frozenset()
    """The sites for whose root lists a tag asks Certroll to name a version."""
    roots: frozenset[Thumbprint] = frozenset()
    """The versions that may be root certificates, and that any root list may therefore name."""
    private: frozenset[Thumbprint] = frozenset()
    """The current versions that no public authority issued. Certroll may have to upload such a version a second time,
    depending on the date of the first upload."""
    limited: bool = False
    """True if CERTROLL_ASE_MAX_UNAVAILABLE limits how many apps of an environment may be down."""

    @classmethod
    def of(cls, lineages: Iterable[Lineage], *, limited: bool = False) -> "Targets":
        """Return the sites, webspaces and environments that the tags of the vault objects name."""
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
        return cls(sites, anywhere, environments, wanting_root, roots, frozenset(private), limited)

    @classmethod
    def parse(cls, text: str) -> "Targets":
        """Return the targets that `text` wrote. Raise ValueError, TypeError or LookupError for another text."""
        stored = json.loads(text)
        return cls(
            sites=frozenset(map(str, stored["sites"])),
            anywhere=bool(stored["anywhere"]),
            environments=frozenset(map(str, stored["environments"])),
            wanting_root=frozenset(map(str, stored["wanting_root"])),
            roots=frozenset(map(parse_thumbprint, stored["roots"])),
            private=frozenset(map(parse_thumbprint, stored["private"])),
            limited=bool(stored["limited"]),
        )

    def text(self) -> str:
        """Return the targets as a text for the journal: names and thumbprints, and no secret."""
        return json.dumps(asdict(self), default=sorted)

    def needs_root(self, site: Site, settings: SiteSettings | None) -> bool:
        """Return True if the root list of an app (WEBSITE_LOAD_ROOT_CERTIFICATES) names a version that may be a root.

        Return True also if a tag asks Certroll to add the vault object to this app's root list.
        """
        listed = settings.root_list if settings is not None else ()
        return site.supports_root_list and (site.ref.name in self.wanting_root or not self.roots.isdisjoint(listed))


def _words(tags_of_all: list[Tags], asking: Iterable[Tag]) -> frozenset[str]:
    """Return each word in the values of the given tags, for all vault objects."""
    return frozenset(word for tag in asking for tags in tags_of_all for word in words(tags, tag))


def _may_be_root(lineage: Lineage) -> bool:
    facts = lineage.current.facts if lineage.current else None
    return facts is not None and (facts.is_ca or facts.self_signed)


def plans_in(
    environments: frozenset[EnvironmentRef], plans: Iterable[ServerFarm], sites: Iterable[Site]
) -> tuple[ServerFarm, ...]:
    """Return the plans of the environments, which may have several webspaces.

    Azure shows the environment of a plan with the plan, or with a site that has the same webspace. A plan counts even
    if Certroll sees none of its sites.
    """
    hosting = {site.webspace for site in sites if site.environment in environments}
    return tuple(plan for plan in plans if plan.environment in environments or plan.webspace in hosting)


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the fleet in which Certroll reads slots and app settings.

    Apps can use a certificate of a webspace (App Service's place for certificates) only inside this webspace. Certroll
    reads no app settings of most sites in webspaces (App Service's places for certificates) without a wanted
    certificate.
    """

    targets: Targets
    """The sites, webspaces and environments that the tags name."""
    webspaces: frozenset[Webspace]
    """The webspaces that hold a wanted certificate."""
    owners: frozenset[SiteRef]
    """The sites that have a wanted certificate to themselves."""
    environments: frozenset[EnvironmentRef]
    """The App Service Environments that a tag names."""
    restarting: frozenset[EnvironmentRef] = frozenset()
    """The App Service Environments in which Certroll may restart an app, and in which a limit holds for all apps."""

    @classmethod
    def of(
        cls, targets: Targets, wanted: Iterable[WebspaceCertificate], environments: Iterable[Environment]
    ) -> "Scope":
        """Return the scope for the wanted certificates, the tags' targets and the environments that Azure shows."""
        wanted = tuple(wanted)
        webspaces = frozenset(copy.webspace for copy in wanted if copy.site is None)
        owners = frozenset(copy.site for copy in wanted if copy.site is not None)
        refs = (environment.ref for environment in environments)
        return cls(targets, webspaces, owners, frozenset(ref for ref in refs if ref.name in targets.environments))

    def with_limits(self, sites: Iterable[Site]) -> "Scope":
        """Return the scope with the environments in which Certroll may restart one of the sites under a limit.

        The limit and the groups of apps (tag `certroll-group`) concern all webspaces of an environment.
        """
        if not self.targets.limited:
            return self
        near = (site.environment for site in sites if site.environment is not None and self.is_near(site))
        return replace(self, restarting=frozenset(near))

    def is_near(self, site: Site) -> bool:
        """Return True if Certroll has to read the app settings of the site."""
        named = site.ref.name in self.targets.sites or site.ref in self.owners
        return site.webspace in self.webspaces or named or self.may_list_roots(site)

    def may_list_roots(self, site: Site) -> bool:
        """Return True if the site's root list (a setting) may name a version that may be a root certificate."""
        return bool(self.targets.roots) and site.supports_root_list

    def is_hosted(self, site: Site) -> bool:
        """Return True if the site is in an App Service Environment that a tag names."""
        return site.environment in self.environments

    def is_listed(self, site: Site) -> bool:
        """Return True if Certroll has to read the slots of the site."""
        return self.is_near(site) or self.is_hosted(site) or site.environment in self.restarting

    def subscriptions(self, subscriptions: tuple[str, ...], sites: Iterable[Site]) -> tuple[str, ...]:
        """Return the subscriptions in which Certroll reads slots and app settings.

        Return all subscriptions if a tag names a site or a webspace.
        """
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
