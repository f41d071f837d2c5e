"""Test that Certroll adds a root certificate once to each App Service Environment that the tag names."""

from dataclasses import replace

import pytest

from shared.domain.environments.record import EnvironmentRecord, NotedRoot
from shared.domain.environments.roots import roots_subject
from shared.domain.errors import Denied, NotFound, NotSettled, Rejected
from shared.domain.fleet.copies import RootCertificate
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.names import EnvironmentRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning.actions import add_root_certificate
from shared.planning.actions.add_root_certificate import AddRootCertificate
from shared.planning.plan import Skip, Step
from shared.ports import Ports
from tests.build import (
    APPLY,
    ASE,
    FOREIGN,
    NEW,
    OFF,
    OLD,
    OTHER_ASE,
    REF,
    SUBSCRIPTION,
    ManualClock,
    RecordingEnvironmentRecords,
    RecordingEnvironments,
    RecordingVault,
    environment,
    lineage,
    old_version,
    ports,
    root,
    snapshot,
    version,
)

NAME = f"certroll-kv-shop-shop-{NEW.lower()}"
ADDED = root(NAME, NEW)
ADD = AddRootCertificate(REF, version(), ADDED)
SUBJECT = f"root certificate {NAME} of environment rg-network/ase"
TAG = "tag certroll-root-of of kv-shop/shop"
DER = b"a certificate"
GONE = NotFound("there is no such certificate")
BOTH = (environment(), environment(OTHER_ASE))


def asked(
    *roots: RootCertificate,
    to: str = "ase",
    tags: Tags = (),
    current: int | None = 0,
    off: EnvironmentRef | None = None,
) -> Snapshot:
    """Return a snapshot of two environments with the given roots, in which the tag names the environments `to`."""
    environments = tuple(
        replace(environment, tags=OFF) if environment.ref == off else environment for environment in BOTH
    )
    return snapshot(
        lineage=lineage(version(), old_version(), current=current, tags=tags or (("certroll-root-of", to),)),
        environments=environments,
        roots=roots,
    )


def outside(clock: ManualClock, environments: RecordingEnvironments, vault: RecordingVault) -> Ports:
    """Return the ports that `AddRootCertificate.perform` uses."""
    return ports(
        clock=clock,
        environments=environments,
        vault=vault,
        environment_records=RecordingEnvironmentRecords(EnvironmentRecord(ASE)),
    )


def proposed(seen: Snapshot) -> list[Step | Skip]:
    """Return the steps and skips that `add_root_certificate` proposes."""
    return list(add_root_certificate.propose(seen, APPLY))


@pytest.mark.parametrize(
    "roots",
    [
        pytest.param((), id="nothing is there"),
        pytest.param((root(),), id="the old one is there"),
        pytest.param((root(thumbprint=NEW, is_root=False),), id="it is there, but not as a root"),
        pytest.param((root(thumbprint=NEW, environment=OTHER_ASE),), id="it is in another environment"),
        pytest.param((root(thumbprint=None),), id="what is there is hidden"),
    ],
)
def test_root_is_put_where_the_tag_asks_for_it(roots: tuple[RootCertificate, ...]) -> None:
    """Certroll adds the current root to a named environment without that root, and keeps its other roots."""
    assert proposed(asked(*roots)) == [Step(ADD, Reason.ROOT_MISSING)]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(asked(ADDED), id="it is there"),
        pytest.param(asked(root(thumbprint=NEW)), id="people put it there, under another name"),
        pytest.param(asked(current=None), id="no version is good"),
        pytest.param(asked(to=""), id="the tag names nothing"),
        pytest.param(asked(tags=(("certroll-root-on", "ase"),)), id="another tag names it"),
        pytest.param(asked(ADDED, off=ASE), id="operators took it out, and it is there"),
    ],
)
def test_nothing_is_put_where_it_is_not_needed(seen: Snapshot) -> None:
    """Certroll adds a root only if a tag asks for it and the App Service Environment does not yet have it."""
    assert proposed(seen) == []


def test_every_environment_that_is_named_gets_it() -> None:
    """Certroll adds the root to each named environment once and in a fixed order, however the tag spells the names."""
    steps = proposed(asked(tags=(("certroll-root-of", "other-ase, RG-Network/ASE"), ("certroll-root-of-2", "ase"))))
    assert [step.action.root.ref.environment for step in steps if isinstance(step, Step)] == [ASE, OTHER_ASE]  # type: ignore[attr-defined]


def test_environment_with_the_root_holds_up_no_other() -> None:
    """Certroll adds the root to a named environment that lacks the root, although an earlier environment has it."""
    assert proposed(asked(ADDED, to="ase,other-ase")) == [
        Step(replace(ADD, root=root(NAME, NEW, environment=OTHER_ASE)), Reason.ROOT_MISSING)
    ]


def test_environment_that_operators_took_out_is_spared() -> None:
    """Certroll adds no root to an environment tagged `certroll: off`, and still adds it to other environments."""
    assert proposed(asked(to="ase,other-ase", off=ASE)) == [
        Skip(SUBJECT, Reason.OPTED_OUT, "environment rg-network/ase carries the tag certroll: off"),
        Step(replace(ADD, root=root(NAME, NEW, environment=OTHER_ASE)), Reason.ROOT_MISSING),
    ]


@pytest.mark.parametrize(
    ("tags", "subject", "reason"),
    [
        pytest.param((("certroll-root-of", "ase, nowhere"),), f"{TAG}: nowhere", Reason.NO_SUCH_TARGET, id="unknown"),
        pytest.param((("certroll-root-of", "ase, shop"),), f"{TAG}: shop", Reason.NO_SUCH_TARGET, id="a site"),
    ],
)
def test_wrong_target_is_told_and_holds_up_no_other(tags: Tags, subject: str, reason: Reason) -> None:
    """Certroll names an entry of the tag that is no environment, and still adds the root to the named environments."""
    skip, step = proposed(asked(tags=tags))
    assert isinstance(skip, Skip)
    assert (skip.subject, skip.reason, "correct the tag" in skip.detail) == (subject, reason, True)
    assert step == Step(ADD, Reason.ROOT_MISSING)


def test_ambiguous_target_is_told() -> None:
    """If two environments share the name in the tag, Certroll adds the root certificate to neither of them."""
    twin = environment(EnvironmentRef(ASE.subscription, "rg-two", "ase"))
    seen = asked()
    both = replace(seen, fleet=replace(seen.fleet, environments=(environment(), twin)))
    (skip,) = proposed(both)
    assert (skip.subject, skip.reason) == (f"{TAG}: ase", Reason.AMBIGUOUS_TARGET)


def test_tag_that_cannot_be_read_is_told() -> None:
    """Certroll refuses a numbered tag list with a gap as a whole, because a part of the list may be lost."""
    (skip,) = proposed(asked(tags=(("certroll-root-of", "ase"), ("certroll-root-of-3", "other-ase"))))
    assert (skip.subject, skip.reason) == (TAG, Reason.TARGET_INVALID)


def test_root_is_of_no_webspace_and_no_site() -> None:
    """Adding a root certificate restarts no site and needs no certificate in any App Service webspace."""
    assert (ADD.subject, ADD.webspace, ADD.site, ADD.writes, ADD.restarts_site) == (
        SUBJECT,
        None,
        None,
        frozenset(),
        False,
    )


def test_root_is_projected() -> None:
    """The snapshot predicted for the step has the new and the old roots, and Certroll then proposes nothing."""
    after = ADD.project(asked(root()))
    assert after.fleet.roots == (root(), ADDED)
    assert proposed(after) == []


def test_root_is_put_once_and_read_back() -> None:
    """Certroll uploads the public part of the planned root once, then reads until Azure shows the root."""
    azure = RecordingEnvironments([GONE, GONE, replace(ADDED, is_root=False), ADDED])
    vault, clock = RecordingVault(DER), ManualClock()
    assert ADD.perform(outside(clock=clock, vault=vault, environments=azure))
    assert azure.writes == [("put", ADDED, DER)]
    assert vault.asked == [(REF, "v2", NEW)]
    assert clock.slept == [1.0, 2.0]


def test_root_that_is_there_is_not_put_again() -> None:
    """If an App Service Environment already has the root, Certroll neither writes to Azure nor reads the vault."""
    azure, vault = RecordingEnvironments([ADDED]), RecordingVault(DER)
    assert not ADD.perform(
        ports(
            environment_records=RecordingEnvironmentRecords(EnvironmentRecord(ASE)),
            clock=ManualClock(),
            vault=vault,
            environments=azure,
        )
    )
    assert (azure.writes, vault.asked) == ([], [])


@pytest.mark.parametrize(
    ("taken", "by"),
    [
        pytest.param(replace(ADDED, thumbprint=FOREIGN), FOREIGN, id="another certificate"),
        pytest.param(replace(ADDED, thumbprint=None), None, id="one that is hidden"),
        pytest.param(replace(ADDED, is_root=False), NEW, id="the same one, but not as a root"),
    ],
)
def test_name_that_is_taken_is_not_overwritten(taken: RootCertificate, by: Thumbprint | None) -> None:
    """Certroll does not overwrite another certificate with the root's name, and asks the operator to delete it."""
    azure, vault = RecordingEnvironments([taken]), RecordingVault(DER)
    with pytest.raises(Rejected) as refused:
        ADD.perform(outside(clock=ManualClock(), vault=vault, environments=azure))
    assert str(refused.value) == f"{SUBJECT}: certificate {by} has the name; delete that certificate"
    assert refused.value.reason is Reason.NAME_TAKEN
    assert (azure.writes, vault.asked) == ([], [])


def test_certificate_that_may_not_be_read_is_said_with_the_cure() -> None:
    """Certroll adds no root without the right to read the certificate, and reports the vault's own refusal."""
    azure = RecordingEnvironments([GONE])
    with pytest.raises(Denied, match="grant"):
        ADD.perform(
            ports(
                environment_records=RecordingEnvironmentRecords(EnvironmentRecord(ASE)),
                clock=ManualClock(),
                vault=RecordingVault(Denied("grant the role")),
                environments=azure,
            )
        )
    assert azure.writes == []


def test_root_that_never_shows_is_not_taken_for_put() -> None:
    """Certroll reports a root as added only when Azure shows the root in the App Service Environment."""
    azure = RecordingEnvironments([GONE])
    with pytest.raises(NotSettled, match=f"^{SUBJECT} still shows the old state"):
        ADD.perform(
            ports(
                environment_records=RecordingEnvironmentRecords(EnvironmentRecord(ASE)),
                clock=ManualClock(),
                vault=RecordingVault(DER),
                environments=azure,
            )
        )


def test_version_that_is_good_is_put() -> None:
    """If the newest version is refused, Certroll adds the last good version of the root under its own name."""
    (step,) = proposed(asked(current=1))
    assert step.subject == f"root certificate certroll-kv-shop-shop-{OLD.lower()} of environment rg-network/ase"


def test_root_is_noted_before_it_is_put() -> None:
    """Certroll records the root in the journal before the write, so a crash loses no knowledge of the root.

    Certroll adds no root if Certroll cannot record the root in the journal. Certroll records no root that the
    environment already has.
    """
    clock, azure, environment_records = (
        ManualClock(),
        RecordingEnvironments([GONE, ADDED]),
        RecordingEnvironmentRecords(EnvironmentRecord(ASE)),
    )
    ADD.perform(
        ports(clock=clock, vault=RecordingVault(DER), environments=azure, environment_records=environment_records)
    )
    assert environment_records.record.roots == (NotedRoot(NEW, ManualClock().now()),)
    untouched, broken = (
        RecordingEnvironments([GONE]),
        RecordingEnvironmentRecords(EnvironmentRecord(ASE), NotFound("no journal")),
    )
    with pytest.raises(NotFound, match="no journal"):
        ADD.perform(ports(clock=clock, vault=RecordingVault(DER), environments=untouched, environment_records=broken))
    assert untouched.writes == []
    there = RecordingEnvironmentRecords(EnvironmentRecord(ASE))
    assert not ADD.perform(ports(clock=clock, environments=RecordingEnvironments([ADDED]), environment_records=there))
    assert there.record == EnvironmentRecord(ASE)


def test_roots_that_are_not_known_are_not_put() -> None:
    """Certroll adds no root certificate to an App Service Environment whose list of roots it could not read.

    If Certroll cannot read the roots of one environment, it still uploads the root to other environments.
    """
    hidden = BlindSpot(roots_subject(ASE), "503", SUBSCRIPTION, roots_only=True)
    seen = asked(to="ase,other-ase")
    found = proposed(replace(seen, fleet=replace(seen.fleet, blind_spots=(hidden,))))
    assert found == [
        Skip(SUBJECT, Reason.NOT_SEEN, f"Certroll cannot read root certificates of environment {ASE} (503)"),
        Step(replace(ADD, root=root(NAME, NEW, environment=OTHER_ASE)), Reason.ROOT_MISSING),
    ]
