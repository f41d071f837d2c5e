"""Receive the events of Key Vault from Event Grid."""

import azure.functions as func

from functions import runtime
from shared.controllers.intake.events import on_vault_event
from shared.loop.own_threads import OwnThreads

MOST_AT_ONCE = 32
"""How many events the process answers at once. Each takes one or two requests to storage."""
THREADS = OwnThreads(MOST_AT_ONCE, "events")

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
async def vault_event(event: str) -> None:
    """Put the vault certificate that the event names on the queue.

    The event arrives as text, because the SDK's own event type fails on a date that it cannot read (ADR 6).
    """
    await THREADS.run(lambda: _accept(event))


def _accept(event: str) -> None:
    with runtime().run() as run:
        on_vault_event(run, event)
