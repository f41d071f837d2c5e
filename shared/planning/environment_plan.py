"""Decide which apps of an App Service Environment to stop and start for a new root, and which apps together."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.domain.environments.apps import wave_app
from shared.domain.environments.record import AppRestart, AppRestartState
from shared.domain.environments.waves import Waves, all_waves
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.probe import ProbeInvalid, probe_of
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.tags import OPT_OUT

STOP_AND_START = timedelta(seconds=60)
"""Certroll expects a wave to take this long until its apps run. docs/reference/events.md gives the reasons."""


def apps_of(fleet: Fleet, environment: EnvironmentRef, intent: Intent, now: datetime) -> tuple[AppRestart, ...]:
    """Return a record of each app of an environment, pending if Certroll may stop the app, else excluded."""
    sites = sorted((site for site in fleet.sites if site.environment == environment), key=lambda site: site.ref)
    return tuple(_app(fleet, site, intent, now) for site in sites)


def why_excluded(fleet: Fleet, site: Site, intent: Intent) -> tuple[Reason, str] | None:
    """Return why Certroll does not stop an app, None if Certroll may stop the app."""
    if intent.owns(site.ref):
        return Reason.OWN_SITE, "Certroll runs on this app: stop and start the app by hand"
    if fleet.opted_out(site.ref):
        return (
            Reason.OPTED_OUT,
            f"the app carries the tag certroll: {fleet.tag(site.ref, OPT_OUT)}: stop and start the app by hand",
        )
    if fleet.has_silos(site.ref):
        return Reason.SITE_WITH_SILOS, "the app has silos in other regions: stop and start the app by hand"
    if not site.running:
        return Reason.SITE_STOPPED, "the app was stopped already: it will trust the root when somebody starts it"
    return None


def waves_of(apps: Iterable[AppRestart], intent: Intent) -> Waves | None:
    """Return the groups of apps to stop and start together, None if CERTROLL_ASE_MAX_UNAVAILABLE is not set."""
    if intent.ase_max_unavailable is None:
        return None
    known = tuple(apps)
    pending = frozenset(restart.site for restart in known if restart.state is AppRestartState.PENDING)
    return all_waves([restart.app for restart in known], pending, intent.ase_max_unavailable)


def each_takes(fleet: Fleet, apps: Iterable[SiteRef], intent: Intent) -> timedelta:
    """Return how long Certroll expects to need to stop and start one group of apps.

    If one of the apps that Certroll stops together has no probe, Certroll waits for CERTROLL_PROBE_SETTLE in addition.
    """
    probed = all(_has_probe(fleet, site) for site in apps)
    return STOP_AND_START if probed else STOP_AND_START + intent.probe_settle


def _app(fleet: Fleet, site: Site, intent: Intent, now: datetime) -> AppRestart:
    excluded = why_excluded(fleet, site, intent)
    app = AppRestart(wave_app(site), AppRestartState.PENDING, now)
    return app.now(AppRestartState.EXCLUDED, now, excluded[1]) if excluded else app


def _has_probe(fleet: Fleet, site: SiteRef) -> bool:
    try:
        return probe_of(fleet, site) is not None
    except ProbeInvalid:
        return False
