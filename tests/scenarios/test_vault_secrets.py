"""Check how the Key Vault client reads secrets and lists certificates, by Microsoft's own SDK."""

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
from shared.clients.retrying import Retrying
from shared.clients.vault.certificates import KeyVault, KeyVaults
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.endpoints import CloudName
from shared.domain.errors import Denied, NotFound
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName
from tests.chains import thumbprint
from tests.scenarios.conftest import WorldClock

VAULT = VaultName("contoso-kv")
REF = VaultCertificateRef.parse(VAULT, "certificate", "web")


@pytest.fixture
def world(stand: Stand) -> World:
    """Return a simulated vault with one certificate of two versions."""
    world = World(Clock())
    Builder(world).add_certificate("web", ("www.contoso.com",))
    world.vaults[VAULT].renew("web")
    stand.use(world)
    return world


@pytest.fixture(scope="module")
def vault(stand: Stand) -> KeyVault:
    """Return Certroll's Key Vault client over the SDK's clients."""
    cloud = CLOUDS[CloudName.PUBLIC]
    retrying = Retrying(WorldClock(stand))
    return KeyVault(KeyVaults(make_credential(cloud, None), cloud), retrying, PfxEncryption.TRIPLE_DES)


def held(pfx: Pfx) -> tuple[str, int, bool]:
    """Return the certificate in a PFX, the number of its chain certificates, and whether the PFX has its key."""
    opened = pkcs12.load_pkcs12(pfx.blob, pfx.password.encode())
    assert opened.cert is not None
    leaf = opened.cert.certificate
    matches = opened.key is not None and opened.key.public_key() == leaf.public_key()
    return thumbprint(leaf), len(opened.additional_certs), matches


def expected(version: Version) -> Thumbprint:
    """Return the thumbprint of a version of the simulated vault's certificate."""
    return Thumbprint(version.thumbprint)


def test_superseded_version_is_read_with_its_key(world: World, vault: KeyVault) -> None:
    """Certroll reads the certificate, the key and the chain of any version of a vault certificate."""
    for version in world.vaults[VAULT].certificates["web"].versions:
        assert held(vault.pfx(REF, version.id, expected(version))) == (version.thumbprint, 1, True)


def test_secret_of_a_pem_certificate_is_read(world: World, vault: KeyVault) -> None:
    """Certroll builds a PFX from a vault certificate whose policy says PEM."""
    policy = Policy(subject="CN=www.contoso.com", content_type=PEM)
    version = world.vaults[VAULT].add("pem", ("www.contoso.com",), policy=policy)
    ref = VaultCertificateRef.parse(VAULT, "certificate", "pem")
    assert held(vault.pfx(ref, version.id, expected(version))) == (version.thumbprint, 1, True)


def test_throttled_secret_is_asked_for_again(world: World, vault: KeyVault) -> None:
    """Certroll retries a throttled read of a secret after the time that Azure requests."""
    began = world.clock.now()
    newest = world.vaults[VAULT].certificates["web"].newest
    world.faults.add(Fault("throttle", "GET", path="^/secrets/", times=2))
    assert held(vault.pfx(REF, newest.id, expected(newest)))[0] == newest.thumbprint
    assert world.clock.now() - began >= timedelta(seconds=2)


def test_denied_secret_names_the_role(world: World, vault: KeyVault) -> None:
    """The error of a denied secret names the role to grant and its scope."""
    newest = world.vaults[VAULT].certificates["web"].newest
    world.vaults[VAULT].deny(operations={"secrets/get"})
    wanted = "; grant the identity Key Vault Secrets User on the vault or on this secret; the vault's owner runs `"
    with pytest.raises(Denied, match=wanted):
        vault.pfx(REF, newest.id, expected(newest))


@pytest.mark.usefixtures("world")
def test_version_that_is_gone_is_not_found(vault: KeyVault) -> None:
    """Certroll reports a certificate version that the vault does not know as missing."""
    with pytest.raises(NotFound, match=f"^the secret of vault certificate contoso-kv/web, version {'0' * 32}: 404 "):
        vault.pfx(REF, "0" * 32, Thumbprint("A" * 40))


def test_most_talkative_log_shows_no_secret(world: World, vault: KeyVault, caplog: pytest.LogCaptureFixture) -> None:
    """The debug log of Azure's SDK contains the request and neither the key nor the password."""
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
    """Return the password and pieces of the PFX by name, none of which may be in the log."""
    text = base64.b64encode(read).decode()
    return {"its beginning": text[:24], "its middle": text[600:624], "its password": pfx.password}


def test_all_certificates_of_a_vault_are_named(stand: Stand, vault: KeyVault) -> None:
    """Certroll lists all certificates of a vault over all pages, including disabled ones."""
    world = World(Clock(), knobs=Knobs(page_size=4))
    build = Builder(world)
    for number in range(10):
        build.add_certificate(f"Web-{number}", ("www.contoso.com",))
    world.vaults[VAULT].renew("Web-3", enabled=False)
    build.add_certificate("elsewhere", ("www.contoso.com",), vault=build.add_vault("other-kv"))
    stand.use(world)
    world.faults.add(Fault("throttle", "GET", path="^/certificates", skip=2, times=2))
    names = vault.names(VAULT).found
    assert sorted(names) == [VaultCertificateRef.parse(VAULT, "certificate", f"web-{number}") for number in range(10)]
    elsewhere = VaultCertificateRef.parse("other-kv", "certificate", "elsewhere")
    assert vault.names(VaultName("other-kv")).found == (elsewhere,)


def test_denied_listing_names_the_vault_and_the_role(world: World, vault: KeyVault) -> None:
    """The error of a denied list names the vault and the role to grant."""
    world.vaults[VAULT].deny(operations={"certificates/list"})
    with pytest.raises(
        Denied, match=r"(?s)^the certificates of vault contoso-kv: 403 .*; grant the identity Key Vault Reader"
    ):
        vault.names(VAULT)
