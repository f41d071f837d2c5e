"""What operators ask for, what a sweep reads, and what is put on a queue."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from shared.clients.queue import StorageQueue
from shared.domain.cycle import Cycle
from shared.domain.errors import Conflict, NotFound
from shared.domain.lineage import Lineage
from shared.domain.messages import Cause, CertificateMessage, EnvironmentMessage
from shared.domain.model import Fleet
from shared.domain.names import EnvironmentRef, VaultCertificateRef
from shared.domain.rollout import SiteState
from shared.run import TIME_BUDGET, Run
from shared.sweep import _imported, _known_roots, _reading
from shared.work import cycle, cycled, release, replay
from tests.build import (
    APPLY,
    ASE,
    HOUR,
    LINEAGE,
    NEW,
    NOW,
    REF,
    SUBSCRIPTION,
    VAULT,
    ManualClock,
    copy,
    record,
    rollout,
)
from tests.small_storage import SmallLeases, SmallStorage, ports_on

TWIN = EnvironmentRef(SUBSCRIPTION, "rg-other", ASE.name)
FOREIGN = VaultCertificateRef.parse("evil", "certificate", "shop")
KEY = "0" * 64


@dataclass
class Box:
    """A queue that keeps what it is sent, and a vault that says when each object was read."""

    clock: ManualClock = field(default_factory=ManualClock)
    storage: SmallStorage = field(default_factory=SmallStorage)
    leases: SmallLeases = field(default_factory=SmallLeases)
    sent: list[object] = field(default_factory=list)
    read: list[VaultCertificateRef] = field(default_factory=list)
    fails: Exception | None = None

    def run(self, pool: ThreadPoolExecutor, **others: object) -> Run:
        """Return a run on it."""
        ports = ports_on(self.storage, self.clock, queue=self, vault=self, leases=self.leases, **others)
        return Run.start(ports, APPLY, pool)

    def send_certificate(self, message: CertificateMessage) -> None:
        """Keep the message."""
        self.sent.append(message)

    def send_environment(self, message: EnvironmentMessage) -> None:
        """Keep the message."""
        self.sent.append(message)

    def put_back(self, queue: str, body: str) -> None:
        """Keep the body."""
        if self.fails:
            raise self.fails
        self.sent.append((queue, body))

    def lineage(self, ref: VaultCertificateRef, _: datetime) -> Lineage:
        """Return a lineage, which takes a third of a run."""
        self.read.append(ref)
        self.clock.sleep(TIME_BUDGET.total_seconds() / 3)
        return LINEAGE


@pytest.fixture(name="pool")
def _pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


# ------------------------------------------------------------------------------------------------------ kept messages


def test_kept_message_is_put_back_once(pool: ThreadPoolExecutor) -> None:
    """It goes back onto its queue as it was, and is kept no longer."""
    box = Box()
    kept = box.run(pool).ports.dead_letters.add("sites", "{}", "KeyError")
    replay(box.run(pool), "sites", kept.key)
    assert box.sent == [("sites", "{}")]
    with pytest.raises(NotFound):
        replay(box.run(pool), "sites", kept.key)


def test_message_that_could_not_be_put_back_is_kept(pool: ThreadPoolExecutor) -> None:
    """Where the queue does not take it the message is not lost: it can be put back again."""
    box = Box(fails=OSError("the queue is away"))
    kept = box.run(pool).ports.dead_letters.add("sites", "{}", "KeyError")
    with pytest.raises(OSError, match="away"):
        replay(box.run(pool), "sites", kept.key)
    box.fails = None
    replay(box.run(pool), "sites", kept.key)
    assert box.sent == [("sites", "{}")]


@pytest.mark.parametrize(
    ("queue", "key"),
    [("sites", "x"), ("sites", KEY.upper() + "A"), ("sites", "a/b#?"), ("sites", ""), ("poison", KEY), ("", KEY)],
)
def test_what_is_no_key_of_a_queue_is_not_looked_for(pool: ThreadPoolExecutor, queue: str, key: str) -> None:
    """What an operator mistypes is answered with a 404 before the journal is asked."""
    with pytest.raises(NotFound):
        replay(Box().run(pool, dead_letters=None), queue, key)


# ------------------------------------------------------------------------------------- holds, and stops for everybody


def test_only_the_environment_that_was_named_is_cycled(pool: ThreadPoolExecutor) -> None:
    """Of two environments of one name in two resource groups the other one's apps are not stopped."""
    box = Box()
    for ref in (ASE, TWIN):
        box.run(pool).ports.cycles.put(Cycle(ref, since=NOW - HOUR, done_at=NOW))
    assert cycle(box.run(pool), " RG-Network ", ASE.name.upper()) == ASE.resource_id
    assert box.sent == [EnvironmentMessage(ASE)]
    assert [known.environment for known in box.run(pool).ports.cycles.all() if known.is_open] == [ASE]


def test_only_the_environment_that_was_named_counts_as_cycled(pool: ThreadPoolExecutor) -> None:
    """People's word for one environment ends nothing that waits in another one of its name."""
    box = Box()
    for ref in (ASE, TWIN):
        box.run(pool).ports.cycles.change(ref, lambda known: known.noting(NEW, NOW).asked(NOW))
    cycled(box.run(pool), ASE.resource_group, ASE.name)
    assert [known.environment for known in box.run(pool).ports.cycles.all() if known.is_asked] == [TWIN]


def test_nobody_says_that_it_is_done_in_the_middle_of_a_wave(pool: ThreadPoolExecutor) -> None:
    """While a wave is under way people are told to try again: apps may be down that their word would forget."""
    box = Box(leases=SmallLeases({f"environment {ASE.resource_id}"}))
    box.run(pool).ports.cycles.change(ASE, lambda known: known.asked(NOW))
    with pytest.raises(Conflict, match="try again"):
        cycled(box.run(pool), ASE.resource_group, ASE.name)
    assert box.run(pool).ports.cycles.of(ASE).is_asked


def test_hold_in_a_vault_that_is_not_ours_is_not_released(pool: ThreadPoolExecutor) -> None:
    """Whatever the journal holds, a vault that was taken out of the setting is neither read nor acted for."""
    box = Box()
    box.run(pool).ports.rollouts.begin(FOREIGN, rollout(record(SiteState.FAILED)))
    with pytest.raises(NotFound, match="CERTROLL_VAULTS"):
        release(box.run(pool), FOREIGN.vault, FOREIGN.name)
    assert (box.read, box.sent) == ([], [])


def test_hold_that_is_released_is_looked_at_at_once(pool: ThreadPoolExecutor) -> None:
    """A version that failed goes on when an operator says so, without waiting for the sweep."""
    box = Box()
    box.run(pool).ports.rollouts.begin(REF, rollout(record(SiteState.FAILED)))
    assert release(box.run(pool), REF.vault, REF.name) == "shop"
    assert box.sent == [CertificateMessage(REF, Cause.MANUAL)]
    assert box.run(pool).ports.rollouts.rollout(REF, "v2").failed == ()


# ----------------------------------------------------------------------------------------------------------- the sweep


def test_every_vault_object_is_read_within_a_day(pool: ThreadPoolExecutor) -> None:
    """Where a sweep has time for three of twenty objects, those that it left are read first some hours later."""
    box = Box()
    refs = {VaultCertificateRef.parse(VAULT, "certificate", f"shop-{number}") for number in range(20)}
    for hours in range(24):
        box.clock.time = NOW + hours * HOUR
        looks = dict(_reading(box.run(pool), refs))
        assert looks.keys() == refs, "what was not read is known to be left"
        assert sum(look.lineage is not None for look in looks.values()) == 3
    assert set(box.read) == refs


def test_vaults_that_are_not_ours_are_not_read(pool: ThreadPoolExecutor) -> None:
    """Neither an imported copy nor a root of an environment has a vault read that the setting does not name."""
    copies = (copy(), copy("foreign", source=FOREIGN), copy("upload", source=None))
    assert _imported(Fleet(NOW, certificates=copies), APPLY.vaults) == {REF}
    known = Cycle(ASE).wanting("evil/root", NEW, NOW).wanting(f"{VAULT}/root", NEW, NOW)
    found = _known_roots(Box().run(pool), (known,))
    assert found == {VaultCertificateRef.parse(VAULT, "secret", "root")}


# ----------------------------------------------------------------------------------------------------------- the queue


@dataclass
class Queues:
    """The queues of a storage account, none of which is there at first."""

    made: set[str] = field(default_factory=set)
    sent: list[tuple[str, str, int]] = field(default_factory=list)

    def get_queue_client(self, name: str, **_: object) -> "Client":
        """Return the client of a queue."""
        return Client(self, name)


@dataclass
class Client:
    """One queue."""

    queues: Queues
    name: str

    def create_queue(self) -> None:
        """Make the queue."""
        self.queues.made.add(self.name)

    def send_message(self, body: str, *, visibility_timeout: int) -> None:
        """Keep the message, if there is a queue for it."""
        if self.name not in self.queues.made:
            raise ResourceNotFoundError
        self.queues.sent.append((self.name, body, visibility_timeout))


@pytest.mark.parametrize(("delay", "seconds"), [(0.0, 0), (0.2, 1), (1.0, 1), (59.5, 60), (900.0, 900)])
def test_wait_is_never_cut_short(delay: float, seconds: int) -> None:
    """A message is visible when it is due and not before: the moment that it waits for would not have come."""
    queues: Any = Queues()
    message = CertificateMessage(REF, Cause.WAIT, 3)
    StorageQueue(queues).send_certificate(message, timedelta(seconds=delay))
    assert queues.sent == [("certificates", message.body(), seconds)]
