"""Answer the HTTP requests of operators, who need a key of the Function App."""

from collections.abc import Callable
from http import HTTPStatus

import azure.functions as func

from functions import runtime
from shared.controllers.intake.dead_letters import remove, replay
from shared.controllers.intake.operators import confirm_stop_start, release, request_stop_start
from shared.domain.errors import Conflict, NotFound, RecordUnreadable
from shared.loop.run import Run

blueprint = func.Blueprint()


@blueprint.route("holds/{vault}/{name}/release", methods=["POST"])
def release_hold(req: func.HttpRequest) -> func.HttpResponse:
    """Release a version of a vault certificate whose rollout Certroll has stopped.

    After the release, Certroll installs the certificate version again, first in one webspace and then in the others.
    """
    path = req.route_params
    return _answer(lambda run: f"released at {release(run, path['vault'], path['name'])}")


@blueprint.route("dead-letters/{queue}/{key}/replay", methods=["POST"])
def replay_poisoned(req: func.HttpRequest) -> func.HttpResponse:
    """Put a dead letter (a message that failed for good) back on its queue."""
    path = req.route_params

    def put_back(run: Run) -> str:
        replay(run, path["queue"], path["key"])
        return "put back"

    return _answer(put_back)


@blueprint.route("dead-letters/{queue}/{key}", methods=["DELETE"])
def remove_poisoned(req: func.HttpRequest) -> func.HttpResponse:
    """Delete a dead letter (a message that failed for good) whose message is of no use."""
    path = req.route_params

    def take_away(run: Run) -> str:
        remove(run, path["queue"], path["key"])
        return "removed"

    return _answer(take_away)


@blueprint.route("environments/{group}/{name}/stop-start", methods=["POST"])
def cycle_environment(req: func.HttpRequest) -> func.HttpResponse:
    """Ask Certroll to stop and start the apps of an App Service Environment once, a few apps at a time."""
    path, full_id = req.route_params, req.params.get("id", "")
    return _answer(lambda run: f"asked for {request_stop_start(run, path['group'], path['name'], full_id)}")


@blueprint.route("environments/{group}/{name}/stop-start-done", methods=["POST"])
def environment_was_cycled(req: func.HttpRequest) -> func.HttpResponse:
    """Record that an operator has stopped and started every app of an App Service Environment."""
    path, full_id = req.route_params, req.params.get("id", "")
    return _answer(lambda run: f"noted for {confirm_stop_start(run, path['group'], path['name'], full_id)}")


def _answer(call: Callable[[Run], str]) -> func.HttpResponse:
    """Return 202 with the text of the call, 404 for an unknown name, or 409 for a conflict or an unreadable row.

    Any other error fails the function. If the call of an operator fails for another reason,
    the Functions host answers 500, and the log has the cause.
    """
    try:
        with runtime().run() as run:
            text, status = call(run), HTTPStatus.ACCEPTED
    except NotFound as error:
        text, status = str(error), HTTPStatus.NOT_FOUND
    except (Conflict, RecordUnreadable) as error:
        text, status = str(error), HTTPStatus.CONFLICT
    return func.HttpResponse(f"{text}\n", status_code=status)
