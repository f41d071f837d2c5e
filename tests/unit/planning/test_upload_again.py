"""Test how Certroll uploads a version once more into an App Service Environment whose servers do not know its chain."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.requirements import PKCS12
from shared.domain.certificates.version import CertificateVersion, KeyFound, KeyPolicy
from shared.domain.errors import Conflict, Denied, NotFound, NotSettled, Rejected
from shared.domain.findings import Finding, SeenBy
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import CopyRef, HostName
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import Rebind, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning import planner
from shared.planning.actions import update_binding, upload_again
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.actions.upload_again import UploadAgain
from shared.planning.plan import Skip, Step
from tests.build import (
    AGAIN,
    APPLY,
    ASE,
    DAY,
    EARLY,
    FOREIGN,
    HOST,
    NEW,
    NORTH,
    NOW,
    OLD,
    OTHER_REF,
    PLANS,
    REF,
    SUBSCRIPTION,
    WEST,
    ManualClock,
    RecordingAppService,
    RecordingJournal,
    RecordingVault,
    binding,
    bundled,
    copy,
    facts,
    farm,
    lineage,
    named,
    old_version,
    ports,
    record,
    roll,
    rollout,
    site,
    snapshot,
    version,
)

NAME = f"certroll-shop-{NEW.lower()}"
LATE = EARLY + timedelta(seconds=1)
BY_HAND = replace(copy("by-hand", NEW, source=None), created=EARLY)
UNKNOWN = replace(BY_HAND, ref=copy("unknown").ref, created=None)
LATER = replace(BY_HAND, ref=copy("later").ref, created=LATE)
OURS = replace(BY_HAND, ref=copy(NAME).ref, created=None)
SHOWN = binding(thumbprint=NEW)
INSIDE = (replace(site(), environment=ASE),)
COPY = WebspaceCertificate(
    CopyRef(SUBSCRIPTION, "rg", NAME),
    WEST,
    "",
    NEW,
    frozenset({HOST}),
    version().not_after,
    None,
    tags=(("certroll-lineage", "kv-shop/shop"),),
)
UPLOAD = UploadAgain(REF, version(), COPY, farm(), whole_chain=True)
BIND = UpdateBinding(SHOWN, NEW, WEST, rebind=True)
WHOLE = bundled(KeyFound.MATCHING, ("Corp Issuing CA", "Corp Root"), None, ordered=True)
CUT = bundled(KeyFound.MATCHING, ("Corp Issuing CA",), "Corp Root", ordered=True)
GONE = NotFound("there is no such certificate")
SUBJECT = "certificate rg-web/{} in rg-westeuropewebspace"


def world(
    *copies: WebspaceCertificate,
    tags: Tags = AGAIN,
    current: CertificateVersion | None = None,
    inside: bool = True,
    bindings: tuple[Binding, ...] = (SHOWN,),
    plans: tuple[ServerFarm, ...] = PLANS,
    rebind: Rebind | None = None,
    rebound: tuple[HostName, ...] = (),
) -> Snapshot:
    """Return a snapshot of a site in an environment that shows the current version, with the given certificates."""
    known = () if rebind is None else (replace(record(SiteState.PROVEN), rebind=rebind, rebound=frozenset(rebound)),)
    return snapshot(
        lineage=lineage(current or version(), old_version(), tags=tags),
        sites=INSIDE if inside else (site(),),
        copies=copies,
        bindings=bindings,
        plans=plans,
        rollout=rollout(*known),
    )


# ----------------------------------------------------------------------------------------------------------- the upload


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(BY_HAND), id="it was uploaded before chains were taken over"),
        pytest.param(world(UNKNOWN), id="nobody knows when it was uploaded"),
        pytest.param(world(BY_HAND, UNKNOWN), id="one is early and of another nobody knows"),
        pytest.param(world(BY_HAND, bindings=()), id="nothing is bound to it yet"),
        pytest.param(world(BY_HAND, tags=(("Certroll-Upload-Again", " ON "),)), id="the tag in other letters"),
        pytest.param(world(BY_HAND, replace(LATER, webspace=NORTH)), id="a later one in another webspace"),
        pytest.param(
            world(replace(BY_HAND, in_environment=True), inside=False), id="only the upload names the environment"
        ),
        pytest.param(world(BY_HAND, replace(LATER, thumbprint=OLD)), id="a later one of another version"),
    ],
)
def test_early_upload_is_made_again_where_it_is_asked(seen: Snapshot) -> None:
    """Certroll uploads the current version again under its own name if a tag of the vault certificate asks for it."""
    assert list(upload_again.propose(seen, APPLY)) == [Step(UPLOAD, Reason.UPLOAD_AGAIN_ASKED)]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(LATER), id="it was uploaded late enough"),
        pytest.param(world(BY_HAND, LATER), id="somebody uploaded it again"),
        pytest.param(world(BY_HAND, OURS), id="Certroll uploaded it again"),
        pytest.param(world(OURS), id="Certroll alone uploaded it"),
        pytest.param(world(BY_HAND, inside=False), id="outside of environments"),
        pytest.param(world(BY_HAND, current=version(facts=facts(public_policy=True))), id="of a public authority"),
        pytest.param(world(BY_HAND, current=version(facts=None)), id="nobody knows of which authority"),
        pytest.param(world(replace(BY_HAND, thumbprint=OLD)), id="an older version, which the next one replaces"),
        pytest.param(world(replace(BY_HAND, thumbprint=FOREIGN)), id="another certificate"),
        pytest.param(world(replace(BY_HAND, source=REF)), id="an import, which Azure renews"),
        pytest.param(world(), id="no copy at all"),
        pytest.param(replace(world(BY_HAND), lineage=lineage(current=None, tags=AGAIN)), id="no good version"),
    ],
)
def test_nothing_is_uploaded_or_told_where_chains_are_known(seen: Snapshot) -> None:
    """Certroll uploads a private key a second time only where that helps.

    Where a second upload does not help, Certroll reports no problem.
    """
    assert list(upload_again.propose(seen, APPLY)) == []


@pytest.mark.parametrize("tags", [(), (("certroll-upload-again", "off"),), (("team", "web"),)])
@pytest.mark.parametrize(
    ("copies", "name", "reason", "words"),
    [
        pytest.param((BY_HAND,), "by-hand", Reason.UPLOADED_BEFORE_CHAINS, "it was uploaded on 2023-09-30", id="early"),
        pytest.param(
            (replace(BY_HAND, ref=copy("z").ref, created=EARLY - timedelta(days=90)), BY_HAND),
            "by-hand",
            Reason.UPLOADED_BEFORE_CHAINS,
            "it was uploaded on 2023-09-30",
            id="two early ones, of which the last counts",
        ),
        pytest.param((UNKNOWN,), "unknown", Reason.UPLOAD_DATE_UNKNOWN, "Azure does not say when", id="no date"),
        pytest.param((UNKNOWN, BY_HAND), "by-hand", Reason.UPLOAD_DATE_UNKNOWN, "Azure does not say when", id="of two"),
    ],
)  # fmt: skip
def test_early_upload_is_told_where_nobody_asks(
    copies: tuple[WebspaceCertificate, ...], name: str, reason: Reason, words: str, tags: Tags
) -> None:
    """Certroll uploads nothing again without the tag, and names the problem and the tag that solves it."""
    (skip,) = upload_again.propose(world(*copies, tags=tags), APPLY)
    assert isinstance(skip, Skip)
    assert (skip.subject, skip.reason) == (SUBJECT.format(name), reason)
    assert words in skip.detail
    assert "before 2023-10-01" in skip.detail
    assert "set certroll-upload-again: on on kv-shop/shop" in skip.detail


@pytest.mark.parametrize(
    ("there", "plans"),
    [
        pytest.param((replace(BY_HAND, webspace=NORTH, thumbprint=OLD),), PLANS, id="has no early upload"),
        pytest.param(
            (replace(BY_HAND, webspace=NORTH), copy("theirs", NEW, webspace=NORTH, source=OTHER_REF)),
            PLANS,
            id="has the certificate of another vault object, too",
        ),
        pytest.param((replace(BY_HAND, webspace=NORTH),), (farm(),), id="has no plan"),
    ],
)
def test_webspace_without_an_upload_holds_up_no_other(
    there: tuple[WebspaceCertificate, ...], plans: tuple[ServerFarm, ...]
) -> None:
    """If Certroll makes no second upload in a webspace, it still makes the upload in the next webspace."""
    north = tuple(replace(held, ref=copy(f"north-{place}").ref) for place, held in enumerate(there))
    seen = world(BY_HAND, *north, plans=plans)
    sites = (*seen.fleet.sites, replace(site("north", webspace=NORTH), environment=ASE))
    items = upload_again.propose(replace(seen, fleet=replace(seen.fleet, sites=sites)), APPLY)
    assert [item.action.webspace for item in items if isinstance(item, Step)] == [WEST]


def test_each_webspace_of_an_environment_gets_its_own() -> None:
    """Certroll uploads the version again into each webspace of an App Service Environment."""
    north = replace(BY_HAND, ref=copy("north").ref, webspace=NORTH)
    seen = world(BY_HAND, north)
    there = replace(site("north", webspace=NORTH), environment=ASE)
    seen = replace(seen, fleet=replace(seen.fleet, sites=(*seen.fleet.sites, there)))
    steps = [item for item in upload_again.propose(seen, APPLY) if isinstance(item, Step)]
    assert [step.action.webspace for step in steps] == [NORTH, WEST]
    assert len({step.subject.split(" in ")[0] for step in steps}) == 2


@pytest.mark.parametrize(
    ("seen", "reason", "words"),
    [
        pytest.param(world(BY_HAND, plans=()), Reason.NO_PLAN_IN_WEBSPACE, "grant Reader", id="no plan is seen"),
        pytest.param(
            world(BY_HAND, *(copy(f"c{n}", FOREIGN) for n in range(999))),
            Reason.WEBSPACE_FULL,
            "takes 1000 at most",
            id="the webspace is full",
        ),
        pytest.param(
            world(BY_HAND, copy("theirs", NEW, source=OTHER_REF)),
            Reason.AMBIGUOUS_LINEAGE,
            "put a new version into the vault",
            id="another vault certificate holds it as well",
        ),
    ],
)
def test_what_cannot_be_uploaded_again_is_refused(seen: Snapshot, reason: Reason, words: str) -> None:
    """Certroll refuses a second upload to a full webspace, without a listed plan, or of an ambiguous thumbprint.

    The refusal of a second upload of the same version names the next step.
    """
    (skip,) = upload_again.propose(seen, APPLY)
    assert isinstance(skip, Skip)
    assert (skip.reason, words in skip.detail) == (reason, True)


def test_it_is_sent_once_with_its_chain() -> None:
    """Certroll reads only the secret of the current version, uploads it once, and reports an incomplete chain."""
    azure, vault, journal = (
        RecordingAppService(copies=[GONE, COPY]),
        RecordingVault(Pfx(b"", "", CUT)),
        RecordingJournal(),
    )
    assert UPLOAD.perform(ports(azure, ManualClock(), journal, vault))
    assert [write[0] for write in azure.writes] == [COPY]
    assert vault.asked == [(REF, "v2", NEW)]
    (finding,) = journal.findings
    assert finding == Finding(NOW, str(REF), UPLOAD.subject, Reason.CHAIN_INCOMPLETE, finding.detail, SeenBy.VERSION)
    assert finding.detail.startswith("Corp Root is not in version v2 of kv-shop/shop")


def test_whole_chain_is_no_finding() -> None:
    """Certroll reports no problem about a chain that goes up to its root."""
    azure, journal = RecordingAppService(copies=[GONE, COPY]), RecordingJournal()
    assert UPLOAD.perform(ports(azure, ManualClock(), journal, RecordingVault(Pfx(b"", "", WHOLE))))
    assert journal.findings == []


def test_what_went_up_before_a_crash_is_not_sent_again() -> None:
    """Certroll does not repeat a second upload that succeeded before a crash."""
    azure = RecordingAppService(copies=[COPY])
    assert not UPLOAD.perform(ports(azure))
    assert azure.writes == []


@pytest.mark.parametrize(
    "azure",
    [
        pytest.param(RecordingAppService(copies=[GONE], failures=[Rejected("exists already")]), id="Azure refuses it"),
        pytest.param(RecordingAppService(copies=[GONE]), id="Azure shows the first one instead"),
    ],
)
def test_thumbprint_that_is_taken_once_names_the_cure(azure: RecordingAppService) -> None:
    """Certroll advises a new version in the vault if Azure refuses the same certificate twice."""
    with pytest.raises(Rejected, match="put a new version into the vault") as refused:
        UPLOAD.perform(ports(azure, ManualClock(), vault=RecordingVault(Pfx(b"", "", WHOLE))))
    assert refused.value.reason is Reason.REJECTED_BY_AZURE
    assert not isinstance(refused.value, NotSettled)


@pytest.mark.parametrize("error", [Denied("no right"), Rejected("no key", Reason.NO_PRIVATE_KEY)])
def test_secret_that_cannot_be_read_is_its_own_reason(error: Denied | Rejected) -> None:
    """Certroll reports an unreadable secret as the vault's error, and uploads nothing."""
    azure = RecordingAppService(copies=[GONE])
    with pytest.raises(type(error), match=str(error)) as raised:
        UPLOAD.perform(ports(azure, ManualClock(), vault=RecordingVault(error)))
    assert raised.value is error
    assert azure.writes == []


# ---------------------------------------------------------------------------------------------------------- the binding


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(BY_HAND, OURS), id="Certroll uploaded it again"),
        pytest.param(world(UNKNOWN, OURS), id="nobody knows when the first one was uploaded"),
        pytest.param(world(BY_HAND, LATER), id="somebody uploaded it again"),
        pytest.param(world(BY_HAND, OURS, rebind=Rebind.NO), id="the site is recorded, and nothing of this"),
        pytest.param(world(BY_HAND, OURS, rebind=Rebind.ASKED), id="it is recorded as to be bound again"),
        pytest.param(world(BY_HAND, rebind=Rebind.ASKED), id="its own run sees no dates"),
    ],
)
def test_what_shows_it_is_bound_again(seen: Snapshot) -> None:
    """After the second upload of a version, Certroll binds each host name again that shows the version."""
    assert list(update_binding.propose(seen, APPLY)) == [Step(BIND, Reason.UPLOAD_AGAIN_ASKED)]


NOWHERE = snapshot(
    lineage=lineage(version(), old_version(), tags=AGAIN),
    sites=(site(webspace=None),),
    bindings=(SHOWN,),
    rollout=rollout(replace(record(SiteState.PROVEN), rebind=Rebind.ASKED)),
)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(BY_HAND, OURS, rebind=Rebind.DONE), id="it is recorded as bound again"),
        pytest.param(world(BY_HAND, OURS, rebind=Rebind.ASKED, rebound=(HOST,)), id="this host name is bound again"),
        pytest.param(world(BY_HAND, OURS, tags=()), id="nobody asks"),
        pytest.param(world(BY_HAND, OURS, tags=(), rebind=Rebind.ASKED), id="nobody asks any more"),
        pytest.param(world(BY_HAND), id="it is not uploaded again yet"),
        pytest.param(world(OURS), id="no early upload is there"),
        pytest.param(world(BY_HAND, OURS, inside=False), id="outside of environments"),
        pytest.param(NOWHERE, id="where its site is is not known"),
        pytest.param(
            world(BY_HAND, OURS, bindings=(binding(thumbprint=NEW, ssl_state=SslState.DISABLED),)), id="it is not bound"
        ),
        pytest.param(world(BY_HAND, OURS, bindings=(binding(thumbprint=FOREIGN),)), id="it shows another certificate"),
        pytest.param(
            world(BY_HAND, OURS, copy("theirs", NEW, source=OTHER_REF)), id="it may be another vault certificate's"
        ),
        pytest.param(replace(world(BY_HAND, OURS), lineage=lineage(current=None, tags=AGAIN)), id="no good version"),
        pytest.param(
            replace(world(BY_HAND, OURS, rebind=Rebind.ASKED), lineage=lineage(current=None, tags=AGAIN)),
            id="no good version any more",
        ),
    ],
)
def test_nothing_is_bound_again_where_it_helps_nobody(seen: Snapshot) -> None:
    """Certroll binds a host name again only if the second upload of the version affects the host name."""
    assert list(update_binding.propose(seen, APPLY)) == []


def test_what_moves_after_the_upload_needs_no_second_write() -> None:
    """A stale binding that moves after the second upload need not be bound again."""
    stale = binding("old.contoso.com", OLD)
    seen = world(BY_HAND, OURS, bindings=(SHOWN, stale))
    steps = list(update_binding.propose(seen, APPLY))
    assert steps == [
        Step(UpdateBinding(stale, NEW, WEST, rebind=True), Reason.STALE_THUMBPRINT),
        Step(BIND, Reason.UPLOAD_AGAIN_ASKED),
    ]
    assert planner.plan(planner.project(planner.plan(seen, APPLY), seen), APPLY).steps == ()


def test_nothing_is_bound_again_before_it_is_uploaded_again() -> None:
    """If Certroll refuses the second upload of a version, it binds nothing again, and still moves stale bindings."""
    stale = binding("old.contoso.com", OLD)
    seen = world(BY_HAND, bindings=(SHOWN, stale), current=version(facts=facts(HOST, "old.contoso.com")))
    kept = replace(seen.lineage, key=KeyPolicy(exportable=False, content_type=PKCS12))
    fleet = replace(seen.fleet, settings=(named(OLD),))
    plan = planner.plan(replace(seen, lineage=kept, fleet=fleet), APPLY)
    assert [skip.reason for skip in plan.skips] == [Reason.KEY_NOT_EXPORTABLE]
    move, roll = plan.steps
    assert move == Step(UpdateBinding(stale, NEW, WEST), Reason.STALE_THUMBPRINT)
    assert roll.subject == "app settings of shop"


@pytest.mark.parametrize("rebind", [None, Rebind.NO, Rebind.ASKED])
def test_bound_again_is_recorded_in_the_projection(rebind: Rebind | None) -> None:
    """The snapshot predicted for a second binding has the same bindings, and records that the site was bound again."""
    before = world(BY_HAND, OURS, rebind=rebind)
    after = BIND.project(before)
    assert after.fleet == before.fleet
    known = after.rollout.record_of(SHOWN.site)
    assert known is not None
    assert known.rebind is Rebind.DONE
    assert known.state is (SiteState.PENDING if rebind is None else SiteState.PROVEN)
    assert len(after.rollout.records) == 1
    assert list(update_binding.propose(after, APPLY)) == []


def test_binding_again_keeps_what_is_known_of_other_sites() -> None:
    """The snapshot predicted for a second binding has unchanged records of other sites."""
    other = record(SiteState.PROVEN, site="other")
    before = world(BY_HAND, OURS, rebind=Rebind.ASKED)
    before = replace(before, rollout=replace(before.rollout, records=(*before.rollout.records, other)))
    after = BIND.project(before).rollout
    assert after.record_of(other.site) == other
    assert len(after.records) == len(before.rollout.records) == 2


def test_what_is_bound_again_lets_no_other_webspace_go_before_it_answered() -> None:
    """A second binding in the first webspace proves nothing yet, so the other webspaces still wait."""
    waits = roll(RollState.STALE, at=NOW)
    seen = snapshot(
        lineage=lineage(version(), old_version(not_after=NOW + DAY), tags=AGAIN),
        sites=(*INSIDE, site("north-1", webspace=NORTH)),
        copies=(BY_HAND, copy("north-copy", webspace=NORTH, not_after=NOW + DAY)),
        bindings=(SHOWN, binding(site="north-1")),
        rollout=rollout(rolls=(waits,)),
    )
    plan = planner.plan(seen, APPLY)
    assert [step.action for step in plan.steps] == [UPLOAD, BIND]
    assert {skip.reason for skip in plan.skips} == {Reason.AWAITING_FIRST_STAGE}
    assert planner.plan(planner.project(plan, seen), APPLY).steps == ()


def test_bound_again_is_written_as_it_is() -> None:
    """Certroll binds a host name again with the same thumbprint and `ssl_state`, in the request body that it read."""
    azure = RecordingAppService(bindings=[SHOWN], body={"as": "read"})
    assert BIND.perform(ports(azure))
    assert azure.writes == [(SHOWN, {"as": "read"})]


def test_what_moved_meanwhile_is_written_all_the_same() -> None:
    """Certroll binds a host name again that already moved to the new version, as the move may precede the upload."""
    azure = RecordingAppService(bindings=[SHOWN])
    assert UpdateBinding(binding(), NEW, WEST, rebind=True).perform(ports(azure))
    assert azure.writes == [(SHOWN, {})]


@pytest.mark.parametrize(
    "seen", [binding(thumbprint=FOREIGN), binding(thumbprint=NEW, ssl_state=SslState.DISABLED), NotFound("gone")]
)
def test_binding_that_changed_is_not_bound_again(seen: Binding | NotFound) -> None:
    """Certroll writes no binding that was changed or removed after Certroll made the plan."""
    azure = RecordingAppService(bindings=[seen])
    with pytest.raises(Conflict):
        BIND.perform(ports(azure))
    assert azure.writes == []


def test_one_plan_holds_the_whole_way() -> None:
    """One plan has the second upload of the version and the bindings after it.

    After the second upload and the bindings, a new plan has no step.
    """
    seen = world(BY_HAND)
    plan = planner.plan(seen, APPLY)
    assert [step.action for step in plan.steps] == [UPLOAD, BIND]
    assert planner.plan(planner.project(plan, seen), APPLY).steps == ()
