"""A certificate is served in an environment only after all apps there may trust its root."""

from dataclasses import replace

import pytest

from shared.domain.environments.record import EnvironmentRecord, NotedRoot
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from tests.build import (
    APPLY,
    ASE,
    FOREIGN,
    HOUR,
    NEW,
    NORTH,
    NOW,
    OLD,
    OTHER_ASE,
    OTHER_REF,
    binding,
    copy,
    facts,
    lineage,
    named,
    old_version,
    site,
    snapshot,
    version,
)

ISSUER = "Contoso Issuing CA"
LEAF = version(facts=facts())
BEFORE = replace(copy(), issuer="Another CA")
WAVES = EnvironmentRecord(ASE, (NotedRoot(FOREIGN, NOW - HOUR, NOW - HOUR, "Root"),), since=NOW - HOUR)


def seen(record: EnvironmentRecord = WAVES, **differences: object) -> Snapshot:
    """Return a site in an environment, and a site outside of any."""
    parts: dict[str, object] = {
        "lineage": lineage(LEAF, old_version()),
        "sites": (site(environment=ASE), site("north", webspace=NORTH)),
        "bindings": (binding(), binding(site="north")),
        "copies": (BEFORE, replace(copy("north-copy", webspace=NORTH), issuer="Another CA")),
        "environment_records": (record,),
    }
    return snapshot(**{**parts, **differences})  # type: ignore[arg-type]


def waiting(where: Snapshot) -> set[str]:
    """Return the subjects of the steps that wait for a root."""
    return {skip.subject for skip in planner.plan(where, APPLY).skips if skip.reason is Reason.AWAITING_ROOT}


INSIDE = {"certificate rg-web/shop-copy in rg-westeuropewebspace", "binding shop.contoso.com of shop"}


@pytest.mark.parametrize(
    ("where", "waits"),
    [
        pytest.param(seen(), True, id="another authority issued it"),
        pytest.param(seen(replace(WAVES, environment=OTHER_ASE)), False, id="the root comes to another environment"),
        pytest.param(seen(replace(WAVES, done_at=NOW)), False, id="the waves have ended"),
        pytest.param(seen(replace(WAVES, since=None)), False, id="apps were listed for no root"),
        pytest.param(seen(replace(WAVES, since=NOW)), False, id="the waves are for a later request"),
        pytest.param(seen(EnvironmentRecord(ASE).noting(FOREIGN, NOW)), True, id="the root is not there yet"),
        pytest.param(seen(copies=(replace(copy(), issuer=ISSUER),)), False, id="the same authority issued it"),
        pytest.param(
            seen(copies=(BEFORE, replace(copy("theirs", FOREIGN, source=OTHER_REF), issuer=ISSUER))),
            True,
            id="the same authority issued another vault certificate",
        ),
        pytest.param(
            seen(EnvironmentRecord(ASE).noting(FOREIGN, NOW, ISSUER), copies=(replace(copy(), issuer=ISSUER),)),
            True,
            id="the root has the name of its authority",
        ),
        pytest.param(
            seen(lineage=lineage(version(facts=facts(public_policy=True)), old_version())), False, id="it is public"
        ),
        pytest.param(seen(lineage=lineage(version(facts=None), old_version())), False, id="it was not read"),
        pytest.param(seen(EnvironmentRecord(ASE).noting(NEW, NOW)), False, id="it is the root itself"),
        pytest.param(
            seen(
                lineage=lineage(LEAF, old_version(not_after=NOW + HOUR)),
                copies=(replace(BEFORE, not_after=NOW + HOUR),),
            ),
            False,
            id="it is urgent",
        ),
    ],
)
def test_what_a_root_on_its_way_holds(where: Snapshot, *, waits: bool) -> None:
    """Only a private certificate that may need the arriving root waits, and only in the environment of the root."""
    found = waiting(where)
    assert bool(found) is waits
    assert found <= INSIDE


def test_the_first_webspace_is_another_one() -> None:
    """While an environment waits for a root, the rollout begins outside of it, so that nothing waits for the waves."""
    plan = planner.plan(seen(), APPLY)
    assert {step.action.webspace for step in plan.steps} == {NORTH}
    assert waiting(seen()) == INSIDE


def test_a_lineage_without_a_version_waits_for_nothing() -> None:
    """If Certroll may install no version, there is nothing that could wait."""
    assert waiting(seen(lineage=lineage(LEAF, old_version(), current=None))) == set()


def test_the_name_of_a_root_is_kept() -> None:
    """The record of an environment keeps the name of an authority whose root Certroll adds."""
    (root,) = EnvironmentRecord(ASE).noting(Thumbprint(NEW), NOW, "Root").arriving
    assert (root.thumbprint, root.name) == (NEW, "Root")


def test_an_app_gets_its_settings_during_the_waves() -> None:
    """Settings with which an app presents a certificate to its partners do not wait for a root of the environment."""
    where = seen(settings=(named(OLD),), copies=(BEFORE, replace(copy("new-copy", NEW, source=None), issuer=ISSUER)))
    plan = planner.plan(where, APPLY)
    assert "app settings of shop" in {step.subject for step in plan.steps}
    assert waiting(where) <= INSIDE
