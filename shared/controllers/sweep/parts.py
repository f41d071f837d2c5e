"""Do one part of a sweep in a run of its own, and tell when the last part is done."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from shared.controllers.environment.controller import remind
from shared.controllers.managed.controller import look_after_managed
from shared.controllers.orders.controller import look_after_orders
from shared.controllers.sweep.certificates import Judged, judge_certificates
from shared.controllers.sweep.slices import keep_targets, read_slice
from shared.domain.despite_storage import despite_storage
from shared.domain.errors import LeaseBusy
from shared.domain.findings import Finding
from shared.domain.messages import SweepMessage
from shared.domain.reason import Reason
from shared.domain.sweeps import MOST_RUNS, Ended, Job, Sweep, Sweeps
from shared.loop.report import SWEEP
from shared.loop.run import Run
from shared.telemetry import event

BUSY_PAUSE = timedelta(minutes=1)
"""How long a message waits while another run is at work on its part."""
JOBS: Mapping[str, Callable[[Run], object]] = {
    Job.ORDERS: look_after_orders,
    Job.MANAGED: look_after_managed,
    Job.CERTIFICATES: judge_certificates,
    Job.ENVIRONMENTS: remind,
}
"""What each part of a sweep does, except for slices. A reminder about environments follows the certificates."""


def do_part(run: Run, message: SweepMessage) -> None:
    """Do the part of a sweep that the message names, and send the messages of the parts that waited for it.

    A part that has ended is not done again, so a message may arrive twice. If another run is at work on the part, the
    message comes back later, because that run may die. Raise the error with which the part ended, after the journal
    has its end: the queue delivers the message again, and finds nothing to do.
    """
    try:
        with run.ports.leases.hold(f"sweep {message.part}"):
            error = _done(run, message)
    except LeaseBusy:
        run.ports.queue.send_sweep(message, BUSY_PAUSE)
        return
    if error is not None:
        raise error


def give_up_part(run: Run, message: SweepMessage) -> None:
    """End a part of a sweep whose message failed five times, so that the sweep goes on without the part."""
    if message.sweep is not None:
        _end(run, message.sweep, Ended(message.part, failed=True))


def send(run: Run, began: datetime, parts: Iterable[str]) -> None:
    """Send the message of each part. Raise the first error of the storage account after all of them."""
    despite_storage(parts, lambda part: run.ports.queue.send_sweep(SweepMessage(part, began)))


def tell_over(run: Run, sweeps: Sweeps) -> None:
    """Log the end of each sweep whose last part is done, and then forget the sweep."""
    if not sweeps.over:
        return
    for sweep in sweeps.over:
        _tell(run, sweep)
    run.ports.sweeps.change(lambda known: known.told(sweep.began for sweep in sweeps.over))


def _done(run: Run, message: SweepMessage) -> Exception | None:
    """Do the part if it is open, and return the error with which it ended, or None."""
    if message.sweep is None:
        ended, error = _tried(run, message.part, run.now())
        _report_unread(run, ended, Sweeps())
        return error
    began, name = message.sweep, message.part
    _, sweeps = run.ports.sweeps.change(lambda known: known.with_run(began, name, run.now()))
    sweep = sweeps.of(began)
    part = sweep.part(name) if sweep is not None else None
    if part is None or not part.running:
        _catch_up(run, sweeps, sweep)
        return None
    ended, error = _tried(run, name, began)
    _end(run, began, ended)
    return error


def _end(run: Run, began: datetime, ended: Ended) -> None:
    """Record the end of a part's run, and send the messages of the parts that are due now."""
    before, after = run.ports.sweeps.change(lambda known: known.with_end(began, ended, run.now()))
    was, sweep = before.of(began), after.of(began)
    _report_unread(run, ended, after)
    if was is not None and sweep is not None:
        part = sweep.part(ended.name)
        goes_on = (part.name,) if part is not None and part.is_slice else ()
        send(run, began, (*goes_on, *(name for name in sweep.due if name not in was.due)))
    tell_over(run, after)


def _catch_up(run: Run, sweeps: Sweeps, sweep: Sweep | None) -> None:
    """Do again what a run left undone that died after it had recorded the end of its part."""
    if sweep is not None:
        send(run, sweep.began, sweep.due)
    tell_over(run, sweeps)


def _tried(run: Run, name: str, began: datetime) -> tuple[Ended, Exception | None]:
    """Do what a part is about, and return how it ended, with its error."""
    if name not in JOBS and run.intent.subscriptions and name not in run.intent.subscriptions:
        event("sweep.slice_refused", subscription=name)
        return Ended(name), None
    try:
        if name not in JOBS:
            return Ended(name, goes_on=read_slice(run, began, name)), None
        result = JOBS[name](run)
        if not isinstance(result, Judged):
            return Ended(name), None
        forgetful = run.intent.settings_reread <= timedelta(0)
        if result.late and not forgetful:
            keep_targets(run, began, result.targets)
    except Exception as error:  # noqa: BLE001 - the sweep goes on, and the caller raises it
        return Ended(name, failed=True), error
    return Ended(name, judged=True, unseen=result.unseen, late=result.late, forgetful=forgetful), result.error


def _report_unread(run: Run, ended: Ended, sweeps: Sweeps) -> None:
    """Report each subscription that the judging had no time to read, unless a slice of any sweep is reading it.

    A judging that reads the subscription in time closes the finding (shared/controllers/sweep/certificates.py).
    """
    detail = f"{MOST_RUNS} runs of a sweep were too short for it"
    if ended.forgetful:
        detail = "one run was too short for it, and CERTROLL_SETTINGS_REREAD is 0, so no other run can go on"
    findings = tuple(
        Finding(run.now(), SWEEP, f"subscription {subscription}", Reason.NOT_READ_IN_TIME, detail)
        for subscription in ended.late
        if subscription not in sweeps.open_names
    )
    if findings:
        run.ports.findings.report(findings)


def _tell(run: Run, sweep: Sweep) -> None:
    event(
        "sweep.completed",
        began=sweep.began,
        seconds=round((run.now() - sweep.began).total_seconds()),
        judged=sweep.judged,
        failed=sweep.failed,
        left=sweep.left,
        unseen=sweep.unseen.names,
        unseen_in_all=sweep.unseen.number,
    )
