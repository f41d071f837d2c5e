"""A version that failed somewhere is held; an operator may let it go on."""

from collections.abc import Callable
from http import HTTPStatus

import azure.functions as func

from shared.domain.errors import Conflict, NotFound
from shared.runtime import Runtime
from shared.work import release


def blueprint(runtime: Callable[[], Runtime]) -> func.Blueprint:
    """Return the route by which a hold is released."""
    functions = func.Blueprint()

    @functions.route("holds/{vault}/{name}/release", methods=["POST"])
    def release_hold(req: func.HttpRequest) -> func.HttpResponse:
        """Try the held version of a vault certificate again, from its first place on."""
        try:
            where = release(runtime().run(), req.route_params["vault"], req.route_params["name"])
        except NotFound as error:
            return func.HttpResponse(f"{error}\n", status_code=HTTPStatus.NOT_FOUND)
        except Conflict as error:
            return func.HttpResponse(f"{error}\n", status_code=HTTPStatus.CONFLICT)
        return func.HttpResponse(f"released at {where}\n", status_code=HTTPStatus.ACCEPTED)

    return functions
