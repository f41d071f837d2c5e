"""Request each missing managed certificate from Azure, and wait two minutes for Azure to issue it."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.controllers.managed.binding import bind, refused_now
from shared.controllers.managed.inspection import (
    SCOPE,
    Attempt,
    barrier_of,
    full_name,
    guarded,
    host_inspection,
    in_turn,
    must_not_change,
    refused_host,
)
from shared.controllers.managed.work import Work, certificate_ref, is_for, name_taken, violations_of
from shared.domain.errors import Denied, NotFound, OutcomeUnknown, Rejected, Transient
from shared.domain.findings import HistoryEntry
from shared.domain.fleet.bindings import Binding
from shared.domain.freeze import lasting
from shared.domain.managed.issuance import HostInspection, Issuance, Place, SeenCertificate, Violation, host_subject
from shared.domain.names import CopyRef
from shared.domain.reason import Reason
from shared.domain.writes import AzureWrite
from shared.loop.run import Run
from shared.loop.turns import Turns, taking_turns
from shared.ports.storage import Lease
from shared.telemetry import event

ISSUE_PATIENCE = timedelta(minutes=2)
"""How long a sweep waits for the managed certificates that it requested. The next sweep binds a later certificate."""
POLL_SECONDS = 15.0
"""The pause before Certroll asks Azure again whether a certificate is issued. Azure asks for 15 s by Retry-After
(recorded azure-powershell traffic)."""


def provide(work: Work) -> tuple[Attempt, ...]:
    """Request every missing managed certificate, then wait up to two minutes for Azure to issue the certificates.

    If Azure takes longer than two minutes, the next sweep finds the managed certificate.
    """
    run = work.run
    with taking_turns(run, "host names without a certificate", work.view.wanted(), full_name) as turns:
        tried = {binding: in_turn(turns, partial(_begin, work, turns), binding) for binding in turns.order}
    give_up = min(run.now() + ISSUE_PATIENCE, run.ends_at)
    while issuing := [binding for binding, attempt in tried.items() if attempt.inspection.reason is Reason.ISSUING]:
        if run.now() + timedelta(seconds=POLL_SECONDS) > give_up:
            break
        run.ports.clock.sleep(POLL_SECONDS)
        tried |= {binding: guarded(partial(_resume, work), binding) for binding in issuing}
    return tuple(tried.values())


def _begin(work: Work, turns: Turns[Binding], binding: Binding) -> HostInspection:
    """Request or bind one host name's managed certificate as far as possible without waiting, and return the result."""
    run, place = work.run, work.place(binding)
    run.check_time()
    turns.begin(binding)
    if (refused := must_not_change(work.view.fleet, binding)) is not None:
        return refused
    if place.site.webspace is None or not place.site.plan:
        return host_inspection(binding, Reason.INCOMPLETE_VIEW, f"Azure does not say on which plan {binding.site} is")
    there = work.view.managed_for(place.site.webspace, binding.host_name)
    known = run.ports.requests.issuance(binding.site, binding.host_name)
    if there is None and not (known and known.counts(run.now())) and (found := violations_of(work, binding)):
        return refused_host(binding, found)
    if (barrier := barrier_of(run, work.view.fleet, binding)) is not None:
        what = "bind the managed certificate of" if there else "request a managed certificate for"
        detail = f"Certroll would {what} {binding.host_name}: {barrier.remedy}"
        return host_inspection(binding, barrier.reason, detail)
    asked = known is not None and known.counts(run.now())
    begun = asked or (known is not None and there is not None)
    if not begun and (until := run.intent.frozen_until(run.now())) is not None:
        return host_inspection(binding, Reason.FROZEN, f"{lasting(until)}, and Certroll asks for nothing new before")
    if there is not None:
        return _bound(run, binding, there)
    return _resume(work, binding) if asked else _ask(work, binding)


def _ask(work: Work, binding: Binding) -> HostInspection:
    """Request a managed certificate from Azure under the lease of the site, unless an earlier request still counts.

    Certroll records each request, because a second request could make the certificate authority issue twice.
    """
    run, ref = work.run, certificate_ref(work, binding)
    with run.ports.leases.hold(f"site {binding.site.resource_id}") as lease:
        if (refused := refused_now(run, binding)) is not None:
            return refused
        known = run.ports.requests.issuance(binding.site, binding.host_name)
        if not (known and known.counts(run.now())) and _there(run, ref) is None:
            _ask_once(run, lease, ref, binding, work.place(binding))
    return _resume(work, binding)


def _ask_once(run: Run, lease: Lease, ref: CopyRef, binding: Binding, place: Place) -> None:
    """Record the request for a managed certificate, send the request, and record Azure's answer."""
    requests, issuance = run.ports.requests, Issuance(binding.site, binding.host_name, run.now())
    lease.check()
    requests.put_issuance(issuance)
    with run.ports.trace.writes() as writes:
        try:
            operation = run.ports.retrying.retry(partial(_put, run, ref, binding, place))
        except Rejected as refusal:
            requests.put_issuance(replace(issuance, refused=str(refusal)))
            _note(run, binding, f"Azure refused: {refusal}", writes)
            raise
        except Exception:
            requests.forget_issuance(binding.site, binding.host_name)  # Azure began nothing
            raise
    requests.put_issuance(replace(issuance, operation=operation))
    _note(run, binding, operation or "Azure returned no operation to poll", writes)


def _note(run: Run, binding: Binding, detail: str, writes: list[AzureWrite]) -> None:
    """Write a request for a managed certificate into the history and the log."""
    subject = host_subject(binding.host_name, binding.site)
    entry = HistoryEntry(run.now(), "managed.asked", subject, Reason.MANAGED_ASKED, detail[:1000], tuple(writes))
    run.ports.history.add(SCOPE, (entry,))
    event("managed.asked", subject=subject, detail=detail)


def _put(run: Run, ref: CopyRef, binding: Binding, place: Place) -> str:
    """Send the request for a managed certificate, and return the operation that Azure began.

    The returned text is empty if Certroll does not know whether Azure received the request for the managed certificate.
    If Certroll does not know Azure's operation for a request, it reads the managed certificate by its name instead.
    """
    try:
        return run.ports.managed.ask_for(ref, binding.host_name, place)
    except OutcomeUnknown:
        return ""


def _resume(work: Work, binding: Binding) -> HostInspection:
    """Ask Azure whether the managed certificate is issued, and bind the issued certificate."""
    run, ref = work.run, certificate_ref(work, binding)
    known = run.ports.requests.issuance(binding.site, binding.host_name)
    if known is not None and known.refused:
        detail = f"Azure refused at {known.asked_at:%Y-%m-%d %H:%M} UTC, and Certroll asks again six hours later"
        return host_inspection(binding, Reason.REJECTED_BY_AZURE, f"{detail}: {known.refused}")
    done, unseen = _progress(run, known)
    issued = _there(run, ref) if done else None
    if issued is None:
        since = known.asked_at if known else run.now()
        detail = f"Certroll asked Azure at {since:%Y-%m-%d %H:%M} UTC, and Azure is still issuing it"
        return replace(host_inspection(binding, Reason.ISSUING, detail), also=unseen)
    if not is_for(work, issued, binding):
        return refused_host(binding, (name_taken(binding, issued),))
    return _bound(run, binding, issued)


def _bound(run: Run, binding: Binding, certificate: SeenCertificate) -> HostInspection:
    """Bind the managed certificate, and then forget the request for it.

    Until the host name is bound, the record of the request lets a sweep bind the certificate also during a freeze.
    """
    inspection = bind(run, binding, certificate)
    if not inspection.left_alone:
        run.ports.requests.forget_issuance(binding.site, binding.host_name)
    return inspection


def _progress(run: Run, issuance: Issuance | None) -> tuple[bool, tuple[Violation, ...]]:
    """Return whether Azure may have issued the managed certificate, and what keeps Certroll from knowing more.

    If Azure refuses the request for the managed certificate, record and raise the refusal. If Certroll cannot read
    Azure's operation, only the certificate itself can show that Azure issued it.
    """
    if issuance is None or not issuance.operation:
        return True, ()
    try:
        return run.ports.managed.is_done(issuance.operation), ()
    except (Denied, NotFound, Transient) as hidden:
        detail = f"Certroll cannot read whether Azure refuses the managed certificate, and why: {hidden}"
        reason = Reason.DENIED_BY_AZURE if isinstance(hidden, Denied) else Reason.UNANSWERED
        return True, (Violation(reason, detail),)
    except Rejected as refusal:
        if refusal.reason is Reason.ANSWER_UNREADABLE:
            return True, (Violation(refusal.reason, str(refusal)),)
        run.ports.requests.put_issuance(replace(issuance, refused=str(refusal)))
        raise


def _there(run: Run, ref: CopyRef) -> SeenCertificate | None:
    """Read the App Service certificate of this name, or return None if Azure has no certificate of this name."""
    try:
        return run.ports.managed.certificate(ref)
    except NotFound:
        return None
