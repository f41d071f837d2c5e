"""Watch what App Service serves for host names that are bound to a managed certificate."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.controllers.managed.inspection import (
    Attempt,
    full_name,
    host_inspection,
    in_turn,
    inspection_of,
    refused_host,
)
from shared.controllers.managed.work import Work, violations_of
from shared.domain.errors import OutOfTime
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.handshake import ServedCertificate
from shared.domain.managed.issuance import HostInspection
from shared.domain.reason import Reason
from shared.loop.connect_address import address_of
from shared.loop.run import HALF
from shared.loop.turns import Turns, taking_turns

INSPECTION_PATIENCE = timedelta(seconds=10)
"""How long a sweep tries a handshake with a bound host name. A short time is enough, because Certroll wrote nothing."""
WARN_BEFORE = timedelta(days=30)
"""How long before its end Certroll reports a managed certificate as not renewed.

Azure renews a managed certificate 45 days before its end, so Azure is then two weeks late (Azure docs, "Create a free
managed certificate").
"""


def watch(work: Work) -> Iterable[Attempt]:
    """Read the served certificate of each host name with a managed certificate, and check why a renewal is late."""
    bound = [binding for binding, _ in work.view.bound()]
    leaving = work.run.part(HALF)  # the host names without a certificate need time, too
    with taking_turns(work.run, "host names with a certificate", bound, full_name) as turns:
        handshakes = work.run.probes.each(partial(_served, work, turns, leaving), turns.order)
        for binding, handshake in zip(turns.order, handshakes, strict=True):
            yield in_turn(turns, partial(_judged, work, leaving, handshake), binding)


def _served(work: Work, turns: Turns[Binding], leaving: timedelta, binding: Binding) -> ServedCertificate:
    """Read the served certificate of a host name. The time of a handshake begins when a thread begins the handshake."""
    run = work.run
    run.check_time(leaving)
    turns.begin(binding)
    give_up = min(run.now() + INSPECTION_PATIENCE, run.ends_at)
    return run.ports.tls_probe.served(binding.host_name, address_of(work.view.fleet, binding), give_up)


def _judged(
    work: Work, leaving: timedelta, handshake: ServedCertificate | OutOfTime, binding: Binding
) -> HostInspection:
    """Judge a TLS handshake with a host name. Raise OutOfTime if the run had no time for the handshake or for DNS.

    If Azure is late with the renewal of a managed certificate, the result names Azure's unmet prerequisites.
    """
    if isinstance(handshake, OutOfTime):
        raise handshake
    inspection = inspection_of(binding, handshake)
    left = handshake.not_after - work.run.now() if handshake.not_after else WARN_BEFORE
    if inspection.reason is not Reason.SERVED or left >= WARN_BEFORE:
        return inspection
    work.run.check_time(leaving)
    found = violations_of(work, binding)
    until = f"{handshake}, {left.days} days from now; Azure renews 45 days before while the prerequisites hold"
    if not found:
        detail = (
            f"{until}. Certroll sees that they hold: open a support case, or delete the certificate and bind another"
        )
        return host_inspection(binding, Reason.NOT_RENEWED, detail)
    return refused_host(
        binding, tuple(replace(violation, detail=f"{violation.detail}. {until}") for violation in found)
    )
