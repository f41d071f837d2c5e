import json
from pathlib import Path

import pytest
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


def test_encoded_slash_stays_encoded(host: FunctionHost) -> None:
    """The Functions host passes an encoded slash of a route value as it is, and decodes other characters."""
    key = {"x-functions-key": host.ready.function_key}
    assert call(host, "GET", "/api/things/a%2Fb%20c", headers=key).json()["thing"] == "a%2Fb c"


def test_path_in_upper_case_is_found(host: FunctionHost) -> None:
    """The Functions host finds a route in any letter case."""
    assert call(host, "GET", "/API/OPEN").text == "open"


def test_pages_at_the_root(tmp_path: Path) -> None:
    """With an empty `routePrefix`, a function with the route `/` answers at the root, and other routes work as well."""
    code = (
        "import azure.functions as func\n"
        "app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "@app.route(route='/')\ndef home(req: func.HttpRequest) -> str:\n    return 'home'\n"
        "@app.route(route='assets/{name}')\ndef asset(req: func.HttpRequest) -> str:\n"
        "    return req.route_params['name']\n"
        "@app.route(route='api/status', auth_level=func.AuthLevel.FUNCTION)\n"
        "def status(req: func.HttpRequest) -> str:\n    return 'ok'\n"
    )
    (tmp_path / "function_app.py").write_text(code)
    (tmp_path / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}')
    with FunctionHost(tmp_path, {}, log=tmp_path / "log") as host:
        assert [call(host, "GET", path).text for path in ("/", "/assets/a.js")] == ["home", "a.js"]
        assert [call(host, "GET", path).status_code for path in ("/api/status", "/other")] == [401, 404]
        key = {"x-functions-key": host.ready.function_key}
        assert call(host, "GET", "/api/status", headers=key).text == "ok"


def test_home_page_without_a_function(host: FunctionHost) -> None:
    """The Functions host answers at its root if no function does."""
    assert call(host, "GET", "/").status_code == 200


def admin(host: FunctionHost, method: str, path: str, **options: object) -> requests.Response:
    """Send a request with the master key to an admin route, and return the answer."""
    return call(host, method, f"/admin/{path}", headers={"x-functions-key": host.ready.master_key}, **options)


@pytest.mark.parametrize(("key", "status"), [("", 401), ("wrong", 401), ("function_key", 403), ("event_grid_key", 403)])
def test_admin_asks_for_the_master_key(host: FunctionHost, key: str, status: int) -> None:
    """The admin routes need the master key, and only `ping` needs none."""
    given = {"x-functions-key": getattr(host.ready, key, key)}
    for method, path in (("GET", "/admin/host/status"), ("POST", "/admin/functions/on_time")):
        assert call(host, method, path, headers=given, json={}).status_code == status
    assert call(host, "GET", "/admin/host/ping", headers=given).status_code == 200


def test_admin_runs_a_timer(host: FunctionHost, storage: Storage) -> None:
    """The local Functions host's admin route runs a timer function at once."""
    assert admin(host, "POST", "functions/on_time", json={}).status_code == 202
    assert storage.take("ticks", lambda text: "past_due=False" in text)


def test_admin_runs_with_input(host: FunctionHost, storage: Storage) -> None:
    """The admin route passes its input to a queue function, with a dequeue count of 0, or an Event Grid function."""
    assert admin(host, "POST", "functions/on_work", json={"input": "by hand"}).status_code == 202
    assert json.loads(storage.take("done", lambda text: "by hand" in text))["count"] == 0
    assert admin(host, "POST", "functions/on_event", json={"input": '{"data": "by admin"}'}).status_code == 202
    assert storage.take("done", lambda text: "first by admin" in text)


def test_admin_runs_an_http_function(host: FunctionHost) -> None:
    """The admin route accepts the run of an HTTP function."""
    assert admin(host, "POST", "functions/on_open", json={"input": ""}).status_code == 202


def test_admin_refusals(host: FunctionHost) -> None:
    """The admin route refuses an unknown function, an empty body and unreadable input."""
    assert admin(host, "POST", "functions/nobody", json={}).status_code == 404
    assert admin(host, "POST", "functions/on_event", data=b"").status_code == 400
    assert admin(host, "POST", "functions/on_event", data=b"{").status_code == 400
    assert admin(host, "POST", "functions/on_event", json={"input": "no JSON"}).status_code == 400


def test_status_and_functions(host: FunctionHost) -> None:
    """The local Functions host's admin routes show the host's state, and each function with its bindings."""
    assert admin(host, "GET", "host/status").json()["state"] == "Running"
    listed = {found["name"]: found["config"]["bindings"] for found in admin(host, "GET", "functions").json()}
    assert [binding["type"] for binding in listed["on_event"]] == ["queue", "eventGridTrigger"]
    assert admin(host, "GET", "functions/on_time/status").json() == {"errors": []}
    assert admin(host, "GET", "host/drain/status").json()["state"] == "Disabled"
