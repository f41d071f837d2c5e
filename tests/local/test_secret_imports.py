"""These tests import certificates from plain secrets, and refer to plain secrets from app settings."""

import base64

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from local.azure.principals import APP_SERVICE
from local.azure.vault.authority import Leaf
from tests.local.arm_client import Json, Shop


@pytest.fixture
def shop() -> Shop:
    """Build a site whose second host name is bound to a certificate from a plain secret."""
    shop = Shop()
    shop.build.add_secret("order", ["pay.contoso.com"])
    shop.build.add_host(shop.site, "pay.contoso.com", shop.build.add_copy("order", name="order"))
    return shop


def copy_of(shop: Shop, name: str = "order") -> str:
    """Return the ARM path of the imported certificate of that name."""
    return shop.copy.id.rsplit("/", maxsplit=1)[0] + "/" + name


def imported(shop: Shop, name: str = "order", status: int = 200) -> Json:
    """Import or sync a secret of that name, and return App Service's answer."""
    return shop.arm.put(copy_of(shop, name), shop.import_body(keyVaultSecretName=name), status)


def test_secret_is_imported_and_served(shop: Shop) -> None:
    """App Service imports and serves a PFX from a plain secret like a vault certificate."""
    version = shop.vault.set_pfx_secret("new", ["pay.contoso.com"])
    answer = imported(shop, "new")["properties"]
    assert (answer["thumbprint"], answer["keyVaultSecretName"]) == (version.thumbprint, "new")
    shop.build.add_host(shop.site, "pay.contoso.com", shop.world.web.certificates.get(copy_of(shop, "new")))
    assert shop.served("pay.contoso.com") == version.thumbprint


@pytest.mark.parametrize("nightly", [True, False], ids=["nightly", "by hand"])
def test_new_version_of_a_secret_arrives_in_place(shop: Shop, *, nightly: bool) -> None:
    """The nightly sync and a repeated import both bring a secret's new version to the bound host names."""
    version = shop.vault.set_pfx_secret("order", ["pay.contoso.com"])
    if nightly:
        shop.world.nightly_sync()
    else:
        imported(shop)
    assert shop.arm.get(copy_of(shop))["properties"]["thumbprint"] == version.thumbprint
    assert shop.served("pay.contoso.com") == version.thumbprint


def test_deleted_secret_is_told_by_the_status_alone(shop: Shop) -> None:
    """App Service keeps serving a certificate whose secret was deleted, and only its status changes.

    After the secret's recovery, the certificate's status is `Initialized` again.
    """
    served = shop.served("pay.contoso.com")
    shop.vault.delete_secret("order")
    shop.world.nightly_sync()
    assert shop.arm.get(copy_of(shop))["properties"]["keyVaultSecretStatus"] == "KeyVaultSecretDoesNotExist"
    assert shop.served("pay.contoso.com") == served
    shop.vault.recover_secret("order")
    shop.world.nightly_sync()
    assert shop.arm.get(copy_of(shop))["properties"]["keyVaultSecretStatus"] == "Initialized"


def locked(leaf: Leaf) -> str:
    """Return the certificate as a base64 PFX with a password."""
    lock = BestAvailableEncryption(b"secret")
    blob = pkcs12.serialize_key_and_certificates(None, leaf.private_key, leaf.certificate, None, lock)
    return base64.b64encode(blob).decode()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("pem", "not application/x-pkcs12"),
        ("untyped", "not application/x-pkcs12"),
        ("pem called pfx", "opens without a password"),
        ("password", "opens without a password"),
        ("no certificate", "opens without a password"),
        ("no key", "no private key"),
        ("curve", "elliptic-curve"),
        ("disabled", "is disabled"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(shop: Shop, case: str, words: str) -> None:
    """App Service refuses a secret that it cannot import, and the error gives the reason.

    App Service can import only an enabled secret that contains a PFX with content type, RSA key and no password.
    """
    leaf, vault, pfx = shop.vault.secrets["order"].newest.leaf, shop.vault, "application/x-pkcs12"
    bare = base64.b64encode(leaf.without_key().pfx()).decode()
    {
        "pem": lambda: vault.set_pfx_secret("bad", ["a.contoso.com"], pem=True),
        "untyped": lambda: vault.set_secret("bad", base64.b64encode(leaf.pfx()).decode()),
        "pem called pfx": lambda: vault.set_pfx_secret("bad", ["a.contoso.com"], pem=True, content_type=pfx),
        "password": lambda: vault.set_secret("bad", locked(leaf), content_type=pfx),
        "no certificate": lambda: vault.set_secret("bad", "correct horse", content_type=pfx),
        "no key": lambda: vault.set_secret("bad", bare, content_type=pfx),
        "curve": lambda: vault.set_pfx_secret("bad", ["a.contoso.com"], key_type="EC"),
        "disabled": lambda: vault.set_pfx_secret("bad", ["a.contoso.com"], enabled=False),
    }[case]()
    assert words in imported(shop, "bad", 400)["Message"]
    shop.arm.get(copy_of(shop, "bad"), 404)


def test_secret_needs_the_right_to_read_secrets(shop: Shop) -> None:
    """App Service needs only the permission `secrets/get` to import a plain secret.

    A vault certificate also needs `certificates/get`, unless the simulation setting `import_needs_certificates_get` is
    off.
    """
    shop.vault.deny(APP_SERVICE, operations=["certificates/get"])
    version = shop.vault.set_pfx_secret("order", ["pay.contoso.com"])
    assert imported(shop)["properties"]["thumbprint"] == version.thumbprint
    shop.arm.put(shop.copy.id, shop.import_body(), 400)
    shop.world.knobs.import_needs_certificates_get = False
    shop.arm.put(shop.copy.id, shop.import_body())


def test_setting_may_refer_to_a_plain_secret(shop: Shop) -> None:
    """A Key Vault reference resolves to the newest version of a plain secret.

    A reference to a missing secret has the status `SecretNotFound`.
    """
    refer = "@Microsoft.KeyVault(VaultName=contoso-kv;SecretName={})"
    settings = {"DB": refer.format("order"), "NONE": refer.format("none")}
    site = shop.build.add_site("caller", settings=settings)
    newest = shop.vault.secrets["order"].newest.id
    found = {name: (reference.status, reference.active_version) for name, reference in site.references.items()}
    assert found == {"DB": ("Resolved", newest), "NONE": ("SecretNotFound", None)}
