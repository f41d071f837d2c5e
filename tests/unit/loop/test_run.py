"""A run of Certroll performs the steps of a plan in order, and handles refusals, conflicts and lost leases."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import pytest

from shared.domain.certificates.requirements import Case
from shared.domain.certificates.version import CertificateVersion
from shared.domain.deadline import TIME_BUDGET
from shared.domain.errors import (
    CertrollError,
    Conflict,
    Denied,
    LeaseLost,
    NotFound,
    NotKept,
    NotSettled,
    NotYet,
    OutcomeUnknown,
    OutOfTime,
    Rejected,
    Unavailable,
)
from shared.domain.findings import HistoryEntry
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.backoff import ROUNDS, planning_again
from shared.loop.perform import Performed, perform_all, perform_each
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.planning.actions.keep_superseded import KeepSuperseded
from shared.planning.plan import Phase, Skip, Step, Traits
from shared.ports import Ports
from tests.build import NOW, REF, WEST, ManualClock, copy, farm, old_version, ports, site_ref

Result = TypeVar("Result")
EARLY = NotYet("after the sync")
KEPT = copy("kept", source=None)


@dataclass(frozen=True)
class Trial(Traits):
    """This fake step of a plan gives its answers in order, repeats the last answer, and records each attempt."""

    name: str
    answers: list[bool | Exception]
    turns: list[str]
    of: SiteRef | None = None
    phase: ClassVar[Phase] = Phase.SHARED
    webspace: Webspace = WEST
    writes: frozenset[Thumbprint] = frozenset()

    @property
    def subject(self) -> str:
        """Return the name of the fake step."""
        return self.name

    @property
    def site(self) -> SiteRef | None:
        """Return the site of the fake step."""
        return self.of

    def cases(self, _: CertificateVersion, __: Snapshot) -> tuple[Case, ...]:
        """Return no certificate uses, because the fake step brings no certificate version anywhere."""
        return ()

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot unchanged."""
        return snapshot

    def perform(self, _: Ports) -> bool:
        """Return or raise the next answer of the fake step."""
        self.turns.append(self.name)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Doing:
    """This helper runs fake steps with a lease, a journal and a retry layer that record their calls."""

    run: Run
    clock: ManualClock
    turns: list[str] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    checks: int = 0
    lost_at: int = 99
    tries: int = 0

    def check(self) -> None:
        """Count the checks of the lease, and raise `LeaseLost` at the check with the number `lost_at` and later."""
        self.checks += 1
        if self.checks >= self.lost_at:
            raise LeaseLost("lost")

    def retry(self, work: Callable[[], Result]) -> Result:
        """Do the work of the caller a single time and count the call."""
        self.tries += 1
        return work()

    def add(self, ref: VaultCertificateRef, entries: tuple[HistoryEntry, ...]) -> None:
        """Record the history entries that Certroll adds."""
        assert ref == REF
        self.history.extend(entries)

    def step(self, name: str, *answers: bool | Exception, site: str | None = None) -> Step:
        """Return a fake step of a plan, which gives these answers in order."""
        trial = Trial(name, list(answers) or [True], self.turns, site_ref(site) if site else None)
        return Step(trial, Reason.STALE_COPY)

    def all(self, *steps: Step) -> tuple[Skip, ...]:
        """Run the steps and return the steps that Azure refused."""
        return perform_all(self.run, self, REF, steps)


@pytest.fixture(name="doing")
def _doing(caplog: pytest.LogCaptureFixture) -> Iterator[Doing]:
    caplog.set_level(logging.INFO, logger="certroll")
    clock = ManualClock()
    with Pool(1, "reader") as pool:
        bare: Any = ports(clock=clock)
        doing = Doing(Run.start(bare, Intent(), pool), clock)
        given: Any = doing
        doing.run = replace(doing.run, ports=replace(bare, history=given, retrying=given))
        yield doing


def whole(log: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """Return the logged events without the vault certificate's name, after a check that each event has the name."""
    lines: list[dict[str, str]] = [json.loads(line) for line in log.messages]
    assert {line.pop("certificate") for line in lines} == {"kv-shop/shop"}
    return lines


def test_log_says_what_became_of_each_step(doing: Doing, caplog: pytest.LogCaptureFixture) -> None:
    """Each log event names the vault certificate and the subject, with the step's reason or Azure's message."""
    doing.all(doing.step("keep", EARLY), doing.step("sync", Denied("no")), doing.step("bind"))
    assert whole(caplog) == [
        {"event": "step.put_off", "subject": "keep", "detail": "after the sync"},
        {"event": "step.refused", "subject": "sync", "reason": "DeniedByAzure", "detail": "no"},
        {"event": "step.performed", "subject": "bind", "reason": "StaleCopy"},
        {"event": "step.not_needed", "subject": "keep", "reason": "StaleCopy"},
    ]


def logged(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the name and the subject of each logged event."""
    return [(line["event"], line.get("subject", "")) for line in map(json.loads, log.messages)]


def test_steps_are_performed_in_order(doing: Doing, caplog: pytest.LogCaptureFixture) -> None:
    """Certroll performs each step of a plan once, in order, and records each step in the history."""
    assert doing.all(doing.step("a"), doing.step("b", False), doing.step("c")) == ()
    assert (doing.turns, doing.tries) == (["a", "b", "c"], 3)
    assert doing.history == [
        HistoryEntry(NOW, "step.performed", "a", Reason.STALE_COPY),
        HistoryEntry(NOW, "step.not_needed", "b", Reason.STALE_COPY),
        HistoryEntry(NOW, "step.performed", "c", Reason.STALE_COPY),
    ]
    assert logged(caplog) == [("step.performed", "a"), ("step.not_needed", "b"), ("step.performed", "c")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Denied("no"), Reason.DENIED_BY_AZURE),
        (Rejected("no"), Reason.REJECTED_BY_AZURE),
        (Rejected("no", Reason.KEY_MISMATCH), Reason.KEY_MISMATCH),
        (NotFound("no"), Reason.REJECTED_BY_AZURE),
        (NotSettled("no"), Reason.NOT_SETTLED),
        (NotKept("no"), Reason.NO_OVERLAP),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_refusal_of_a_step_does_not_hold_up_the_others(
    doing: Doing, caplog: pytest.LogCaptureFixture, error: CertrollError, reason: Reason
) -> None:
    """Certroll returns a step that Azure refused with reason and site, and performs the steps after it."""
    refused = doing.all(doing.step("a", error, site="shop"), doing.step("b"), doing.step("c", error))
    assert refused == (Skip("a", reason, "no", site_ref()), Skip("c", reason, "no"))
    assert doing.turns == ["a", "b", "c"]
    assert [entry.subject for entry in doing.history] == ["b"]
    assert logged(caplog) == [("step.refused", "a"), ("step.performed", "b"), ("step.refused", "c")]


@pytest.mark.parametrize(
    "error", [Conflict("moved"), OutcomeUnknown("504"), KeyError("bug")], ids=lambda e: type(e).__name__
)
def test_other_errors_end_the_run(doing: Doing, error: Exception) -> None:
    """After an unexpected error, or an error that needs a new plan, Certroll ends the run at once."""
    with pytest.raises(type(error)):
        doing.all(doing.step("a", error), doing.step("b"))
    assert doing.turns == ["a"]


def test_what_azure_does_not_answer_holds_up_no_other_step(doing: Doing) -> None:
    """If Azure gives no answer to a step, Certroll counts the step as refused and performs the other steps.

    If Azure gives no answer to a step, Certroll performs the other steps and then returns the step's error.
    """
    lost, late = OutcomeUnknown("504"), Unavailable("503")
    steps = (doing.step("a", lost, site="shop"), doing.step("b"), doing.step("c", late))
    performed = perform_each(doing.run, doing, REF, steps)
    assert performed.refused == (
        Skip("a", Reason.NO_ANSWER, "504", site_ref()),
        Skip("c", Reason.NO_ANSWER, "503"),
    )
    assert doing.turns == ["a", "b", "c"]
    assert performed.unanswered == (lost, late)


def test_steps_of_which_none_is_refused_leave_nothing(doing: Doing) -> None:
    """If Certroll performed all steps of a plan, it returns neither a refusal nor an error."""
    assert perform_each(doing.run, doing, REF, (doing.step("a"), doing.step("b", False))) == Performed()
    assert [entry.subject for entry in doing.history] == ["a", "b"]


@dataclass(frozen=True)
class Unanswered(KeepSuperseded):
    """A step that uploads a superseded version to preserve it, and to which Azure gives no clear answer."""

    def perform(self, _: Ports) -> bool:
        """Raise `OutcomeUnknown`, as after a write to which Azure gave no clear answer."""
        raise OutcomeUnknown("504")


def test_nothing_is_replaced_while_it_is_not_known_whether_the_old_is_kept(doing: Doing) -> None:
    """Certroll syncs no imported certificate until it knows that Azure stored the uploaded old version.

    A sync without the uploaded old version would take the old version away from apps that still name it.
    """
    keep = Unanswered(REF, old_version(), KEPT, farm())
    sync = doing.step("sync")
    performed = perform_each(doing.run, doing, REF, (Step(keep, Reason.SUPERSEDED_IN_USE), sync))
    assert [(skip.subject, skip.reason) for skip in performed.refused] == [
        (keep.subject, Reason.NO_ANSWER),
        ("sync", Reason.NO_ANSWER),
    ]
    assert doing.turns == []
    assert len(performed.unanswered) == 1


def test_step_that_is_too_early_is_done_at_the_end(doing: Doing, caplog: pytest.LogCaptureFixture) -> None:
    """If a step of a plan needs other steps first, Certroll performs those other steps first."""
    assert doing.all(doing.step("keep", EARLY, True), doing.step("sync"), doing.step("bind")) == ()
    assert doing.turns == ["keep", "sync", "bind", "keep"]
    assert [entry.subject for entry in doing.history] == ["sync", "bind", "keep"]
    assert logged(caplog)[0] == ("step.put_off", "keep")


def test_several_steps_that_are_too_early_are_all_done(doing: Doing) -> None:
    """If several steps of a plan need another step first, Certroll performs all of them after that step."""
    early = [doing.step(name, EARLY, True) for name in ("a", "b", "c")]
    assert doing.all(*early, doing.step("sync")) == ()
    assert doing.turns == ["a", "b", "c", "sync", "a", "b", "c"]


@pytest.mark.parametrize("many", [1, 2, 5])
def test_step_that_stays_too_early_ends(doing: Doing, caplog: pytest.LogCaptureFixture, many: int) -> None:
    """Certroll drops a step that waits for another step if Azure refuses the other step."""
    early = [doing.step(f"keep {number}", EARLY) for number in range(many)]
    (refused,) = doing.all(*early, doing.step("sync", Denied("no")))
    assert refused.subject == "sync"
    assert doing.history == []
    assert {("step.not_needed", step.subject) for step in early} <= set(logged(caplog))
    assert len(doing.turns) <= 2 * many + 1


def test_step_that_is_too_early_alone_ends(doing: Doing) -> None:
    """If a step has to wait and the plan has no later step, Certroll attempts the waiting step only once."""
    assert doing.all(doing.step("keep", EARLY)) == ()
    assert doing.turns == ["keep"]


def test_lost_lease_stops_between_steps(doing: Doing) -> None:
    """If Certroll has lost its lease, it stops between two steps, because another instance may write."""
    doing.lost_at = 2
    with pytest.raises(LeaseLost):
        doing.all(doing.step("a"), doing.step("b"))
    assert doing.turns == ["a"]


def test_time_that_is_over_stops_between_steps(doing: Doing) -> None:
    """Certroll stops between two steps of a plan if its time is over, and another run performs the remaining steps."""
    doing.clock.time = NOW + TIME_BUDGET - timedelta(seconds=1)
    assert doing.all(doing.step("a")) == ()
    doing.clock.time = NOW + TIME_BUDGET
    with pytest.raises(OutOfTime):
        doing.all(doing.step("b"))
    assert doing.turns == ["a"]


@pytest.mark.parametrize("moves", range(ROUNDS))
def test_world_that_moves_is_planned_again(moves: int, caplog: pytest.LogCaptureFixture) -> None:
    """After a conflict with another writer, Certroll plans again, and makes at most three attempts."""
    caplog.set_level(logging.INFO, logger="certroll")
    rounds = iter([Conflict("moved")] * moves + [None])

    def attempt() -> str:
        if (error := next(rounds)) is not None:
            raise error
        return "done"

    assert planning_again(attempt) == "done"
    assert next(rounds, "over") == "over"
    assert [json.loads(line) for line in caplog.messages] == [{"event": "plan.outdated", "detail": "moved"}] * moves


def test_world_that_keeps_moving_is_left() -> None:
    """Certroll raises the third conflict with another writer, so that the queue delivers the message again later."""
    tries: list[int] = []

    def attempt() -> None:
        tries.append(1)
        raise Conflict("moved")

    with pytest.raises(Conflict):
        planning_again(attempt)
    assert len(tries) == ROUNDS == 3
