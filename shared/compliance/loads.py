"""Which apps load certificates, or name them in their settings. Settings that nobody read leave that open."""

from collections.abc import Callable, Collection

from shared.compliance.facts import Facts
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.names import SiteRef, Thumbprint


def naming(facts: Facts, sites: Collection[SiteRef], thumbprints: Collection[Thumbprint]) -> tuple[SiteRef, ...]:
    """Return those of the sites whose settings name a certificate. Raise NotSeen if none does and one is unread."""
    return _those(facts, sites, lambda settings: not settings.named.isdisjoint(thumbprints))


def loading(facts: Facts, sites: Collection[SiteRef], thumbprints: Collection[Thumbprint]) -> tuple[SiteRef, ...]:
    """Return those of the sites whose app loads a certificate. Raise NotSeen if none does and one is unread.

    An app that only has the thumbprint in a setting, and does not load the certificate, uses the text as data.
    """
    return _those(facts, sites, lambda settings: _loads(settings, thumbprints))


def _those(facts: Facts, sites: Collection[SiteRef], wanted: Callable[[SiteSettings], bool]) -> tuple[SiteRef, ...]:
    read = {site: settings for site in sites if (settings := facts.fleet.settings_of(site)) is not None}
    found = tuple(site for site, settings in read.items() if wanted(settings))
    if not found:
        for site in sites:
            facts.settings_of(site)
    return found


def _loads(settings: SiteSettings, thumbprints: Collection[Thumbprint]) -> bool:
    pinned = any(pin.thumbprint in thumbprints for pin in settings.pins)
    return not frozenset(settings.load_list).isdisjoint(thumbprints) or (settings.loads_everything and pinned)
