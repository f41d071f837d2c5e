"""Find the vault certificates of a sweep, and read each of them from its vault."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from shared.domain.certificates.lineage import Lineage
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import AzureError, Denied, NotFound, Rejected
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import ObjectKind, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.loop.lineage import stalled_on_vault
from shared.loop.run import Run

HOUR_SECONDS = 3600
"""How often the sweep begins with another vault certificate: as often as it runs."""
TURNS = 7
"""After how many hours the first to be read is about the same one again."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What came of looking at one vault certificate."""

    lineage: Lineage | None = None
    busy: bool = False
    error: Exception | None = None


def read_in_turn(run: Run, refs: Iterable[VaultCertificateRef]) -> Iterable[tuple[VaultCertificateRef, Inspection]]:
    """Read each, beginning with another one each hour: where time runs out, it is not always for the same ones."""
    ordered = sorted(refs)
    hours = int(run.now().timestamp() // HOUR_SECONDS)
    first = hours * max(len(ordered) // TURNS, 1) % len(ordered) if ordered else 0
    turned = ordered[first:] + ordered[:first]
    return zip(turned, run.pool.map(partial(_inspected, run), turned), strict=True)


def _inspected(run: Run, ref: VaultCertificateRef) -> Inspection:
    """Return the lineage; or what went wrong with it, which is reported or raised later."""
    try:
        run.check_time()
        return Inspection(run.ports.vault.lineage(ref, run.now()))
    except (Denied, NotFound, Rejected) as error:
        stalled_on_vault(run, ref, error)
        return Inspection()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one lineage, the others are looked at; raised above
        return Inspection(error=error)


def imported(fleet: Fleet, vaults: frozenset[VaultName]) -> set[VaultCertificateRef]:
    """Return the vault certificates that App Service imported from the vaults in scope."""
    return {copy.source for copy in fleet.certificates if copy.source and copy.source.vault in vaults}


def in_vaults(run: Run) -> tuple[set[VaultCertificateRef], list[Exception]]:
    """Return every certificate of the vaults and every secret that holds one; and which vaults did not answer.

    Only its versions tell whether an upload is one of them, and only all of them which tags it has inherited. A vault
    that cannot be listed does not hold up the others.
    """
    lists = [(vault, names) for vault in sorted(run.intent.vaults) for names in _listings(run)]
    answers = list(run.pool.map(lambda listing: _listed(run, *listing), lists))
    found = {ref for answer in answers if not isinstance(answer, Exception) for ref in answer}
    return found, [answer for answer in answers if isinstance(answer, Exception)]


def known_roots(run: Run, environment_records: tuple[EnvironmentRecord, ...]) -> set[VaultCertificateRef]:
    """Return the vault objects that are roots of environments, also where their newest version has lost its tags."""
    wants = [want.ref.partition("/") for record in environment_records for want in record.lasting(run.now())]
    return {
        VaultCertificateRef.parse(vault, ObjectKind.SECRET, name)
        for vault, _, name in wants
        if vault in run.intent.vaults
    }


def _listings(run: Run) -> tuple[Callable[[VaultName], tuple[VaultCertificateRef, ...]], ...]:
    return run.ports.vault.names, run.ports.vault.secret_names


def _listed(
    run: Run, vault: VaultName, names: Callable[[VaultName], tuple[VaultCertificateRef, ...]]
) -> tuple[VaultCertificateRef, ...] | AzureError:
    """Return what a vault lists: nothing where it refuses, which is reported; or that it does not answer."""
    try:
        return names(vault)
    except (Denied, NotFound, Rejected) as error:
        run.ports.findings.report((Finding(run.now(), "sweep", f"vault {vault}", Reason.VAULT_DENIED, str(error)),))
        return ()
    except AzureError as error:
        run.ports.findings.report(
            (Finding(run.now(), "sweep", f"vault {vault}", Reason.VAULT_UNREACHABLE, str(error)),)
        )
        return error
