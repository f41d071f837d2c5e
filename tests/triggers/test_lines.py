"""On Azure each line that Certroll logs arrives: the host drops lines of other threads than the invocation's own."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from local.app import LocalApp
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.web.resources import RUNNING, STOPPED
from local.azure.world import World
from local.host.timers import utc_now
from shared.clients.clock import SystemClock
from shared.clients.storage.journal import journal_ports
from shared.clients.storage.tables import StorageTables
from shared.domain.environments.record import PendingStart
from shared.domain.names import EnvironmentRef
from shared.version import VERSION
from tests.scenarios import environment_worlds, worlds
from tests.scenarios.environment_worlds import Hosted
from tests.scenarios.worlds import AGE, MOVING, renew
from tests.triggers.app import Storage, eventually

MARK = " certroll: "
STARTED = "process.started"
SITES = 3
"""The number of sites and slots of the small fleet that a renewal moves."""
SETTINGS = {"CERTROLL_ASE_MAX_UNAVAILABLE": "2", "CERTROLL_PROBE_SETTLE": "2s", "CERTROLL_SUBSCRIPTIONS": ""}
SDK_LINE = re.compile(r" INFO (azure|msal|urllib3)\b")


def real_time() -> Clock:
    """Return a clock that starts two days in the past, so that a fleet that ages two days is in the present."""
    return Clock.real(lambda: utc_now() - AGE)


class Listening:
    """The hosted app, with the lines that it has logged since the test began."""

    def __init__(self, local: LocalApp) -> None:
        assert local.host is not None
        self.local, self.host = local, local.host
        self.storage = Storage(local.azurite)
        self._heard = len(self.host.log.read_text())
        self._dropped = self.dropped()

    @property
    def text(self) -> str:
        """The log of the host since the test began."""
        return self.host.log.read_text()[self._heard :]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of a name that arrived."""
        return [line for line in self._all_events() if line["event"] == name]

    def _all_events(self) -> list[dict[str, Any]]:
        return [json.loads(line.partition(MARK)[2]) for line in self.text.splitlines() if MARK in line]

    def dropped(self) -> Mapping[tuple[str, str], int]:
        """Return how many lines the host has dropped, for each logger and thread."""
        rows = self.host.status()["dropped"]
        return Counter({(row["logger"], row["thread"]): row["lines"] for row in rows})

    def run(self, timer: str) -> None:
        """Run a timer's function at once, as an operator does."""
        self.host.run(timer)

    def settle(self) -> None:
        """Wait until no function runs and no message is queued."""
        eventually(self._is_idle, told=lambda: self.text)

    def _is_idle(self) -> bool:
        self.storage.clear()
        status = self.host.status()
        return bool(status["running"] == 0)

    def check(self) -> None:
        """Fail if a line got lost, if an event other than a start has no run, or if an SDK logged a request."""
        assert self.dropped() == self._dropped
        assert [event for event in self._all_events() if "run" not in event and event["event"] != STARTED] == []
        assert [line for line in self.text.splitlines() if SDK_LINE.search(line)] == []


Listen = Callable[[World], Listening]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApp]:
    """Yield the running local app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "Clock", real_time)
        world = worlds.small_world()
    with LocalApp(world, SETTINGS, logs=tmp_path_factory.mktemp("lines")) as running:
        yield running


@pytest.fixture
def listen(local: LocalApp) -> Iterator[Listen]:
    """Yield a function that gives the app a fleet, empty storage and the vault's events.

    When the test ends, no line may have been lost.
    """
    begun: list[Listening] = []

    def on(world: World) -> Listening:
        local.stand.use(world)
        listening = Listening(local)
        listening.storage.clear()
        local.subscribe()
        begun.append(listening)
        return listening

    yield on
    for listening in begun:
        listening.settle()
        listening.check()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a small fleet with bindings, at the present time."""
    monkeypatch.setattr(worlds, "Clock", real_time)
    return worlds.small_world(seed=7)


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Hosted:
    """Return a fleet with an App Service Environment, at the present time."""
    monkeypatch.setattr(environment_worlds, "Clock", real_time)
    return Hosted(apps=3)


def converged(listening: Listening) -> set[str]:
    """Return the sites and slots whose runs have ended well."""
    return {line["site"] for line in listening.events("site.reconciled") if line["outcome"] == "Converged"}


def test_first_sweep_shows_the_plan_of_each_certificate(listen: Listen, small: World) -> None:
    """After a sweep the log has the plan of each vault certificate, for which step 4 of the installation looks."""
    listening = listen(small)
    listening.run("sweep_timer")
    eventually(lambda: listening.events("sweep.completed"), told=lambda: listening.text)
    assert {line["certificate"] for line in listening.events("plan.computed")} == {"contoso-kv/web", "contoso-kv/other"}


def test_log_tells_which_version_runs(listen: Listen, small: World) -> None:
    """The log has the version and the mode of Certroll once for each process of the app, before its first run."""
    listening = listen(small)
    listening.run("sweep_timer")
    eventually(lambda: listening.events("sweep.completed"), told=lambda: listening.text)
    lines = [line.partition(MARK)[2] for line in listening.host.log.read_text().splitlines() if MARK in line]
    (started,) = (line for line in map(json.loads, lines) if line["event"] == STARTED)
    assert started == json.loads(lines[0]) == {"event": STARTED, "version": VERSION, "mode": "apply"}


def test_finding_of_a_sweep_reaches_the_alert(listen: Listen, small: World) -> None:
    """What a sweep cannot read arrives as a finding, although threads read the vaults."""
    small.vaults["contoso-kv"].deny(operations={"certificates/list"})
    listening = listen(small)
    listening.run("sweep_timer")
    eventually(
        lambda: any(line["reason"] == "VaultDenied" for line in listening.events("finding.reported")),
        told=lambda: listening.text,
    )


def test_renewal_says_which_requests_were_repeated(listen: Listen, small: World) -> None:
    """A renewal whose reads fail at first logs each repeated request, although threads send the reads."""
    listening = listen(small)
    small.faults.add(Fault("server_error", path="/serverfarms", times=2, status=503, retry_after=1.0))
    new = renew(small)
    eventually(lambda: len(converged(listening)) == SITES, told=lambda: listening.text)
    assert {listening.local.stand.visitor.handshake(name) for name in MOVING} == {new}
    assert [line["wait"] >= 1.0 for line in listening.events("request.retried")] == [True, True]


def test_wave_tells_what_became_of_each_app(listen: Listen, hosted: Hosted) -> None:
    """When a new root comes, the log has each app that Certroll stopped and started, although threads do so."""
    listening = listen(hosted.world)
    hosted.put_new()
    eventually(
        lambda: any(line["reason"] == "StoppedAndStarted" for line in listening.events("environment.reconciled")),
        told=lambda: listening.text,
    )
    told = [line["site"] for line in listening.events("app.stopped_and_started")]
    assert sorted(told) == sorted(hosted.stopped_and_started)
    waves = listening.events("wave.completed")
    assert {site for wave in waves for site in wave["sites"]} == hosted.stopped_and_started


def test_start_after_a_crash_is_told(listen: Listen, hosted: Hosted) -> None:
    """An app that a dead run left stopped is started by the timer, and the log says so, although a thread starts it."""
    listening = listen(hosted.world)
    hosted.set_state("shop", STOPPED)
    with listening.storage.tables() as service:
        starts = journal_ports(StorageTables(service), SystemClock())["pending_starts"]
        starts.record(PendingStart(hosted.ref("shop"), EnvironmentRef.parse(hosted.ase.id), utc_now()))
    listening.run("starts_timer")
    eventually(lambda: listening.events("start.completed"), told=lambda: listening.text)
    assert [line["site"] for line in listening.events("start.completed")] == ["shop"]
    assert hosted.states()["shop"] == RUNNING
