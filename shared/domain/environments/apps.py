"""The apps of an App Service Environment, with the facts that decide which apps Certroll stops together."""

from dataclasses import dataclass

from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.tags import GROUP


@dataclass(frozen=True, slots=True)
class WaveApp:
    """A site or slot of an App Service Environment."""

    site: SiteRef
    plan: str
    groups: frozenset[str] = frozenset()
    """The groups that the tag `certroll-group` of the site or slot names."""
    runs: bool = True
    """True if Azure shows the site or slot as running."""


def wave_app(site: Site) -> WaveApp:
    """Return the facts of a site or slot that decide with which other apps Certroll may stop the app.

    A slot belongs to a group of apps only by the slot's own tag, because a slot does not serve its site's clients.
    """
    return WaveApp(site.ref, site.plan, parse_groups(GROUP.value_in(site.tags)), site.running)


def wave_apps(fleet: Fleet, environment: EnvironmentRef) -> tuple[WaveApp, ...]:
    """Return a `WaveApp` for each site and slot in an App Service Environment."""
    return tuple(wave_app(site) for site in fleet.sites if site.environment == environment)


def parse_groups(value: str | None) -> frozenset[str]:
    """Return the groups of apps that the value of the tag `certroll-group` names, in lower case."""
    return frozenset(name.strip().lower() for name in (value or "").split(",") if name.strip())
