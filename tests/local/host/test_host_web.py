import requests

from local.host import FunctionHost
from local.patience import HANG
from tests.local.host.hosted import Storage


def call(host: FunctionHost, method: str, path: str, **options: object) -> requests.Response:
    """Send an HTTP request to the local Functions host, and return the answer."""
    return requests.request(method, host.url + path, timeout=HANG, **options)  # type: ignore[arg-type]  # options of requests


def test_route_values_query_and_body(host: FunctionHost) -> None:
    """The Functions host passes route values, query and body to an HTTP function, and returns its answer."""
    key = {"x-functions-key": host.ready.function_key}
    answer = call(host, "POST", "/api/things/a%20b?Colour=red", headers=key, data="hello")
    assert (answer.status_code, answer.headers["x-own"]) == (201, "yes")
    assert answer.json() == {"thing": "a b", "Colour": "red", "body": "hello"}


def test_function_level_asks_for_a_key(host: FunctionHost) -> None:
    """The Functions host invokes a function of level `function` only with its key, in a header or in `code`."""
    assert call(host, "GET", "/api/things/1").status_code == 401
    assert call(host, "GET", "/api/things/1", headers={"x-functions-key": "wrong"}).status_code == 401
    assert call(host, "GET", f"/api/things/1?code={host.ready.function_key}").status_code == 201


def test_anonymous_function(host: FunctionHost) -> None:
    """The local Functions host invokes a function of level `anonymous` without a key.

    A string that the function returns becomes the answer's body. The local Functions host answers an exception of an
    HTTP function with an empty 500.
    """
    assert call(host, "GET", "/api/open").text == "open"
    failed = call(host, "GET", "/api/open?fail=1")
    assert (failed.status_code, failed.content) == (500, b"")


def test_no_route(host: FunctionHost) -> None:
    """The local Functions host answers 404 for a path or a method that no function has."""
    assert call(host, "GET", "/api/nothing").status_code == 404
    assert call(host, "DELETE", "/api/things/1").status_code == 404


def test_route_constraints(host: FunctionHost) -> None:
    """The local Functions host answers 404 for a route value that violates its constraint."""
    assert call(host, "GET", "/api/sorted/red/-7").text == "red -7"
    assert call(host, "GET", "/api/sorted/green/7").status_code == 404
    assert call(host, "GET", "/api/sorted/blue/many").status_code == 404


def test_admin_runs_a_timer(host: FunctionHost, storage: Storage) -> None:
    """The local Functions host's admin route runs a timer function at once."""
    assert call(host, "POST", "/admin/functions/on_time", json={}).status_code == 202
    assert storage.take("ticks") == "tick past_due=False"


def test_admin_runs_with_input(host: FunctionHost, storage: Storage) -> None:
    """The local Functions host's admin route passes its input to a queue function or an Event Grid function."""
    assert call(host, "POST", "/admin/functions/on_work", json={"input": "by hand"}).status_code == 202
    assert storage.take("done", lambda text: "by hand" in text)
    assert call(host, "POST", "/admin/functions/on_event", json={"input": '{"data": "by admin"}'}).status_code == 202
    assert storage.take("done", lambda text: "first by admin" in text)


def test_admin_refusals(host: FunctionHost) -> None:
    """The local Functions host's admin route refuses an unknown function, an HTTP function and unreadable input."""
    assert call(host, "POST", "/admin/functions/nobody", json={}).status_code == 404
    refused = call(host, "POST", "/admin/functions/on_open", json={})
    assert (refused.status_code, "its own address" in refused.text) == (400, True)
    assert call(host, "POST", "/admin/functions/on_event", json={"input": "no JSON"}).status_code == 400


def test_status_and_functions(host: FunctionHost) -> None:
    """The local Functions host's admin routes show the host's state, and each function with its bindings."""
    assert call(host, "GET", "/admin/host/status").json()["state"] == "Running"
    listed = {found["name"]: found["config"]["bindings"] for found in call(host, "GET", "/admin/functions").json()}
    assert [binding["type"] for binding in listed["on_event"]] == ["queue", "eventGridTrigger"]
    assert call(host, "GET", "/admin/functions/on_time/status").json() == {"errors": []}
