"""Timer: every start that is owed to an app that was stopped."""

from collections.abc import Callable

import azure.functions as func

from shared.owed_starts import pay_owed_starts
from shared.runtime import Runtime

EVERY_MINUTE = "0 * * * * *"


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the trigger. Missed minutes are not made up for: the next one looks at everything."""
    functions = func.Blueprint()

    @functions.timer_trigger(arg_name="timer", schedule=EVERY_MINUTE, use_monitor=False)
    def starts_timer(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host wants it
        """Start the apps that a run which died has stopped."""
        pay_owed_starts(runtime().bare_run())

    return functions
