"""Build the result for one host name, and read with a TLS handshake which certificate App Service serves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.errors import LeaseBusy, OutOfTime
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.handshake import ServedCertificate
from shared.domain.managed.issuance import HostInspection, Violation
from shared.domain.reason import Reason
from shared.loop.connect_address import address_of
from shared.loop.perform import REFUSALS
from shared.loop.run import Run

SCOPE = "managed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of Certroll's work on one host name."""

    inspection: HostInspection
    error: Exception | None = None
    """The unexpected error of this host name. Certroll raises the error after the last host name."""


def guarded(inspect: Callable[[Binding], HostInspection], binding: Binding) -> Attempt:
    """Inspect the managed certificate of a host name, and return the result or the error."""
    try:
        return Attempt(inspect(binding))
    except tuple(REFUSALS) as error:
        return Attempt(host_inspection(binding, REFUSALS[type(error)], str(error)))
    except LeaseBusy as busy:
        return Attempt(host_inspection(binding, Reason.BUSY, str(busy)))
    except OutOfTime as late:
        return Attempt(host_inspection(binding, Reason.OUT_OF_TIME, str(late)))
    except Exception as error:  # noqa: BLE001 - the other host names must continue; the controller raises it
        return Attempt(host_inspection(binding, Reason.OUT_OF_TIME, str(error)), error)


def host_inspection(binding: Binding, reason: Reason, detail: str) -> HostInspection:
    """Build the result for one host name with a managed certificate."""
    return HostInspection(binding.site, binding.host_name, reason, detail)


def left_alone(binding: Binding, reason: Reason, detail: str) -> HostInspection:
    """Return the result for a host name that Certroll must not change.

    The result for a host name that Certroll must not change makes no finding (reported problem).
    """
    return replace(host_inspection(binding, reason, detail), left_alone=True)


def opted_out(binding: Binding) -> HostInspection:
    """Return the result for a host name whose site carries the tag `certroll: off`."""
    return left_alone(binding, Reason.OPTED_OUT, f"{binding.site} carries the tag certroll: off")


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


def served_certificate(run: Run, fleet: Fleet, binding: Binding, *, give_up: datetime) -> ServedCertificate:
    """Read with a TLS handshake which certificate App Service itself serves for the host name."""
    return run.ports.tls_probe.served(binding.host_name, address_of(fleet, binding), give_up)
