"""Observe the parts of the fleet that matter for given vault certificates, or one App Service Environment.

```text
per subscription   certificates · sites · plans · sites that have slots        (listings)
per site           the site's own certificates, if the site is on a Flex Consumption plan
if a tag names an environment: App Service Environments per subscription, and the roots of each named environment;
                   slots of each of its sites · sites of each of its plans, in all of its webspaces
                                 │
only in webspaces that hold a wanted certificate, and for sites that a tag names:
                   slots of each site that has slots · sites of each plan
                   app settings of each site and slot that changed             (one read each)
                   public certificates of a named site, and of a site whose load list names a certificate that its
                   webspace does not hold
if one of these sites is in an environment with a limit on restarts:
                   slots of each site of the environment, in all of its webspaces
only for vault certificates that may be roots, in App Service Environments:
                   slots and app settings of each Windows code app
                   public certificates of all apps of a plan, if a root list on the plan names the root or is to
only if an App Service Environment has uploads of a current version that no public authority issued:
                   the time of each upload                                     (one listing per subscription)
```

Apps can use a certificate of a webspace (App Service's place for certificates) only inside this webspace, so Certroll
reads most other webspaces no further. Azure's listings silently omit each site that the identity may not read. Azure
returns all sites of an App Service plan, even if the identity may not read the sites. Certroll reports a site that only
the list of its plan names as a blind spot (something that Certroll could not read).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from shared.domain.errors import Denied
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import ServerFarm, Site
from shared.domain.granting import NO_SUBSCRIPTION
from shared.domain.letter_case import lower_case
from shared.domain.names import EnvironmentRef, SiteRef, VaultCertificateRef
from shared.loop.observe.remembering import Remembering
from shared.loop.observe.shared_listings import SharedListings
from shared.loop.observe.targets import Scope, Targets, plans_in
from shared.loop.observe.view import View
from shared.loop.pool import Pool
from shared.ports import Ports
from shared.ports.fleet_reads import SharedReads

Followed = Callable[[VaultCertificateRef], bool]


@dataclass(frozen=True, slots=True)
class Observation:
    """One inspection of the fleet, in which Certroll can still read what it only remembers."""

    fleet: Fleet
    """The fleet as the inspection shows it. Some app settings may be remembered."""
    _view: View
    _scope: Scope
    _followed: Followed
    _memory: Remembering
    _listed: tuple[WebspaceCertificate, ...]
    """The certificates without the public certificates of sites."""

    def with_fresh(self, refs: Collection[SiteRef]) -> "Observation":
        """Read the settings of the sites and slots from Azure, and return the inspection with these settings.

        Settings that Azure does not show are missing afterwards, and become a blind spot (something that Certroll could
        not read). Certroll reads public certificates that only the new settings make necessary.
        """
        fleet = self.fleet
        sites = tuple(site for site in fleet.sites if site.ref in refs)
        read = self._view.settings(sites, self._followed, self._memory, fresh=True)
        others = (settings for settings in fleet.settings if settings.site not in refs)
        return self.with_settings((*others, *read))

    def with_settings(self, settings: tuple[SiteSettings, ...]) -> "Observation":
        """Return the inspection with the given settings, and with the public certificates that they make necessary."""
        fleet = self.fleet
        public = _public_certificates(self._view, self._scope, fleet.plans, fleet.sites, settings, self._listed)
        return replace(
            self,
            fleet=replace(
                fleet,
                certificates=(*self._listed, *public),
                settings=tuple(sorted(settings, key=lambda named: named.site)),
                blind_spots=tuple(sorted(set(self._view.blind_spots), key=str)),
            ),
        )


def observe_fleet(
    ports: Ports,
    pool: Pool,
    subscriptions: tuple[str, ...],
    wanted: Callable[[WebspaceCertificate], bool],
    followed: Followed,
    now: datetime,
    targets: Targets,
    reread: timedelta = timedelta(0),
    check_time: Callable[[], None] | None = None,
    reads: SharedReads | None = None,
    rebound: Collection[SiteRef] = (),
) -> Observation:
    """Look at the fleet of the given subscriptions, or of all subscriptions that the identity sees if none is given.

    Except for blind spots (resources that Certroll could not read), the fleet has all sites, bindings and app settings
    of webspaces with a wanted certificate. The fleet has all sites and slots of the App Service Environments that a tag
    names. The fleet has each site that a tag names, if Azure shows the site. Certroll reads which version a Key Vault
    reference has only if `followed` accepts the vault object of the reference. Raises Denied if the identity sees no
    subscription.

    Certroll takes app settings from its memory if the app did not change, and reads them again once in each interval
    `reread`. With the interval 0 Certroll reads all settings. Certroll takes each list from `reads` that has it. The
    settings of sites that the renewal has `rebound` stay remembered for a while, although their moments have moved.

    If `check_time` is given, it raises OutOfTime when the inspection begins no further read. What Certroll has not read
    by then becomes a late blind spot; without it, this function raises OutOfTime at the end of the run.
    """
    app_service = ports.app_service if reads is None else SharedListings(ports.app_service, reads)
    view = View(ports.app_service, pool, check_time, app_service)
    subscriptions = subscriptions or app_service.subscriptions()
    if not subscriptions:
        raise Denied(NO_SUBSCRIPTION)
    productions = view.each_subscription(app_service.sites, subscriptions)
    certificates = view.certificates(subscriptions, productions, targets.private)
    environments, roots = view.environments(ports.environments, subscriptions, targets.environments)
    scope = Scope.of(targets, filter(wanted, certificates), environments).with_limits(site for site, _ in productions)
    concerned = scope.subscriptions(subscriptions, (site for site, _ in productions))
    plans = view.each_subscription(app_service.plans, concerned)
    sites = view.with_slots(productions, concerned, scope.is_listed)
    view.note_silos(site for site, _ in sites)
    memory = Remembering(ports.settings_memory, now, reread, rebound)
    settings = view.settings((site for site, _ in sites if scope.is_near(site)), followed, memory)
    with_slots = (site.ref for site, _ in productions if scope.is_listed(site))
    unsure = {spot.subscription for spot in view.blind_spots if spot.hides_sites}
    memory.forget_gone((site.ref for site, _ in sites), with_slots, unsure)
    fleet = Fleet(
        taken_at=now,
        sites=tuple(site for site, _ in sites),
        bindings=tuple(chain.from_iterable(bindings for _, bindings in sites)),
        plans=tuple(sorted(plans, key=lambda plan: plan.resource_id)),
        environments=environments,
        roots=roots,
    )
    return Observation(fleet, view, scope, followed, memory, certificates).with_settings(settings)


def _public_certificates(
    view: View,
    scope: Scope,
    plans: tuple[ServerFarm, ...],
    seen: tuple[Site, ...],
    settings: tuple[SiteSettings, ...],
    certificates: tuple[WebspaceCertificate, ...],
) -> tuple[WebspaceCertificate, ...]:
    """Return the public certificates of sites that may use such a certificate because of a tag or setting.

    Note sites that only the list of their plan names as blind spots (something that Certroll could not read).

    If the root list (WEBSITE_LOAD_ROOT_CERTIFICATES) of one app names a certificate, all apps of the App Service plan
    trust it. If an app needs a root certificate, this function reads the public certificates of all apps on the app's
    plan.
    """
    read = {named.site: named for named in settings}
    near = tuple(site for site in seen if scope.is_near(site))
    rooting = {site.plan for site in near if site.plan and scope.targets.needs_root(site, read.get(site.ref))}
    hosting = plans_in(scope.environments, plans, seen)
    near_plans = (plan for plan in plans if plan.webspace in scope.webspaces or lower_case(plan.resource_id) in rooting)
    view.compare_with_plans(dict.fromkeys((*hosting, *near_plans)), frozenset(site.ref for site in seen))
    mates = tuple(site for site in seen if site.plan in rooting)
    return view.public_certificates(near, settings, certificates, scope.targets.sites, mates)


def observe_environment(ports: Ports, pool: Pool, ref: EnvironmentRef, now: datetime) -> Fleet:
    """Read an App Service Environment with its sites and slots, without bindings, certificates and app settings.

    A site that only the list of its plan names becomes a blind spot (something that Certroll could not read). The
    plans of an environment may be in several resource groups, and Certroll may lack rights on some of the groups.
    """
    view, environment = View(ports.app_service, pool), ports.environments.environment(ref)
    productions = ports.environments.sites(ref)
    view.blind_spots.extend(productions.blind_spots)
    sites = view.with_slots(tuple((site, ()) for site in productions.found), (ref.subscription,), lambda _: True)
    seen = tuple(site for site, _ in sites)
    plans = view.each_subscription(ports.app_service.plans, (ref.subscription,))
    view.compare_with_plans(plans_in(frozenset({ref}), plans, seen), frozenset(site.ref for site in seen))
    return Fleet(now, seen, blind_spots=tuple(view.blind_spots), environments=(environment,))
