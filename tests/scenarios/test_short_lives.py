"""Check that certificates that live for 45 days do not fill the webspaces of App Service with superseded copies."""

from collections import Counter
from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import AGE, VAULT
from tests.soaking import SOAKING

DAY = timedelta(days=1)
DAYS = 365 if SOAKING else 120
LIFE = 45 * DAY
LOADED = "WEBSITE_LOAD_CERTIFICATES"
PROBED = {"certroll-probe": "/health 200 {thumbprint}"}


def short_lived_world() -> World:
    """Return two webspaces with vault certificates that live for 45 days.

    The first webspace holds an upload that a host name shows and an app pins, and an import that another app pins. An
    app of the second webspace loads every certificate.
    """
    world = World(Clock())
    build = Builder(world)
    build.add_partner()
    windows, linux = build.add_plan("windows"), build.add_plan("linux", location="northeurope", linux=True)
    ends = world.clock.now() + AGE + LIFE
    web = build.add_certificate("web", ("*.contoso.com",), not_after=ends)
    client = build.add_certificate("client", ("client.contoso.com",), not_after=ends)
    upload = build.add_upload(web, windows, name="by-hand")
    build.add_host(build.add_site("shop", windows), "shop.contoso.com", upload)
    build.add_copy("client", windows)
    for app, version in {"orders": web, "billing": client}.items():
        settings = {LOADED: version.thumbprint, "CLIENT_CERT": version.thumbprint}
        build.add_app(build.add_site(app, windows, tags=PROBED, settings=settings), setting="CLIENT_CERT")
    there = build.add_upload(web, linux, name="by-hand-linux")
    build.add_host(build.add_site("api", linux, settings={LOADED: "*"}), "api.contoso.com", there)
    world.clock.advance(AGE)
    return world


def copies(world: World) -> int:
    """Return how many certificates the fullest webspace holds."""
    return max(Counter(copy.webspace for copy in world.web.certificates.values()).values())


@pytest.mark.parametrize("every", [15, 30])
def test_short_lives_leave_few_copies(install: Install, every: int) -> None:
    """Renewals of two 45-day certificates every 15 or 30 days leave at most six copies in a webspace."""
    world = short_lived_world()
    installation = install(world, delete_superseded=True)
    counts = []
    for _ in range(DAYS // every):
        for name in ("web", "client"):
            world.vaults[VAULT].renew(name, not_after=world.clock.now() + LIFE)
            installation.look_at(VAULT, name)
        installation.deliver_all()
        counts.append(copies(world))
        installation.clock.advance(DAY)
        installation.sweep()
        installation.deliver_all()
        installation.clock.advance((every - 1) * DAY)
    assert max(counts) <= 6, counts
    assert world.apps.troubles() == ()
    assert installation.errors == []
