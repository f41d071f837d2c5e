"""Read an environment, and update the journal's record of each of its apps."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from shared.controllers.environment.wave_run import WaveRun, inspect_site, report_excluded
from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord
from shared.domain.fleet.fleet import Fleet
from shared.domain.missing import is_gone
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint
from shared.domain.rollout.site_record import record_key
from shared.domain.tags import opted_out
from shared.loop.connect_address import inbound_of
from shared.loop.observe.fleet import observe_environment
from shared.loop.report import report_blind_spots
from shared.loop.run import Run
from shared.planning.environment_plan import apps_of, why_excluded
from shared.ports.storage import Lease
from shared.telemetry import event


def list_apps(
    run: Run, lease: Lease, environment_record: EnvironmentRecord, there: frozenset[Thumbprint | None]
) -> WaveRun:
    """Read the environment, and update the journal's record of each of its apps.

    If a new root has arrived, or if an operator requested a stop and start, each running app that Certroll may stop
    becomes pending. If the environment got no new root certificate and no operator requested a stop and start, the apps
    keep their states. Certroll stores the journal records of the apps before the record of the environment. After a
    crash between the writes of the apps and of the environment, the next run lists the apps again.
    """
    now, ref, new_round = run.now(), environment_record.environment, environment_record.has_news(there)
    fleet = observe_environment(run.ports, run.pool, ref, now)
    report_blind_spots(run.ports.findings, ref.resource_id, fleet)
    before = {app.site: app for app in run.ports.app_restarts.of(ref)}
    unreadable = run.ports.app_restarts.unreadable(ref)
    listed = _as_seen(run, environment_record, fleet, before, new_round=new_round)
    apps = tuple(app for app in listed if record_key(app.site) not in unreadable)
    excluded = (app for app in apps if app.state is AppRestartState.EXCLUDED)
    _report_excluded(run, fleet, ref, {app.site for app in excluded if new_round or _is_new(app, before)})
    run.ports.app_restarts.put(ref, (app for app in apps if app != before.get(app.site)))
    # after a crash before this, the next run finds both records of a moved app, and takes the one that Azure lists
    for site in sorted(before.keys() - {app.site for app in apps}):
        run.ports.app_restarts.forget(ref, site)
    hidden = bool(fleet.blind_spots)
    if new_round:
        environment_record = run.ports.environment_records.put(environment_record.listed(there, now, hidden=hidden))
    elif environment_record.hidden and not hidden:
        environment_record = run.ports.environment_records.put(replace(environment_record, hidden=False))
    off = any(opted_out(environment.tags) for environment in fleet.environments)
    inbound = inbound_of(run.ports, next((site for site in fleet.sites if site.behind is not None), None))
    return WaveRun(run, lease, environment_record, apps, inbound, is_off=off)


def _as_seen(
    run: Run,
    environment_record: EnvironmentRecord,
    fleet: Fleet,
    before: Mapping[SiteRef, AppRestart],
    *,
    new_round: bool,
) -> tuple[AppRestart, ...]:
    """Return every app of the environment with its state for the current root.

    Certroll forgets an app that Azure has not listed in the environment for an hour. A list with unreadable entries may
    hide an app, and does not count.
    """
    # An app that Azure did not list last time may have run since before the root came.
    known = _renewed if new_round else partial(_known, as_new=environment_record.hidden)
    found = apps_of(fleet, environment_record.environment, run.intent, fleet.taken_at)
    old = moved(before, {app.site for app in found})
    apps = tuple(known(before.get(app.site) or old.get(app.site), app) for app in found)
    unseen = tuple(before[site] for site in sorted(before.keys() - {app.site for app in (*apps, *old.values())}))
    seen = (_as_hidden(run, app) if fleet.blind_spots else _as_missing(app, fleet.taken_at) for app in unseen)
    # an app that Azure does not list may run, and Certroll reads each app once more right before its stop
    left = tuple(app for app in seen if app is not None)
    if new_round:
        fresh = (replace(app.now(AppRestartState.PENDING, fleet.taken_at), answered=None) for app in left)
        left = tuple(map(_renewed, left, fresh))
    return (*apps, *left)


def moved(before: Mapping[SiteRef, AppRestart], found: Collection[SiteRef]) -> dict[SiteRef, AppRestart]:
    """Return the earlier record of each app that Azure now lists in another resource group, by the app's new id.

    A move changes the id of a site, and not its name, which is unique in an environment: clients reach an app at its
    name in the environment's domain (Azure docs, "App Service Environment networking", DNS).
    """
    gone = {(app.site.name, app.site.slot): app for site, app in before.items() if site not in found}
    new = ((site, gone.get((site.name, site.slot))) for site in found if site not in before)
    return {site: app for site, app in new if app is not None}


def _as_hidden(run: Run, app: AppRestart) -> AppRestart | None:
    """Return the record of an app that something unreadable may hide, None if the app is gone."""
    return None if _is_gone(run, app) else app


def _as_missing(app: AppRestart, now: datetime) -> AppRestart | None:
    """Return the record of an app that Azure no longer lists, None if Azure has not listed the app for an hour.

    A missing app does not count as running, so that no other app may stop because of it.
    """
    if is_gone(app.missing_since, now):
        return None
    return replace(app, app=replace(app.app, runs=False), missing_since=app.missing_since or now)


def _is_gone(run: Run, app: AppRestart) -> bool:
    """Return True if the app failed its probe, and if Azure answers 404 when Certroll reads the app by its name."""
    return app.state is AppRestartState.FAILED and inspect_site(run, app.site)[1] is None


def _is_new(app: AppRestart, before: Mapping[SiteRef, AppRestart]) -> bool:
    """Return True if the app is excluded now and was not excluded earlier for the same reason."""
    known = before.get(app.site)
    return known is None or known.state is not AppRestartState.EXCLUDED or known.detail != app.detail


def _report_excluded(run: Run, fleet: Fleet, ref: EnvironmentRef, sites: set[SiteRef]) -> None:
    """Log all excluded apps of the environment, and report the apps that operators have to stop and start by hand."""
    reasons = [(site.ref, why_excluded(fleet, site, run.intent)) for site in fleet.sites if site.ref in sites]
    excluded = [(site, *why) for site, why in reasons if why is not None]
    rows = [{"site": str(site), "reason": reason} for site, reason, _ in excluded]
    event("environment.listed", environment=str(ref), apps=len(fleet.sites), excluded=rows)
    report_excluded(run, ref, excluded)


def _renewed(before: AppRestart | None, now: AppRestart) -> AppRestart:
    """Return the record of the app after a new root arrived or an operator requested a stop and start.

    An app that has not passed its probe after its last start keeps its state, and still blocks the other apps.
    """
    held = before is not None and before.state in {AppRestartState.STARTED, AppRestartState.FAILED}
    return _known(before, now) if held else now


def _known(before: AppRestart | None, now: AppRestart, *, as_new: bool = False) -> AppRestart:
    """Return the listed app with the state that Certroll's journal has for the app.

    Certroll does not stop an app that its journal lacks, because the app is new and started after the root came. With
    `as_new`, an app that the journal does not know yet keeps the state of `now`, the record from the present listing.
    """
    if before is None and as_new:
        return now
    if before is None:
        return now.now(AppRestartState.EXCLUDED, now.at, now.detail or "it came after the root")
    if now.state is AppRestartState.EXCLUDED and before.state is AppRestartState.PENDING:
        return now
    return replace(before, app=now.app, missing_since=None)
