"""Begin a sweep once an hour: put a message on the queue `sweeps` for each part of it."""

from shared.controllers.sweep.parts import send, tell_over
from shared.domain.findings import Finding
from shared.domain.freeze import lasting
from shared.domain.reason import Reason
from shared.domain.sweeps import Job, Sweeps
from shared.loop.run import Run
from shared.telemetry import event

FREEZE = "freeze"
"""The scope of the finding that a freeze lasts."""
SWEEPS = "sweeps"
"""The scope of the findings about parts of sweeps that last."""


def begin_sweep(run: Run, *, past_due: bool = False) -> None:
    """Record a new sweep, and send the message of each part that waits for no other part.

    A part that is still under way in an earlier sweep gets no second message, and the log says so. The function also
    creates missing queues, because the Functions host looks for a missing queue every two seconds.

    If Certroll fails with one of these duties, Certroll still does the others. This function raises the errors of all
    of them together at the end.
    """
    event("sweep.started", past_due=past_due)
    errors = list[Exception]()
    for duty in (create_queues, report_freeze, close_mended, _begin):
        try:
            duty(run)
        except Exception as error:  # noqa: BLE001 - an error of one duty must not stop the others; raised below
            errors.append(error)
    if errors:
        raise ExceptionGroup("the sweep has not begun completely; all other work goes on", errors)


def _begin(run: Run) -> None:
    _, after = run.ports.sweeps.change(lambda sweeps: sweeps.begin(run.now(), Job))
    began = after.sweeps[-1]
    for name in began.left:
        earlier = next(sweep for sweep in after.sweeps if sweep.part(name))
        event("sweep.part_left", left=name, earlier=earlier.began)
    try:
        send(run, began.began, began.due)
    finally:
        tell_over(run, after)
        _report_lasting(run, after)


def _report_lasting(run: Run, sweeps: Sweeps) -> None:
    """Record a finding for each part that several later sweeps found under way, and close the other ones."""
    now = run.now()
    found = tuple(
        Finding(
            now,
            SWEEPS,
            f"part {part.name}",
            Reason.SWEEP_LASTS,
            f"the sweep that began at {sweep.began:%Y-%m-%d %H:%M} UTC is still at work on this part: {part.left_by} "
            "later sweeps have left the part to it",
        )
        for sweep, part in sweeps.lasting()
    )
    if found:
        run.ports.findings.report(found)
    run.ports.findings.close(SWEEPS, now, lambda known: known.last_seen < now)


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
