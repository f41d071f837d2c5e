"""Queue `certificates`: one vault certificate."""

from collections.abc import Callable

import azure.functions as func

from shared.runtime import Runtime
from shared.work import CERTIFICATES, on_certificate


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the trigger."""
    functions = func.Blueprint()

    @functions.queue_trigger(arg_name="message", queue_name=CERTIFICATES, connection="AzureWebJobsStorage")
    def certificates_queue(message: func.QueueMessage) -> None:
        """Bring a vault certificate's current version a step further."""
        on_certificate(runtime().run(), message.get_body().decode(errors="replace"), message.dequeue_count or 1)

    return functions
