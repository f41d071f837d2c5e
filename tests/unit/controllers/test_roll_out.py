"""Certroll's run for a certificate records sites, writes to Azure and sends messages in a fixed order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from shared.controllers.certificate.progress import Progress, RolloutRun
from shared.controllers.certificate.rollout import alternating, roll_out, webspaces_at_once
from shared.domain.errors import Denied, OutcomeUnknown, OutOfTime
from shared.domain.findings import Finding
from shared.domain.messages import SiteMessage
from shared.domain.names import VaultCertificateRef, Webspace
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.turns import Turn
from shared.loop.perform import Performed
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.plan import Plan, Skip, Step
from shared.planning.planner import plan
from tests.build import (
    APPLY,
    NEW,
    NOW,
    WEST,
    ManualClock,
    binding,
    copy,
    farm,
    named,
    ports,
    record,
    roll,
    rollout,
    site,
    snapshot,
    version,
)

SYNC = Step(SyncCertificate(copy(), farm(), version()), Reason.STALE_COPY)
BIND = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
DELETE = Step(DeleteCertificate(copy("upload", source=None), ()), Reason.SUPERSEDED)


@dataclass
class Noting:
    """This fake journal, queue, lease and retry layer notes each call to it, in the order of the calls."""

    refusals: dict[str, Exception] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def check(self) -> None:
        """Accept each check of the lease, as if Certroll still had the lease."""

    def retry(self, work: Callable[[], bool]) -> bool:
        """Return the answer that the test set for the plan's step, without performing the step."""
        assert isinstance(work, partial)
        subject: str = work.func.__self__.subject
        self.done.append(f"write {subject}")
        if subject in self.refusals:
            raise self.refusals[subject]
        return True

    def begin(self, _: VaultCertificateRef, begun: Rollout) -> tuple[SiteRecord, ...]:
        """Note the sites that Certroll records as pending."""
        self.done += [f"record {each.site} {each.state}" for each in begun.records]
        return begun.records

    def record_site(self, _: VaultCertificateRef, changed: SiteRecord) -> SiteRecord:
        """Note the site whose record Certroll writes to the journal."""
        self.done.append(f"record {changed.site} {changed.state}")
        return changed

    def observed(self, _: VaultCertificateRef, seen: Rollout, __: datetime) -> None:
        """Note if Certroll records that its plan left anything for later."""
        self.done.append(f"observed {seen.awaiting}")

    def put_roll(self, _: VaultCertificateRef, roll: RollRecord) -> RollRecord:
        """Note the app whose settings update Certroll records."""
        self.done.append(f"admit {roll.site}")
        return roll

    def add(self, *_: object) -> None:
        """Record the history entries that Certroll adds."""

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record the problems that Certroll reports."""
        self.findings += findings

    def close(self, *_: object) -> None:
        """Close no finding."""

    def of(self, *_: object) -> dict[str, Turn]:
        """Return no turn of an earlier run."""
        return {}

    def put(self, kind: str, turns: dict[str, Turn]) -> None:
        """Note which turns failed."""
        self.done.append(f"failed {kind.partition(' ')[0]}: {sum(turn.failed for turn in turns.values())}")

    def send_site(self, message: SiteMessage) -> None:
        """Note the message that Certroll sends for a site."""
        self.done.append(f"send {message.site}")


@pytest.fixture(name="run")
def _run() -> Iterator[Callable[..., Outcome]]:
    with Pool(1, "reader") as pool:

        def run(noting: Noting, made: Plan, seen: Snapshot = snapshot(), *, is_fresh: bool = True) -> Outcome:  # noqa: B008 - a value
            given: Any = noting
            noted = ("rollouts", "settings_rolls", "history", "findings", "queue", "retrying", "turns")
            own = replace(ports(clock=ManualClock(NOW)), **dict.fromkeys(noted, given))
            return roll_out(RolloutRun(Run.start(own, APPLY, pool), given, seen, version(), 0, is_fresh=is_fresh), made)

        yield run


def place(number: int, subscription: str = WEST.subscription) -> Webspace:
    """Return one of many webspaces of a subscription."""
    return replace(WEST, subscription=subscription, name=f"rg-{number:03}-westeuropewebspace")


def test_subscriptions_alternate() -> None:
    """Certroll goes from subscription to subscription, so that the limit of one holds up no site of another."""
    places = [place(number, subscription) for subscription in ("a", "b", "c") for number in range(2)]
    first, second = (tuple(place(number, name) for name in ("a", "b", "c")) for number in range(2))
    assert alternating(places) == (*first, *second)
    assert alternating((*places, place(2, "c")))[-1] == place(2, "c")


@pytest.mark.parametrize(("webspaces", "at_once"), [(1, 1), (49, 1), (50, 2), (400, 8), (1_000, 8)])
def test_many_webspaces_go_together(webspaces: int, at_once: int) -> None:
    """Up to fifty webspaces go one after another, and of more some go at the same time, at most eight."""
    assert webspaces_at_once(webspaces) == at_once


def test_webspaces_that_go_together_hold_up_no_other(run: Callable[..., Outcome]) -> None:
    """Of webspaces that go together, each gets its sites recorded before the write and sent after it.

    The time ends in one of them: Certroll sends the sites of the others, and reports the end of its time.
    """
    copies = tuple(copy(f"c{number}", webspace=place(number)) for number in range(60))
    sites = tuple(site(f"site{number}", webspace=place(number)) for number in range(60))
    bindings = tuple(binding(f"h{number}.contoso.com", site=f"site{number}") for number in range(60))
    syncs = [Step(SyncCertificate(held, farm(), version()), Reason.STALE_COPY) for held in copies]
    binds = [
        Step(UpdateBinding(bound, NEW, place(number)), Reason.STALE_THUMBPRINT) for number, bound in enumerate(bindings)
    ]
    noting = Noting({syncs[7].subject: OutOfTime("over")})
    with pytest.raises(OutOfTime):
        run(noting, Plan((*syncs, *binds)), snapshot(sites=sites, bindings=bindings, copies=copies))
    assert noting.done[-1] == "failed webspaces: 1"
    group = webspaces_at_once(60)
    assert group > 1
    reached = 7 // group * group + group
    assert {done for done in noting.done if done.startswith("send")} == {
        f"send site{number}" for number in range(reached) if number != 7
    }
    for number in range(reached):
        if number != 7:
            in_order = [f"record site{number} Pending", f"write {syncs[number].subject}", f"send site{number}"]
            assert sorted(in_order, key=noting.done.index) == in_order


def test_sites_are_recorded_before_the_first_write_and_sent_after_it(run: Callable[..., Outcome]) -> None:
    """Certroll records sites before its first write, and sends messages about the sites after the write.

    If a run of Certroll dies after it recorded a site, the next run sends the queue message about the site. Certroll
    deletes certificates after it has sent all messages about sites.
    """
    noting = Noting()
    outcome = run(noting, Plan((DELETE, SYNC, BIND)))
    assert noting.done == ["record shop Pending", f"write {SYNC.subject}", "send shop", f"write {DELETE.subject}"]
    assert (type(outcome), outcome.reason) == (Waiting, Reason.DISPATCHED)


def test_step_without_an_answer_fails_the_message_when_all_else_is_on_its_way(run: Callable[..., Outcome]) -> None:
    """If Azure gives no answer to a step, Certroll performs the other steps, and then the queue message fails.

    Azure delivers a failed queue message again.
    """
    noting, lost = Noting({DELETE.subject: OutcomeUnknown("504")}), OutcomeUnknown("504")
    noting.refusals[SYNC.subject] = lost
    with pytest.raises(OutcomeUnknown) as raised:
        run(noting, Plan((SYNC, BIND, DELETE)))
    assert raised.value is lost
    assert noting.done[-1] == f"write {DELETE.subject}"


def test_deletion_without_an_answer_fails_the_message(run: Callable[..., Outcome]) -> None:
    """If Azure gives no answer to a deletion, the queue message fails, and the next run sees whether Azure deleted."""
    with pytest.raises(OutcomeUnknown):
        run(Noting({DELETE.subject: OutcomeUnknown("504")}), Plan((DELETE,)))


def test_refused_copy_sends_nobody(run: Callable[..., Outcome]) -> None:
    """If Azure refused a sync, Certroll sends no message to the sites of that App Service webspace."""
    noting = Noting({SYNC.subject: Denied("no")})
    outcome = run(noting, Plan((SYNC, BIND)))
    assert noting.done == ["record shop Pending", f"write {SYNC.subject}", "record shop Unproven"]
    assert (type(outcome), outcome.reason) == (Stalled, Reason.DENIED_BY_AZURE)


@pytest.mark.parametrize("refused", [True, False])
def test_app_goes_only_where_its_copy_arrived(run: Callable[..., Outcome], *, refused: bool) -> None:
    """Certroll updates an app's settings only if the new version is in the app's App Service webspace.

    An app cannot load a certificate version that is missing in the app's webspace.
    """
    seen = snapshot(settings=(named(copy().thumbprint),), bindings=())
    made = plan(seen, APPLY)
    assert {type(step.action) for step in made.steps} >= {SyncCertificate, RollAppSettings}
    noting = Noting({SYNC.subject: Denied("no")} if refused else {})
    run(noting, made, seen)
    assert ("admit shop" in noting.done, "send shop" in noting.done) == (not refused, not refused)


@pytest.mark.parametrize(
    ("reasons", "past", "awaiting"),
    [
        pytest.param((), (), False, id="nothing"),
        pytest.param((Reason.AWAITING_FIRST_SITE,), (), True, id="apps after the first one"),
        pytest.param((Reason.OUTSIDE_WINDOW,), (), True, id="a restart window that opens later"),
        pytest.param((Reason.FROZEN,), (), True, id="a freeze that ends"),
        pytest.param((Reason.NOT_OURS,), (), False, id="only what Certroll never does"),
        pytest.param((), (roll(RollState.OVERLAPPING, site="b"),), True, id="an app with an earlier version"),
    ],
)
def test_run_records_what_its_plan_left_for_later(
    run: Callable[..., Outcome], reasons: tuple[Reason, ...], past: tuple[RollRecord, ...], *, awaiting: bool
) -> None:
    """The journal knows if an app's success may let Certroll do more. Only then the next run reads the fleet."""
    seen = snapshot(settings=(named(copy().thumbprint),), bindings=(), rollout=rollout(past=past))
    skips = tuple(Skip("another app", reason, "later") for reason in reasons)
    noting = Noting()
    run(noting, Plan(plan(seen, APPLY).steps, skips), seen)
    assert [done for done in noting.done if done.startswith("observed")] == [f"observed {awaiting}"]


def test_refused_deletion_is_a_finding_and_no_failure(run: Callable[..., Outcome]) -> None:
    """If Azure refuses to delete an old version, Certroll reports a problem and the run still succeeds."""
    noting = Noting({DELETE.subject: Denied("no")})
    proven = snapshot(bindings=(binding(thumbprint=NEW),), rollout=rollout(record(SiteState.PROVEN)))
    outcome = run(noting, Plan((DELETE,)), proven)
    assert (type(outcome), outcome.reason) == (Converged, Reason.ROLLED_OUT)
    assert [(each.subject, each.reason) for each in noting.findings] == [(DELETE.subject, Reason.DENIED_BY_AZURE)]


@pytest.mark.parametrize("is_fresh", [True, False])
def test_sites_of_earlier_runs_are_sent_again_by_a_fresh_run_alone(
    run: Callable[..., Outcome], *, is_fresh: bool
) -> None:
    """Only an event or a sweep makes Certroll repeat the messages for sites of earlier runs.

    A run that only ends a wait sends sites no second message, because the first message may still be in the queue.
    """
    noting = Noting()
    run(noting, Plan(), snapshot(rollout=rollout(record(SiteState.PENDING))), is_fresh=is_fresh)
    assert noting.done == (["send shop"] if is_fresh else [])


def test_site_that_failed_is_looked_at_again_before_the_version_counts_as_failed(run: Callable[..., Outcome]) -> None:
    """If a site failed, a fresh run of Certroll asks for another check of the site before the version counts as failed.

    An operator may have repaired a failed site since Certroll saw the failure.
    """
    failed = snapshot(rollout=rollout(record(SiteState.FAILED)))
    assert run(Noting(), Plan(), failed).reason is Reason.DISPATCHED
    assert run(Noting(), Plan(), failed, is_fresh=False).reason is Reason.SERVED_ANOTHER


def test_refusals_of_a_webspace_are_known_after_the_next_webspace() -> None:
    """Certroll still remembers the certificates that Azure refused in one webspace after it wrote the next webspace."""
    west, north = (Performed((Skip(subject, Reason.DENIED_BY_AZURE, "no"),)) for subject in ("west", "north"))
    progress = Progress(rollout(), ()).after_copies(west, ()).after_copies(north, ())
    assert progress.stopped == {"west", "north"}
