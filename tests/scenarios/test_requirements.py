"""Check that a version which is worse than the version in use reaches no site for which it would be worse."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.vault.authority import CLIENT_AUTH, SERVER_AUTH
from local.azure.watching.app_watch import AppWatch
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.vault import certificates
from shared.domain.names import VaultCertificateRef
from tests.scenarios.app_worlds import CLIENT, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import AGE, VAULT, after_renewal, renew, shown, small_world, writes


def _reads_of_the_vault(world: World) -> Counter[str]:
    """Return how often each address of the vault was read."""
    host = f"{VAULT}.vault.azure.net"
    return Counter(entry.path for entry in world.journal.entries() if entry.host == host and entry.status == 200)


def test_no_host_name_gets_a_version_that_browsers_refuse(install: Install) -> None:
    """Certroll neither syncs nor binds a version without server authentication, and reports the reason."""
    world = small_world()
    installation = install(world, watched=True)
    before = shown(world)
    renew(world, usages=(CLIENT_AUTH,))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert (shown(world), writes(world)) == (before, 0)
    assert "ServerAuthLost" in {reason for _, reason in installation.findings()}
    assert installation.errors == []


@pytest.mark.real_storage
def test_an_app_keeps_the_version_that_its_partner_takes(install: Install) -> None:
    """An app keeps its old client certificate if the new version lacks client authentication."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world, watched=True)
    settings = town.settings("billing")
    with AppWatch(town.world) as watch:
        town.renew(usages=(SERVER_AUTH,))
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all()
        assert (town.settings("billing"), town.restarts("billing")) == (settings, 0)
        town.world.web.put_site(replace(town.site("billing"), restarts=1))
        town.world.clock.advance(timedelta(hours=1))
    assert watch.troubles == []
    assert ("app settings of billing", "ClientAuthLost") in installation.findings()
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert installation.errors == []


@pytest.mark.parametrize(
    ("usages", "more"),
    [
        pytest.param((SERVER_AUTH, CLIENT_AUTH), 0, id="good for both: the old one is not asked for"),
        pytest.param((SERVER_AUTH,), 1, id="good for servers alone: compared with the old one"),
    ],
)
def test_the_version_in_use_is_read_only_to_compare(install: Install, usages: tuple[str, ...], more: int) -> None:
    """Reading a vault certificate costs two requests, and a third if Certroll must compare the old version."""
    world = small_world()
    installation = install(world, watched=True)
    old = world.vaults[VAULT].certificates["web"].newest.id
    renew(world, usages=usages)
    world.journal.clear()
    installation.ports.vault.lineage(VaultCertificateRef.parse(VAULT, "certificate", "web"), world.clock.now())
    reads = _reads_of_the_vault(world)
    assert reads == {
        "/certificates/web/versions": 1,
        "/certificates/web/": 1,
        **({f"/certificates/web/{old}": more} if more else {}),
    }


@pytest.mark.parametrize("usages", [(SERVER_AUTH,), (CLIENT_AUTH,)], ids=["keeps server authentication", "loses it"])
def test_a_version_in_use_that_cannot_be_read_is_not_known(
    install: Install, monkeypatch: pytest.MonkeyPatch, usages: tuple[str, ...]
) -> None:
    """If the version in use is unreadable, Certroll still renews with a good version, and refuses a bad version."""
    world = small_world()
    installation = install(world, watched=True)
    before = shown(world)
    old = world.vaults[VAULT].certificates["web"].newest
    new = renew(world, usages=usages)
    real = certificates.read_facts
    monkeypatch.setattr(certificates, "read_facts", lambda der: real(b"nonsense" if der == old.leaf.der else der))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == (after_renewal(before, new) if SERVER_AUTH in usages else before)
    unknown = "Certroll does not know what the version in use allows" in installation.details()
    assert unknown is (SERVER_AUTH not in usages)


def test_what_is_missing_above_a_secret_is_told(install: Install) -> None:
    """Certroll warns of an incomplete chain in a secret, and still binds the certificate."""
    world = World(Clock())
    build = Builder(world)
    build.add_secret("order-0d5f", ("shop.contoso.com",))
    build.add_host(build.add_site("shop"), "shop.contoso.com", build.add_copy("order-0d5f"))
    world.clock.advance(AGE)
    installation = install(world, watched=True)
    before, new = shown(world), world.vaults[VAULT].renew_secret("order-0d5f").thumbprint
    installation.look_at(VAULT, "order-0d5f", kind="secret")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("shop.contoso.com",))
    told = [row["detail"] for row in installation.rows("certrollfindings") if row["reason"] == "RequirementWarning"]
    end = "its chain ends with Certroll Local Issuing CA, without the issuer Certroll Local Root CA"
    assert told == [f"Chain: {end}: if that issuer is an intermediate, put its certificate into the vault object"]
