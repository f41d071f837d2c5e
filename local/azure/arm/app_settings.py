"""What happens when a site's app settings change: they are stored, the site restarts, the journal names the keys."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from local.azure.arm.resources import Site
from local.azure.loading import LOAD_LIST, rename

if TYPE_CHECKING:
    from local.azure.arm.resources import Certificate
    from local.azure.world import World


def store_settings(world: "World", site: Site, settings: Mapping[str, str], by: str = "") -> Site:
    """Return the site with exactly these settings; a change of a value restarts it (Azure docs, configure-common)."""
    names = sorted(name for name in {*site.settings, *settings} if site.settings.get(name) != settings.get(name))
    after = world.web.put_site(replace(site, settings=dict(settings), restarts=site.restarts + bool(names)))
    if names:
        who = f" by {by}" if by else ""
        world.journal.note(f"app settings of {site.full_name} changed{who}: {', '.join(names)}; restarted")
    return after


def rewrite_load_lists(world: "World", certificate: "Certificate", old: str) -> None:
    """Name the certificate in every load list beside it that named the old thumbprint, if the knob says so."""
    if not world.knobs.import_rewrites_load_list:
        return
    for site in tuple(world.web.sites_with(certificate)):
        value = site.settings.get(LOAD_LIST, "")
        renamed = rename(value, old, certificate.thumbprint)
        if renamed != value:
            store_settings(world, site, {**site.settings, LOAD_LIST: renamed}, by="the import")
