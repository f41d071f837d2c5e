"""Read a vault certificate, decide whether Certroll may install its version, read Azure's resources, and plan."""

from collections.abc import Collection
from datetime import datetime

from shared.controllers.certificate.fresh import to_read
from shared.controllers.certificate.outcome import await_sites
from shared.controllers.certificate.progress import RolloutRun, send_sites
from shared.controllers.certificate.rollout import roll_out
from shared.controllers.certificate.roots import report_waves
from shared.controllers.certificate.sight import Sight, needs_own_look
from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_memory import recalled
from shared.domain.messages import CertificateMessage
from shared.domain.names import ObjectKind, SiteRef, VaultCertificateRef
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.gates import holds_up, stage
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.same_certificate import with_holds
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.compare import with_compared
from shared.loop.lineage import read_lineage, without_current
from shared.loop.observe.fleet import Observation, observe_fleet
from shared.loop.observe.targets import Targets
from shared.loop.opposed import Rivals, opposed_finding
from shared.loop.preflight import checking, preflighted
from shared.loop.report import SWEEP, report_blind_spots, report_held, report_lineage, report_plan, report_tags_of
from shared.loop.run import Run
from shared.planning import planner
from shared.planning.closing import gone_from
from shared.planning.plan import Plan
from shared.ports.storage import Lease


def reconcile_lineage(
    run: Run, lease: Lease, message: CertificateMessage, rivals: Rivals, sight: Sight, *, fresh: bool
) -> Outcome:
    """Continue the rollout of one vault certificate, under the lease of the vault certificate.

    Certroll moves nothing if one of the `rivals` has the same versions in opposite order.

    `fresh` is False if the run's queue message is one that Certroll sent itself to continue after a pause. Only a
    `fresh` run (after an event or a sweep) sends another message to sites and apps that already got a message.
    """
    ref, now = message.ref, run.now()
    lineage = read_lineage(run, ref)
    # Here an operator deleted the vault certificate or took its vault out of CERTROLL_VAULTS, or Key Vault refuses to
    # show it to Certroll. Even without the vault certificate, Certroll finishes the sites and apps that it has begun to
    # change. Without Key Vault, Certroll can still bind host names to a copy that App Service already has, send apps
    # with new settings their probes, and restore an app's last good settings.
    if not isinstance(lineage, Lineage):
        return _finishing(run, ref, run.ports.rollouts.begun_in(ref), fresh=fresh) or lineage
    # Most secrets are passwords. The sweep reports each password in Key Vault that App Service imported as if the
    # password were a certificate.
    if lineage.ref.kind is ObjectKind.SECRET and lineage.refusal and lineage.refusal.reason.is_no_lineage:
        return Converged(*lineage.refusal)
    report_lineage(run.ports.findings, lineage, now)
    report_tags_of(run.ports.findings, lineage, now)
    # Certroll may install no version of this vault certificate, for instance because an operator disabled the newest
    # version.
    if lineage.current is None:
        unfinished = run.ports.rollouts.rollout(ref, "").unfinished(now)
        return _finishing(run, ref, [roll.site for roll in unfinished], fresh=fresh) or without_current(run, lineage)
    rollout = with_holds(run.ports.rollouts.rollout(ref, lineage.current.version), lineage)
    # If the queue message only continues a wait, and sites of the vault certificate are unfinished, Certroll goes on
    # waiting. While Certroll waits for sites, reading all resources in Azure again would cost many requests and show
    # nothing new.
    if not fresh and holds_up(rollout, stage(rollout, now, run.intent.stage_soak, urgent=False), now):
        return await_sites(run, message.waits, rollout)
    snapshot, planned = _planned(run, lineage, rollout, now, sight)
    plan = preflighted(run, checking(run.ports), planned, snapshot)
    report_blind_spots(run.ports.findings, SWEEP, snapshot.fleet)
    report_plan(run.ports.findings, plan, snapshot)
    report_held(run.ports.findings, snapshot)
    report_waves(snapshot, plan, run.intent)
    if (plan.steps or plan.would) and (rival := rivals.of(lineage)) is not None:
        finding = opposed_finding(run, lineage.ref, rival)
        run.ports.findings.report((finding,))
        begun = [roll.site for roll in rollout.unfinished(now)]
        return _finishing(run, ref, begun, fresh=fresh) or Stalled(finding.reason, finding.detail)
    outcome = roll_out(RolloutRun(run, lease, snapshot, lineage.current, message.waits, is_fresh=fresh), plan)
    # a refusal of Azure in this run is newer than the snapshot, and every other step of the plan is done
    if not sight.shared:
        run.ports.findings.close(str(ref), run.now(), gone_from(snapshot, Plan(skips=plan.not_done)))
    return outcome


def _planned(run: Run, lineage: Lineage, rollout: Rollout, now: datetime, sight: Sight) -> tuple[Snapshot, Plan]:
    """Read the part of the fleet that matters for one vault certificate, and return it as a snapshot with its plan.

    Certroll takes settings that did not change from its memory. As long as the plan would write where settings are
    remembered, Certroll reads these settings from Azure and plans again, so that it writes nothing from memory.
    """
    observation = _observed(run, lineage, rollout, now, sight)
    while True:
        snapshot = _snapshot(run, lineage, rollout, observation.fleet)
        plan = planner.plan(snapshot, run.intent)
        if sight.shared and needs_own_look(snapshot, plan, run.intent):
            observation = _observed(run, lineage, rollout, now, sight)
            continue
        doubtful = to_read(snapshot, plan, run.intent)
        if not doubtful:
            return snapshot, plan
        run.check_time()
        observation = observation.with_fresh(doubtful)


def _observed(run: Run, lineage: Lineage, rollout: Rollout, now: datetime, sight: Sight) -> Observation:
    """Look at webspaces that hold a version of the vault certificate, and at sites that the certificate's tags name."""
    return observe_fleet(
        run.ports,
        run.pool,
        run.intent.subscriptions,
        lambda copy: copy.source == lineage.ref or lineage.version_of(copy.thumbprint) is not None,
        lambda followed: followed == lineage.ref,
        now,
        Targets.of((lineage,), limited=run.intent.ase_max_unavailable is not None),
        run.intent.settings_reread,
        reads=sight.look(rollout),
        rebound=sight.rebound(rollout),
    )


def _snapshot(run: Run, lineage: Lineage, rollout: Rollout, fleet: Fleet) -> Snapshot:
    """Return the fleet and the journal as the input of the plan, with all that Certroll remembers of the settings."""
    versions = (version.thumbprint for version in lineage.versions)
    known = recalled(fleet, {*fleet.thumbprints, *rollout.thumbprints, *versions})
    hosting = fleet.environments or any(site.environment for site in fleet.sites)
    records = run.ports.environment_records.all() if hosting else ()
    return with_compared(run.ports, Snapshot(lineage, known, rollout, environment_records=records))


def _finishing(run: Run, ref: VaultCertificateRef, begun: Collection[SiteRef], *, fresh: bool) -> Waiting | None:
    """In a fresh run, queue a message for each site or app with an unfinished change, and return a wait for them."""
    if not begun or not fresh:
        return None
    send_sites(run, ref, begun)
    return Waiting(
        run.now() + run.intent.probe_settle, Reason.DISPATCHED, f"sites for which Certroll waits: {len(begun)}"
    )
