"""Key Vault: certificates, their versions and policy; and of a version that is asked for, its key, for an upload.

Secrets are read for a PFX that is to be uploaded, and where a secret is itself the lineage: its list says neither
thumbprint nor dates. What is read never leaves memory but in an upload: a PFX has no text form, and no error on the way
quotes or carries what was read. The SDK logs no bodies, at any level: its log of requests has none, and its trace of
the network, which has, is off unless a client is made with `logging_enable`.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from azure.core.credentials import TokenCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy, CertificateProperties
from azure.keyvault.secrets import SecretClient

from shared.clients.clouds import Cloud
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.clients.vault.pfx import build_pfx
from shared.clients.vault.secrets import LIST_REMEDY, SecretLineages, may_hold_certificate, read_secret
from shared.clients.vault.x509_facts import read_facts, thumbprint_of
from shared.domain.certificates.lineage import Lineage, judge, lineage_tags, newest_first
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.certificates.requirements import PKCS12
from shared.domain.certificates.version import CertificateFacts, CertificateVersion, KeyPolicy
from shared.domain.errors import Conflict, Denied, NotFound, Rejected
from shared.domain.names import (
    ObjectKind,
    Thumbprint,
    VaultCertificateRef,
    VaultName,
    parse_thumbprint,
)
from shared.domain.tags import Tags

REMEDY = "grant the identity Key Vault Reader on the vault, and let it through the vault's firewall"
PASSWORD_BYTES = 32


class KeyVaults:
    """The SDK clients, one per vault."""

    def __init__(self, credential: TokenCredential, cloud: Cloud, options: Mapping[str, Any] = SDK_OPTIONS) -> None:
        self._make: Callable[[VaultName], CertificateClient] = lru_cache(maxsize=None)(
            lambda vault: CertificateClient(f"https://{vault}.{cloud.vault_suffix}", credential, **options)
        )
        self._make_secrets: Callable[[VaultName], SecretClient] = lru_cache(maxsize=None)(
            lambda vault: SecretClient(f"https://{vault}.{cloud.vault_suffix}", credential, **options)
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
        self._secrets = SecretLineages(vaults.secrets, retrying)

    def forget(self) -> None:
        """Read again what was read once: for whoever follows another Azure with the same clients."""
        self._secrets.forget()

    def names(self, vault: VaultName) -> tuple[VaultCertificateRef, ...]:
        """List all certificates of a vault, the disabled ones too; the deleted ones are not there any more."""
        listing = self._vaults.client(vault).list_properties_of_certificates()
        entries = self._retrying.pages(f"the certificates of vault {vault}", listing, REMEDY)
        return tuple(VaultCertificateRef.parse(vault, ObjectKind.CERTIFICATE, entry.name or "") for entry in entries)

    def secret_names(self, vault: VaultName) -> tuple[VaultCertificateRef, ...]:
        """List the secrets of a vault that hold a certificate, without reading one."""
        listing = self._vaults.secrets(vault).list_properties_of_secrets()
        entries = self._retrying.pages(f"the secrets of vault {vault}", listing, LIST_REMEDY)
        held = (entry for entry in entries if may_hold_certificate(entry))
        return tuple(VaultCertificateRef.parse(vault, ObjectKind.SECRET, entry.name or "") for entry in held)

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Return key, certificate and chain of one version as a PFX with a new random password.

        Raises Rejected where the secret of that version is not what the thumbprint says, or cannot be read.
        """
        what = f"the secret of vault certificate {ref}, version {version}"
        client = self._vaults.secrets(ref.vault)
        secret = read_secret(self._retrying, what, lambda: client.get_secret(ref.name, version))
        kind = secret.properties.content_type or ""
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        try:
            return build_pfx(secret.value or "", kind, thumbprint, self._encryption, password)
        except Rejected as error:
            raise Rejected(f"{what}: {error}", error.reason) from None

    def public_part(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> bytes:
        """Return the certificate of one version in DER. Raises Rejected where it is not the one of the thumbprint."""
        what = f"vault certificate {ref}, version {version}"
        if ref.kind is ObjectKind.SECRET:
            der: bytes = self._secrets.public_part(ref, version)
        else:
            client = self._vaults.client(ref.vault)
            bundle = self._retrying.read(what, lambda: client.get_certificate_version(ref.name, version), REMEDY)
            der = bytes(bundle.cer or b"")
        if thumbprint_of(der) != thumbprint:
            raise Rejected(f"{what}: it holds another certificate than {thumbprint}")
        return der

    def lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read one lineage with its versions, judged as of `now`. Raises Rejected where it makes no sense.

        Nobody says of which kind the source of an imported copy is: where no certificate of that name is found, it is
        looked for among the secrets. A secret that is no certificate is no lineage: its refusal says so, and its value
        was not read.
        """
        if ref.kind is ObjectKind.SECRET:
            return self._secrets.lineage(ref, now)
        try:
            return self._certificate_lineage(ref, now)
        except NotFound as missing:
            try:
                return self._secrets.lineage(replace(ref, kind=ObjectKind.SECRET), now)
            except NotFound:
                raise missing from None
            except Denied as hidden:
                text = f"{missing}; whether there is a secret of that name could not be seen: {hidden}"
                raise Denied(text) from None
        except ValueError as error:
            raise Rejected(f"vault certificate {ref} cannot be read: {error}") from error

    def _certificate_lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read the versions, and as many of the certificates as it takes to find a good one.

        Two requests where the newest version is good: the versions, and the latest with its policy. Versions are
        listed without the certificate itself, so each further look is a request of its own, ten at most.
        """
        client = self._vaults.client(ref.vault)
        what = f"vault certificate {ref}"
        listing = client.list_properties_of_certificate_versions(ref.name)
        properties = tuple(self._retrying.pages(what, listing, REMEDY))
        latest = self._retrying.read(what, lambda: client.get_certificate(ref.name), REMEDY)
        listed = {entry.version: entry for entry in properties if entry.version}
        newest = (latest.properties.version if latest.properties else None) or ""
        if newest not in listed:
            raise Conflict(f"{what} got a new version while it was read; it is read again")
        versions = newest_first(tuple(_version(entry) for entry in listed.values()), newest)
        tags, inherited = lineage_tags(tuple(_tags(listed[version.version]) for version in versions))
        known = {newest: bytes(latest.cer or b"")}

        def facts(version: CertificateVersion) -> CertificateFacts:
            """Return what the certificate of a version says; that of the newest is there already. Raises ValueError."""
            name = version.version
            if name not in known:
                bundle = self._retrying.read(what, lambda: client.get_certificate_version(ref.name, name), REMEDY)
                known[name] = bytes(bundle.cer or b"")
            try:
                return read_facts(known[name])
            except ValueError as error:
                raise ValueError(f"version {name}: {error}") from error

        judged, current, refusal = judge(versions, facts, now)
        return Lineage(ref, judged, current, refusal, tags, inherited, _policy(latest.policy))


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
        return KeyPolicy(exportable=True, content_type=PKCS12)
    kind = policy.content_type
    return KeyPolicy(
        exportable=policy.exportable is not False,
        content_type=str(getattr(kind, "value", kind) or PKCS12).lower(),
    )
