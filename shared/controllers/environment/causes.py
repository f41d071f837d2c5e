"""Find the vault objects for whose root an environment's apps are stopped and started, and what they allow."""

from collections.abc import Iterable

from shared.domain.certificates import urgency
from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.intent import Barrier
from shared.domain.names import ObjectKind, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.snapshot.expiry import FORGOTTEN_AFTER
from shared.loop.lineage import read_lineage
from shared.loop.run import Run


def barrier(run: Run, record: EnvironmentRecord) -> Barrier | None:
    """Return why Certroll only observes the apps of an environment, None if it may stop and start them.

    With CERTROLL_SCOPE=tagged, the vault object of a root must carry `certroll: on`. Certroll reads the vault objects
    from their vaults, because the journal does not have their tags.
    """
    if (found := run.intent.barrier(None, "")) is None or found.reason is Reason.OBSERVE_ONLY:
        return found
    named = ", ".join(record.causes(run.now())) or "the vault object of the root"
    barriers = [run.intent.barrier(lineage.tags, named) for lineage in causes(run, record)]
    return None if None in barriers else run.intent.barrier(None, named)


def is_urgent(run: Run, record: EnvironmentRecord) -> bool:
    """Return True if an older root, whose successor makes Certroll stop apps, ends soon or is disabled.

    A disabled root that a later root has replaced in the environment does not count, because roots live for years.
    """
    return any(
        version != lineage.current and _hurries(run, lineage, version, is_last=version in last)
        for lineage in causes(run, record)
        for last in [_last(record, lineage)]
        for version in lineage.versions
    )


def _hurries(run: Run, lineage: Lineage, version: CertificateVersion, *, is_last: bool) -> bool:
    now = run.now()
    counts = version.not_after > now - FORGOTTEN_AFTER
    soon = urgency.is_urgent(version.not_before, version.not_after, now)
    return counts and (soon or (is_last and lineage.is_disabled(version.thumbprint)))


def _last(record: EnvironmentRecord, lineage: Lineage) -> tuple[CertificateVersion, ...]:
    """Return the older versions down to the newest one that the environment has had as a root."""
    older = tuple(version for version in lineage.versions if lineage.is_below(version.thumbprint))
    had = (place for place, version in enumerate(older) if _was_there(record, version))
    return older[: next(had, len(older)) + 1]


def _was_there(record: EnvironmentRecord, version: CertificateVersion) -> bool:
    root = record.root(version.thumbprint)
    return root is not None and root.seen_at is not None


def causes(run: Run, record: EnvironmentRecord) -> Iterable[Lineage]:
    """Return the vault objects in scope for whose root the apps are stopped, as their vaults show them now."""
    for ref in record.causes(run.now()):
        vault, _, name = ref.partition("/")
        if vault in run.intent.vaults:
            lineage = read_lineage(run, VaultCertificateRef.parse(vault, ObjectKind.CERTIFICATE, name))
            if isinstance(lineage, Lineage):
                yield lineage
