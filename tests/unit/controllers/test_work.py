"""Operators release stopped versions and replay dead letters, sweeps read vaults, and queues carry messages."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.core.paging import ItemPaged

from shared.clients.storage.queues import StorageQueue
from shared.controllers.intake.dead_letters import remove, replay
from shared.controllers.intake.operators import confirm_stop_start, release, request_stop_start
from shared.controllers.intake.queues import on_site
from shared.controllers.sweep.reading import imported, known_roots, read_in_turn
from shared.domain.certificates.lineage import Lineage
from shared.domain.deadline import TIME_BUDGET
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import Conflict, NotFound
from shared.domain.fleet.fleet import Fleet
from shared.domain.messages import Cause, CertificateMessage, EnvironmentMessage
from shared.domain.names import EnvironmentRef, VaultCertificateRef
from shared.domain.rollout.site_record import SiteState
from shared.loop.pool import Pool
from shared.loop.run import Run
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

ABROAD = EnvironmentRef("00000000-0000-0000-0000-00000000000b", ASE.resource_group, ASE.name)
TWIN = EnvironmentRef(SUBSCRIPTION, "rg-other", ASE.name)
FOREIGN = VaultCertificateRef.parse("evil", "certificate", "shop")
KEY = "0" * 64


@dataclass
class Box:
    """This fake is a queue that records sent messages, and a vault that records each object that Certroll reads."""

    clock: ManualClock = field(default_factory=ManualClock)
    storage: SmallStorage = field(default_factory=SmallStorage)
    leases: SmallLeases = field(default_factory=SmallLeases)
    sent: list[object] = field(default_factory=list)
    read: list[VaultCertificateRef] = field(default_factory=list)
    fails: Exception | None = None

    def run(self, pool: Pool, **others: object) -> Run:
        """Return a run of Certroll on the fake queue and vault."""
        ports = ports_on(self.storage, self.clock, queue=self, vault=self, leases=self.leases, **others)
        return Run.start(ports, APPLY, pool)

    def send_certificate(self, message: CertificateMessage) -> None:
        """Record the queue message that Certroll sent."""
        self.sent.append(message)

    def send_environment(self, message: EnvironmentMessage) -> None:
        """Record the queue message that Certroll sent."""
        self.sent.append(message)

    def put_back(self, queue: str, body: str) -> None:
        """Record the body of the message that Certroll put back onto its queue."""
        if self.fails:
            raise self.fails
        self.sent.append((queue, body))

    def lineage(self, ref: VaultCertificateRef, _: datetime) -> Lineage:
        """Return a vault certificate after a third of a run's time, as a slow vault does."""
        self.read.append(ref)
        self.clock.sleep(TIME_BUDGET.total_seconds() / 3)
        return LINEAGE


@pytest.fixture(name="pool")
def _pool() -> Iterator[Pool]:
    with Pool(1, "reader") as pool:
        yield pool


# ------------------------------------------------------------------------------------------------------- dead letters


def test_kept_message_is_put_back_once(pool: Pool) -> None:
    """The replay of a dead letter (a message that failed five times) puts the message back unchanged into its queue."""
    box = Box()
    kept = box.run(pool).ports.dead_letters.add("sites", "{}", "KeyError")
    replay(box.run(pool), "sites", kept.key)
    assert box.sent == [("sites", "{}")]
    with pytest.raises(NotFound):
        replay(box.run(pool), "sites", kept.key)


def test_message_that_could_not_be_put_back_is_kept(pool: Pool) -> None:
    """A dead letter stays in the journal if the queue refuses its message during a replay."""
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
def test_what_is_no_key_of_a_queue_is_not_looked_for(pool: Pool, queue: str, key: str) -> None:
    """The replay of a malformed queue name or key raises `NotFound` without a read of the journal."""
    for take in (replay, remove):
        with pytest.raises(NotFound):
            take(Box().run(pool, dead_letters=None), queue, key)


# ---------------------------------------------------------------------------------------------------- holds and stops


def test_only_the_environment_that_was_named_is_cycled(pool: Pool) -> None:
    """An operator's request to stop and start apps affects only the named App Service Environment."""
    box = Box()
    for ref in (ASE, TWIN):
        box.run(pool).ports.environment_records.put(EnvironmentRecord(ref, since=NOW - HOUR, done_at=NOW))
    assert request_stop_start(box.run(pool), " RG-Network ", ASE.name.upper()) == ASE.resource_id
    assert box.sent == [EnvironmentMessage(ASE)]
    assert [known.environment for known in box.run(pool).ports.environment_records.all() if known.is_open] == [ASE]


def test_only_the_environment_that_was_named_counts_as_cycled(pool: Pool) -> None:
    """An operator's report that a stop and start is done affects only the named App Service Environment."""
    box = Box()
    for ref in (ASE, TWIN):
        box.run(pool).ports.environment_records.change(ref, lambda known: known.noting(NEW, NOW).requested(NOW))
    confirm_stop_start(box.run(pool), ASE.resource_group, ASE.name)
    assert [known.environment for known in box.run(pool).ports.environment_records.all() if known.is_requested] == [
        TWIN
    ]


@pytest.mark.parametrize("ask", [request_stop_start, confirm_stop_start])
def test_name_of_two_environments_is_refused(pool: Pool, ask: Callable[..., str]) -> None:
    """A request that names two environments of two subscriptions changes neither, and the full id names one."""
    box = Box()
    known = {ref: EnvironmentRecord(ref, since=NOW - HOUR) for ref in (ASE, ABROAD)}
    for environment_record in known.values():
        box.run(pool).ports.environment_records.put(environment_record)
    with pytest.raises(Conflict) as refused:
        ask(box.run(pool), ASE.resource_group, ASE.name)
    assert all(ref.resource_id in str(refused.value) for ref in known)
    assert {found.environment: found.done_at for found in box.run(pool).ports.environment_records.all()} == {
        ASE: None,
        ABROAD: None,
    }
    assert box.sent == []
    full_id = f" {ABROAD.resource_id.upper()}/ "
    assert ask(box.run(pool), ASE.resource_group, ASE.name, full_id) == ABROAD.resource_id
    changed = {
        found.environment
        for found in box.run(pool).ports.environment_records.all()
        if found.is_requested or found.done_at is not None
    }
    assert changed == {ABROAD}
    with pytest.raises(NotFound):
        ask(box.run(pool), "another", ASE.name, ABROAD.resource_id)


def test_nobody_says_that_it_is_done_in_the_middle_of_a_wave(pool: Pool) -> None:
    """Certroll refuses an operator's report that a stop and start is done while Certroll stops and starts apps."""
    box = Box(leases=SmallLeases({f"environment {ASE.resource_id}"}))
    box.run(pool).ports.environment_records.change(ASE, lambda known: known.requested(NOW))
    with pytest.raises(Conflict, match="try again"):
        confirm_stop_start(box.run(pool), ASE.resource_group, ASE.name)
    assert box.run(pool).ports.environment_records.of(ASE).is_requested


def test_hold_in_a_vault_that_is_not_ours_is_not_released(pool: Pool) -> None:
    """Certroll releases no stopped version of a vault outside the setting `CERTROLL_VAULTS`."""
    box = Box()
    box.run(pool).ports.rollouts.begin(FOREIGN, rollout(record(SiteState.FAILED)))
    with pytest.raises(NotFound, match="CERTROLL_VAULTS"):
        release(box.run(pool), FOREIGN.vault, FOREIGN.name)
    assert (box.read, box.sent) == ([], [])


def test_hold_that_is_released_is_looked_at_at_once(pool: Pool) -> None:
    """When an operator releases a stopped version, Certroll sends a message about the certificate at once."""
    box = Box()
    box.run(pool).ports.rollouts.begin(REF, rollout(record(SiteState.FAILED)))
    assert release(box.run(pool), REF.vault, REF.name) == "shop"
    assert box.sent == [CertificateMessage(REF, Cause.MANUAL)]
    assert box.run(pool).ports.rollouts.rollout(REF, "v2").failed == ()


# ----------------------------------------------------------------------------------------------------------- the sweep


def test_every_vault_object_is_read_within_a_day(pool: Pool) -> None:
    """A sweep that runs out of time leaves the remaining vault objects to the next sweeps, which read them first.

    In hourly sweeps that have time for three vault objects, Certroll reads each of 20 vault objects within a day.
    """
    box = Box()
    refs = {VaultCertificateRef.parse(VAULT, "certificate", f"shop-{number}") for number in range(20)}
    for hours in range(24):
        box.clock.time = NOW + hours * HOUR
        looks = dict(read_in_turn(box.run(pool), "vault certificates", refs))
        assert looks.keys() == refs, "what was not read is known to be left"
        assert sum(look.lineage is not None for look in looks.values()) == 3
    assert set(box.read) == refs


def test_vaults_that_are_not_ours_are_not_read(pool: Pool) -> None:
    """A sweep reads no vault outside `CERTROLL_VAULTS`, even if an imported certificate or an environment names it."""
    copies = (copy(), copy("foreign", source=FOREIGN), copy("upload", source=None))
    assert imported(Fleet(NOW, certificates=copies), APPLY.vaults) == {REF}
    known = EnvironmentRecord(ASE).wanting("evil/root", NEW, NOW).wanting(f"{VAULT}/root", NEW, NOW)
    found = known_roots(Box().run(pool), (known,))
    assert found == {VaultCertificateRef.parse(VAULT, "secret", "root")}


# ----------------------------------------------------------------------------------------------------------- the queue


@dataclass
class Queues:
    """These fake queues of a storage account do not exist until the code under test creates the queues."""

    made: set[str] = field(default_factory=set)
    sent: list[tuple[str, str, int]] = field(default_factory=list)
    creations: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    """The queues that another instance creates after a list, or that Azure is still deleting."""
    lists: int = 0

    def get_queue_client(self, name: str, **_: object) -> "Client":
        """Return the client of a queue."""
        return Client(self, name)

    def list_queues(self) -> "ItemPaged[Client]":
        """Return the queues that exist, and count the request."""
        self.lists += 1
        found = [Client(self, name) for name in sorted(self.made)]
        return ItemPaged(lambda _: found, lambda page: (None, iter(page)))


@dataclass
class Client:
    """This is the client of a single fake queue."""

    queues: Queues
    name: str

    def create_queue(self) -> None:
        """Create the queue, or raise an error if the queue exists already."""
        self.queues.creations.append(self.name)
        if self.name in self.queues.taken:
            raise ResourceExistsError
        self.queues.made.add(self.name)

    def send_message(self, body: str, *, visibility_timeout: int) -> None:
        """Record the message that Certroll sends, or raise an error if the queue is missing."""
        if self.name not in self.queues.made:
            raise ResourceNotFoundError
        self.queues.sent.append((self.name, body, visibility_timeout))


@pytest.mark.parametrize(("delay", "seconds"), [(0.0, 0), (0.2, 1), (1.0, 1), (59.5, 60), (900.0, 900)])
def test_wait_is_never_cut_short(delay: float, seconds: int) -> None:
    """A queue message becomes visible only when its work is due."""
    queues: Any = Queues()
    message = CertificateMessage(REF, Cause.WAIT, 3)
    StorageQueue(queues).send_certificate(message, timedelta(seconds=delay))
    assert queues.sent == [("certificates", message.body(), seconds)]


ALL_QUEUES = {
    "certificates",
    "certificates-poison",
    "environments",
    "environments-poison",
    "events",
    "events-poison",
    "sweeps",
    "sweeps-poison",
    "sites",
    "sites-poison",
}


def test_missing_queues_are_created_with_one_request_for_the_others() -> None:
    """Certroll creates the queues that are missing, and sends one request if no queue is missing."""
    queues: Any = Queues(made={"sites", "someone-elses"}, taken={"certificates"})
    StorageQueue(queues).create_missing()
    assert set(queues.creations) == ALL_QUEUES - {"sites"}
    assert queues.made == ALL_QUEUES - {"certificates"} | {"someone-elses"}
    whole: Any = Queues(made=set(ALL_QUEUES))
    StorageQueue(whole).create_missing()
    assert (whole.creations, whole.lists) == ([], 1)


# ----------------------------------------------------------------------------------------------- unreadable messages


SECRET = "Pa55-phrase"  # noqa: S105 - what a person may type


@pytest.mark.parametrize("body", [SECRET, "", json.dumps({"password": SECRET}), json.dumps({"v": 1, "vault": SECRET})])
def test_unreadable_message_is_a_finding_and_shows_nothing_typed(
    pool: Pool, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that Certroll cannot read becomes a finding, and only the dead letter's row shows a text in it."""
    caplog.set_level("INFO", "certroll")
    box = Box()
    on_site(box.run(pool), body)
    findings = [row for row in box.storage.all("certrollfindings") if row["reason"] == "MalformedMessage"]
    (kept,) = (row for row in box.storage.all("certrollfindings") if row["reason"] == "DeadLetter")
    assert [row["scope"] for row in findings] == ["queue sites"]
    assert kept["body_0"] == body
    assert kept["RowKey"] in str(findings[0]["detail"])
    assert "message.rejected" in caplog.text
    assert SECRET not in caplog.text + str(findings) + str(kept["cause"])


@pytest.mark.parametrize("answer", [remove, replay])
def test_answer_to_a_dead_letter_closes_its_finding(pool: Pool, answer: Callable[[Run, str, str], None]) -> None:
    """After an operator has removed or replayed an unreadable message, nobody has to act on it any more."""
    box = Box()
    for body in ("one", "two"):
        on_site(box.run(pool), body)
    first = min(row["RowKey"] for row in box.storage.all("certrollfindings") if row["reason"] == "DeadLetter")
    answer(box.run(pool), "sites", first)
    findings = [row for row in box.storage.all("certrollfindings") if row["reason"] == "MalformedMessage"]
    states = {row["subject"]: row["state"] for row in findings}
    assert sorted(states.values()) == ["closed", "open"]
    assert states[f"message {first[:12]}"] == "closed"


def test_dead_letter_is_removed_for_good(pool: Pool) -> None:
    """An operator can remove a dead letter (a message that failed for good), and no message goes to a queue."""
    box = Box()
    kept = box.run(pool).ports.dead_letters.add("sites", "x", "KeyError")
    remove(box.run(pool), "sites", kept.key)
    assert box.sent == []
    for take in (remove, replay):
        with pytest.raises(NotFound):
            take(box.run(pool), "sites", kept.key)
