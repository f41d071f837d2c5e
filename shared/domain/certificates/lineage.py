"""The class `Lineage` lists all versions of one vault certificate, and says which version is current."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.domain.certificates.judges import compares
from shared.domain.certificates.requirements import PKCS12, Case
from shared.domain.certificates.rules import refusals
from shared.domain.certificates.version import CertificateFacts, CertificateVersion, KeyFound, KeyPolicy
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.names import Thumbprint, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.tags import Tags

USABLE_KEY = KeyPolicy(exportable=True, content_type=PKCS12)


MOST_JUDGED = 10
"""How many versions Certroll judges at most to find the current version."""


class Refusal(NamedTuple):
    """The reason for which Certroll does not bring a version of a vault certificate into App Service."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """One vault certificate (or secret) with its versions, newest first."""

    ref: VaultCertificateRef
    versions: tuple[CertificateVersion, ...]
    current: CertificateVersion | None
    """The newest version that Certroll may roll out, None if it may roll out no version."""
    refusal: Refusal | None = None
    """The reason for which the newest version is not the current version, None if it is the current version."""
    tags: Tags = ()
    tags_inherited: bool = False
    """True if the newest version has no tags of Certroll and `tags` are those of an older version."""
    key: KeyPolicy = USABLE_KEY
    """The exportability of the private key, and the format of the secret, of the current version."""
    next_key: KeyPolicy | None = None
    """What the policy says of the next version's key and format, None for an object without a policy."""
    unread: int = 0
    """How many older versions of a secret have a thumbprint that Certroll does not know."""
    reissued: bool = False
    """True if an operator asked for the current version by the tag `certroll-reissue` on the order."""
    unread_disabled: int = 0
    """How many versions of a secret are disabled and have a thumbprint that Certroll does not know."""
    unreadable: tuple[BlindSpot, ...] = ()
    """The entries in the list of versions that Certroll could not read."""
    policy: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What compliance rules judge of the policy, in the words of Key Vault's REST API, empty for a plain secret."""

    def is_stale(self, thumbprint: Thumbprint | None) -> bool:
        """Return True if only versions older than the vault certificate's current version have the thumbprint.

        A certificate that is older by the vault's word alone, and later by its own dates, is not stale.
        """
        return self.is_below(thumbprint) and self.later(thumbprint) is None

    def is_below(self, thumbprint: Thumbprint | None) -> bool:
        """Return True if the vault lists the thumbprint only below the current version, whatever its dates are."""
        if self.current is None or thumbprint is None:
            return False
        newest = self.version_of(thumbprint)
        return newest is not None and self.versions.index(newest) > self.versions.index(self.current)

    def later(self, thumbprint: Thumbprint | None) -> CertificateVersion | None:
        """Return the version of a certificate that begins and ends later than the current version, or None.

        After a backup and restore, Key Vault lists the versions in reverse order and names the oldest version as the
        newest. By disabling the later version, an operator says that the earlier one is meant. If an operator asked for
        the current version by `certroll-reissue`, the current version replaces every other.
        """
        found = self.version_of(thumbprint) if self.is_below(thumbprint) else None
        if found is None or self.current is None or self.is_disabled(thumbprint) or self.reissued:
            return None
        return found if is_later(found.not_before, found.not_after, self.current) else None

    def has_key_of(self, thumbprint: Thumbprint | None) -> bool:
        """Return True if a version of the vault certificate with this thumbprint has the private key.

        Anybody can put somebody else's certificate, without its key, into a secret. Only the owner of the private key
        may decide which version replaces a certificate.
        """
        return any(
            version.thumbprint == thumbprint and (version.bundle is None or version.bundle.key is KeyFound.MATCHING)
            for version in self.versions
        )

    def is_disabled(self, thumbprint: Thumbprint | None) -> bool:
        """Return True if an operator disabled the certificate with the thumbprint, because its key may be bad.

        Two versions with one thumbprint are one certificate, which an operator disables by disabling both versions.
        """
        found = [version.enabled for version in self.versions if version.thumbprint == thumbprint]
        return bool(found) and not any(found)

    def may_be_disabled(self, thumbprint: Thumbprint | None) -> bool:
        """Return True if an operator disabled the certificate with the thumbprint, or if Certroll cannot rule it out.

        The vault shows the thumbprint of a plain secret's version only while the version is enabled. Certroll knew
        the thumbprint when the version was enabled.
        """
        unknown = thumbprint is not None and self.version_of(thumbprint) is None
        return self.is_disabled(thumbprint) or (unknown and self.unread_disabled > 0)

    def is_current(self, thumbprint: Thumbprint | None) -> bool:
        """Return True if the vault certificate's current version has the thumbprint."""
        return self.current is not None and thumbprint == self.current.thumbprint

    @property
    def before(self) -> CertificateVersion | None:
        """The newest enabled version of the vault certificate older than the current version, or None."""
        if self.current is None:
            return None
        older = self.versions[self.versions.index(self.current) + 1 :]
        return next((version for version in older if version.enabled), None)

    @property
    def older(self) -> tuple[CertificateVersion, ...]:
        """The versions that the vault lists after the current version, newest first."""
        return self.versions[self.versions.index(self.current) + 1 :] if self.current else ()

    @property
    def replaced(self) -> tuple[CertificateVersion, ...]:
        """The versions that the current version may replace where nothing names a version, newest first.

        These are the newest enabled older version, and the disabled versions that are newer than that version.
        """
        enabled = next((place for place, version in enumerate(self.older) if version.enabled), len(self.older))
        return self.older[: enabled + 1]

    def version_of(self, thumbprint: Thumbprint | None) -> CertificateVersion | None:
        """Return the newest version of the vault certificate with this thumbprint, or None."""
        return next((version for version in self.versions if version.thumbprint == thumbprint), None)

    def life_of(self, thumbprint: Thumbprint | None) -> timedelta | None:
        """Return how long the certificate with this thumbprint is valid by its own dates, None if that is unknown.

        Two versions with one thumbprint are one certificate, whose longer life counts. A certificate that ends before
        it begins has no known life. Where Key Vault shows no date, the clients of the vault put the year 1970.
        """
        found = (version for version in self.versions if version.thumbprint == thumbprint)
        longest = max((version.not_after - version.not_before for version in found), default=timedelta(0))
        return longest if longest > timedelta(0) else None


def is_later(not_before: datetime, not_after: datetime, current: CertificateVersion) -> bool:
    """Return True if a certificate with the dates begins and ends later than the current version."""
    return not_before > current.not_before and not_after > current.not_after


def newest_first(versions: tuple[CertificateVersion, ...], latest: str) -> tuple[CertificateVersion, ...]:
    """Return the versions of a vault certificate, newest first.

    Key Vault does not document an order in its list of versions. `latest` is the version that the vault names as its
    newest version, and comes first.
    """

    def age(version: CertificateVersion) -> tuple[bool, datetime, datetime, str]:
        return version.version == latest, version.created, version.not_before, version.version

    return tuple(sorted(versions, key=age, reverse=True))


def refuse_version(version: CertificateVersion, before: CertificateVersion | None, now: datetime) -> Refusal | None:
    """Return why Certroll must not bring a version of a vault certificate into App Service, or None if Certroll may.

    The function `refuse_version` applies the rules that are independent of a certificate's purpose. `before` is the
    next older enabled version of the vault certificate, and some rules compare both versions. A company may use
    self-signed certificates, but a vault that suddenly makes self-signed versions has probably lost the issuer. What
    is in use may be another certificate than `before`, with which the plan compares the version.
    """
    known = (before.in_use,) if before is not None and before.facts is not None else ()
    refused = refusals(Case(version, None, now, known))
    return Refusal(refused[0].reason, refused[0].detail) if refused else None


def judge(
    versions: tuple[CertificateVersion, ...],
    facts: Callable[[CertificateVersion], CertificateFacts],
    now: datetime,
) -> tuple[tuple[CertificateVersion, ...], CertificateVersion | None, Refusal | None]:
    """Return the versions of a vault certificate, the current version, and why the newest version is not current.

    The function `judge` reads the facts of as few versions as possible, and stores the facts in the returned versions.
    """
    read = dict[str, CertificateVersion]()

    def with_facts(version: CertificateVersion) -> CertificateVersion:
        if version.version not in read:
            read[version.version] = replace(version, facts=facts(version))
        return read[version.version]

    current, refusal = _newest_good(versions, with_facts, now)
    return tuple(read.get(version.version, version) for version in versions), current, refusal


def _if_readable(
    with_facts: Callable[[CertificateVersion], CertificateVersion], older: CertificateVersion
) -> CertificateVersion:
    """Return the older version with the facts of its certificate, or unchanged if its certificate is unreadable.

    An unreadable older version must not block the newer version of a vault certificate.
    """
    try:
        return with_facts(older)
    except ValueError:
        return older


def _newest_good(
    versions: tuple[CertificateVersion, ...],
    with_facts: Callable[[CertificateVersion], CertificateVersion],
    now: datetime,
) -> tuple[CertificateVersion | None, Refusal | None]:
    newest_refusal: Refusal | None = None
    for position, version in enumerate(versions[:MOST_JUDGED]):
        judged = with_facts(version) if version.enabled else version
        older = next((earlier for earlier in versions[position + 1 :] if earlier.enabled), None)
        compared = judged.facts is not None and compares(judged.facts)
        before = _if_readable(with_facts, older) if compared and older else None
        refusal = refuse_version(judged, before, now)
        if refusal is None:
            return judged, newest_refusal
        newest_refusal = newest_refusal or refusal
    return None, newest_refusal
