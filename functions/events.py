"""Receive the events of Key Vault from Event Grid."""

import azure.functions as func

from functions import runtime
from shared.controllers.intake.events import on_vault_event

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
def vault_event(event: str) -> None:
    """Put the vault certificate that the event names on the queue.

    The event arrives as text, because the SDK's own event type fails on a date that it cannot read (ADR 6).
    """
    on_vault_event(runtime().run(), event)
