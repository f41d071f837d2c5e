"""Read many resources of Azure in parallel.

Note each resource that Azure did not show as a blind spot (something that Certroll could not read).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from shared.domain.environments.roots import roots_subject
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.fleet.fleet import BlindSpot, Listing, SeenSite
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.loop.observe.reads import Reads
from shared.loop.observe.remembering import Remembering
from shared.loop.observe.site import observe_settings
from shared.loop.pool import Pool
from shared.ports.app_service import AppService, Listings
from shared.ports.environments import Environments

Subject = TypeVar("Subject")
Found = TypeVar("Found")

SILOS = (
    "the site has silos in other regions, which Certroll cannot read: bind and set up this site by hand, and delete "
    "certificates of the subscription by hand"
)


class View(Reads):
    """Parallel reads of Azure.

    Each resource that Azure does not show becomes a blind spot (something that Certroll could not read).
    """

    def __init__(
        self,
        app_service: AppService,
        pool: Pool,
        check_time: Callable[[], None] | None = None,
        listings: Listings | None = None,
    ) -> None:
        """Begin without blind spots. `check_time` is that of `Reads`. Without `listings` Azure shows the lists."""
        super().__init__(pool, check_time)
        self._app_service = app_service
        self._listings = listings or app_service
        self._near: dict[SiteRef, Site] = {}
        """The sites and slots whose settings Certroll has read or remembers."""
        self._asked = set[SiteRef]()
        """The sites and slots whose public certificates Certroll has read."""
        self._public: list[WebspaceCertificate] = []
        self._compared = set[ServerFarm]()
        """The plans whose sites Certroll has listed."""

    def certificates(
        self, subscriptions: tuple[str, ...], productions: tuple[SeenSite, ...], private: frozenset[Thumbprint]
    ) -> tuple[WebspaceCertificate, ...]:
        """Return the certificates of all webspaces, then the certificates that belong to one site alone."""
        listed = self.each_subscription(self._listings.certificates, subscriptions)
        copies = tuple(sorted(listed, key=lambda copy: copy.ref))
        return (*self._dated(copies, productions, private), *self._site_certificates(productions))

    def environments(
        self, environments: Environments, subscriptions: tuple[str, ...], named: frozenset[str]
    ) -> tuple[tuple[Environment, ...], tuple[RootCertificate, ...]]:
        """Return all App Service Environments, and the root certificates of the named environments.

        If no environment is named, this function sends no request to Azure.
        """
        if not named:
            return (), ()
        seen = self.each(
            environments.environments,
            subscriptions,
            lambda subscription, why: BlindSpot(
                f"environments of subscription {subscription}", why, subscription, roots_only=True
            ),
        )
        found = sorted(seen, key=lambda environment: environment.ref)
        roots = self.each(
            environments.roots,
            [environment.ref for environment in found if environment.ref.name in named],
            lambda ref, why: BlindSpot(roots_subject(ref), why, ref.subscription, roots_only=True),
        )
        return tuple(found), tuple(sorted(roots, key=lambda root: root.ref))

    def _dated(
        self,
        copies: tuple[WebspaceCertificate, ...],
        productions: tuple[SeenSite, ...],
        private: frozenset[Thumbprint],
    ) -> tuple[WebspaceCertificate, ...]:
        """Return the certificates, with upload times of private authorities' uploads in App Service Environments.

        If Azure does not answer, the upload time of a certificate stays unknown. Certroll does not count an unknown
        upload time as a blind spot (something that Certroll could not read).
        """
        hosted = {site.webspace for site, _ in productions if site.environment is not None}
        uploads = (copy for copy in copies if copy.is_upload and copy.thumbprint in private)
        concerned = {copy.ref for copy in uploads if copy.in_environment or copy.webspace in hosted}
        subscriptions = sorted({ref.subscription for ref in concerned})
        ask = self._pool.map if self._check_time is None else self._pool.each
        answers = ask(partial(self._read_or_error, self._listings.uploaded_at), subscriptions)
        dates = dict(pair for answer in answers if isinstance(answer, Listing) for pair in answer.found)
        return tuple(replace(copy, created=dates.get(copy.ref)) if copy.ref in concerned else copy for copy in copies)

    def _site_certificates(self, productions: tuple[SeenSite, ...]) -> tuple[WebspaceCertificate, ...]:
        """Return the certificates that belong to single sites on Flex Consumption plans."""
        where = {site.ref: site.webspace for site, _ in productions if site.flex and site.webspace is not None}
        copies = self.each(
            lambda ref: self._listings.site_certificates(ref, where[ref]),
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
        """Return the public certificates of each site that may use a public certificate.

        A site may use a public certificate if a tag names the site, or if the site's load list
        (WEBSITE_LOAD_CERTIFICATES) names a thumbprint that no certificate of the webspace has. `mates` are sites that
        share an App Service plan with an app that needs a root certificate. Certroll asks for each site once in an
        inspection, and returns what it has read in the whole inspection.
        """
        lacking = _lacking(sites, settings, certificates)
        named = (site for site in sites if site.ref.name in targets)
        where = {site.ref: site.webspace for site in (*lacking, *named, *mates) if site.webspace is not None}
        asking, before = sorted(where.keys() - self._asked), tuple(ref.subscription for ref in self._asked)
        self._asked.update(asking)
        self._public += self.each(
            lambda ref: self._listings.public_certificates(ref, where[ref]),
            asking,
            lambda ref, why: BlindSpot(
                f"public certificates of {ref}", why, ref.subscription, where[ref], settings_only=True
            ),
            others=before,
        )
        return tuple(sorted(self._public, key=lambda copy: copy.ref))

    def with_slots(
        self,
        productions: tuple[SeenSite, ...],
        concerned: tuple[str, ...],
        is_near: Callable[[Site], bool],
    ) -> tuple[SeenSite, ...]:
        """Return the sites, and the slots of each site that `is_near` accepts or whose webspace Azure does not name."""
        parents = self.each_subscription(self._listings.slot_parents, concerned)
        near = {site.ref: site.webspace for site, _ in productions if site.webspace is None or is_near(site)}
        slots = self.each(
            self._listings.slots,
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

    def note_silos(self, sites: Iterable[Site]) -> None:
        """Note as blind spots (things that Certroll could not read) what sites have in other regions.

        Azure's specification of silos does not say which certificates and app settings the other regions use.
        """
        self.blind_spots.extend(
            BlindSpot(
                f"other regions of site {site.ref}",
                SILOS,
                site.ref.subscription,
                site.webspace,
                settings_only=True,
                other_regions=True,
                reason=Reason.SITE_WITH_SILOS,
            )
            for site in sites
            if site.silos
        )

    def settings(
        self,
        sites: Iterable[Site],
        followed: Callable[[VaultCertificateRef], bool],
        memory: Remembering,
        *,
        fresh: bool = False,
    ) -> tuple[SiteSettings, ...]:
        """Return the certificates that the app settings of each site and slot name, without the settings' values.

        Certroll takes settings that did not change from its memory, except for `fresh` settings, and remembers what it
        reads.
        """
        where = {site.ref: site for site in sites}
        self._near.update(where)
        known = {} if fresh else memory.recall(where.values())
        quiet = {
            ref for ref, settings in known.items() if not any(followed(led.ref) for led in settings.vault_references)
        }
        asking = sorted(where.keys() - quiet)
        with memory.saving():
            found = self.each(
                lambda ref: Listing((observe_settings(self._app_service, ref, followed, known.get(ref)),)),
                asking,
                lambda ref, why: BlindSpot(
                    f"app settings of {ref}", why, ref.subscription, where[ref].webspace, settings_only=True
                ),
                note=lambda settings: memory.note(where[settings.site], settings),
                others=(ref.subscription for ref in self._near.keys() - set(asking)),
            )
        self.blind_spots.extend(
            BlindSpot(
                f"Key Vault references of {settings.site}",
                settings.references_unread,
                settings.site.subscription,
                where[settings.site].webspace,
                versions_only=True,
            )
            for settings in found
            if settings.references_unread
        )
        return (*found, *(known[ref] for ref in quiet))

    def compare_with_plans(self, plans: Iterable[ServerFarm], seen: frozenset[SiteRef]) -> None:
        """Note as blind spots (resources that Certroll could not read) the sites that only the list of a plan names.

        Certroll lists the sites of each plan once in an inspection.
        """
        new = tuple(plan for plan in plans if plan not in self._compared)
        before = tuple(plan.webspace.subscription for plan in self._compared)
        self._compared.update(new)
        named = self.each(
            lambda plan: _placed(plan.webspace, self._listings.sites_of_plan(plan)),
            new,
            lambda plan, why: BlindSpot(
                f"the sites of {plan.resource_id}", why, plan.webspace.subscription, plan.webspace
            ),
            others=before,
        )
        self.blind_spots.extend(
            BlindSpot(f"site {ref}", "its plan names it, the listing does not", webspace.subscription, webspace)
            for webspace, ref in named
            if ref not in seen
        )


def _lacking(
    sites: tuple[Site, ...], settings: tuple[SiteSettings, ...], certificates: tuple[WebspaceCertificate, ...]
) -> Iterable[Site]:
    """Return the sites whose load lists (WEBSITE_LOAD_CERTIFICATES) name a thumbprint that their webspaces lack.

    A thumbprint that the webspace does not hold may be the thumbprint of a public certificate of the site.
    """
    held = {(copy.webspace, copy.thumbprint) for copy in certificates if copy.site is None}
    listed = {named.site: named.load_list for named in settings}
    return (
        site
        for site in sites
        if any((site.webspace, thumbprint) not in held for thumbprint in listed.get(site.ref, ()))
    )


def _placed(webspace: Webspace, refs: Listing[SiteRef]) -> Listing[tuple[Webspace, SiteRef]]:
    return Listing(tuple((webspace, ref) for ref in refs.found), refs.blind_spots)
