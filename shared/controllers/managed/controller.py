"""Free managed certificates: asked for where a tag says so, bound, proven, and watched while they last.

Azure renews them by itself, 45 days before their end and while their prerequisites hold, and hides their thumbprint and
dates: what is served is all there is to see (Azure docs, "Add and manage TLS/SSL certificates").

    look ──▶ prerequisites ──▶ PUT (recorded before and after) ──202──▶ poll ──▶ bind without a thumbprint ──▶ handshake
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial

from shared.controllers.managed.view import View, observe_managed
from shared.domain.errors import LeaseBusy, NotFound, OutcomeUnknown, OutOfTime, Rejected
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.handshake import ServedCertificate
from shared.domain.intent import Mode
from shared.domain.managed.dns import Ask
from shared.domain.managed.prerequisites import (
    HostFacts,
    HostLook,
    Issuance,
    Place,
    SeenCertificate,
    Violation,
    violations,
)
from shared.domain.names import CopyRef, HostName, SiteRef
from shared.domain.reason import Reason
from shared.loop.connect_address import address_of
from shared.loop.observe.site import observe_site
from shared.loop.perform import REFUSALS
from shared.loop.prove import PATIENCE
from shared.loop.report import report_blind_spots
from shared.loop.run import Run
from shared.planning.acting.settle import settle
from shared.ports.storage import Lease
from shared.telemetry import event

SCOPE = "managed"
ISSUE_PATIENCE = timedelta(minutes=2)
"""How long a sweep waits for managed certificates that it asked for; what takes longer is bound by the next sweep."""
POLL_SECONDS = 5.0
"""The pause between two questions whether Azure has issued them."""
LOOK_PATIENCE = timedelta(seconds=10)
"""How long a sweep asks what a bound host name serves: one look is enough, because nothing was written."""
WARN_BEFORE = timedelta(days=30)
"""How long before its end a managed certificate is reported as not renewed. Azure renews it 45 days before its end, so
that two weeks have passed (Azure docs, "Create a free managed certificate")."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run, what it saw, and what is asked where it is needed: DNS, plans and host names, each question once."""

    run: Run
    view: View
    ask: Ask
    tier: Callable[[str], str]
    facts: Callable[[SiteRef], Mapping[HostName, HostFacts]]

    @classmethod
    def of(cls, run: Run, view: View) -> "Work":
        """Return the work of a run."""
        once = lru_cache(maxsize=None)
        return cls(run, view, once(run.ports.dns.ask), once(run.ports.managed.tier), once(run.ports.managed.host_facts))

    def place(self, binding: Binding) -> Place:
        """Return the site or slot of a host name."""
        return self.view.places[binding.site]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one host name."""

    look: HostLook
    error: Exception | None = None
    """The error that nobody foresaw. It is raised once every host name had its turn."""


def look_after_managed(run: Run) -> tuple[HostLook, ...]:
    """Return what came of every host name that has a managed certificate, or is to have one.

    What needs a person is a finding. One host name does not hold up the others; what went wrong beside the refusals is
    raised at the end, as a group. Nothing is written unless the mode is apply.
    """
    view = observe_managed(run)
    report_blind_spots(run.ports.findings, SCOPE, view.fleet)
    work = Work.of(run, view)
    tried = (*_watched(work), *_provided(work))
    looks = tuple(attempt.look for attempt in tried)
    _tell(run, looks)
    if errors := [attempt.error for attempt in tried if attempt.error]:
        raise ExceptionGroup("managed certificates could not all be looked at", errors)
    return looks


def _tell(run: Run, looks: tuple[HostLook, ...]) -> None:
    event("managed.looked", hosts=[{"subject": look.subject, "reason": look.reason} for look in looks])
    findings = tuple(
        Finding(run.now(), SCOPE, look.subject, violation.reason, violation.detail)
        for look in looks
        for violation in (Violation(look.reason, look.detail), *look.also)
        if violation.reason.makes_finding and not look.left_alone
    )
    if findings:
        run.ports.findings.report(findings)


def _guarded(look: Callable[[Binding], HostLook], binding: Binding) -> Attempt:
    """Return what came of a host name, or what stopped it."""
    try:
        return Attempt(look(binding))
    except tuple(REFUSALS) as error:
        return Attempt(_look(binding, REFUSALS[type(error)], str(error)))
    except LeaseBusy as busy:
        return Attempt(_look(binding, Reason.BUSY, str(busy)))
    except OutOfTime as late:
        return Attempt(_look(binding, Reason.OUT_OF_TIME, str(late)))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one host name, the others are looked at; raised above
        return Attempt(_look(binding, Reason.OUT_OF_TIME, str(error)), error)


def _look(binding: Binding, reason: Reason, detail: str) -> HostLook:
    return HostLook(binding.site, binding.host_name, reason, detail)


def _left_alone(binding: Binding, reason: Reason, detail: str) -> HostLook:
    return replace(_look(binding, reason, detail), left_alone=True)


# ------------------------------------------------------------------------------------------------- what is bound


def _watched(work: Work) -> Iterable[Attempt]:
    """Read what is served for every host name with a managed certificate, and why Azure does not renew it."""
    bound = [binding for binding, _ in work.view.bound()]
    give_up = min(work.run.now() + LOOK_PATIENCE, work.run.ends_at)
    handshakes = work.run.pool.map(lambda binding: _served(work.run, work.view.fleet, binding, give_up=give_up), bound)
    for binding, handshake in zip(bound, handshakes, strict=True):
        yield _guarded(partial(_judged, work, handshake), binding)


def _judged(work: Work, handshake: ServedCertificate, binding: Binding) -> HostLook:
    look = _seen(binding, handshake)
    left = handshake.not_after - work.run.now() if handshake.not_after else WARN_BEFORE
    if look.reason is not Reason.SERVED or left >= WARN_BEFORE:
        return look
    found = _violations(work, binding)
    until = f"{handshake}, {left.days} days from now; Azure renews 45 days before while the prerequisites hold"
    if not found:
        detail = f"{until}. They do, as seen from here: open a support case, or delete the certificate and bind another"
        return _look(binding, Reason.NOT_RENEWED, detail)
    return _refused(binding, tuple(replace(violation, detail=f"{violation.detail}. {until}") for violation in found))


def _seen(binding: Binding, handshake: ServedCertificate) -> HostLook:
    """Return what a handshake says: no connection proves nothing, and nothing seen is not fine."""
    if handshake.not_after is None:
        return _look(binding, Reason.UNREACHABLE, f"{handshake}; when its managed certificate ends is not known")
    return _look(binding, Reason.SERVED if handshake.covered else Reason.SERVED_ANOTHER, str(handshake))


# ---------------------------------------------------------------------------------------------- what is asked for


def _provided(work: Work) -> tuple[Attempt, ...]:
    """Ask for every certificate that is missing, then wait two minutes for those that Azure is issuing.

    The next sweep finds a certificate that takes longer.
    """
    run = work.run
    tried = {binding: _guarded(partial(_begin, work), binding) for binding in work.view.wanted()}
    give_up = min(run.now() + ISSUE_PATIENCE, run.ends_at)
    while issuing := [binding for binding, attempt in tried.items() if attempt.look.reason is Reason.ISSUING]:
        if run.intent.mode is not Mode.APPLY or run.now() + timedelta(seconds=POLL_SECONDS) > give_up:
            break
        run.ports.clock.sleep(POLL_SECONDS)
        tried |= {binding: _guarded(partial(_resume, work), binding) for binding in issuing}
    return tuple(tried.values())


def _begin(work: Work, binding: Binding) -> HostLook:
    """Bring one host name as far as it goes without waiting."""
    run, place = work.run, work.place(binding)
    run.check_time()
    if work.view.fleet.opted_out(binding.site):
        return _opted_out(binding)
    if place.site.webspace is None or not place.site.plan:
        return _look(binding, Reason.INCOMPLETE_VIEW, f"Azure does not say on which plan {binding.site} is")
    there = work.view.managed_for(place.site.webspace, binding.host_name)
    known = run.ports.requests.issuance(binding.site, binding.host_name)
    if there is None and not (known and known.counts(run.now())) and (found := _violations(work, binding)):
        return _refused(binding, found)
    if run.intent.mode is not Mode.APPLY:
        what = "bound to the managed certificate that is there" if there else "given a managed certificate"
        detail = f"{binding.host_name} would be {what}; set CERTROLL_MODE=apply to have it done"
        return _look(binding, Reason.OBSERVE_ONLY, detail)
    if there is not None:
        return _bind(run, binding, there)
    return _resume(work, binding) if known and known.counts(run.now()) else _ask(work, binding)


def _violations(work: Work, binding: Binding) -> tuple[Violation, ...]:
    place, facts = work.place(binding), work.facts(binding.site).get(binding.host_name)
    if facts is None:
        raise NotFound(f"host name {binding.host_name} of {binding.site} is gone")
    name = _ref(work, binding)
    there = next((certificate for certificate in work.view.certificates if certificate.ref == name), None)
    found = violations(binding.host_name, place, work.tier(place.site.plan), facts, work.ask)
    if there is not None and not _is_for(work, there, binding):
        return (_taken(binding, there), *found)
    return found


def _ask(work: Work, binding: Binding) -> HostLook:
    """Ask Azure, which is recorded before and after: who asks twice makes the authority issue twice."""
    run, ref = work.run, _ref(work, binding)
    with run.ports.leases.hold(f"site {binding.site.resource_id}") as lease:
        if _opted_out_by_now(run, binding):
            return _opted_out(binding)
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
    _done(run, "managed.asked", binding, operation or "Azure did not say how far it is")


def _put(run: Run, ref: CopyRef, binding: Binding, place: Place) -> str:
    """Ask once; where it is not known whether Azure heard, it is not asked again but looked for."""
    try:
        return run.ports.managed.ask_for(ref, binding.host_name, place)
    except OutcomeUnknown:
        return ""


def _resume(work: Work, binding: Binding) -> HostLook:
    """Look how far Azure is; bind what it has issued."""
    run, ref = work.run, _ref(work, binding)
    known = run.ports.requests.issuance(binding.site, binding.host_name)
    if known is not None and known.refused:
        detail = f"Azure refused at {known.asked_at:%Y-%m-%d %H:%M} UTC and is asked again six hours later"
        return _look(binding, Reason.REJECTED_BY_AZURE, f"{detail}: {known.refused}")
    done = known is None or not known.operation or _is_done(run, known)
    issued = _there(run, ref) if done else None
    if issued is None:
        since = known.asked_at if known else run.now()
        return _look(
            binding, Reason.ISSUING, f"Azure was asked at {since:%Y-%m-%d %H:%M} UTC and has not issued it yet"
        )
    if not _is_for(work, issued, binding):
        return _refused(binding, (_taken(binding, issued),))
    run.ports.requests.forget_issuance(binding.site, binding.host_name)
    return _bind(run, binding, issued)


def _is_done(run: Run, issuance: Issuance) -> bool:
    try:
        return run.ports.managed.is_done(issuance.operation)
    except Rejected as refusal:
        run.ports.requests.put_issuance(replace(issuance, refused=str(refusal)))
        raise


def _is_for(work: Work, certificate: SeenCertificate, binding: Binding) -> bool:
    """Say whether the certificate is the one for the host name, and in the webspace where alone it can be bound."""
    here = work.place(binding).site.webspace
    return (certificate.managed_for, certificate.webspace) == (binding.host_name, here)


def _there(run: Run, ref: CopyRef) -> SeenCertificate | None:
    try:
        return run.ports.managed.certificate(ref)
    except NotFound:
        return None


# ---------------------------------------------------------------------------------------------------- the binding


def _bind(run: Run, binding: Binding, certificate: SeenCertificate) -> HostLook:
    """Bind the host name by SNI, without a thumbprint, and see what is served."""
    with run.ports.leases.hold(f"site {binding.site.resource_id}") as lease:
        if _opted_out_by_now(run, binding):
            return _opted_out(binding)
        lease.check()
        run.check_time()
        # Somebody bound the host name since the view was read. Whatever they chose, Certroll leaves it.
        if not run.ports.retrying.retry(partial(_bind_once, run, binding, certificate)):
            detail = "somebody else bound it meanwhile; it is left as it is"
            return _left_alone(binding, Reason.BINDING_MOVED, f"{binding.host_name}: {detail}")
        fleet = _settled(run, binding)
    give_up = min(run.now() + PATIENCE, run.ends_at)
    handshake = _served(run, fleet, replace(binding, ssl_state=SslState.SNI), give_up=give_up)
    _done(run, "managed.bound", binding, str(handshake))
    return _seen(binding, handshake)


def _settled(run: Run, binding: Binding) -> Fleet:
    """Return the site once Azure shows that its host name is bound."""
    return settle(
        run.ports.clock,
        lambda: observe_site(run.ports.app_service, binding.site, (), run.now()),
        lambda seen: any(bound.host_name == binding.host_name and _is_bound(bound) for bound in seen.bindings),
        f"host name {binding.host_name} of {binding.site}",
    )


def _bind_once(run: Run, binding: Binding, certificate: SeenCertificate) -> bool:
    """Return whether the host name is bound to the certificate now; one that is bound to anything is left alone."""
    seen, body = run.ports.app_service.binding(binding.site, binding.host_name)
    if _is_bound(seen):
        return seen.ssl_state is SslState.SNI and seen.thumbprint in {None, certificate.thumbprint}
    run.ports.app_service.put_binding(replace(seen, ssl_state=SslState.SNI, thumbprint=None), body)
    return True


def _is_bound(binding: Binding) -> bool:
    return binding.ssl_state is not SslState.DISABLED


def _served(run: Run, fleet: Fleet, binding: Binding, *, give_up: datetime) -> ServedCertificate:
    return run.ports.tls_probe.served(binding.host_name, address_of(fleet, binding), give_up)


def _opted_out_by_now(run: Run, binding: Binding) -> bool:
    fleet = observe_site(run.ports.app_service, binding.site, (), run.now())
    return fleet.opted_out(binding.site)


# --------------------------------------------------------------------------------------------------------- words


def _done(run: Run, name: str, binding: Binding, detail: str) -> None:
    subject = f"host name {binding.host_name} of {binding.site}"
    entry = HistoryEntry(run.now(), name, subject, Reason.MANAGED_ASKED, detail[:1000])
    run.ports.history.add(SCOPE, (entry,))
    event(name, subject=subject, detail=detail)


def _ref(work: Work, binding: Binding) -> CopyRef:
    """Return the name of a managed certificate: the host name, as az names it, in the resource group of the plan."""
    plan = work.place(binding).site.plan
    return CopyRef(binding.site.subscription, plan.split("/")[4], str(binding.host_name))


def _refused(binding: Binding, found: tuple[Violation, ...]) -> HostLook:
    return HostLook(binding.site, binding.host_name, found[0].reason, found[0].detail, found[1:])


def _taken(binding: Binding, other: SeenCertificate) -> Violation:
    detail = f"certificate {other.ref} of webspace {other.webspace} has the name that a managed one of "
    return Violation(Reason.NAME_TAKEN, f"{detail}{binding.host_name} gets; bind that one, or delete it")


def _opted_out(binding: Binding) -> HostLook:
    return _left_alone(binding, Reason.OPTED_OUT, f"{binding.site} carries the tag certroll: off")
