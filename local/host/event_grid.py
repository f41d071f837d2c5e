"""Receive events from Event Grid at a webhook.

Source: azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.EventGrid, `HttpRequestProcessor` and
`EventGridExtensionConfigProvider`, and measurements on Azure Functions host 4.1037.
"""

import json
from collections.abc import Mapping
from typing import Any

from local.host.dispatch import Start
from local.host.functions import FunctionMetadata
from local.host.keys import Keys
from local.host.triggers import event_grid
from local.host.web import Request, Response, text

PATH = "runtime/webhooks/eventgrid"
TRIGGER = "eventGridTrigger"


class Unreadable(Exception):
    """The body of an Event Grid event does not have the form of its event type.

    The .NET host answers an event in the wrong form with 500.
    """


class Webhook:
    """The webhook of every function with an Event Grid trigger."""

    def __init__(self, functions: Mapping[str, FunctionMetadata], start: Start, keys: Keys) -> None:
        self._functions = functions
        self._start = start
        self._keys = keys

    def answer(self, request: Request) -> Response:
        """Return 202 if the function succeeded for every event, and 500 if an event failed.

        The webhook answers 401 or 403 without its system key, 404 for an unknown function, and 400 for a request
        without an event.
        """
        if (refusal := self._keys.refusal(request, self._keys.event_grid)) is not None:
            return Response(refusal)
        name = request.query("functionName")
        function = self._functions.get(name)
        if function is None:
            return text(404, f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return Response(200, headers=(("Webhook-Allowed-Origin", "eventgrid.azure.net"),))
        if request.method == "GET":
            return Response(400)
        try:
            return self._event(function, request)
        except Unreadable:
            return Response(500)

    def _event(self, function: FunctionMetadata, request: Request) -> Response:
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "subscriptionvalidation":
            return text(200, json.dumps({"validationResponse": _validation_code(_parsed(request.body))}))
        if kind == "notification":
            return self._deliver(function, _parsed(request.body))
        return Response(202 if kind == "unsubscribe" else 400)

    def _deliver(self, function: FunctionMetadata, payload: object) -> Response:
        events = payload if isinstance(payload, list) else [payload]
        if not all(isinstance(event, dict) for event in events):
            raise Unreadable("Unable to bind the event: every event must be a JSON object")
        started = [self._start(function, event_grid(event)) for event in events]
        outcomes = [future.result() for future in started]
        failed = f"Exception while executing function: Functions.{function.name}"
        return Response(202) if all(outcome.succeeded for outcome in outcomes) else text(500, failed)


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as problem:
        raise Unreadable(f"The request content is not JSON: {problem}") from problem


def _validation_code(payload: Any) -> str:  # noqa: ANN401 - JSON from outside
    try:
        if isinstance(payload, list):
            return str(payload[0]["data"]["validationCode"])
        data = payload["data"]  # In the CloudEvents form, `data` of a validation event is a string of JSON.
        return str((json.loads(data) if isinstance(data, str) else data)["validationCode"])
    except (LookupError, TypeError, ValueError) as problem:
        raise Unreadable(f"no validation code in the event: {problem!r}") from problem
