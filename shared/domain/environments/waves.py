"""Stopping and starting the apps of an environment in waves: who goes next, so that enough of them are always up.

Pure: the same apps, limit and apps that are down give the same wave.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from shared.domain.environments.apps import WaveApp
from shared.domain.names import SiteRef
from shared.domain.rollout.budget import MaxUnavailable, limits


@dataclass(frozen=True, slots=True)
class Waves:
    """The waves in their order, and the apps that can be in none, each with the group that it would take down whole."""

    waves: tuple[tuple[SiteRef, ...], ...]
    kept: tuple[tuple[SiteRef, str], ...] = ()

    def takes(self, each: timedelta) -> timedelta:
        """Return how long the waves take one after the other."""
        return each * len(self.waves)


def next_wave(
    apps: Collection[WaveApp],
    waiting: Collection[SiteRef],
    most: MaxUnavailable,
    down: Collection[SiteRef] = frozenset(),
) -> tuple[SiteRef, ...]:
    """Return which of the waiting apps may be taken down now, beside those that are down already; slots come first.

    Never more than allowed, in all and on each plan, and never the last app of a group that is up. `apps` are all of
    the environment, whether they wait or not: they are what shares are of, and what keeps a group up.
    """
    room = _Room(apps, most, down)
    wanted = [app for app in sorted(apps, key=lambda app: (app.site.slot is None, app.site)) if app.site in waiting]
    return tuple(app.site for app in wanted if app.runs and app.site not in down and room.takes(app))


def all_waves(apps: Collection[WaveApp], waiting: Collection[SiteRef], most: MaxUnavailable) -> Waves:
    """Return every wave, as long as each comes up again before the next. Kept out is what is the last of a group."""
    waves = tuple(_until_done(apps, frozenset(waiting), most))
    done = frozenset(site for wave in waves for site in wave)
    left = (app for app in apps if app.site in waiting and app.runs and app.site not in done)
    return Waves(waves, tuple(sorted((app.site, _sole(apps, app)) for app in left)))


def last_of_group(apps: Collection[WaveApp], site: SiteRef) -> str | None:
    """Return the group of which the app is the last one that runs, others of it being stopped; None where it is not."""
    app = next(one for one in apps if one.site == site)
    return (_sole(apps, app) or None) if app.runs else None


def _until_done(
    apps: Collection[WaveApp], waiting: frozenset[SiteRef], most: MaxUnavailable
) -> Iterator[tuple[SiteRef, ...]]:
    while wave := next_wave(apps, waiting, most):
        yield wave
        waiting -= frozenset(wave)


def _sole(apps: Iterable[WaveApp], app: WaveApp) -> str:
    """Return a group that would be down as a whole without the app, though it has more members; empty for none."""
    for group in sorted(app.groups):
        others = [one for one in apps if group in one.groups and one.site != app.site]
        if others and not any(one.runs for one in others):
            return group
    return ""


class _Room:
    """How much may still go down."""

    def __init__(self, apps: Collection[WaveApp], most: MaxUnavailable, down: Collection[SiteRef]) -> None:
        running = [app for app in apps if app.runs]
        in_all, on_plan = limits(most, (app.plan for app in running))
        self._all, self._on_plan = in_all, dict(on_plan)
        self._members = Counter(group for app in apps for group in app.groups)
        self._up = Counter(group for app in running for group in app.groups)
        for app in running:
            if app.site in down:
                self._take(app)

    def takes(self, app: WaveApp) -> bool:
        """Take the app down where there is room for it, and say so."""
        fits = self._all > 0 and self._on_plan[app.plan] > 0
        if not fits or any(self._up[group] == 1 < self._members[group] for group in app.groups):
            return False
        self._take(app)
        return True

    def _take(self, app: WaveApp) -> None:
        self._all -= 1
        self._on_plan[app.plan] -= 1
        self._up.subtract(app.groups)
