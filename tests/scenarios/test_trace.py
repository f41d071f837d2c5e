"""An operator finds the run of Certroll behind each entry of Azure's Activity Log, and the other way."""

import json
import logging
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from local.azure.resource_manager import Arm
from local.azure.scripting.faults import Fault
from local.azure.scripting.journal import Entry
from local.azure.scripting.knobs import Knobs
from local.azure.wire import Request
from local.azure.world import World
from shared.clients.tracing import AGENT
from shared.domain.rollout.budget import MaxUnavailable
from shared.ports import Ports
from shared.version import VERSION
from tests.pages import ROOT
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import ROOT as ROOT_OBJECT
from tests.scenarios.environment_worlds import Hosted
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT, renew, small_world

ARM = "management.azure.com"
ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def sent(world: World) -> list[Entry]:
    """Return the requests of Certroll to ARM and the vaults, without the requests for tokens."""
    return [entry for entry in world.journal.entries() if entry.host == ARM or entry.host.endswith(".vault.azure.net")]


def listed(world: World) -> Counter[tuple[str, str, str]]:
    """Return the path and the ids of each write, as Azure's Activity Log lists them."""
    return Counter((entry.path, entry.correlation, entry.request_id) for entry in world.journal.writes(ARM))


def recorded(installation: Installation, *events: str) -> Counter[tuple[str, str, str]]:
    """Return the path and the ids of each write that the entries of the history name."""
    rows = [row for row in installation.rows("certrollhistory") if row["event"] in events]
    return Counter(write for row in rows for write in writes_in(row))


def writes_in(row: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Return the path and the ids of each write that one entry of the history names."""
    numbers = [name.partition("_")[2] for name in row if name.startswith("write_")]
    return [
        (str(row[f"write_{n}"]).partition(" ")[2], str(row[f"correlation_{n}"]), str(row[f"request_{n}"]))
        for n in numbers
    ]


def test_version_is_the_version_of_the_project() -> None:
    """The User-Agent names the version of pyproject.toml, which is not part of the deployed app."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == VERSION


@pytest.mark.real_transport
def test_each_request_names_certroll_and_its_run(install: Install) -> None:
    """Each request to Azure has Certroll's name and version, and requests to ARM and vaults have the id of the run."""
    world = small_world()
    installation = install(world)
    renew(world)
    world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert {entry.agent.split(" ")[0] for entry in world.journal.entries() if entry.method != "PLATFORM"} == {AGENT}
    assert {entry.sent_correlation for entry in sent(world)} == {installation.ports.trace.run}
    assert {entry.method for entry in sent(world)} > {"GET", "PUT"}


def test_each_run_has_an_id_of_its_own(two_ports: tuple[Ports, Ports]) -> None:
    """Two runs send different ids, each a GUID, so that one run can be found among all."""
    first, second = (ports.trace.run for ports in two_ports)
    assert first != second
    assert re.fullmatch(ID, first)


@pytest.mark.parametrize("kept", [True, False], ids=["Azure keeps Certroll's id", "Azure gives its own id"])
def test_each_write_of_a_renewal_is_found_by_its_ids(install: Install, kept: bool) -> None:  # noqa: FBT001
    """Each entry of the Activity Log leads to one entry of the history, whoever chose the correlation id."""
    world = small_world(Knobs(sync_moves_bindings=False, correlation_kept=kept))
    installation = install(world)
    renew(world)
    world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert recorded(installation, "step.performed") == listed(world)
    assert listed(world).total() > 3
    assert {row["run"] for row in installation.rows("certrollhistory")} == {installation.ports.trace.run}
    ours = {installation.ports.trace.run}
    assert ({entry.correlation for entry in world.journal.writes(ARM)} == ours) is kept


def activity_log(world: World, condition: str) -> list[dict[str, Any]]:
    """Return the events of Azure's Activity Log that meet a condition, as `az monitor activity-log list` asks."""
    wanted = quote(f"eventTimestamp ge '2000-01-01T00:00:00+00:00' and {condition}")
    path = f"/subscriptions/{next(iter(world.subscriptions))}/providers/Microsoft.Insights/eventtypes/management/values"
    answer = Arm(world)(Request.to("GET", f"https://{ARM}{path}?api-version=2015-04-01&$filter={wanted}"))
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


@pytest.mark.parametrize("kept", [True, False], ids=["Azure keeps Certroll's id", "Azure gives its own id"])
def test_operator_goes_from_the_activity_log_to_the_history_and_back(install: Install, *, kept: bool) -> None:
    """The id of an event of the Activity Log finds the row of the history, and the id of the row finds the event."""
    world = small_world(Knobs(correlation_kept=kept))
    installation = install(world)
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    (copy,) = [copy for copy in world.web.certificates.values() if copy.name == "web-linux"]
    (happened,) = activity_log(world, f"resourceUri eq '{copy.id}'")
    assert (happened["operationName"]["value"], happened["status"]["value"]) == (
        "Microsoft.Web/certificates/write",
        "Succeeded",
    )
    rows = installation.rows("certrollhistory")
    (row,) = [row for row in rows if row.get("request_0") == happened["operationId"]]
    assert happened["correlationId"] in {row["correlation_0"], row["run"]}
    assert (row["event"], row["reason"]) == ("step.performed", "StaleCopy")
    back = activity_log(world, f"correlationId eq '{row['correlation_0']}'")
    assert happened["operationId"] in {event["operationId"] for event in back}
    assert len(back) == (len(world.journal.writes(ARM)) if kept else 1)


def test_activity_log_needs_a_time(install: Install) -> None:
    """Azure refuses a query of the Activity Log without a time, and so does the local Azure."""
    world = install(small_world()).world
    path = f"/subscriptions/{next(iter(world.subscriptions))}/providers/Microsoft.Insights/eventtypes/management/values"
    answer = Arm(world)(Request.to("GET", f"https://{ARM}{path}?api-version=2015-04-01"))
    assert answer.status == 400


def test_write_that_azure_refuses_is_found_by_its_ids(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """A refused write, a repeated write and a write without an answer are in the history and in the log."""
    caplog.set_level(logging.INFO, logger="certroll")
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    renew(world)
    world.journal.clear()
    world.faults.add(Fault("server_error", method="PUT", path="hostNameBindings/shop", times=1, status=429))
    world.faults.add(Fault("server_error", method="PUT", path="hostNameBindings/www", times=9, status=403))
    world.faults.add(Fault("dropped", method="PUT", path="hostNameBindings/api", times=1))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    told = recorded(installation, "step.performed", "step.refused", "step.not_needed")
    logged = [json.loads(line) for line in caplog.messages]
    written = [line for line in logged if line["event"] == "azure.written"]
    assert told == Counter((line["path"], line["correlation"], line["request"]) for line in written)
    assert {line["status"] for line in written} >= {200, 403, 429, None}
    answered = Counter({ids: count for ids, count in told.items() if ids[2]})
    assert answered == Counter({ids: count for ids, count in listed(world).items() if ids[2]})


def test_stop_and_start_of_an_app_is_found_by_its_ids(install: Install) -> None:
    """The history names each request that stopped or started an app of an environment, app by app."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(2))
    hosted.world.journal.clear()
    hosted.put_new()
    installation.look_at(VAULT, ROOT_OBJECT, kind="secret")
    installation.deliver_all()
    stops = Counter({ids: count for ids, count in listed(hosted.world).items() if ids[0].endswith(("/stop", "/start"))})
    assert recorded(installation, "app.stopped_and_started") == stops
    assert stops.total() == 2 * len(hosted.stopped_and_started)
