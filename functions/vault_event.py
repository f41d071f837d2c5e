"""Event Grid: Key Vault events."""

from collections.abc import Callable

import azure.functions as func

from shared.runtime import Runtime
from shared.work import on_vault_event


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the trigger. The event arrives as text: the SDK's own types fail on dates that they cannot read."""
    functions = func.Blueprint()

    @functions.event_grid_trigger(arg_name="event")
    def vault_event(event: str) -> None:
        """Put the certificate that an event names on the queue."""
        on_vault_event(runtime().run(), event)

    return functions
