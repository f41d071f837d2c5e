"""The live mode says what it needs, and refuses to run where nobody asked it to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.azure.principals import APP_SERVICE
from local.azure.server import LocalAzure
from local.azure.world import World
from local.environment import for_child
from local.stand import Stand
from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.domain.endpoints import CloudName
from tests.contract import remove
from tests.contract.conftest import refusal
from tests.contract.ledger import TAG, Ledger, new_run, read, runs
from tests.contract.live import NEEDED, OPTIONAL, SWITCH, Unusable, in_group, is_asked_for, live_place, missing
from tests.contract.removal import kind_of
from tests.contract.simulated import GROUP, simulated_world
from tests.contract.test_removal import everything
from tests.in_process import in_process
from tests.pages import ROOT, text_of

ELSEWHERE = "11111111-1111-1111-1111-111111111111"
ALL = dict.fromkeys(NEEDED, "x")


@pytest.mark.parametrize(("value", "live"), [("1", True), ("0", False), ("", False), ("true", False)])
def test_only_the_switch_turns_the_live_mode_on(value: str, *, live: bool) -> None:
    """The live mode needs AZURE_LIVE=1; the names of a subscription and a group alone start nothing."""
    assert is_asked_for({SWITCH: value}) is live
    assert not is_asked_for(ALL)


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_variable_is_named_with_the_way_to_its_value(name: str) -> None:
    """The refusal names each missing variable, and the command that shows its value."""
    given = {other: value for other, value in ALL.items() if other != name}
    (line,) = missing(given)
    assert line.startswith(f"{name} is not set.")
    assert " az " in line
    with pytest.raises(Unusable, match=name):
        live_place(given)


@pytest.mark.parametrize(("subscription", "group"), [("", "elsewhere"), (ELSEWHERE, GROUP)])
def test_a_group_that_is_not_there_is_refused(stand: object, subscription: str, group: str) -> None:
    """The suite runs only in a resource group that exists in the named subscription, and makes none."""
    assert stand
    world = simulated_world()
    own = next(iter(world.subscriptions.values())).id
    transport = in_process(LocalAzure(world).handle)
    credential = make_credential(CLOUDS[CloudName.PUBLIC], None)
    with pytest.raises(Unusable, match="The suite makes no resource group"):
        in_group(credential, transport, subscription or own, group)
    assert not world.journal.writes("management.azure.com")
    assert in_group(credential, transport, own, GROUP).location == "westeurope"


def test_a_live_run_has_one_process() -> None:
    """A live run with several processes is refused, because each process would pay for a plan."""
    assert refusal({SWITCH: "1"}, several=True) is not None
    assert refusal({SWITCH: "1"}, several=False) is None
    assert refusal({}, several=True) is None


def test_the_command_that_removes_names_the_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the name of a run that left something, the command removes nothing and lists the runs."""
    monkeypatch.setattr(remove, "runs", lambda: runs(tmp_path))
    Ledger("r1", "s", "g", tmp_path).note("/x")
    assert remove.main([]) == 2
    assert remove.main(["r2"]) == 2
    assert capsys.readouterr().out.count("Runs that have left something: r1") == 2


def test_a_note_outlives_its_run(tmp_path: Path) -> None:
    """The note of a run is read as it was written, and its file goes with the last id."""
    ledger = Ledger(new_run(), "s", "g", tmp_path)
    ledger.note("/a")
    ledger.note("/b")
    ledger.note("/a")
    assert read(ledger.run, tmp_path) == ledger
    assert read(ledger.run, tmp_path).made == ["/a", "/b"]
    ledger.strike("/a")
    ledger.strike("/b")
    assert list(runs(tmp_path)) == []


def test_two_runs_have_two_names() -> None:
    """Each run has a name of its own, which its tag carries."""
    first, second = (Ledger(new_run(), "s", "g") for _ in range(2))
    assert first.tags[TAG] != second.tags[TAG]


def test_the_page_names_every_variable() -> None:
    """The how-to page names each variable of the live mode, the command that removes, and the tag."""
    page = text_of("docs/how-to/check-azure-by-contract.md")
    for name in (SWITCH, *NEEDED, *OPTIONAL, "python -m tests.contract.remove", TAG):
        assert name in page, name


def test_no_variable_of_the_live_mode_reaches_a_child() -> None:
    """Processes that tests start run against the local Azure, also during a live run."""
    assert not any(name.startswith(SWITCH) for name in for_child({}))


def _live_run(stand: Stand, *arguments: str) -> tuple[World, subprocess.CompletedProcess[str]]:
    """Run the suite in its live mode, in a process of its own whose Azure is a simulated one behind TLS and a proxy."""
    world = simulated_world()
    stand.use(world)
    group = next(group for group in world.resource_groups.values() if group.name == GROUP)
    place = {
        SWITCH: "1",
        "AZURE_LIVE_SUBSCRIPTION": group.subscription,
        "AZURE_LIVE_GROUP": group.name,
        "AZURE_LIVE_APP_SERVICE": world.object_id(APP_SERVICE),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--no-budgets",
        *arguments,
    ]
    done = subprocess.run(  # noqa: S603 - this Python, with arguments of this file
        command, env=for_child({**stand.environment(), **place}), cwd=ROOT, capture_output=True, text=True, check=False
    )
    return world, done


def test_a_live_run_prints_what_it_made_and_what_azure_does(stand: Stand) -> None:
    """A live run needs only the variables, prints each resource and each verdict, and leaves nothing behind."""
    before = everything(simulated_world())
    world, done = _live_run(stand, "tests/contract/test_errors.py", "tests/contract/test_orders.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(everything(world)) == len(before)
    made, removed = (set(re.findall(rf"{word} (/\S+)", done.stdout)) for word in ("makes", "removed"))
    assert made == removed
    assert {kind_of(resource_id) for resource_id in made} >= {"serverfarms", "sites", "slots", "vaults"}
    assert "knob missing_site: Azure does ResourceNotFound" in done.stdout
    assert "AZURE_LIVE_ORDER is not set" in done.stdout


def test_several_processes_make_nothing(stand: Stand) -> None:
    """A live run with pytest-xdist sends no write to Azure."""
    world, done = _live_run(stand, "tests/contract/test_errors.py", "-n", "2")
    assert done.returncode != 0
    assert not world.journal.writes("management.azure.com")
    assert "Run the live contract in one process" in done.stdout + done.stderr
