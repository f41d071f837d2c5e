"""Read the versions and the policy of vault certificates, and for an upload the private key of a version.

Certroll reads the value of a secret in two cases: to upload a certificate, and if the secret is a certificate of its
own. Key Vault's list of secrets shows neither the thumbprint nor the dates of a certificate. A private key that
Certroll has read leaves the process only in an upload to App Service. The text form of a `Pfx` shows no private key,
and Certroll's errors omit the value of a secret. The Azure SDK does not log request or answer bodies, unless a client
is created with `logging_enable`.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from azure.core.credentials import TokenCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy, CertificateProperties
from azure.keyvault.secrets import KeyVaultSecret, SecretClient, SecretProperties

from shared.clients.checked_names import checked_vault
from shared.clients.clouds import Cloud
from shared.clients.reading import readable, readable_secret, texts_of
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.clients.vault.pfx import build_pfx
from shared.clients.vault.secrets import LIST_REMEDY, Leaves, SecretLineages, kind_of, may_hold_certificate, read_secret
from shared.clients.vault.shown_policy import shown_policy
from shared.clients.vault.unread import Unread
from shared.clients.vault.version_keys import Known, VersionKeys
from shared.clients.vault.x509_facts import read_facts
from shared.clients.vault.x509_fields import thumbprint_of
from shared.domain.certificates.lineage import Lineage, judge, newest_first
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.certificates.requirements import PKCS12
from shared.domain.certificates.version import CertificateFacts, CertificateVersion, KeyPolicy
from shared.domain.errors import Conflict, Denied, NotFound, Rejected
from shared.domain.fleet.fleet import Listing
from shared.domain.names import (
    ObjectKind,
    Thumbprint,
    VaultCertificateRef,
    VaultName,
    parse_thumbprint,
)
from shared.domain.reason import Reason
from shared.domain.tags import Tags, lineage_tags

REMEDY = "grant the identity Key Vault Reader on the vault, and let it through the vault's firewall"
PASSWORD_BYTES = 32
Entry = TypeVar("Entry")
Facts = dict[tuple[VaultCertificateRef, str, Thumbprint], CertificateFacts]
"""The contents of older versions that the process has read, by vault certificate, version and thumbprint."""


class KeyVaults:
    """The SDK clients of Key Vault, with one client per vault."""

    def __init__(self, credential: TokenCredential, cloud: Cloud, options: Mapping[str, Any] = SDK_OPTIONS) -> None:
        self._make: Callable[[VaultName], CertificateClient] = lru_cache(maxsize=None)(
            lambda vault: CertificateClient(
                f"https://{checked_vault(vault)}.{cloud.vault_suffix}", credential, **options
            )
        )
        self._make_secrets: Callable[[VaultName], SecretClient] = lru_cache(maxsize=None)(
            lambda vault: SecretClient(f"https://{checked_vault(vault)}.{cloud.vault_suffix}", credential, **options)
        )

    def client(self, vault: VaultName) -> CertificateClient:
        """Return the SDK client for the certificates of a vault."""
        return self._make(vault)

    def secrets(self, vault: VaultName) -> SecretClient:
        """Return the SDK client for the secrets of a vault."""
        return self._make_secrets(vault)


class KeyVault:
    """This client reads vault certificates with their versions, and a version of a vault certificate as a PFX.

    An operator's setting decides how Certroll encrypts the PFX for an upload.
    """

    def __init__(
        self,
        vaults: KeyVaults,
        retrying: Retrying,
        encryption: PfxEncryption,
        leaves: Leaves | None = None,
        keys: Known | None = None,
        facts: Facts | None = None,
    ) -> None:
        """Store the clients. `leaves`, `keys` and `facts` remember what other runs of the process have read."""
        self._vaults = vaults
        self._retrying = retrying
        self._encryption = encryption
        self._secrets = SecretLineages(vaults.secrets, retrying, leaves)
        self._keys = VersionKeys(vaults, retrying, keys)
        self._facts: Facts = {} if facts is None else facts

    def forget(self) -> None:
        """Clear the caches, so that tests can use these clients for another simulated Azure."""
        self._secrets.forget()
        self._keys.forget()
        self._facts.clear()

    def names(self, vault: VaultName) -> Listing[VaultCertificateRef]:
        """Return the names of all certificates of a vault.

        Key Vault's list includes disabled certificates and omits deleted certificates.
        """
        return self._named(vault, lambda _: True)

    def holding(self, vault: VaultName, thumbprints: frozenset[Thumbprint]) -> Listing[VaultCertificateRef]:
        """Return the certificates of a vault whose newest version has one of the thumbprints.

        Key Vault's list of certificates shows the thumbprint of each newest version (Azure docs, "Get Certificates").
        """
        return self._named(vault, lambda entry: bytes(entry.x509_thumbprint or b"").hex().upper() in thumbprints)

    def _named(
        self, vault: VaultName, is_wanted: Callable[[CertificateProperties], bool]
    ) -> Listing[VaultCertificateRef]:
        what = f"the certificates of vault {vault}"
        unread = Unread(what)
        entries = self._vaults.client(vault).list_properties_of_certificates(raw_response_hook=unread.take_out)
        found = self._retrying.pages(what, entries, REMEDY)
        return _refs(
            unread, found, lambda entry: _ref(vault, ObjectKind.CERTIFICATE, entry) if is_wanted(entry) else None
        )

    def secret_names(self, vault: VaultName, since: datetime | None = None) -> Listing[VaultCertificateRef]:
        """Return the names of a vault's secrets that may hold a certificate.

        With `since`, leave out secrets whose newest version was added before `since`.
        Certroll lists the names of secrets without reading any secret's value. Key Vault's list shows when the newest
        version of each secret was added (Azure docs, "Get Secrets").
        """
        what = f"the secrets of vault {vault}"
        unread = Unread(what)
        entries = self._vaults.secrets(vault).list_properties_of_secrets(raw_response_hook=unread.take_out)
        found = self._retrying.pages(what, entries, LIST_REMEDY)

        def read(entry: SecretProperties) -> VaultCertificateRef | None:
            old = since is not None and entry.created_on is not None and entry.created_on < since
            return _ref(vault, ObjectKind.SECRET, entry) if may_hold_certificate(entry) and not old else None

        return _refs(unread, found, read)

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Return private key, certificate and chain of a vault certificate's version as a PFX with a random password.

        Raise Rejected if the secret of the version is unreadable or holds another certificate.
        """
        what = f"the secret of vault certificate {ref}, version {version}"
        client = self._vaults.secrets(ref.vault)
        secret = read_secret(self._retrying, what, lambda: client.get_secret(ref.name, version))
        password = secrets.token_urlsafe(PASSWORD_BYTES)

        def build(found: KeyVaultSecret) -> Pfx:
            return build_pfx(found.value or "", kind_of(found.properties), thumbprint, self._encryption, password)

        try:
            return readable_secret(what, build, secret)
        except Rejected as error:
            raise Rejected(f"{what}: {error}", error.reason) from None

    def public_part(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> bytes:
        """Return the certificate of a vault certificate's version in DER.

        Raise Rejected if the version of the vault certificate has another thumbprint.
        """
        what = f"vault certificate {ref}, version {version}"
        if ref.kind is ObjectKind.SECRET:
            der: bytes = self._secrets.public_part(ref, version)
        else:
            client = self._vaults.client(ref.vault)
            bundle = self._retrying.read(what, lambda: client.get_certificate_version(ref.name, version), REMEDY)
            der = readable(what, lambda found: bytes(found.cer or b""), bundle)
        if thumbprint_of(der) != thumbprint:
            raise Rejected(f"{what}: it holds another certificate than {thumbprint}", Reason.ANOTHER_CERTIFICATE)
        return der

    def facts(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> CertificateFacts:
        """Return the contents of the certificate of a vault certificate's version, which the process reads once.

        Azure docs say that Key Vault refuses to read a disabled secret, and do not say so of a disabled certificate.
        Raise Rejected if the certificate is unreadable.
        """
        key = ref, version, thumbprint
        if key not in self._facts:
            der = self.public_part(ref, version, thumbprint)
            try:
                self._facts[key] = read_facts(der)
            except ValueError as error:
                raise Rejected(
                    f"vault certificate {ref}, version {version}: {error}", Reason.CERTIFICATE_UNREADABLE
                ) from error
        return self._facts[key]

    def lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read one vault certificate with its versions, judged at the time `now`.

        Raise Rejected if Key Vault's answer about the certificate is unreadable. An imported certificate in App Service
        does not show whether its source is a vault certificate or a vault secret. If the vault has no certificate with
        the given name, this function reads the secret with the given name. If content type and tags of a secret do not
        say that it holds a certificate, this function returns a refusal without reading the secret's value.
        """
        return readable(f"vault certificate {ref}", lambda name: self._lineage(name, now), ref)

    def _lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
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
                text = f"{missing}; Certroll may not read whether the vault has a secret of that name: {hidden}"
                raise Denied(text) from None

    def _certificate_lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read a vault certificate's versions, and their certificates, newest first, until Certroll can use a version.

        If Certroll can use the newest version, it sends two requests: for the list of versions, and for the newest
        version with the policy. Key Vault's list of versions has no certificates, so the certificate of each older
        version costs one more request. The function `judge` limits the number of older versions that Certroll reads.
        """
        client = self._vaults.client(ref.vault)
        what = f"vault certificate {ref}"
        unread = Unread(f"the versions of {what}")
        listing = client.list_properties_of_certificate_versions(ref.name, raw_response_hook=unread.take_out)
        entries = tuple(self._retrying.pages(what, listing, REMEDY))
        latest = self._retrying.read(what, lambda: client.get_certificate(ref.name), REMEDY)
        newest = (latest.properties.version if latest.properties else None) or ""
        listed = _listed_versions(what, entries, latest.properties, unread)
        versions = newest_first(tuple(version for version, _ in listed.values()), newest)
        tags, inherited = lineage_tags(tuple(_tags(listed[version.version][1]) for version in versions))
        known = {newest: bytes(latest.cer or b"")}

        def facts(version: CertificateVersion) -> CertificateFacts:
            """Return the facts of the certificate of a vault certificate's version.

            Raise ValueError if the certificate is unreadable. Key Vault's answer about a vault certificate's newest
            version already contains the facts of the version.
            """
            name = version.version
            if name not in known:
                bundle = self._retrying.read(what, lambda: client.get_certificate_version(ref.name, name), REMEDY)
                known[name] = bytes(bundle.cer or b"")
            try:
                return read_facts(known[name])
            except ValueError as error:
                raise ValueError(f"version {name}: {error}") from error

        try:
            judged, current, refusal = judge(versions, facts, now)
        except ValueError as error:
            raise Rejected(f"{what} cannot be read: {error}", Reason.CERTIFICATE_UNREADABLE) from error
        following = _policy(latest.policy)
        key = following
        if current is not None:
            changed = current.version != newest or _is_newer(latest.policy, current)
            key = self._keys.of(ref, current, following, changed=changed)
        seen = Lineage(ref, judged, current, refusal, tags, inherited, key, following)
        return replace(seen, unreadable=tuple(unread.spots), policy=shown_policy(latest.policy, latest.properties))


def _listed_versions(
    what: str, entries: Iterable[CertificateProperties], latest: CertificateProperties | None, unread: Unread
) -> dict[str, tuple[CertificateVersion, CertificateProperties]]:
    """Return each readable version with its entry in Key Vault's list, by name, and always the newest version.

    If the list has an unreadable entry, that entry may be the newest version. Key Vault's answer about the newest
    version then takes the place of the entry. Raise Conflict if the vault got a new version after the list.
    """
    named = {entry.version: entry for entry in entries if entry.version}
    read = {name: (version, entry) for name, entry in named.items() if (version := unread.readable(entry, _version))}
    if latest is not None and latest.version in read:
        return read
    if latest is None or not latest.version or not unread.spots:
        raise Conflict(f"{what} got a new version during the read; Certroll reads it again")
    return {**read, latest.version: (_version(latest), latest)}


def _refs(
    unread: Unread, entries: Iterable[Entry], ref_of: Callable[[Entry], VaultCertificateRef | None]
) -> Listing[VaultCertificateRef]:
    """Return the vault object that each readable entry of a list names, and the unreadable entries as blind spots."""
    found = tuple(ref for entry in entries if (ref := unread.readable(entry, ref_of)) is not None)
    return Listing(found, unread.spots)


def _ref(vault: VaultName, kind: ObjectKind, entry: CertificateProperties | SecretProperties) -> VaultCertificateRef:
    return VaultCertificateRef.parse(vault, kind, entry.name or "")


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
    return texts_of(entry.tags or {})


def _is_newer(policy: CertificatePolicy | None, version: CertificateVersion) -> bool:
    """Return True if the policy changed after the version was made."""
    return policy is not None and policy.updated_on is not None and policy.updated_on > version.created


def _policy(policy: CertificatePolicy | None) -> KeyPolicy:
    """Return whether the policy makes the private key of the next version exportable, and the format of its secret.

    By default Key Vault makes a private key exportable and stores a PKCS12.
    """
    if policy is None:
        return KeyPolicy(exportable=True, content_type=PKCS12)
    kind = policy.content_type
    return KeyPolicy(
        exportable=policy.exportable is not False,
        content_type=str(getattr(kind, "value", kind) or PKCS12).lower(),
    )
