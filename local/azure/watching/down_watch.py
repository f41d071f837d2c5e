"""A watch over the apps that do not answer, for tests and the demo: how many of them at the same moment."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from local.azure.web.resources import RUNNING, Site
from local.azure.world import World

GROUP_TAG = "certroll-group"
Down = frozenset[str]
"""The resource ids, in lower case, of sites and slots."""


@dataclass(slots=True)
class DownWatch:
    """Notes at once and after every change of the world which sites and slots are down, while it is open.

    A site is down when it is stopped, or has an app that does not answer, as while it starts. One that was down
    already counts once it has been up. With time alone an app can only come up, so the most are down right after a
    change; a request is one change.
    """

    world: World
    moments: list[tuple[datetime, Down]] = field(default_factory=list)
    _never_up: Down = frozenset()
    _coming_up: dict[str, datetime] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Return the watch, after its first look."""
        with self.world.lock:
            self._never_up = self._not_answering()
            self.world.changes.listen(self._look)
            self._look()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self.world.changes.forget(self._look)

    def down_now(self) -> Down:
        """Return what is down at this moment, and was up before."""
        with self.world.lock:
            now, down = self.world.clock.now(), self._not_answering()
            came_up = {key for key, moment in self._coming_up.items() if moment <= now}
            self._never_up = (self._never_up & down) - came_up
            self._coming_up = {key: moment for key in self._never_up for moment in self._starts_of(key)}
            return down - self._never_up

    def most_down(self, *, plan: str | None = None, group: str | None = None) -> int:
        """Return how many were down at the same moment at most: in all, on that plan, or of that group.

        A plan is named by its resource id. A group is a value of the tag `certroll-group`; a slot does not have the
        groups of its site. Both are looked up now.
        """
        with self.world.lock:
            members = {key for key, site in self._sites().items() if self._counts(site, plan, group)}
        return max((len(down & members) for _, down in self.moments), default=0)

    def _look(self) -> None:
        self.moments.append((self.world.clock.now(), self.down_now()))

    def _counts(self, site: Site, plan: str | None, group: str | None) -> bool:
        on_plan = plan is None or site.plan_id.lower() == plan.lower()
        return on_plan and (group is None or group in _groups(site))

    def _sites(self) -> dict[str, Site]:
        return {site.id.lower(): site for site in self.world.web.sites.values()}

    def _not_answering(self) -> Down:
        return frozenset(key for key, site in self._sites().items() if not self._is_up(site))

    def _starts_of(self, key: str) -> list[datetime]:
        """Return when the app of that site is up by itself, if it is starting."""
        app = self.world.apps.of(self.world.web.sites.get(key))
        return [process.up_at for process in app.processes] if app else []

    def _is_up(self, site: Site) -> bool:
        app = self.world.apps.of(site)
        return site.state == RUNNING and (app is None or bool(app.answering(self.world.clock.now())))


def _groups(site: Site) -> set[str]:
    return {name.strip() for name in site.tags.get(GROUP_TAG, "").split(",")}
