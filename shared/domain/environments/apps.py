"""The apps of one App Service Environment, as waves count them."""

from dataclasses import dataclass

from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.tags import GROUP


@dataclass(frozen=True, slots=True)
class WaveApp:
    """A site or slot of an environment. `groups` are those of its tag `certroll-group`; `runs` says that it is up."""

    site: SiteRef
    plan: str
    groups: frozenset[str] = frozenset()
    runs: bool = True


def wave_app(site: Site) -> WaveApp:
    """Return what is asked of a site or slot when waves are made.

    A slot is of a group only by a tag of its own: one that runs beside its site serves nobody in its stead.
    """
    return WaveApp(site.ref, site.plan, parse_groups(GROUP.value_in(site.tags)), site.running)


def wave_apps(fleet: Fleet, environment: EnvironmentRef) -> tuple[WaveApp, ...]:
    """Return that of every site and slot of an environment."""
    return tuple(wave_app(site) for site in fleet.sites if site.environment == environment)


def parse_groups(value: str | None) -> frozenset[str]:
    """Return the groups that the value of the tag names, without regard to case."""
    return frozenset(name.strip().lower() for name in (value or "").split(",") if name.strip())
