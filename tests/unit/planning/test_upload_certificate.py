"""Bringing a version to a webspace that has the certificate as an upload."""

from dataclasses import replace

import pytest

from shared.actions import upload_certificate
from shared.actions.upload_certificate import UploadCertificate
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.lineage import Lineage
from shared.domain.model import Bundle, KeyFound, WebspaceCertificate
from shared.domain.names import CopyRef, Thumbprint, VaultCertificateRef
from shared.domain.plan import Skip, Step
from shared.domain.reason import Reason
from shared.domain.secret import Pfx
from shared.domain.snapshot.expiry import expires_at
from shared.domain.snapshot.liveness import live_in
from shared.domain.snapshot.snapshot import Snapshot
from tests.build import (
    APPLY,
    ASE,
    DAY,
    FOREIGN,
    HOST,
    LINEAGE,
    NEW,
    NORTH,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    REF,
    SUBSCRIPTION,
    WEST,
    ManualClock,
    RecordingAppService,
    RecordingJournal,
    RecordingVault,
    binding,
    blind_spot,
    copy,
    facts,
    farm,
    lineage,
    named,
    old_version,
    ports,
    site,
    site_ref,
    snapshot,
    version,
)

NAME = f"certroll-shop-{NEW.lower()}"
PLAN = replace(farm(), location="West Europe")
COPY = WebspaceCertificate(
    CopyRef(SUBSCRIPTION, "rg", NAME),
    WEST,
    "West Europe",
    NEW,
    frozenset({HOST}),
    NOW + 90 * DAY,
    None,
    tags=(("certroll-lineage", "kv-shop/shop"),),
)
SUBJECT = f"certificate rg/{NAME} in rg-westeuropewebspace"
UPLOAD = UploadCertificate(REF, version(), COPY, PLAN, old_version())
UPLOADED = copy("by-hand", OLD, source=None)
OURS = copy(f"certroll-shop-{OLD.lower()}", OLD, source=None)
PFX = Pfx(b"blob", "password")
SHOWN = binding()
GONE = NotFound("there is no such certificate")


def test_stale_upload_gets_the_new_version_beside_it() -> None:
    """Where people uploaded an older version, the new one goes up under a name of its own."""
    seen = snapshot(copies=(UPLOADED,), plans=(farm(NORTH), PLAN))
    assert list(upload_certificate.propose(seen, APPLY)) == [Step(UPLOAD, Reason.STALE_UPLOAD)]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(
            snapshot(copies=(OURS,), bindings=(replace(SHOWN, thumbprint=FOREIGN),)),
            id="it is our own, and what is bound there is another's",
        ),
        pytest.param(snapshot(copies=(UPLOADED, copy())), id="it is imported there too, so a sync brings it"),
        pytest.param(snapshot(copies=(UPLOADED, copy("up", NEW, source=None))), id="somebody has uploaded the new one"),
        pytest.param(
            snapshot(copies=(UPLOADED, copy("kv", NEW, source=OTHER_REF))), id="the new one is there in another form"
        ),
        pytest.param(snapshot(copies=(copy("x", FOREIGN, source=None),)), id="an upload of something else"),
        pytest.param(snapshot(copies=(copy("new", NEW, source=None),)), id="an upload of the new version"),
        pytest.param(snapshot(copies=(copy("free", None, source=None),)), id="a managed certificate, which hides it"),
        pytest.param(snapshot(copies=(OURS,), bindings=()), id="an upload of our own that nothing uses any more"),
        pytest.param(snapshot(copies=(UPLOADED,), lineage=lineage(current=None)), id="no good version"),
        pytest.param(snapshot(copies=()), id="the old one is gone"),
    ],
)
def test_nothing_is_uploaded_where_it_is_not_needed(seen: Snapshot) -> None:
    """A private key goes nowhere but where an older version of it is an upload."""
    assert list(upload_certificate.propose(seen, APPLY)) == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(snapshot(copies=(OURS,)), id="a host name is bound to it"),
        pytest.param(snapshot(copies=(OURS,), bindings=(), settings=(named(OLD),)), id="an app names it"),
        pytest.param(
            snapshot(copies=(OURS,), bindings=(), settings=(named(everything=True),)), id="an app loads everything"
        ),
        pytest.param(
            snapshot(copies=(OURS,), bindings=(), settings=(replace(named(), mentioned=frozenset({OLD})),)),
            id="an app has it inside a longer text",
        ),
        pytest.param(
            snapshot(copies=(OURS,), bindings=(), blind_spots=(blind_spot(),)), id="who uses it cannot be seen"
        ),
        pytest.param(snapshot(copies=(UPLOADED,), bindings=()), id="people uploaded it, whatever for"),
    ],
)
def test_upload_of_our_own_is_carried_on_while_it_is_used(seen: Snapshot) -> None:
    """What was uploaded for one version is uploaded for the next, too."""
    subjects = [item.subject for item in upload_certificate.propose(seen, APPLY)]
    assert subjects == [SUBJECT]


def test_two_old_versions_in_a_webspace_get_one_new() -> None:
    """However many old uploads there are, the new version goes up once per webspace."""
    older = lineage(version(), old_version(), old_version("v0", OLDER))
    copies = (UPLOADED, copy("older", OLDER, source=None), copy("north", OLD, source=None, webspace=NORTH))
    steps = list(upload_certificate.propose(snapshot(lineage=older, copies=copies), APPLY))
    assert [item.action.webspace for item in steps if isinstance(item, Step)] == [NORTH, WEST]


def test_upload_without_a_plan_is_refused() -> None:
    """An upload must name a plan of the webspace; where none is seen, that is said."""
    (skip,) = upload_certificate.propose(snapshot(copies=(UPLOADED,), plans=()), APPLY)
    assert isinstance(skip, Skip)
    assert (skip.reason, "grant Reader on its plans" in skip.detail) == (Reason.NO_PLAN_IN_WEBSPACE, True)


def test_version_is_live_after_the_upload() -> None:
    """Once it is there, bindings and settings may name it, and nothing is uploaded again."""
    after = UPLOAD.project(snapshot(copies=(UPLOADED,)))
    assert NEW in live_in(after, WEST)
    assert OLD in live_in(after, WEST)
    assert list(upload_certificate.propose(after, APPLY)) == []


def test_upload_is_made_once_and_read_back() -> None:
    """The key is read of the version that is meant, sent once, and the copy is looked at until it shows."""
    azure, vault = RecordingAppService(copies=[GONE, GONE, COPY]), RecordingVault(PFX)
    assert UPLOAD.perform(ports(azure, ManualClock(), vault=vault))
    assert azure.writes == [(COPY, PFX, PLAN)]
    assert vault.asked == [(REF, "v2", NEW)]


def test_what_is_there_is_not_uploaded_again() -> None:
    """A second try finds the copy, and no key is read for it."""
    azure, vault = RecordingAppService(copies=[COPY]), RecordingVault(PFX)
    assert not UPLOAD.perform(ports(azure, ManualClock(), vault=vault))
    assert (azure.writes, vault.asked) == ([], [])


def test_name_that_is_taken_is_not_overwritten() -> None:
    """Another certificate under our name stays: it may be bound."""
    azure = RecordingAppService(copies=[replace(COPY, thumbprint=FOREIGN)])
    with pytest.raises(Rejected, match=f"the name is taken by {FOREIGN}"):
        UPLOAD.perform(ports(azure, ManualClock(), vault=RecordingVault(PFX)))
    assert azure.writes == []


def test_key_that_may_not_be_read_is_said_with_the_cure() -> None:
    """Without the right to the secret nothing is uploaded, and the refusal is the vault's own."""
    azure = RecordingAppService(copies=[GONE])
    with pytest.raises(Denied, match="grant"):
        UPLOAD.perform(ports(azure, ManualClock(), vault=RecordingVault(Denied("grant the identity the role"))))
    assert azure.writes == []


def bound_to(lineage: Lineage, *copies: WebspaceCertificate) -> Snapshot:
    """Return the ordinary world with these copies."""
    return snapshot(lineage=lineage, copies=copies)


def test_end_of_an_uploaded_certificate_makes_its_renewal_urgent() -> None:
    """What an upload will replace counts as what a sync will."""
    ends = NOW + 2 * DAY
    soon = lineage(version(), old_version(not_after=ends))
    assert expires_at(bound_to(soon, UPLOADED)) == ends
    assert expires_at(bound_to(soon)) is None
    assert LINEAGE.current is not None


# ------------------------------------------------------------------------------------------ what is found on the way

ROOTED = Bundle(KeyFound.MATCHING, ("Issuing CA", "Root CA"), None, ordered=True)
CUT = Bundle(KeyFound.MATCHING, (), "Issuing CA", ordered=True)


class TwoSecrets(RecordingVault):
    """A vault that gives each version its own answer."""

    def __init__(self, **answers: Pfx | Exception) -> None:
        super().__init__(PFX)
        self.answers = answers

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Return the PFX of that version."""
        self.answer = self.answers[version]
        return super().pfx(ref, version, thumbprint)


def test_upload_that_lost_its_intermediates_is_refused() -> None:
    """Visitors would not trust it: the version in use has the whole chain, and keeps serving."""
    azure = RecordingAppService(copies=[GONE])
    vault = TwoSecrets(v2=Pfx(b"", "", CUT), v1=Pfx(b"", "", ROOTED))
    with pytest.raises(Rejected, match="its chain ends with the certificate itself, and Issuing CA") as refused:
        UPLOAD.perform(ports(azure, ManualClock(), vault=vault))
    assert refused.value.reason is Reason.CHAIN_LOST
    assert azure.writes == []


@pytest.mark.parametrize(
    "vault",
    [
        pytest.param(TwoSecrets(v2=Pfx(b"", "", ROOTED)), id="the chain is whole, and no other secret is read"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=Pfx(b"", "", CUT)), id="the version in use had no more"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=Denied("no right")), id="the version in use cannot be read"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=NotFound("gone")), id="the version in use is gone"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=Rejected("no PFX")), id="the version in use is no PFX"),
    ],
)
def test_upload_that_is_no_worse_goes_up(vault: TwoSecrets) -> None:
    """Only what is worse than the version in use is refused."""
    azure = RecordingAppService(copies=[GONE, COPY])
    assert UPLOAD.perform(ports(azure, ManualClock(), vault=vault))


INSIDE = (replace(site(), environment=ASE),)


@pytest.mark.parametrize(
    ("seen", "whole"),
    [
        pytest.param(snapshot(sites=INSIDE, copies=(UPLOADED,)), True, id="in an environment"),
        pytest.param(snapshot(copies=(UPLOADED,)), False, id="outside of environments"),
        pytest.param(
            snapshot(
                sites=INSIDE,
                copies=(UPLOADED,),
                lineage=lineage(version(facts=facts(public_policy=True)), old_version()),
            ),
            False,
            id="of a public authority, whose root everybody has",
        ),
        pytest.param(
            snapshot(sites=(replace(INSIDE[0], webspace=NORTH), site("web")), copies=(UPLOADED,)),
            False,
            id="beside an environment",
        ),
    ],
)
def test_chain_matters_where_servers_trust_by_it(seen: Snapshot, whole: bool) -> None:  # noqa: FBT001
    """The servers of an environment trust a private authority by the chain that is uploaded."""
    (step,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadCertificate)
    assert step.action.whole_chain is whole


ROOTLESS = Bundle(KeyFound.MATCHING, ("Issuing CA",), "Root CA", ordered=True)


@pytest.mark.parametrize(
    ("now", "before", "whole", "refused", "told"),
    [
        pytest.param(ROOTED, ROOTED, True, False, False, id="the root is there"),
        pytest.param(ROOTLESS, ROOTED, True, True, False, id="the root is lost, by which servers trust it"),
        pytest.param(ROOTLESS, ROOTED, False, False, False, id="the root is lost, which clients have"),
        pytest.param(ROOTLESS, ROOTLESS, True, False, True, id="no root, as before, which is told"),
        pytest.param(ROOTLESS, ROOTLESS, False, False, False, id="no root, as before, which clients have"),
        pytest.param(None, ROOTED, True, False, False, id="nobody looked"),
    ],
)
def test_root_is_missed_where_servers_trust_by_it(
    now: Bundle | None,
    before: Bundle,
    whole: bool,  # noqa: FBT001
    refused: bool,  # noqa: FBT001
    told: bool,  # noqa: FBT001
) -> None:
    """Into an environment a chain without its root goes up only where the version in use has none, and people know."""
    azure, journal = RecordingAppService(copies=[GONE, COPY]), RecordingJournal()
    outside = ports(azure, ManualClock(), journal, TwoSecrets(v2=Pfx(b"", "", now), v1=Pfx(b"", "", before)))
    upload = replace(UPLOAD, whole_chain=whole)
    if refused:
        with pytest.raises(Rejected, match="has its root") as raised:
            upload.perform(outside)
        assert raised.value.reason is Reason.CHAIN_LOST
    else:
        assert upload.perform(outside)
    assert (azure.writes == []) is refused
    assert [finding.reason for finding in journal.findings] == [Reason.CHAIN_INCOMPLETE] * told


def test_full_webspace_takes_no_more() -> None:
    """At a thousand certificates nothing is sent, and the cure is named."""
    many = tuple(copy(f"other-{number}", FOREIGN, source=None) for number in range(999))
    (skip,) = upload_certificate.propose(snapshot(copies=(UPLOADED, *many)), APPLY)
    assert isinstance(skip, Skip)
    assert (skip.reason, "delete what is superseded" in skip.detail) == (Reason.WEBSPACE_FULL, True)
    (step,) = upload_certificate.propose(snapshot(copies=(UPLOADED, *many[1:])), APPLY)
    assert isinstance(step, Step)


def test_site_of_a_full_webspace_gets_its_own() -> None:
    """The limit is the webspace's: a certificate that one site has to itself does not count against it."""
    many = tuple(copy(f"other-{number}", FOREIGN, source=None) for number in range(1000))
    old = replace(UPLOADED, ref=CopyRef.of_site(site_ref(), "by-hand", public=False))
    seen = snapshot(sites=(replace(site(), flex=True),), copies=(old, *many), plans=(PLAN,))
    (step,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(step, Step)


def test_site_gets_its_own_though_its_webspace_has_one() -> None:
    """A site of a Flex Consumption plan does not use what its webspace shares."""
    old = replace(UPLOADED, ref=CopyRef.of_site(site_ref(), "by-hand", public=False))
    shared = copy("shared", NEW, source=None)
    (step,) = upload_certificate.propose(
        snapshot(sites=(replace(site(), flex=True),), copies=(old, shared), bindings=(), plans=(PLAN,)), APPLY
    )
    assert isinstance(step, Step)


def test_webspaces_of_one_group_get_names_of_their_own() -> None:
    """Two uploads of one plan never have the same name: the second would replace the first."""
    old = UPLOADED, replace(UPLOADED, ref=replace(UPLOADED.ref, name="north"), webspace=NORTH)
    first, second = upload_certificate.propose(snapshot(copies=old), APPLY)
    assert isinstance(first, Step)
    assert isinstance(second, Step)
    assert first.subject.split()[1] != second.subject.split()[1]


def test_full_webspace_holds_up_no_other() -> None:
    """Where one webspace takes no more, the next one still gets the version."""
    many = tuple(copy(f"other-{number}", FOREIGN, source=None, webspace=NORTH) for number in range(999))
    old = UPLOADED, replace(UPLOADED, ref=replace(UPLOADED.ref, name="north"), webspace=NORTH)
    skip, step = upload_certificate.propose(snapshot(copies=(*old, *many)), APPLY)
    assert isinstance(skip, Skip)
    assert isinstance(step, Step)


def test_upload_of_one_site_is_carried_on_with_its_switches() -> None:
    """A site of a Flex Consumption plan gets the new version to itself, usable by its code as the old one was."""
    old = replace(UPLOADED, ref=CopyRef.of_site(site_ref(), "by-hand", public=False), switches='{"code": true}')
    (step,) = upload_certificate.propose(
        snapshot(sites=(replace(site(), flex=True),), copies=(old,), plans=(PLAN,)), APPLY
    )
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadCertificate)
    assert step.action.copy.ref == CopyRef.of_site(site_ref(), NAME, public=False)
    assert step.action.copy.switches == '{"code": true}'
