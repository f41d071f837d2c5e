"""Observe the fleet once, and put each vault certificate that has work on the queue `certificates`."""

from shared.controllers.sweep.judging import Seen, judge, queue_begun
from shared.controllers.sweep.reading import (
    FLEET_TIME,
    Inspection,
    imported,
    in_turn,
    in_vaults,
    known_roots,
    read_in_turn,
)
from shared.controllers.sweep.references import report_references
from shared.controllers.sweep.use import Use, opposed
from shared.domain.errors import Denied, OutOfTime
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.loop.observe.fleet import observe_fleet
from shared.loop.observe.targets import Targets
from shared.loop.preflight import checking
from shared.loop.report import report_blind_spots, report_tags
from shared.loop.run import Run
from shared.planning.closing import is_of_vault, unseen_by_sweep
from shared.planning.notices import tagged_resources
from shared.telemetry import event


def sweep_certificates(run: Run) -> tuple[VaultCertificateRef, ...]:
    """Queue a message for each vault certificate that needs a change, and return these vault certificates.

    Certroll reads the sites, bindings and settings from Azure only once for all vault certificates. If Certroll fails
    with one vault certificate, Certroll still inspects the other vault certificates. This function raises the errors of
    all vault certificates together at the end.
    """
    vaults, environment_records, began = run.intent.vaults, run.ports.environment_records.all(), run.now()
    refs, errors, listed = in_vaults(run)
    refs |= known_roots(run, environment_records)
    inspections = dict(read_in_turn(run, refs, FLEET_TIME))
    lineages = tuple(inspection.lineage for inspection in inspections.values() if inspection.lineage)
    fleet = _observed(run, vaults, Targets.of(lineages, limited=run.intent.ase_max_unavailable is not None))
    report_blind_spots(run.ports.findings, "sweep", fleet)
    inspections.update(read_in_turn(run, imported(fleet, vaults) - inspections.keys()))
    report_tags(run.ports.findings, "sweep", tagged_resources(fleet), run.now())
    ordered = in_turn(run, inspections)
    use = Use.of(fleet, opposed([inspection.lineage for inspection in inspections.values() if inspection.lineage]))
    scopes = run.ports.findings.scopes()
    seen = Seen(fleet, environment_records, checking(run.ports), scopes)
    results = run.records_pool.each(lambda ref: judge(run, seen, use, ref, inspections[ref]), ordered)
    judged = tuple(
        Inspection(inspections[ref].lineage, error=result) if isinstance(result, OutOfTime) else result
        for ref, result in zip(ordered, results, strict=True)
    )
    busy = tuple(ref for ref, inspection in zip(ordered, judged, strict=True) if inspection.busy)
    busy += queue_begun(run, frozenset(map(str, inspections)))
    report_references(run.ports.findings, fleet, [inspection.lineage for inspection in judged if inspection.lineage])
    run.ports.findings.close("sweep", run.now(), unseen_by_sweep(fleet, began, unasked=vaults - listed))
    known = {str(ref) for ref in inspections} | {str(record.environment) for record in environment_records}
    for scope in sorted(scope for scope in scopes - known if is_of_vault(scope, listed)):
        run.ports.findings.close(scope, run.now(), lambda found: found.last_seen < began)
    event("sweep.completed", certificates=len(inspections), enqueued=[str(ref) for ref in busy], sites=len(fleet.sites))
    if errors := [*errors, *(inspection.error for inspection in judged if inspection.error)]:
        raise ExceptionGroup("Certroll could not inspect every vault certificate", errors)
    return busy


def _observed(run: Run, vaults: frozenset[VaultName], targets: Targets) -> Fleet:
    """Read the fleet with details of all uploaded certificates, and of certificates imported from vaults in scope."""
    try:
        return observe_fleet(
            run.ports,
            run.pool,
            run.intent.subscriptions,
            lambda copy: copy.thumbprint is not None if copy.source is None else copy.source.vault in vaults,
            lambda ref: ref.vault in vaults,
            run.now(),
            targets,
        )
    except Denied as error:
        run.ports.findings.report((Finding(run.now(), "sweep", "subscriptions", Reason.DENIED_BY_AZURE, str(error)),))
        raise
