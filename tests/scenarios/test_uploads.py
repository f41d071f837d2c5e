"""Check that Certroll renews certificates that operators uploaded, and certificates in vault secrets."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Leaf, authority, common_name
from local.azure.vault.objects import Version
from local.azure.vault.secrets import SecretVersion
from local.azure.web.resources import IP_BASED
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crasher, deliver_dying
from tests.scenarios.worlds import AGE, VAULT, after_renewal, shown, writes
from tests.soaking import crashes

HOSTS = ("shop.contoso.com", "www.contoso.com", "api.contoso.com")
MOST_WRITES = 60
PROBED = {"certroll-probe": "/health 200 {thumbprint}"}


class Uploaded(NamedTuple):
    """A simulated fleet in which one certificate was uploaded into two webspaces."""

    world: World
    version: Version | SecretVersion


def uploads(knobs: Knobs | None = None, *, kind: str = "certificate", **differences: object) -> Uploaded:
    """Return two webspaces with uploads of one vault object, three bindings and an app that names the certificate."""
    world = World(Clock(), 0, knobs)
    build = Builder(world)
    names = ("*.contoso.com", "contoso.com")
    if kind == "certificate":
        version: Version | SecretVersion = build.add_certificate("web", names, **differences)  # type: ignore[arg-type]
    else:
        version = build.add_secret("web", names, pem=kind == "pem", **differences)  # type: ignore[arg-type]
    windows, linux = build.add_plan("windows"), build.add_plan("linux", location="northeurope", linux=True)
    upload, other = build.add_upload(version, windows), build.add_upload(version, linux)
    thumbprint = version.thumbprint
    settings = {"WEBSITE_LOAD_CERTIFICATES": thumbprint, "CLIENT_CERT": thumbprint}
    shop = build.add_site("shop", windows)
    build.add_host(shop, "shop.contoso.com", upload, IP_BASED)
    build.add_host(shop, "www.contoso.com", upload)
    build.add_partner()
    orders = build.add_site("orders", windows, tags=PROBED, settings=settings)
    build.add_app(orders, setting="CLIENT_CERT")
    build.add_host(build.add_site("api", linux), "api.contoso.com", other)
    world.clock.advance(AGE)
    return Uploaded(world, version)


def renew(world: World, *, pem: bool = False) -> str:
    """Renew the certificate in the simulated vault, and return the new thumbprint."""
    vault = world.vaults[VAULT]
    if vault.certificate("web"):
        return vault.renew("web").thumbprint
    return vault.set_pfx_secret("web", ("*.contoso.com", "contoso.com"), pem=pem).thumbprint


def copies(world: World) -> dict[str, int]:
    """Return how many certificates in App Service have each thumbprint."""
    held = [copy.thumbprint for copy in world.web.certificates.values()]
    return {thumbprint: held.count(thumbprint) for thumbprint in held}


@pytest.mark.parametrize("kind", ["certificate", "secret", "pem"])
def test_an_uploaded_certificate_moves_as_an_imported_one_does(install: Install, kind: str) -> None:
    """Certroll uploads the new version, moves bindings and settings to it, and keeps the old uploaded certificate."""
    uploaded = uploads(kind=kind)
    world = uploaded.world
    installation = install(world, watched=True)
    before, new = shown(world), renew(world, pem=kind == "pem")
    installation.look_at(VAULT, "web", kind="certificate" if kind == "certificate" else "secret")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, HOSTS)
    assert set(installation.states().values()) == {"Proven"}
    assert installation.rolls() == {"orders": "Validated"}
    assert copies(world) == {uploaded.version.thumbprint: 2, new: 2}
    assert writes(world) == 2 + 3 + 1  # one upload per webspace, three bindings and the settings of one app
    assert installation.sweep() == ()
    assert installation.errors == []


@pytest.mark.parametrize("kind", ["certificate", "secret", "pem"])
def test_an_odd_certificate_is_uploaded_with_its_chain(install: Install, kind: str) -> None:
    """Certroll carries a certificate in the odd form of its authority, with its intermediate, to bindings and apps.

    The basic constraints have their default value in full. The issuer's name differs from the intermediate's own name
    in letter case.
    """
    uploaded = uploads(kind=kind)
    world = uploaded.world
    installation = install(world, watched=True)
    before, vault = shown(world), world.vaults[VAULT]
    if kind == "certificate":
        new = vault.renew("web", odd=True).thumbprint
    else:
        names = ("*.contoso.com", "contoso.com")
        new = vault.set_pfx_secret("web", names, pem=kind == "pem", odd=True).thumbprint
    installation.look_at(VAULT, "web", kind="certificate" if kind == "certificate" else "secret")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, HOSTS)
    held = [copy.content for copy in world.web.certificates.values() if copy.thumbprint == new]
    assert [content.chain_pem.count(b"BEGIN CERTIFICATE") for content in held] == [1, 1]
    reasons = {row["reason"] for row in installation.rows("certrollfindings")}
    assert not reasons & {"RejectedByAzure", "SecretUnreadable", "ChainLost"}


def crossed_root() -> x509.Certificate:
    """Return a certificate of the local root's name and key that another root has signed."""
    root, signer = authority().root, ec.generate_private_key(ec.SECP256R1())
    span = root.not_valid_before_utc, root.not_valid_after_utc + timedelta(days=1)
    builder = x509.CertificateBuilder(common_name("Old Root"), root.subject, root.public_key(), 7, *span)
    return builder.sign(signer, hashes.SHA256())


@pytest.mark.parametrize("held", [True, False])
def test_a_shorter_chain_waits_until_time_is_short(install: Install, held: bool) -> None:  # noqa: FBT001
    """Certroll refuses a chain that lost its cross-signed root until the certificate in use ends soon.

    If the vault's value also had the self-signed root, clients hold the root, and Certroll carries the shorter chain.
    """
    world = uploads(kind="secret").world
    secret = world.vaults[VAULT].secrets["web"]
    leaf = secret.newest.leaf
    roots = (crossed_root(), *((authority().root,) if held else ()))
    longer = base64.b64encode(replace(leaf, chain=(*leaf.chain, *roots)).pfx()).decode()
    secret.versions[-1] = replace(secret.newest, value=longer)
    installation = install(world)
    before, new = shown(world), renew(world)
    for left in (timedelta(days=20), timedelta(days=2)):
        world.clock.advance(leaf.certificate.not_valid_after_utc - left - world.clock.now())
        installation.look_at(VAULT, "web", kind="secret")
        installation.deliver_all()
        refused = not held and left > timedelta(days=3)
        assert shown(world) == (before if refused else after_renewal(before, new, HOSTS))
        assert ("ChainLost" in {reason for _, reason in installation.findings()}) is (not held)
    assert "RequirementWarning" in {reason for _, reason in installation.findings()}


def cross_signs() -> tuple[x509.Certificate, x509.Certificate]:
    """Return two certificates of the local root's name and key that an older root signed, the replaced one first.

    Let's Encrypt's Root YR has two such certificates of ISRG Root X1, of which the authority revoked the first
    (community.letsencrypt.org, topic 247612). The first one here names no server authentication.
    """
    root, signer = authority().root, ec.generate_private_key(ec.SECP256R1())
    begins, ends = root.not_valid_before_utc, root.not_valid_after_utc
    constraints = x509.BasicConstraints(ca=True, path_length=None)

    def signed(serial: int, span: tuple[datetime, datetime], usage: x509.ObjectIdentifier) -> x509.Certificate:
        builder = x509.CertificateBuilder(common_name("Older Root"), root.subject, root.public_key(), serial, *span)
        builder = builder.add_extension(constraints, critical=True)
        usages = x509.ExtendedKeyUsage([usage])
        return builder.add_extension(usages, critical=False).sign(signer, hashes.SHA256())

    first = signed(1, (begins, ends + timedelta(days=2)), ExtendedKeyUsageOID.CLIENT_AUTH)
    return first, signed(2, (begins + timedelta(days=1), ends), ExtendedKeyUsageOID.SERVER_AUTH)


@pytest.mark.parametrize("own", [0, 1], ids=["the replaced one", "the one that replaces it"])
def test_cross_signed_root_of_the_vault_goes_up_with_every_link(install: Install, own: int) -> None:
    """Certroll uploads the cross-signed root that the vault's value has, with every link, and proves the site.

    Let's Encrypt's chain since June 2026 goes from the leaf over YR1 and the cross-signed Root YR to ISRG Root X1.
    Whichever cross-signed certificate the version before had, nothing counts as lost.
    """
    world = uploads(kind="secret").world
    vault, crossed = world.vaults[VAULT], cross_signs()
    secret = vault.secrets["web"]

    def value(leaf: Leaf, cross: x509.Certificate) -> str:
        return base64.b64encode(replace(leaf, chain=(*leaf.chain, cross)).pfx()).decode()

    secret.versions[-1] = replace(secret.newest, value=value(secret.newest.leaf, crossed[1 - own]))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    leaf = secret.newest.leaf
    secret.versions[-1] = replace(secret.newest, value=value(leaf, crossed[own]))
    installation.look_at(VAULT, "web", kind="secret")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, HOSTS)
    held = [copy.content for copy in world.web.certificates.values() if copy.thumbprint == new]
    chain = [*leaf.chain, crossed[own]]
    assert [x509.load_pem_x509_certificates(content.chain_pem) for content in held] == [chain, chain]
    assert set(installation.states().values()) == {"Proven"}
    reasons = {row["reason"] for row in installation.rows("certrollfindings")}
    assert not reasons & {"ChainLost", "RejectedByAzure", "SecretUnreadable", "ChainIncomplete"}
    assert installation.sweep() == ()


def test_an_elliptic_certificate_is_uploaded(install: Install) -> None:
    """Certroll uploads a certificate with an elliptic key, which App Service cannot import from a vault."""
    uploaded = uploads(key_type="EC")
    installation = install(uploaded.world, watched=True)
    before, new = shown(uploaded.world), renew(uploaded.world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(uploaded.world) == after_renewal(before, new, HOSTS)


@pytest.mark.real_transport
def test_the_renewal_after_the_next_is_uploaded_too(install: Install) -> None:
    """Certroll renews certificates that it uploaded even after operators deleted their own uploaded certificates."""
    uploaded = uploads()
    world = uploaded.world
    installation = install(world, watched=True)
    before, first = shown(world), renew(uploaded.world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    for copy in tuple(world.web.certificates.values()):
        if copy.thumbprint == uploaded.version.thumbprint:
            world.web.certificates.remove(copy.id)
    second = renew(uploaded.world)
    assert installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, second, HOSTS)
    assert copies(world) == {first: 2, second: 2}


@pytest.mark.real_storage
def test_a_host_name_that_comes_later_moves_too(install: Install) -> None:
    """After the renewal Certroll moves a host name that an operator binds to the old uploaded certificate."""
    world = one_upload()
    old = next(iter(world.web.certificates.values()))
    installation = install(world, watched=True, meddled=True)
    new = world.vaults[VAULT].renew("web").thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    Builder(world).add_host(next(iter(world.web.sites.values())), "late.contoso.com", old)
    assert installation.sweep()
    installation.deliver_all()
    assert {seen.thumbprint for seen in shown(world).values()} == {new}
    assert installation.sweep() == ()
    assert installation.states() == {"shop": "Proven"}


@pytest.mark.parametrize("reading", ["accept", "refuse", "resolve"])
def test_a_version_that_is_there_already_is_used(install: Install, reading: str) -> None:
    """Certroll binds a new version that an operator has uploaded already, and does not upload that version again."""
    uploaded = uploads(Knobs(second_import_same_thumbprint=reading))  # type: ignore[arg-type]
    world = uploaded.world
    installation = install(world, watched=True)
    before, new = shown(world), renew(uploaded.world)
    build, newest = Builder(world), world.vaults[VAULT].certificates["web"].newest
    for plan in tuple(world.web.plans.values()):
        build.add_upload(newest, plan, name=f"by-hand-{plan.name}")
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, HOSTS)
    assert copies(world)[new] == 2


def one_upload(kind: str = "certificate", settings: Mapping[str, str] | None = None) -> World:
    """Return one webspace with one uploaded certificate, bound to an IP-based host name and to a second host name."""
    world = World(Clock())
    build = Builder(world)
    names = ("*.contoso.com",)
    secret = kind != "certificate"
    version = build.add_secret("web", names, pem=kind == "pem") if secret else build.add_certificate("web", names)
    upload = build.add_upload(version)
    shop = build.add_site("shop", settings=settings)
    build.add_host(shop, "shop.contoso.com", upload, IP_BASED)
    build.add_host(shop, "www.contoso.com", upload)
    world.clock.advance(AGE)
    return world


def test_a_crash_after_any_write_leads_to_the_same_end(install: Install, crasher: Crasher) -> None:
    """After a crash at any write Certroll uploads nothing twice and moves every host name."""
    for write in crashes(MOST_WRITES):
        world = one_upload()
        installation = install(world, watched=True)
        before, new = shown(world), world.vaults[VAULT].renew("web").thumbprint
        installation.look_at(VAULT, "web")
        died = deliver_dying(installation, crasher, write)
        assert shown(world) == after_renewal(before, new, HOSTS), f"after a crash at write {write}"
        assert copies(world)[new] == 1, f"after a crash at write {write}"
        if not died:
            break
    else:
        pytest.fail("no end: the loop did not see all writes")
    assert write > 6


# ----------------------------------------------------------------------------------------------------------- secrets


def imported_secret() -> World:
    """Return a webspace with an imported certificate from a vault secret, which is how App Service stores purchases."""
    world = World(Clock())
    build = Builder(world)
    build.add_secret("order-0d5f", ("shop.contoso.com",))
    copy = build.add_copy("order-0d5f")
    build.add_host(build.add_site("shop"), "shop.contoso.com", copy, IP_BASED)
    world.clock.advance(AGE)
    return world


def vault_requests(world: World) -> list[str]:
    """Return the requests that the simulated vaults received."""
    return [
        f"{entry.method} {entry.path}" for entry in world.journal.entries() if entry.host.endswith(".vault.azure.net")
    ]


@pytest.mark.parametrize("lost", [False, True], ids=["by its event", "by the sweep"])
def test_a_copy_of_a_secret_is_synced(install: Install, lost: bool) -> None:  # noqa: FBT001
    """A new version of a vault secret reaches the host name, although no vault certificate has that name."""
    world = imported_secret()
    installation = install(world, watched=True)
    before = shown(world)
    new = world.vaults[VAULT].set_pfx_secret("order-0d5f", ("shop.contoso.com",)).thumbprint
    if lost:
        assert installation.sweep()
    else:
        installation.look_at(VAULT, "order-0d5f", kind="secret")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("shop.contoso.com",))
    assert installation.sweep() == ()
    assert installation.errors == []


def test_a_password_costs_one_request_and_is_not_read(install: Install) -> None:
    """An event of a password secret costs one request, and Certroll does not read the password."""
    world = imported_secret()
    installation = install(world, watched=True)
    world.vaults[VAULT].set_secret("database", "hunter2-marker")
    asked = len(vault_requests(world))
    installation.look_at(VAULT, "database", kind="secret")
    installation.deliver_all()
    assert vault_requests(world)[asked:] == ["GET /secrets/database/versions"]
    assert writes(world) == 0
    assert installation.findings() == set()


def test_an_event_of_the_secret_behind_a_certificate_is_dropped(install: Install) -> None:
    """Certroll ignores the event of a vault certificate's own secret, because the certificate has its own event."""
    uploaded = uploads()
    installation = install(uploaded.world, watched=True)
    installation.look_at(VAULT, "web", kind="secret")
    installation.deliver_all()
    assert [entry for entry in uploaded.world.journal.entries() if entry.host == "management.azure.com"] == []


def test_a_secret_that_is_no_certificate_any_more_is_reported(install: Install) -> None:
    """Certroll's sweep reports an imported certificate whose vault secret was overwritten by a text."""
    world = imported_secret()
    installation = install(world, watched=True)
    world.vaults[VAULT].set_secret("order-0d5f", "not a pfx", content_type="application/x-pkcs12")
    installation.sweep()
    assert "NewestRefused" in {reason for _, reason in installation.findings()}
    world.clock.advance(AGE)
    world.vaults[VAULT].set_secret("order-0d5f", "hunter2-marker", content_type="text/plain")
    installation.sweep()
    assert "NotACertificate" in {reason for _, reason in installation.findings()}
    assert "hunter2-marker" not in installation.details()


def test_a_certificate_whose_key_a_secret_never_had_is_not_taken_over(install: Install) -> None:
    """A vault secret with a certificate but without its key cannot replace an upload of that certificate."""
    uploaded = uploads()
    world = uploaded.world
    installation = install(world, watched=True, delete_superseded=True)
    before, vault = shown(world), world.vaults[VAULT]
    public = ssl.DER_cert_to_PEM_cert(uploaded.version.leaf.der)
    vault.set_secret("evil", public, content_type="application/x-pem-file", tags={"certroll-public-to": "orders"})
    world.clock.advance(timedelta(minutes=1))
    vault.set_pfx_secret("evil", ("*.contoso.com",), pem=True, tags={"certroll-public-to": "orders"})
    world.clock.advance(timedelta(days=60))
    for _ in range(2):
        installation.sweep()
        installation.deliver_all()
    assert shown(world) == before
    assert copies(world) == {uploaded.version.thumbprint: 2}
    settings = next(site for site in world.web.sites.values() if site.name == "orders").settings
    assert settings["CLIENT_CERT"] == settings["WEBSITE_LOAD_CERTIFICATES"] == uploaded.version.thumbprint


REFUSED: Mapping[str, Mapping[str, object]] = {
    "NewlySelfSigned": {"self_signed": True},
    "VersionDisabled": {"enabled": False},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_renewal_of_an_upload_is_told(install: Install, reason: str) -> None:
    """If Certroll refuses a renewal of an upload, an event and each sweep report the reason, and nothing is written.

    A good renewal ends the report.
    """
    world = uploads().world
    installation = install(world)
    before = shown(world)
    world.vaults[VAULT].renew("web", **REFUSED[reason])  # type: ignore[arg-type]
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert reason in {found for _, found in installation.findings()}
    assert (shown(world), writes(world)) == (before, 0)
    installation.sweep()
    assert reason in {found for _, found in installation.open_findings()}
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    installation.sweep()
    assert reason not in {found for _, found in installation.open_findings()}
