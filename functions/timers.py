"""Run three timers: the begin of the sweep and of the compliance sweep, and the start of apps left stopped."""

import azure.functions as func

from functions import runtime
from shared.controllers.compliance.controller import begin_compliance
from shared.controllers.environment.pending_starts import complete_pending_starts
from shared.controllers.sweep.controller import begin_sweep
from shared.controllers.sweep.schedule import ScheduleReport
from shared.loop.own_threads import OwnThreads
from shared.schedules import COMPLIANCE_SCHEDULE, SWEEP_SCHEDULE
from shared.settings import strange_settings, timer_schedule
from shared.telemetry import event

EVERY_MINUTE = "0 * * * * *"
SCHEDULE, PROBLEM = timer_schedule(SWEEP_SCHEDULE)
"""The schedule of the sweep, and why CERTROLL_SWEEP_SCHEDULE was ignored, or None.

The app reads the setting itself. A schedule in a binding that the Functions host cannot read would disable the sweep,
while all other functions run (measured on Azure Functions host 4.1037).
"""
DAILY, COMPLIANCE_PROBLEM = timer_schedule(COMPLIANCE_SCHEDULE)
"""The schedule of the compliance sweep, and why CERTROLL_COMPLIANCE_SCHEDULE was ignored, or None."""
PROBLEMS = tuple(problem for problem in (PROBLEM, COMPLIANCE_PROBLEM) if problem is not None)
SCHEDULE_REPORT = ScheduleReport(PROBLEMS, strange_settings())
START_THREADS = OwnThreads(2, "starts-timer")
"""The threads of the timer for pending starts. The host never runs one timer twice at a time in one process."""

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=SCHEDULE, use_monitor=True)
def sweep_timer(timer: func.TimerRequest) -> None:
    """Begin a sweep: put a message on the queue `sweeps` for each part of it."""
    if PROBLEM is not None:  # also if other settings are bad, and no run can start
        event("setting.ignored", detail=PROBLEM)
    with runtime().run() as run:
        begin_sweep(run, past_due=timer.past_due)


@blueprint.timer_trigger(arg_name="timer", schedule=DAILY, use_monitor=True)
def compliance_timer(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it
    """Begin a compliance sweep: put a message on the queue `sweeps`."""
    if COMPLIANCE_PROBLEM is not None:
        event("setting.ignored", detail=COMPLIANCE_PROBLEM)
    with runtime().run() as run:
        begin_compliance(run)


@blueprint.timer_trigger(arg_name="timer", schedule=EVERY_MINUTE, use_monitor=False)
async def starts_timer(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it
    """Start the apps that a run of Certroll stopped and did not start again, and report ignored settings.

    Each call of this function tries to start all apps that Certroll left stopped, so a missed call needs no repetition.
    """
    await START_THREADS.run(_complete_starts)


def _complete_starts() -> None:
    with runtime().bare_run() as run:
        try:
            complete_pending_starts(run)
        finally:
            SCHEDULE_REPORT.report(run)
