"""Inspect all vault certificates, environments, managed certificates and orders once an hour."""

from collections.abc import Callable
from datetime import timedelta

from shared.controllers.environment.controller import remind
from shared.controllers.managed.controller import look_after_managed
from shared.controllers.orders.controller import look_after_orders
from shared.controllers.sweep.certificates import sweep_certificates
from shared.domain.findings import Finding
from shared.domain.freeze import lasting
from shared.domain.reason import Reason
from shared.loop.run import Run
from shared.loop.turns import Turns, taking_turns

FREEZE = "freeze"
"""The scope of the finding that a freeze lasts."""
Inspect = Callable[[Run], object]
LEFT_TO_JOB = timedelta(seconds=130)
"""The time that the jobs of a sweep leave to each job behind them: enough for one request that fails slowly (90 s), or
for one wait for an issued certificate (120 s). The job that comes first has 220 s of 480 s, which orders need (ADR 50).
"""
JOBS: dict[str, tuple[Inspect, ...]] = {
    "orders": (look_after_orders,),
    "managed": (look_after_managed,),
    "certificates": (sweep_certificates, remind),
}
"""The jobs of a sweep, each with its inspections.

The first two usually take seconds, so the vault certificates get nearly all the time of a sweep. A reminder about
environments follows the certificates that may need one.
"""


def sweep(run: Run) -> None:
    """Inspect vault certificates, environments, free managed certificates and orders of purchased certificates.

    The sweep also creates missing queues, because the Functions host looks for a missing queue every two seconds.
    If the sweep fails with one job, the sweep still does the other jobs. This function raises the errors of all jobs
    together at the end.

    Each job leaves the time of the jobs behind it, and a job that failed in the last sweep comes last in this sweep.
    """
    errors = [error for inspect in (create_queues, report_freeze, close_mended) if (error := _tried(inspect, run))]
    with taking_turns(run, "jobs of a sweep", JOBS) as turns:
        for number, name in enumerate(turns.order, 1):
            errors += _done(run.leaving(LEFT_TO_JOB * (len(JOBS) - number)), name, turns)
    if errors:
        raise ExceptionGroup("the sweep could not inspect everything; all other work goes on", errors)


def _done(run: Run, name: str, turns: Turns[str]) -> list[Exception]:
    """Do one job of the sweep in its turn, and return its errors."""
    turns.begin(name)
    errors = [error for inspect in JOBS[name] if (error := _tried(inspect, run))]
    turns.end(name, failed=bool(errors))
    return errors


def _tried(inspect: Inspect, run: Run) -> Exception | None:
    """Return the error of an inspection, so that it stops no other inspection, or None."""
    try:
        inspect(run)
    except Exception as error:  # noqa: BLE001 - an error of one job must not stop the other jobs; the sweep raises it
        return error
    return None


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
