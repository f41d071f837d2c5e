"""From Azure to a fleet: the only place that fans out.

    per subscription   certificates · sites · plans · sites that have slots        (listings)
    per site           its own certificates, where it is on a Flex Consumption plan
    where a root of one is asked for: App Service Environments per subscription, and the roots of each that is named
                                     │
    only in webspaces that hold a wanted copy, and for sites that are named as targets:
                       slots of each site that has some · sites of each plan
                       app settings of each site and slot                          (one read each)
                       its public certificates, where it is a target, or its load list names what its webspace lacks
    only for lineages that may be roots, in App Service Environments:
                       slots and app settings of each Windows code app
                       the public certificates of all apps of a plan, where a root list names one of them, or is to
    only where an App Service Environment has uploads of a current version that no public authority issued:
                       when they were made                                         (one listing per subscription)

A thumbprint can be used only inside the webspace that holds the certificate, so nothing else needs a closer look.
Subscription listings silently leave out what the identity may not read; the plans name every site that runs on them,
and a site that only they name is a blind spot.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import TypeVar

from shared.domain.app_settings import SiteSettings, read_settings
from shared.domain.errors import AzureError, Denied, NotFound, Rejected, Unavailable
from shared.domain.lineage import Lineage
from shared.domain.model import (
    BlindSpot,
    Environment,
    Fleet,
    Listing,
    RootCertificate,
    SeenSite,
    ServerFarm,
    Site,
    WebspaceCertificate,
)
from shared.domain.names import CopyRef, EnvironmentRef, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.ports import AppService, Environments, Ports
from shared.domain.roots import roots_subject
from shared.domain.tags import OPT_OUT, Kind, Tag, Tags, of_kind, words

Subject = TypeVar("Subject")
Found = TypeVar("Found")


FEW_SILENT, MOST_SILENT = 5, 20
"""How much of a list may fail to answer, or a tenth of it, before the look is given up: each takes 90 s of a thread."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What vault objects ask for by tags.

    Sites and App Service Environments by name, and whether a place is named that may be anywhere. `rooted` are those of
    the sites whose root lists are to name a version; `roots` the versions of what may be a root, which a root list may
    name anywhere. `private` are the current versions that no public authority issued: of these it may matter when they
    were uploaded.
    """

    sites: frozenset[str] = frozenset()
    anywhere: bool = False
    environments: frozenset[str] = frozenset()
    rooted: frozenset[str] = frozenset()
    roots: frozenset[Thumbprint] = frozenset()
    private: frozenset[Thumbprint] = frozenset()

    @classmethod
    def of(cls, lineages: Iterable[Lineage]) -> "Targets":
        """Return what all of the lineages ask for."""
        lineages = tuple(lineages)
        tags = [lineage.tags for lineage in lineages]
        sites = _words(tags, of_kind(Kind.SITES))
        environments = _words(tags, of_kind(Kind.ENVIRONMENTS))
        rooted = _words(tags, (tag for tag in of_kind(Kind.SITES) if tag.makes_root))
        roots = frozenset(one.thumbprint for own in lineages if _may_be_root(own) for one in own.versions)
        anywhere = bool(sites or _words(tags, of_kind(Kind.PLACES)))
        current = (lineage.current for lineage in lineages if lineage.current)
        private = frozenset(one.thumbprint for one in current if one.facts and not one.facts.public_policy)
        return cls(sites, anywhere, environments, rooted, roots, private)

    def needs_root(self, site: Site, settings: SiteSettings | None) -> bool:
        """Say whether the root list of an app names what may be a root, or is to."""
        listed = settings.root_list if settings is not None else ()
        return site.heeds_roots and (site.ref.name in self.rooted or not self.roots.isdisjoint(listed))


def _words(tags_of_all: list[Tags], asking: Iterable[Tag]) -> frozenset[str]:
    """Return each word by which the tags name a target, of all vault objects."""
    return frozenset(word for tag in asking for tags in tags_of_all for word in words(tags, tag))


def _may_be_root(lineage: Lineage) -> bool:
    facts = lineage.current.facts if lineage.current else None
    return facts is not None and (facts.is_ca or facts.self_signed)


def observe_fleet(
    ports: Ports,
    pool: Executor,
    subscriptions: tuple[str, ...],
    wanted: Callable[[WebspaceCertificate], bool],
    followed: Callable[[VaultCertificateRef], bool],
    now: datetime,
    targets: Targets = Targets(),
) -> Fleet:
    """Return what is there in the subscriptions, or in all that the identity sees where none is named.

    Sites, bindings and what app settings name are complete in webspaces that hold a wanted copy, but for the blind
    spots; sites and slots also in environments that are named as targets. Where a Key Vault reference leads is read for
    the vault objects that are followed. Targets are looked at wherever they are.
    """
    app_service = ports.app_service
    view = _View(app_service, pool)
    subscriptions = subscriptions or app_service.subscriptions()
    if not subscriptions:
        raise Denied("the identity sees no subscription: grant it the role that the README lists")
    productions = view.each_subscription(app_service.sites, subscriptions)
    shared = view.dated(view.certificates(subscriptions), productions, targets.private)
    certificates = (*shared, *view.site_certificates(productions))
    environments, roots = view.environments(ports.environments, subscriptions, targets.environments)
    hosts = frozenset(one.ref for one in environments if one.ref.name in targets.environments)
    webspaces = frozenset(copy.webspace for copy in certificates if copy.site is None and wanted(copy))
    owners = frozenset(copy.site for copy in certificates if copy.site is not None and wanted(copy))

    def is_near(site: Site) -> bool:
        named = site.ref.name in targets.sites or site.ref in owners
        return site.webspace in webspaces or named or (bool(targets.roots) and site.heeds_roots)

    heeding = frozenset(site.ref for site, _ in productions if targets.roots and site.heeds_roots)
    concerned = subscriptions if targets.anywhere else _concerned(subscriptions, webspaces, owners | heeding, hosts)
    plans = view.each_subscription(app_service.plans, concerned)
    sites = view.with_slots(productions, concerned, lambda site: is_near(site) or site.environment in hosts)
    hosting = frozenset(site.webspace for site, _ in sites if site.webspace and site.environment in hosts)
    near = tuple(site for site, _ in sites if is_near(site))
    settings = view.settings(near, followed)
    read = {one.site: one for one in settings}
    rooting = frozenset(site.plan for site in near if site.plan and targets.needs_root(site, read.get(site.ref)))
    view.compare_with_plans(plans, webspaces | hosting, rooting, frozenset(site.ref for site, _ in sites))
    mates = tuple(site for site, _ in sites if site.plan in rooting)
    public = view.public_certificates(near, settings, certificates, targets.sites, mates)
    return Fleet(
        taken_at=now,
        sites=tuple(site for site, _ in sites),
        bindings=tuple(chain.from_iterable(bindings for _, bindings in sites)),
        certificates=(*certificates, *public),
        plans=tuple(sorted(plans, key=lambda plan: plan.resource_id)),
        blind_spots=tuple(sorted(set(view.blind_spots), key=str)),
        settings=tuple(sorted(settings, key=lambda one: one.site)),
        environments=environments,
        roots=roots,
    )


def observe_environment(ports: Ports, pool: Executor, ref: EnvironmentRef, now: datetime) -> Fleet:
    """Return an environment with its sites and slots, and no more of them."""
    view, environment = _View(ports.app_service, pool), ports.environments.environment(ref)
    productions = ports.environments.sites(ref)
    view.blind_spots.extend(productions.blind_spots)
    sites = view.with_slots(tuple((site, ()) for site in productions.found), (ref.subscription,), lambda _: True)
    seen = tuple(site for site, _ in sites)
    return Fleet(now, seen, blind_spots=tuple(view.blind_spots), environments=(environment,))


def observe_app(
    app_service: AppService, ref: SiteRef, copies: tuple[CopyRef, ...], followed: VaultCertificateRef, now: datetime
) -> Fleet:
    """Return one site or slot with what its settings name, and the copies that it may name."""
    settings = _followed(app_service, read_settings(app_service.settings(ref)), lambda one: one == followed)
    seen = observe_tags(app_service, ref, copies, now)
    known = {site.ref for site in seen.sites}
    owners = sorted({copy.site for copy in seen.certificates if copy.site is not None} - known)
    mates = chain.from_iterable(_neighbour(app_service, owner) for owner in owners)
    return replace(seen, sites=(*seen.sites, *mates), settings=(settings,))


def _neighbour(app_service: AppService, owner: SiteRef) -> tuple[Site, ...]:
    """Return the site whose public certificate the app may trust, or nothing: then it is none of its plan."""
    try:
        return (app_service.site(owner)[0],)
    except (Denied, NotFound, Rejected):
        return ()


def observe_tags(app_service: AppService, ref: SiteRef, copies: tuple[CopyRef, ...], now: datetime) -> Fleet:
    """Return one site or slot with all of its tags, and the copies. Raises NotFound where the site is gone."""
    seen = observe_site(app_service, ref, copies, now)
    if ref.slot is not None and seen.site(ref.production) is None:  # a slot may have its site's tags, one by one
        seen = replace(seen, sites=(*seen.sites, app_service.site(ref.production)[0]))
    return seen


def observe_site(app_service: AppService, ref: SiteRef, copies: tuple[CopyRef, ...], now: datetime) -> Fleet:
    """Return one site or slot, and the copies that are to serve it. Raises NotFound where the site is gone."""
    site, bindings = app_service.site(ref)
    sites: tuple[Site, ...] = (site,)
    if ref.slot is not None and OPT_OUT.value_in(site.tags) is None:
        sites = (site, app_service.site(ref.production)[0])  # a slot without a tag of its own has its site's
    return Fleet(now, sites, bindings, tuple(chain.from_iterable(_present(app_service, copy) for copy in copies)))


def _present(app_service: AppService, copy: CopyRef) -> tuple[WebspaceCertificate, ...]:
    """Return the copy, or nothing where it is gone: then no thumbprint of it is live."""
    try:
        return (app_service.certificate(copy),)
    except NotFound:
        return ()


def _concerned(
    subscriptions: tuple[str, ...],
    webspaces: frozenset[Webspace],
    owners: frozenset[SiteRef],
    environments: frozenset[EnvironmentRef],
) -> tuple[str, ...]:
    places: tuple[Webspace | SiteRef | EnvironmentRef, ...] = (*webspaces, *owners, *environments)
    concerned = {place.subscription for place in places}
    return tuple(subscription for subscription in subscriptions if subscription in concerned)


class _View:
    """Reads in parallel; what is denied becomes a blind spot."""

    def __init__(self, app_service: AppService, pool: Executor) -> None:
        self._app_service = app_service
        self._pool = pool
        self.blind_spots: list[BlindSpot] = []

    def each(
        self,
        read: Callable[[Subject], Listing[Found]],
        subjects: Iterable[Subject],
        hidden: Callable[[Subject, str], BlindSpot],
        *,
        one_answers: bool = False,
    ) -> tuple[Found, ...]:
        """Return all that reading each subject yields; a subject that may not be read becomes a blind spot.

        Raises Unavailable where too many are silent, with `one_answers` also where all of them are.
        """
        subjects = tuple(subjects)
        answers = self._pool.map(lambda subject: _or_error(read, subject), subjects)
        found: list[Found] = []
        silent, most = 0, min(max(FEW_SILENT, len(subjects) // 10), MOST_SILENT)
        if one_answers:
            most = min(most, len(subjects) - 1)
        for subject, answer in zip(subjects, answers, strict=True):
            if isinstance(answer, AzureError):
                silent += isinstance(answer, Unavailable)
                if silent > most:  # then it is Azure that is down, not one thing or another
                    raise answer
                self.blind_spots.append(hidden(subject, str(answer)))
                continue
            found.extend(answer.found)
            self.blind_spots.extend(answer.blind_spots)
        return tuple(found)

    def each_subscription(
        self, read: Callable[[str], Listing[Found]], subscriptions: tuple[str, ...]
    ) -> tuple[Found, ...]:
        """Read each subscription as `each` does; where none answers, nothing at all was seen: raises Unavailable."""
        return self.each(read, subscriptions, _subscription_hidden, one_answers=True)

    def certificates(self, subscriptions: tuple[str, ...]) -> tuple[WebspaceCertificate, ...]:
        copies = self.each_subscription(self._app_service.certificates, subscriptions)
        return tuple(sorted(copies, key=lambda copy: copy.ref))

    def environments(
        self, environments: Environments, subscriptions: tuple[str, ...], named: frozenset[str]
    ) -> tuple[tuple[Environment, ...], tuple[RootCertificate, ...]]:
        """Read the environments, where one is named, and the roots of those that are."""
        if not named:
            return (), ()
        seen = self.each(
            environments.environments,
            subscriptions,
            lambda one, why: BlindSpot(f"environments of subscription {one}", why, one, roots_only=True),
        )
        found = sorted(seen, key=lambda one: one.ref)
        roots = self.each(
            environments.roots,
            [one.ref for one in found if one.ref.name in named],
            lambda ref, why: BlindSpot(roots_subject(ref), why, ref.subscription, roots_only=True),
        )
        return tuple(found), tuple(sorted(roots, key=lambda one: one.ref))

    def dated(
        self,
        copies: tuple[WebspaceCertificate, ...],
        productions: tuple[SeenSite, ...],
        private: frozenset[Thumbprint],
    ) -> tuple[WebspaceCertificate, ...]:
        """Return the copies, uploads of private versions in an environment with when they were made.

        What Azure does not say stays unknown, and hides nothing else: it is no blind spot.
        """
        hosted = {site.webspace for site, _ in productions if site.environment is not None}
        concerned = {c.ref for c in copies if c.is_upload and c.thumbprint in private and c.webspace in hosted}
        subscriptions = sorted({ref.subscription for ref in concerned})
        answers = self._pool.map(lambda one: _or_error(self._app_service.uploaded_at, one), subscriptions)
        dates = dict(pair for answer in answers if isinstance(answer, Listing) for pair in answer.found)
        return tuple(replace(copy, created=dates.get(copy.ref)) if copy.ref in concerned else copy for copy in copies)

    def site_certificates(self, productions: tuple[SeenSite, ...]) -> tuple[WebspaceCertificate, ...]:
        """Read the certificates that sites on Flex Consumption plans have to themselves."""
        where = {site.ref: site.webspace for site, _ in productions if site.flex and site.webspace is not None}
        copies = self.each(
            lambda ref: self._app_service.site_certificates(ref, where[ref]),
            sorted(where),
            lambda ref, why: BlindSpot(f"certificates of {ref}", why, ref.subscription, where[ref]),
        )
        return tuple(sorted(copies, key=lambda copy: copy.ref))

    def public_certificates(
        self,
        sites: tuple[Site, ...],
        settings: tuple[SiteSettings, ...],
        certificates: tuple[WebspaceCertificate, ...],
        targets: frozenset[str],
        mates: tuple[Site, ...],
    ) -> tuple[WebspaceCertificate, ...]:
        """Read the public certificates of sites that may need one, and of all that share a plan with a root list."""
        held = {(copy.webspace, copy.thumbprint) for copy in certificates if copy.site is None}
        listed = {one.site: one.load_list for one in settings}
        needing = [
            site
            for site in sites
            if site.ref.name in targets
            or any((site.webspace, thumbprint) not in held for thumbprint in listed.get(site.ref, ()))
        ]
        where = {site.ref: site.webspace for site in (*needing, *mates) if site.webspace is not None}
        copies = self.each(
            lambda ref: self._app_service.public_certificates(ref, where[ref]),
            sorted(where),
            lambda ref, why: BlindSpot(
                f"public certificates of {ref}", why, ref.subscription, where[ref], settings_only=True
            ),
        )
        return tuple(sorted(copies, key=lambda copy: copy.ref))

    def with_slots(
        self,
        productions: tuple[SeenSite, ...],
        concerned: tuple[str, ...],
        is_near: Callable[[Site], bool],
    ) -> tuple[SeenSite, ...]:
        """Return the sites with the slots of those that are near, or of which it is not known where they are."""
        parents = self.each_subscription(self._app_service.slot_parents, concerned)
        near = {site.ref: site.webspace for site, _ in productions if site.webspace is None or is_near(site)}
        slots = self.each(
            self._app_service.slots,
            sorted(parent for parent in set(parents) if parent in near),
            lambda ref, why: BlindSpot(f"the slots of {ref}", why, ref.subscription, near[ref]),
        )
        seen = (*productions, *slots)
        self.blind_spots.extend(
            BlindSpot(f"site {site.ref}", "Azure does not say its webspace", site.ref.subscription)
            for site, bindings in seen
            if site.webspace is None and any(binding.thumbprint for binding in bindings)
        )
        return tuple(sorted(seen, key=lambda pair: pair[0].ref))

    def settings(
        self, sites: tuple[Site, ...], followed: Callable[[VaultCertificateRef], bool]
    ) -> tuple[SiteSettings, ...]:
        """Return what the app settings of each site and slot name; no value is kept."""
        app_service = self._app_service
        where = {site.ref: site.webspace for site in sites}
        return self.each(
            lambda ref: Listing((_followed(app_service, read_settings(app_service.settings(ref)), followed),)),
            sorted(where),
            lambda ref, why: BlindSpot(f"app settings of {ref}", why, ref.subscription, where[ref], settings_only=True),
        )

    def compare_with_plans(
        self,
        plans: tuple[ServerFarm, ...],
        webspaces: frozenset[Webspace],
        rooting: frozenset[str],
        seen: frozenset[SiteRef],
    ) -> None:
        """Note what runs on plans of these webspaces, or on those that share roots, and was not seen."""
        near = tuple(plan for plan in plans if plan.webspace in webspaces or plan.resource_id.lower() in rooting)
        named = self.each(
            lambda plan: _placed(plan.webspace, self._app_service.sites_of_plan(plan)),
            near,
            lambda plan, why: BlindSpot(
                f"the sites of {plan.resource_id}", why, plan.webspace.subscription, plan.webspace
            ),
        )
        self.blind_spots.extend(
            BlindSpot(f"site {ref}", "its plan names it, the listing does not", webspace.subscription, webspace)
            for webspace, ref in named
            if ref not in seen
        )


def _followed(
    app_service: AppService, settings: SiteSettings, followed: Callable[[VaultCertificateRef], bool]
) -> SiteSettings:
    """Return the settings with where their Key Vault references lead now: one read more, where there are any."""
    if not any(followed(one.ref) for one in settings.vault_references):
        return settings
    try:
        active = app_service.vault_references(settings.site)
    except (Denied, NotFound, Rejected):
        return settings  # then nobody knows where they lead, and a refresh is asked for, which says what is missing
    led = tuple(replace(one, active=active.get(one.key, "").lower() or None) for one in settings.vault_references)
    return replace(settings, vault_references=led)


def _placed(webspace: Webspace, refs: Listing[SiteRef]) -> Listing[tuple[Webspace, SiteRef]]:
    return Listing(tuple((webspace, ref) for ref in refs.found), refs.blind_spots)


def _or_error(read: Callable[[Subject], Listing[Found]], subject: Subject) -> Listing[Found] | AzureError:
    try:
        return read(subject)
    except (Denied, NotFound, Rejected, Unavailable) as error:
        return error  # one thing that does not answer must not hold up all the others


def _subscription_hidden(subscription: str, why: str) -> BlindSpot:
    return BlindSpot(f"subscription {subscription}", why, subscription)
