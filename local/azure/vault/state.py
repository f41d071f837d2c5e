"""The state of Key Vault: vaults, their certificates and secrets, the versions of each, and who may read them."""

import base64
import re
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Protocol, Required, TypedDict, TypeVar, Unpack

from local.azure.kernel import Kernel
from local.azure.vault.access import (
    CERTIFICATE_USER,
    Access,
    AccessPolicy,
    Mechanism,
    NetworkRules,
    RoleAssignment,
    assignment,
)
from local.azure.vault.authority import CLIENT_AUTH, SERVER_AUTH, KeyType, Leaf, PrivateKey, Request, authority
from local.azure.vault.policy import PEM, PKCS12, SELF, Policy
from local.azure.vault.secrets import Secret, SecretDifferences, SecretVersion

APP_SERVICE = "abfa0a7c-a6b6-4736-8310-5855508787cd"
"""Application id of App Service in the public cloud (Azure docs, configure-ssl-certificate)."""
REGISTRATION = "f3c21649-0979-4721-ac85-b0216b2cf413"
"""Application id of purchased App Service certificates (Azure docs, configure-ssl-app-service-certificate)."""
PROVIDERS = (APP_SERVICE, REGISTRATION)
"""Whose access a vault's roles, policies and firewall decide; everybody else may do what no denial forbids."""
EVERYONE = "*"
DAYS_PER_MONTH = 30
NAME_RULE = re.compile(r"[0-9A-Za-z-]{1,127}")
PFX_SECRET_DAYS = 180
VAULT_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/providers/microsoft\.keyvault/vaults/(?P<name>[^/]+)/?",
    re.IGNORECASE,
)


class VaultRefusal(Exception):
    """The vault does not hand out what was asked for."""


class VaultDenied(VaultRefusal):
    """The caller may not read this vault."""


class VaultMissing(VaultRefusal):
    """No vault has that resource id."""


class VaultObjectMissing(VaultRefusal):
    """The vault has neither a certificate nor a secret of that name."""


class VaultObjectDisabled(VaultRefusal):
    """The newest version is disabled."""


class VaultObjectUnusable(VaultRefusal):
    """App Service cannot import the newest version: no certificate, no private key, PEM, or not an RSA key."""


@dataclass(frozen=True, slots=True)
class ImportedCertificate:
    """What App Service takes over from a vault, and what its front ends then serve."""

    thumbprint: str
    host_names: tuple[str, ...]
    subject_name: str
    issuer: str
    not_before: datetime
    not_after: datetime
    public_der: bytes = field(repr=False)
    private_key_pem: bytes = field(repr=False)
    chain_pem: bytes = field(repr=False)
    self_signed: bool
    content_type: str
    key_type: KeyType


@dataclass(slots=True)
class Version:
    """One version of a vault certificate; its certificate never changes, its attributes may."""

    id: str
    leaf: Leaf
    policy: Policy
    created: datetime
    updated: datetime
    enabled: bool = True
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the certificate in upper-case hex."""
        return self.leaf.thumbprint

    @property
    def not_before(self) -> datetime:
        """When the certificate's validity begins."""
        return self.leaf.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """When the certificate's validity ends."""
        return self.leaf.certificate.not_valid_after_utc

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names that the certificate covers."""
        return self.leaf.host_names

    @property
    def content_type(self) -> str:
        """The content type of the secret behind the version."""
        return self.policy.content_type

    @property
    def import_problem(self) -> str | None:
        """Why App Service cannot import this version, or None where it can.

        It reads the secret behind the certificate, which has to be a PFX without a password, of content type
        `application/x-pkcs12`, with an RSA key (Azure docs, configure-ssl-certificate).
        """
        problems = {
            "its private key is not exportable": not self.policy.exportable,
            f"its secret is not {PKCS12}": self.policy.content_type != PKCS12,
            "elliptic-curve keys cannot be imported from a vault": self.leaf.key_type != "RSA",
            "its secret holds no private key": self.leaf.private_key is None,
        }
        return next((problem for problem, applies in problems.items() if applies), None)

    def imported(self) -> ImportedCertificate:
        """Return what App Service keeps of this version."""
        return imported(self.leaf, self.policy.content_type)


def imported(leaf: Leaf, content_type: str = PKCS12) -> ImportedCertificate:
    """Return the certificate as App Service keeps it, whether it came from a vault or was uploaded."""
    return ImportedCertificate(
        thumbprint=leaf.thumbprint,
        host_names=leaf.host_names,
        subject_name=",".join(leaf.host_names),
        issuer=str(leaf.certificate.issuer.rdns[-1].rfc4514_string()).removeprefix("CN="),
        not_before=leaf.certificate.not_valid_before_utc,
        not_after=leaf.certificate.not_valid_after_utc,
        public_der=leaf.der,
        private_key_pem=leaf.private_key_pem,
        chain_pem=leaf.chain_pem,
        self_signed=leaf.self_signed,
        content_type=content_type,
        key_type=leaf.key_type,
    )


@dataclass(slots=True)
class Operation:
    """A certificate being made: it completes when somebody looks, or by a merge."""

    request_id: str
    policy: Policy
    tags: dict[str, str]
    enabled: bool
    key: PrivateKey | None = None
    csr: bytes = b""
    status: str = "inProgress"
    cancelled: bool = False
    version: str = ""


@dataclass(slots=True)
class VaultCertificate:
    """A certificate of a vault: a name, the policy for its next version, and the versions, oldest first."""

    name: str
    policy: Policy
    created: datetime
    versions: list[Version] = field(default_factory=list)
    pending: Operation | None = None
    deleted_at: datetime | None = None

    @property
    def newest(self) -> Version:
        """The version that was made last, whether enabled or not."""
        return self.versions[-1]

    def version(self, identifier: str) -> Version | None:
        """Return the version with that id, or None."""
        return next((version for version in self.versions if version.id == identifier), None)


AnyVersion_co = TypeVar("AnyVersion_co", bound=Version | SecretVersion, covariant=True)


class Versioned(Protocol[AnyVersion_co]):
    """A certificate or a plain secret: what has versions, oldest first."""

    @property
    def versions(self) -> Sequence[AnyVersion_co]:
        """The versions, oldest first."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Operations that a vault refuses a principal, and by which of its mechanisms."""

    principal: str
    how: Mechanism = "rbac"
    operations: frozenset[str] = frozenset({"*"})

    def covers(self, principal: str, operation: str) -> bool:
        """Whether this denial stands against that principal and operation."""
        concerned = self.principal == EVERYONE or self.principal.casefold() == principal.casefold()
        return concerned and any(fnmatchcase(operation, pattern) for pattern in self.operations)


class Differences(TypedDict, total=False):
    """In what a new version shall differ from what name and policy alone would give."""

    not_before: datetime
    not_after: datetime
    created: datetime
    key_type: KeyType
    key_size: int
    self_signed: bool
    enabled: bool
    exportable: bool
    content_type: str
    usages: Collection[str]
    tags: Mapping[str, str]


class Place(TypedDict, total=False):
    """Where a vault is, and its tags."""

    subscription: Required[str]
    resource_group: Required[str]
    location: str
    tags: Mapping[str, str] | None


class RenewalDifferences(Differences, total=False):
    """The same, where the names may differ too."""

    host_names: Collection[str]


Announce = Callable[["Vault", VaultCertificate | Secret, Version | SecretVersion], None]
"""What a vault calls with each new version of an object."""


class Vault:
    """One vault: certificates and plain secrets by lower-case name, who gets in, and the denials that stand.

    `access` says what Azure shows of it: it decides for App Service and for the registration of certificates
    (`PROVIDERS`). Everybody else may do everything, but for denials, which stand against anybody.
    """

    def __init__(
        self,
        kernel: Kernel,
        assignments: MutableMapping[str, RoleAssignment],
        announce: "Announce",
        name: str,
        **place: Unpack[Place],
    ) -> None:
        """Make an empty vault that goes by roles and lets no provider in; `latest_skips_disabled` is a knob.

        Whether a vault whose newest version is disabled refuses a read without a version (as secrets are documented
        to) or answers with the newest enabled one is not settled by the sources; the default is to refuse.
        """
        self.kernel = kernel
        self._assignments = assignments
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
        self.access = Access()
        self.denials: list[Denial] = []
        self.latest_skips_disabled = False

    @property
    def resource_id(self) -> str:
        """The vault's resource id, in the spelling it was made with."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.KeyVault/vaults/{self.name}"

    @property
    def url(self) -> str:
        """The address of the vault's data plane."""
        return f"https://{self.name.lower()}.vault.azure.net"

    def certificate(self, name: str) -> VaultCertificate | None:
        """Return the certificate of that name in any spelling, or None."""
        return self.certificates.get(name.lower())

    def secret(self, name: str) -> VaultCertificate | Secret | None:
        """Return what `/secrets/{name}` leads to, in any spelling: a certificate with versions, or a plain secret."""
        certificate = self.certificate(name)
        return certificate if certificate and certificate.versions else self.secrets.get(name.lower())

    def deny(self, principal: str = EVERYONE, how: Mechanism = "rbac", operations: Collection[str] = ("*",)) -> None:
        """Refuse these operations (`certificates/get`, `secrets/*` …) to that principal from now on."""
        self.denials.append(Denial(principal, how, frozenset(operations)))

    def allow(self, principal: str = EVERYONE) -> None:
        """Lift the denials that name that principal; `*` lifts all."""
        self.denials = [] if principal == EVERYONE else [kept for kept in self.denials if kept.principal != principal]

    def refusal(self, principal: str, operation: str) -> Denial | None:
        """Return what stands against that principal and operation: a denial, or no access; None where it may.

        A provider is known by its application id and by its object id alike.
        """
        known = next((one for one in PROVIDERS if principal.lower() in {one, self.kernel.object_id(one)}), principal)
        stated = next((denial for denial in self.denials if denial.covers(known, operation)), None)
        return stated or (self._no_access(known, operation) if known in PROVIDERS else None)

    def lets(self, principal: str, operation: str) -> bool:
        """Whether that principal may do that (`secrets/get`, `secrets/set`, `certificates/list` …) in this vault."""
        return self.refusal(principal, operation) is None

    def assign(self, application_id: str, role: str = CERTIFICATE_USER, scope: str | None = None) -> None:
        """Give the application that built-in role on this vault, or on a scope above it: a resource id."""
        principal, now = self.kernel.object_id(application_id), self.kernel.clock.now()
        given = assignment(principal, role, scope or self.resource_id, now)
        self._assignments[given.id.lower()] = given

    def unassign(self, application_id: str) -> None:
        """Take from the application the roles that it has on this vault, whether here or from above."""
        principal, assignments = self.kernel.object_id(application_id), self._assignments
        for key, one in tuple(assignments.items()):
            if one.concerns(principal) and one.reaches(self.resource_id):
                del assignments[key]

    def permit(
        self,
        application_id: str,
        *,
        secrets: Collection[str] = (),
        certificates: Collection[str] = (),
        keys: Collection[str] = (),
    ) -> None:
        """Make this the application's access policy, and the vault one that goes by access policies."""
        principal = self.kernel.object_id(application_id)
        own = AccessPolicy(principal, tuple(secrets), tuple(certificates), tuple(keys))
        self.access = replace(self.access, by_roles=False).with_policy(own)

    def close(self, bypass: str = "AzureServices") -> None:
        """Let only named networks in, and Microsoft's trusted services unless `bypass` is `None`, the word."""
        self.access = replace(self.access, network=NetworkRules(bypass, "Deny"))

    def _no_access(self, application_id: str, operation: str) -> Denial | None:
        principal = self.kernel.object_id(application_id)
        since = self.kernel.clock.now() - timedelta(seconds=self.kernel.knobs.role_seconds)
        given = (one for one in self._assignments.values() if one.gives(principal, self.resource_id, since))
        how = self.access.refusal(principal, operation, [one.role for one in given])
        return how and Denial(application_id, how, frozenset({operation}))

    def add(
        self,
        name: str,
        host_names: Collection[str],
        *,
        policy: Policy | None = None,
        **differences: Unpack[Differences],
    ) -> Version:
        """Return the first version of a new certificate for these host names."""
        policy = policy or Policy(subject=f"CN={next(iter(host_names), name)}")
        with self.kernel.lock:
            self._entry(name, replace(policy, host_names=tuple(host_names)))
            return self.renew(name, **differences)

    def renew(self, name: str, **differences: Unpack[RenewalDifferences]) -> Version:
        """Return a new version of the certificate: same names and policy, new key, but for the differences given.

        The differences concern this one version, as when an operator imports it; the certificate's policy takes over
        what an import would change (key, exportability, content type), and the next renewal keeps it.
        """
        certificate = self.certificates[name.lower()]
        policy = _changed(certificate.policy, differences)
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
        )
        return self.append(certificate, authority().issue(wanted), policy, **differences)

    def append(
        self, certificate: VaultCertificate, leaf: Leaf, policy: Policy, **differences: Unpack[RenewalDifferences]
    ) -> Version:
        """Return the new newest version of the certificate, made of that leaf; subscribers have been told."""
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
        """Return the certificate of that name, made with that policy if it was not there."""
        return self.certificate(name) or self._entry(name, policy)

    def delete(self, name: str) -> VaultCertificate:
        """Return the certificate, now among the deleted ones (soft delete)."""
        certificate = self.certificates.pop(name.lower())
        certificate.deleted_at = self.kernel.clock.now()
        self.deleted[name.lower()] = certificate
        return certificate

    def recover(self, name: str) -> VaultCertificate:
        """Return the certificate, again among the live ones."""
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
        """Return the new newest version of a plain secret, which is made if it was not there; subscribers were told.

        A ValueError where the name is none, or is a certificate's.
        """
        _check_name(name)
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
        """Return the new newest version of a plain secret that holds a new certificate for these host names.

        As purchased certificates are stored: key, certificate and chain as PKCS12 without a password, in base64; with
        `pem` as PEM.
        """
        created = differences.get("created", self.kernel.clock.now())
        leaf = authority().issue(_wanted(tuple(host_names), created, differences))
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
        """Return a new version of a plain secret that holds a certificate: same names, kind of key and wrapping.

        Tags belong to a version, and the new one has none unless they are given. A KeyError where there is no such
        secret, a ValueError where it holds no certificate.
        """
        newest = self.secrets[name.lower()].newest
        wanted: SecretDifferences = {"key_type": newest.leaf.key_type}
        if newest.content_type:
            wanted["content_type"] = newest.content_type
        wanted.update(differences)
        return self.set_pfx_secret(name, host_names or newest.host_names, pem=newest.is_pem, **wanted)

    def delete_secret(self, name: str) -> Secret:
        """Return the plain secret, now among the deleted ones (soft delete)."""
        secret = self.secrets.pop(name.lower())
        secret.deleted_at = self.kernel.clock.now()
        self.deleted_secrets[name.lower()] = secret
        return secret

    def recover_secret(self, name: str) -> Secret:
        """Return the plain secret, again among the live ones."""
        secret = self.deleted_secrets.pop(name.lower())
        secret.deleted_at = None
        self.secrets[name.lower()] = secret
        return secret

    def latest(self, found: Versioned[AnyVersion_co]) -> AnyVersion_co:
        """Return the version that a read without a version means, enabled or not."""
        enabled = [version for version in found.versions if version.enabled]
        return enabled[-1] if self.latest_skips_disabled and enabled else found.versions[-1]

    def newest_importable(self, name: str, principal: str = APP_SERVICE) -> ImportedCertificate:
        """Return what App Service gets when it imports that object; raise a VaultRefusal where it gets nothing.

        It reads a secret: the one behind a certificate, or a plain one. For a certificate it is documented to need the
        right to read that too; a knob says whether it does.
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
        return all(self.lets(principal, one) for one in ("secrets/get", "certificates/get")[: 1 + both])

    def new_id(self) -> str:
        """Return a fresh version id: 32 hex digits from the world's seed."""
        return f"{self.kernel.random.getrandbits(128):032x}"

    def _entry(self, name: str, policy: Policy) -> VaultCertificate:
        _check_name(name)
        if name.lower() in self.secrets:
            raise ValueError(f"{name} is a plain secret of vault {self.name}; no certificate can have its name.")
        certificate = VaultCertificate(name, policy, self.kernel.clock.now())
        self.certificates[name.lower()] = certificate
        return certificate


def find_vault(vaults: Mapping[str, Vault], vault_id: str) -> Vault:
    """Return the vault with that resource id, in any spelling; raise VaultMissing if there is none."""
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


def _check_name(name: str) -> None:
    if not NAME_RULE.fullmatch(name):
        raise ValueError(f"Key Vault takes letters, digits and dashes in the name of an object, not {name!r}.")


def _wanted(host_names: tuple[str, ...], created: datetime, differences: SecretDifferences) -> Request:
    not_before = differences.get("not_before", created)
    return Request(
        host_names,
        not_before,
        differences.get("not_after", not_before + timedelta(days=PFX_SECRET_DAYS)),
        differences.get("key_type", "RSA"),
        differences.get("key_size", 2048),
        differences.get("self_signed", False),
        tuple(differences.get("usages", (SERVER_AUTH, CLIENT_AUTH))),
    )
