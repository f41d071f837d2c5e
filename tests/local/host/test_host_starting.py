import shutil
from pathlib import Path

import pytest
import requests

from local.host import Call, FunctionHost, IndexingFailed, index, inspect, triggers
from local.host.functions import Datum, TriggerInput
from local.patience import HANG
from local.process import StartFailed
from tests.local.host.hosted import APPS, Storage, eventually

HOST_JSON = '{"version": "2.0"}'
HEAD = "from typing import List\nimport azure.functions as func\napp = func.FunctionApp()\n"


def app_of(folder: Path, code: str, host_json: str = HOST_JSON) -> Path:
    """Write an app into the folder, and return the folder."""
    (folder / "function_app.py").write_text(HEAD + code)
    (folder / "host.json").write_text(host_json)
    return folder


def test_schedule_fires(storage: Storage, tmp_path: Path) -> None:
    """The local Functions host runs a timer function by its schedule, which an app setting can contain."""
    settings = {**storage.settings, "SAMPLE_SCHEDULE": "* * * * * *"}
    with FunctionHost(APPS / "sample", settings, log=tmp_path / "log") as host:
        assert storage.take("ticks")
        assert host.ready.errors == {}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        pytest.param({"SAMPLE_SCHEDULE": "not a cron"}, "not recognized", id="a bad schedule"),
        pytest.param({"SAMPLE_SCHEDULE": "0 0 0 L * *"}, "not recognized", id="a schedule only croniter knows"),
        pytest.param({}, "%SAMPLE_SCHEDULE%", id="a schedule that is not set"),
    ],
)
def test_function_in_error(storage: Storage, tmp_path: Path, settings: dict[str, str], why: str) -> None:
    """The local Functions host reports a function whose trigger is invalid, and runs the app's other functions."""
    given = {name: value for name, value in storage.settings.items() if name != "SAMPLE_SCHEDULE"} | settings
    with FunctionHost(APPS / "sample", given, log=tmp_path / "log") as host:
        assert list(host.ready.errors) == ["on_time"]
        assert why in host.ready.errors["on_time"]
        assert requests.get(f"{host.url}/api/open", timeout=HANG).text == "open"


def test_missing_storage_setting(tmp_path: Path) -> None:
    """The local Functions host reports a queue function whose connection setting is missing, and names the setting."""
    with FunctionHost(APPS / "sample", {"SAMPLE_SCHEDULE": "0 0 0 1 1 *"}, log=tmp_path / "log") as host:
        assert "AzureWebJobsStorage" in host.ready.errors["on_work"]


def test_disabled_function(storage: Storage, tmp_path: Path) -> None:
    """The local Functions host does not run a function whose setting `AzureWebJobs.<name>.Disabled` is true."""
    settings = {**storage.settings, "AzureWebJobs.on_event.Disabled": "true"}
    with FunctionHost(APPS / "sample", settings, log=tmp_path / "log") as host:
        assert "on_event" not in host.ready.functions


@pytest.mark.parametrize(
    ("code", "host_json", "why"),
    [
        pytest.param(
            "@app.queue_trigger(arg_name='m', queue_name='q', connection='C')\n"
            "@app.queue_output(arg_name='o', queue_name='p', connection='C')\n"
            "def f(m: str, o: func.Out[list[str]]) -> None: ...\n",
            HOST_JSON,
            "invalid non-type annotation",
            id="what Microsoft's loader refuses",
        ),
        pytest.param("import no_such_module\n", HOST_JSON, "no_such_module", id="an import that fails"),
        pytest.param("", HOST_JSON, "no functions found", id="no functions"),
        pytest.param("", "{", "is not JSON", id="a broken host.json"),
    ],
)
def test_refused_app(tmp_path: Path, code: str, host_json: str, why: str) -> None:
    """The local Functions host refuses to start an invalid app, and names the reason."""
    app = app_of(tmp_path, code, host_json)
    with pytest.raises(StartFailed, match=why):
        FunctionHost(app, {}, log=tmp_path / "log").start()


def test_app_that_breaks_while_it_runs_ends_its_host(tmp_path: Path) -> None:
    """If a worker dies and the app can no longer be indexed, the Functions host ends and names the cause."""
    code = (
        "import os\n"
        "@app.route(route='die', auth_level=func.AuthLevel.ANONYMOUS)\n"
        "def die(req: func.HttpRequest) -> str:\n"
        "    os._exit(1)\n"
    )
    with FunctionHost(app_of(tmp_path, code), {}, log=tmp_path / "log") as host:
        (tmp_path / "function_app.py").write_text("import no_such_module\n")
        assert requests.get(f"{host.url}/api/die", timeout=HANG).status_code == 500
        eventually(lambda: not host.running)
    assert "no_such_module" in (tmp_path / "log").read_text()


def test_environment_is_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app sees only its app settings, and no variables of the developer's shell."""
    monkeypatch.setenv("CERTROLL_LEAKED", "1")
    code = (
        "import json, os\n"
        "@app.route(route='env', auth_level=func.AuthLevel.ANONYMOUS)\n"
        "def env(req: func.HttpRequest) -> str:\n"
        "    return json.dumps(dict(os.environ))\n"
    )
    with FunctionHost(app_of(tmp_path, code), {"OWN": "yes"}, log=tmp_path / "log") as host:
        seen = requests.get(f"{host.url}/api/env", timeout=HANG).json()
    assert (seen["OWN"], "CERTROLL_LEAKED" in seen) == ("yes", False)


def test_every_sleep_is_told(tmp_path: Path) -> None:
    """The local Functions host logs each sleep of the app, so that tests can count waits without a request."""
    code = (
        "import time\n"
        "@app.route(route='nap', auth_level=func.AuthLevel.ANONYMOUS)\n"
        "def nap(req: func.HttpRequest) -> str:\n"
        "    time.sleep(0.0625)\n"
        "    return 'awake'\n"
    )
    with FunctionHost(app_of(tmp_path, code), {}, log=tmp_path / "log") as host:
        assert "Sleeping" not in host.log.read_text()
        assert requests.get(f"{host.url}/api/nap", timeout=HANG).text == "awake"
    assert "INFO host.sleeps: Sleeping for 0.062 s" in host.log.read_text()


def test_index_lists_bindings() -> None:
    """`index` lists an app's functions and bindings with Microsoft's runtime, without hosting the app."""
    functions = index(APPS / "sample", {})
    assert functions["on_event"].trigger_type == "eventGridTrigger"
    assert functions["on_time"].trigger["schedule"] == "%SAMPLE_SCHEDULE%"
    assert [output["queueName"] for output in functions["on_work"].outputs] == ["done"]


def test_index_refuses(tmp_path: Path) -> None:
    """`index` raises an error with the runtime's own text for an app that the runtime refuses."""
    shutil.copytree(APPS / "sample", tmp_path / "app")
    (tmp_path / "app" / "function_app.py").write_text("app = None\n")
    with pytest.raises(IndexingFailed, match="Could not find top level function app instances"):
        index(tmp_path / "app", {})


def test_inspect_invokes() -> None:
    """`inspect` returns each call's outputs or its error, and passes a raw body to a function that takes text."""
    good = Call("on_event", triggers.event_grid({"data": "x"}))
    bad = Call("on_event", TriggerInput(Datum("{nope", "json"), {}))
    first, second = inspect(APPS / "sample", {}, [good, bad]).outcomes
    assert (first.succeeded, first.outputs) == (True, (("work", Datum('["first x", "second x"]', "json")),))
    assert (second.succeeded, "JSONDecodeError" in second.error) == (False, True)
