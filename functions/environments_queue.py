"""Queue `environments`: one App Service Environment."""

from collections.abc import Callable
from http import HTTPStatus

import azure.functions as func

from shared.domain.errors import Conflict, NotFound
from shared.runtime import Runtime
from shared.work import ENVIRONMENTS, cycle, cycled, on_environment


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the trigger, and the routes by which people have all apps cycled, or say that they have done it."""
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

    @functions.route("environments/{group}/{name}/cycled", methods=["POST"])
    def environment_was_cycled(req: func.HttpRequest) -> func.HttpResponse:
        """Take people's word that they have stopped and started every app of an environment."""
        try:
            where = cycled(runtime().run(), req.route_params["group"], req.route_params["name"])
        except NotFound as error:
            return func.HttpResponse(f"{error}\n", status_code=HTTPStatus.NOT_FOUND)
        except Conflict as error:
            return func.HttpResponse(f"{error}\n", status_code=HTTPStatus.CONFLICT)
        return func.HttpResponse(f"noted for {where}\n", status_code=HTTPStatus.ACCEPTED)

    return functions
