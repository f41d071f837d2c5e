"""Ask Azure for each managed certificate that is missing, and wait a short time for it."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.controllers.managed.binding import bind, is_opted_out_now
from shared.controllers.managed.inspection import (
    Attempt,
    guarded,
    host_inspection,
    opted_out,
    record_done,
    refused_host,
)
from shared.controllers.managed.work import Work, certificate_ref, is_for, name_taken, violations_of
from shared.domain.errors import NotFound, OutcomeUnknown, Rejected
from shared.domain.fleet.bindings import Binding
from shared.domain.intent import Mode
from shared.domain.managed.prerequisites import HostInspection, Issuance, Place, SeenCertificate
from shared.domain.names import CopyRef
from shared.domain.reason import Reason
from shared.loop.run import Run
from shared.ports.storage import Lease

ISSUE_PATIENCE = timedelta(minutes=2)
"""How long a sweep waits for managed certificates that it asked for; what takes longer is bound by the next sweep."""
POLL_SECONDS = 5.0
"""The pause between two questions whether Azure has issued them."""


def provide(work: Work) -> tuple[Attempt, ...]:
    """Ask for every certificate that is missing, then wait two minutes for those that Azure is issuing.

    The next sweep finds a certificate that takes longer.
    """
    run = work.run
    tried = {binding: guarded(partial(_begin, work), binding) for binding in work.view.wanted()}
    give_up = min(run.now() + ISSUE_PATIENCE, run.ends_at)
    while issuing := [binding for binding, attempt in tried.items() if attempt.inspection.reason is Reason.ISSUING]:
        if run.intent.mode is not Mode.APPLY or run.now() + timedelta(seconds=POLL_SECONDS) > give_up:
            break
        run.ports.clock.sleep(POLL_SECONDS)
        tried |= {binding: guarded(partial(_resume, work), binding) for binding in issuing}
    return tuple(tried.values())


def _begin(work: Work, binding: Binding) -> HostInspection:
    """Bring one host name as far as it goes without waiting."""
    run, place = work.run, work.place(binding)
    run.check_time()
    if work.view.fleet.opted_out(binding.site):
        return opted_out(binding)
    if place.site.webspace is None or not place.site.plan:
        return host_inspection(binding, Reason.INCOMPLETE_VIEW, f"Azure does not say on which plan {binding.site} is")
    there = work.view.managed_for(place.site.webspace, binding.host_name)
    known = run.ports.requests.issuance(binding.site, binding.host_name)
    if there is None and not (known and known.counts(run.now())) and (found := violations_of(work, binding)):
        return refused_host(binding, found)
    if run.intent.mode is not Mode.APPLY:
        what = "bound to the managed certificate that is there" if there else "given a managed certificate"
        detail = f"{binding.host_name} would be {what}; set CERTROLL_MODE=apply to have it done"
        return host_inspection(binding, Reason.OBSERVE_ONLY, detail)
    if there is not None:
        return bind(run, binding, there)
    return _resume(work, binding) if known and known.counts(run.now()) else _ask(work, binding)


def _ask(work: Work, binding: Binding) -> HostInspection:
    """Ask Azure, which is recorded before and after: who asks twice makes the authority issue twice."""
    run, ref = work.run, certificate_ref(work, binding)
    with run.ports.leases.hold(f"site {binding.site.resource_id}") as lease:
        if is_opted_out_now(run, binding):
            return opted_out(binding)
        known = run.ports.requests.issuance(binding.site, binding.host_name)
        if not (known and known.counts(run.now())) and _there(run, ref) is None:
            _ask_once(run, lease, ref, binding, work.place(binding))
    return _resume(work, binding)


def _ask_once(run: Run, lease: Lease, ref: CopyRef, binding: Binding, place: Place) -> None:
    requests, issuance = run.ports.requests, Issuance(binding.site, binding.host_name, run.now())
    lease.check()
    requests.put_issuance(issuance)
    try:
        operation = run.ports.retrying.retry(partial(_put, run, ref, binding, place))
    except Rejected as refusal:
        requests.put_issuance(replace(issuance, refused=str(refusal)))
        raise
    except Exception:
        requests.forget_issuance(binding.site, binding.host_name)  # nothing was begun
        raise
    requests.put_issuance(replace(issuance, operation=operation))
    record_done(run, "managed.asked", binding, operation or "Azure did not say how far it is")


def _put(run: Run, ref: CopyRef, binding: Binding, place: Place) -> str:
    """Ask once; where it is not known whether Azure heard, it is not asked again but looked for."""
    try:
        return run.ports.managed.ask_for(ref, binding.host_name, place)
    except OutcomeUnknown:
        return ""


def _resume(work: Work, binding: Binding) -> HostInspection:
    """Look how far Azure is; bind what it has issued."""
    run, ref = work.run, certificate_ref(work, binding)
    known = run.ports.requests.issuance(binding.site, binding.host_name)
    if known is not None and known.refused:
        detail = f"Azure refused at {known.asked_at:%Y-%m-%d %H:%M} UTC and is asked again six hours later"
        return host_inspection(binding, Reason.REJECTED_BY_AZURE, f"{detail}: {known.refused}")
    done = known is None or not known.operation or _is_done(run, known)
    issued = _there(run, ref) if done else None
    if issued is None:
        since = known.asked_at if known else run.now()
        return host_inspection(
            binding, Reason.ISSUING, f"Azure was asked at {since:%Y-%m-%d %H:%M} UTC and has not issued it yet"
        )
    if not is_for(work, issued, binding):
        return refused_host(binding, (name_taken(binding, issued),))
    run.ports.requests.forget_issuance(binding.site, binding.host_name)
    return bind(run, binding, issued)


def _is_done(run: Run, issuance: Issuance) -> bool:
    try:
        return run.ports.managed.is_done(issuance.operation)
    except Rejected as refusal:
        run.ports.requests.put_issuance(replace(issuance, refused=str(refusal)))
        raise


def _there(run: Run, ref: CopyRef) -> SeenCertificate | None:
    try:
        return run.ports.managed.certificate(ref)
    except NotFound:
        return None
