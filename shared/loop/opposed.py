"""Find two vault certificates that hold each other's current version as an older one, of which Certroll moves nothing.

Each rollout of such a pair would undo the other. A sweep knows all vault certificates; the run of one vault certificate
asks the vaults for the few that may be its rival.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import AzureError
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Listing
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.loop.lineage import lineage_of
from shared.loop.run import Run


def opposed(lineages: list[Lineage]) -> dict[VaultCertificateRef, VaultCertificateRef]:
    """Return each pair of vault certificates that hold each other's current version as an older version.

    Certroll must install neither certificate of such a pair, because each installation would undo the other.
    """
    current: dict[Thumbprint, list[Lineage]] = {}
    for lineage in lineages:
        if lineage.current:
            current.setdefault(lineage.current.thumbprint, []).append(lineage)
    return {
        lineage.ref: rival.ref
        for lineage in lineages
        if lineage.current
        for version in lineage.versions
        if lineage.is_below(version.thumbprint)
        for rival in current.get(version.thumbprint, ())
        if rival.is_below(lineage.current.thumbprint)
    }


class Rivals:
    """The vault certificates in scope that may be opposed to the one of a run, which asks each vault for them once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._found: dict[tuple[datetime, frozenset[Thumbprint]], frozenset[VaultCertificateRef]] = {}

    def of(self, lineage: Lineage) -> VaultCertificateRef | None:
        """Return the vault certificate in scope that is opposed to this one, None if there is none.

        The list of a vault's certificates shows the thumbprint of each newest version, so only a certificate whose
        newest version is an older one of this vault certificate costs further requests. A list of secrets shows no
        thumbprints, but when each newest version was added. A rival got its newest version after the current one of
        this vault certificate was issued, so only such a secret costs further requests. A sweep also finds a rival of a
        certificate that begins after its issue. A vault that does not answer hides a rival, as it does from a sweep.
        """
        run, current = self._run, lineage.current
        older = frozenset(v.thumbprint for v in lineage.versions if lineage.is_below(v.thumbprint))
        if current is None or not older:
            return None
        key = (min(current.not_before, current.created), older)
        if key not in self._found:
            lists = run.pool.map(lambda vault: _listed(run, vault, *key), sorted(run.intent.vaults))
            self._found[key] = frozenset(ref for refs in lists for ref in refs)
        rivals = run.pool.map(lambda ref: _read(run, ref), sorted(self._found[key] - {lineage.ref}))
        return opposed([lineage, *(rival for rival in rivals if rival is not None)]).get(lineage.ref)


def opposed_finding(run: Run, ref: VaultCertificateRef, rival: VaultCertificateRef) -> Finding:
    """Return the finding that Certroll moves nothing of the two vault certificates."""
    detail = (
        f"{ref} and {rival} hold the same certificates in opposite order, so the newest of each is stale for the "
        "other; Certroll moves neither: delete one of them, or add a new version to one of them"
    )
    return Finding(run.now(), str(ref), str(ref), Reason.AMBIGUOUS_LINEAGE, detail)


def _listed(
    run: Run, vault: VaultName, since: datetime, thumbprints: frozenset[Thumbprint]
) -> tuple[VaultCertificateRef, ...]:
    """Return the certificates of a vault whose newest version has one of the thumbprints, and its changed secrets."""
    port = run.ports.vault
    reads: tuple[Callable[[], Listing[VaultCertificateRef]], ...] = (
        lambda: port.holding(vault, thumbprints),
        lambda: port.secret_names(vault, since),
    )
    found: list[VaultCertificateRef] = []
    for read in reads:
        with suppress(AzureError):
            found += read().found
    return tuple(found)


def _read(run: Run, ref: VaultCertificateRef) -> Lineage | None:
    with suppress(AzureError):
        return lineage_of(run, ref)
    return None
