"""Key Vault: certificates, their versions and policy; and of a version that is asked for, its key, for an upload.

Only `pfx` reads a secret. What it returns never leaves memory but in that upload: it has no text form, and no error on
the way quotes or carries what was read. The SDK logs no bodies, at any level: its log of requests has none, and its
trace of the network, which has, is off unless a client is made with `logging_enable`.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from azure.core.credentials import TokenCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy, CertificateProperties
from azure.keyvault.secrets import KeyVaultSecret, SecretClient
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from shared.clients.clouds import Cloud
from shared.clients.pfx import build_pfx
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.domain.errors import AzureError, Conflict, Rejected
from shared.domain.lineage import Lineage, Refusal, lineage_tags, newest_first, refuse_version
from shared.domain.model import CertificateFacts, CertificateVersion, KeyPolicy, KeyType, Tags
from shared.domain.names import (
    HostName,
    InvalidNameError,
    ObjectKind,
    Thumbprint,
    VaultCertificateRef,
    VaultName,
    parse_host_name,
    parse_thumbprint,
)
from shared.domain.secret import Pfx, PfxEncryption

CURE = "grant the identity Key Vault Reader on the vault, and let it through the vault's firewall"
PFX_CURE = "grant the identity Key Vault Secrets User on the vault or on this secret"
DEEPEST_LOOK = 10
PASSWORD_BYTES = 32


class KeyVaults:
    """The SDK clients, one per vault."""

    def __init__(self, credential: TokenCredential, cloud: Cloud) -> None:
        self._make: Callable[[VaultName], CertificateClient] = lru_cache(maxsize=None)(
            lambda vault: CertificateClient(f"https://{vault}.{cloud.vault_suffix}", credential, **SDK_OPTIONS)
        )
        self._make_secrets: Callable[[VaultName], SecretClient] = lru_cache(maxsize=None)(
            lambda vault: SecretClient(f"https://{vault}.{cloud.vault_suffix}", credential, **SDK_OPTIONS)
        )

    def client(self, vault: VaultName) -> CertificateClient:
        """Return the client of a vault."""
        return self._make(vault)

    def secrets(self, vault: VaultName) -> SecretClient:
        """Return the client of a vault's secrets."""
        return self._make_secrets(vault)


class KeyVault:
    """Reads vault certificates as lineages, and a version of one as a PFX, encrypted as operators want it."""

    def __init__(self, vaults: KeyVaults, retrying: Retrying, encryption: PfxEncryption) -> None:
        self._vaults = vaults
        self._retrying = retrying
        self._encryption = encryption

    def names(self, vault: VaultName) -> tuple[VaultCertificateRef, ...]:
        """List all certificates of a vault, the disabled ones too; the deleted ones are not there any more."""
        listing = self._vaults.client(vault).list_properties_of_certificates()
        entries = self._retrying.pages(f"the certificates of vault {vault}", listing, CURE)
        return tuple(VaultCertificateRef.parse(vault, ObjectKind.CERTIFICATE, entry.name or "") for entry in entries)

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Return key, certificate and chain of one version as a PFX with a new random password.

        Raises Rejected where the secret of that version is not what the thumbprint says, or cannot be read.
        """
        what = f"the secret of vault certificate {ref}, version {version}"
        secret = self._secret(what, ref, version)
        kind = secret.properties.content_type or ""
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        try:
            return build_pfx(secret.value or "", kind, thumbprint, self._encryption, password)
        except Rejected as error:
            raise Rejected(f"{what}: {error}") from None

    def _secret(self, what: str, ref: VaultCertificateRef, version: str) -> KeyVaultSecret:
        """Read the secret. What is raised stands alone: the text of an SDK error shows the body that it failed on."""
        client = self._vaults.secrets(ref.vault)
        try:
            return self._retrying.read(what, lambda: client.get_secret(ref.name, version), PFX_CURE)
        except AzureError as error:
            raise error from None
        except ValueError:
            raise Rejected(f"{what}: the answer cannot be read") from None

    def lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read one vault certificate with its versions, judged as of `now`. Raises Rejected where it makes no sense."""
        try:
            return self._lineage(ref, now)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Rejected(f"vault certificate {ref} cannot be read: {error}") from error

    def _lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read the versions, and as many of the certificates as it takes to find a good one.

        Two requests where the newest version is good: the versions, and the latest with its policy. Versions are
        listed without the certificate itself, so each further look is a request of its own, ten at most.
        """
        client = self._vaults.client(ref.vault)
        what = f"vault certificate {ref}"
        listing = client.list_properties_of_certificate_versions(ref.name)
        properties = tuple(self._retrying.pages(what, listing, CURE))
        latest = self._retrying.read(what, lambda: client.get_certificate(ref.name), CURE)
        listed = {entry.version: entry for entry in properties if entry.version}
        newest = (latest.properties.version if latest.properties else None) or ""
        if newest not in listed:
            raise Conflict(f"{what} got a new version while it was read; it is read again")
        versions = newest_first(tuple(_version(entry) for entry in listed.values()), newest)
        tags, inherited = lineage_tags(tuple(_tags(listed[version.version]) for version in versions))
        known = {newest: read_facts(bytes(latest.cer or b""))}

        def facts(version: CertificateVersion) -> CertificateFacts:
            if version.version not in known:
                bundle = self._retrying.read(
                    what, lambda: client.get_certificate_version(ref.name, version.version), CURE
                )
                known[version.version] = read_facts(bytes(bundle.cer or b""))
            return known[version.version]

        current, refusal = _judge(versions, facts, _policy(latest.policy), now)
        judged = tuple(current if current and v.version == current.version else v for v in versions)
        return Lineage(ref, judged, current, refusal, tags, inherited)


def _judge(
    versions: tuple[CertificateVersion, ...],
    facts: Callable[[CertificateVersion], CertificateFacts],
    policy: KeyPolicy,
    now: datetime,
) -> tuple[CertificateVersion | None, Refusal | None]:
    """Return the newest version that passes the version half of the gate, and why the newest one does not."""
    newest_refusal: Refusal | None = None
    for position, version in enumerate(versions[:DEEPEST_LOOK]):
        judged = replace(version, facts=facts(version)) if version.enabled else version
        older = next((v for v in versions[position + 1 :] if v.enabled), None)
        self_signed = judged.facts is not None and judged.facts.self_signed
        refusal = refuse_version(judged, facts(older) if self_signed and older else None, policy, now)
        if refusal is None:
            return judged, newest_refusal
        newest_refusal = newest_refusal or refusal
    return None, newest_refusal


def _version(entry: CertificateProperties) -> CertificateVersion:
    epoch = datetime.fromtimestamp(0, UTC)
    return CertificateVersion(
        version=entry.version or "",
        thumbprint=parse_thumbprint(bytes(entry.x509_thumbprint or b"").hex()),
        not_before=entry.not_before or epoch,
        not_after=entry.expires_on or epoch,
        enabled=bool(entry.enabled),
        created=entry.created_on or epoch,
    )


def _tags(entry: CertificateProperties) -> Tags:
    return tuple(sorted((entry.tags or {}).items()))


def _policy(policy: CertificatePolicy | None) -> KeyPolicy:
    """Return what the policy says of export and format; Key Vault's own defaults are exportable and PKCS12."""
    if policy is None:
        return KeyPolicy(exportable=True, content_type="application/x-pkcs12")
    kind = policy.content_type
    return KeyPolicy(
        exportable=policy.exportable is not False,
        content_type=str(getattr(kind, "value", kind) or "application/x-pkcs12").lower(),
    )


def read_facts(der: bytes) -> CertificateFacts:
    """Return what a certificate says of itself. The common name counts only where there are no alternative names."""
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    kind = KeyType.RSA if isinstance(key, rsa.RSAPublicKey) else KeyType.EC
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return CertificateFacts(_names(certificate), KeyType.OTHER, 0, _self_signed(certificate))
    return CertificateFacts(_names(certificate), kind, key.key_size, _self_signed(certificate))


def _self_signed(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def _names(certificate: x509.Certificate) -> frozenset[HostName]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        texts: Iterable[str] = alternative.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        texts = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return frozenset(name for text in texts for name in _host_names(text))


def _host_names(text: str) -> tuple[HostName, ...]:
    """Return the name, or nothing for a text that cannot be a host name, such as a person's common name."""
    try:
        return (parse_host_name(text),)
    except InvalidNameError:
        return ()
