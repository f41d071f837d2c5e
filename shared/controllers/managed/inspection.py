"""Build the result for one host name, and read with a TLS handshake which certificate App Service serves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.errors import AzureError, LeaseBusy, OutOfTime
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.handshake import ServedCertificate
from shared.domain.intent import Barrier
from shared.domain.managed.issuance import HostInspection, Violation
from shared.domain.reason import Reason
from shared.domain.tags import OPT_OUT
from shared.loop.connect_address import address_of
from shared.loop.perform import REFUSALS, reason_of
from shared.loop.run import Run
from shared.loop.turns import Turns

SCOPE = "managed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of Certroll's work on one host name."""

    inspection: HostInspection
    error: Exception | None = None
    """The unexpected error of this host name. Certroll raises the error after the last host name."""
    is_refused: bool = False
    """True if a refusal by Azure ended the inspection, so that Certroll has not seen all that matters."""


def full_name(binding: Binding) -> str:
    """Return a name that tells equal host names of different sites apart."""
    return f"{binding.host_name} {binding.site.resource_id}"


def in_turn(work_turns: Turns[Binding], inspect: Callable[[Binding], HostInspection], binding: Binding) -> Attempt:
    """Inspect a host name in its turn. Only a host name that Certroll saw as it should be has had a good turn."""
    attempt = guarded(inspect, binding)
    if binding in work_turns.had:
        work_turns.end(binding, failed=attempt.error is not None or attempt.inspection.reason.makes_finding)
    return attempt


def guarded(inspect: Callable[[Binding], HostInspection], binding: Binding) -> Attempt:
    """Inspect the managed certificate of a host name, and return the result or the error."""
    try:
        return Attempt(inspect(binding))
    except tuple(REFUSALS) as error:
        return Attempt(host_inspection(binding, reason_of(error), str(error)), is_refused=True)
    except AzureError as error:
        return Attempt(host_inspection(binding, Reason.UNANSWERED, str(error)))
    except LeaseBusy as busy:
        return Attempt(host_inspection(binding, Reason.BUSY, str(busy)))
    except OutOfTime as late:
        return Attempt(host_inspection(binding, Reason.OUT_OF_TIME, str(late)))
    except Exception as error:  # noqa: BLE001 - the other host names must continue; the controller raises it
        return Attempt(host_inspection(binding, Reason.OUT_OF_TIME, str(error)), error)


def host_inspection(binding: Binding, reason: Reason, detail: str) -> HostInspection:
    """Build the result for one host name that has, or should get, a managed certificate."""
    return HostInspection(binding.site, binding.host_name, reason, detail)


def left_alone(binding: Binding, reason: Reason, detail: str) -> HostInspection:
    """Return the result for a host name that Certroll must not change.

    The result for a host name that Certroll must not change makes no finding (reported problem).
    """
    return replace(host_inspection(binding, reason, detail), left_alone=True)


def must_not_change(fleet: Fleet, binding: Binding) -> HostInspection | None:
    """Return the result for a host name whose site Certroll must not change, None if Certroll may change it.

    Certroll changes no site that carries the tag `certroll: off`, and no site that has silos in other regions.
    """
    if fleet.opted_out(binding.site):
        said = fleet.tag(binding.site, OPT_OUT)
        return left_alone(binding, Reason.OPTED_OUT, f"{binding.site} carries the tag certroll: {said}")
    if fleet.has_silos(binding.site):
        cannot_read = f"{binding.site} has silos in other regions, which Certroll cannot read"
        return host_inspection(binding, Reason.SITE_WITH_SILOS, f"{cannot_read}: bind {binding.host_name} by hand")
    return None


def barrier_of(run: Run, fleet: Fleet, binding: Binding) -> Barrier | None:
    """Return why Certroll only observes the host name, None if Certroll may request and bind a certificate for it."""
    value = fleet.tag(binding.site, OPT_OUT)
    tags = ((OPT_OUT.name, value),) if value is not None else ()
    return run.intent.barrier(tags, f"site {binding.site}")


def refused_host(binding: Binding, found: tuple[Violation, ...]) -> HostInspection:
    """Return the result for a host name that misses at least one of Azure's prerequisites for a managed certificate."""
    return HostInspection(binding.site, binding.host_name, found[0].reason, found[0].detail, found[1:])


def inspection_of(binding: Binding, handshake: ServedCertificate) -> HostInspection:
    """Return the result for a host name from a TLS handshake with its site.

    If the handshake gets no connection, the result is `Unreachable`.
    """
    if handshake.not_after is None:
        return host_inspection(
            binding, Reason.UNREACHABLE, f"{handshake}; Certroll does not know when its managed certificate ends"
        )
    return host_inspection(binding, Reason.SERVED if handshake.covered else Reason.SERVED_ANOTHER, str(handshake))


def served_in_time(run: Run, fleet: Fleet, binding: Binding, *, give_up: datetime) -> ServedCertificate | OutOfTime:
    """Read with a TLS handshake which certificate App Service itself serves for the host name.

    If the run ends before the handshake does, return the error, so that the caller can first end the caller's work.
    """
    try:
        return run.ports.tls_probe.served(binding.host_name, address_of(fleet, binding), give_up)
    except OutOfTime as late:
        return late
