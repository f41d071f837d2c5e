"""These tests read and write secrets of the local Key Vault with Microsoft's own client."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential  # noqa: TID251 - a client from outside
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.secrets import SecretClient
from cryptography.hazmat.primitives.serialization import pkcs12

from local.azure.entra.tokens import OPERATOR, TENANT
from local.azure.vault.vault import Vault
from local.azure.world import World
from local.stand import Stand
from local.worlds.builders import Builder

URL = "https://kv-shop.vault.azure.net"


@pytest.fixture
def world() -> World:
    """Build a simulated Azure with a vault that has one certificate."""
    build = Builder()
    build.add_vault("kv-shop")
    build.add_certificate("shop", ["shop.contoso.com"])
    return build.world


@pytest.fixture
def vault(world: World) -> Vault:
    """Return the vault, which has one certificate."""
    return world.vaults["kv-shop"]


@pytest.fixture
def credential(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClientSecretCredential]:
    """Yield the operator's credential, while this process uses the local Azure."""
    with Stand(world) as stand, ClientSecretCredential(TENANT, OPERATOR.client_id, str(OPERATOR.secret)) as operator:
        for name, value in stand.environment().items():
            monkeypatch.setenv(name, value)
        yield operator


@pytest.fixture
def client(credential: ClientSecretCredential) -> Iterator[SecretClient]:
    """Yield Microsoft's client for the vault's secrets."""
    with SecretClient(URL, credential, retry_total=0) as client:
        yield client


@pytest.fixture
def certificates(credential: ClientSecretCredential) -> Iterator[CertificateClient]:
    """Yield Microsoft's client for the vault's certificates."""
    with CertificateClient(URL, credential, retry_total=0) as client:
        yield client


def code_of(error: HttpResponseError) -> tuple[int | None, str | None]:
    """Return the status and the inner error code of a refusal."""
    answer = error.response.json() if error.response else {}  # type: ignore[union-attr]  # azure-core has it
    return error.status_code, answer["error"].get("innererror", {}).get("code")


def test_secret_is_read_as_it_was_set(client: SecretClient) -> None:
    """Key Vault returns a secret's value, content type, tags and dates as they were set.

    An older version of a vault secret stays readable by its id.
    """
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    first = client.set_secret("db", "one", content_type="text/plain", tags={"team": "web"}, not_before=begin)
    client.set_secret("db", "two", expires_on=end)
    newest, oldest = client.get_secret("db"), client.get_secret("db", first.properties.version)
    assert (newest.value, newest.properties.expires_on, newest.properties.content_type) == ("two", end, None)
    assert (oldest.value, oldest.properties.not_before, oldest.properties.expires_on) == ("one", begin, None)
    assert (oldest.properties.content_type, oldest.properties.tags) == ("text/plain", {"team": "web"})
    assert newest.properties.managed is None


def test_values_are_in_no_list_and_no_repr(vault: Vault, world: World, client: SecretClient) -> None:
    """Key Vault shows a secret's value only to a client that reads that version.

    Lists, reprs, the request journal, events and errors never contain a secret's value.
    """
    client.set_secret("db", "s3cr3t-marker")
    seen = [repr(secret.__dict__) for secret in client.list_properties_of_secrets()]
    seen += [repr(vault.secrets["db"]), repr(world.journal.to_json()), repr(world.events.emitted)]
    client.begin_delete_secret("db").wait()
    with pytest.raises(ResourceNotFoundError) as gone:
        client.get_secret("db")
    assert "s3cr3t-marker" not in "".join([*seen, str(gone.value)])


def test_list_shows_plain_secrets_and_those_behind_certificates(
    vault: Vault, world: World, client: SecretClient
) -> None:
    """Key Vault lists each secret once, with the properties of its newest version.

    A secret that belongs to a certificate is marked as managed.
    """
    client.set_secret("db", "one")
    client.set_secret("db", "two", content_type="text/plain", enabled=False)
    vault.set_pfx_secret("order", ["www.contoso.com"])
    vault.set_pfx_secret("chain", ["www.contoso.com"], pem=True)
    world.knobs.page_size = 2
    found = {
        secret.name: (secret.managed, secret.content_type, secret.enabled)
        for secret in client.list_properties_of_secrets()
    }
    assert found == {
        "chain": (None, "application/x-pem-file", True),
        "db": (None, "text/plain", False),
        "order": (None, "application/x-pkcs12", True),
        "shop": (True, "application/x-pkcs12", True),
    }


def test_versions_of_either_kind_are_listed(vault: Vault, client: SecretClient) -> None:
    """Key Vault lists all versions of a secret, but in no order of age.

    Key Vault's list of the versions of an unknown secret is empty.
    """
    plain = [client.set_secret("db", str(number)).properties.version for number in range(8)]
    managed = [vault.certificates["shop"].newest.id, vault.renew("shop").id]
    listed = [version.version for version in client.list_properties_of_secret_versions("DB")]
    assert sorted(map(str, listed)) == sorted(map(str, plain))
    assert listed not in (plain, plain[::-1])
    assert {version.version for version in client.list_properties_of_secret_versions("shop")} == set(managed)
    assert list(client.list_properties_of_secret_versions("none")) == []


def test_disabled_version_is_listed_but_not_handed_out(client: SecretClient) -> None:
    """An update changes only one version of a secret. Key Vault refuses to return a disabled version's value."""
    first = client.set_secret("db", "one", tags={"a": "b"})
    second = client.set_secret("db", "two")
    changed = client.update_secret_properties("db", second.properties.version, enabled=False, content_type="x")
    assert (changed.enabled, changed.content_type) == (False, "x")
    with pytest.raises(HttpResponseError) as refused:
        client.get_secret("db")
    assert code_of(refused.value) == (403, "SecretDisabled")
    assert client.get_secret("db", first.properties.version).properties.tags == {"a": "b"}


def test_deleted_secret_holds_its_name_and_comes_back_whole(client: SecretClient) -> None:
    """A deleted secret keeps its name taken, and a recovery restores all its versions.

    A purge frees a deleted secret's name.
    """
    client.set_secret("db", "one")
    client.set_secret("db", "two")
    assert client.begin_delete_secret("db").result().recovery_id == f"{URL}/deletedsecrets/db"
    assert [secret.name for secret in client.list_deleted_secrets()] == ["db"]
    with pytest.raises(ResourceExistsError):
        client.set_secret("DB", "three")
    client.begin_recover_deleted_secret("db").wait()
    assert len(list(client.list_properties_of_secret_versions("db"))) == 2
    client.begin_delete_secret("db").wait()
    client.purge_deleted_secret("db")
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret("db")
    assert client.set_secret("db", "new").value == "new"


def test_secret_of_a_certificate_cannot_be_changed_as_a_secret(vault: Vault, client: SecretClient) -> None:
    """Key Vault refuses to set, change or delete a certificate's secret through `/secrets`."""
    for change in (
        lambda: client.set_secret("shop", "x"),
        lambda: client.update_secret_properties("shop", enabled=False),
        lambda: client.begin_delete_secret("shop"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            change()
        assert code_of(refused.value) == (403, "SecretManagedByKeyVault")
    assert vault.certificates["shop"].newest.enabled
    key = client.get_secret("shop").properties.key_id
    assert key == f"{URL}/keys/shop/{vault.certificates['shop'].newest.id}"


def test_certificate_cannot_take_the_name_of_a_secret(vault: Vault, certificates: CertificateClient) -> None:
    """Key Vault refuses a certificate under the name of a plain secret, even of a deleted secret."""
    leaf = vault.certificates["shop"].newest.leaf
    vault.set_secret("db", "one")
    vault.set_secret("old", "one")
    vault.delete_secret("old")
    for name in ("db", "OLD"):
        with pytest.raises(ResourceExistsError):
            certificates.import_certificate(name, leaf.pfx())
    with pytest.raises(ValueError, match="plain secret"):
        vault.add("db", ["shop.contoso.com"])
    with pytest.raises(ValueError, match="is a certificate"):
        vault.set_secret("Shop", "one")


def test_deleted_certificate_keeps_its_name_from_secrets(vault: Vault, client: SecretClient) -> None:
    """Key Vault refuses a secret under the name of a deleted certificate."""
    vault.delete("shop")
    with pytest.raises(ResourceExistsError):
        client.set_secret("shop", "x")
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("shop")


@pytest.mark.parametrize("right", ["get", "list", "set"])
def test_denial_takes_one_right(vault: Vault, client: SecretClient, right: str) -> None:
    """A denial of the right to read, list or set secrets leaves the principal's other rights unchanged.

    Key Vault's refusal names the denied action.
    """
    vault.set_secret("db", "one")
    vault.deny(OPERATOR.object_id, operations=[f"secrets/{right}"])
    deeds = {
        "get": lambda: client.get_secret("db"),
        "list": lambda: list(client.list_properties_of_secrets()),
        "set": lambda: client.set_secret("db", "two"),
    }
    actions = {"get": "getSecret/action", "list": "readMetadata/action", "set": "setSecret/action"}
    with pytest.raises(HttpResponseError) as refused:
        deeds.pop(right)()
    assert code_of(refused.value) == (403, "ForbiddenByRbac")
    assert f"Microsoft.KeyVault/vaults/secrets/{actions[right]}" in str(refused.value)
    for deed in deeds.values():
        deed()


def test_certificate_in_a_secret_is_a_pfx_without_password(vault: Vault, client: SecretClient) -> None:
    """`set_pfx_secret` stores key, certificate and chain as a PFX without a password.

    App Service also stores purchased certificates as a PFX without a password in a vault secret.
    """
    version = vault.set_pfx_secret("order", ["www.contoso.com"])
    secret = client.get_secret("order")
    key, certificate, above = pkcs12.load_key_and_certificates(base64.b64decode(str(secret.value)), None)
    assert key is not None
    assert certificate == version.leaf.certificate
    assert len(above) == 1
    assert version.host_names == ("www.contoso.com",)
    assert secret.properties.not_before is None


def test_certificate_in_a_secret_differs_as_asked(vault: Vault, client: SecretClient) -> None:
    """`set_pfx_secret` stores a certificate with other dates, another key type or as PEM on request."""
    begin = datetime(2026, 5, 1, tzinfo=UTC)
    vault.set_pfx_secret("order", ["www.contoso.com"], pem=True, not_before=begin, key_type="EC", dated=True)
    secret = client.get_secret("order")
    assert str(secret.value).startswith("-----BEGIN PRIVATE KEY-----")
    assert secret.properties.content_type == "application/x-pem-file"
    assert secret.properties.not_before == begin
    assert vault.secrets["order"].newest.leaf.key_type == "EC"


@pytest.mark.parametrize("pem", [True, False])
def test_renewed_secret_is_like_the_one_before(vault: Vault, *, pem: bool) -> None:
    """`renew_secret` keeps host names, key type and format of the earlier version, and drops its tags."""
    first = vault.set_pfx_secret("order", ["www.contoso.com"], pem=pem, key_type="EC", tags={"certroll": "off"})
    second = vault.renew_secret("ORDER")
    assert (second.is_pem, second.content_type, second.host_names) == (pem, first.content_type, first.host_names)
    assert (second.leaf.key_type, second.tags) == ("EC", {})
    assert second.thumbprint != first.thumbprint
    assert vault.renew_secret("order", ["a.contoso.com"]).host_names == ("a.contoso.com",)


def test_value_without_a_certificate_has_no_thumbprint(vault: Vault) -> None:
    """A secret that holds a password raises an error when a test asks for its thumbprint."""
    with pytest.raises(ValueError, match="holds no certificate"):
        _ = vault.set_secret("db", "correct horse").thumbprint
