"""Inspect all vault certificates, environments, managed certificates and orders once an hour."""

from collections.abc import Callable

from shared.controllers.environment.controller import remind
from shared.controllers.managed.controller import look_after_managed
from shared.controllers.orders.controller import look_after_orders
from shared.controllers.sweep.certificates import sweep_certificates
from shared.controllers.sweep.reading import turn
from shared.domain.findings import Finding
from shared.domain.freeze import lasting
from shared.domain.reason import Reason
from shared.loop.run import Run

FREEZE = "freeze"
"""The scope of the finding that a freeze lasts."""
KINDS: tuple[tuple[Callable[[Run], object], ...], ...] = (
    (sweep_certificates, remind),
    (look_after_managed,),
    (look_after_orders,),
)
"""The inspections of a sweep by kind. A reminder about environments follows the certificates that may need one."""


def sweep(run: Run) -> None:
    """Inspect vault certificates, environments, free managed certificates and orders of purchased certificates.

    The sweep also creates missing queues, because the Functions host looks for a missing queue every two seconds.
    If the sweep fails with one kind of certificate, the sweep still inspects the other kinds. This function raises the
    errors of all kinds of certificates together at the end.

    Each sweep begins with another kind. If one kind takes all the time of a sweep, the next sweep begins with another.
    """
    errors = []
    first = turn(run.now(), len(KINDS))
    kinds = (*KINDS[first:], *KINDS[:first])
    for look_after in (create_queues, report_freeze, close_mended, *(inspect for kind in kinds for inspect in kind)):
        try:
            look_after(run)
        except Exception as error:  # noqa: BLE001 - an error with one kind must not stop the other kinds; raised below
            errors.append(error)
    if errors:
        raise ExceptionGroup("the sweep could not inspect everything; all other work goes on", errors)


def create_queues(run: Run) -> None:
    """Create each work queue and poison queue that does not exist."""
    run.ports.queue.create_missing()


def close_mended(run: Run) -> None:
    """Close the findings about rows of the journal that people have repaired or deleted."""
    run.ports.findings.close_mended(run.now())


def report_freeze(run: Run) -> None:
    """Record a finding (a reported problem) while a freeze lasts, and close the finding after the freeze.

    During a freeze, Certroll begins nothing new.
    """
    now = run.now()
    if (until := run.intent.frozen_until(now)) is None:
        run.ports.findings.close(FREEZE, now, lambda found: found.last_seen < now)
        return
    detail = (
        f"{lasting(until)}: Certroll begins nothing new, except where an old certificate ends soon. Certroll "
        "finishes or takes back what it has begun. The plans name what waits"
    )
    run.ports.findings.report((Finding(now, FREEZE, "CERTROLL_FREEZE", Reason.FREEZE_IN_FORCE, detail),))
