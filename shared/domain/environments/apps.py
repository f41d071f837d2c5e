"""The apps of an App Service Environment, with the properties that matter to waves of stops and starts."""

from dataclasses import dataclass

from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.tags import GROUP


@dataclass(frozen=True, slots=True)
class WaveApp:
    """A site or slot of an environment."""

    site: SiteRef
    plan: str
    groups: frozenset[str] = frozenset()
    """The groups that the tag `certroll-group` of the site or slot names."""
    runs: bool = True
    """True if Azure shows the site or slot as running."""


def wave_app(site: Site) -> WaveApp:
    """Return the properties of a site or slot that matter to waves.

    A slot belongs to a group only by its own tag, because the slot does not serve the visitors of its site.
    """
    return WaveApp(site.ref, site.plan, parse_groups(GROUP.value_in(site.tags)), site.running)


def wave_apps(fleet: Fleet, environment: EnvironmentRef) -> tuple[WaveApp, ...]:
    """Return the app of every site and slot in an environment."""
    return tuple(wave_app(site) for site in fleet.sites if site.environment == environment)


def parse_groups(value: str | None) -> frozenset[str]:
    """Return the groups that the value of the tag names, in lower case."""
    return frozenset(name.strip().lower() for name in (value or "").split(",") if name.strip())
