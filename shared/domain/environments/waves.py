"""Choose which apps of an environment Certroll stops together (a wave), so that enough other apps go on running.

For the same apps, limit and stopped apps, Certroll always chooses the same apps for the next stop.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from shared.domain.environments.apps import WaveApp
from shared.domain.names import SiteRef
from shared.domain.rollout.budget import MaxUnavailable, limits
from shared.domain.turns import Turn, in_turn

NO_TURNS: Mapping[SiteRef, Turn] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Waves:
    """The groups of apps that Certroll stops together (waves), in the order of the stops."""

    waves: tuple[tuple[SiteRef, ...], ...]
    excluded: tuple[tuple[SiteRef, str], ...] = ()
    """The apps that no wave may stop, each with a group of which the app is the last running member."""

    def takes(self, each: timedelta) -> timedelta:
        """Return the time for all groups of apps that Certroll stops together, if each group takes the time `each`."""
        return each * len(self.waves)


def next_wave(
    apps: Collection[WaveApp],
    waiting: Collection[SiteRef],
    limit: MaxUnavailable,
    down: Collection[SiteRef] = frozenset(),
    turns: Mapping[SiteRef, Turn] = NO_TURNS,
) -> tuple[SiteRef, ...]:
    """Return the apps that Certroll may stop now, in addition to the apps that are already down.

    If the limit does not allow all apps, slots come before sites, and apps whose last stop failed come last (`turns`).
    The chosen apps stay within the limit, in all and on each plan, and the last running app of a group (tag
    `certroll-group`) goes on running. `apps` holds all apps of the environment, because percentages and groups of apps
    refer to all apps.
    """
    budget = _Budget(apps, limit, down)
    known = {app.site: app for app in apps}
    wanted = [known[site] for site in in_turn(slots_first(waiting), turns) if site in known]
    return tuple(app.site for app in wanted if app.runs and app.site not in down and budget.takes(app))


def slots_first(sites: Iterable[SiteRef]) -> list[SiteRef]:
    """Return the sites and slots in the order of the stops: slots come before sites."""
    return sorted(sites, key=lambda site: (site.slot is None, site))


def all_waves(apps: Collection[WaveApp], waiting: Collection[SiteRef], limit: MaxUnavailable) -> Waves:
    """Return the groups of apps that Certroll stops one after the other, if each group runs again before the next stop.

    Certroll never stops the last running app of a group (tag `certroll-group`), unless the group has a single app.
    """
    waves = tuple(_until_done(apps, frozenset(waiting), limit))
    done = frozenset(site for wave in waves for site in wave)
    left = (app for app in apps if app.site in waiting and app.runs and app.site not in done)
    return Waves(waves, tuple(sorted((app.site, _group_of_last(apps, app)) for app in left)))


def last_of_group(apps: Collection[WaveApp], site: SiteRef) -> str | None:
    """Return a group (tag `certroll-group`) of which the site is the last running app, or None."""
    app = next(candidate for candidate in apps if candidate.site == site)
    return (_group_of_last(apps, app) or None) if app.runs else None


def _until_done(
    apps: Collection[WaveApp], waiting: frozenset[SiteRef], limit: MaxUnavailable
) -> Iterator[tuple[SiteRef, ...]]:
    while wave := next_wave(apps, waiting, limit):
        yield wave
        waiting -= frozenset(wave)


def _group_of_last(apps: Iterable[WaveApp], app: WaveApp) -> str:
    """Return a group (tag `certroll-group`) with several apps of which only the given app runs, or an empty text."""
    for group in sorted(app.groups):
        others = [other for other in apps if group in other.groups and other.site != app.site]
        if others and not any(other.runs for other in others):
            return group
    return ""


class _Budget:
    """The restart budget of an environment: how many more apps may go down at a time."""

    def __init__(self, apps: Collection[WaveApp], limit: MaxUnavailable, down: Collection[SiteRef]) -> None:
        running = [app for app in apps if app.runs]
        in_all, on_plan = limits(limit, (app.plan for app in running))
        self._all, self._on_plan = in_all, dict(on_plan)
        self._members = Counter(group for app in apps for group in app.groups)
        self._up = Counter(group for app in running for group in app.groups)
        for app in running:
            if app.site in down:
                self._take(app)

    def takes(self, app: WaveApp) -> bool:
        """Claim one use of the restart budget for the app.

        Return True if the restart budget and the app's groups allow the stop.
        """
        fits = self._all > 0 and self._on_plan[app.plan] > 0
        if not fits or any(self._up[group] == 1 < self._members[group] for group in app.groups):
            return False
        self._take(app)
        return True

    def _take(self, app: WaveApp) -> None:
        self._all -= 1
        self._on_plan[app.plan] -= 1
        self._up.subtract(app.groups)
