"""What failed five times: kept with its cause, and put back on request."""

from collections.abc import Callable
from http import HTTPStatus

import azure.functions as func

from shared.domain.errors import NotFound
from shared.runtime import Runtime
from shared.work import CERTIFICATES, ENVIRONMENTS, SITES, on_poison, replay


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return a trigger for each poison queue, and the way back."""
    functions = func.Blueprint()

    @functions.queue_trigger(arg_name="message", queue_name="certificates-poison", connection="AzureWebJobsStorage")
    def certificates_poison(message: func.QueueMessage) -> None:
        """Keep a message of `certificates` that failed for good."""
        on_poison(runtime().run(), CERTIFICATES, message.get_body().decode(errors="replace"))

    @functions.queue_trigger(arg_name="message", queue_name="sites-poison", connection="AzureWebJobsStorage")
    def sites_poison(message: func.QueueMessage) -> None:
        """Keep a message of `sites` that failed for good."""
        on_poison(runtime().run(), SITES, message.get_body().decode(errors="replace"))

    @functions.queue_trigger(arg_name="message", queue_name="environments-poison", connection="AzureWebJobsStorage")
    def environments_poison(message: func.QueueMessage) -> None:
        """Keep a message of `environments` that failed for good."""
        on_poison(runtime().run(), ENVIRONMENTS, message.get_body().decode(errors="replace"))

    @functions.route("poison/{queue}/{key}/replay", methods=["POST"])
    def replay_poisoned(req: func.HttpRequest) -> func.HttpResponse:
        """Put a kept message back on its queue."""
        try:
            replay(runtime().run(), req.route_params["queue"], req.route_params["key"])
        except NotFound as error:
            return func.HttpResponse(f"{error}\n", status_code=HTTPStatus.NOT_FOUND)
        return func.HttpResponse("put back\n", status_code=HTTPStatus.ACCEPTED)

    return functions
