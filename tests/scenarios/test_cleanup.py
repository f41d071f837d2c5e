"""Check that Certroll deletes a superseded certificate only when no app or binding needs it any more."""

from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault, Kind
from local.azure.web.resources import IP_BASED
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crasher, Installation, deliver_dying
from tests.scenarios.worlds import AGE, VAULT, writes

GRACE = timedelta(days=30)
LOADED = "WEBSITE_LOAD_CERTIFICATES"
PROBED = {"certroll-probe": "/health 200 {thumbprint}"}


def uploaded_world() -> World:
    """Return one webspace with an uploaded certificate that a host name shows and an app loads.

    In the test a second app of the webspace uses no certificate.
    """
    world = World(Clock())
    build = Builder(world)
    version = build.add_certificate("web", ("*.contoso.com",))
    upload = build.add_upload(version, name="by-hand")
    build.add_host(build.add_site("shop"), "shop.contoso.com", upload, IP_BASED)
    build.add_partner()
    settings = {LOADED: version.thumbprint, "CLIENT_CERT": version.thumbprint}
    build.add_app(build.add_site("orders", tags=PROBED, settings=settings), setting="CLIENT_CERT")
    build.add_site("quiet", settings={"LOG_LEVEL": "info"})
    world.clock.advance(AGE)
    return world


def renewed(install: Install, world: World, **intent: object) -> Installation:
    """Return an installation of Certroll that has finished a renewal."""
    installation = install(world, **{"delete_superseded": True, **intent})
    world.vaults[VAULT].renew("web")
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    return installation


def later(installation: Installation, days: int = 31) -> None:
    """Let the given number of days pass, and then run Certroll's sweep."""
    installation.clock.advance(timedelta(days=days))
    installation.sweep()
    installation.deliver_all()


def names(world: World) -> set[str]:
    """Return the names of all certificates in App Service; `ours` stands for Certroll's uploads."""
    return {"ours" if c.name.startswith("certroll-") else c.name for c in world.web.certificates.values()}


def unlist(world: World, thumbprint: str) -> None:
    """Remove a thumbprint from WEBSITE_LOAD_CERTIFICATES, as the owner of the app does."""
    site = next(site for site in world.web.sites.values() if site.name == "orders")

    def edit(values: dict[str, str]) -> dict[str, str]:
        kept = [entry for entry in values[LOADED].split(",") if entry != thumbprint]
        return {**values, LOADED: ",".join(kept)}

    world.meddle(site, edit=edit)


@pytest.mark.real_storage
def test_an_upload_goes_when_its_grace_is_over(install: Install) -> None:
    """Certroll deletes a superseded upload once, when no app loads the upload and the grace period is over."""
    world = uploaded_world()
    old = world.vaults[VAULT].certificates["web"].newest.thumbprint
    installation = renewed(install, world)
    later(installation)
    assert names(world) == {"by-hand", "ours"}  # the app's WEBSITE_LOAD_CERTIFICATES still names the upload
    unlist(world, old)
    written = writes(world)
    later(installation, days=1)
    assert names(world) == {"ours"}
    assert writes(world) == written + 1
    assert world.apps.troubles() == ()
    later(installation, days=1)
    assert installation.errors == []


def test_it_stays_within_its_grace(install: Install) -> None:
    """Within its grace period a superseded upload stays, even if no app or binding uses it."""
    world = uploaded_world()
    old = world.vaults[VAULT].certificates["web"].newest.thumbprint
    installation = renewed(install, world)
    unlist(world, old)
    later(installation, days=7)
    assert names(world) == {"by-hand", "ours"}


def test_what_people_uploaded_stays_by_default(install: Install) -> None:
    """Without the setting `delete_superseded` Certroll deletes only certificates that Certroll uploaded."""
    world = uploaded_world()
    old = world.vaults[VAULT].certificates["web"].newest.thumbprint
    installation = renewed(install, world, delete_superseded=False)
    unlist(world, old)
    later(installation)
    assert names(world) == {"by-hand", "ours"}


@pytest.mark.parametrize("hidden", ["settings", "site"])
def test_what_cannot_be_seen_keeps_it(install: Install, hidden: str) -> None:
    """Certroll keeps a superseded certificate while one app of the webspace is unreadable and may use it."""
    world = uploaded_world()
    old = world.vaults[VAULT].certificates["web"].newest.thumbprint
    installation = renewed(install, world)
    unlist(world, old)
    quiet = next(site for site in world.web.sites.values() if site.name == "quiet")
    world.roles.hide(quiet.id) if hidden == "site" else world.roles.read_only(quiet.id)
    later(installation)
    assert names(world) == {"by-hand", "ours"}
    world.roles.restore(quiet.id)
    later(installation, days=1)
    assert names(world) == {"ours"}


@pytest.mark.parametrize("answer", ["throttle", "site_lock"])
def test_app_that_azure_throttles_for_good_keeps_it(install: Install, answer: Kind) -> None:
    """A superseded certificate stays while Azure puts off each read of one app's settings, and goes afterwards."""
    world = uploaded_world()
    old = world.vaults[VAULT].certificates["web"].newest.thumbprint
    installation = renewed(install, world)
    unlist(world, old)
    world.faults.add(Fault(answer, path="/sites/quiet/config/appsettings/list", times=None))
    later(installation)
    assert names(world) == {"by-hand", "ours"}
    assert ("app settings of quiet", "BlindSpot") in installation.findings()
    world.faults.clear()
    later(installation, days=1)
    assert names(world) == {"ours"}


def test_an_app_that_comes_to_name_it_at_the_last_moment_keeps_it(install: Install) -> None:
    """Certroll keeps a superseded certificate if an app names it after the plan and before the deletion."""
    world = uploaded_world()
    old = world.vaults[VAULT].certificates["web"].newest.thumbprint
    installation = renewed(install, world)
    unlist(world, old)
    quiet = next(site for site in world.web.sites.values() if site.name == "quiet")
    installation.clock.advance(GRACE + timedelta(days=1))
    world.meddle(quiet, edit=lambda values: {**values, "THEIRS": f"thumb={old.lower()}"}, before="POST", nth=3)
    installation.sweep()
    installation.deliver_all()
    assert names(world) == {"by-hand", "ours"}
    assert installation.errors == []


def test_copies_that_overlaps_needed_go_too(install: Install) -> None:
    """After two more renewals Certroll deletes an old version that Certroll had uploaded for an app."""
    world = World(Clock())
    build = Builder(world)
    version = build.add_certificate("client", ("client.contoso.com",))
    build.add_copy("client")
    build.add_partner()
    settings = {LOADED: version.thumbprint, "CLIENT_CERT": version.thumbprint}
    build.add_app(build.add_site("orders", tags=PROBED, settings=settings), setting="CLIENT_CERT")
    world.clock.advance(AGE)
    installation = install(world)
    for _ in range(3):
        world.vaults[VAULT].renew("client")
        installation.look_at(VAULT, "client")
        installation.deliver_all()
        later(installation, days=40)
    kept = [c for c in world.web.certificates.values() if c.name.startswith("certroll-")]
    assert [c.thumbprint for c in kept] == [world.vaults[VAULT].certificates["client"].versions[-2].thumbprint]
    assert world.apps.troubles() == ()


def test_a_crash_after_any_write_deletes_once(install: Install, crasher: Crasher) -> None:
    """After a crash at any write Certroll still deletes the superseded certificate, and no other certificate."""
    for write in range(1, 12):
        world = uploaded_world()
        old = world.vaults[VAULT].certificates["web"].newest.thumbprint
        installation = renewed(install, world)
        unlist(world, old)
        installation.clock.advance(GRACE + timedelta(days=1))
        installation.sweep()
        died = deliver_dying(installation, crasher, write)
        assert names(world) == {"ours"}, f"after a crash at write {write}"
        if not died:
            break
    assert write > 1


def test_a_public_certificate_goes_as_well(install: Install) -> None:
    """After the grace period Certroll deletes an old public certificate that no app setting of its site names."""
    world = World(Clock())
    build = Builder(world)
    tags = {"certroll-public-to": "orders"}
    version = build.add_certificate("web", ("signer.contoso.com",), tags=tags)
    site = build.add_site("orders", tags=PROBED, settings={LOADED: version.thumbprint, "TRUSTED": version.thumbprint})
    build.add_public_certificate(site, version.leaf.der, name="by-hand")
    build.add_app(site, trusts="TRUSTED")
    world.clock.advance(AGE)
    installation = install(world, delete_superseded=True)
    new = world.vaults[VAULT].renew("web", tags=tags).thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    later(installation)
    assert len(list(world.web.public_certificates_of(site))) == 2  # the app's settings name the old version
    unlist(world, version.thumbprint)
    later(installation, days=1)
    assert [certificate.thumbprint for certificate in world.web.public_certificates_of(site)] == [new]
    assert world.apps.troubles() == ()
