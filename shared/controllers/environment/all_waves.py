"""Stop and start one group of an environment's apps after another, and decide when to stop no further group."""

from datetime import datetime

from shared.controllers.environment.causes import barrier, is_urgent
from shared.controllers.environment.pending_starts import STATE_PATIENCE
from shared.controllers.environment.wave import carry_wave, next_apps
from shared.controllers.environment.wave_run import WaveRun
from shared.domain.environments.record import AppRestart, AppRestartState
from shared.domain.environments.waves import last_of_group
from shared.domain.errors import StopRefused
from shared.domain.freeze import lasting
from shared.domain.intent import Barrier
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.tags import GROUP, opted_out
from shared.domain.traits import Severity
from shared.loop.backoff import BUSY_PAUSE, pause, until_open
from shared.loop.run import Run

MOST_QUOTED = 20
"""For how many refused apps an outcome quotes Azure. The finding of each app says the same."""
MOST_TEXT = 300
"""How much of an answer of Azure the outcome quotes."""
SEVERITIES = tuple(Severity)
"""The severities of reasons, from the least to the most severe."""
WAVE_TIME = 4 * STATE_PATIENCE
"""How much time a run must have left before Certroll begins a wave.

Azure may take `STATE_PATIENCE` to show a stop, and the same time to show a start. The requests and the first probes may
take as long again.
"""


def await_starts(run: Run, environment: EnvironmentRef, waits: int) -> Waiting | None:
    """Return a `Waiting` outcome while Certroll still has to start an app that it stopped, otherwise None.

    Certroll stops no further apps of an environment while it still has to start an app of the environment that it
    stopped.
    """
    pending = [str(start.site) for start in run.ports.pending_starts.all() if start.environment == environment]
    if not pending:
        return None
    return Waiting(later(run, waits), Reason.START_PENDING, f"{', '.join(pending)}: the start is pending")


def later(run: Run, waits: int) -> datetime:
    """Return the time at which Certroll handles the environment again, which is at least `BUSY_PAUSE` from now."""
    return run.now() + max(pause(waits), BUSY_PAUSE)


def not_allowed(wave_run: WaveRun) -> Outcome | None:
    """Return the outcome if settings or tags forbid Certroll to stop the apps of the environment, otherwise None."""
    intent, pending = wave_run.run.intent, wave_run.in_state(AppRestartState.PENDING)
    if pending and wave_run.is_off:
        return _opted_out(wave_run)
    named = ", ".join(str(app.site) for app in pending)
    if pending and intent.ase_max_unavailable is None:
        detail = (
            f"these apps trust the new root only after a stop and a start: {named}. Set CERTROLL_ASE_MAX_UNAVAILABLE "
            "so that Certroll does this in waves, or do it by hand and "
            f"POST /api/environments/{wave_run.environment}/stop-start-done?id={wave_run.environment.resource_id}"
        )
        return Stalled(Reason.STOP_START_BY_HAND, detail)
    if pending and (found := barrier(wave_run.run, wave_run.environment_record)):
        if not wave_run.has_begun:
            return Converged(found.reason, _would(wave_run, pending, found))
        if found.reason is Reason.OBSERVE_ONLY:
            return _unfinished(wave_run, _would(wave_run, pending, found))
    return None


def _opted_out(wave_run: WaveRun) -> Outcome:
    """Return the outcome for an environment that carries the tag `certroll: off`."""
    detail = f"environment {wave_run.environment} carries the tag certroll: off"
    return _unfinished(wave_run, detail) if wave_run.has_begun else Converged(Reason.OPTED_OUT, detail)


def _unfinished(wave_run: WaveRun, why: str) -> Stalled:
    """Return the outcome if Certroll has stopped and started some apps, and may not stop the others."""
    left = ", ".join(str(app.site) for app in wave_run.in_state(AppRestartState.PENDING))
    detail = (
        f"{why}. Some apps trust the new root, and these do not: {left}. Stop and start them by hand and "
        f"POST /api/environments/{wave_run.environment}/stop-start-done"
    )
    return Stalled(Reason.WRITES_STOPPED, detail)


def _would(wave_run: WaveRun, pending: tuple[AppRestart, ...], found: Barrier) -> str:
    """Return which apps Certroll would stop and start, and which apps it would not stop in their groups."""
    apps = [app.app for app in wave_run.apps]
    last = {app.site: group for app in pending if (group := last_of_group(apps, app.site))}
    going = ", ".join(str(app.site) for app in pending if app.site not in last) or "none"
    kept = "".join(f"; {site} is the last app of group {group} that runs" for site, group in last.items())
    return f"Certroll would stop and start these apps: {going}{kept}: {found.remedy}"


def carry_waves(wave_run: WaveRun, waits: int) -> Outcome:
    """Stop and start one group of apps after another, and return the outcome when Certroll may stop no more apps."""
    run = wave_run.run
    while not (blocked := _blocked(wave_run)):
        pending = wave_run.in_state(AppRestartState.PENDING)
        if pending and opted_out(run.ports.environments.environment(wave_run.environment).tags):
            return _opted_out(wave_run)
        run.check_time(WAVE_TIME)
        wave = next_apps(wave_run)
        if not wave:
            return _finished(wave_run, waits)
        wave_run = carry_wave(wave_run, wave)
        if waiting := await_starts(run, wave_run.environment, waits):
            return waiting
    return blocked


def _blocked(wave_run: WaveRun) -> Outcome | None:
    """Return why Certroll may stop no apps of the environment now, or None if Certroll may stop apps."""
    run = wave_run.run
    if failed := wave_run.in_state(AppRestartState.FAILED):
        detail = "; ".join(f"{app.site}: {app.detail}" for app in failed)
        remedy = "Certroll stops no other app until this app passes its probe, or has the tag certroll: off"
        return Stalled(Reason.WAVE_FAILED, f"{detail}; {remedy}")
    if not wave_run.in_state(AppRestartState.PENDING):
        return None
    until = run.intent.frozen_until(run.now())
    if until is not None and not is_urgent(run, wave_run.environment_record):
        return Waiting(until, Reason.FROZEN, f"{lasting(until)}, and Certroll stops no further apps before")
    window = run.intent.restart_window
    if window is not None and not window.is_open(run.now()):
        opens = window.opens_at(run.now())
        return Waiting(until_open(run), Reason.OUTSIDE_WINDOW, f"the window opens at {opens:%Y-%m-%d %H:%M} UTC")
    settled = (wave_run.environment_record.since or run.now()) + run.intent.probe_settle
    if run.now() < settled:
        return Waiting(settled, Reason.SETTLING, "more roots may come, and one stop and start is enough for all roots")
    return None


def _finished(wave_run: WaveRun, waits: int) -> Outcome:
    """Return the outcome if Certroll can stop no app of the environment now.

    No app is pending any more, or each pending app is busy, refused by Azure, or the last running app of its group (tag
    `certroll-group`).
    """
    run, pending = wave_run.run, wave_run.in_state(AppRestartState.PENDING)
    apps = [app.app for app in wave_run.apps]
    last = [(app.site, group) for app in pending if (group := last_of_group(apps, app.site))]
    if pending and len(last) == len(pending):
        detail = "; ".join(f"{site} is the last app of group {group} that runs" for site, group in last)
        return Stalled(Reason.LAST_OF_GROUP, f"{detail}: start another app of the group, or remove the tag {GROUP}")
    if pending and (missing := [str(app.site) for app in pending if app.missing_since is not None]):
        detail = f"{', '.join(missing)}: Azure no longer lists the app, which counts as gone after an hour"
        return Stalled(Reason.NO_SUCH_SITE, detail)
    if pending and all(app.site in wave_run.refused for app in pending):
        return _all_refused([(app.site, wave_run.refused[app.site]) for app in pending])
    if pending:
        names = ", ".join(str(app.site) for app in pending)
        return Waiting(
            later(run, waits), Reason.PLAN_BUSY, f"{names}: the app, or enough other apps of its plan, are restarting"
        )
    if wave_run.environment_record.hidden:
        detail = f"all apps of {wave_run.environment} that Certroll can read are done: see its blind spots"
        return Stalled(Reason.INCOMPLETE_VIEW, detail)
    run.ports.environment_records.put(wave_run.environment_record.done(run.now()))
    return Converged(Reason.STOPPED_AND_STARTED, _summary(wave_run))


def _all_refused(refusals: list[tuple[SiteRef, StopRefused]]) -> Stalled:
    """Return the outcome if no pending app could be stopped, with the most severe reason, and all reasons in the text.

    The text quotes Azure for at most `MOST_QUOTED` apps, because an environment may have hundreds.
    """
    by_reason: dict[Reason, list[tuple[SiteRef, StopRefused]]] = {}
    for site, refusal in refusals:
        by_reason.setdefault(refusal.reason, []).append((site, refusal))
    reasons = sorted(by_reason, key=lambda reason: SEVERITIES.index(reason.severity), reverse=True)
    parts = [f"{len(by_reason[reason])} with {reason}" for reason in reasons] if len(reasons) > 1 else []
    most = -(-MOST_QUOTED // len(reasons))  # so that each reason has its share
    for reason in reasons:
        parts += [f"{site}: {str(refusal)[:MOST_TEXT]}" for site, refusal in by_reason[reason][:most]]
        if (left := len(by_reason[reason]) - most) > 0:
            parts.append(f"{left} more apps with {reason}")
    return Stalled(reasons[0], "; ".join(parts))


def _summary(wave_run: WaveRun) -> str:
    """Return the outcome after Certroll has stopped and started the last group of apps.

    The outcome counts the apps that Certroll stopped and started, and names unproven apps and running apps that
    Certroll did not stop.
    """
    done = wave_run.in_state(AppRestartState.ANSWERED, AppRestartState.UNPROVEN)
    unproven = [str(app.site) for app in wave_run.in_state(AppRestartState.UNPROVEN)]
    excluded = [str(app.site) for app in wave_run.in_state(AppRestartState.EXCLUDED) if app.app.runs]
    parts = [f"{len(done)} apps were stopped and started"]
    parts += [f"no probe proves these apps: {', '.join(unproven)}"] if unproven else []
    parts += [f"these apps run and were not stopped: {', '.join(excluded)}"] if excluded else []
    return "; ".join(parts)
