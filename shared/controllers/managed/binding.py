"""Bind a host name to its managed certificate, and read which certificate the site serves afterwards."""

from dataclasses import replace
from functools import partial

from shared.controllers.managed.inspection import (
    SCOPE,
    barrier_of,
    host_inspection,
    inspection_of,
    left_alone,
    must_not_change,
    served_in_time,
)
from shared.domain.errors import OutOfTime
from shared.domain.findings import HistoryEntry
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.fleet import Fleet
from shared.domain.managed.issuance import HostInspection, SeenCertificate, host_subject
from shared.domain.reason import Reason
from shared.loop.observe.site import observe_site
from shared.loop.prove import PATIENCE
from shared.loop.run import Run
from shared.planning.acting.settle import settle
from shared.telemetry import event


def bind(run: Run, binding: Binding, certificate: SeenCertificate) -> HostInspection:
    """Bind the host name by SNI, without a thumbprint, and return the result that names the served certificate.

    Certroll records the new binding even if no time is left for a handshake. Raise OutOfTime after the record, because
    a handshake that the end of the run cuts says nothing about the site.
    """
    with run.ports.leases.hold(f"site {binding.site.resource_id}") as lease:
        if (refused := refused_now(run, binding)) is not None:
            return refused
        lease.check()
        run.check_time(PATIENCE)
        # If an operator bound the host name after Certroll read the fleet, Certroll does not change that binding.
        with run.ports.trace.writes() as writes:
            is_bound = run.ports.retrying.retry(partial(_bind_once, run, binding, certificate))
        if not is_bound:
            detail = "somebody else bound it since the sweep began; Certroll does not change it"
            return left_alone(binding, Reason.BINDING_MOVED, f"{binding.host_name}: {detail}")
        fleet = _settled(run, binding)
    give_up = min(run.now() + PATIENCE, run.ends_at)
    handshake = served_in_time(run, fleet, replace(binding, ssl_state=SslState.SNI), give_up=give_up)
    subject, detail = host_subject(binding.host_name, binding.site), str(handshake)
    entry = HistoryEntry(run.now(), "managed.bound", subject, Reason.MANAGED_ASKED, detail[:1000], tuple(writes))
    run.ports.history.add(SCOPE, (entry,))
    event("managed.bound", subject=subject, detail=detail)
    if isinstance(handshake, OutOfTime):
        raise handshake
    return inspection_of(binding, handshake)


def _settled(run: Run, binding: Binding) -> Fleet:
    """Wait until Azure shows that the site's host name is bound, and return the site."""
    return settle(
        run.ports.clock,
        lambda: observe_site(run.ports.app_service, binding.site, (), run.now()),
        lambda seen: any(bound.host_name == binding.host_name and _is_bound(bound) for bound in seen.bindings),
        host_subject(binding.host_name, binding.site),
    )


def _bind_once(run: Run, binding: Binding, certificate: SeenCertificate) -> bool:
    """Bind the host name if it has no binding, and return True if it is now bound to the managed certificate."""
    seen, body = run.ports.app_service.binding(binding.site, binding.address)
    if _is_bound(seen):
        return seen.ssl_state is SslState.SNI and seen.thumbprint in {None, certificate.thumbprint}
    run.ports.app_service.put_binding(replace(seen, ssl_state=SslState.SNI, thumbprint=None), body)
    return True


def _is_bound(binding: Binding) -> bool:
    return binding.ssl_state is not SslState.DISABLED


def refused_now(run: Run, binding: Binding) -> HostInspection | None:
    """Return the result for a host name whose site Certroll must not change now, None if Certroll may change it."""
    fleet = observe_site(run.ports.app_service, binding.site, (), run.now())
    if (refused := must_not_change(fleet, binding)) is not None:
        return refused
    barrier = barrier_of(run, fleet, binding)
    return host_inspection(binding, barrier.reason, barrier.remedy) if barrier else None
