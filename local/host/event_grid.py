"""Receive events from Event Grid at a webhook.

Source: azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.EventGrid, `HttpRequestProcessor` and
`EventGridExtensionConfigProvider`. The answer to `OPTIONS` follows the CloudEvents webhook specification.
"""

import json
from collections.abc import Mapping
from typing import Any

from local.host.dispatch import Start
from local.host.functions import FunctionMetadata
from local.host.triggers import event_grid
from local.host.web import Request, Response, as_json, text

PATH = "runtime/webhooks/eventgrid"
TRIGGER = "eventGridTrigger"


class Unreadable(Exception):
    """The body of an Event Grid event does not have the form of its event type.

    The .NET host answers an event in the wrong form with 500.
    """


class Webhook:
    """The webhook of every function with an Event Grid trigger."""

    def __init__(self, functions: Mapping[str, FunctionMetadata], start: Start) -> None:
        self._functions = functions
        self._start = start

    def answer(self, request: Request) -> Response:
        """Return 202 if the function succeeded for every event, and 500 if an event failed.

        The webhook answers 404 for an unknown function, and 400 for a request without an event.
        """
        name = request.query("functionName")
        function = self._functions.get(name)
        if function is None:
            return text(404, f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _allowed(request)
        try:
            return self._event(function, request)
        except Unreadable as problem:
            return text(500, str(problem))

    def _event(self, function: FunctionMetadata, request: Request) -> Response:
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "subscriptionvalidation":
            return as_json(200, {"validationResponse": _validation_code(_parsed(request.body))})
        if kind == "notification":
            return self._deliver(function, _parsed(request.body))
        return Response(202 if kind == "unsubscribe" else 400)

    def _deliver(self, function: FunctionMetadata, payload: object) -> Response:
        events = payload if isinstance(payload, list) else [payload]
        if not all(isinstance(event, dict) for event in events):
            raise Unreadable("Unable to bind the event: every event must be a JSON object")
        started = [self._start(function, event_grid(event)) for event in events]
        failures = [outcome.error for outcome in (future.result() for future in started) if not outcome.succeeded]
        return text(500, failures[0]) if failures else Response(202)


def _allowed(request: Request) -> Response:
    origin = request.headers.get("webhook-request-origin", "")
    return Response(200, headers=(("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", "*")))


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
