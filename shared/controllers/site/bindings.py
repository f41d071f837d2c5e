"""Bind the host names of one site to the current version, and record which certificate the site serves afterwards."""

from dataclasses import replace
from functools import partial

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Denied, NotFound, NotSettled, Rejected
from shared.domain.findings import Finding, HistoryEntry, SeenBy
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.handshake import Handshake, verdict
from shared.domain.missing import is_gone
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot.holds import failing_hosts, freed_hosts
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.subject import site_subject
from shared.loop.compare import with_compared
from shared.loop.observe.site import observe_site
from shared.loop.perform import Performed, perform_each, reason_of
from shared.loop.prove import prove
from shared.loop.report import report_moved, report_plan, report_skips
from shared.loop.run import Run
from shared.loop.turns import taking_turns
from shared.planning import planner
from shared.planning.acting.by_hand import HANDS_OFF, bindings_by_hand
from shared.planning.acting.settle import settle
from shared.planning.closing import seen_before
from shared.planning.guards.frozen import has_begun
from shared.planning.plan import Plan, Skip, Step
from shared.ports.storage import Lease


def bindings_of_site(
    run: Run, lease: Lease, lineage: Lineage, current: CertificateVersion, record: SiteRecord
) -> Outcome:
    """Bring the current version of the vault certificate to the bindings of the site.

    If Azure refuses a request about the site, record the site as unproven. A failed site stays failed, because Certroll
    has not seen it mended.
    """
    try:
        return _carry_to_site(run, lease, lineage, current, replace(record, missing_since=None))
    except NotFound as error:
        return _missing(run, lineage, record, error)
    except (Denied, Rejected) as error:
        reason = reason_of(error)
        refused = frozenset((binding.host_name, reason) for binding in record.last_good)
        state = SiteState.FAILED if record.state is SiteState.FAILED else SiteState.UNPROVEN
        return conclude(run, lineage, replace(record, refused=refused), state, Stalled(reason, str(error)))


def _missing(run: Run, lineage: Lineage, record: SiteRecord, error: NotFound) -> Outcome:
    """Record that Azure answers 404 for the site, and return the outcome.

    A failed site holds the version until Azure has answered 404 for an hour.
    """
    gone = Stalled(Reason.NO_SUCH_SITE, str(error))
    if record.state is not SiteState.FAILED:
        refused = frozenset((binding.host_name, gone.reason) for binding in record.last_good)
        return conclude(run, lineage, replace(record, refused=refused), SiteState.UNPROVEN, gone)
    record = replace(record, missing_since=record.missing_since or run.now())
    if not is_gone(record.missing_since, run.now()):
        return conclude(run, lineage, record, SiteState.FAILED, gone)
    return _end_hold(run, lineage, record, SiteState.UNPROVEN, f"{record.site} is gone")


def _end_hold(run: Run, lineage: Lineage, record: SiteRecord, state: SiteState, why: str) -> Outcome:
    """Record that the site no longer holds the version, close the findings about the site, and return the outcome."""
    ended = Deferred(Reason.HOLD_ENDED, f"{why}, so {record.site} no longer holds version {record.version}")
    outcome = conclude(run, lineage, replace(record, failing=frozenset()), state, ended)
    now = run.now()
    is_old = seen_before(now, SeenBy.SITE)
    run.ports.findings.close(str(lineage.ref), now, lambda found: found.site == record.site and is_old(found))
    return outcome


def _carry_to_site(
    run: Run, lease: Lease, lineage: Lineage, current: CertificateVersion, record: SiteRecord
) -> Outcome:
    """Observe the site, write its bindings as planned, and wait until Azure shows the bindings.

    After Azure shows the bindings, read with TLS handshakes whether the site serves the new certificate.
    """
    began = run.now()
    snapshot = _observed(run, lineage, record)
    plan = _plan_of_site(run, snapshot, record)
    report_plan(run.ports.findings, plan, snapshot)
    record, refused = _written(run, lease, lineage, record, plan)
    snapshot, unsettled = _settled(run, lineage, record, plan, refused) or (snapshot, Performed())
    refused += unsettled
    report_moved(run.ports.findings, lineage.ref, record, snapshot)
    report_skips(run.ports.findings, lineage.ref, refused.refused, run.now(), SeenBy.SITE)
    handshakes = prove(run, snapshot, record.site, current.thumbprint)
    # Azure did not answer the writes of some host names, or does not show them yet. The site's message comes back for
    # them, unless another host name already shows that the version fails.
    if refused.unanswered and verdict(handshakes) is not SiteState.FAILED:
        raise refused.unanswered[0]
    outcome = _site_outcome(run, snapshot, record, (*plan.not_done, *refused.refused), handshakes)
    if verdict(handshakes) is not SiteState.UNPROVEN and outcome.reason is not Reason.WRITES_STOPPED:
        is_gone = seen_before(began, SeenBy.SITE)
        run.ports.findings.close(
            str(lineage.ref), run.now(), lambda found: found.site == record.site and is_gone(found)
        )
    return outcome


def _settled(
    run: Run, lineage: Lineage, record: SiteRecord, plan: Plan, done: Performed
) -> tuple[Snapshot, Performed] | None:
    """Wait until Azure shows the written bindings, and return what it shows, with the bindings that it does not show.

    Return None if Certroll wrote no binding.
    """
    lost = {skip.subject for skip in done.refused}
    if all(step.subject in lost for step in plan.steps):
        return None

    def stale(seen: Snapshot) -> tuple[Step, ...]:
        return tuple(step for step in _plan_of_site(run, seen, record).steps if step.subject not in lost)

    observed, what = partial(_observed, run, lineage, record), f"site {record.site}"
    try:
        return settle(run.ports.clock, observed, lambda seen: not stale(seen), what), Performed()
    except NotSettled as late:
        snapshot = observed()
        skips = (Skip(step.subject, Reason.NOT_SETTLED, str(late), record.site, step) for step in stale(snapshot))
        return snapshot, Performed(tuple(skips), (late,))


def _written(run: Run, lease: Lease, lineage: Lineage, record: SiteRecord, plan: Plan) -> tuple[SiteRecord, Performed]:
    """Write the bindings, and return the site's record and the steps that Azure refused or did not answer.

    After each binding that Certroll had to write once more, Certroll stores the record. The time of a run may end
    between two writes or before the TLS handshakes, and the next run must not write the same bindings again. The
    rebind of the site is done once Azure refused no binding and the plan skipped none.
    """
    done = Performed()
    record = replace(record, refused=frozenset())
    kind = f"bindings of {record.site.resource_id} for {lineage.ref}"
    with taking_turns(run, kind, plan.steps, lambda step: step.subject) as turns:
        for step in turns.order:
            turns.begin(step)
            performed = perform_each(run, lease, lineage.ref, (step,))
            done += performed
            binding = step.action.binds
            if binding and performed.refused and not performed.unanswered:
                record = replace(record, refused=record.refused | {(binding.host_name, performed.refused[0].reason)})
            elif not performed.refused and step.action.rebinds and binding:
                record = replace(record, rebound=record.rebound | {binding.host_name})
                record = run.ports.rollouts.record_site(lineage.ref, record)
            turns.end(step, failed=bool(performed.refused))
    if record.rebound and not done.refused and not plan.skips:
        record = replace(record, rebind=Rebind.DONE, rebound=frozenset())
        record = run.ports.rollouts.record_site(lineage.ref, record)
    return record, done


def _observed(run: Run, lineage: Lineage, record: SiteRecord) -> Snapshot:
    """Read the site as Azure shows it now, with the certificates and the old thumbprints of its record.

    If the site's bindings leave nothing to write, Certroll reads no certificate, because only a write depends on it.
    """
    moved = partial(_has_moved, lineage, record)
    fleet = observe_site(run.ports.app_service, record.site, record.copies, run.now(), moved)
    held = frozenset((record.webspace, b.thumbprint) for b in record.last_good if b.thumbprint is not None)
    known = (record,) if has_begun(record) or record.rebind is not Rebind.NO else ()
    observed = Snapshot(lineage, fleet, Rollout(record.version, record.webspace, known), held)
    return with_compared(run.ports, observed)


def _has_moved(lineage: Lineage, record: SiteRecord, bindings: tuple[Binding, ...]) -> bool:
    """Return True if each host name of the record is bound to the current version, and the site shows no other one."""
    shown = {binding.host_name: binding.thumbprint for binding in bindings if binding.thumbprint is not None}
    old = {binding.thumbprint for binding in record.last_good}.union(version.thumbprint for version in lineage.versions)
    is_bound = all(lineage.is_current(shown.get(binding.host_name)) for binding in record.last_good)
    others = {thumbprint for thumbprint in shown.values() if not lineage.is_current(thumbprint)}
    return record.rebind in {Rebind.NO, Rebind.DONE} and is_bound and others.isdisjoint(old)


def _plan_of_site(run: Run, snapshot: Snapshot, record: SiteRecord) -> Plan:
    """Return the steps of the plan that bind host names of the site's record.

    Only the run of the vault certificate syncs certificates in App Service, because a site's run does not see the other
    certificates of the webspace.
    """
    # A freeze does not stop a site that the run of the vault certificate has recorded: Certroll finishes what it began.
    intent = replace(run.intent, freeze=None) if has_begun(record) else run.intent
    plan = planner.plan(snapshot, intent).of(record.site)
    recorded = {(binding.site, binding.host_name) for binding in record.last_good}
    bound = ((step, step.action.binds) for step in plan.steps)
    steps = tuple(step for step, binding in bound if binding and (binding.site, binding.host_name) in recorded)
    return replace(plan, steps=steps)


def _site_outcome(
    run: Run, snapshot: Snapshot, record: SiteRecord, skips: tuple[Skip, ...], handshakes: tuple[Handshake, ...]
) -> Outcome:
    """Record the site's state from its TLS handshakes and the writes that Azure refused, and return the outcome."""
    lineage = snapshot.lineage
    blocked = next((skip for skip in skips if skip.reason.stalls), None)
    failing = failing_hosts(record, snapshot, handshakes)
    state = SiteState.FAILED if failing else verdict(handshakes)
    if freed := freed_hosts(record, snapshot, handshakes):
        why = f"{', '.join(sorted(freed))}: the owners removed the host name or bound another certificate"
        return _end_hold(run, lineage, record, state, why)
    record = replace(record, failing=failing)
    telling = "; ".join(str(handshake) for handshake in handshakes if handshake.state is state)
    outcome: Outcome
    left = [skip for skip in skips if skip.reason in HANDS_OFF and skip.step] if has_begun(record) else []
    if state is SiteState.FAILED:
        outcome = Stalled(Reason.SERVED_ANOTHER, telling or record.detail)
    elif left:  # the site stays under way, so that each sweep looks whether Certroll may write again
        return conclude(
            run, lineage, record, record.state, Stalled(Reason.WRITES_STOPPED, bindings_by_hand(record, left))
        )
    elif blocked is not None:
        outcome = Stalled(blocked.reason, f"{blocked.subject}: {blocked.detail}")
    elif state is SiteState.PROVEN:
        outcome = Converged(Reason.SERVED, telling)
    else:
        outcome = Converged(Reason.UNREACHABLE, telling or "none of its host names is bound to the current version")
    return conclude(run, lineage, record, state, outcome, told=blocked is not None and state is not SiteState.FAILED)


def conclude(
    run: Run, lineage: Lineage, record: SiteRecord, state: SiteState, outcome: Outcome, *, told: bool = False
) -> Outcome:
    """Record the state of the site in the journal, and return the outcome.

    Certroll leaves the field `at` unchanged, because an unproven site's waiting time counts from its first queue
    message. `told` is True if findings (reported problems) about single host names say all that the outcome says.
    """
    detail = outcome.detail[:1000]
    ref, now = lineage.ref, run.now()
    run.ports.rollouts.record_site(ref, replace(record, state=state, detail=detail))
    run.ports.history.add(ref, (HistoryEntry(now, "site.verified", str(record.site), outcome.reason, detail),))
    if (isinstance(outcome, Stalled) and not told) or outcome.reason is Reason.UNREACHABLE:
        found = Finding(now, str(ref), site_subject(record.site, ""), outcome.reason, detail, SeenBy.SITE, record.site)
        run.ports.findings.report((found,))
    return outcome
