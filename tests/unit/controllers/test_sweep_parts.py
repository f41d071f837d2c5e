"""Each part of a sweep has a run of its own, is done once, and the sweep tells its end once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from shared.controllers.intake.dead_letters import replay
from shared.controllers.intake.queues import on_poison, on_sweep
from shared.controllers.sweep import parts
from shared.controllers.sweep.certificates import Judged
from shared.controllers.sweep.controller import begin_sweep
from shared.domain.deadline import TIME_BUDGET
from shared.domain.errors import OutOfTime, StorageFailed, Unavailable
from shared.domain.messages import SWEEPS, SweepMessage
from shared.domain.sweeps import LOST_AFTER, MOST_RUNS, Job, Unseen
from shared.loop.observe.targets import Targets
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import APPLY, HOUR, NOW, ManualClock
from tests.small_storage import Died, SmallLeases, SmallStorage, ports_on

MOST_WRITES = 40


@dataclass
class Queue:
    """The queue `sweeps` of a test: the messages in order, each with its delay."""

    sent: list[tuple[SweepMessage, timedelta]] = field(default_factory=list)
    fails: bool = False

    def create_missing(self) -> None:
        """Create no queue, because every queue exists."""

    def send_sweep(self, message: SweepMessage, delay: timedelta = timedelta(0)) -> None:
        """Keep the message, or fail as the storage account does."""
        if self.fails:
            raise StorageFailed("queue sweeps: 503")
        self.sent.append((message, delay))

    def put_back(self, queue: str, body: str) -> None:
        """Keep the message of a dead letter."""
        assert queue == SWEEPS
        self.sent.append((SweepMessage.parse(body), timedelta(0)))


class Sweeping:
    """An installation whose parts of a sweep do nothing but what the test says."""

    def __init__(self, pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        """Begin without a sweep."""
        self.pool, self.caplog = pool, caplog
        self.clock, self.queue, self.storage, self.leases = ManualClock(), Queue(), SmallStorage(), SmallLeases()
        self.done = list[str]()
        self.works: dict[str, Callable[[Run], object]] = {}
        self.errors = list[Exception]()
        self.intent = APPLY
        monkeypatch.setattr(parts, "JOBS", {job: self._work(job) for job in Job})
        caplog.set_level("INFO", logger="certroll")

    def _work(self, job: str) -> Callable[[Run], object]:
        def work(run: Run) -> object:
            self.done.append(str(job))
            plain = judged() if job == Job.CERTIFICATES else None
            return self.works.get(job, lambda _: plain)(run)

        return work

    def run(self) -> Run:
        """Return a run that starts now."""
        return Run.start(
            ports_on(self.storage, self.clock, queue=self.queue, leases=self.leases), self.intent, self.pool
        )

    def begin(self) -> None:
        """Run the timer."""
        begin_sweep(self.run())

    def deliver(self, body: str) -> bool:
        """Deliver a message, and return True if its function succeeded."""
        try:
            on_sweep(self.run(), body)
        except Exception as error:  # noqa: BLE001 - the host delivers the message again
            self.errors.append(error)
            return False
        return True

    def deliver_all(self) -> None:
        """Deliver each message, and once more each message whose function failed."""
        while self.queue.sent:
            message, _ = self.queue.sent.pop(0)
            if not self.deliver(message.body()):
                assert self.deliver(message.body()), "the second delivery finds nothing to do"

    def told(self, name: str = "sweep.completed") -> list[dict[str, object]]:
        """Return the events of a name."""
        return [line for line in map(json.loads, self.caplog.messages) if line["event"] == name]

    def open_reasons(self) -> list[str]:
        """Return the reasons of the open findings."""
        return [str(row["reason"]) for row in self.storage.all("certrollfindings") if row.get("state") == "open"]


def judged(unseen: tuple[str, ...] = (), error: Exception | None = None, late: tuple[str, ...] = ()) -> Judged:
    """Return the result of a judging."""
    return Judged((), Unseen.of(unseen), error, Targets(), late)


@pytest.fixture
def sweeping(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Sweeping]:
    """Yield an installation that can sweep."""
    with Pool(1, "reader") as pool:
        yield Sweeping(pool, monkeypatch, caplog)


def test_sweep_does_each_part_once_and_tells_its_end_once(sweeping: Sweeping) -> None:
    """Each part has one run, environments after the certificates, and the end is told once, with how long it took."""
    sweeping.works[Job.ORDERS] = lambda _: sweeping.clock.sleep(90)
    sweeping.begin()
    sweeping.deliver_all()
    assert sweeping.done == ["orders", "managed", "certificates", "environments"]
    (told,) = sweeping.told()
    assert (told["seconds"], told["judged"], told["failed"], told["left"]) == (90, True, [], [])


@pytest.mark.parametrize("sick", list(Job))
def test_part_that_takes_all_its_time_leaves_each_other_part_its_own(sweeping: Sweeping, sick: Job) -> None:
    """If one part takes all the time of its run, each other part has the time of a whole run in the same sweep."""
    left = dict[str, timedelta]()

    def look(run: Run) -> None:
        left[sick] = run.ends_at - run.now()

    def last(run: Run) -> None:
        while True:
            run.check_time()
            sweeping.clock.sleep(30)

    sweeping.works |= dict.fromkeys(Job, look) | {sick: last}
    sweeping.begin()
    sweeping.deliver_all()
    assert set(sweeping.done) == set(Job)
    assert left == {sick: TIME_BUDGET}
    assert [type(error) for error in sweeping.errors] == [OutOfTime]
    assert [told["failed"] for told in sweeping.told()] == [[sick]]


def test_sweep_that_could_not_look_at_the_fleet_has_judged_nothing(sweeping: Sweeping) -> None:
    """The end of a sweep says whether the certificates were judged, and what could not be seen."""
    sweeping.works[Job.CERTIFICATES] = lambda _: judged(("vault kv-shop",), Unavailable("kv-shop"))
    sweeping.begin()
    sweeping.deliver_all()
    sweeping.works[Job.CERTIFICATES] = failing
    sweeping.begin()
    sweeping.deliver_all()
    told = [(told["judged"], told["failed"], told["unseen"]) for told in sweeping.told()]
    assert told == [(True, [], ["vault kv-shop"]), (False, ["certificates"], [])]
    assert [str(error) for error in sweeping.errors] == ["kv-shop", "Azure is away"]


def failing(_: Run) -> None:
    """Fail as a part does whose service does not answer."""
    raise Unavailable("Azure is away")


def test_death_at_any_write_costs_no_part_and_no_end(sweeping: Sweeping) -> None:
    """After a death at any write of the record, the message comes back, each part is done, and the end is told.

    A run that dies between the line and the write that forgets the sweep tells the end a second time.
    """
    told = list[int]()
    for write in range(MOST_WRITES):
        sweeping.storage, sweeping.queue, sweeping.done = SmallStorage(), Queue(), []
        sweeping.caplog.clear()
        died = False
        sweeping.begin()
        sweeping.storage.lasts = write
        while sweeping.queue.sent:
            message, _ = sweeping.queue.sent.pop(0)
            try:
                on_sweep(sweeping.run(), message.body())
            except Died:
                died, sweeping.storage.lasts = True, None
                sweeping.queue.sent.append((message, timedelta(0)))
        assert set(sweeping.done) == set(Job), f"death at write {write}"
        told.append(len(sweeping.told()))
        if not died:
            break
    assert set(told) == {1, 2}
    assert told.count(2) == 1
    assert 4 < write < MOST_WRITES - 1


def test_death_between_the_end_of_a_part_and_the_next_message_is_made_up_for(sweeping: Sweeping) -> None:
    """If a run dies before it sends the message of the part that waited for it, its second delivery sends it."""
    sweeping.begin()
    judging = next(message for message, _ in sweeping.queue.sent if message.part == Job.CERTIFICATES)
    sweeping.queue.sent.remove((judging, timedelta(0)))
    sweeping.queue.fails = True
    assert not sweeping.deliver(judging.body())
    sweeping.queue.fails = False
    assert sweeping.deliver(judging.body())
    sweeping.deliver_all()
    assert sorted(sweeping.done) == sorted(Job)
    assert len(sweeping.told()) == 1


def test_second_message_of_a_part_waits_for_the_first(sweeping: Sweeping) -> None:
    """While a run is at work on a part, a second message waits, and then finds nothing to do."""
    sweeping.begin()
    message = sweeping.queue.sent[0][0]
    sweeping.leases.busy.add(f"sweep {message.part}")
    assert sweeping.deliver(message.body())
    assert sweeping.queue.sent[-1] == (message, parts.BUSY_PAUSE)
    sweeping.leases.busy.clear()
    sweeping.deliver_all()
    assert sorted(sweeping.done) == sorted(Job)


def test_later_sweep_leaves_a_part_under_way_and_says_so(sweeping: Sweeping) -> None:
    """A part under way gets no second message: the later sweep logs it, a third reports it, and the end closes it."""
    sweeping.begin()
    orders = sweeping.queue.sent[0][0]

    def sweep_again(_: Run) -> None:
        for hour, lasts in ((1, False), (2, True)):
            sweeping.clock.time = NOW + hour * (LOST_AFTER - timedelta(minutes=1)) / 2
            sweeping.begin()
            sweeping.queue.sent.clear()
            assert ("SweepLasts" in sweeping.open_reasons()) == lasts

    sweeping.works[Job.ORDERS] = sweep_again
    sweeping.deliver(orders.body())
    assert sweeping.done == ["orders"]
    assert [told["left"] for told in sweeping.told("sweep.part_left")] == ["orders"] * 2
    sweeping.works.clear()
    sweeping.clock.time += HOUR
    sweeping.begin()
    sweeping.deliver_all()
    assert "SweepLasts" not in sweeping.open_reasons()
    assert sweeping.told()[-1]["left"] == []


def test_lost_messages_are_made_up_for_by_the_next_sweep(sweeping: Sweeping) -> None:
    """If the timer cannot send the messages, or they are lost, the next sweep does all parts and both ends are told."""
    sweeping.queue.fails = True
    with pytest.raises(ExceptionGroup):
        sweeping.begin()
    sweeping.queue.fails = False
    sweeping.clock.time += HOUR
    sweeping.begin()
    sweeping.deliver_all()
    assert sorted(sweeping.done) == sorted(Job)
    assert [told["failed"] for told in sweeping.told()] == [sorted(Job), []]


def test_part_that_fails_for_good_ends_and_can_be_asked_for(sweeping: Sweeping) -> None:
    """A message that failed five times becomes a dead letter, the sweep goes on, and a replay does the part at once."""
    sweeping.begin()
    message = sweeping.queue.sent.pop(0)[0]
    on_poison(sweeping.run(), SWEEPS, message.body())
    sweeping.deliver_all()
    assert [told["failed"] for told in sweeping.told()] == [[message.part]]
    assert message.part not in sweeping.done
    rows = sweeping.storage.all("certrollfindings")
    (key,) = (str(row["RowKey"]) for row in rows if row.get("reason") == "DeadLetter")
    replay(sweeping.run(), SWEEPS, key)
    sweeping.deliver_all()
    assert sweeping.done[-1] == message.part
    assert len(sweeping.told()) == 1


def test_replayed_part_fails_as_any_other(sweeping: Sweeping) -> None:
    """A part that an operator asks for outside of a sweep raises its error, and its message is delivered again."""
    sweeping.works[Job.ORDERS] = failing
    assert not sweeping.deliver(SweepMessage(Job.ORDERS, None).body())
    on_poison(sweeping.run(), SWEEPS, SweepMessage(Job.ORDERS, None).body())
    on_poison(sweeping.run(), SWEEPS, "?!?")
    assert sweeping.told() == []


def test_unreadable_record_is_replaced(sweeping: Sweeping) -> None:
    """A record of sweeps that nobody can read stops no sweep: it counts as none, and the log says so."""
    for odd in ('[{"began": "2026-12-01"}]', '"x"', "[1]", '[{"began": "2026-12-01T00:00:00", "parts": []}]'):
        row = {"PartitionKey": "sweeps", "RowKey": "sweeps", "sweeps_parts": 1, "sweeps_0": odd}
        sweeping.storage.write("certrolljournal", [row])
        sweeping.begin()
        sweeping.deliver_all()
    assert sweeping.done == list(Job) * 4
    assert len(sweeping.told("sweep.record_unread")) == 4


SUBSCRIPTIONS = ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b")


def slices(sweeping: Sweeping) -> list[str]:
    """Return the slices whose messages wait on the queue."""
    return [message.part for message, _ in sweeping.queue.sent if message.part in SUBSCRIPTIONS]


def certificates(sweeping: Sweeping) -> str:
    """Take the message of the judging from the queue, drop all others, and return its body."""
    bodies = [message.body() for message, _ in sweeping.queue.sent if message.part == Job.CERTIFICATES]
    sweeping.queue.sent.clear()
    return bodies[0]


def test_judging_with_an_error_and_no_time_is_not_repeated_before_its_slices(sweeping: Sweeping) -> None:
    """A judging that met an error and ran out of time judges again after its slices, and not when its message returns.

    Its function fails, so that people see the error, and the host delivers the message again.
    """
    late = judged(late=SUBSCRIPTIONS, error=Unavailable("vault kv-shop: 503"))
    sweeping.works[Job.CERTIFICATES] = lambda _: late
    sweeping.begin()
    body = certificates(sweeping)
    assert not sweeping.deliver(body)
    assert sweeping.deliver(body)
    assert sweeping.done.count(Job.CERTIFICATES) == 1
    assert set(slices(sweeping)) == set(SUBSCRIPTIONS)


def test_death_before_the_messages_of_slices_loses_no_slice(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a run dies after it recorded its slices and before it sent their messages, its own message sends them."""
    sweeping.works[Job.CERTIFICATES] = lambda _: judged(late=SUBSCRIPTIONS)
    sweeping.begin()
    body = certificates(sweeping)

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(sweeping.queue, "send_sweep", die)
        with pytest.raises(Died):
            sweeping.deliver(body)
    sweeping.leases.busy.clear()
    assert slices(sweeping) == []
    assert sweeping.deliver(body)
    assert slices(sweeping) == list(SUBSCRIPTIONS)
    assert sweeping.done.count(Job.CERTIFICATES) == 1


def test_slice_outside_the_served_subscriptions_is_refused(sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll reads no subscription for a message that names one outside of CERTROLL_SUBSCRIPTIONS, and says so."""
    read = list[str]()
    monkeypatch.setattr(parts, "read_slice", lambda _run, _began, subscription: read.append(subscription))
    monkeypatch.setattr(sweeping, "intent", replace(APPLY, subscriptions=SUBSCRIPTIONS[:1]))
    for subscription in SUBSCRIPTIONS:
        assert sweeping.deliver(SweepMessage(subscription, None).body())
    assert read == [SUBSCRIPTIONS[0]]
    assert [told["subscription"] for told in sweeping.told("sweep.slice_refused")] == [SUBSCRIPTIONS[1]]


def test_subscription_that_no_slice_reads_is_reported_until_a_judging_reads_it(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the runs of a sweep had no time to read is a finding once no slice is at work on it any more."""
    monkeypatch.setattr(parts, "read_slice", lambda *_: True)
    sweeping.works[Job.CERTIFICATES] = lambda _: judged(late=SUBSCRIPTIONS[:1])
    sweeping.begin()
    reported = list[bool]()
    while sweeping.queue.sent:
        message, _ = sweeping.queue.sent.pop(0)
        assert sweeping.deliver(message.body())
        reported.append("NotReadInTime" in sweeping.open_reasons())
    assert reported.index(True) > MOST_RUNS
    assert reported[-1]
    assert sweeping.told()


def test_without_remembered_settings_what_is_late_is_reported_at_once(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CERTROLL_SETTINGS_REREAD 0 no slice reads on, so the first judging reports what it had no time for."""
    monkeypatch.setattr(sweeping, "intent", replace(APPLY, settings_reread=timedelta(0)))
    sweeping.works[Job.CERTIFICATES] = lambda _: judged(late=SUBSCRIPTIONS[:1])
    sweeping.begin()
    sweeping.deliver_all()
    assert slices(sweeping) == []
    assert sweeping.open_reasons() == ["NotReadInTime"]
