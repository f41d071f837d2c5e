"""Timer: every vault certificate that is imported somewhere."""

from collections.abc import Callable

import azure.functions as func

from shared.runtime import Runtime
from shared.settings import sweep_schedule
from shared.sweep import sweep
from shared.telemetry import event


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the trigger. The schedule is read here: a bad one in a binding would stop all functions."""
    functions = func.Blueprint()
    schedule, problem = sweep_schedule()

    @functions.timer_trigger(arg_name="timer", schedule=schedule, use_monitor=True)
    def sweep_timer(timer: func.TimerRequest) -> None:
        """Put every vault certificate that has work on the queue."""
        if problem is not None:
            event("setting.ignored", detail=problem)
        event("sweep.started", past_due=timer.past_due)
        sweep(runtime().run())

    return functions
