"""A run asks each vault once which vault certificates may be opposed to its own."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.domain.fleet.fleet import Listing
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName
from shared.loop.opposed import Rivals
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import APPLY, NOW, REF, ManualClock, lineage
from tests.small_storage import SmallStorage, ports_on


@dataclass
class Vaults:
    """Fake vaults without rivals, which note each list that somebody asks for."""

    asked: list[tuple[VaultName, object]] = field(default_factory=list)

    def holding(self, vault: VaultName, thumbprints: frozenset[Thumbprint]) -> Listing[VaultCertificateRef]:
        """Return no certificate."""
        self.asked.append((vault, thumbprints))
        return Listing(())

    def secret_names(self, vault: VaultName, since: datetime | None = None) -> Listing[VaultCertificateRef]:
        """Return no secret."""
        self.asked.append((vault, since))
        return Listing(())


def test_plan_that_is_made_again_lists_no_vault_again() -> None:
    """If a run plans three times, it asks each vault once for its certificates and once for its secrets."""
    vaults, known, two = Vaults(), lineage(), VaultName("two-kv")
    current = known.current
    assert current is not None
    with Pool(1, "reader") as pool:
        ports = ports_on(SmallStorage(), ManualClock(NOW), vault=vaults)
        rivals = Rivals(Run.start(ports, replace(APPLY, vaults=frozenset({REF.vault, two})), pool))
        assert [rivals.of(known) for _ in range(3)] == [None] * 3
    older = frozenset({known.versions[-1].thumbprint})
    since = min(current.not_before, current.created)
    assert vaults.asked == [(vault, asked) for vault in sorted((REF.vault, two)) for asked in (older, since)]
