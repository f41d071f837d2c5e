"""Check what Certroll relies on when it reads vaults, vault certificates and the rights on a vault."""

import base64

import pytest

from shared.clients.vault.x509_fields import thumbprint_of
from shared.domain.errors import NotFound
from shared.domain.fleet.vault_access import TO_IMPORT
from shared.domain.names import VaultCertificateRef
from tests.contract.apis import DATA_API
from tests.contract.making import Rig
from tests.contract.operations import Recording

NAMES = ("vault.example.net", "*.vault.example.net")


@pytest.fixture(scope="session")
def certificate(rig: Rig) -> VaultCertificateRef:
    """Return a vault certificate with two versions."""
    for _ in range(2):
        rig.make_certificate("two-versions", NAMES)
    return rig.certificate("two-versions")


@pytest.mark.operations("vault.lineage", "vault.names", "vault.holding")
def test_a_lineage_has_all_versions(azure: Recording, rig: Rig, certificate: VaultCertificateRef) -> None:
    """The list of versions has thumbprint, dates and state of each version, and a read without a version the newest."""
    lineage = azure.vault.lineage(certificate, rig.place.clock.now())
    assert len(lineage.versions) == 2
    assert len({version.thumbprint for version in lineage.versions}) == 2
    assert all(version.enabled and version.not_after > version.not_before for version in lineage.versions)
    newest, older = lineage.versions
    assert newest.created >= older.created
    assert certificate in azure.vault.names(rig.vault).found
    held = azure.vault.holding(rig.vault, frozenset({newest.thumbprint}))
    assert held.found == (certificate,)
    assert lineage.key.exportable
    assert lineage.key.content_type == "application/x-pkcs12"


@pytest.mark.operations("vault.pfx", "vault.public_part", "vault.facts")
def test_a_secret_has_the_key_of_its_version(azure: Recording, rig: Rig, certificate: VaultCertificateRef) -> None:
    """The secret of a version holds the private key and the certificate that the version's thumbprint names."""
    for version in azure.vault.lineage(certificate, rig.place.clock.now()).versions:
        der = azure.vault.public_part(certificate, version.version, version.thumbprint)
        facts = azure.vault.facts(certificate, version.version, version.thumbprint)
        assert facts.host_names
        assert thumbprint_of(der) == version.thumbprint
        pfx = azure.vault.pfx(certificate, version.version, version.thumbprint)
        assert pfx.blob
        assert pfx.bundle is not None


@pytest.mark.operations("vault.secret_names", "vault.lineage")
def test_a_secret_with_a_certificate_is_told_from_the_secret_behind_one(
    azure: Recording, rig: Rig, certificate: VaultCertificateRef
) -> None:
    """The list of secrets marks the secrets behind certificates as managed, and shows the content type of others."""
    url = f"https://{rig.vault}.vault.azure.net/secrets"
    behind = rig.place.vaults.expect("GET", f"{url}/{certificate.name}?api-version={DATA_API}")
    body = {"value": behind["value"], "contentType": "application/x-pkcs12"}
    rig.place.vaults.expect("PUT", f"{url}/plain-pfx?api-version={DATA_API}", body)
    rig.place.vaults.expect("PUT", f"{url}/password?api-version={DATA_API}", {"value": "x"})
    plain = VaultCertificateRef.parse(rig.vault, "secret", "plain-pfx")
    found = rig.place.until("the secret is listed", lambda: azure.vault.secret_names(rig.vault).found, bool)
    assert found.value == (plain,)
    versions = azure.vault.lineage(certificate, rig.place.clock.now()).versions
    (held,) = azure.vault.lineage(plain, rig.place.clock.now()).versions
    assert held.thumbprint == versions[0].thumbprint
    assert base64.b64decode(behind["value"])


@pytest.mark.operations("vault.lineage")
def test_a_missing_certificate(azure: Recording, rig: Rig) -> None:
    """A certificate that a vault does not have is NotFound, by a 404 or by an empty list of versions."""
    missing = VaultCertificateRef.parse(rig.vault, "certificate", "is-not-there")
    with pytest.raises(NotFound):
        azure.vault.lineage(missing, rig.place.clock.now())


@pytest.mark.operations("vault_rights.vaults", "vault_rights.settings")
def test_the_rights_on_a_vault_with_access_policies(azure: Recording, rig: Rig) -> None:
    """ARM's list of resources names the vault, and a read of the vault shows each access policy with its rights."""
    listed = rig.place.until(
        "the vault is listed",
        lambda: dict(azure.vault_rights.vaults(rig.place.subscription)),
        lambda vaults: rig.vault in vaults,
    )
    assert listed.value[rig.vault].lower() == rig.vault_id.lower()
    settings = azure.vault_rights.settings(rig.vault_id)
    assert not settings.uses_roles
    assert settings.open_to_all
    rights = {policy.object_id.lower(): policy.rights for policy in settings.policies}
    assert rights[rig.place.app_service.lower()] == TO_IMPORT
