"""The state of Key Vault: vaults, their certificates, the versions of each, and who may not read them."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from local.azure.vault.authority import KeyType, Leaf, PrivateKey, Request, authority
from local.azure.vault.policy import PKCS12, SELF, Policy

if TYPE_CHECKING:
    from local.azure.world import World

APP_SERVICE = "abfa0a7c-a6b6-4736-8310-5855508787cd"
"""Application id of App Service in the public cloud (Azure docs, configure-ssl-certificate)."""
EVERYONE = "*"
DAYS_PER_MONTH = 30
NAME_RULE = re.compile(r"[0-9A-Za-z-]{1,127}")
Refusal = Literal["rbac", "policy", "firewall"]


class VaultRefusal(Exception):
    """The vault does not hand out what was asked for."""


class VaultDenied(VaultRefusal):
    """The caller may not read this vault."""


class VaultObjectMissing(VaultRefusal):
    """The vault has no object of that name."""


class VaultObjectDisabled(VaultRefusal):
    """The newest version is disabled."""


class VaultObjectUnusable(VaultRefusal):
    """App Service cannot import the newest version: no private key, PEM, or not an RSA key."""


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


@dataclass(frozen=True, slots=True)
class Denial:
    """Operations that a vault refuses a principal, and by which of its mechanisms."""

    principal: str
    how: Refusal = "rbac"
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


class RenewalDifferences(Differences, total=False):
    """The same, where the names may differ too."""

    host_names: Collection[str]


class Vault:
    """One vault: certificates by lower-case name, and the denials that stand."""

    def __init__(
        self,
        world: "World",
        name: str,
        *,
        subscription: str,
        resource_group: str,
        location: str = "westeurope",
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Make an empty vault; `latest_skips_disabled` is a knob.

        Whether a vault whose newest version is disabled refuses a read without a version (as secrets are documented
        to) or answers with the newest enabled one is not settled by the sources; the default is to refuse.
        """
        self.world = world
        self.name = name
        self.subscription = subscription
        self.resource_group = resource_group
        self.location = location
        self.tags = dict(tags or {})
        self.certificates: dict[str, VaultCertificate] = {}
        self.deleted: dict[str, VaultCertificate] = {}
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

    def deny(self, principal: str = EVERYONE, how: Refusal = "rbac", operations: Collection[str] = ("*",)) -> None:
        """Refuse these operations (`certificates/get`, `secrets/*` …) to that principal from now on."""
        self.denials.append(Denial(principal, how, frozenset(operations)))

    def allow(self, principal: str = EVERYONE) -> None:
        """Lift the denials that name that principal; `*` lifts all."""
        self.denials = [] if principal == EVERYONE else [kept for kept in self.denials if kept.principal != principal]

    def refusal(self, principal: str, operation: str) -> Denial | None:
        """Return the first denial that stands against that principal and operation, or None."""
        return next((denial for denial in self.denials if denial.covers(principal, operation)), None)

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
        with self.world.lock:
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
        not_before = differences.get("not_before", differences.get("created", self.world.clock.now()))
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
        created = differences.get("created", self.world.clock.now())
        version = Version(
            id=self.new_id(),
            leaf=leaf,
            policy=policy,
            created=created,
            updated=created,
            enabled=differences.get("enabled", True),
            tags=dict(differences.get("tags", {})),
        )
        with self.world.lock:
            certificate.policy = policy
            certificate.versions.append(version)
            self.world.events.new_version(self, certificate, version)
        return version

    def ensure(self, name: str, policy: Policy) -> VaultCertificate:
        """Return the certificate of that name, made with that policy if it was not there."""
        return self.certificate(name) or self._entry(name, policy)

    def delete(self, name: str) -> VaultCertificate:
        """Return the certificate, now among the deleted ones (soft delete)."""
        certificate = self.certificates.pop(name.lower())
        certificate.deleted_at = self.world.clock.now()
        self.deleted[name.lower()] = certificate
        return certificate

    def recover(self, name: str) -> VaultCertificate:
        """Return the certificate, again among the live ones."""
        certificate = self.deleted.pop(name.lower())
        certificate.deleted_at = None
        self.certificates[name.lower()] = certificate
        return certificate

    def latest(self, certificate: VaultCertificate) -> Version:
        """Return the version that a read without a version means, enabled or not."""
        enabled = [version for version in certificate.versions if version.enabled]
        return enabled[-1] if self.latest_skips_disabled and enabled else certificate.newest

    def newest_importable(self, name: str, principal: str = APP_SERVICE) -> ImportedCertificate:
        """Return what App Service gets when it imports that object; raise a VaultRefusal where it gets nothing.

        App Service reads the secret behind the certificate. It needs a PFX without a password, in a secret of content
        type `application/x-pkcs12`, with an RSA key (Azure docs, configure-ssl-certificate).
        """
        if self.refusal(principal, "secrets/get"):
            raise VaultDenied(f"The service does not have access to '{self.resource_id}' Key Vault.")
        certificate = self.certificate(name)
        if certificate is None or not certificate.versions:
            raise VaultObjectMissing(f"Vault {self.name} has no object {name}.")
        version = self.latest(certificate)
        if not version.enabled:
            raise VaultObjectDisabled(f"The newest version of {name} in vault {self.name} is disabled.")
        _check_usable(version)
        return version.imported()

    def new_id(self) -> str:
        """Return a fresh version id: 32 hex digits from the world's seed."""
        return f"{self.world.random.getrandbits(128):032x}"

    def _entry(self, name: str, policy: Policy) -> VaultCertificate:
        if not NAME_RULE.fullmatch(name):
            raise ValueError(f"Key Vault takes letters, digits and dashes in a certificate's name, not {name!r}.")
        certificate = VaultCertificate(name, policy, self.world.clock.now())
        self.certificates[name.lower()] = certificate
        return certificate


def _changed(policy: Policy, differences: RenewalDifferences) -> Policy:
    return replace(
        policy,
        key_type=differences.get("key_type", policy.key_type),
        key_size=differences.get("key_size", policy.key_size),
        exportable=differences.get("exportable", policy.exportable),
        content_type=differences.get("content_type", policy.content_type),
    )


def _check_usable(version: Version) -> None:
    problems = {
        "its private key is not exportable": not version.policy.exportable,
        "its secret is not application/x-pkcs12": version.policy.content_type != PKCS12,
        "elliptic-curve keys cannot be imported from a vault": version.leaf.key_type != "RSA",
        "its secret holds no private key": version.leaf.private_key is None,
    }
    for problem in (problem for problem, applies in problems.items() if applies):
        raise VaultObjectUnusable(f"The certificate cannot be imported: {problem}.")
