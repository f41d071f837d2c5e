"""Build the records of sites that Certroll stores before the first write for a vault certificate."""

from collections.abc import Mapping
from dataclasses import replace

from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Conflict
from shared.domain.fleet.bindings import Binding
from shared.domain.names import SiteRef, VaultCertificateRef, Webspace
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot import staleness
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import is_ambiguous
from shared.loop.backoff import planning_again
from shared.loop.report import report_skips
from shared.loop.run import Run
from shared.planning import planner
from shared.planning.acting.subjects import copy_subject
from shared.planning.plan import Plan, Skip, Step


def shown_bindings(snapshot: Snapshot) -> Mapping[SiteRef, tuple[Binding, ...]]:
    """Return the current TLS bindings of each site, without bindings that may belong to another vault certificate."""
    shown: dict[SiteRef, tuple[Binding, ...]] = {}
    for binding in (b for b in staleness.shown_bindings(snapshot) if not is_ambiguous(snapshot, b)):
        shown[binding.site] = (*shown.get(binding.site, ()), binding)
    return shown


def pending_records(
    snapshot: Snapshot,
    current: CertificateVersion,
    webspace: Webspace,
    steps: tuple[Step, ...],
    shown: Mapping[SiteRef, tuple[Binding, ...]],
) -> tuple[SiteRecord, ...]:
    """Return a pending record for each site whose TLS bindings the steps of the plan write."""
    synced = planner.project(Plan(tuple(step for step in steps if step.action.site is None)), snapshot).fleet
    known = {record.site: record for record in snapshot.rollout.records}
    bound = [binding for step in steps if (binding := step.action.binds) is not None]
    asked = {step.action.site for step in steps if step.action.rebinds}
    records = []
    for site in sorted({binding.site for binding in bound}):
        usable = (copy for copy in synced.certificates_of(site) if not copy.ref.public)
        copies = tuple(copy.ref for copy in usable if copy.thumbprint == current.thumbprint)
        bindings = (*shown.get(site, ()), *(b for b in bound if b.site == site and b.thumbprint is None))
        rebind = Rebind.ASKED if site in asked else Rebind.NO
        version, state = current.version, SiteState.PENDING
        pending = SiteRecord(site, version, webspace, state, snapshot.now, copies, bindings, rebind=rebind)
        records.append(_continuing(pending, known.get(site)))
    return tuple(records)


def _continuing(pending: SiteRecord, known: SiteRecord | None) -> SiteRecord:
    """Return the site's new journal record with the progress of the record from an earlier run.

    A run of the site may have written its progress since the plan, so the record never goes back behind `known`.
    Without the earlier `last_good`, this run would record bindings that Certroll itself wrote as the site's original
    bindings. Without the earlier `at`, the waiting time before Certroll changes further webspaces would begin again.
    """
    if known is None:
        return replace(pending, revision=None)
    names = {binding.host_name for binding in known.last_good}
    added = tuple(binding for binding in pending.last_good if binding.host_name not in names)
    return replace(
        pending,
        at=pending.at if known.state is SiteState.PROVEN else known.at,
        last_good=(*known.last_good, *added),
        rebind=max(known.rebind, pending.rebind, key=tuple(Rebind).index),
        rebound=known.rebound,
        revision=known.revision,
    )


def begin_sites(
    run: Run, ref: VaultCertificateRef, rollout: Rollout, records: tuple[SiteRecord, ...]
) -> tuple[SiteRecord, ...]:
    """Store the records of sites, and return them as stored.

    If the run of a site has written its record since the plan, read the records once more and keep their progress.
    """

    def attempt() -> tuple[SiteRecord, ...]:
        nonlocal records
        try:
            return run.ports.rollouts.begin(ref, replace(rollout, records=records))
        except Conflict:
            known = {record.site: record for record in run.ports.rollouts.rollout(ref, rollout.version).records}
            records = tuple(_continuing(record, known.get(record.site)) for record in records)
            raise

    return planning_again(attempt)


def after_refusal(
    run: Run, ref: VaultCertificateRef, records: tuple[SiteRecord, ...], refused: tuple[Skip, ...]
) -> tuple[SiteRecord, ...]:
    """Store the changed journal records of sites, and return these records.

    This function is for sites in whose webspace Azure refused to sync an imported certificate with the vault.

    If the webspace has another synced certificate, the webspace's sites use that certificate. If the webspace has no
    other synced certificate, Certroll marks the webspace's sites as unproven and sends these sites no message.
    """
    report_skips(run.ports.findings, ref, refused, run.now())
    lost = {skip.subject for skip in refused}
    changed = []
    for record in records:
        if not any(copy_subject(copy, record.webspace) in lost for copy in record.copies):
            changed.append(record)
            continue
        left = tuple(copy for copy in record.copies if copy_subject(copy, record.webspace) not in lost)
        state = SiteState.PENDING if left else SiteState.UNPROVEN
        changed.append(replace(record, copies=left, state=state, detail=refused[0].detail[:1000]))
        changed[-1] = run.ports.rollouts.record_site(ref, changed[-1])
    return tuple(changed)


def to_send_again(before: Rollout, after: Rollout) -> tuple[SiteRecord, ...]:
    """Return the records of the known sites to which a fresh run (after an event or a sweep) sends another message.

    The queue may have lost the message for a site on which Certroll has not finished its work. An operator may have
    repaired a failed site, or a failed site may serve the new version by now.
    """
    known = frozenset(before.records) & frozenset(after.records)
    rebind = {SiteState.PENDING, SiteState.FAILED}
    return tuple(record for record in after.records if record in known and record.state in rebind)
