"""Show how Certroll adds a root to an App Service Environment, and stops and starts apps in waves (groups).

A `DownWatch` (an observer of the simulated Azure) records which apps were down and for how long. The demo takes the
downtimes of apps from its `DownWatch` observer instead of Certroll's log.
"""

import time
from dataclasses import dataclass
from typing import Any

from local.app import BUILD, LocalApp
from local.azure.running.apps import PARTNER_DOMAIN
from local.azure.vault.authority import Authority
from local.azure.watching.down_watch import DownWatch
from local.azure.web.resources import Site
from local.azure.world import World
from local.demo.records import LOOK_EVERY, logged, sleeps, sweep
from local.demo.rights import check_azure
from local.demo.rolls import SETTLE
from local.demo.screen import Checks
from local.layout import Column
from local.patience import HANG
from local.screen import Screen
from local.worlds import northwind as names

MAX_UNAVAILABLE = 2
START_SECONDS = 1.0
"""How long a simulated app takes to start in the demo. In Azure, the start of an app may take a minute."""
LEAST_WAVES = 3
REQUESTS_STOPPED = 3
MOST_REQUESTS = 3
"""The bound on requests while an app is stopped, as a multiple of the least possible number."""
ARM = "management.azure.com"


@dataclass(frozen=True, slots=True)
class Wave:
    """The apps of a plan that Certroll stopped together."""

    number: int
    """The number of the wave. Apps of two plans may be in the same wave."""
    plan: str
    sites: tuple[str, ...]
    max_down: int
    """How many apps of the plan were down at the same moment, at most."""
    seconds: float
    """The time from the first stop until the last app of the wave answered."""

    def to_json(self) -> dict[str, Any]:
        """Return a row of the demo's report about one wave (apps stopped together)."""
        return {
            "wave": self.number,
            "plan": self.plan,
            "sites": list(self.sites),
            "max_down": self.max_down,
            "seconds": self.seconds,
        }


def show_waves(checks: Checks) -> list[dict[str, Any]]:
    """Replace a root, check the apps that need it, and return a row per wave (apps stopped together)."""
    screen = checks.screen
    screen.line()
    screen.say("Now the root of a private authority, in an internal App Service Environment")
    settings = {"CERTROLL_PROBE_SETTLE": SETTLE, "CERTROLL_ASE_MAX_UNAVAILABLE": str(MAX_UNAVAILABLE)}
    with LocalApp("northwind", settings, logs=BUILD / "demo-waves") as local:
        world = local.stand.world
        world.knobs.turn(restart_seconds=START_SECONDS)
        before = _states(world)
        trusting = {name for name, state in before.items() if state == "Running"} - {names.EXCLUDED}
        with DownWatch(world) as watch:
            coming = names.put_next_root(world)
            screen.say(f"Put the next root into {names.VAULT}/{names.ROOT}: {coming.root_leaf.thumbprint[:12]}…")
            took = _await_trust(world, coming, trusting, screen)
            done = _await_done(local)
        waves = _waves(world, watch, local)
        check_azure(checks, world)
        world.apps.partners[f"{names.PARTNER}.{PARTNER_DOMAIN}"].move_to(coming)
        screen.say("The partner shows a certificate of the new authority from now on")
        show_table(screen, waves)
        screen.heading("Checked")
        _check_trust(checks, local, coming, trusting, took)
        _check_waves(checks, local, watch, waves)
        checks.claim(_states(world) == before, "every app that ran runs, and the one that was stopped is stopped")
        checks.claim(done, "Certroll itself saw each app answer, and recorded it")
        checks.claim(_is_idle_sweep(local), "0 writes to ARM by the sweep that followed")
    return [wave.to_json() for wave in waves]


# ------------------------------------------------------------------------------------------------------- the course


def _await_trust(world: World, authority: Authority, wanted: set[str], screen: Screen) -> float:
    """Wait until all wanted apps were started with the root, and return the seconds.

    The demo waits at most nine minutes until Certroll has started the apps.
    """
    began = time.monotonic()
    with screen.progress() as show:
        while (missing := wanted - _trusting(world, authority)) and time.monotonic() - began < HANG:
            show(_trust(began, len(wanted) - len(missing), len(wanted)))
            time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time
        show(_trust(began, len(wanted) - len(missing), len(wanted)))
    return time.monotonic() - began


def _trust(began: float, trusting: int, wanted: int) -> str:
    return f"{time.monotonic() - began:5.1f} s  {trusting} of {wanted} apps trust it"


def _await_done(local: LocalApp) -> bool:
    """Return True as soon as Certroll's log says that all apps are stopped and started, False after nine minutes."""
    give_up = time.monotonic() + HANG
    while time.monotonic() < give_up:
        if any(line["reason"] == "StoppedAndStarted" for line in logged(local, "environment.reconciled")):
            return True
        time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time
    return False


def _trusting(world: World, authority: Authority) -> set[str]:
    """Return the apps that answer and were started with the root of the authority."""
    der = authority.root_leaf.der
    with world.lock:
        now = world.clock.now()
        found = ((world.apps.of(site), site) for site in world.web.sites.values())
        return {
            site.full_name
            for app, site in found
            if app and any(process.answers(now) and der in process.roots for process in app.processes)
        }


def _states(world: World) -> dict[str, str]:
    with world.lock:
        return {site.full_name: site.state for site in world.web.sites.values()}


def _waves(world: World, watch: DownWatch, local: LocalApp) -> list[Wave]:
    """Return the waves of apps (stopped together) that Certroll's log names.

    The demo measures from outside of Certroll how long the apps of a wave (apps stopped together) are down.
    """
    sites = {site.full_name: site for site in world.web.sites.values()}
    together = [[sites[name] for name in sorted(line["sites"])] for line in logged(local, "wave.completed")]
    return [
        _wave(world, number, plan, [site for site in members if site.plan_id == plan], watch)
        for number, members in enumerate(together, 1)
        for plan in sorted({site.plan_id for site in members})
    ]


def _wave(world: World, number: int, plan: str, members: list[Site], watch: DownWatch) -> Wave:
    keys = {site.id.lower() for site in members}
    on_plan = frozenset(site.id.lower() for site in world.web.sites.values() if site.plan_id == plan)
    most = max((len(down & on_plan) for _, down in watch.moments if down & keys), default=0)
    names = tuple(site.full_name for site in members)
    return Wave(number, plan.rpartition("/")[2], names, most, _seconds(world, members))


def _seconds(world: World, members: list[Site]) -> float:
    """Return the seconds from the first stop in a wave (apps stopped together) to the last app's answer."""
    words = {f"site {site.full_name} stopped" for site in members}
    stops = [entry.at for entry in world.journal.entries() if words & set(entry.changes)]
    apps = [app for site in members if (app := world.apps.of(site))]
    return round((max(app.processes[-1].up_at for app in apps) - min(stops)).total_seconds(), 2)


# -------------------------------------------------------------------------------------------------------- the checks


def _check_trust(checks: Checks, local: LocalApp, coming: Authority, wanted: set[str], took: float) -> None:
    world = local.stand.world
    roots = {root.thumbprint for root in world.web.roots.values()}
    checks.claim(len(roots) == 2 and coming.root_leaf.thumbprint in roots, "the new root is there next to the old one")  # noqa: PLR2004 - old and new
    well = {name for name in wanted if _is_well(local, name)}
    checks.claim(
        well == wanted,
        f"{len(well)} of {len(wanted)} apps trust the partner by its new certificate, after {took:.0f} s",
    )
    checks.claim(
        not _is_well(local, names.EXCLUDED), f"{names.EXCLUDED}, which opted out and was not restarted, does not"
    )


def _is_well(local: LocalApp, name: str) -> bool:
    site = next(site for site in local.stand.world.web.sites.values() if site.full_name == name)
    return local.stand.visitor.ask(site.default_host_name, "/health")[0] == 200  # noqa: PLR2004 - OK


def _check_waves(checks: Checks, local: LocalApp, watch: DownWatch, waves: list[Wave]) -> None:
    world, most = local.stand.world, watch.max_unavailable()
    checks.claim(0 < most <= MAX_UNAVAILABLE, f"{most} apps were down at once at most (allowed: {MAX_UNAVAILABLE})")
    plans = {plan.name: watch.max_unavailable(plan=plan.id) for plan in world.web.plans.values()}
    text = " and ".join(f"{down} of {name}" for name, down in sorted(plans.items()))
    checks.claim(max(plans.values()) <= MAX_UNAVAILABLE, f"by plan, {text} were down at once at most")
    group = watch.max_unavailable(group="quotes")
    checks.claim(group < len(names.GROUP), f"one app of the group {' and '.join(names.GROUP)} was always up")
    stopped_and_started = [name for wave in waves for name in wave.sites]
    once = len(waves) >= LEAST_WAVES and len(stopped_and_started) == len(set(stopped_and_started))
    count = len(logged(local, "wave.completed"))
    checks.claim(once, f"each of {len(stopped_and_started)} apps was stopped and started once, in {count} waves")
    _check_standstill(checks, local, waves)


def _check_standstill(checks: Checks, local: LocalApp, waves: list[Wave]) -> None:
    """Check that Certroll made few requests and never slept while an app was stopped.

    Certroll needs at least three ARM requests per app: stop the app, read its state, and start the app. The
    demo checks no seconds from stop to answer, because seconds depend on the machine.
    """
    stops = {name: _standstill(local, name) for wave in waves for name in wave.sites}
    requests, rests = (max((stop[of] for stop in stops.values()), default=0) for of in (0, 1))
    most = MOST_REQUESTS * REQUESTS_STOPPED * MAX_UNAVAILABLE
    checks.claim(
        0 < requests <= most and rests == 0,
        f"{requests} requests to ARM and {rests} sleeps from the stop of an app to its start (at most {most} and 0)",
    )


def _standstill(local: LocalApp, name: str) -> tuple[int, int]:
    """Return how many ARM requests and sleeps lie between the stop of an app and its start."""
    entries = local.stand.world.journal.entries()
    began, ended = (
        next(entry.at for entry in entries if f"site {name} {change}" in entry.changes)
        for change in ("stopped", "started")
    )
    requests = [entry for entry in entries if entry.host == ARM and began <= entry.at <= ended]
    return len(requests), sum(began <= at <= ended for at in sleeps(local))


def _is_idle_sweep(local: LocalApp) -> bool:
    """Return True if another sweep (check of all certificates) succeeds and writes nothing to ARM."""
    journal = local.stand.world.journal
    before = len(journal.writes(ARM))
    return sweep(local) and len(journal.writes(ARM)) == before


# ------------------------------------------------------------------------------------------------------- the screen


def show_table(screen: Screen, waves: list[Wave]) -> None:
    """Print a row for the apps of each plan in each wave."""
    screen.heading("Stopped and started")
    rows = [
        (str(wave.number), wave.plan, ", ".join(wave.sites), str(wave.max_down), f"{wave.seconds:.1f} s")
        for wave in waves
    ]
    screen.table(("wave", Column("plan", 1), "apps", "down at once", "for"), rows)
    longest = max((wave.seconds for wave in waves), default=0.0)
    screen.note(
        f"From the first stop of a wave to its last answer: {longest:.1f} s at most. "
        f"An app takes {START_SECONDS:.0f} s to start."
    )
