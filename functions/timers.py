"""Run two timers: the hourly check of all certificates, and the start of apps that Certroll left stopped."""

import azure.functions as func

from functions import runtime
from shared.controllers.environment.pending_starts import complete_pending_starts
from shared.controllers.sweep.controller import sweep
from shared.settings import sweep_schedule
from shared.telemetry import event

EVERY_MINUTE = "0 * * * * *"
SCHEDULE, PROBLEM = sweep_schedule()
"""The schedule of the sweep, and why CERTROLL_SWEEP_SCHEDULE was ignored, or None.

The app reads the setting itself: a bad schedule in a binding would stop all functions from being indexed.
"""

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=SCHEDULE, use_monitor=True)
def sweep_timer(timer: func.TimerRequest) -> None:
    """Inspect vault certificates, environments, managed certificates and orders, and queue the work that they need."""
    if PROBLEM is not None:
        event("setting.ignored", detail=PROBLEM)
    event("sweep.started", past_due=timer.past_due)
    sweep(runtime().run())


@blueprint.timer_trigger(arg_name="timer", schedule=EVERY_MINUTE, use_monitor=False)
def starts_timer(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it
    """Start the apps that a run of Certroll stopped and did not start again.

    Each call of this function tries to start all apps that Certroll left stopped, so a missed call needs no repetition.
    """
    complete_pending_starts(runtime().bare_run())
