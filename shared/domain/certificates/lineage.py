"""A vault certificate as the list of its versions, and which of them is the current one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from shared.domain.certificates.requirements import PKCS12, Case, compares, refusals
from shared.domain.certificates.version import CertificateFacts, CertificateVersion, KeyFound, KeyPolicy
from shared.domain.names import Thumbprint, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.tags import Tags, has_ours

USABLE_KEY = KeyPolicy(exportable=True, content_type=PKCS12)
DEEPEST_LOOK = 10


class Refusal(NamedTuple):
    """Why a version may not be rolled out."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """All versions of one vault certificate, newest first.

    `current` is the newest version that passes the version half of the gate, None where none does. `refusal` says why
    the newest version is not the current one, None where it is. `key` says whether a private key comes with it, and in
    which format. `unread` counts older versions of a secret whose thumbprints are not known.
    """

    ref: VaultCertificateRef
    versions: tuple[CertificateVersion, ...]
    current: CertificateVersion | None
    refusal: Refusal | None = None
    tags: Tags = ()
    tags_inherited: bool = False
    key: KeyPolicy = USABLE_KEY
    unread: int = 0

    def is_stale(self, thumbprint: Thumbprint | None) -> bool:
        """Say whether the thumbprint belongs to a version older than the current one, and to no other."""
        if self.current is None or thumbprint is None:
            return False
        position = self.versions.index(self.current)
        newer = {version.thumbprint for version in self.versions[: position + 1]}
        return thumbprint not in newer and self.version_of(thumbprint) is not None

    def has_key_of(self, thumbprint: Thumbprint | None) -> bool:
        """Say whether a version with this thumbprint came with its private key.

        Anybody can put another's public certificate into a secret: only who had the key may say what replaces it.
        """
        return any(
            version.thumbprint == thumbprint and (version.bundle is None or version.bundle.key is KeyFound.MATCHING)
            for version in self.versions
        )

    def is_current(self, thumbprint: Thumbprint | None) -> bool:
        """Say whether the thumbprint is that of the current version."""
        return self.current is not None and thumbprint == self.current.thumbprint

    @property
    def before(self) -> CertificateVersion | None:
        """The version in use before the current one: the next older one that is enabled, None where there is none."""
        if self.current is None:
            return None
        older = self.versions[self.versions.index(self.current) + 1 :]
        return next((version for version in older if version.enabled), None)

    def version_of(self, thumbprint: Thumbprint | None) -> CertificateVersion | None:
        """Return the newest version with this thumbprint."""
        return next((version for version in self.versions if version.thumbprint == thumbprint), None)


def newest_first(versions: tuple[CertificateVersion, ...], latest: str) -> tuple[CertificateVersion, ...]:
    """Return the versions in order of age; Key Vault lists them in none.

    `latest` is the version that the vault itself names as the latest: it decides where two were made in one second.
    """
    return tuple(
        sorted(versions, key=lambda v: (v.version == latest, v.created, v.not_before, v.version), reverse=True)
    )


def lineage_tags(tags_by_version: tuple[Tags, ...]) -> tuple[Tags, bool]:
    """Return the tags of the newest version that carries any of ours, and whether that is an older version.

    Key Vault tags belong to a version; a renewal by import arrives without them, and an opt-out must not be lost so.
    """
    for position, tags in enumerate(tags_by_version):
        if has_ours(tags):
            return tags, position > 0
    return (tags_by_version[0] if tags_by_version else ()), False


def refuse_version(version: CertificateVersion, before: CertificateVersion | None, now: datetime) -> Refusal | None:
    """Judge one version by itself: the version half of the gate. None means that it passes.

    `before` is the next older enabled version, needed only where a judgment depends on it: a private fleet may well use
    self-signed certificates, but a vault that suddenly makes one has lost its issuer.
    """
    refused = refusals(Case(version, None, now, before))
    return Refusal(refused[0].reason, refused[0].detail) if refused else None


def judge(
    versions: tuple[CertificateVersion, ...],
    facts: Callable[[CertificateVersion], CertificateFacts],
    now: datetime,
) -> tuple[tuple[CertificateVersion, ...], CertificateVersion | None, Refusal | None]:
    """Return the versions, the newest that passes the version half of the gate, and why the newest one does not.

    The facts are asked for of as few versions as it takes, and are with those that were asked for.
    """
    seen = dict[str, CertificateVersion]()

    def looked_into(version: CertificateVersion) -> CertificateVersion:
        if version.version not in seen:
            seen[version.version] = replace(version, facts=facts(version))
        return seen[version.version]

    current, refusal = _newest_good(versions, looked_into, now)
    return tuple(seen.get(version.version, version) for version in versions), current, refusal


def _if_readable(
    looked_into: Callable[[CertificateVersion], CertificateVersion], older: CertificateVersion
) -> CertificateVersion:
    """Return the older version with its facts. One that cannot be read must not hold up the one that replaces it."""
    try:
        return looked_into(older)
    except ValueError:
        return older


def _newest_good(
    versions: tuple[CertificateVersion, ...],
    looked_into: Callable[[CertificateVersion], CertificateVersion],
    now: datetime,
) -> tuple[CertificateVersion | None, Refusal | None]:
    newest_refusal: Refusal | None = None
    for position, version in enumerate(versions[:DEEPEST_LOOK]):
        judged = looked_into(version) if version.enabled else version
        older = next((v for v in versions[position + 1 :] if v.enabled), None)
        compared = judged.facts is not None and compares(judged.facts)
        before = _if_readable(looked_into, older) if compared and older else None
        refusal = refuse_version(judged, before, now)
        if refusal is None:
            return judged, newest_refusal
        newest_refusal = newest_refusal or refusal
    return None, newest_refusal
