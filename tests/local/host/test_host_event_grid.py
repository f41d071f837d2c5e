import json

import pytest
import requests

from local.host import FunctionHost
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

    Event Grid sends a delivery again if the host answers 500.
    """
    answer = post(host, [{"data": "fail"}, {"data": "other"}])
    assert (answer.status_code, "asked to fail" in answer.text) == (500, True)
    assert storage.take("done", lambda text: "first other" in text)


def test_handshake_in_event_grid_schema(host: FunctionHost) -> None:
    """The local Functions host validates a subscription by returning its code, without invoking the function."""
    answer = post(host, [{"data": {"validationCode": "abc"}}], "SubscriptionValidation")
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "abc"})


def test_handshake_with_data_as_text(host: FunctionHost) -> None:
    """The local Functions host accepts a validation event whose data is JSON in a string, as in CloudEvents form."""
    answer = post(host, {"data": json.dumps({"validationCode": "abc"})}, "SubscriptionValidation")
    assert answer.json() == {"validationResponse": "abc"}


def test_cloud_events_handshake(host: FunctionHost) -> None:
    """The local Functions host answers a CloudEvents subscription's OPTIONS request by allowing its origin."""
    origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    answer = requests.options(host.webhook("on_event"), headers=origin, timeout=HANG)
    assert (answer.status_code, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")


@pytest.mark.parametrize(
    ("body", "kind", "function", "status"),
    [
        pytest.param("[]", "Unsubscribe", "on_event", 202, id="the end of a subscription is accepted"),
        pytest.param("[]", "Surprise", "on_event", 400, id="an unknown event type is refused"),
        pytest.param("[]", "", "on_event", 400, id="a missing event type is refused"),
        pytest.param("[]", "Notification", "nobody", 404, id="an unknown function is not found"),
        pytest.param("[]", "Notification", "on_work", 404, id="a function with another trigger is not found"),
        pytest.param("{nope", "Notification", "on_event", 500, id="a body that is not JSON fails"),
        pytest.param("[1]", "Notification", "on_event", 500, id="an event that is no object fails"),
        pytest.param("[]", "SubscriptionValidation", "on_event", 500, id="a handshake without a code fails"),
    ],
)
def test_other_answers(host: FunctionHost, body: str, kind: str, function: str, status: int) -> None:
    """The local Functions host's webhook answers with the same HTTP status as Microsoft's .NET host."""
    assert post(host, body, kind, function).status_code == status
