"""What the Key Vault adapter reads of a vault beside its lineages, by Microsoft's own SDK."""

import base64
import logging
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.vault.objects import Version
from local.azure.vault.policy import PEM, Policy
from local.azure.world import World
from local.stand import Stand
from local.worlds.builders import Builder
from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.clients.key_vault import KeyVault, KeyVaults
from shared.clients.pfx import thumbprint
from shared.clients.retrying import Retrying
from shared.domain.errors import Denied, NotFound
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName
from shared.domain.secret import Pfx, PfxEncryption
from shared.domain.where import CloudName
from tests.scenarios.conftest import WorldClock

VAULT = VaultName("contoso-kv")
REF = VaultCertificateRef.parse(VAULT, "certificate", "web")


@pytest.fixture
def world(stand: Stand) -> World:
    """A vault with one certificate of two versions."""
    world = World(Clock())
    Builder(world).add_certificate("web", ("www.contoso.com",))
    world.vaults[VAULT].renew("web")
    stand.use(world)
    return world


@pytest.fixture(scope="module")
def vault(stand: Stand) -> KeyVault:
    """The adapter over the SDK's clients."""
    cloud = CLOUDS[CloudName.PUBLIC]
    retrying = Retrying(WorldClock(stand))
    return KeyVault(KeyVaults(make_credential(cloud, None), cloud), retrying, PfxEncryption.TRIPLE_DES)


def held(pfx: Pfx) -> tuple[str, int, bool]:
    """Return the certificate that a PFX holds, how many there are above it, and whether it holds its key."""
    opened = pkcs12.load_pkcs12(pfx.blob, pfx.password.encode())
    assert opened.cert is not None
    leaf = opened.cert.certificate
    matches = opened.key is not None and opened.key.public_key() == leaf.public_key()
    return thumbprint(leaf), len(opened.additional_certs), matches


def expected(version: Version) -> Thumbprint:
    """Return the thumbprint of a version of the world's vault."""
    return Thumbprint(version.thumbprint)


def test_superseded_version_is_read_with_its_key(world: World, vault: KeyVault) -> None:
    """Each version gives its own certificate, key and chain, the newest as well as the one before."""
    for version in world.vaults[VAULT].certificates["web"].versions:
        assert held(vault.pfx(REF, version.id, expected(version))) == (version.thumbprint, 1, True)


def test_secret_of_a_pem_certificate_is_read(world: World, vault: KeyVault) -> None:
    """A vault certificate whose policy says PEM gives a PFX as well."""
    policy = Policy(subject="CN=www.contoso.com", content_type=PEM)
    version = world.vaults[VAULT].add("pem", ("www.contoso.com",), policy=policy)
    ref = VaultCertificateRef.parse(VAULT, "certificate", "pem")
    assert held(vault.pfx(ref, version.id, expected(version))) == (version.thumbprint, 1, True)


def test_throttled_secret_is_asked_for_again(world: World, vault: KeyVault) -> None:
    """Reading a secret waits and tries again like any other read: by Certroll's clock, as long as Azure asks."""
    began = world.clock.now()
    newest = world.vaults[VAULT].certificates["web"].newest
    world.faults.add(Fault("throttle", "GET", path="^/secrets/", times=2))
    assert held(vault.pfx(REF, newest.id, expected(newest)))[0] == newest.thumbprint
    assert world.clock.now() - began >= timedelta(seconds=2)


def test_denied_secret_names_the_role(world: World, vault: KeyVault) -> None:
    """Who may not read the secret is told which role to grant, and where."""
    newest = world.vaults[VAULT].certificates["web"].newest
    world.vaults[VAULT].deny(operations={"secrets/get"})
    with pytest.raises(Denied, match=r"; grant the identity Key Vault Secrets User on the vault or on this secret$"):
        vault.pfx(REF, newest.id, expected(newest))


@pytest.mark.usefixtures("world")
def test_version_that_is_gone_is_not_found(vault: KeyVault) -> None:
    """A version that the vault does not know is said to be missing."""
    with pytest.raises(NotFound, match=f"^the secret of vault certificate contoso-kv/web, version {'0' * 32}: 404 "):
        vault.pfx(REF, "0" * 32, Thumbprint("A" * 40))


def test_most_talkative_log_shows_no_secret(world: World, vault: KeyVault, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at its lowest level, the SDK's log tells of the request and not of the key or the password."""
    newest = world.vaults[VAULT].certificates["web"].newest
    with caplog.at_level(logging.DEBUG):
        for name in ("azure", "azure.core", "urllib3"):
            caplog.set_level(logging.DEBUG, name)
        pfx = vault.pfx(REF, newest.id, expected(newest))
    read = newest.leaf.pfx()
    shown = [name for name, part in _parts(read, pfx).items() if part in caplog.text]
    assert "/secrets/web/" in caplog.text
    assert shown == []


def _parts(read: bytes, pfx: Pfx) -> dict[str, str]:
    """Return pieces of what must not be seen, by what they are."""
    text = base64.b64encode(read).decode()
    return {"its beginning": text[:24], "its middle": text[600:624], "its password": pfx.password}


def test_all_certificates_of_a_vault_are_named(stand: Stand, vault: KeyVault) -> None:
    """Whatever page they are on, disabled or not, all are there, and those of another vault are not."""
    world = World(Clock(), knobs=Knobs(page_size=4))
    build = Builder(world)
    for number in range(10):
        build.add_certificate(f"Web-{number}", ("www.contoso.com",))
    world.vaults[VAULT].renew("Web-3", enabled=False)
    build.add_certificate("elsewhere", ("www.contoso.com",), vault=build.add_vault("other-kv"))
    stand.use(world)
    world.faults.add(Fault("throttle", "GET", path="^/certificates", skip=2, times=2))
    names = vault.names(VAULT)
    assert sorted(names) == [VaultCertificateRef.parse(VAULT, "certificate", f"web-{number}") for number in range(10)]
    assert vault.names(VaultName("other-kv")) == (VaultCertificateRef.parse("other-kv", "certificate", "elsewhere"),)


def test_denied_listing_names_the_vault_and_the_role(world: World, vault: KeyVault) -> None:
    """Who may not list is told which vault it is, and which role to grant."""
    world.vaults[VAULT].deny(operations={"certificates/list"})
    with pytest.raises(
        Denied, match=r"(?s)^the certificates of vault contoso-kv: 403 .*; grant the identity Key Vault Reader"
    ):
        vault.names(VAULT)
