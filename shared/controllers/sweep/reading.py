"""Find the vault certificates that a sweep inspects, and read each of them from its vault."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import partial

from shared.domain.certificates.lineage import Lineage
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import AzureError, Denied, NotFound, OutOfTime, Rejected
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet, Listing
from shared.domain.names import ObjectKind, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.loop.lineage import lineage_of, stalled_on_vault
from shared.loop.report import report
from shared.loop.run import Run
from shared.loop.turns import Turns, taking_turns
from shared.planning.closing import vault_subject

REFUSED = (Denied, NotFound, Rejected)
"""The errors of a vault that answers, and does not give what Certroll asks for."""
FLEET_SHARE = Fraction(3, 8)
"""The share of its time that a sweep keeps for the fleet while vaults are slow, so that it queues what it has read."""
LIST_SHARE = Fraction(6, 8)
"""The share of its time that a sweep keeps after it has listed the vaults, so that silent vaults stop no others."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of inspecting one vault certificate."""

    lineage: Lineage | None = None
    """The vault certificate with its versions, or None if Certroll could not read it."""
    busy: bool = False
    """True if the vault certificate has work, and Certroll put it on the queue."""
    error: Exception | None = None
    """The error that stopped the inspection."""


def read_in_turn(
    run: Run, kind: str, refs: Iterable[VaultCertificateRef], leaving: timedelta = timedelta(0)
) -> Iterable[tuple[VaultCertificateRef, Inspection]]:
    """Read each vault certificate from its vault, in turn, while more time than `leaving` is left.

    `kind` names the sweep's turns for these vault certificates.
    """
    with taking_turns(run, kind, sorted(refs)) as turns:
        inspections = run.pool.map(partial(_inspected, run, turns, leaving), turns.order)
    return zip(turns.order, inspections, strict=True)


def _inspected(run: Run, turns: Turns[VaultCertificateRef], leaving: timedelta, ref: VaultCertificateRef) -> Inspection:
    """Read a vault certificate with its versions, and return the result or the error.

    If Key Vault refuses or does not answer the read, this function reports a finding (a reported problem).
    """
    try:
        run.check_time(leaving)
        turns.begin(ref)
        inspection = Inspection(lineage_of(run, ref))
    except REFUSED as error:
        stalled_on_vault(run, ref, error)
        inspection = Inspection()
    except AzureError as error:
        report(run.ports.findings, (Finding(run.now(), str(ref), str(ref), Reason.VAULT_UNREACHABLE, str(error)),))
        return Inspection(error=error)
    except Exception as error:  # noqa: BLE001 - the other certificates must continue; the sweep raises it
        return Inspection(error=error)
    turns.end(ref)
    return inspection


def report_hidden(run: Run, listed: Mapping[VaultCertificateRef, Inspection]) -> None:
    """Report each vault certificate that its vault lists, and then answers 404 for.

    Certroll has read the secret of the same name instead, whose tags need not be those of the certificate.
    """
    hidden = sorted(
        ref
        for ref, inspection in listed.items()
        if ref.kind is ObjectKind.CERTIFICATE
        and inspection.lineage is not None
        and inspection.lineage.ref.kind is ObjectKind.SECRET
    )
    detail = "the vault lists the certificate, and answers 404 for it; Certroll has read the secret of the same name"
    reason = Reason.NO_SUCH_CERTIFICATE
    report(run.ports.findings, tuple(Finding(run.now(), str(ref), str(ref), reason, detail) for ref in hidden))


def imported(fleet: Fleet, vaults: frozenset[VaultName]) -> set[VaultCertificateRef]:
    """Return the vault certificates that App Service imported from the vaults in scope."""
    return {copy.source for copy in fleet.certificates if copy.source and copy.source.vault in vaults}


def in_vaults(run: Run) -> tuple[set[VaultCertificateRef], list[Exception], frozenset[VaultName]]:
    """Return every certificate of the vaults, and every secret that may hold a certificate.

    Return also the errors of vaults that did not answer, and the vaults that Certroll has listed completely.

    Certroll reads all versions that the vault returns, because an operator may have uploaded any version to App
    Service. If Certroll fails with one vault, Certroll still reads the other vaults.
    """
    leaving = run.part(LIST_SHARE)
    with taking_turns(run, "vaults", sorted(run.intent.vaults)) as turns:
        lists = [(vault, names) for vault in turns.order for names in _listings(run)]
        answers = run.pool.map(lambda listing: _listed(run, turns, leaving, *listing), lists)
        sick = {vault for (vault, _), answer in zip(lists, answers, strict=True) if isinstance(answer, AzureError)}
        for vault in tuple(turns.had):
            turns.end(vault, failed=vault in sick)
    found = {ref for answer in answers if isinstance(answer, Listing) for ref in answer.found}
    failed = [
        (vault, answer) for (vault, _), answer in zip(lists, answers, strict=True) if isinstance(answer, Exception)
    ]
    errors: list[Exception] = [error for _, error in failed if not isinstance(error, REFUSED)]
    hidden = {vault for (vault, _), answer in zip(lists, answers, strict=True) if _is_partial(answer)}
    return found, errors, run.intent.vaults - {vault for vault, _ in failed} - hidden


def known_roots(run: Run, environment_records: tuple[EnvironmentRecord, ...]) -> set[VaultCertificateRef]:
    """Return the vault objects that the journal records as root certificates of environments.

    The journal still records a root certificate after its newest version in the vault has lost its tags.
    """
    wants = [want.ref.partition("/") for record in environment_records for want in record.lasting(run.now())]
    return {
        VaultCertificateRef.parse(vault, ObjectKind.SECRET, name)
        for vault, _, name in wants
        if vault in run.intent.vaults
    }


def _listings(run: Run) -> tuple[Callable[[VaultName], Listing[VaultCertificateRef]], ...]:
    return run.ports.vault.names, run.ports.vault.secret_names


def _listed(
    run: Run,
    turns: Turns[VaultName],
    leaving: timedelta,
    vault: VaultName,
    names: Callable[[VaultName], Listing[VaultCertificateRef]],
) -> Listing[VaultCertificateRef] | AzureError | OutOfTime:
    """List the vault objects of a vault, or report and return the error if the vault refuses or does not answer.

    Each unreadable entry of the list becomes a finding (a reported problem).

    If less time than `leaving` is left, the next sweep lists the vault.
    """
    try:
        run.check_time(leaving)
        turns.begin(vault)
        listing = names(vault)
    except OutOfTime as late:
        return late
    except AzureError as error:
        reason = _list_reason(error)
        run.ports.findings.report((Finding(run.now(), "sweep", vault_subject(vault), reason, str(error)),))
        return error
    hidden = (Finding(run.now(), "sweep", spot.subject, spot.reason, spot.detail) for spot in listing.blind_spots)
    report(run.ports.findings, tuple(hidden))
    return listing


def _is_partial(answer: object) -> bool:
    """Return True for a list with unreadable entries, in which a vault certificate may be hidden."""
    return isinstance(answer, Listing) and bool(answer.blind_spots)


def _list_reason(error: AzureError) -> Reason:
    """Return the reason for which Certroll reports a list of a vault that failed."""
    if isinstance(error, Rejected):
        return error.reason
    return Reason.VAULT_DENIED if isinstance(error, REFUSED) else Reason.VAULT_UNREACHABLE
