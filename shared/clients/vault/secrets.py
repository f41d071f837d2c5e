"""Read vault secrets that hold a certificate, for example a purchased App Service certificate.

The list of a secret's versions has neither thumbprints nor dates, so Certroll reads the values of the newest versions.
The value of a secret's version never changes, so Certroll caches the facts that it reads from the value. Certroll
caches only the public part of a secret's value.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from azure.keyvault.secrets import KeyVaultSecret, SecretClient, SecretProperties

from shared.clients.reading import check_page, readable, readable_secret, texts_of
from shared.clients.retrying import Retrying
from shared.clients.vault.pfx import read_leaf
from shared.clients.vault.unread import Unread
from shared.clients.vault.x509_facts import facts_of
from shared.domain.certificates.lineage import Lineage, Refusal, judge, newest_first
from shared.domain.certificates.requirements import BARE, PEM, PKCS12
from shared.domain.certificates.version import Bundle, CertificateFacts, CertificateVersion, KeyFound, KeyPolicy
from shared.domain.errors import AzureError, Conflict, Denied, NotFound, Rejected
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.domain.tags import Tags, is_root, lineage_tags

PFX_REMEDY = "grant the identity Key Vault Secrets User on the vault or on this secret"
LIST_REMEDY = "grant the identity Key Vault Reader on the vault, or by access policy the permission to list secrets"
DEPTH = 5
"""How many versions of a secret Certroll reads; to check the private key of a version takes about 40 ms."""
REMEMBERED = 16_384
"""How many public parts the process remembers, at about 3 KB each; then the process forgets all and begins again."""


class Leaf(NamedTuple):
    """The public part of a secret's version: the leaf certificate, and the facts about private key and issuers."""

    thumbprint: Thumbprint
    """The thumbprint of the leaf certificate."""
    not_before: datetime
    """When the leaf certificate becomes valid."""
    not_after: datetime
    """When the leaf certificate expires."""
    facts: CertificateFacts
    """The facts that `judge` checks, such as host names and key type."""
    bundle: Bundle
    """The issuers in the value, and whether the value has the private key of the leaf certificate."""
    der: bytes
    """The leaf certificate in DER."""


Leaves = dict[tuple[VaultCertificateRef, str, str], Leaf]
"""The public parts that the process has read, by vault secret, version and content type. A version never changes."""


class SecretLineages:
    """This client reads vault secrets that hold certificates, with the versions of each secret."""

    def __init__(
        self, clients: Callable[[VaultName], SecretClient], retrying: Retrying, leaves: Leaves | None = None
    ) -> None:
        """Store the clients. `leaves` remembers the public parts that other runs of the process have read."""
        self._clients = clients
        self._retrying = retrying
        self._leaves: Leaves = {} if leaves is None else leaves

    def lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read one vault secret with its versions, judged at the time `now`.

        The first request to Key Vault lists the versions of the secret. If content type and tags do not say that the
        secret holds a certificate, Certroll reads no value of the secret. Raise NotFound if the secret does not exist,
        and Conflict if a version was added during the read.
        """
        client, what = self._clients(ref.vault), f"vault secret {ref}"
        unread = Unread(f"the versions of {what}")
        listing = client.list_properties_of_secret_versions(ref.name, raw_response_hook=unread.take_out)
        entries = {e.version: e for e in self._retrying.pages(what, listing, LIST_REMEDY) if e.version}
        ordered = sorted(entries.values(), key=_age, reverse=True)
        if not ordered and not unread.spots:
            raise NotFound(f"{what}: there is no secret of that name")
        if not ordered:
            raise Rejected(_hidden(what, unread), Reason.ANSWER_UNREADABLE)
        if (foreign := _foreign(ordered[0], ordered)) is not None:
            return Lineage(ref, (), None, foreign, unreadable=unread.spots)
        newest = self._newest(client, what, ref, ordered, unread)
        if newest not in entries and unread.spots:
            raise Rejected(_hidden(what, unread), Reason.ANSWER_UNREADABLE)
        if newest not in entries:
            raise Conflict(f"{what} got a new version during the read; Certroll reads it again")
        ordered.sort(key=lambda entry: (entry.version == newest, *_age(entry)), reverse=True)
        return replace(self._judged(ref, ordered, newest, now), unreadable=unread.spots)

    def public_part(self, ref: VaultCertificateRef, version: str) -> bytes:
        """Return the certificate of a secret's version in DER.

        Raise Rejected if the secret's version holds no certificate.
        """
        what, client = f"vault secret {ref}, version {version}", self._clients(ref.vault)
        listing = client.list_properties_of_secret_versions(ref.name, raw_response_hook=check_page)
        entries = list(self._retrying.pages(what, listing, LIST_REMEDY))
        entry = next((e for e in entries if e.version == version), None)
        if entry is None:
            raise NotFound(f"{what}: the version no longer exists")
        return readable(what, lambda found: self._leaf(ref, version, _form(found, entries)).der, entry)

    def forget(self) -> None:
        """Clear the cache of vault secrets, so that Certroll reads the values of secrets again."""
        self._leaves.clear()

    def _newest(
        self,
        client: SecretClient,
        what: str,
        ref: VaultCertificateRef,
        ordered: list[SecretProperties],
        unread: Unread,
    ) -> str:
        """Return the version that App Service would import as the newest version of a secret.

        Key Vault dates versions to the second, and no source says whether it passes over a disabled version. If several
        versions are the newest by date, or an operator disabled the newest, this function asks the vault. Only if the
        vault refuses, a disabled version stays the newest. An unreadable entry of the list may be the newest version,
        too. Raise Rejected if Certroll may not ask the vault about an unreadable entry.
        """
        ties = [entry for entry in ordered if entry.created_on == ordered[0].created_on]
        disabled = next((entry for entry in ties if not entry.enabled), None)
        # the vault may answer with any enabled version, and Certroll reads no value that is no certificate
        others = any(entry.enabled and _foreign(entry, ordered) for entry in ordered)
        if unread.spots and others:
            raise Rejected(_hidden(what, unread), Reason.ANSWER_UNREADABLE)
        if (len(ties) == 1 and disabled is None and not unread.spots) or others:
            return str(ordered[0].version)
        try:
            return str(read_secret(self._retrying, what, lambda: client.get_secret(ref.name)).properties.version)
        except Denied:
            if disabled is None or unread.spots:
                raise
            return str(disabled.version)

    def _judged(self, ref: VaultCertificateRef, ordered: list[SecretProperties], newest: str, now: datetime) -> Lineage:
        """Return the vault secret with its readable versions.

        The returned secret omits each version below the newest five, and each version that holds no certificate,
        because the thumbprints of these versions are unknown. It also omits a disabled version, unless the process
        has read the version before an operator disabled it. If Certroll cannot use a secret's newest
        version, the returned secret contains a refusal with the reason.
        """
        leaves: dict[str, Leaf] = {}
        refusal: Refusal | None = None
        for entry in ordered[:DEPTH]:
            usable = self._usable(ref, entry, ordered)
            if isinstance(usable, Refusal) and entry.version == newest:
                refusal = usable
            leaf = self._remembered(ref, entry, ordered) if isinstance(usable, Refusal) else usable
            if leaf is not None:
                leaves[str(entry.version)] = leaf
        known = [entry for entry in ordered if entry.version in leaves]
        versions = newest_first(tuple(_version(e, leaves[str(e.version)]) for e in known), newest)
        versions, current, judged = judge(versions, lambda version: leaves[version.version].facts, now)
        tags, inherited = lineage_tags(tuple(_tags(entry) for entry in ordered))
        judged_entry = next((entry for entry in known if current and entry.version == current.version), ordered[0])
        has_key = current is not None and leaves[current.version].bundle.key is KeyFound.MATCHING
        key = KeyPolicy(has_key, kind_of(judged_entry))
        unread = [entry for entry in ordered if entry.version not in leaves]
        disabled = sum(not entry.enabled for entry in unread)
        seen = Lineage(ref, versions, current, refusal or judged, tags, inherited, key)
        return replace(seen, unread=len(unread), unread_disabled=disabled)

    def _remembered(
        self, ref: VaultCertificateRef, entry: SecretProperties, versions: list[SecretProperties]
    ) -> Leaf | None:
        """Return the public part of a disabled version if the process read it before, because no vault shows it now."""
        return None if entry.enabled else self._leaves.get((ref, str(entry.version), _form(entry, versions)))

    def _usable(
        self, ref: VaultCertificateRef, entry: SecretProperties, versions: list[SecretProperties]
    ) -> Leaf | Refusal:
        if not entry.enabled:
            return Refusal(Reason.VERSION_DISABLED, "it is disabled")
        if (foreign := _foreign(entry, versions)) is not None:
            return foreign
        try:
            return self._leaf(ref, str(entry.version), _form(entry, versions))
        except Rejected as error:
            return Refusal(error.reason, str(error))

    def _leaf(self, ref: VaultCertificateRef, version: str, content_type: str) -> Leaf:
        """Return the public part of a secret's version. The process reads the value of a secret's version once."""
        known = self._leaves.get((ref, version, content_type))
        if known is not None:
            return known
        if len(self._leaves) >= REMEMBERED:
            self._leaves.clear()
        return self._leaves.setdefault((ref, version, content_type), self._read_leaf(ref, version, content_type))

    def _read_leaf(self, ref: VaultCertificateRef, version: str, content_type: str) -> Leaf:
        what = f"vault secret {ref}, version {version}"
        client = self._clients(ref.vault)
        secret = read_secret(self._retrying, what, lambda: client.get_secret(ref.name, version))
        value = readable_secret(what, _value, secret)
        try:
            certificate, bundle = read_leaf(value, content_type)
            dates = certificate.begins, certificate.ends
        except Rejected as error:
            raise Rejected(f"{what}: {error}", error.reason) from None
        except ValueError:
            raise Rejected(f"{what}: its certificate's dates cannot be read", Reason.SECRET_UNREADABLE) from None
        return Leaf(certificate.thumbprint, *dates, facts_of(certificate), bundle, certificate.der)


def read_secret(retrying: Retrying, what: str, read: Callable[[], KeyVaultSecret]) -> KeyVaultSecret:
    """Read a vault secret.

    Raise errors without `__cause__`, because an error of the Azure SDK may quote the secret in Key Vault's answer.
    """
    try:
        return retrying.read(what, read, PFX_REMEDY)
    except AzureError as error:
        raise error from None
    except ValueError:
        raise Rejected(f"{what}: the answer cannot be read", Reason.ANSWER_UNREADABLE) from None


def _value(secret: KeyVaultSecret) -> str:
    """Return the value of a secret. Raise TypeError if Key Vault's answer has a value that is no text."""
    value = secret.value or ""
    if not isinstance(value, str):
        raise TypeError("its value is not a text")
    return value


def _hidden(what: str, unread: Unread) -> str:
    """Return the problem that an unreadable entry in the list of versions may be the newest version."""
    spot = unread.spots[0]
    return f"{what}: its newest version may be an entry that Certroll cannot read ({spot.subject}: {spot.detail})"


def holds_certificate(content_type: str | None) -> bool:
    """Return True if the content type of a secret is that of a certificate."""
    return (content_type or "").strip().lower() in {PKCS12, PEM}


def may_hold_certificate(entry: SecretProperties) -> bool:
    """Return True if the content type or the tags of a secret say that the secret may hold a certificate."""
    return not entry.managed and (holds_certificate(entry.content_type) or is_root(_tags(entry)))


def _foreign(entry: SecretProperties, versions: Iterable[SecretProperties]) -> Refusal | None:
    """Return why Certroll cannot use a secret as a certificate, or None if nothing rules the secret out."""
    if entry.managed:
        return Refusal(Reason.BEHIND_A_CERTIFICATE, "it belongs to the vault certificate with the same name")
    if not _form(entry, versions):
        return Refusal(Reason.NOT_A_CERTIFICATE, f"its content type is {kind_of(entry)[:60]!r}")
    return None


def _age(entry: SecretProperties) -> tuple[datetime, str]:
    return entry.created_on or datetime.fromtimestamp(0, UTC), entry.version or ""


def _form(entry: SecretProperties, versions: Iterable[SecretProperties]) -> str:
    """Return the content type of the certificate in a secret's version, or an empty text for no certificate.

    If the content type is not that of a certificate, the tags must say that the secret is a root certificate.
    """
    if holds_certificate(entry.content_type):
        return kind_of(entry)
    return BARE if any(is_root(_tags(version)) for version in versions) else ""


def _tags(entry: SecretProperties) -> Tags:
    return texts_of(entry.tags or {})


def kind_of(entry: SecretProperties) -> str:
    """Return the content type of a secret's version in lower case, or an empty text."""
    return (entry.content_type or "").strip().lower()


def _version(entry: SecretProperties, leaf: Leaf) -> CertificateVersion:
    created = entry.created_on or leaf.not_before
    dates = leaf.not_before, leaf.not_after
    enabled = bool(entry.enabled)
    return CertificateVersion(str(entry.version), leaf.thumbprint, *dates, enabled, created, leaf.facts, leaf.bundle)
