"""A sweep of a fleet too large for one run reads on in slices, and judges what it has read."""

import json
from collections import Counter
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.world import World
from local.worlds.builders import Builder
from shared.domain.deadline import FUNCTION_TIME_OUT
from shared.domain.messages import SWEEPS, SweepMessage
from shared.domain.sweeps import Job
from tests.scenarios.app_worlds import CLIENT, LIST, Street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation, Message
from tests.scenarios.test_settings_memory import edit, quiet_street, reads
from tests.scenarios.worlds import small_world
from tests.soaking import crashes

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
READ = "/config/appsettings/list$"
SLOW = 30.0
"""How many seconds Azure takes to show the settings of an app, so that a run reads some fifteen apps."""
NOWHERE = "AB" * 20
OTHER = "00000000-0000-0000-0000-00000000000b"
MOST_WRITES = 60


class Watched:
    """An installation whose sweeps a test follows."""

    def __init__(self, installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
        """Follow the log of the installation."""
        self.installation, self._caplog = installation, caplog
        self.longest = timedelta(0)
        caplog.set_level("INFO", logger="certroll")

    def sweep(self, during: timedelta = 6 * HOUR) -> None:
        """Begin a sweep, and deliver the messages of sweeps until none is left or the time is over."""
        self.installation.begin_sweep()
        self.go_on(during)

    def go_on(self, during: timedelta = 6 * HOUR) -> None:
        """Deliver the messages of sweeps until none is left or the time is over."""
        until = self.installation.clock.now() + during
        while (message := self.installation.queue.take(until, of=SWEEPS)) is not None:
            self.deliver(message)

    def deliver(self, message: Message) -> None:
        """Deliver a message, and note how long its run took."""
        began = self.installation.clock.now()
        self.installation.deliver(message)
        self.longest = max(self.longest, self.installation.clock.now() - began)

    def told(self, name: str = "sweep.completed") -> list[dict[str, object]]:
        """Return the events of a name."""
        return [line for line in map(json.loads, self._caplog.messages) if line["event"] == name]


def slow_street(apps: int) -> Street:
    """Return a fleet whose settings Azure shows slowly, and whose last app names a thumbprint of no certificate."""
    town = quiet_street(apps)
    edit(town, last(apps), **{LIST: NOWHERE})
    town.world.faults.add(Fault("latency", "POST", path=READ, seconds=SLOW, times=None))
    town.world.journal.clear()
    return town


def last(apps: int) -> str:
    """Return the name of the app that comes last."""
    return f"app{apps - 1:02}"


def is_found(installation: Installation, app: str) -> bool:
    """Return True if Certroll has read the settings of the app, and has seen what is wrong with them."""
    return (f"app settings of {app}", "UnknownThumbprint") in installation.open_findings()


def assert_read_once(world: World, apps: int) -> None:
    """Check that each app was read once, except for those whose time of the day came meanwhile."""
    found = reads(world)
    assert len(found) == apps
    assert found.total() <= apps * 1.2


def test_sweep_longer_than_a_run_reads_each_app_once(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """Slices read on where a run stops: each app is read once, the last one is judged, and no run is cut off."""
    town = slow_street(40)
    watched = Watched(install(town.world), caplog)
    watched.sweep()
    assert_read_once(town.world, 40)
    assert is_found(watched.installation, last(40))
    (told,) = watched.told()
    assert (told["judged"], told["failed"], told["unseen"]) == (True, [], [])
    assert watched.longest < FUNCTION_TIME_OUT
    assert len(watched.told("sweep.slice_read")) >= 2
    assert [reason for _, reason in watched.installation.open_findings()] == ["UnknownThumbprint"]
    watched.sweep()
    assert sum(reads(town.world).values()) <= 1
    assert len(watched.told("sweep.slice_read")) < 5, "a warm sweep needs no slice"


def test_slice_that_dies_at_any_write_loses_nothing(
    install: Install, crasher: Crasher, caplog: pytest.LogCaptureFixture
) -> None:
    """After a death of any part at any write, the sweep still reads and judges the last app, and tells its end."""
    for write in crashes(MOST_WRITES, step=5):
        caplog.clear()
        town = slow_street(20)
        watched = Watched(install(town.world), caplog)
        watched.installation.begin_sweep()
        died = False
        try:
            with crasher.crashing_after(write):
                watched.go_on()
        except Crash:
            died = True
            watched.installation.storage.break_leases()
        watched.go_on()
        assert is_found(watched.installation, last(20)), f"after a crash at write {write}"
        assert [told["failed"] for told in watched.told()] == [[]], f"after a crash at write {write}"
        assert watched.installation.errors == []
        if not died:
            break
    else:
        pytest.fail(f"{MOST_WRITES} writes and no end")
    assert write > 8


def test_two_slices_of_one_subscription_read_each_app_once(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """While another run reads a subscription, a slice waits; a second message of it reads nothing again."""
    town = slow_street(40)
    watched = Watched(install(town.world), caplog)
    watched.installation.begin_sweep()
    queue, leases, twice = watched.installation.queue, watched.installation.ports.leases, list[Message]()
    while (message := queue.take(watched.installation.clock.now() + 6 * HOUR, of=SWEEPS)) is not None:
        part = SweepMessage.parse(message.body).part
        if part not in set(Job) and not twice:
            twice.append(message)
            before = len(watched.told("sweep.slice_read"))
            with leases.hold(f"sweep {part}"):
                watched.deliver(message)
            assert len(watched.told("sweep.slice_read")) == before, "the slice waits"
            queue.put(SWEEPS, message.body)
            continue
        watched.deliver(message)
    assert twice
    assert_read_once(town.world, 40)
    assert len(watched.told()) == 1


def with_second(town: Street, apps: int) -> None:
    """Add a subscription with a copy of the certificate and some apps."""
    build = town.build
    group = build.add_group("other", build.add_subscription("other", OTHER))
    plan = build.add_plan("other", group)
    build.add_copy(CLIENT, plan)
    for number in range(apps):
        build.add_site(f"other{number:02}", plan, settings={"LOG": "on"})


@pytest.mark.parametrize("kind", ["throttle", "dropped"])
def test_subscription_without_answers_holds_up_no_other(
    install: Install, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """If others use up a subscription, or it never answers, the apps of the others are judged, and the sweep ends."""
    town = slow_street(20)
    with_second(town, 30)
    path = f"/subscriptions/{OTHER}/.*{READ}" if kind == "throttle" else f"/subscriptions/{OTHER}/providers/"
    town.world.faults.add(Fault(kind, path=path, times=None, retry_after=40.0))  # type: ignore[arg-type]
    watched = Watched(install(town.world), caplog)
    watched.sweep()
    assert is_found(watched.installation, last(20))
    (told,) = watched.told()
    assert told["judged"]
    assert any("other" in str(name) or OTHER in str(name) for name in told["unseen"])  # type: ignore[attr-defined]


def test_site_that_appears_between_two_slices_is_read(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """An app that somebody makes while a sweep reads on is read and judged by the same sweep."""
    town = slow_street(40)
    watched = Watched(install(town.world), caplog)
    watched.installation.begin_sweep()
    while not watched.told("sweep.slice_read"):
        message = watched.installation.queue.take(watched.installation.clock.now() + HOUR, of=SWEEPS)
        assert message is not None
        watched.deliver(message)
    town.build.add_site("aaa-new", town.linux, settings={LIST: NOWHERE})
    watched.go_on()
    assert is_found(watched.installation, "aaa-new")


def test_sweep_that_outlasts_its_hour_is_not_begun_again(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """While slices go on for hours, the hourly sweep judges what is there, and leaves the slices to the first one."""
    town = slow_street(180)
    watched = Watched(install(town.world), caplog)
    began = watched.installation.clock.now()
    watched.sweep(during=HOUR)
    assert not is_found(watched.installation, "app179")
    watched.installation.clock.set(max(watched.installation.clock.now(), began + HOUR))
    watched.sweep()
    first, second = sorted(watched.told(), key=lambda told: str(told["began"]))
    assert second["judged"]
    assert len(second["left"]) == 1  # type: ignore[arg-type]
    assert_read_once(town.world, 180)
    watched.sweep()
    assert is_found(watched.installation, "app179")
    assert first["failed"] == []


def vault_requests(world: World) -> int:
    """Return how many requests Key Vault got since the last call, and begin again."""
    found = Counter(".vault." in entry.host for entry in world.journal.entries())
    world.journal.clear()
    return found[True]


def test_vaults_are_asked_once_however_many_subscriptions_there_are(install: Install) -> None:
    """A sweep of 20 subscriptions sends as many requests to Key Vault as a sweep of one."""
    counts = []
    for others in (0, 19):
        world = small_world()
        build = Builder(world)
        for number in range(others):
            plan = build.add_plan("plan", build.add_group(f"g{number}", build.add_subscription(f"s{number}")))
            build.add_site(f"site{number}", plan)
        installation = install(world)
        world.journal.clear()
        installation.sweep_everything()
        counts.append(vault_requests(world))
    assert counts[0] == counts[1] > 0


def test_subscription_that_stays_too_slow_stays_one_finding(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """What no run has the time to read is one finding until a sweep reads it, also while each sweep is late again."""
    town = slow_street(40)
    watched = Watched(install(town.world, settings_reread=timedelta(0)), caplog)
    for _ in range(2):
        watched.sweep()
        watched.installation.clock.set(watched.installation.clock.now() + HOUR)
    (row,) = [row for row in watched.installation.rows("certrollfindings") if row.get("reason") == "NotReadInTime"]
    assert row["state"] == "open"
    assert watched.told("finding.closed") == []
    town.world.faults.clear()
    watched.sweep()
    assert "NotReadInTime" not in [reason for _, reason in watched.installation.open_findings()]
