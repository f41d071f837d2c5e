"""The whole fleet, as far as it matters for the vault certificates that are asked about; or one environment.

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

A thumbprint can be used only inside the webspace that holds the certificate, so nothing else needs a closer look.
Subscription listings silently leave out what the identity may not read; the plans name every site that runs on them,
and a site that only they name is a blind spot.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from itertools import chain

from shared.domain.errors import Denied
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet, SeenSite
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import EnvironmentRef, VaultCertificateRef
from shared.loop.observe.targets import Scope, Targets
from shared.loop.observe.view import View
from shared.ports import Ports


def observe_fleet(
    ports: Ports,
    pool: Executor,
    subscriptions: tuple[str, ...],
    wanted: Callable[[WebspaceCertificate], bool],
    followed: Callable[[VaultCertificateRef], bool],
    now: datetime,
    targets: Targets,
) -> Fleet:
    """Return what is in the subscriptions; without names of subscriptions, in all that the identity sees.

    Blind spots apart, the fleet has all sites, bindings and settings of the webspaces that hold a wanted certificate.
    It has all sites and slots of the environments that a tag names, and every site that a tag names. Where a Key Vault
    reference leads is read only if it leads to a vault object that is followed. Raises Denied if the identity sees no
    subscription.
    """
    app_service = ports.app_service
    view = View(app_service, pool)
    subscriptions = subscriptions or app_service.subscriptions()
    if not subscriptions:
        raise Denied("the identity sees no subscription: grant it the role that docs/reference/roles.md lists")
    productions = view.each_subscription(app_service.sites, subscriptions)
    certificates = view.certificates(subscriptions, productions, targets.private)
    environments, roots = view.environments(ports.environments, subscriptions, targets.environments)
    scope = Scope.of(targets, filter(wanted, certificates), environments)
    concerned = scope.subscriptions(subscriptions, (site for site, _ in productions))
    plans = view.each_subscription(app_service.plans, concerned)
    sites = view.with_slots(productions, concerned, scope.is_listed)
    settings = view.settings((site for site, _ in sites if scope.is_near(site)), followed)
    public = _public_certificates(view, scope, plans, sites, settings, certificates)
    return Fleet(
        taken_at=now,
        sites=tuple(site for site, _ in sites),
        bindings=tuple(chain.from_iterable(bindings for _, bindings in sites)),
        certificates=(*certificates, *public),
        plans=tuple(sorted(plans, key=lambda plan: plan.resource_id)),
        blind_spots=tuple(sorted(set(view.blind_spots), key=str)),
        settings=tuple(sorted(settings, key=lambda named: named.site)),
        environments=environments,
        roots=roots,
    )


def _public_certificates(
    view: View,
    scope: Scope,
    plans: tuple[ServerFarm, ...],
    sites: tuple[SeenSite, ...],
    settings: tuple[SiteSettings, ...],
    certificates: tuple[WebspaceCertificate, ...],
) -> tuple[WebspaceCertificate, ...]:
    """Read the public certificates that matter, once the plans have shown whether a site of them was not listed.

    All apps of a plan trust what the root list of one of them names. If one app needs a root, the public certificates
    of all apps of its plan matter.
    """
    seen, read = tuple(site for site, _ in sites), {named.site: named for named in settings}
    near = tuple(site for site in seen if scope.is_near(site))
    rooting = {site.plan for site in near if site.plan and scope.targets.needs_root(site, read.get(site.ref))}
    hosting = frozenset(site.webspace for site in seen if site.webspace and scope.is_hosted(site))
    view.compare_with_plans(plans, scope.webspaces | hosting, rooting, frozenset(site.ref for site in seen))
    mates = tuple(site for site in seen if site.plan in rooting)
    return view.public_certificates(near, settings, certificates, scope.targets.sites, mates)


def observe_environment(ports: Ports, pool: Executor, ref: EnvironmentRef, now: datetime) -> Fleet:
    """Return an environment with its sites and slots, and no more of them."""
    view, environment = View(ports.app_service, pool), ports.environments.environment(ref)
    productions = ports.environments.sites(ref)
    view.blind_spots.extend(productions.blind_spots)
    sites = view.with_slots(tuple((site, ()) for site in productions.found), (ref.subscription,), lambda _: True)
    seen = tuple(site for site, _ in sites)
    return Fleet(now, seen, blind_spots=tuple(view.blind_spots), environments=(environment,))
