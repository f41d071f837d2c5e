"""Test which roots of older versions Certroll deletes, what prevents a deletion, and the last check before it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.environments.record import EnvironmentRecord, NotedRoot
from shared.domain.errors import Conflict, NotFound, NotSettled
from shared.domain.fleet.copies import RootCertificate
from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.actions import delete_root_certificate
from shared.planning.actions.delete_root_certificate import DeleteRootCertificate
from shared.planning.guards import still_needed
from shared.planning.plan import Plan, Skip, Step
from tests.build import (
    APPLY,
    ASE,
    DAY,
    FOREIGN,
    HOUR,
    NEW,
    NOW,
    OFF,
    OLD,
    OLDER,
    OTHER_ASE,
    ManualClock,
    RecordingEnvironments,
    environment,
    lineage,
    old_version,
    ports,
    root,
    snapshot,
    version,
)

NEW_ROOT = root("new", NEW)
OLD_ROOT = root()
SUBJECT = "root certificate by-hand of environment rg-network/ase"
LONG_AGO = NOW - 40 * DAY
DONE = EnvironmentRecord(ASE, (NotedRoot(NEW, LONG_AGO - HOUR, LONG_AGO),), since=LONG_AGO, done_at=LONG_AGO + HOUR)
ALLOWED = replace(APPLY, delete_superseded=True)
THREE = (version(), old_version(), old_version("v0", OLDER))
NOT_DONE = "some apps were not stopped and started since the new root came"


def over(*roots: RootCertificate, to: str = "ase", **differences: object) -> Snapshot:
    """Return a snapshot whose apps were all stopped and started for the new root certificate 40 days ago."""
    ordinary: dict[str, object] = {
        "lineage": lineage(*THREE, tags=(("certroll-root-of", to),)),
        "environments": (environment(), environment(OTHER_ASE)),
        "roots": roots or (NEW_ROOT, OLD_ROOT),
        "environment_records": (DONE, EnvironmentRecord(OTHER_ASE)),
    }
    return snapshot(**{**ordinary, **differences})  # type: ignore[arg-type]


def proposed(seen: Snapshot, intent: Intent = ALLOWED) -> list[Step | Skip]:
    """Return the proposed deletions and refusals, by default with the operator's permission to delete."""
    plan = still_needed.guard(Plan(tuple(delete_root_certificate.propose(seen, intent))), seen, intent)
    return [*plan.steps, *plan.skips]


def test_root_stays_where_no_version_is_good() -> None:
    """Certroll deletes no root certificate while no version is good, even if the deletion was planned earlier."""
    seen = over(lineage=lineage(*THREE, current=None))
    plan = still_needed.guard(Plan((Step(DeleteRootCertificate(OLD_ROOT), Reason.SUPERSEDED),)), seen, ALLOWED)
    assert [skip.reason for skip in plan.skips] == [Reason.NOT_PROVEN]


def test_old_root_goes_when_nothing_needs_it() -> None:
    """If the operator allows it, Certroll deletes the old root thirty days after the last app was started."""
    assert proposed(over()) == [Step(DeleteRootCertificate(OLD_ROOT), Reason.SUPERSEDED)]


@pytest.mark.parametrize(
    ("seen", "intent", "reason", "detail"),
    [
        pytest.param(
            over(environments=(environment(tags=OFF),)),
            ALLOWED,
            Reason.OPTED_OUT,
            "environment rg-network/ase carries the tag certroll: off",
            id="operators took the environment out",
        ),
        pytest.param(
            over(environments=(environment(tags=OFF), environment(OTHER_ASE))),
            ALLOWED,
            Reason.OPTED_OUT,
            "environment rg-network/ase carries the tag certroll: off",
            id="operators took the environment out, and not the other one",
        ),
        pytest.param(
            over(),
            APPLY,
            Reason.ROOT_KEPT,
            "the old root stays next to the new root: CERTROLL_DELETE_SUPERSEDED=on lets Certroll delete it",
            id="nobody asked for it",
        ),
        pytest.param(
            over(OLD_ROOT),
            ALLOWED,
            Reason.NOT_PROVEN,
            "the current version is not there",
            id="no new one is there",
        ),
        pytest.param(
            over(OLD_ROOT, replace(NEW_ROOT, is_root=False)),
            ALLOWED,
            Reason.NOT_PROVEN,
            "the current version is not there",
            id="the new one is there, but not as a root",
        ),
        pytest.param(
            over(OLD_ROOT, root("new", NEW, environment=OTHER_ASE)),
            ALLOWED,
            Reason.NOT_PROVEN,
            "the current version is not there",
            id="the new one is in another environment",
        ),
        pytest.param(
            over(environment_records=(DONE.wanting("kv-shop/twin", OLD, NOW - DAY),)),
            ALLOWED,
            Reason.STILL_USED,
            "it is the current version of kv-shop/twin, which is a root of the environment, too",
            id="it is another vault object's",
        ),
        pytest.param(over(environment_records=()), ALLOWED, Reason.NOT_PROVEN, NOT_DONE, id="the journal was lost"),
        pytest.param(
            over(environment_records=(replace(DONE, environment=OTHER_ASE),)),
            ALLOWED,
            Reason.NOT_PROVEN,
            NOT_DONE,
            id="apps of another environment are done",
        ),
        pytest.param(
            over(environment_records=(replace(DONE, roots=(NotedRoot(OLD, LONG_AGO, LONG_AGO),)),)),
            ALLOWED,
            Reason.NOT_PROVEN,
            NOT_DONE,
            id="apps are done for another root",
        ),
        pytest.param(
            over(environment_records=(replace(DONE, done_at=None),)),
            ALLOWED,
            Reason.NOT_PROVEN,
            NOT_DONE,
            id="apps are under way",
        ),
        pytest.param(
            over(environment_records=(DONE.requested(NOW - HOUR),)),
            ALLOWED,
            Reason.NOT_PROVEN,
            NOT_DONE,
            id="somebody asks once more",
        ),
        pytest.param(
            over(environment_records=(DONE.noting(FOREIGN, NOW),)),
            ALLOWED,
            Reason.NOT_PROVEN,
            NOT_DONE,
            id="another root is on its way",
        ),
        pytest.param(
            over(environment_records=(replace(DONE, roots=()).knowing(NEW, LONG_AGO + 2 * HOUR),)),
            ALLOWED,
            Reason.NOT_PROVEN,
            NOT_DONE,
            id="people put the new one after apps were done",
        ),
        pytest.param(
            over(environment_records=(replace(DONE, done_at=NOW - 29 * DAY),)),
            ALLOWED,
            Reason.IN_GRACE,
            "CERTROLL_DELETE_GRACE keeps it until 2026-11-22 12:00 UTC",
            id="the grace is not over",
        ),
        pytest.param(
            over(),
            replace(ALLOWED, max_deletes=0),
            Reason.ENOUGH_DELETED,
            "CERTROLL_MAX_DELETES is 0: a later run may delete the certificate",
            id="nothing may be deleted",
        ),
    ],
)
def test_doubt_keeps_it(seen: Snapshot, intent: Intent, reason: Reason, detail: str) -> None:
    """Certroll keeps an old root in each listed doubtful case, and gives the reason."""
    assert proposed(seen, intent) == [Skip(SUBJECT, reason, detail)]


def test_new_root_that_is_only_planned_does_not_let_the_old_one_go() -> None:
    """Certroll keeps the old root until Azure shows the new root, because Azure may still refuse the new root."""
    judged = planner.plan(over(OLD_ROOT), ALLOWED)
    assert Skip(SUBJECT, Reason.NOT_PROVEN, "the current version is not there") in judged.skips
    assert not any(isinstance(step.action, DeleteRootCertificate) for step in judged.steps)


def test_no_grace_keeps_a_disabled_root() -> None:
    """Certroll deletes a root that an operator disabled as soon as the apps trust the new root, without a grace."""
    disabled = lineage(version(), replace(old_version(), enabled=False), tags=(("certroll-root-of", "ase"),))
    young = (replace(DONE, done_at=NOW - HOUR),)
    assert isinstance(proposed(over(lineage=disabled, environment_records=young))[0], Step)
    assert isinstance(proposed(over(environment_records=young))[0], Skip)


@pytest.mark.parametrize(("more", "gone"), [(timedelta(0), True), (timedelta(seconds=1), False)], ids=["over", "not"])
def test_grace_ends_to_the_second(more: timedelta, *, gone: bool) -> None:
    """The waiting time before a root's deletion begins when the last app was started, and ends to the second."""
    seen = over(environment_records=(replace(DONE, done_at=NOW - DAY + more),))
    (found,) = proposed(seen, replace(ALLOWED, delete_grace=DAY))
    assert (found.reason is Reason.SUPERSEDED) is gone


@pytest.mark.parametrize(("life", "days"), [(45 * DAY, 15), (90 * DAY, 30), (7300 * DAY, 30)])
def test_root_with_a_short_life_goes_earlier(life: timedelta, days: int) -> None:
    """Certroll keeps an old root for at most a third of its life, which shortens no grace of a root for 20 years."""
    old = replace(old_version(), not_after=old_version().not_before + life)
    for done, reason in {days: Reason.SUPERSEDED, days - 1: Reason.IN_GRACE}.items():
        known = lineage(version(), old, tags=(("certroll-root-of", "ase"),))
        records = (replace(DONE, done_at=NOW - done * DAY),)
        (found,) = proposed(over(lineage=known, environment_records=records))
        assert found.reason is reason


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(over(NEW_ROOT), id="the new root"),
        pytest.param(over(NEW_ROOT, root(thumbprint=FOREIGN)), id="a root of somebody else"),
        pytest.param(over(NEW_ROOT, root(thumbprint=None)), id="a root that is hidden"),
        pytest.param(over(NEW_ROOT, root(is_root=False)), id="a public certificate that is no root"),
        pytest.param(over(NEW_ROOT, root(environment=OTHER_ASE)), id="a root of an environment that is not named"),
        pytest.param(over(to="nowhere"), id="a target that is wrong"),
        pytest.param(
            over(lineage=lineage(*THREE, current=None, tags=(("certroll-root-of", "ase"),))), id="no version is good"
        ),
    ],
)
def test_other_certificates_are_no_matter_of_this(seen: Snapshot) -> None:
    """Certroll deletes only roots of older versions, and only in the App Service Environments that the tag names."""
    assert proposed(seen) == []


def test_so_many_go_at_a_time() -> None:
    """Certroll deletes at most the configured number of roots in a run.

    A root that Certroll keeps for another reason than this limit does not count towards the limit.
    """
    olds = tuple(root(f"old-{number}", OLDER if number % 2 else OLD) for number in (2, 0, 3, 1))
    kept = root("kept", environment=OTHER_ASE)
    found = proposed(over(NEW_ROOT, kept, *olds, to="ase,other-ase"), replace(ALLOWED, max_deletes=2))
    assert [(item.subject.split()[2], item.reason) for item in found] == [
        ("old-0", Reason.SUPERSEDED),
        ("old-1", Reason.SUPERSEDED),
        ("old-2", Reason.ENOUGH_DELETED),
        ("old-3", Reason.ENOUGH_DELETED),
        ("kept", Reason.NOT_PROVEN),
    ]


def test_kept_ones_take_nobody_elses_place() -> None:
    """A root that must stay, because apps may need it, does not count towards the limit of deletions in a run."""
    seen = over(
        root("kept"),
        root("new", NEW, environment=OTHER_ASE),
        root("goes", environment=OTHER_ASE),
        to="ase,other-ase",
        environment_records=(replace(DONE, environment=OTHER_ASE),),
    )
    reasons = [item.reason for item in proposed(seen, replace(ALLOWED, max_deletes=1))]
    assert reasons == [Reason.SUPERSEDED, Reason.NOT_PROVEN]


def test_deletion_is_projected() -> None:
    """The snapshot predicted for a deletion lacks the root, and Certroll then proposes nothing."""
    after = DeleteRootCertificate(OLD_ROOT).project(over())
    assert after.fleet.roots == (NEW_ROOT,)
    assert proposed(after) == []


def test_deletion_is_of_no_webspace_and_no_site() -> None:
    """Deleting a root restarts no site and needs no certificate in any App Service webspace."""
    action = DeleteRootCertificate(OLD_ROOT)
    assert (action.subject, action.webspace, action.site, action.writes, action.restarts_site) == (
        SUBJECT,
        None,
        None,
        frozenset(),
        False,
    )


def test_what_is_meant_is_deleted() -> None:
    """Certroll reads the planned root once more, and deletes the root by its own name."""
    azure = RecordingEnvironments([OLD_ROOT, OLD_ROOT, NotFound("gone")])
    assert DeleteRootCertificate(OLD_ROOT).perform(ports(clock=ManualClock(), environments=azure))
    assert azure.writes == [("delete", OLD_ROOT.ref)]


def test_root_that_azure_still_shows_is_not_deleted() -> None:
    """If Azure goes on to show a root after it accepted the deletion, Certroll does not count the root as deleted."""
    azure = RecordingEnvironments([OLD_ROOT])
    with pytest.raises(NotSettled, match=f"^{SUBJECT} still shows the old state after 60 s$"):
        DeleteRootCertificate(OLD_ROOT).perform(ports(clock=ManualClock(), environments=azure))
    assert azure.writes == [("delete", OLD_ROOT.ref)]


def test_what_is_gone_is_not_deleted_again() -> None:
    """Certroll writes nothing if the root is already gone."""
    azure = RecordingEnvironments([NotFound("gone")])
    assert not DeleteRootCertificate(OLD_ROOT).perform(ports(environments=azure))
    assert azure.writes == []


@pytest.mark.parametrize("now", [NEW, None], ids=["another one", "one that is hidden"])
def test_what_has_come_in_its_place_stays(now: object) -> None:
    """Certroll refuses to delete another certificate that now has the name of the planned root."""
    azure = RecordingEnvironments([replace(OLD_ROOT, thumbprint=now)])  # type: ignore[arg-type]  # The thumbprint may be hidden.
    with pytest.raises(Conflict, match=f"^{SUBJECT} holds {now} by now, not {OLD}$"):
        DeleteRootCertificate(OLD_ROOT).perform(ports(environments=azure))
    assert azure.writes == []
