"""Check which version of a plain secret is the newest if dates are equal or an operator disabled a version."""

from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.vault.secrets import SecretVersion
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT, shown
from tests.soaking import SOAKING

NAME, HOST = "web", "shop.contoso.com"
REFUSALS = {"NewestRefused", "VersionDisabled"}
SEEDS = (0, 1, 4, 5, 6, 7) if SOAKING else (0, 6)
"""The seed decides the ids of versions, and with them the order in which Key Vault lists versions of one second.

The six seeds give all orders of three versions, and the seeds 0 and 6 give two opposite orders.
"""


def secret_world(seed: int = 0, *, upload: bool = False) -> World:
    """Return a host name that shows the first version of a plain secret, imported or uploaded."""
    world = World(Clock(), seed)
    build = Builder(world)
    version = build.add_secret(NAME, (HOST,))
    build.add_host(build.add_site("shop"), HOST, build.add_upload(version) if upload else build.add_copy(NAME))
    world.clock.advance(timedelta(days=2))
    return world


def set_in_one_second(world: World) -> tuple[SecretVersion, SecretVersion]:
    """Set two versions of the secret within one second, and return the earlier and the later one."""
    vault = world.vaults[VAULT]
    return vault.renew_secret(NAME), vault.renew_secret(NAME)


def carry(installation: Installation) -> set[str]:
    """Let Certroll inspect the secret, and return the reasons of all findings."""
    installation.look_at(VAULT, NAME, kind="secret")
    installation.deliver_all()
    assert installation.errors == []
    return {reason for _, reason in installation.findings()}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_disabled_version_of_the_same_second_is_not_taken_for_the_newest(install: Install, seed: int) -> None:
    """If the earlier of two versions of one second is disabled, the later one is the newest, whatever their ids are."""
    world = secret_world(seed)
    installation = install(world)
    earlier, later = set_in_one_second(world)
    earlier.enabled = False
    assert carry(installation).isdisjoint(REFUSALS)
    assert shown(world)[HOST].thumbprint == later.thumbprint


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("together", [True, False], ids=["within one second", "a minute apart"])
def test_a_disabled_newest_version_is_passed_over_where_the_vault_does(
    install: Install, seed: int, *, together: bool
) -> None:
    """If the vault gives an earlier version in place of a disabled one, Certroll syncs the earlier one, like Azure."""
    world = secret_world(seed)
    world.vaults[VAULT].latest_skips_disabled = True
    installation = install(world)
    earlier = world.vaults[VAULT].renew_secret(NAME)
    world.clock.advance(timedelta(seconds=0 if together else 60))
    world.vaults[VAULT].renew_secret(NAME).enabled = False
    assert carry(installation).isdisjoint(REFUSALS)
    assert shown(world)[HOST].thumbprint == earlier.thumbprint


@pytest.mark.parametrize("seed", SEEDS)
def test_a_disabled_newest_version_that_the_vault_refuses_holds_only_imports(install: Install, seed: int) -> None:
    """If the vault refuses a disabled newest version, imports wait for it, and uploads get the version before it."""
    world, other = secret_world(seed), secret_world(seed, upload=True)
    installation = install(world)
    _, later = set_in_one_second(world)
    before, later.enabled = shown(world), False
    assert {"NewestRefused"} <= carry(installation)
    assert shown(world) == before
    later.enabled = True
    carry(installation)
    assert shown(world)[HOST].thumbprint == later.thumbprint
    installation = install(other)
    earlier, later = set_in_one_second(other)
    later.enabled = False
    carry(installation)
    assert shown(other)[HOST].thumbprint == earlier.thumbprint


@pytest.mark.parametrize("skips", [pytest.param(True, marks=pytest.mark.real_storage), False])
def test_no_password_is_read_to_find_the_newest_version(install: Install, *, skips: bool) -> None:
    """If an earlier version of the secret is no certificate, Certroll does not ask the vault for the newest version."""
    world = secret_world()
    vault = world.vaults[VAULT]
    vault.latest_skips_disabled = skips
    vault.set_secret(NAME, "a password")
    world.clock.advance(timedelta(minutes=1))
    vault.set_pfx_secret(NAME, (HOST,)).enabled = False
    installation = install(world)
    carry(installation)
    assert f"/secrets/{NAME}" not in {entry.path for entry in world.journal.entries()}
