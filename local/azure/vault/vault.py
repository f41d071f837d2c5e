"""The state of Key Vault: vaults, their certificates and plain secrets, and the versions of both."""

import base64
import re
from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Required, TypedDict, Unpack

from local.azure.kernel import Kernel
from local.azure.principals import APP_SERVICE
from local.azure.vault.access import RoleAssignment
from local.azure.vault.authority import Leaf, Request, authority
from local.azure.vault.doors import Doors
from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.vault.objects import (
    AnyVersion_co,
    Differences,
    RenewalDifferences,
    VaultCertificate,
    VaultDenied,
    VaultMissing,
    VaultObjectDisabled,
    VaultObjectMissing,
    VaultObjectUnusable,
    Version,
    Versioned,
    check_name,
)
from local.azure.vault.policy import PEM, PKCS12, SELF, Policy
from local.azure.vault.secrets import Secret, SecretDifferences, SecretVersion, certificate_request
from local.azure.vault.successors import Successors

DAYS_PER_MONTH = 30
VAULT_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/providers/microsoft\.keyvault/vaults/(?P<name>[^/]+)/?",
    re.IGNORECASE,
)


class Place(TypedDict, total=False):
    """The subscription, resource group, location and tags of a vault."""

    subscription: Required[str]
    resource_group: Required[str]
    location: str
    tags: Mapping[str, str] | None


Announce = Callable[["Vault", VaultCertificate | Secret, Version | SecretVersion], None]
"""The function that a vault calls with each new version of an object."""


class Vault(Doors):
    """One vault, with its certificates and plain secrets by name in lower case, and its access control."""

    def __init__(
        self,
        kernel: Kernel,
        assignments: MutableMapping[str, RoleAssignment],
        announce: Announce,
        name: str,
        **place: Unpack[Place],
    ) -> None:
        """Make an empty vault that uses roles, so that Azure's own services (`PROVIDERS`) need a role assignment.

        The vault calls the function `announce` with each new version of a certificate or plain secret. If
        `latest_skips_disabled` is True, a read without a version returns the newest enabled version. Azure docs leave
        open whether Key Vault refuses a read without a version if the newest version is disabled. By default, the local
        Azure refuses to read a disabled secret, as Azure docs describe for secrets.
        """
        group = f"/subscriptions/{place['subscription']}/resourceGroups/{place['resource_group']}"
        super().__init__(kernel, assignments, f"{group}/providers/Microsoft.KeyVault/vaults/{name}")
        self._announce = announce
        self.name = name
        self.subscription = place["subscription"]
        self.resource_group = place["resource_group"]
        self.location = place.get("location", "westeurope")
        self.tags = dict(place.get("tags") or {})
        self.certificates: dict[str, VaultCertificate] = {}
        self.deleted: dict[str, VaultCertificate] = {}
        self.secrets: dict[str, Secret] = {}
        self.deleted_secrets: dict[str, Secret] = {}
        self.latest_skips_disabled = False
        self.retention_days = 90
        self.successors = Successors(kernel.clock)

    @property
    def url(self) -> str:
        """The address (URL) of the vault's data plane."""
        return f"https://{self.name.lower()}.vault.azure.net"

    def certificate(self, name: str) -> VaultCertificate | None:
        """Return the vault certificate with this name in upper or lower case, or None."""
        return self.certificates.get(name.lower())

    def secret(self, name: str) -> VaultCertificate | Secret | None:
        """Return the object that `/secrets/{name}` names: a certificate with versions, or a plain secret, or None."""
        certificate = self.certificate(name)
        return certificate if certificate and certificate.versions else self.secrets.get(name.lower())

    def add(
        self,
        name: str,
        host_names: Collection[str],
        *,
        policy: Policy | None = None,
        **differences: Unpack[Differences],
    ) -> Version:
        """Create a vault certificate for the given host names, and return its first version."""
        policy = policy or Policy(subject=f"CN={next(iter(host_names), name)}")
        with self.kernel.lock:
            self._entry(name, replace(policy, host_names=tuple(host_names)))
            return self.renew(name, **differences)

    def renew(self, name: str, **differences: Unpack[RenewalDifferences]) -> Version:
        """Create a version of the vault certificate with another private key, and return the version.

        If the vault certificate is a root, the new version is the root of a new authority.

        The new version of the vault certificate follows the certificate's policy, except for `differences`. If
        `differences` names a key type, key size, exportability or content type, the certificate's policy adopts the new
        value for later renewals. A property in `differences` such as a date or a tag applies only to the new version.
        """
        certificate = self.certificates[name.lower()]
        policy = _changed(certificate.policy, differences)
        if certificate.versions and certificate.newest.leaf.is_root:
            return self.append(certificate, self.successors.next_root(certificate.newest.leaf), policy, **differences)
        self_signed = differences.get("self_signed", policy.issuer_name == SELF)
        host_names = tuple(differences.get("host_names", policy.host_names))
        not_before = differences.get("not_before", differences.get("created", self.kernel.clock.now()))
        lifetime = timedelta(days=policy.validity_months * DAYS_PER_MONTH)
        not_after = differences.get("not_after", not_before + lifetime)
        wanted = Request(
            host_names,
            not_before,
            not_after,
            policy.key_type,
            policy.key_size,
            self_signed,
            tuple(differences.get("usages", policy.usages)),
            policy.subject_name if host_names == policy.host_names else None,
            odd=differences.get("odd", False),
        )
        return self.append(certificate, authority().issue(wanted), policy, **differences)

    def append(
        self, certificate: VaultCertificate, leaf: Leaf, policy: Policy, **differences: Unpack[RenewalDifferences]
    ) -> Version:
        """Append a version with this certificate, announce the version to subscribers, and return the version."""
        created = differences.get("created", self.kernel.clock.now())
        version = Version(
            id=self.new_id(),
            leaf=leaf,
            policy=policy,
            created=created,
            updated=created,
            enabled=differences.get("enabled", True),
            tags=dict(differences.get("tags", {})),
        )
        with self.kernel.lock:
            certificate.policy = policy
            certificate.versions.append(version)
            self._announce(self, certificate, version)
        return version

    def ensure(self, name: str, policy: Policy) -> VaultCertificate:
        """Return the vault certificate with this name; a missing certificate is created with this policy."""
        return self.certificate(name) or self._entry(name, policy)

    def delete(self, name: str) -> VaultCertificate:
        """Move the vault certificate to the deleted certificates (soft delete), and return the certificate."""
        certificate = self.certificates.pop(name.lower())
        certificate.deleted_at = self.kernel.clock.now()
        self.deleted[name.lower()] = certificate
        return certificate

    def recover(self, name: str) -> VaultCertificate:
        """Recover the deleted vault certificate, and return the certificate."""
        certificate = self.deleted.pop(name.lower())
        certificate.deleted_at = None
        self.certificates[name.lower()] = certificate
        return certificate

    def set_secret(
        self,
        name: str,
        value: str,
        *,
        content_type: str | None = None,
        tags: Mapping[str, str] | None = None,
        created: datetime | None = None,
        enabled: bool = True,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> SecretVersion:
        """Append a version to a plain secret, announce the version to subscribers, and return the version.

        A missing secret is created. Raise ValueError if the secret's name is invalid or belongs to a vault certificate.
        """
        check_name(name)
        if self.certificate(name):
            raise ValueError(f"{name} is a certificate of vault {self.name}; its secrets come with its versions.")
        moment = created or self.kernel.clock.now()
        version = SecretVersion(
            self.new_id(), value, moment, moment, content_type, enabled, dict(tags or {}), not_before, not_after
        )
        with self.kernel.lock:
            secret = self.secrets.setdefault(name.lower(), Secret(name))
            secret.versions.append(version)
            self._announce(self, secret, version)
        return version

    def set_pfx_secret(
        self, name: str, host_names: Collection[str], *, pem: bool = False, **differences: Unpack[SecretDifferences]
    ) -> SecretVersion:
        """Issue a certificate for the host names, store it in a plain secret, and return the secret's new version.

        By default, the value of the secret has the form of a purchased certificate: key, certificate and chain as
        PKCS12 without a password, in base64. If `pem` is True, the value of the secret is PEM.
        """
        created = differences.get("created", self.kernel.clock.now())
        leaf = authority().issue(certificate_request(tuple(host_names), created, differences))
        text = (leaf.private_key_pem + leaf.certificate_pem + leaf.chain_pem) if pem else base64.b64encode(leaf.pfx())
        dated = differences.get("dated", False)
        return self.set_secret(
            name,
            text.decode(),
            content_type=differences.get("content_type", PEM if pem else PKCS12),
            tags=differences.get("tags"),
            created=created,
            enabled=differences.get("enabled", True),
            not_before=leaf.certificate.not_valid_before_utc if dated else None,
            not_after=leaf.certificate.not_valid_after_utc if dated else None,
        )

    def renew_secret(
        self, name: str, host_names: Collection[str] | None = None, **differences: Unpack[SecretDifferences]
    ) -> SecretVersion:
        """Issue a new certificate for a plain secret that contains one, and return the secret's new version.

        The new version of the plain secret keeps the host names, key type and encoding, unless `differences` or
        `host_names` change them. The new version of the plain secret has no tags, unless `differences` names tags.
        If the secret holds a root, the new version holds the root of a new authority. Raise KeyError if the secret does
        not exist, and ValueError if the secret holds no certificate.
        """
        newest = self.secrets[name.lower()].newest
        if newest.leaf.is_root:
            value = self.successors.next_value(newest)
            return self.set_secret(name, value, content_type=newest.content_type, tags=differences.get("tags"))
        wanted: SecretDifferences = {"key_type": newest.leaf.key_type}
        if newest.content_type:
            wanted["content_type"] = newest.content_type
        wanted.update(differences)
        return self.set_pfx_secret(name, host_names or newest.host_names, pem=newest.is_pem, **wanted)

    def delete_secret(self, name: str) -> Secret:
        """Move the plain secret to the deleted secrets (soft delete), and return the secret."""
        secret = self.secrets.pop(name.lower())
        secret.deleted_at = self.kernel.clock.now()
        self.deleted_secrets[name.lower()] = secret
        return secret

    def recover_secret(self, name: str) -> Secret:
        """Recover the deleted plain secret, and return the secret."""
        secret = self.deleted_secrets.pop(name.lower())
        secret.deleted_at = None
        self.secrets[name.lower()] = secret
        return secret

    def latest(self, found: Versioned[AnyVersion_co]) -> AnyVersion_co:
        """Return the version of a vault object that a read without a version gets, enabled or not."""
        enabled = [version for version in found.versions if version.enabled]
        return enabled[-1] if self.latest_skips_disabled and enabled else found.versions[-1]

    def newest_importable(self, name: str, principal: str = APP_SERVICE) -> ImportedCertificate:
        """Return the certificate that App Service imports from this vault object.

        Raise VaultRefusal if the vault refuses to give the certificate to the principal. To import a certificate, App
        Service reads a plain secret, or the secret behind a vault certificate. According to Azure docs, the import of a
        vault certificate also needs App Service's right to read certificates. The simulation's knob
        `import_needs_certificates_get` decides whether an import needs the right to read certificates.
        """
        found = self.secret(name)
        if not self._may_import(principal, certificate=isinstance(found, VaultCertificate)):
            raise VaultDenied(f"The service does not have access to '{self.resource_id}' Key Vault.")
        if found is None:
            raise VaultObjectMissing(f"Vault {self.name} has no object {name}.")
        version: Version | SecretVersion = self.latest(found)
        if not version.enabled:
            raise VaultObjectDisabled(f"The newest version of {name} in vault {self.name} is disabled.")
        if version.import_problem:
            raise VaultObjectUnusable(f"The certificate cannot be imported: {version.import_problem}.")
        return imported(version.leaf, PKCS12)

    def _may_import(self, principal: str, *, certificate: bool) -> bool:
        both = certificate and self.kernel.knobs.import_needs_certificates_get
        needed = ("secrets/get", "certificates/get")[: 1 + both]
        return all(self.lets(principal, operation) for operation in needed)

    def new_id(self) -> str:
        """Return a fresh version id of 32 hexadecimal digits, which the simulated Azure's seed determines."""
        return f"{self.kernel.random.getrandbits(128):032x}"

    def _entry(self, name: str, policy: Policy) -> VaultCertificate:
        check_name(name)
        if name.lower() in self.secrets:
            raise ValueError(f"{name} is a plain secret of vault {self.name}; no certificate can have its name.")
        certificate = VaultCertificate(name, policy, self.kernel.clock.now())
        self.certificates[name.lower()] = certificate
        return certificate


@dataclass(frozen=True, slots=True)
class DeletedVault:
    """A vault in soft delete: its name stays taken until a purge, and a recovery brings the vault back."""

    vault: Vault
    deleted_at: datetime

    @property
    def purged_at(self) -> datetime:
        """The time at which Azure purges the vault by itself."""
        return self.deleted_at + timedelta(days=self.vault.retention_days)


def find_vault(vaults: Mapping[str, Vault], vault_id: str) -> Vault:
    """Return the vault with this resource id in upper or lower case; raise VaultMissing if no vault has the id."""
    match = VAULT_ID.fullmatch(vault_id)
    vault = vaults.get(match["name"].lower()) if match else None
    if vault is None or vault.resource_id.lower() != vault_id.rstrip("/").lower():
        raise VaultMissing(f"Key Vault '{vault_id}' does not exist.")
    return vault


def _changed(policy: Policy, differences: RenewalDifferences) -> Policy:
    return replace(
        policy,
        key_type=differences.get("key_type", policy.key_type),
        key_size=differences.get("key_size", policy.key_size),
        exportable=differences.get("exportable", policy.exportable),
        content_type=differences.get("content_type", policy.content_type),
    )
