"""These tests upload PFX files to the local App Service and check which files it accepts."""

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import Certificate, CertificateProperties
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from local.azure.vault.authority import Leaf, Request, authority
from local.azure.web import uploads
from local.azure.wire import Response
from local.frontend.visitor import HandshakeFailed
from local.stand import Stand
from tests.local.arm_client import Shop
from tests.local.pfx_files import AES, PASSWORD, encrypted, pfx, upload, with_serial_of
from tests.local.sdk import web_client

HOST = "shop.contoso.com"


@pytest.fixture
def shop() -> Shop:
    """Build a local Azure with the site `shop`."""
    return Shop()


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """Yield a running local Azure that all tests of this module share."""
    with Stand() as stand:
        yield stand


@pytest.fixture
def client(shop: Shop, stand: Stand) -> Iterator[WebSiteManagementClient]:
    """Yield the unmodified azure-mgmt-web client, connected to the local Azure."""
    with web_client(stand, shop.build) as client:
        yield client


def path(shop: Shop, name: str = "upload") -> str:
    """Return the ARM path of a certificate in the resource group of the site `shop`."""
    return f"{shop.copy.id.rsplit('/', maxsplit=1)[0]}/{name}"


def send(shop: Shop, packed: bytes, password: str | None = PASSWORD, name: str = "upload") -> Response:
    """Upload a PFX, and return ARM's answer."""
    return shop.arm.send("PUT", path(shop, name), upload(packed, password))


def refusal(shop: Shop, packed: bytes, password: str | None = PASSWORD) -> str:
    """Upload a PFX, check that ARM refuses it and stores nothing, and return the text of ARM's error."""
    response = send(shop, packed, password)
    assert response.status == 400
    shop.arm.get(path(shop), 404)
    return str(response.json()["Message"])


def another(shop: Shop, **differences: object) -> Leaf:
    """Return a new leaf certificate of the local authority with the given differences."""
    now = shop.world.clock.now()
    plain = Request((HOST,), now.replace(year=now.year - 1), now.replace(year=now.year + 1))
    return authority().issue(replace(plain, **differences))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("password", ["wrong", "", None, PASSWORD.upper()])
def test_a_wrong_password_is_refused(shop: Shop, password: str | None) -> None:
    """App Service refuses a PFX that its password does not open, in the words that users report."""
    assert refusal(shop, pfx(shop.first.leaf), password) == uploads.NOT_LOADED


@pytest.mark.parametrize("password", [PASSWORD, "", None])
def test_a_pfx_without_a_password_is_refused(shop: Shop, password: str | None) -> None:
    """App Service refuses a PFX without a password, such as a Key Vault secret contains."""
    assert refusal(shop, pfx(shop.first.leaf, NoEncryption()), password) == uploads.NO_PASSWORD


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_a_broken_pfx_is_refused(shop: Shop, cut: int) -> None:
    """App Service refuses a truncated or unreadable PFX, and its answer repeats nothing of the file."""
    packed = pfx(shop.first.leaf)[:cut] or b"no PFX"
    message = refusal(shop, packed)
    assert message == uploads.NOT_LOADED


def test_what_is_no_base64_is_refused(shop: Shop) -> None:
    """App Service refuses an upload whose PFX is not encoded in base64."""
    body = upload(b"") | {"properties": {"pfxBlob": "###", "password": PASSWORD}}
    assert shop.arm.put(path(shop), body, 400)["Message"] == "Blob is invalid.  Base64 is required."


def test_a_pfx_needs_its_private_key(shop: Shop) -> None:
    """App Service refuses a PFX that lacks the private key of its certificate."""
    leaf = shop.first.leaf
    bare = pkcs12.serialize_key_and_certificates(None, None, leaf.certificate, None, encrypted())
    assert refusal(shop, bare) == uploads.NO_KEY
    key = another(shop).private_key
    strange = pkcs12.serialize_key_and_certificates(None, key, None, [leaf.certificate], encrypted())
    assert refusal(shop, strange) == uploads.NO_KEY


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ({"key_size": 1024}, "The private key has 1024 bits; at least 2048 are required."),
        ({}, None),
        ({"key_type": "EC", "key_size": 256}, None),
    ],
)
def test_weak_keys_are_refused(shop: Shop, differences: dict[str, object], words: str | None) -> None:
    """App Service refuses RSA keys below 2048 bits, and accepts uploaded elliptic-curve keys."""
    packed = pfx(another(shop, **differences))
    if words is None:
        assert send(shop, packed).status == 200
    else:
        assert refusal(shop, packed) == words


def test_curves_that_tls_does_not_know_are_refused(shop: Shop) -> None:
    """App Service refuses a key on a curve that TLS does not support, such as secp256k1."""
    assert (
        refusal(shop, pfx(with_serial_of(8, ec.SECP256K1())))
        == "The curve secp256k1 of the private key is not supported."
    )


@pytest.mark.parametrize(
    ("octets", "limit", "status"), [(20, 20, 200), (21, 20, 400), (21, 21, 200), (11, 10, 400), (10, 10, 200)]
)
def test_long_serial_numbers_meet_the_knob(shop: Shop, octets: int, limit: int, status: int) -> None:
    """App Service refuses a serial number with more octets than the simulation setting `serial_octets` allows."""
    shop.world.knobs.turn(serial_octets=limit)
    response = send(shop, pfx(with_serial_of(octets)))
    assert response.status == status
    if status == 400:
        words = f"The serial number of the certificate has {octets} octets; at most {limit} are supported."
        assert response.json()["Message"] == words


@pytest.mark.parametrize(("refused", "status"), [(False, 200), (True, 400)])
def test_encryption_by_aes_meets_the_knob(shop: Shop, status: int, *, refused: bool) -> None:
    """App Service always reads a PFX that is encrypted with triple DES.

    A simulation setting decides if App Service reads a PFX with AES, because Azure's behaviour is unknown.
    """
    shop.world.knobs.turn(aes_pfx_refused=refused)
    assert send(shop, pfx(shop.first.leaf)).status == 200
    response = send(shop, pfx(shop.first.leaf, encrypted(algorithm=AES)), name="modern")
    assert response.status == status
    if refused:
        assert response.json()["Message"] == uploads.NOT_LOADED


def test_a_full_webspace_takes_no_more(shop: Shop) -> None:
    """App Service refuses new certificates in a webspace that has reached its limit.

    Imports and uploads count together towards the limit of a webspace. In a full webspace, an existing import can still
    sync, and a deletion makes room.
    """
    shop.world.knobs.turn(certificates_per_webspace=2)
    shop.arm.put(path(shop, "second"), upload(pfx(another(shop))))
    for body in (upload(pfx(another(shop))), shop.import_body()):
        assert shop.arm.put(path(shop, "third"), body, 409)["Message"] == (
            "The webspace contoso-WestEuropewebspace holds 2 private certificates, which is the limit."
            " Delete one that is not used."
        )
    shop.vault.renew("shop")
    shop.arm.put(shop.copy.id, shop.import_body())
    shop.arm.put(path(shop, "elsewhere"), upload(pfx(another(shop))) | {"location": "North Europe"})
    shop.arm.delete(path(shop, "second"))
    shop.arm.put(path(shop, "third"), upload(pfx(another(shop))))


def test_a_bound_upload_is_not_replaced_in_place(shop: Shop) -> None:
    """App Service refuses to replace the content of an uploaded certificate that a host name is bound to.

    App Service accepts the same PFX again, and another PFX under a new name.
    """
    first, second = another(shop), another(shop)
    send(shop, pfx(first))
    shop.bind("SniEnabled", first.thumbprint)
    assert send(shop, pfx(first)).status == 200
    refused = send(shop, pfx(second))
    assert (refused.status, first.thumbprint in refused.json()["Message"]) == (409, True)
    assert shop.served() == first.thumbprint
    assert send(shop, pfx(second), name="next").status == 200


# --------------------------------------------------------------------------------------------- what is warned about


def test_an_expired_certificate_is_taken_with_a_warning(shop: Shop) -> None:
    """App Service accepts an upload of an expired certificate, and its answer has a warning header."""
    past = shop.world.clock.now().replace(year=2020)
    old = another(shop, not_before=past.replace(year=2019), not_after=past)
    response = send(shop, pfx(old))
    assert (response.status, response.headers["warning"]) == (
        200,
        "199 Some of the uploaded certificates are either self-signed or expired.",
    )
    assert "warning" not in send(shop, pfx(another(shop)), name="good").headers


def test_a_self_signed_certificate_gets_both_warnings(shop: Shop) -> None:
    """App Service accepts a self-signed certificate with the two warnings that were recorded from Azure."""
    response = send(shop, pfx(another(shop, self_signed=True)))
    assert response.headers["warning"] == (
        "199 Some of the uploaded certificates are either self-signed or expired.,"
        "199 Some of the uploaded certificates cannot be validated to a trusted CA"
    )


def test_nothing_secret_is_in_an_answer(shop: Shop) -> None:
    """Neither a successful nor a refused upload repeats the PFX or its password in the answer."""
    packed = pfx(shop.first.leaf)
    for password in (PASSWORD, "wrong horse"):
        said = send(shop, packed, password).body.decode()
        assert password not in said
        assert base64.b64encode(packed).decode()[:60] not in said


# -------------------------------------------------------------------------------------------------- by the SDK


def test_the_sdk_uploads_and_hears_refusals(shop: Shop, client: WebSiteManagementClient) -> None:
    """azure-mgmt-web uploads a PFX, reads the certificate without its secrets, and raises ARM's refusals."""
    leaf = another(shop)
    properties = CertificateProperties(pfx_blob=pfx(leaf), password=PASSWORD, server_farm_id=shop.plan.id)
    made = client.certificates.create_or_update(
        "contoso", "up", Certificate(location="westeurope", properties=properties)
    )
    assert made.properties is not None
    assert made.properties.thumbprint == leaf.thumbprint
    assert (made.properties.password, made.properties.pfx_blob) == (None, None)
    wrong = CertificateProperties(pfx_blob=pfx(leaf), password="wrong")  # noqa: S106 - that is the point
    with pytest.raises(HttpResponseError, match="could not be loaded") as refused:
        client.certificates.create_or_update("contoso", "no", Certificate(location="westeurope", properties=wrong))
    assert refused.value.status_code == 400


def test_a_chain_is_served_as_it_was_uploaded(shop: Shop, stand: Stand, client: WebSiteManagementClient) -> None:
    """App Service warns about a PFX without its intermediate, and strict visitors reject that certificate.

    After an upload of the complete chain, strict visitors accept the certificate.
    """
    assert client is not None
    whole = another(shop)
    alone = send(shop, pfx(replace(whole, chain=())), name="alone")
    assert (alone.status, alone.headers["warning"]) == (
        200,
        "199 Some of the uploaded certificates cannot be validated to a trusted CA",
    )
    shop.bind("SniEnabled", whole.thumbprint)
    with pytest.raises(HandshakeFailed, match="unable to get local issuer certificate"):
        stand.visitor.handshake(HOST)
    assert send(shop, pfx(whole), name="alone").status == 200
    assert stand.visitor.handshake(HOST) == whole.thumbprint
