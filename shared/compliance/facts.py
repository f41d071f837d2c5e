"""The facts that compliance rules judge, arranged by subject: sites, host names, certificates, vaults, environments.

Facts are values. What no run could read is a `Shown` without an answer, and the rule that needs it is not checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from shared.compliance.subjects import (
    CopyFacts,
    EnvironmentFacts,
    HostFacts,
    ObjectFacts,
    OwnFacts,
    SiteFacts,
    VaultFacts,
)
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import BlindSpot, Fleet
from shared.domain.names import EnvironmentRef, HostName, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.shown import Gap, NotSeen, Shown, Source
from shared.domain.tags import WAIVE

Carrier = SiteFacts | CopyFacts | ObjectFacts | VaultFacts | EnvironmentFacts | OwnFacts
"""A resource that can have tags."""
DEFAULT_DOMAINS = (".azurewebsites.", ".appserviceenvironment.")
"""The parts of default host names, which App Service serves with a certificate of its own, in every cloud."""


@dataclass(frozen=True)
class Facts:
    """Everything that the rules may look at."""

    now: datetime
    fleet: Fleet
    objects: tuple[ObjectFacts, ...] = ()
    """The vault objects that Certroll has read."""
    configs: Mapping[SiteRef, Shown] = field(default_factory=dict)
    names: Mapping[HostName, Shown] = field(default_factory=dict)
    handshakes: Mapping[tuple[SiteRef, HostName], Shown] = field(default_factory=dict)
    probed: Mapping[SiteRef, Shown] = field(default_factory=dict)
    """What apps answered to a client certificate that no authority issued: `path` and `status`."""
    vaults: tuple[VaultFacts, ...] = ()
    environments: tuple[EnvironmentFacts, ...] = ()
    own: OwnFacts | None = None
    rule_ids: frozenset[str] = frozenset()
    """The ids of all rules, by which a rule tells a waiver from a typing mistake. The engine fills them in."""
    unseen: tuple[BlindSpot, ...] = ()
    """What a run could not look at besides the blind spots of the fleet: vaults, and vault objects."""

    # ------------------------------------------------------------------------------------------------ subjects

    @cached_property
    def sites(self) -> tuple[SiteFacts, ...]:
        """All sites and slots."""
        plans = {plan.resource_id.lower(): plan for plan in self.fleet.plans}
        return tuple(
            SiteFacts(
                site,
                Shown(Source.LIST, self.fleet.taken_at, site.shown),
                self.configs.get(site.ref) or Shown.missing(Source.CONFIG, self.now, Gap.NOT_READ),
                plans.get(site.plan),
            )
            for site in self.fleet.sites
        )

    @cached_property
    def hosts(self) -> tuple[HostFacts, ...]:
        """All custom host names. App Service serves default host names with a certificate of its own."""
        sites = {site.ref: site for site in self.sites}
        return tuple(
            HostFacts(
                sites[binding.site],
                binding,
                self.names.get(binding.host_name) or Shown.missing(Source.DNS, self.now, Gap.NOT_READ),
                self.handshakes.get((binding.site, binding.host_name))
                or Shown.missing(Source.TLS, self.now, Gap.NOT_READ),
            )
            for binding in self.fleet.bindings
            if binding.site in sites and not is_default(binding.host_name)
        )

    @cached_property
    def copies(self) -> tuple[CopyFacts, ...]:
        """All certificates in App Service."""
        return tuple(CopyFacts(copy, self.listed_of(copy)) for copy in self.fleet.certificates)

    @cached_property
    def own_sites(self) -> tuple[OwnFacts, ...]:
        """Certroll itself, or nothing where no run has looked at it."""
        return () if self.own is None else (self.own,)

    @cached_property
    def waiving(self) -> tuple[Carrier, ...]:
        """All resources with a tag that is, or looks like, a waiver."""
        carriers: tuple[Carrier, ...] = (
            *self.sites,
            *self.copies,
            *self.objects,
            *self.vaults,
            *self.environments,
            *self.own_sites,
        )
        return tuple(
            found for found in carriers if any(WAIVE.number_of(key) is not None for key, _ in found.waiver_tags)
        )

    # ------------------------------------------------------------------------------------------------- lookups

    @cached_property
    def site_by_ref(self) -> Mapping[SiteRef, SiteFacts]:
        """The sites and slots by their reference."""
        return {site.ref: site for site in self.sites}

    def production_of(self, site: SiteFacts) -> SiteFacts | None:
        """Return the site of a slot, None if it is not in the fleet."""
        return self.site_by_ref.get(site.ref.production)

    def hosts_of(self, site: SiteFacts) -> tuple[HostFacts, ...]:
        """Return the custom host names of a site or slot."""
        return self._hosts_by_site.get(site.ref, ())

    @cached_property
    def _hosts_by_site(self) -> Mapping[SiteRef, tuple[HostFacts, ...]]:
        found: dict[SiteRef, tuple[HostFacts, ...]] = {}
        for host in self.hosts:
            found[host.of.ref] = (*found.get(host.of.ref, ()), host)
        return found

    def probed_at(self, site: SiteRef) -> Shown:
        """Return what an app answered to a client certificate that no authority issued."""
        return self.probed.get(site) or Shown.missing(Source.PROBE, self.now, Gap.NOT_PROBED, f"probe of {site}")

    def settings_of(self, site: SiteRef) -> SiteSettings:
        """Return the app settings of a site or slot that are about certificates. Raise NotSeen if nobody read them."""
        settings = self.fleet.settings_of(site)
        if settings is None:
            raise NotSeen(Source.SETTINGS, Gap.NOT_READ, f"app settings of {site}")
        return settings

    def tag(self, site: SiteFacts, name: str) -> str | None:
        """Return the value of a tag of a site or slot, or of the slot's site, None without the tag."""
        production = self.production_of(site)
        for tags in (site.site.tags, production.site.tags if production else ()):
            for key, value in tags:
                if key.strip().lower() == name:
                    return value.strip()
        return None

    def copies_at(self, site: SiteRef) -> tuple[WebspaceCertificate, ...]:
        """Return the certificates that a site or slot can use."""
        return self.fleet.certificates_of(site)

    def listed_of(self, copy: WebspaceCertificate) -> Shown:
        """Return the entry of a certificate in the list of certificates."""
        return Shown(Source.LIST, self.fleet.taken_at, copy.shown)

    def follows(self, ref: VaultCertificateRef) -> bool:
        """Return True if Certroll serves the vault of a vault object."""
        return any(vault.name == ref.vault for vault in self.vaults)

    def bound_copy(self, host: HostFacts) -> WebspaceCertificate | None:
        """Return the certificate in App Service that a host name is bound to, None if there is none."""
        thumbprint = host.binding.thumbprint
        found = (copy for copy in self.copies_at(host.of.ref) if thumbprint and copy.thumbprint == thumbprint)
        return next(found, None)

    def bindings_of(self, thumbprint: Thumbprint | None, webspace: Webspace | None = None) -> tuple[Binding, ...]:
        """Return the bindings that show a certificate, in a webspace or everywhere."""
        if thumbprint is None:
            return ()
        shown = self._bindings_by_thumbprint.get(thumbprint, ())
        if webspace is None:
            return shown
        sites = self.fleet.index.sites
        return tuple(binding for binding in shown if binding.site in sites and sites[binding.site].webspace == webspace)

    @cached_property
    def _bindings_by_thumbprint(self) -> Mapping[Thumbprint, tuple[Binding, ...]]:
        found: dict[Thumbprint, tuple[Binding, ...]] = {}
        for binding in self.fleet.bindings:
            if binding.thumbprint:
                found[binding.thumbprint] = (*found.get(binding.thumbprint, ()), binding)
        return found

    def named_by(self, thumbprint: Thumbprint | None) -> tuple[SiteRef, ...]:
        """Return the sites and slots whose settings name a certificate."""
        return self._sites_by_named.get(thumbprint, ()) if thumbprint else ()

    @cached_property
    def _sites_by_named(self) -> Mapping[Thumbprint, tuple[SiteRef, ...]]:
        found: dict[Thumbprint, tuple[SiteRef, ...]] = {}
        for settings in self.fleet.settings:
            for thumbprint in settings.named:
                found[thumbprint] = (*found.get(thumbprint, ()), settings.site)
        return found

    def object_of(self, ref: VaultCertificateRef | None) -> ObjectFacts | None:
        """Return a vault object by its reference, None if Certroll has not read it."""
        return self._objects_by_name.get(str(ref).lower()) if ref is not None else None

    @cached_property
    def _objects_by_name(self) -> Mapping[str, ObjectFacts]:
        return {found.key: found for found in self.objects}

    def objects_with(self, thumbprint: Thumbprint | None) -> tuple[ObjectFacts, ...]:
        """Return the vault objects with a version of the thumbprint."""
        return self._objects_by_thumbprint.get(thumbprint, ()) if thumbprint else ()

    @cached_property
    def _objects_by_thumbprint(self) -> Mapping[Thumbprint, tuple[ObjectFacts, ...]]:
        found: dict[Thumbprint, tuple[ObjectFacts, ...]] = {}
        for known in self.objects:
            for thumbprint in {version.thumbprint for version in known.lineage.versions}:
                found[thumbprint] = (*found.get(thumbprint, ()), known)
        return found

    def environment_of(self, ref: EnvironmentRef | None) -> EnvironmentFacts | None:
        """Return an environment, None if Certroll has not read it."""
        return next((found for found in self.environments if found.environment.ref == ref), None)

    def is_complete(self, webspace: Webspace) -> bool:
        """Return True if nothing in the webspace is hidden, so that what nobody was seen to use is unused."""
        return not any(spot.may_use(webspace) for spot in self.fleet.blind_spots)


def is_default(host_name: str) -> bool:
    """Return True for a default host name, which App Service serves with a certificate of its own."""
    return any(part in host_name for part in DEFAULT_DOMAINS)
