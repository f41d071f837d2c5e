"""These tests send requests to Key Vault's data plane, as client libraries do."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from local.azure.entra.tokens import CERTROLL, OPERATOR, TENANT, Principal, token
from local.azure.principals import APP_SERVICE
from local.azure.server import LocalAzure
from local.azure.vault import wire
from local.azure.vault.access import Mechanism
from local.azure.vault.authority import authority
from local.azure.vault.objects import VaultDenied, VaultObjectDisabled, VaultObjectMissing, VaultObjectUnusable
from local.azure.vault.restored import backup_and_restore
from local.azure.vault.vault import Vault
from local.azure.wire import Request, Response
from local.azure.world import World

URL = "https://kv-shop.vault.azure.net"
AUDIENCE = "https://vault.azure.net"
SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"


@pytest.fixture
def world() -> World:
    """Build a simulated Azure with a vault that has one certificate with two versions."""
    world = World(seed=7)
    vault = world.new_vault("kv-shop", subscription=SUBSCRIPTION, resource_group="rg-keys")
    world.vaults["kv-shop"] = vault
    vault.assign(APP_SERVICE)
    vault.add("shop", ["shop.contoso.com", "*.shop.contoso.com"], tags={"certroll": "off"})
    world.clock.advance(timedelta(days=60))
    vault.renew("shop")
    return world


@pytest.fixture
def vault(world: World) -> Vault:
    """Return the vault, whose certificate has two versions."""
    return world.vaults["kv-shop"]


class Client:
    """This client sends requests to a simulated vault as one principal."""

    def __init__(
        self, world: World, principal: Principal = OPERATOR, audience: str = "https://vault.azure.net"
    ) -> None:
        self.azure = LocalAzure(world)
        self.headers = {"authorization": "Bearer " + token(TENANT, principal, audience, 0)}

    def send(self, method: str, path: str, payload: object = None, version: str | None = "2026-04-01") -> Response:
        """Send a request with the client's token, and return the answer."""
        mark = "&" if "?" in path else "?"
        query = "" if version is None else f"{mark}api-version={version}"
        url = path if path.startswith("https:") else URL + path + query
        return self.azure.handle(Request.to(method, url, payload, self.headers))

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON that a GET of that path answers."""
        return self.send("GET", path).json()


def error_of(response: Response) -> tuple[int, str, str | None]:
    """Return the status, code and inner code of an error."""
    error = response.json()["error"]
    return response.status, error["code"], error.get("innererror", {}).get("code")


def test_request_without_token_is_challenged(world: World) -> None:
    """Key Vault answers a request without a token with 401, and names the login address and the resource."""
    answer = LocalAzure(world).handle(Request.to("GET", f"{URL}/certificates/shop/?api-version=7.4"))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'
    )


def test_token_for_another_service_is_refused(world: World) -> None:
    """Key Vault refuses a token that was issued for ARM."""
    client = Client(world, audience="https://management.azure.com")
    assert client.send("GET", "/certificates").status == 401


def test_bundle_shows_newest_version_in_azures_form(vault: Vault, world: World) -> None:
    """A GET of a certificate without a version returns its newest version, in Key Vault's JSON form.

    In Azure's form, the thumbprint `x5t` has no base64 padding, and times are integers.
    """
    newest = vault.certificates["shop"].newest
    bundle = Client(world).get("/certificates/shop/")
    assert bundle["id"] == f"{URL}/certificates/shop/{newest.id}"
    assert bundle["sid"] == f"{URL}/secrets/shop/{newest.id}"
    assert "=" not in bundle["x5t"]
    assert base64.urlsafe_b64decode(bundle["x5t"] + "=").hex().upper() == newest.thumbprint
    assert bundle["attributes"]["exp"] == int(newest.not_after.timestamp())
    assert bundle["policy"]["key_props"]["exportable"] is True
    assert bundle["policy"]["secret_props"] == {"contentType": "application/x-pkcs12"}
    assert x509.load_der_x509_certificate(base64.b64decode(bundle["cer"])).issuer == authority().issuer.subject


@pytest.mark.parametrize("path", ["/certificates/shop", "/certificates/shop/", "/certificates/SHOP/"])
def test_names_match_in_any_spelling(vault: Vault, world: World, path: str) -> None:
    """Key Vault finds a certificate in any letter case, with or without a trailing slash."""
    assert Client(world).get(path)["id"].endswith(vault.certificates["shop"].newest.id)


def test_older_version_is_read_by_its_id(vault: Vault, world: World) -> None:
    """An older certificate version stays readable by its id."""
    oldest = vault.certificates["shop"].versions[0]
    bundle = Client(world).get(f"/certificates/shop/{oldest.id}")
    assert bundle["id"].endswith(oldest.id)
    assert bundle["tags"] == {"certroll": "off"}


@pytest.mark.parametrize("version", ["7.4", "2025-07-01", "2016-10-01", "7.6-preview.2"])
def test_both_forms_of_api_version_are_taken(world: World, version: str) -> None:
    """Key Vault accepts numbered and dated api-versions."""
    assert Client(world).send("GET", "/certificates/shop/", version=version).status == 200


def test_request_without_api_version_is_refused(world: World) -> None:
    """Key Vault refuses a request without an api-version."""
    assert error_of(Client(world).send("GET", "/certificates/shop/", version=None)) == (400, "BadParameter", None)


def test_lists_come_in_pages(vault: Vault, world: World) -> None:
    """Key Vault lists every certificate exactly once over all its pages."""
    for number in range(4):
        vault.add(f"extra-{number}", [f"extra-{number}.contoso.com"])
    world.knobs.page_size = 2
    client = Client(world)
    page, names, pages = client.get("/certificates"), [], 1
    names += [item["id"].rpartition("/")[2] for item in page["value"]]
    while page["nextLink"]:
        page, pages = client.get(page["nextLink"]), pages + 1
        names += [item["id"].rpartition("/")[2] for item in page["value"]]
    assert pages == 3
    assert sorted(names) == ["extra-0", "extra-1", "extra-2", "extra-3", "shop"]


def test_versions_do_not_come_in_order_of_age(vault: Vault, world: World) -> None:
    """Key Vault lists all versions of a certificate, but not in order of age."""
    for _ in range(8):
        world.clock.advance(timedelta(days=1))
        vault.renew("shop")
    items = Client(world).get("/certificates/shop/versions")["value"]
    listed = [item["id"].rpartition("/")[2] for item in items]
    by_age = [version.id for version in vault.certificates["shop"].versions]
    assert sorted(listed) == sorted(by_age)
    assert listed not in (by_age, by_age[::-1])
    assert all("cer" not in item and "policy" not in item for item in items)


def test_every_version_has_a_thumbprint_of_its_own(vault: Vault) -> None:
    """All versions have different thumbprints, although the local authority reuses keys."""
    for _ in range(10):
        vault.renew("shop")
    thumbprints = {version.thumbprint for version in vault.certificates["shop"].versions}
    assert len(thumbprints) == 12


def test_renewal_keeps_names_and_takes_differences(vault: Vault) -> None:
    """A renewal keeps the certificate's host names unless the test asks for differences."""
    same = vault.renew("shop")
    other = vault.renew("shop", host_names=["other.contoso.com"], self_signed=True, enabled=False, key_size=1024)
    assert same.host_names == ("shop.contoso.com", "*.shop.contoso.com")
    assert other.host_names == ("other.contoso.com",)
    assert other.leaf.self_signed
    assert not other.enabled
    assert other.leaf.certificate.public_key().key_size == 1024  # type: ignore[union-attr]  # RSA by policy


def test_disabling_and_tagging_change_one_version(vault: Vault, world: World) -> None:
    """A PATCH changes only the named properties of one certificate version."""
    oldest, newest = vault.certificates["shop"].versions
    payload = {"attributes": {"enabled": False}, "tags": {"team": "web"}}
    answer = Client(world).send("PATCH", f"/certificates/shop/{newest.id}", payload)
    assert answer.json()["attributes"]["enabled"] is False
    assert (newest.enabled, newest.tags, oldest.enabled) == (False, {"team": "web"}, True)


def test_secret_holds_pfx_without_password(vault: Vault, world: World) -> None:
    """The secret of a certificate version is a PFX without password that contains key, certificate and chain."""
    secret = Client(world).get("/secrets/shop/")
    key, certificate, above = pkcs12.load_key_and_certificates(base64.b64decode(secret["value"]), None)
    assert (secret["contentType"], secret["managed"]) == ("application/x-pkcs12", True)
    assert key is not None
    assert certificate == vault.certificates["shop"].newest.leaf.certificate
    assert above == [authority().issuer]


def test_secret_of_unexportable_key_has_no_key(vault: Vault, world: World) -> None:
    """The secret of a certificate lacks the private key if the key is not exportable."""
    vault.renew("shop", exportable=False)
    value = base64.b64decode(Client(world).get("/secrets/shop")["value"])
    key, certificate, above = pkcs12.load_key_and_certificates(value, None)
    assert key is None
    assert certificate is not None or above


def test_secret_of_pem_certificate_is_pem(vault: Vault, world: World) -> None:
    """The secret of a certificate with PEM content type is in PEM."""
    vault.renew("shop", content_type="application/x-pem-file")
    secret = Client(world).get("/secrets/shop")
    assert secret["contentType"] == "application/x-pem-file"
    assert secret["value"].startswith("-----BEGIN PRIVATE KEY-----")


def test_secret_of_disabled_version_is_refused(vault: Vault, world: World) -> None:
    """Key Vault shows a disabled certificate version, and refuses to return its secret."""
    vault.certificates["shop"].newest.enabled = False
    client = Client(world)
    assert client.get("/certificates/shop/")["attributes"]["enabled"] is False
    assert error_of(client.send("GET", "/secrets/shop/")) == (403, "Forbidden", "SecretDisabled")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/certificates/none/", "CertificateNotFound"),
        ("/certificates/shop/0123", "CertificateNotFound"),
        ("/secrets/none/", "SecretNotFound"),
        ("/certificates/shop/pending", "PendingCertificateNotFound"),
        ("/deletedcertificates/shop", "CertificateNotFound"),
    ],
)
def test_what_is_not_there_is_not_found(world: World, path: str, code: str) -> None:
    """Key Vault answers 404 with its own error code for each kind of missing object."""
    assert error_of(Client(world).send("GET", path)) == (404, code, None)


@pytest.mark.parametrize(
    ("how", "inner"), [("rbac", "ForbiddenByRbac"), ("policy", "AccessDenied"), ("firewall", "ForbiddenByFirewall")]
)
def test_denied_principal_is_refused_while_others_read(vault: Vault, world: World, how: Mechanism, inner: str) -> None:
    """A Key Vault denial affects only the denied principal, and the refusal names the mechanism."""
    vault.deny(CERTROLL.object_id, how)
    assert error_of(Client(world, CERTROLL).send("GET", "/certificates")) == (403, "Forbidden", inner)
    assert Client(world, OPERATOR).send("GET", "/certificates").status == 200
    vault.allow(CERTROLL.object_id)
    assert Client(world, CERTROLL).send("GET", "/certificates").status == 200


def test_denial_can_concern_secrets_alone(vault: Vault, world: World) -> None:
    """A principal whose access to secrets is denied can still read certificates."""
    vault.deny(CERTROLL.object_id, operations=["secrets/*"])
    client = Client(world, CERTROLL)
    assert client.send("GET", "/certificates/shop/").status == 200
    assert client.send("GET", "/secrets/shop/").status == 403


def test_created_certificate_is_in_progress_first(world: World) -> None:
    """Creating a certificate answers 202 `inProgress`, and the next read shows `completed`."""
    client = Client(world)
    policy = {"issuer": {"name": "Local"}, "x509_props": {"subject": "CN=new.contoso.com"}}
    created = client.send("POST", "/certificates/new/create", {"policy": policy, "tags": {"a": "b"}})
    assert (created.status, created.json()["status"]) == (202, "inProgress")
    assert client.get("/certificates/new/pending")["status"] == "completed"
    assert client.get("/certificates/new/")["tags"] == {"a": "b"}


def test_self_issuer_signs_itself(vault: Vault, world: World) -> None:
    """The issuer `Self` gives a self-signed certificate."""
    policy = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=x.com", "sans": {"dns_names": ["x.com"]}}}
    Client(world).send("POST", "/certificates/own/create", {"policy": policy})
    assert vault.certificates["own"].newest.leaf.self_signed


def test_unknown_issuer_waits_for_a_merge(vault: Vault, world: World) -> None:
    """A certificate with the issuer `Unknown` stays pending until a signed certificate is merged."""
    client = Client(world)
    policy = {"issuer": {"name": "Unknown"}, "x509_props": {"subject": "CN=x.com", "sans": {"dns_names": ["x.com"]}}}
    created = client.send("POST", "/certificates/merged/create", {"policy": policy}).json()
    assert client.send("GET", "/certificates/merged/").status == 404
    now = world.clock.now()
    csr = x509.load_der_x509_csr(base64.b64decode(created["csr"]))
    leaf = authority().sign(csr, now, now + timedelta(days=90))
    stranger = vault.certificates["shop"].newest.leaf
    refused = client.send("POST", "/certificates/merged/pending/merge", {"x5c": [_b64(stranger.der)]})
    assert error_of(refused) == (400, "BadParameter", None)
    merged = client.send("POST", "/certificates/merged/pending/merge", {"x5c": [_b64(leaf.der)]})
    assert merged.status == 201
    assert vault.newest_importable("merged").host_names == ("x.com",)
    assert client.send("GET", "/certificates/merged/pending").status == 404


def test_pending_operation_can_be_cancelled_and_deleted(world: World) -> None:
    """A client can cancel and delete the pending creation of a certificate that no client has merged yet."""
    client = Client(world)
    client.send("POST", "/certificates/stuck/create", {"policy": {"issuer": {"name": "Unknown"}}})
    cancelled = client.send("PATCH", "/certificates/stuck/pending", {"cancellation_requested": True})
    assert cancelled.json()["status"] == "cancelled"
    assert client.send("DELETE", "/certificates/stuck/pending").status == 200
    assert client.send("GET", "/certificates/stuck/pending").status == 404


@pytest.mark.parametrize("password", ["", "secret"])
def test_pfx_import_becomes_the_newest_version(vault: Vault, world: World, password: str) -> None:
    """An imported PFX becomes the newest version, without the tags of the earlier version."""
    now = world.clock.now()
    other = world.new_vault("kv-other", subscription=SUBSCRIPTION, resource_group="rg")
    leaf = other.add("x", ["imported.contoso.com"], not_before=now).leaf
    blob = leaf.pfx()
    if password:
        lock = BestAvailableEncryption(password.encode())
        blob = pkcs12.serialize_key_and_certificates(None, leaf.private_key, leaf.certificate, None, lock)
    answer = Client(world).send("POST", "/certificates/shop/import", {"value": _b64(blob), "pwd": password})
    assert answer.status == 200
    newest = vault.certificates["shop"].newest
    assert (newest.thumbprint, newest.host_names, newest.tags) == (leaf.thumbprint, ("imported.contoso.com",), {})


@pytest.mark.parametrize("encoded", [False, True])
def test_pem_import_keeps_its_content_type(vault: Vault, world: World, *, encoded: bool) -> None:
    """A certificate imported as PEM stays PEM, which App Service cannot import."""
    leaf = vault.certificates["shop"].newest.leaf
    pem = leaf.private_key_pem + leaf.certificate_pem
    value = _b64(pem) if encoded else pem.decode()
    assert Client(world).send("POST", "/certificates/pem/import", {"value": value}).status == 200
    with pytest.raises(VaultObjectUnusable, match="x-pkcs12"):
        vault.newest_importable("pem")


@pytest.mark.parametrize("value", ["", "bm90IGEgcGZ4", "-----BEGIN NONSENSE-----"])
def test_unreadable_import_is_refused(vault: Vault, world: World, value: str) -> None:
    """Key Vault refuses to import a value that is neither PFX nor PEM, and creates no certificate."""
    answer = Client(world).send("POST", "/certificates/broken/import", {"value": value})
    assert error_of(answer) == (400, "BadParameter", None)
    assert vault.certificate("broken") is None


def test_policy_change_shapes_the_next_version_only(vault: Vault, world: World) -> None:
    """A changed policy is shown at once, and applies from the next renewal on."""
    client = Client(world)
    payload = {"x509_props": {"sans": {"dns_names": ["wide.contoso.com"]}}}
    changed = client.send("PATCH", "/certificates/shop/policy", payload).json()
    assert changed["x509_props"]["sans"]["dns_names"] == ["wide.contoso.com"]
    assert vault.certificates["shop"].newest.host_names[0] == "shop.contoso.com"
    assert vault.renew("shop").host_names == ("wide.contoso.com",)


def test_deleted_certificate_comes_back_whole(world: World) -> None:
    """A deleted certificate keeps its name taken until a client recovers it with all versions, or purges it."""
    client = Client(world)
    assert client.send("DELETE", "/certificates/shop").json()["recoveryId"].endswith("/deletedcertificates/shop")
    assert client.send("GET", "/certificates/shop/").status == 404
    assert client.send("POST", "/certificates/shop/create", {}).status == 409
    assert client.send("POST", "/deletedcertificates/shop/recover").status == 200
    assert len(client.get("/certificates/shop/versions")["value"]) == 2
    client.send("DELETE", "/certificates/shop")
    assert client.send("DELETE", "/deletedcertificates/shop").status == 204
    assert client.send("GET", "/deletedcertificates/shop").status == 404


def test_app_service_imports_the_newest_version(vault: Vault) -> None:
    """App Service imports the newest version, with its private key and issuer."""
    found = vault.newest_importable("Shop")
    assert found.thumbprint == vault.certificates["shop"].newest.thumbprint
    assert found.subject_name == "shop.contoso.com,*.shop.contoso.com"
    assert found.issuer == "Certroll Local Issuing CA"
    assert found.private_key_pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert not found.self_signed


def test_app_service_refuses_what_it_cannot_use(vault: Vault) -> None:
    """Each reason for which the simulated vault refuses an import raises its own exception."""
    with pytest.raises(VaultObjectMissing):
        vault.newest_importable("none")
    vault.renew("shop", exportable=False)
    with pytest.raises(VaultObjectUnusable, match="exportable"):
        vault.newest_importable("shop")
    vault.renew("shop", exportable=True, key_type="EC")
    with pytest.raises(VaultObjectUnusable, match="elliptic"):
        vault.newest_importable("shop")
    vault.renew("shop", key_type="RSA", enabled=False)
    with pytest.raises(VaultObjectDisabled):
        vault.newest_importable("shop")
    vault.latest_skips_disabled = True
    vault.deny(APP_SERVICE)
    with pytest.raises(VaultDenied):
        vault.newest_importable("shop")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_restore_of_a_backup_makes_the_oldest_version_the_newest(world: World, vault: Vault) -> None:
    """After a restore, a read without a version gets the oldest version, which was created last."""
    client, oldest = Client(world), vault.certificates["shop"].versions[0]
    backup_and_restore(vault, "shop")
    listed = client.get("/certificates/shop/versions")["value"]
    created = {item["id"].rpartition("/")[2]: item["attributes"]["created"] for item in listed}
    assert client.get("/certificates/shop")["id"].rpartition("/")[2] == oldest.id
    assert max(created, key=lambda name: created[name]) == oldest.id


def test_key_of_a_version_says_whether_it_is_exportable(world: World, vault: Vault) -> None:
    """The key of a vault certificate's version shows the version's own exportability, whatever the policy says now."""
    certificate = vault.certificates["shop"]
    newest = vault.renew("shop", exportable=False)
    certificate.policy = replace(certificate.policy, exportable=True)
    client = Client(world)
    shown = [client.get(f"/keys/shop/{version.id}")["attributes"]["exportable"] for version in certificate.versions]
    assert shown == [True, True, False]
    assert client.get("/certificates/shop")["policy"]["attributes"]["updated"] > wire.unix(newest.created)
