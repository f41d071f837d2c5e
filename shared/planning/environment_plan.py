"""Which apps of an App Service Environment are stopped and started for a new root, and in which waves. Pure."""

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

STOP_AND_START = timedelta(seconds=60)
"""What a wave is expected to take until its apps run again; docs/reference/events.md says how that was chosen."""


def apps_of(fleet: Fleet, environment: EnvironmentRef, intent: Intent, now: datetime) -> tuple[AppRestart, ...]:
    """Return every site and slot of an environment: pending is what runs and may be stopped, the others are spared."""
    sites = sorted((site for site in fleet.sites if site.environment == environment), key=lambda site: site.ref)
    return tuple(_app(fleet, site, intent, now) for site in sites)


def why_excluded(fleet: Fleet, site: Site, intent: Intent) -> tuple[Reason, str] | None:
    """Return why an app is not stopped, None where it may be."""
    if intent.owns(site.ref):
        return Reason.OWN_SITE, "it is the site that Certroll runs on: stop and start it by hand"
    if fleet.opted_out(site.ref):
        return Reason.OPTED_OUT, "it carries the tag certroll: off: stop and start it by hand"
    if not site.running:
        return Reason.SITE_STOPPED, "it was stopped already: it will trust the root when somebody starts it"
    return None


def waves_of(apps: Iterable[AppRestart], intent: Intent) -> Waves | None:
    """Return the waves in which the pending apps go, None where operators allow none."""
    if intent.ase_max_unavailable is None:
        return None
    known = tuple(apps)
    pending = frozenset(one.site for one in known if one.state is AppRestartState.PENDING)
    return all_waves([one.app for one in known], pending, intent.ase_max_unavailable)


def each_takes(fleet: Fleet, apps: Iterable[SiteRef], intent: Intent) -> timedelta:
    """Return how long one wave is expected to take: longer where one of the apps has no probe to say that it is up."""
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
