"""An observer for tests and the demo, which records how many apps are down at the same moment."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from local.azure.web.resources import RUNNING, Site
from local.azure.world import World

GROUP_TAG = "certroll-group"
Down = frozenset[str]
"""The resource ids of sites and slots, in lower case."""


@dataclass(slots=True)
class DownWatch:
    """An observer of the sites and slots that are down, at its start and after every change of the simulated Azure.

    A site is down if it is stopped, or if it has an app that does not answer. While an app starts, the app does not
    answer, unless an older process of the app still answers. A `DownWatch` counts a site that is down from the
    beginning as down only after the site has been up. Time alone can only bring apps up, so the number of down sites is
    highest right after a change. A `DownWatch` counts one request as one change of the simulated Azure.
    """

    world: World
    moments: list[tuple[datetime, Down]] = field(default_factory=list)
    """The sites that were down after each change, with the moment of the simulated Azure's clock."""
    _never_up: Down = frozenset()
    _coming_up: dict[str, datetime] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Return the `DownWatch`, after its first inspection of the simulated Azure."""
        with self.world.lock:
            self._never_up = self._not_answering()
            self.world.changes.listen(self._look)
            self._look()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self.world.changes.forget(self._look)

    def down_now(self) -> Down:
        """Return the sites and slots that are down now and were up before."""
        with self.world.lock:
            now, down = self.world.clock.now(), self._not_answering()
            came_up = {key for key, moment in self._coming_up.items() if moment <= now}
            self._never_up = (self._never_up & down) - came_up
            self._coming_up = {key: moment for key in self._never_up for moment in self._starts_of(key)}
            return down - self._never_up

    def max_unavailable(self, *, plan: str | None = None, group: str | None = None) -> int:
        """Return the largest number of sites that were down at the same moment.

        If `plan` is given, only sites on the plan with that resource id count. If `group` is given, only sites with
        that value of the tag `certroll-group` count. A slot does not inherit the tag `certroll-group` of its site.
        `max_unavailable` counts sites by their present plans and tags, even for earlier moments.
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
        """Return the times at which the processes of the app on this site come up."""
        app = self.world.apps.of(self.world.web.sites.get(key))
        return [process.up_at for process in app.processes] if app else []

    def _is_up(self, site: Site) -> bool:
        app = self.world.apps.of(site)
        return site.state == RUNNING and (app is None or bool(app.answering(self.world.clock.now())))


def _groups(site: Site) -> set[str]:
    return {name.strip() for name in site.tags.get(GROUP_TAG, "").split(",")}
