"""The state of Azure and the journal from which Certroll makes a plan, and the state after each change of the plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.names import CopyRef, EnvironmentRef, RootRef, SiteRef, Thumbprint, Webspace
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.tags import ROOT_ON, Tag, is_root
from shared.domain.targets import found_targets, names_of_site


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The input of a plan: one vault certificate, the fleet, and the rollout of the current version."""

    lineage: Lineage
    fleet: Fleet
    rollout: Rollout
    held: frozenset[tuple[Webspace, Thumbprint]] | None = None
    """The thumbprints that the vault certificate's imported certificates had when Certroll read the fleet, by webspace.

    If a vault certificate was deleted and created again under its name, only these thumbprints show which bindings
    belong to it. Projections copy these thumbprints unchanged.
    """
    wanting_root: frozenset[SiteRef] | None = None
    """The sites and slots that the tag `certroll-root-on` names: their root list must name the current version.

    Projections copy these sites unchanged.
    """
    environment_records: tuple[EnvironmentRecord, ...] = ()
    """The entries of App Service Environments in the journal."""

    def __post_init__(self) -> None:
        """Set the fields `held` (thumbprints of imports) and `wanting_root` (sites in tags), if not given."""
        if self.wanting_root is None:
            object.__setattr__(self, "wanting_root", self._named_by_tag())
        if self.held is None:
            held = frozenset((copy.webspace, copy.thumbprint) for copy in self.copies if copy.thumbprint is not None)
            object.__setattr__(self, "held", held | self.rollout.held)

    def _named_by_tag(self) -> frozenset[SiteRef]:
        if not is_root(self.lineage.tags):
            return frozenset()
        candidates = {site.ref.resource_id: names_of_site(site.ref) for site in self.fleet.sites}
        return frozenset(map(SiteRef.parse, found_targets(self.lineage.tags, ROOT_ON, candidates)[0].values()))

    # ------------------------------------------------------------------------------------------------- look-ups

    @property
    def now(self) -> datetime:
        """The time at which Certroll read the fleet, which is the only clock of a plan."""
        return self.fleet.taken_at

    @property
    def copies(self) -> tuple[WebspaceCertificate, ...]:
        """The certificates that App Service imported from the snapshot's vault certificate."""
        return tuple(copy for copy in self.fleet.certificates if copy.source == self.lineage.ref)

    @property
    def held_unknown(self) -> frozenset[tuple[Webspace, Thumbprint]]:
        """The thumbprints of earlier imports (field `held`) that no version of the vault certificate has.

        After App Service imports a new version, only the field `held` still lists the earlier thumbprints.
        """
        known = {version.thumbprint for version in self.lineage.versions}
        return frozenset((webspace, thumbprint) for webspace, thumbprint in self.held or () if thumbprint not in known)

    def site(self, ref: SiteRef) -> Site | None:
        """Return the site or slot of the snapshot, None if Certroll did not see the site or slot."""
        return self.fleet.site(ref)

    def webspace_of(self, binding: Binding) -> Webspace | None:
        """Return the webspace of a binding's site, None if Certroll did not see the site or its webspace."""
        site = self.site(binding.site)
        return None if site is None else site.webspace

    def settings_of(self, site: SiteRef) -> SiteSettings | None:
        """Return the app settings of a site or slot, None if Certroll did not read the settings."""
        return self.fleet.settings_of(site)

    def settings_in(self, webspace: Webspace) -> tuple[SiteSettings, ...]:
        """Return the app settings of the sites and slots of a webspace, sorted by site."""
        return self.fleet.index.settings_in.get(webspace, ())

    def settings_near(self, copy: WebspaceCertificate) -> tuple[SiteSettings, ...]:
        """Return the app settings of the sites and slots that can use the certificate, sorted by site.

        A swap of slots exchanges app settings between a site and the site's slots, and does not move certificates.
        """
        if copy.site is None:
            return self.settings_in(copy.webspace)
        family = copy.site.production
        near = (settings for settings in self.fleet.settings if settings.site.production == family)
        return tuple(sorted(near, key=lambda settings: settings.site))

    def settings_sharing(self, copy: WebspaceCertificate) -> tuple[SiteSettings, ...]:
        """Return the settings of other apps that may trust a public certificate by WEBSITE_LOAD_ROOT_CERTIFICATES."""
        owner = self.site(copy.site) if copy.site is not None and copy.ref.public else None
        if owner is None or owner.environment is None:
            return ()
        found = (self.settings_of(mate) for mate in self.fleet.plan_mates(owner.ref))
        return tuple(
            settings for settings in found if settings is not None and settings.site.production != owner.ref.production
        )

    def uploads_in(self, webspace: Webspace | None) -> tuple[WebspaceCertificate, ...]:
        """Return the uploaded certificates of a webspace with the vault certificate's current version."""
        shared = self.fleet.certificates_in(webspace)
        return tuple(copy for copy in shared if copy.is_upload and self.lineage.is_current(copy.thumbprint))

    def served_by(self, copy: WebspaceCertificate) -> tuple[Binding, ...]:
        """Return the bindings that show the certificate in the certificate's own webspace or site, in no order."""
        if copy.thumbprint is None:
            return ()
        shown = self.fleet.index.showing.get((copy.thumbprint, copy.webspace), ())
        return tuple(binding for binding in shown if copy.site in (None, binding.site))

    def tag(self, ref: SiteRef, tag: Tag) -> str | None:
        """Return the value of a tag of a site or slot. For Certroll a slot's own tag wins over the site's tag."""
        return self.fleet.tag(ref, tag)

    def environment_record_of(self, environment: EnvironmentRef) -> EnvironmentRecord:
        """Return the journal's record of an App Service Environment, or an empty record if there is none."""
        return next(
            (record for record in self.environment_records if record.environment == environment),
            EnvironmentRecord(environment),
        )

    # ---------------------------------------------------------------------------------------------- projections

    def with_root(self, added: RootCertificate) -> "Snapshot":
        """Return the snapshot with one more root certificate in an App Service Environment."""
        return replace(self, fleet=replace(self.fleet, roots=(*self.fleet.roots, added)))

    def without_root(self, ref: RootRef) -> "Snapshot":
        """Return the snapshot without the given root certificate of an App Service Environment."""
        left = tuple([root for root in self.fleet.roots if root.ref != ref])
        return replace(self, fleet=replace(self.fleet, roots=left))

    def with_binding(self, updated: Binding) -> "Snapshot":
        """Return the snapshot with the given binding in place of the old binding of the host name.

        App Service may hold one host name in Unicode and in ASCII, as two bindings.
        """
        name, site, address = updated.host_name, updated.site, updated.address
        others = self.fleet.bindings
        bindings = tuple(
            [
                updated if seen.host_name == name and seen.site == site and seen.address == address else seen
                for seen in others
            ]
        )
        return replace(self, fleet=replace(self.fleet, bindings=bindings))

    def with_rebound(self, site: SiteRef, webspace: Webspace) -> "Snapshot":
        """Return the snapshot after Certroll wrote the site's unchanged bindings once more (a rebind).

        If the site had no record in the rollout, this function adds a pending record.
        """
        fresh = SiteRecord(site, self.rollout.version, webspace, SiteState.PENDING, self.now)
        bound = replace(self.rollout.record_of(site) or fresh, rebind=Rebind.DONE)
        others = tuple(record for record in self.rollout.records if record.site != site)
        return replace(self, rollout=replace(self.rollout, records=(*others, bound)))

    def with_settings(self, updated: SiteSettings) -> "Snapshot":
        """Return the snapshot with the given settings in place of the old settings of the app."""
        site = updated.site
        settings = tuple([updated if seen.site == site else seen for seen in self.fleet.settings])
        return replace(self, fleet=replace(self.fleet, settings=settings))

    def with_start_of(self, site: SiteRef, webspace: Webspace, version: CertificateVersion) -> "Snapshot":
        """Return the snapshot after the app started with the version, which no probe has proven yet."""
        others = tuple(roll for roll in self.rollout.rolls if roll.site != site)
        started = RollRecord(site, version.version, webspace, RollState.OVERLAPPING, self.now)
        return replace(self, rollout=replace(self.rollout, rolls=(*others, started)))

    def with_certificate(self, added: WebspaceCertificate) -> "Snapshot":
        """Return the snapshot with one more certificate in App Service, which Azure does not have yet."""
        coming = replace(added, projected=True)
        return replace(self, fleet=replace(self.fleet, certificates=(*self.fleet.certificates, coming)))

    def without_certificate(self, ref: CopyRef) -> "Snapshot":
        """Return the snapshot without the given certificate in App Service."""
        left = tuple([copy for copy in self.fleet.certificates if copy.ref != ref])
        return replace(self, fleet=replace(self.fleet, certificates=left))

    def with_certificates(self, change: Callable[[WebspaceCertificate], WebspaceCertificate]) -> "Snapshot":
        """Return the snapshot with each certificate in App Service changed by the function."""
        return replace(self, fleet=replace(self.fleet, certificates=tuple(map(change, self.fleet.certificates))))
