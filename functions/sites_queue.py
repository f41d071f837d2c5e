"""Queue `sites`: one site or slot."""

from collections.abc import Callable

import azure.functions as func

from shared.runtime import Runtime
from shared.work import SITES, on_site


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the trigger."""
    functions = func.Blueprint()

    @functions.queue_trigger(arg_name="message", queue_name=SITES, connection="AzureWebJobsStorage")
    def sites_queue(message: func.QueueMessage) -> None:
        """Carry a vault certificate's current version to a site or slot, and prove it."""
        on_site(runtime().run(), message.get_body().decode(errors="replace"))

    return functions
