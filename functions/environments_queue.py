"""Queue `environments`: one App Service Environment."""

from collections.abc import Callable
from http import HTTPStatus

import azure.functions as func

from shared.domain.errors import NotFound
from shared.runtime import Runtime
from shared.work import ENVIRONMENTS, cycle, on_environment


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the trigger, and the route by which an operator has all apps of an environment stopped and started."""
    functions = func.Blueprint()

    @functions.queue_trigger(arg_name="message", queue_name=ENVIRONMENTS, connection="AzureWebJobsStorage")
    def environments_queue(message: func.QueueMessage) -> None:
        """Carry the apps of an environment through as many waves as the time allows."""
        on_environment(runtime().run(), message.get_body().decode(errors="replace"))

    @functions.route("environments/{group}/{name}/cycle", methods=["POST"])
    def cycle_environment(req: func.HttpRequest) -> func.HttpResponse:
        """Have every app of an environment stopped and started once, in waves."""
        try:
            where = cycle(runtime().run(), req.route_params["group"], req.route_params["name"])
        except NotFound as error:
            return func.HttpResponse(f"{error}\n", status_code=HTTPStatus.NOT_FOUND)
        return func.HttpResponse(f"asked for {where}\n", status_code=HTTPStatus.ACCEPTED)

    return functions
