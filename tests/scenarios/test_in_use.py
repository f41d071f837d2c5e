"""Check that a new version is compared with what App Service uses, whatever the vault still shows of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import CLIENT_AUTH, SERVER_AUTH
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.app_worlds import CLIENT, SUBJECT, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_own_certificates import flex_world
from tests.scenarios.test_uploads import one_upload
from tests.scenarios.worlds import AGE, MOVING, NAME, VAULT, after_renewal, shown, small_world, writes

NAMES = ("*.contoso.com", "contoso.com")
HOURS = timedelta(hours=6)
SELF = "NewlySelfSigned"


def disable(world: World, name: str = NAME) -> None:
    """Disable all versions of a vault certificate or plain secret."""
    vault = world.vaults[VAULT]
    found = vault.certificates.get(name) or vault.secrets[name]
    found.versions[:] = [replace(version, enabled=False) for version in found.versions]


def then_renewed(world: World, name: str = NAME, **differences: object) -> str:
    """Disable the older versions, add a version, and return its thumbprint."""
    disable(world, name)
    return world.vaults[VAULT].renew(name, **differences).thumbprint  # type: ignore[arg-type]


def made_again(world: World, name: str = NAME, **differences: object) -> str:
    """Delete, purge and create the vault certificate under its name, and return the new thumbprint."""
    del world.vaults[VAULT].certificates[name]
    names = (SUBJECT,) if name == CLIENT else NAMES
    version = world.vaults[VAULT].add(name, names, created=world.clock.now(), **differences)  # type: ignore[arg-type]
    return version.thumbprint


def carry(installation: Installation, name: str = NAME, kind: str = "certificate") -> None:
    """Let Certroll inspect the vault object after an event, and sweep twice afterwards."""
    installation.look_at(VAULT, name, kind=kind)
    installation.deliver_all(HOURS)
    for _ in range(2):
        installation.sweep()
        installation.deliver_all(HOURS)
    assert installation.errors == []


def reasons(installation: Installation) -> set[str]:
    """Return the reasons of all findings."""
    return {reason for _, reason in installation.findings()}


HOW = pytest.mark.parametrize("how", [then_renewed, made_again])
Change = Callable[..., str]


@HOW
@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.real_storage
def test_no_import_gets_a_self_signed_version_after_one_of_an_authority(
    install: Install, how: Change, *, moves: bool
) -> None:
    """A vault that lost its issuer changes no host name, even if its good versions are disabled or purged."""
    world = small_world(Knobs(sync_moves_bindings=moves))
    installation = install(world, watched=True)
    before, _ = shown(world), how(world, self_signed=True)
    carry(installation)
    assert (shown(world), writes(world)) == (before, 0)
    assert SELF in reasons(installation)


@HOW
def test_no_binding_follows_what_azure_imported_by_itself(install: Install, how: Change) -> None:
    """If Azure imports the self-signed version by itself, Certroll moves no binding that Azure left behind."""
    world = small_world()
    first = world.vaults[VAULT].certificates[NAME].newest
    how(world, self_signed=True)
    world.nightly_sync()
    shop = next(site for site in world.web.sites.values() if site.full_name == "shop")
    Builder(world).add_host(shop, "www.contoso.com", first)
    installation, before = install(world), shown(world)
    carry(installation)
    assert (shown(world), writes(world)) == (before, 0)
    assert before["www.contoso.com"].thumbprint == first.thumbprint


@pytest.mark.parametrize("kind", ["certificate", "secret"])
def test_no_upload_is_followed_by_a_self_signed_version(install: Install, kind: str) -> None:
    """Certroll uploads no self-signed version next to an upload of an authority whose version is disabled."""
    world = one_upload(kind)
    installation = install(world, watched=True)
    vault, before = world.vaults[VAULT], shown(world)
    carry(installation, kind=kind)
    disable(world)
    if kind == "secret":
        vault.set_pfx_secret(NAME, NAMES, self_signed=True)
    else:
        vault.renew(NAME, self_signed=True)
    carry(installation, kind=kind)
    assert (shown(world), writes(world)) == (before, 0)
    assert SELF in reasons(installation)


def test_no_import_of_a_secret_gets_a_self_signed_version(install: Install) -> None:
    """A disabled version that the vault no longer shows protects the host names that still use it."""
    world = World(Clock())
    build = Builder(world)
    build.add_secret("order", ("shop.contoso.com",))
    build.add_host(build.add_site("shop"), "shop.contoso.com", build.add_copy("order"))
    world.clock.advance(AGE)
    installation = install(world, watched=True)
    before = shown(world)
    disable(world, "order")
    world.vaults[VAULT].set_pfx_secret("order", ("shop.contoso.com",), self_signed=True)
    carry(installation, "order", "secret")
    assert (shown(world), writes(world)) == (before, 0)
    assert SELF in reasons(installation)


@HOW
def test_no_site_of_its_own_gets_a_self_signed_version(install: Install, how: Change) -> None:
    """The certificates of a Flex Consumption site are compared like those of a webspace."""
    world = flex_world()
    (name,) = world.vaults[VAULT].certificates
    installation = install(world, watched=True)
    before, _ = shown(world), how(world, name, self_signed=True)
    carry(installation, name)
    assert (shown(world), writes(world)) == (before, 0)
    assert SELF in reasons(installation)


@HOW
def test_no_host_name_loses_server_authentication(install: Install, how: Change) -> None:
    """A version without server authentication reaches no host name whose certificate has it or may have it."""
    world = small_world()
    installation = install(world, watched=True)
    before, _ = shown(world), how(world, usages=(CLIENT_AUTH,))
    carry(installation)
    assert (shown(world), writes(world)) == (before, 0)
    assert "ServerAuthLost" in reasons(installation)


@HOW
def test_no_app_loses_client_authentication(install: Install, how: Change) -> None:
    """An app keeps its client certificate if the new version lacks client authentication that the old one may have."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world, watched=True)
    before = town.settings("billing")
    how(town.world, CLIENT, usages=(SERVER_AUTH,))
    carry(installation, CLIENT)
    assert (town.settings("billing"), town.restarts("billing")) == (before, 0)
    assert ("app settings of billing", "ClientAuthLost") in installation.findings()


# ------------------------------------------------------------------------------------------------------ what is no case


@HOW
def test_a_company_may_go_on_with_its_self_signed_certificates(install: Install, how: Change) -> None:
    """A self-signed certificate in use gives way to the next self-signed version."""
    world = self_signed_world()
    installation = install(world)  # a visitor takes no self-signed certificate
    before, new = shown(world), how(world, self_signed=True)
    carry(installation)
    assert shown(world) == after_renewal(before, new, ("www.contoso.com",))
    assert reasons(installation) <= {"RequirementWarning"}


def self_signed_world() -> World:
    """Return a simulated fleet with one import of a self-signed vault certificate."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate(NAME, NAMES, self_signed=True)
    build.add_host(build.add_site("shop"), "www.contoso.com", build.add_copy(NAME))
    world.clock.advance(AGE)
    return world


@HOW
def test_a_good_version_still_takes_the_place_of_what_is_disabled_or_purged(install: Install, how: Change) -> None:
    """A new version of an authority reaches all host names, whatever became of the older versions."""
    world = small_world()
    installation = install(world, watched=True)
    before, new = shown(world), how(world)
    carry(installation)
    assert shown(world) == after_renewal(before, new, MOVING)
    assert reasons(installation) == set()


def test_a_first_certificate_may_be_self_signed(install: Install) -> None:
    """Certroll imports a self-signed certificate where a tag asks for it and nothing is in use."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("other", ("other.contoso.com",))
    build.add_host(build.add_site("shop"), "other.contoso.com", build.add_copy("other"))
    (webspace,) = {copy.webspace.name for copy in world.web.certificates.values()}
    first = build.add_certificate("first", NAMES, self_signed=True, tags={"certroll-import-to": webspace})
    world.clock.advance(AGE)
    installation = install(world, watched=True)
    carry(installation, "first")
    assert first.thumbprint in {copy.thumbprint for copy in world.web.certificates.values()}
    assert SELF not in reasons(installation)
