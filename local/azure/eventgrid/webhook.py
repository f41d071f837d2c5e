"""The webhook as a destination of Event Grid, which posts each event over HTTP."""

import http.client
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from local.azure.eventgrid.delivery import ACCEPTED, Attempt
from local.azure.eventgrid.event import Schema

ANSWER_WITHIN = 30.0
NO_ANSWER = 503
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that receives events by HTTP."""

    url: str
    subscription: str = "certroll"
    never_again: frozenset[int] = frozenset({400, 401, 403, 413})
    """Event Grid gives up if a webhook answers 400, 401, 403 or 413 (Azure docs, Event Grid delivery and retry)."""

    def validate(self, schema: Schema, now: datetime) -> None:
        """Validate the webhook as Event Grid does; raise PermissionError if the webhook fails the validation.

        In Event Grid's own schema, Event Grid posts a code that the webhook has to return (Azure docs, webhook event
        delivery). In CloudEvents, Event Grid sends an OPTIONS request (CloudEvents HTTP webhook specification).
        """
        if schema == "CloudEvents":
            status, _ = self._send("OPTIONS", None, {"WebHook-Request-Origin": "eventgrid.azure.net"})
            accepted = status in ACCEPTED
        else:
            accepted = self._echoes_code(now)
        if not accepted:
            raise PermissionError(f"The webhook {self.url.split('?')[0]} did not pass Event Grid's validation.")

    def take(self, attempt: Attempt) -> int:
        """Post an event to the webhook, and return the status of the answer, 503 without an answer."""
        payload = attempt.event.payload
        cloud = attempt.event.shape.schema == "CloudEvents"
        headers = {
            "Content-Type": "application/cloudevents+json" if cloud else "application/json; charset=utf-8",
            "aeg-event-type": "Notification",
            "aeg-subscription-name": self.subscription.upper(),
            "aeg-delivery-count": str(attempt.number - 1),
            "aeg-data-version": "1",
            "aeg-metadata-version": "1",
        }
        try:
            return self._send("POST", payload if cloud else [payload], headers)[0]
        except (OSError, http.client.HTTPException) as failure:
            log.debug("event_grid.no_answer %s", failure)
            return NO_ANSWER

    def _echoes_code(self, now: datetime) -> bool:
        code = "2B3C6A0E-VALIDATION"
        event = {
            "id": code.lower(),
            "topic": "",
            "subject": "",
            "data": {"validationCode": code},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": now.isoformat().replace("+00:00", "Z"),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = {"Content-Type": "application/json", "aeg-event-type": "SubscriptionValidation"}
        status, answer = self._send("POST", [event], headers)
        return status in ACCEPTED and _json_object(answer).get("validationResponse") == code

    def _send(self, method: str, body: object, headers: Mapping[str, str]) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=ANSWER_WITHIN)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _json_object(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
