import json

import pytest
import requests

from local.host import FunctionHost
from local.host.triggers import event_grid
from local.patience import HANG
from tests.local.host.hosted import Storage


def post(host: FunctionHost, body: object, kind: str = "Notification", function: str = "on_event") -> requests.Response:
    """Deliver an event to the local Functions host as Event Grid does."""
    data = body if isinstance(body, str) else json.dumps(body)
    return requests.post(host.webhook(function), data=data, headers={"aeg-event-type": kind}, timeout=HANG)


def test_event_reaches_queue_function(host: FunctionHost, storage: Storage) -> None:
    """The Functions host answers an event with 202, and the function's output messages reach the next function."""
    assert post(host, [{"data": "one"}]).status_code == 202
    for order in ("first", "second"):
        done = json.loads(storage.take("done", lambda text, order=order: f"{order} one" in text))
        assert done == {"body": f"{order} one", "count": 1, "function": "on_work"}


def test_single_event_as_object(host: FunctionHost, storage: Storage) -> None:
    """The local Functions host accepts an event outside an array."""
    assert post(host, {"data": "bare", "specversion": "1.0", "time": "no time at all"}).status_code == 202
    assert storage.take("done", lambda text: "first bare" in text)


def test_one_failure_fails_the_delivery(host: FunctionHost, storage: Storage) -> None:
    """The local Functions host handles every event of a delivery, and answers 500 if any event fails.

    Event Grid sends a delivery again if the host answers 500. The answer does not show the error of the function.
    """
    answer = post(host, [{"data": "fail"}, {"data": "other"}])
    assert (answer.status_code, answer.text) == (500, "Exception while executing function: Functions.on_event")
    assert storage.take("done", lambda text: "first other" in text)


def test_handshake_in_event_grid_schema(host: FunctionHost) -> None:
    """The local Functions host validates a subscription by returning its code, without invoking the function."""
    answer = post(host, [{"data": {"validationCode": "abc"}}], "SubscriptionValidation")
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "abc"})
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_handshake_with_data_as_text(host: FunctionHost) -> None:
    """The local Functions host accepts a validation event whose data is JSON in a string, as in CloudEvents form."""
    answer = post(host, {"data": json.dumps({"validationCode": "abc"})}, "SubscriptionValidation")
    assert answer.json() == {"validationResponse": "abc"}


@pytest.mark.parametrize("origin", ["eventgrid.azure.net", "elsewhere.example", None])
def test_cloud_events_handshake(host: FunctionHost, origin: str | None) -> None:
    """The local Functions host allows Event Grid's origin, whatever origin the OPTIONS request names."""
    asked = {"WebHook-Request-Origin": origin} if origin else {}
    answer = requests.options(host.webhook("on_event"), headers=asked, timeout=HANG)
    assert (answer.status_code, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
    assert "WebHook-Allowed-Rate" not in answer.headers


@pytest.mark.parametrize(
    ("key", "status"),
    [("", 401), ("wrong", 401), ("function_key", 403), ("event_grid_key", 202), ("master_key", 202)],
)
def test_webhook_asks_for_its_key(host: FunctionHost, key: str, status: int) -> None:
    """The webhook needs the system key of Event Grid or the master key, and refuses every other key."""
    url = f"{host.url}/runtime/webhooks/eventgrid?functionName=on_event&code={getattr(host.ready, key, key)}"
    answer = requests.post(url, json=[], headers={"aeg-event-type": "Notification"}, timeout=HANG)
    assert answer.status_code == status


def test_no_event_is_read_by_get(host: FunctionHost) -> None:
    """The webhook refuses a GET request."""
    answer = requests.get(host.webhook("on_event"), headers={"aeg-event-type": "Notification"}, timeout=HANG)
    assert answer.status_code == 400


def test_dates_arrive_in_utc() -> None:
    """A function gets compact JSON, in which each date with an offset is in UTC and any other value is unchanged."""
    event = {
        "time": "2026-11-30T03:00:00+01:00",
        "list": ["2026-11-30T03:00:00.1234567-05:30"],
        "same": ["2026-11-30T03:00:00Z", "2026-11-30", "0001-01-01T00:00:00+01:00", "x+01:00", 1556391780, None],
    }
    value = event_grid(event).value.value
    assert json.loads(value) == {
        **event,
        "time": "2026-11-30T02:00:00+00:00",
        "list": ["2026-11-30T08:30:00.1234567+00:00"],
    }
    assert " " not in value


@pytest.mark.parametrize(
    ("body", "kind", "function", "status"),
    [
        pytest.param("[]", "Unsubscribe", "on_event", 202, id="the end of a subscription is accepted"),
        pytest.param("[]", "Surprise", "on_event", 400, id="an unknown event type is refused"),
        pytest.param("[]", "", "on_event", 400, id="a missing event type is refused"),
        pytest.param("[]", "Notification", "nobody", 404, id="an unknown function is not found"),
        pytest.param("[]", "Notification", "on_work", 404, id="a function with another trigger is not found"),
        pytest.param("[]", "Notification", "On_Event", 404, id="a function in another letter case is not found"),
        pytest.param("[]", "Notification", "", 404, id="a missing function is not found"),
        pytest.param("[]", "Notification", "on_event", 202, id="an empty delivery is accepted"),
        pytest.param("", "Notification", "on_event", 500, id="an empty body fails"),
        pytest.param("null", "Notification", "on_event", 500, id="null fails"),
        pytest.param("7", "Notification", "on_event", 500, id="a number fails"),
        pytest.param('["x"]', "Notification", "on_event", 500, id="a list of texts fails"),
        pytest.param("{nope", "Notification", "on_event", 500, id="a body that is not JSON fails"),
        pytest.param("[1]", "Notification", "on_event", 500, id="an event that is no object fails"),
        pytest.param("[]", "SubscriptionValidation", "on_event", 500, id="a handshake without a code fails"),
    ],
)
def test_other_answers(host: FunctionHost, body: str, kind: str, function: str, status: int) -> None:
    """The webhook answers with the same status as the .NET host, and without a text if the body is the problem."""
    answer = post(host, body, kind, function)
    assert answer.status_code == status
    assert answer.text == (f"cannot find function: '{function}'" if status == 404 else "")
