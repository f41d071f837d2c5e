"""Everything that a plan is made from."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.app_settings import SiteSettings, is_load_list, is_root_list
from shared.domain.cycle import Cycle
from shared.domain.lineage import Lineage
from shared.domain.model import (
    Binding,
    CertificateVersion,
    Fleet,
    RootCertificate,
    Site,
    SslState,
    WebspaceCertificate,
)
from shared.domain.names import CopyRef, EnvironmentRef, RootRef, SiteRef, Thumbprint, Webspace, covers
from shared.domain.roll import RollRecord, RollState
from shared.domain.rollout import URGENT, Again, Rollout, SiteRecord, SiteState
from shared.domain.tags import ROOT_ON, Tag, is_root
from shared.domain.targets import found_targets, names_of_site

Places = frozenset[tuple[Webspace | None, SiteRef | None]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One lineage, the fleet that it may serve, and how far its current version has come.

    `held` are the thumbprints that imported copies of the lineage held when it was observed, by webspace: where a vault
    certificate was deleted and made again under its name, they alone tell that a binding belongs to it. `rooted` are
    the sites and slots whose root list is to name the current version because the tag `certroll-root-on` says so. A
    projection keeps both. `cycles` are what the journal knows of App Service Environments.
    """

    lineage: Lineage
    fleet: Fleet
    rollout: Rollout
    held: frozenset[tuple[Webspace, Thumbprint]] | None = None
    rooted: frozenset[SiteRef] | None = None
    cycles: tuple[Cycle, ...] = ()

    def __post_init__(self) -> None:
        """Note what the copies hold and whom the tag names, unless it is known from an earlier observation."""
        if self.rooted is None:
            object.__setattr__(self, "rooted", self._named_by_tag())
        if self.held is None:
            held = frozenset((copy.webspace, copy.thumbprint) for copy in self.copies if copy.thumbprint is not None)
            object.__setattr__(self, "held", held | self.rollout.held)

    def _named_by_tag(self) -> frozenset[SiteRef]:
        if not is_root(self.lineage.tags):
            return frozenset()
        candidates = {site.ref.resource_id: names_of_site(site.ref) for site in self.fleet.sites}
        return frozenset(map(SiteRef.parse, found_targets(self.lineage.tags, ROOT_ON, candidates)[0].values()))

    def is_stale(self, binding: Binding) -> bool:
        """Say whether the binding shows an older version of the lineage, or what a copy of it held before.

        Not where it may belong to another lineage just as well.
        """
        return self.looks_stale(binding) and not self.is_ambiguous(binding)

    def looks_stale(self, binding: Binding) -> bool:
        """Say whether the thumbprint alone makes the binding stale."""
        webspace = self.webspace_of(binding)
        claimed = self.lineage.has_key_of(binding.thumbprint) or self.lineage.version_of(binding.thumbprint) is None
        return claimed and self.stale_in(webspace, binding.thumbprint)

    def is_ambiguous(self, binding: Binding) -> bool:
        """Say whether the binding may belong to another vault certificate just as well."""
        return self.contested_in(self.webspace_of(binding), binding.thumbprint)

    def stale_in(self, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
        """Say whether the thumbprint is an older version of the lineage, or what a copy of it held in the webspace."""
        if self.lineage.is_stale(thumbprint):
            return self.lineage.has_key_of(thumbprint) or not self._is_private(webspace, thumbprint)
        unknown = self.lineage.current is not None and self.lineage.version_of(thumbprint) is None
        return unknown and (webspace, thumbprint) in (self.held or ())

    def _is_private(self, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
        """Say whether a certificate with its key has the thumbprint there."""
        return any(
            copy.thumbprint == thumbprint and copy.webspace == webspace and not copy.ref.public
            for copy in self.fleet.certificates
        )

    def contested_in(self, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
        """Say whether a copy of another vault certificate holds the thumbprint in the webspace.

        Where two vault certificates hold each other's versions, each would take the other's choice for stale.
        """
        return any(
            copy.thumbprint == thumbprint and copy.source not in (None, self.lineage.ref)
            for copy in self.fleet.certificates_in(webspace)
        )

    def live_in(self, webspace: Webspace | None) -> frozenset[Thumbprint]:
        """Return the thumbprints that an app of the webspace can load or be bound to."""
        return frozenset(
            copy.thumbprint for copy in self.fleet.certificates_in(webspace) if copy.thumbprint is not None
        )

    def live_at(self, ref: SiteRef) -> frozenset[Thumbprint]:
        """Return the thumbprints that an app of this site or slot can load."""
        return frozenset(copy.thumbprint for copy in self.fleet.certificates_of(ref) if copy.thumbprint is not None)

    def roots_at(self, ref: SiteRef) -> frozenset[Thumbprint]:
        """Return the thumbprints that the root list of this site or slot can name."""
        return frozenset(copy.thumbprint for copy in self.fleet.roots_of(ref) if copy.thumbprint is not None)

    def live_for(self, settings: SiteSettings, key: str) -> frozenset[Thumbprint]:
        """Return the thumbprints that an app can have by this setting; a pin may also name what its root list does."""
        roots = self.roots_at(settings.site)
        if is_root_list(key):
            return roots
        live = self.live_at(settings.site)
        return live if is_load_list(key) else live | (roots & set(settings.root_list))

    def private_at(self, ref: SiteRef) -> frozenset[Thumbprint]:
        """Return the thumbprints that host names of this site or slot can be bound to: those with a private key."""
        copies = (copy for copy in self.fleet.certificates_of(ref) if not copy.ref.public)
        return frozenset(copy.thumbprint for copy in copies if copy.thumbprint is not None)

    def named_stale(self, settings: SiteSettings) -> tuple[Thumbprint, ...]:
        """Return the stale thumbprints of the lineage that the settings name, the last good one first.

        That is the newest that the app was seen to use; where it was seen to use none of them, the newest.
        """
        site = self.site(settings.site)
        webspace = site.webspace if site else None
        age = {version.thumbprint: place for place, version in reversed(list(enumerate(self.lineage.versions)))}
        counted = settings if site is not None and site.heeds_roots else settings.without_roots
        stale = (one for one in counted.named if self.stale_in(webspace, one))
        proven = self.rollout.proven_at(settings.site)
        return tuple(sorted(stale, key=lambda one: (one not in proven, age.get(one, len(self.lineage.versions)), one)))

    def rollable(self, settings: SiteSettings) -> tuple[Thumbprint, ...]:
        """Return those of the stale thumbprints that may be replaced, the last good one first.

        What may belong to another vault certificate just as well is not. An app that was told to go replaces what it
        was told to: whoever told it saw the whole webspace.
        """
        site, record = self.site(settings.site), self.rollout.roll_of(settings.site)
        webspace = site.webspace if site else None
        told = record is not None and record.state is RollState.STALE
        return tuple(
            one
            for one in self.named_stale(settings)
            if not self.contested_in(webspace, one) and (record is None or not told or one in record.replaces)
        )

    def is_rooted(self, ref: SiteRef) -> bool:
        """Say whether the tag asks for the current version in the root list of a site or slot that heeds one."""
        site = self.site(ref)
        return site is not None and site.heeds_roots and ref in (self.rooted or ())

    def lacks_root(self, settings: SiteSettings) -> bool:
        """Say whether the tag asks for the current version in the root list of an app, and it is not in there."""
        current = self.lineage.current
        return current is not None and self.is_rooted(settings.site) and current.thumbprint not in settings.root_list

    def settings_in(self, webspace: Webspace) -> tuple[SiteSettings, ...]:
        """Return the settings of the sites and slots of a webspace, in a stable order."""
        found = ((self.site(one.site), one) for one in self.fleet.settings)
        return tuple(
            sorted((one for site, one in found if site and site.webspace == webspace), key=lambda one: one.site)
        )

    def settings_near(self, copy: WebspaceCertificate) -> tuple[SiteSettings, ...]:
        """Return the settings of the sites and slots that can use the copy, in a stable order.

        A swap exchanges settings between a site and its slots, and leaves certificates where they are.
        """
        if copy.site is None:
            return self.settings_in(copy.webspace)
        family = copy.site.production
        return tuple(sorted((s for s in self.fleet.settings if s.site.production == family), key=lambda one: one.site))

    def settings_sharing(self, copy: WebspaceCertificate) -> tuple[SiteSettings, ...]:
        """Return the settings of other apps that may trust a public certificate by their root lists."""
        owner = self.site(copy.site) if copy.site is not None and copy.ref.public else None
        if owner is None or owner.environment is None:
            return ()
        found = (self.settings_of(mate) for mate in self.fleet.plan_mates(owner.ref))
        return tuple(one for one in found if one is not None and one.site.production != owner.ref.production)

    @property
    def held_unknown(self) -> frozenset[tuple[Webspace, Thumbprint]]:
        """What copies held that is no version of the lineage: once they are synced, nothing else tells of it."""
        known = {version.thumbprint for version in self.lineage.versions}
        return frozenset(one for one in self.held or () if one[1] not in known)

    @property
    def now(self) -> datetime:
        """The moment of the observation: the only clock a plan knows."""
        return self.fleet.taken_at

    def site(self, ref: SiteRef) -> Site | None:
        """Return the observed site or slot."""
        return self.fleet.site(ref)

    def webspace_of(self, binding: Binding) -> Webspace | None:
        """Return the webspace of a binding's site, None where it was not seen."""
        site = self.site(binding.site)
        return None if site is None else site.webspace

    @property
    def copies(self) -> tuple[WebspaceCertificate, ...]:
        """The webspace certificates that were imported from this lineage's vault certificate."""
        return tuple(copy for copy in self.fleet.certificates if copy.source == self.lineage.ref)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """The bindings that show a version of this lineage, the current or a stale one, in a stable order."""
        return tuple(
            sorted(b for b in self.fleet.bindings if self.looks_stale(b) or self.lineage.is_current(b.thumbprint))
        )

    @property
    def uploaded_to(self) -> frozenset[tuple[Webspace, SiteRef | None]]:
        """The places that hold an older version as an upload, and into which nothing is imported.

        A place is a webspace, or a site that has certificates of its own. An upload by people counts by itself; one of
        our own only while something there shows or names it.
        """
        imported = {(copy.webspace, copy.site) for copy in self.copies}
        lineage, uploads = self.lineage, (copy for copy in self.fleet.certificates if copy.is_upload)
        stale = (c for c in uploads if lineage.is_stale(c.thumbprint) and lineage.has_key_of(c.thumbprint))
        return frozenset(
            (copy.webspace, copy.site)
            for copy in stale
            if (copy.webspace, copy.site) not in imported
            and (copy.uploaded or self._is_used(copy.webspace, copy.thumbprint))
        )

    def _is_used(self, webspace: Webspace, thumbprint: Thumbprint | None) -> bool:
        """Say whether something may use it: what cannot be seen may, and an app that loads everything."""
        bound = any(b.thumbprint == thumbprint and self.webspace_of(b) == webspace for b in self.fleet.bindings)
        named = any(thumbprint in one.mentioned or thumbprint in one.named for one in self.settings_in(webspace))
        loaded = any(one.loads_everything for one in self.settings_in(webspace))
        return bound or named or loaded or any(spot.hides(webspace) for spot in self.fleet.blind_spots)

    def trusts_by_chain(self, webspace: Webspace) -> bool:
        """Say whether servers there trust the current version by the chain that is uploaded with it.

        Those of an App Service Environment do where a private authority issued it (Azure docs, "Certificates in App
        Service Environment", private server certificate).
        """
        facts = self.lineage.current.facts if self.lineage.current else None
        return facts is not None and not facts.public_policy and self.fleet.is_in_environment(webspace)

    def uploads_in(self, webspace: Webspace | None) -> tuple[WebspaceCertificate, ...]:
        """Return the uploads of the current version that a webspace shares."""
        shared = self.fleet.certificates_in(webspace)
        return tuple(copy for copy in shared if copy.is_upload and self.lineage.is_current(copy.thumbprint))

    def served_by(self, copy: WebspaceCertificate) -> tuple[Binding, ...]:
        """Return the bindings of the copy's webspace, or site, that show its thumbprint, in no particular order."""
        return tuple(
            binding
            for binding in self.fleet.bindings
            if binding.thumbprint is not None
            and binding.thumbprint == copy.thumbprint
            and self.webspace_of(binding) == copy.webspace
            and copy.site in (None, binding.site)
        )

    def expires_at(self) -> datetime | None:
        """Return when the first certificate runs out that is shown and will be replaced, None where there is none.

        What will not be moved does not count: a forgotten binding must not make every later version urgent.
        """
        reached = frozenset((copy.webspace, copy.site) for copy in self.copies) | self.uploaded_to
        shown = (binding.thumbprint for binding in self.bindings if self._will_move(binding, reached))
        return self._first_end(shown)

    def settings_expire_at(self, sites: Collection[SiteRef]) -> datetime | None:
        """Return when the first certificate runs out that these apps name and will leave, None where there is none."""
        named = (self.settings_of(site) for site in sites)
        return self._first_end(one for settings in named if settings for one in self.named_stale(settings)[:1])

    def settings_of(self, site: SiteRef) -> SiteSettings | None:
        """Return what the settings of a site or slot name, None where they were not read."""
        return self.fleet.settings_of(site)

    def _first_end(self, thumbprints: Iterable[Thumbprint | None]) -> datetime | None:
        versions = (self.lineage.version_of(thumbprint) for thumbprint in thumbprints)
        ends = (version.not_after for version in versions if version is not None)
        return min((end for end in ends if end > self.now - URGENT), default=None)

    def _will_move(self, binding: Binding, reached: Places) -> bool:
        """Say whether the binding will get the current version, which a sync or an upload brings where it reaches."""
        facts = self.lineage.current.facts if self.lineage.current else None
        return (
            self.is_stale(binding)
            and binding.ssl_state is not SslState.DISABLED
            and not self.fleet.opted_out(binding.site)
            and (facts is None or covers(facts.host_names, binding.host_name))
            and not reached.isdisjoint({(self.webspace_of(binding), owner) for owner in (None, binding.site)})
        )

    def tag(self, ref: SiteRef, tag: Tag) -> str | None:
        """Return a site's tag; a slot's own tag wins over its site's."""
        return self.fleet.tag(ref, tag)

    def cycle_of(self, environment: EnvironmentRef) -> Cycle:
        """Return what the journal knows of an environment; of one that is not known nothing is."""
        return next((one for one in self.cycles if one.environment == environment), Cycle(environment))

    def with_root(self, added: RootCertificate) -> "Snapshot":
        """Return the snapshot with one more root certificate."""
        return replace(self, fleet=replace(self.fleet, roots=(*self.fleet.roots, added)))

    def without_root(self, ref: RootRef) -> "Snapshot":
        """Return the snapshot without that root certificate."""
        left = tuple([one for one in self.fleet.roots if one.ref != ref])
        return replace(self, fleet=replace(self.fleet, roots=left))

    def with_binding(self, updated: Binding) -> "Snapshot":
        """Return the snapshot with this binding in place of the one of its host name."""
        name, site = updated.host_name, updated.site
        others = self.fleet.bindings
        bindings = tuple([updated if one.host_name == name and one.site == site else one for one in others])
        return replace(self, fleet=replace(self.fleet, bindings=bindings))

    def with_bound_again(self, site: SiteRef, webspace: Webspace) -> "Snapshot":
        """Return the snapshot in which what the site shows was bound once more; one not recorded has yet to answer."""
        fresh = SiteRecord(site, self.rollout.version, webspace, SiteState.PENDING, self.now)
        bound = replace(self.rollout.record_of(site) or fresh, again=Again.DONE)
        others = tuple(record for record in self.rollout.records if record.site != site)
        return replace(self, rollout=replace(self.rollout, records=(*others, bound)))

    def with_settings(self, updated: SiteSettings) -> "Snapshot":
        """Return the snapshot with this in place of what the settings of its app name."""
        site = updated.site
        settings = tuple([updated if one.site == site else one for one in self.fleet.settings])
        return replace(self, fleet=replace(self.fleet, settings=settings))

    def with_start_of(self, site: SiteRef, webspace: Webspace, version: CertificateVersion) -> "Snapshot":
        """Return the snapshot in which the app has started with this version, and has yet to prove it."""
        kept = tuple(roll for roll in self.rollout.rolls if roll.site != site)
        started = RollRecord(site, version.version, webspace, RollState.OVERLAPPING, self.now)
        return replace(self, rollout=replace(self.rollout, rolls=(*kept, started)))

    def with_certificate(self, added: WebspaceCertificate) -> "Snapshot":
        """Return the snapshot with one more webspace certificate."""
        return replace(self, fleet=replace(self.fleet, certificates=(*self.fleet.certificates, added)))

    def without_certificate(self, ref: CopyRef) -> "Snapshot":
        """Return the snapshot without that webspace certificate."""
        left = tuple([copy for copy in self.fleet.certificates if copy.ref != ref])
        return replace(self, fleet=replace(self.fleet, certificates=left))

    def with_certificates(self, change: Callable[[WebspaceCertificate], WebspaceCertificate]) -> "Snapshot":
        """Return the snapshot with every webspace certificate changed by the function."""
        return replace(self, fleet=replace(self.fleet, certificates=tuple(map(change, self.fleet.certificates))))
