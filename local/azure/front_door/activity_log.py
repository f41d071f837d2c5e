"""Microsoft.Insights: the Activity Log of a subscription, with the ids of each write.

Azure lists each write as several events, minutes later. This Activity Log has one event for each write, at once. The
fields are those of Azure's API (azure-rest-api-specs, Microsoft.Insights 2015-04-01, activityLogs_API).
"""

import re
from datetime import datetime
from typing import Any

from local.azure.front_door.call import SUBSCRIPTION, Call, Route
from local.azure.scripting.journal import Entry
from local.azure.wire import Refused, Response, arm_error

CONDITION = re.compile(r"\s*(\w+)\s+(eq|ge|le)\s+'([^']*)'\s*", re.IGNORECASE)
BAD = 400


def list_events(call: Call) -> Response:
    """Respond with the writes of the subscription that meet `$filter`, the newest first."""
    wanted = call.request.query.get("$filter", "")
    conditions = [CONDITION.fullmatch(part) for part in re.split(r"\s+and\s+", wanted, flags=re.IGNORECASE) if part]
    if not any(condition and condition[1].lower() == "eventtimestamp" for condition in conditions):
        message = "The filter of an activity log query must name a start of eventTimestamp."
        raise Refused(arm_error(BAD, "BadRequest", message))
    entries = [entry for entry in call.world.journal.writes() if call.below(f"{entry.path.lower()}/")]
    shown = [event for entry in reversed(entries) if _meets(event := _event(call, entry), conditions)]
    return call.page(shown)


def _event(call: Call, entry: Entry) -> dict[str, Any]:
    return {
        "eventTimestamp": entry.at.isoformat(),
        "caller": entry.principal,
        "operationName": {"value": entry.operation, "localizedValue": entry.operation},
        "status": {"value": "Failed" if entry.status >= BAD or not entry.status else "Succeeded"},
        "subStatus": {"value": str(entry.status)},
        "resourceId": entry.path,
        "correlationId": entry.correlation,
        "operationId": entry.request_id,
        "subscriptionId": call["subscription"],
        "httpRequest": {"method": entry.method, "uri": f"https://{entry.host}{entry.path}"},
    }


def _meets(event: dict[str, Any], conditions: "list[re.Match[str] | None]") -> bool:
    """Return True if the event meets every condition. An unknown condition is met by no event."""
    return all(condition is not None and _met(event, *condition.groups()) for condition in conditions)


def _met(event: dict[str, Any], name: str, sign: str, value: str) -> bool:
    match name.lower(), sign.lower():
        case "eventtimestamp", order:
            at, limit = (datetime.fromisoformat(text) for text in (event["eventTimestamp"], value))
            return at >= limit if order == "ge" else at <= limit
        case "correlationid", "eq":
            return bool(event["correlationId"].lower() == value.lower())
        case "resourceuri", "eq":
            return bool(event["resourceId"].lower().startswith(value.lower()))
    return False


ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values", list_events),
)
