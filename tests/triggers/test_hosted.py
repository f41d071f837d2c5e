"""Run the whole app, hosted on a local Azure in real time, as Event Grid, the timer, queues and operators do."""

import base64
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from local.app import EVENT_FUNCTION, LocalApp
from local.azure.entra.tokens import CERTROLL
from local.azure.rights.grants import Grant
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import IP_BASED
from local.azure.world import World
from local.host import FunctionHost
from local.host.timers import utc_now
from local.patience import HANG
from local.variants import grants
from tests.scenarios import worlds
from tests.scenarios.worlds import AGE, MOVING, after_renewal, renew, shown, writes
from tests.triggers.app import ALL_QUEUES, ROOT, Storage, eventually

QUEUES = "AzureFunctionsJobHost__extensions__queues__"
AT_ONCE = {f"{QUEUES}visibilityTimeout": "00:00:00", f"{QUEUES}maxPollingInterval": "00:00:00.1"}
ALL_SUBSCRIPTIONS = {"CERTROLL_SUBSCRIPTIONS": ""}
"""Each test has a fleet in another subscription, and the app has to find the subscription by itself."""
ONE_BY_ONE = {f"{QUEUES}batchSize": "1", f"{QUEUES}newBatchThreshold": "0"}


class System:
    """The hosted app and its simulated Azure, with the questions that tests ask of both."""

    def __init__(self, local: LocalApp, host: FunctionHost, world: World) -> None:
        self.local = local
        self.host = host
        self.world = world
        self.storage = Storage(local.azurite)

    def subscribe(self, *hosts: FunctionHost) -> None:
        """Subscribe the app to the vault's events by its queue, or each of the given hosts by its webhook."""
        if not hosts:
            self.local.subscribe()
        for host in hosts:
            self.local.stand.deliver_to(host.webhook(EVENT_FUNCTION))

    def served(self) -> set[str]:
        """Return the thumbprints that clients receive at the host names which a renewal moves."""
        return {self.local.stand.visitor.handshake(name) for name in MOVING}

    def settle(self) -> None:
        """Clear what a test left behind, and wait until no function runs and no message is queued."""
        self.world.faults.clear()
        eventually(self._is_idle, told=self.host.log.read_text)

    def _is_idle(self) -> bool:
        self.storage.clear()
        status = self.host.status()
        return status["running"] == 0 and not any(self.storage.count(queue) for queue in ALL_QUEUES)

    def wait_until_served(self, thumbprint: str) -> None:
        """Wait until every host name that a renewal moves serves the given certificate."""
        handshake = self.local.stand.visitor.handshake
        # A handshake costs this process the work of both ends, so each round stops at the first old certificate.
        eventually(lambda: all(handshake(name) == thumbprint for name in MOVING), told=self.host.log.read_text)

    def ran(self, function: str, host: FunctionHost | None = None, *, succeeded: bool = True) -> int:
        """Return how often a function has ended, with success or without, since the host was started."""
        status = (host or self.host).status()
        counts = [
            entry["count"]
            for entry in status["ended"]
            if entry["function"] == function and entry["succeeded"] is succeeded
        ]
        return sum(counts)

    def dropped(self) -> list[dict[str, object]]:
        """Return which log lines of the app Azure's host would have dropped since the host was started."""
        return list(self.host.status()["dropped"])

    def looked_at(self, host: FunctionHost | None = None) -> int:
        """Return how often a host has inspected a vault certificate."""
        return self.ran("certificates_queue", host)

    def replay(self, key: str, queue: str = "certificates", **headers: str) -> requests.Response:
        """Request the replay of a dead letter."""
        url = f"{self.host.url}/api/dead-letters/{queue}/{key}/replay"
        return requests.post(url, headers=headers, timeout=HANG)

    def with_key(self) -> dict[str, str]:
        """Return the HTTP header with the function key that opens the app's HTTP routes."""
        return {"x-functions-key": self.host.ready.function_key}


FOUND_BUSY = '"reason": "Busy"'
"""The log text of a Certroll instance that found another instance at work."""
COPIES = 2
WORK_QUEUES = ("certificates", "sites", "events")
Start = Callable[..., System]
_seeds = iter(range(1, 1000))


def small_world(knobs: Knobs | None = None, pause: Callable[[float], None] | None = None) -> World:
    """Return the scenarios' small simulated fleet at the present time, with ids that no other test has.

    The simulated fleet calls `pause` instead of sleeping when a fault delays an answer.
    """
    with pytest.MonkeyPatch.context() as patch:
        # The simulated clock starts two days in the past and advances to the present, where the hosted app is.
        patch.setattr(worlds, "Clock", lambda: Clock.real(lambda: utc_now() - AGE, pause))
        return worlds.small_world(knobs, next(_seeds))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApp]:
    """Yield the running local app, which redelivers failed messages at once."""
    with LocalApp(
        small_world(), AT_ONCE | ONE_BY_ONE | ALL_SUBSCRIPTIONS, logs=tmp_path_factory.mktemp("hosted")
    ) as running:
        yield running


@pytest.fixture
def start(local: LocalApp) -> Iterator[Start]:
    """Yield a function that gives the app a new simulated fleet and empty storage, without a subscription to events.

    When the test ends, each line that the app has logged must have been one that Azure's host passes.
    """

    def on(knobs: Knobs | None = None, pause: Callable[[float], None] | None = None) -> System:
        assert local.host is not None
        world = small_world(knobs, pause)
        local.stand.use(world)
        system = System(local, local.host, world)
        system.storage.clear()
        return system

    yield on
    assert local.host is not None
    system = System(local, local.host, local.stand.world)
    system.settle()
    assert system.dropped() == []


def test_event_reaches_every_visitor(start: Start) -> None:
    """After one vault event all host names of the certificate serve the new version, with unchanged bindings."""
    system = start()
    before = shown(system.world)
    system.subscribe()
    with system.local.stand.canary() as canary:
        new = renew(system.world)
        system.wait_until_served(new)
    assert shown(system.world) == after_renewal(before, new)
    assert before["shop.contoso.com"].ssl_state == IP_BASED
    assert canary.failures == []


def test_sweep_makes_up_for_a_lost_event(start: Start) -> None:
    """If no event arrives, the next run of the timer brings every host name to the new certificate."""
    system = start()
    before, new = shown(system.world), renew(system.world)
    system.host.run("sweep_timer")
    system.wait_until_served(new)
    assert shown(system.world) == after_renewal(before, new)


def test_two_instances_end_where_one_does(start: Start) -> None:
    """If two instances hear of a renewal, the second waits for the first, and each binding is written once.

    Both instances hear of the renewal by their webhooks.
    """
    met = threading.Event()
    system = start(Knobs(sync_moves_bindings=False), lambda _: met.wait(HANG) and None)
    before, done = shown(system.world), system.looked_at()
    log = system.host.log.with_name("second.log")
    known = len(system.host.log.read_text())
    with FunctionHost(ROOT, system.local.app_settings(), log=log) as second:
        system.subscribe(system.host, second)
        system.world.faults.add(Fault("latency", path="/serverfarms", seconds=1.0))
        new = renew(system.world)
        eventually(lambda: FOUND_BUSY in system.host.log.read_text()[known:] + log.read_text(), told=log.read_text)
        met.set()
        system.wait_until_served(new)
        eventually(lambda: system.looked_at() > done and system.looked_at(second), told=log.read_text)
    assert shown(system.world) == after_renewal(before, new)
    assert writes(system.world) == COPIES + len(MOVING)


def test_poisoned_message_is_kept_and_put_back(tmp_path: Path) -> None:
    """Certroll keeps a message that fails five times as a dead letter; a caller with the function key can replay it.

    The message fails because Certroll's role at the storage account does not reach the leases. A fault of Azure makes
    no dead letter (ADR 44). The event of the renewal comes while the app is down, and waits in its queue.
    """
    with LocalApp(small_world(), AT_ONCE, logs=tmp_path, host_app=False) as local:
        world, settings = local.stand.world, local.app_settings()
        new = renew(world)
        eventually(lambda: Storage(local.azurite).count("events"))
        world.grants.give(CERTROLL.object_id, without_leases())
        with FunctionHost(ROOT, settings, log=tmp_path / "refused.log") as refused:
            system = System(local, refused, world)
            kept = eventually(system.storage.kept, told=refused.log.read_text)
            assert system.ran("certificates_queue", succeeded=False) == 5
            assert [(row["PartitionKey"], row["queue"]) for row in kept] == [("poison-certificates", "certificates")]
            assert str(kept[0]["cause"]).startswith(f"StorageFailed: lease on lineage {worlds.VAULT}/web: ")
            eventually(lambda: system.storage.count("certificates-poison") == 0)
        world.grants.give(CERTROLL.object_id, grants())
        with FunctionHost(ROOT, settings, log=tmp_path / "mended.log") as mended:
            check_replay(System(local, mended, world), str(kept[0]["RowKey"]), new)


def without_leases() -> list[Grant]:
    """Return the rights of the templates, but with the role for blobs only where the Functions host has its own."""
    hosts = "/blobServices/default/containers/azure-webjobs-hosts"
    return [
        replace(grant, scope=grant.scope + hosts) if grant.role == "Storage Blob Data Owner" else grant
        for grant in grants()
    ]


def check_replay(system: System, key: str, new: str) -> None:
    """Fail if a caller without the function key replays a dead letter, or if its replay does not end the renewal."""
    assert system.replay(key).status_code == 401
    assert system.replay(key, **{"x-functions-key": "wrong"}).status_code == 401
    assert system.served() != {new}
    assert system.replay(key, **system.with_key()).status_code == 202
    system.wait_until_served(new)
    assert system.storage.kept() == []
    assert system.replay(key, **system.with_key()).status_code == 404


@pytest.mark.parametrize(
    ("queue", "key"),
    [("certificates", "0" * 64), ("sites", "x' or RowKey ne '"), ("certificates", "%00"), ("orders", "0" * 64)],
    ids=["an unknown key", "a key that is a query", "a key that no table can hold", "an unknown queue"],
)
def test_only_what_is_kept_is_put_back(start: Start, queue: str, key: str) -> None:
    """A replay request for an unknown dead letter is answered 404, and Certroll queues no message."""
    system = start()
    assert system.replay(key, queue, **system.with_key()).status_code == 404
    assert [system.storage.count(name) for name in WORK_QUEUES] == [0, 0, 0]


TYPED = "?!? correct horse battery staple ?!?"
NOT_UTF_8 = base64.b64encode(b"\xff\xfe correct horse \xff").decode()
UNREADABLE = {
    "text that is not base64": TYPED,
    "base64 of bytes that are not UTF-8": NOT_UTF_8,
    "nothing": "",
    "48 KB": "battery " * 6000,
    "base64 of text that is not JSON": base64.b64encode(b"staple").decode(),
}


def test_unreadable_messages_do_no_harm(start: Start) -> None:
    """Each message that Certroll cannot read becomes a finding and a dead letter, and the renewal still succeeds.

    Neither the log nor a finding shows what somebody typed into the messages.
    """
    system = start()
    before, known = shown(system.world), len(system.host.log.read_text())
    for queue in WORK_QUEUES:
        system.storage.send(queue, *UNREADABLE.values())
    system.subscribe()
    new = renew(system.world)
    system.wait_until_served(new)
    assert shown(system.world) == after_renewal(before, new)
    total = len(WORK_QUEUES) * len(UNREADABLE)
    kept = eventually(lambda: len(system.storage.kept()) == total and system.storage.kept())
    findings = [row for row in system.storage.findings() if row["reason"] == "MalformedMessage"]
    assert Counter(str(row["queue"]) for row in kept) == dict.fromkeys(WORK_QUEUES, len(UNREADABLE))
    assert Counter(str(row["scope"]) for row in findings) == {f"queue {name}": len(UNREADABLE) for name in WORK_QUEUES}
    assert {str(row["cause"]).partition(":")[0] for row in kept} == {"MalformedMessage"}
    assert {str(row["body_0"])[:40] for row in kept} == {TYPED[:40], NOT_UTF_8, "", ("battery " * 6)[:40], "staple"}
    shown_to_all = system.host.log.read_text()[known:] + str([row["detail"] for row in findings])
    assert [word for word in ("horse", "battery", "staple", NOT_UTF_8) if word in shown_to_all] == []
    assert [system.storage.count(f"{queue}-poison") for queue in WORK_QUEUES] == [0, 0, 0]


def test_message_typed_with_the_cli_is_handled(start: Start) -> None:
    """A message that a person typed as plain JSON starts a renewal, like a message in base64."""
    system = start()
    new = renew(system.world)
    message = {"v": 1, "vault": worlds.VAULT, "kind": "certificate", "name": "web", "cause": "manual", "waits": 0}
    system.storage.send("certificates", json.dumps(message))
    system.wait_until_served(new)
    assert system.storage.kept() == []


def test_dead_letter_is_removed_by_its_key(start: Start) -> None:
    """A caller with the function key can remove a dead letter for good, and a caller without the key cannot."""
    system = start()
    system.storage.send("sites", TYPED)
    (kept,) = eventually(system.storage.kept, told=system.host.log.read_text)
    url = f"{system.host.url}/api/dead-letters/sites/{kept['RowKey']}"
    assert requests.delete(url, timeout=HANG).status_code == 401
    answers = [requests.delete(url, headers=system.with_key(), timeout=HANG).status_code for _ in range(2)]
    assert answers == [202, 404]
    assert system.storage.kept() == []


def test_sweep_creates_missing_queues(start: Start) -> None:
    """A sweep creates all queues and poison queues, for which the Functions host would look all the time."""
    system = start()
    system.storage.drop_queues()
    system.host.run("sweep_timer")
    assert eventually(lambda: system.storage.queues() >= set(ALL_QUEUES) and system.storage.queues())
