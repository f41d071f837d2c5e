"""Check certificates of a single site, public or on Flex Consumption plans, and imports that a tag requests."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from local.azure.principals import APP_SERVICE
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import Site
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import AGE, VAULT, after_renewal, shown, writes

PROBED = {"certroll-probe": "/health 200 {thumbprint}"}
LOADED = "WEBSITE_LOAD_CERTIFICATES"


def site_of(world: World, name: str) -> Site:
    """Return the site or slot named `site` or `site/slot` with its current state."""
    return next(site for site in world.web.sites.values() if site.full_name == name)


# ------------------------------------------------------------------------------------------------------------ public


def trusting(tags: Mapping[str, str], *, slot: bool = False, linux: bool = True) -> World:
    """Return a simulated app that verifies signatures by the public part of a vault certificate."""
    world = World(Clock())
    build = Builder(world)
    version = build.add_certificate("signer", ("signer.contoso.com",), tags=tags)
    plan = build.add_plan("web", linux=linux)
    path = f"/var/ssl/certs/{version.thumbprint}.der"
    settings = {LOADED: version.thumbprint, "TRUSTED": path if linux else version.thumbprint}
    app = build.add_site("orders", plan, tags=PROBED, settings=settings)
    for site in (app, build.add_slot(app, "staging", tags=PROBED)) if slot else (app,):
        build.add_public_certificate(site, version.leaf.der, name="by-hand")
        build.add_app(site, trusts="TRUSTED")
    build.add_site("other", plan)
    world.clock.advance(AGE)
    return world


def public(world: World, name: str) -> dict[str, str]:
    """Return the thumbprints of a site's public certificates, by name."""
    found = world.web.public_certificates_of(site_of(world, name))
    return {certificate.name: certificate.thumbprint for certificate in found}


@pytest.mark.parametrize("linux", [True, False], ids=["Linux", "Windows"])
@pytest.mark.real_storage
@pytest.mark.real_transport
def test_a_public_certificate_is_rolled_like_any_other(install: Install, linux: bool) -> None:  # noqa: FBT001
    """The app gets the new public certificate next to the old one, and its settings follow without an interruption."""
    tags = {"certroll-public-to": "orders"}
    world = trusting(tags, linux=linux)
    installation = install(world, watched=True)
    old = public(world, "orders")["by-hand"]
    new = world.vaults[VAULT].renew("signer", tags=tags).thumbprint
    installation.look_at(VAULT, "signer")
    installation.deliver_all()
    assert set(public(world, "orders").values()) == {old, new}
    assert set(site_of(world, "orders").settings[LOADED].split(",")) == {old, new}
    assert new in site_of(world, "orders").settings["TRUSTED"]
    assert installation.rolls() == {"orders": "Validated"}
    assert world.apps.troubles() == ()
    assert public(world, "other") == {}
    assert writes(world) == 2
    assert installation.sweep() == ()
    assert installation.errors == []


def test_slots_have_public_certificates_of_their_own(install: Install) -> None:
    """Each deployment slot that the tag names gets the public certificate."""
    tags = {"certroll-public-to": "orders, orders/staging"}
    world = trusting(tags, slot=True)
    installation = install(world, watched=True)
    new = world.vaults[VAULT].renew("signer", tags=tags).thumbprint
    installation.look_at(VAULT, "signer")
    installation.deliver_all()
    assert new in public(world, "orders").values()
    assert new in public(world, "orders/staging").values()
    assert installation.rolls() == {"orders": "Validated", "orders/staging": "Validated"}


def test_a_site_that_a_tag_names_gets_its_first_one(install: Install) -> None:
    """A tagged site without any version gets the current public certificate, and its settings stay unchanged."""
    tags = {"certroll-public-to": "contoso/other"}
    world = trusting(tags)
    installation = install(world, watched=True)
    installation.sweep()
    installation.deliver_all()
    newest = world.vaults[VAULT].certificates["signer"].newest.thumbprint
    assert list(public(world, "other").values()) == [newest]
    assert site_of(world, "other").settings == {}
    assert installation.sweep() == ()


@pytest.mark.parametrize("with_key", [True, False], ids=["with its key", "a certificate alone"])
def test_a_secret_may_hold_what_a_site_is_to_trust(install: Install, with_key: bool) -> None:  # noqa: FBT001
    """Certroll uploads the public certificate of a PEM secret, and never sends the private key in that secret."""
    world = trusting({})
    pem = world.vaults[VAULT].set_pfx_secret("partner", ("partner.fabrikam.com",), pem=True)
    value = pem.value if with_key else pem.value[pem.value.index("-----BEGIN CERTIFICATE") :]
    world.clock.advance(timedelta(minutes=1))
    tags = {"certroll-public-to": "other"}
    world.vaults[VAULT].set_secret("partner", value, content_type="application/x-pem-file", tags=tags)
    installation = install(world, watched=True)
    installation.sweep()
    installation.deliver_all()
    assert list(public(world, "other").values()) == [pem.thumbprint]
    assert installation.sweep() == ()
    assert installation.errors == []


@pytest.mark.parametrize(
    ("tag", "reason"),
    [("orders, nowhere", "NoSuchTarget"), ("or/de/rs/x", "TargetInvalid"), ("../x", "TargetInvalid")],
)
def test_a_tag_that_names_nothing_is_reported(install: Install, tag: str, reason: str) -> None:
    """Certroll reports a tag of the vault object that names no existing site, or that is malformed."""
    world = trusting({"certroll-public-to": tag})
    installation = install(world, watched=True)
    installation.sweep()
    installation.deliver_all()
    assert reason in {found for _, found in installation.findings()}


def test_only_the_public_part_is_sent(install: Install) -> None:
    """Certroll uploads a public certificate without the right to read the vault's secrets."""
    world = trusting({"certroll-public-to": "other"})
    installation = install(world, watched=True)
    world.vaults[VAULT].deny(operations=["secrets/*"])
    installation.look_at(VAULT, "signer")
    installation.deliver_all()
    assert len(public(world, "other")) == 1


# -------------------------------------------------------------------------------------------------------------- Flex


def flex_world(knobs: Knobs | None = None) -> World:
    """Return a site on a Flex Consumption plan with a certificate of its own, which its code loads as well."""
    world = World(Clock(), 0, knobs)
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",))
    site = build.add_site("flex", flex=True)
    copy = build.add_site_certificate(site, "web", loaded=True, by_site_identity=True)
    build.add_host(site, "flex.contoso.com", copy)
    world.clock.advance(AGE)
    return world


@pytest.mark.parametrize("moves", [True, False], ids=["Azure moves the binding", "Certroll moves the binding"])
@pytest.mark.parametrize("cause", ["event", "sweep"])
def test_a_site_of_a_flex_plan_is_synced_and_bound(install: Install, moves: bool, cause: str) -> None:  # noqa: FBT001
    """Certroll syncs and binds the certificate of a Flex Consumption site, and keeps the certificate's two options."""
    world = flex_world(Knobs(sync_moves_bindings=moves, site_certificates_hide_host_names=not moves))
    installation = install(world, watched=True)
    before, new = shown(world), world.vaults[VAULT].renew("web").thumbprint
    if cause == "event":
        installation.look_at(VAULT, "web")
    else:
        assert installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("flex.contoso.com",))
    (copy,) = world.web.site_certificates.values()
    assert (copy.thumbprint, copy.loaded, copy.by_site_identity) == (new, True, True)
    assert installation.states() == {"flex": "Proven"}
    assert installation.sweep() == ()
    assert installation.errors == []


def test_an_upload_of_a_flex_site_is_carried_on(install: Install) -> None:
    """Certroll uploads the next version of a Flex Consumption site's certificate to that site alone."""
    world = World(Clock())
    build = Builder(world)
    version = build.add_certificate("web", ("*.contoso.com",))
    site = build.add_site("flex", flex=True)
    build.add_host(site, "flex.contoso.com", build.add_site_certificate(site, version))
    world.clock.advance(AGE)
    installation = install(world, watched=True)
    before, new = shown(world), world.vaults[VAULT].renew("web").thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("flex.contoso.com",))
    assert {copy.thumbprint for copy in world.web.site_certificates.values()} == {version.thumbprint, new}
    assert list(world.web.certificates.values()) == []


# ------------------------------------------------------------------------------------------------------------ import


def importing(target: str, *, app_service_may_read: bool = True, **tags: str) -> World:
    """Return a fleet in which a tag requests an import, with two webspaces and a Flex Consumption site."""
    world = World(Clock())
    build = Builder(world)
    build.add_vault(VAULT, app_service_may_read=app_service_may_read)
    build.add_certificate("web", ("*.contoso.com",), tags={"certroll-import-to": target, **tags})
    build.add_site("shop", build.add_plan("windows"))
    build.add_site("api", build.add_plan("linux", location="northeurope", linux=True))
    build.add_site("flex", flex=True)
    world.clock.advance(AGE)
    return world


@pytest.mark.parametrize("target", ["shop", "windows", "contoso/windows", "contoso-WestEuropewebspace", "shop,windows"])
def test_a_certificate_is_imported_where_its_tag_says(install: Install, target: str) -> None:
    """Certroll imports a certificate once for the site or plan that a tag names, under the name that az gives."""
    world = importing(target)
    installation = install(world, watched=True)
    assert installation.sweep()
    installation.deliver_all()
    (copy,) = world.web.certificates.values()
    assert (copy.name, copy.webspace.name) == ("contoso-contoso-kv-web", "contoso-WestEuropewebspace")
    assert copy.source is not None
    assert installation.sweep() == ()
    assert writes(world) == 1
    world.vaults[VAULT].renew("web")
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    (copy,) = world.web.certificates.values()
    assert copy.thumbprint == world.vaults[VAULT].certificates["web"].newest.thumbprint


def test_an_import_may_have_another_name(install: Install) -> None:
    """The tag `certroll-import-name` sets the name of the imported certificate."""
    world = importing("api", **{"certroll-import-name": "web-wildcard"})
    installation = install(world, watched=True)
    installation.sweep()
    installation.deliver_all()
    (copy,) = world.web.certificates.values()
    assert (copy.name, copy.webspace.name) == ("web-wildcard", "contoso-NorthEuropewebspace-Linux")


def test_a_flex_site_gets_an_import_of_its_own(install: Install) -> None:
    """Certroll imports a certificate for a Flex Consumption site into that site."""
    world = importing("flex")
    installation = install(world, watched=True)
    installation.sweep()
    installation.deliver_all()
    (copy,) = world.web.site_certificates.values()
    assert copy.site_id == site_of(world, "flex").id


def test_a_vault_that_app_service_may_not_read_is_reported_with_the_cure(install: Install) -> None:
    """If App Service may not read the vault, Certroll reports the command that grants the right and tries no import.

    After an operator grants App Service the right to read the vault, the import succeeds.
    """
    world = importing("shop", app_service_may_read=False)
    installation = install(world, watched=True)
    installation.sweep()
    installation.deliver_all()
    assert "VaultAccessLacking" in {reason for _, reason in installation.findings()}
    assert "az role assignment create" in installation.details()
    assert writes(world) == 0
    world.vaults[VAULT].assign(APP_SERVICE)
    installation.sweep()
    installation.deliver_all()
    assert len(list(world.web.certificates.values())) == 1


@pytest.mark.parametrize("target", ["nothing", "shop/", "a/b/c/d"])
def test_an_import_to_nowhere_is_reported(install: Install, target: str) -> None:
    """Certroll reports an import target (a site or plan in a tag) that is unknown or invalid, and writes nothing."""
    world = importing(target)
    installation = install(world, watched=True)
    installation.sweep()
    installation.deliver_all()
    assert {reason for _, reason in installation.findings()} & {"NoSuchTarget", "TargetInvalid"}
    assert writes(world) == 0
