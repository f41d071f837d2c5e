"""Observe the fleet once, and put each vault certificate that has work on the queue `certificates`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from shared.controllers.sweep.closing import close_gone, close_left
from shared.controllers.sweep.ends import log_ends
from shared.controllers.sweep.judging import Seen, judge, queue_begun
from shared.controllers.sweep.reading import (
    FLEET_SHARE,
    Inspection,
    imported,
    in_vaults,
    known_roots,
    read_in_turn,
    report_hidden,
)
from shared.controllers.sweep.references import report_references
from shared.controllers.sweep.slices import observe
from shared.controllers.sweep.use import Use
from shared.domain.errors import AzureError, Denied, OutOfTime
from shared.domain.findings import Finding
from shared.domain.fleet.districts import Districts
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_memory import recalled
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.domain.sweeps import Unseen
from shared.loop.observe.targets import Targets
from shared.loop.opposed import opposed
from shared.loop.preflight import checking
from shared.loop.report import SWEEP, report_blind_spots, report_tags
from shared.loop.run import Run
from shared.loop.turns import taking_turns
from shared.planning.closing import unseen_by_sweep, vault_subject
from shared.planning.fleet_notices import tagged_resources
from shared.telemetry import event

JUDGING_SHARE = Fraction(1, 4)
"""The share of the time after the vaults that a sweep keeps for the judging of what it has read of App Service."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of the vault certificates in an inspection of the whole fleet."""

    busy: tuple[VaultCertificateRef, ...]
    """The vault certificates that need a run, each with a message on the queue."""
    unseen: Unseen
    """What the inspection could not see."""
    error: Exception | None
    """The errors of all vault certificates together, or None."""
    targets: Targets
    """What the tags of vault objects name."""
    late: tuple[str, ...]
    """The subscriptions that this run had no time to read completely."""


def judge_certificates(run: Run) -> Judged:
    """Queue a message for each vault certificate that needs a change, and return what became of all of them.

    Certroll reads the sites, bindings and settings from Azure only once for all vault certificates. If Certroll fails
    with one vault certificate, Certroll still inspects the other vault certificates. Raises an error of Azure if
    Certroll could not look at the fleet.
    """
    vaults, environment_records, began = run.intent.vaults, run.ports.environment_records.all(), run.now()
    for_fleet = run.part(FLEET_SHARE)
    refs, errors, listed = in_vaults(run)
    refs |= known_roots(run, environment_records)
    inspections = dict(read_in_turn(run, "vault certificates", refs, for_fleet))
    report_hidden(run, inspections)
    lineages = tuple(inspection.lineage for inspection in inspections.values() if inspection.lineage)
    targets = Targets.of(lineages, limited=run.intent.ase_max_unavailable is not None)
    fleet = _observed(run, vaults, targets)
    report_blind_spots(run.ports.findings, SWEEP, fleet)
    inspections.update(read_in_turn(run, "imported certificates", imported(fleet, vaults) - inspections.keys()))
    fleet = recalled(fleet, _known(fleet, inspections.values()))
    report_tags(run.ports.findings, SWEEP, tagged_resources(fleet), run.now())
    use = Use.of(fleet, opposed([inspection.lineage for inspection in inspections.values() if inspection.lineage]))
    scopes = run.ports.findings.scopes()
    seen = Seen(fleet, Districts.of(fleet), environment_records, checking(run.ports), scopes)
    judged = _judged(run, seen, use, inspections)
    busy = tuple(ref for ref, inspection in judged.items() if inspection.busy)
    lineages = tuple(inspection.lineage for inspection in judged.values() if inspection.lineage)
    begun, unsent = queue_begun(run, frozenset(map(str, inspections)))
    report_references(run.ports.findings, fleet, lineages)
    log_ends(fleet, inspections)
    run.ports.findings.close(SWEEP, run.now(), unseen_by_sweep(fleet, began, unasked=vaults - listed))
    idle = scopes - set(map(str, (*inspections, *begun)))
    unclosed = close_gone(run, idle, listed, began) + close_left(run, idle, environment_records, began)
    errors, busy = [*errors, *unsent, *unclosed], busy + begun
    event("sweep.judged", certificates=len(inspections), enqueued=[str(ref) for ref in busy], sites=len(fleet.sites))
    late = tuple(sorted({spot.subscription for spot in fleet.blind_spots if spot.is_late}))
    failed = (inspection.error for inspection in judged.values() if inspection.error)
    # a judging that was late is repeated after its slices, and then judges what it had no time for
    errors += [failure for failure in failed if not (late and isinstance(failure, OutOfTime))]
    error = ExceptionGroup("Certroll could not inspect every vault certificate", errors) if errors else None
    return Judged(busy, _unseen(fleet, vaults - listed, judged), error, targets, late)


def _unseen(fleet: Fleet, unlisted: Iterable[VaultName], judged: Mapping[VaultCertificateRef, Inspection]) -> Unseen:
    """Return what the inspection could not see: vaults, vault certificates, and parts of App Service."""
    unread = (str(ref) for ref, inspection in judged.items() if inspection.lineage is None)
    return Unseen.of((*map(vault_subject, unlisted), *unread, *(spot.subject for spot in fleet.blind_spots)))


def _known(fleet: Fleet, inspections: Iterable[Inspection]) -> frozenset[Thumbprint]:
    """Return the thumbprints of all certificates that the sweep has seen in App Service or in a vault."""
    lineages = (inspection.lineage for inspection in inspections if inspection.lineage)
    return fleet.thumbprints.union(version.thumbprint for lineage in lineages for version in lineage.versions)


def _judged(
    run: Run, seen: Seen, use: Use, inspections: Mapping[VaultCertificateRef, Inspection]
) -> dict[VaultCertificateRef, Inspection]:
    """Judge each vault certificate in turn, and return the decisions. What is not judged in time has the error."""
    with taking_turns(run, "judged certificates", sorted(inspections)) as turns:

        def judged(ref: VaultCertificateRef) -> Inspection:
            # after the end of the run a plan without requests still succeeds, and any other plan has had no turn
            in_time = run.now() < run.ends_at
            if in_time:
                turns.begin(ref)
            inspection = judge(run, seen, use, ref, inspections[ref])
            if in_time or inspection.error is None:
                turns.end(ref, failed=inspection.error is not None)
            return inspection

        results = run.records_pool.each(judged, turns.order)
    return {
        ref: Inspection(inspections[ref].lineage, error=result) if isinstance(result, OutOfTime) else result
        for ref, result in zip(turns.order, results, strict=True)
    }


def _observed(run: Run, vaults: frozenset[VaultName], targets: Targets) -> Fleet:
    """Read the fleet with details of all uploaded certificates, and of certificates imported from vaults in scope."""
    try:
        return observe(run, run.intent.subscriptions, vaults, targets, run.part(JUDGING_SHARE)).fleet
    except AzureError as error:
        reason = Reason.DENIED_BY_AZURE if isinstance(error, Denied) else Reason.UNANSWERED
        run.ports.findings.report((Finding(run.now(), SWEEP, "subscriptions", reason, str(error)),))
        raise
