"""Read the certificates in use, with which the requirements compare a new version."""

from dataclasses import replace

from shared.domain.certificates.judges import compares
from shared.domain.certificates.lineage import MOST_JUDGED
from shared.domain.certificates.version import CertificateFacts, CertificateVersion
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.in_use import uncompared
from shared.ports import Ports


def with_compared(ports: Ports, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the contents of the older versions in use, if the current version is compared at all.

    Certroll reads at most ten versions, one request for each version that the process has not read before. A version
    that the vault does not show stays unknown.
    """
    lineage = snapshot.lineage
    current = lineage.current
    if current is None or current.facts is None or not compares(current.facts):
        return snapshot
    read = {version: _facts(ports, snapshot, version) for version in uncompared(snapshot)[:MOST_JUDGED]}
    versions = tuple(replace(version, facts=read.get(version, version.facts)) for version in lineage.versions)
    return replace(snapshot, lineage=replace(lineage, versions=versions))


def _facts(ports: Ports, snapshot: Snapshot, version: CertificateVersion) -> CertificateFacts | None:
    try:
        return ports.vault.facts(snapshot.lineage.ref, version.version, version.thumbprint)
    except (Denied, NotFound, Rejected):
        return None
