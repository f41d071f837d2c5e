"""Test how Certroll uploads a version into a webspace that has an older version as an uploaded certificate."""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.version import Bundle, CertificateVersion, KeyFound
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, Thumbprint, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.snapshot.expiry import is_urgent
from shared.domain.snapshot.liveness import live_in
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions import upload_certificate
from shared.planning.actions.upload_certificate import UploadCertificate
from shared.planning.plan import Skip, Step
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
    bundled,
    copy,
    facts,
    farm,
    lineage,
    mentions,
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
UPLOAD = UploadCertificate(REF, version(), COPY, PLAN, (old_version(),))
UPLOADED = copy("by-hand", OLD, source=None)
OURS = copy(f"certroll-shop-{OLD.lower()}", OLD, source=None)
PFX = Pfx(b"blob", "password")
SHOWN = binding()
GONE = NotFound("there is no such certificate")


def test_stale_upload_gets_the_new_version_beside_it() -> None:
    """Certroll uploads the new version under its own name if an operator uploaded an older version."""
    seen = snapshot(copies=(UPLOADED,), plans=(farm(NORTH), PLAN))
    assert list(upload_certificate.propose(seen, APPLY)) == [Step(UPLOAD, Reason.STALE_UPLOAD)]


def test_each_webspace_is_judged_for_itself() -> None:
    """Certroll uploads the new version into a webspace although another webspace has the new version already."""
    here, there = farm(NORTH), PLAN
    done = (copy("old-there", OLD, webspace=NORTH, source=None), copy("new-there", NEW, webspace=NORTH, source=None))
    seen = snapshot(copies=(*done, UPLOADED), plans=(here, there))
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
        pytest.param(
            snapshot(copies=(OURS,), sites=(site(webspace=NORTH),)), id="one of our own, bound only in another webspace"
        ),
        pytest.param(snapshot(copies=(UPLOADED,), lineage=lineage(current=None)), id="no good version"),
        pytest.param(snapshot(copies=()), id="the old one is gone"),
    ],
)
def test_nothing_is_uploaded_where_it_is_not_needed(seen: Snapshot) -> None:
    """Certroll uploads a private key only into a webspace that uses an uploaded older version of the certificate."""
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
            snapshot(copies=(OURS,), bindings=(), settings=(replace(named(), mentions=mentions(OLD)),)),
            id="an app has it inside a longer text",
        ),
        pytest.param(
            snapshot(copies=(OURS,), bindings=(), blind_spots=(blind_spot(),)), id="who uses it cannot be seen"
        ),
        pytest.param(snapshot(copies=(UPLOADED,), bindings=()), id="people uploaded it, whatever for"),
    ],
)
def test_upload_of_our_own_is_carried_on_while_it_is_used(seen: Snapshot) -> None:
    """Certroll uploads the next version if a webspace still uses the old version that Certroll uploaded."""
    subjects = [item.subject for item in upload_certificate.propose(seen, APPLY)]
    assert subjects == [SUBJECT]


def test_two_old_versions_in_a_webspace_get_one_new() -> None:
    """Certroll uploads the new version once per App Service webspace, however many old uploads the webspace has."""
    older = lineage(version(), old_version(), old_version("v0", OLDER))
    copies = (UPLOADED, copy("older", OLDER, source=None), copy("north", OLD, source=None, webspace=NORTH))
    steps = list(upload_certificate.propose(snapshot(lineage=older, copies=copies), APPLY))
    assert [item.action.webspace for item in steps if isinstance(item, Step)] == [NORTH, WEST]


def test_chain_is_compared_with_the_uploads_of_the_same_webspace() -> None:
    """Certroll compares an upload with the older uploads of its webspace, and with the vault's version before."""
    older = lineage(version(), old_version(), old_version("v0", OLDER))
    copies = (UPLOADED, copy("north", OLDER, source=None, webspace=NORTH))
    steps = list(upload_certificate.propose(snapshot(lineage=older, copies=copies), APPLY))
    actions = [step.action for step in steps if isinstance(step, Step)]
    before = [action.before for action in actions if isinstance(action, UploadCertificate)]
    assert [[known.version for known in compared] for compared in before] == [["v0", "v1"], ["v1"]]


def test_upload_without_a_plan_is_refused() -> None:
    """Certroll uploads a certificate only if Azure lists a plan of the webspace, else it names the missing role."""
    (skip,) = upload_certificate.propose(snapshot(copies=(UPLOADED,), plans=()), APPLY)
    assert isinstance(skip, Skip)
    assert (skip.reason, "grant Reader on the plans" in skip.detail) == (Reason.NO_PLAN_IN_WEBSPACE, True)


def test_version_is_live_after_the_upload() -> None:
    """After the upload of a version, bindings and app settings may name it, and Certroll does not upload it again."""
    after = UPLOAD.project(snapshot(copies=(UPLOADED,)))
    assert NEW in live_in(after, WEST)
    assert OLD in live_in(after, WEST)
    assert list(upload_certificate.propose(after, APPLY)) == []


def test_upload_is_made_once_and_read_back() -> None:
    """Certroll reads the key of the planned version, uploads it once, and waits until Azure shows it."""
    azure, vault = RecordingAppService(copies=[GONE, GONE, COPY]), RecordingVault(PFX)
    assert UPLOAD.perform(ports(azure, ManualClock(), vault=vault))
    assert azure.writes == [(COPY, PFX, PLAN)]
    assert vault.asked == [(REF, "v2", NEW)]


def test_what_is_there_is_not_uploaded_again() -> None:
    """If the webspace already has the uploaded certificate, Certroll neither reads its key nor uploads it."""
    azure, vault = RecordingAppService(copies=[COPY]), RecordingVault(PFX)
    assert not UPLOAD.perform(ports(azure, ManualClock(), vault=vault))
    assert (azure.writes, vault.asked) == ([], [])


def test_name_that_is_taken_is_not_overwritten() -> None:
    """Certroll does not overwrite another certificate that has the upload's name, because it may be in use."""
    azure = RecordingAppService(copies=[replace(COPY, thumbprint=FOREIGN)])
    with pytest.raises(Rejected, match=f"certificate {FOREIGN} in .* has the name") as refused:
        UPLOAD.perform(ports(azure, ManualClock(), vault=RecordingVault(PFX)))
    assert refused.value.reason is Reason.NAME_TAKEN
    assert azure.writes == []


def test_key_that_may_not_be_read_is_said_with_the_cure() -> None:
    """Certroll uploads nothing without the right to read the secret, and reports the vault's own refusal."""
    azure = RecordingAppService(copies=[GONE])
    with pytest.raises(Denied, match="grant"):
        UPLOAD.perform(ports(azure, ManualClock(), vault=RecordingVault(Denied("grant the identity the role"))))
    assert azure.writes == []


def bound_to(lineage: Lineage, *copies: WebspaceCertificate) -> Snapshot:
    """Return the default snapshot with the given vault certificate and the given certificates in App Service."""
    return snapshot(lineage=lineage, copies=copies)


def test_end_of_an_uploaded_certificate_makes_its_renewal_urgent() -> None:
    """The end of an uploaded certificate makes its renewal urgent, as the end of an imported certificate does."""
    ends = NOW + 2 * DAY
    soon = lineage(version(), old_version(not_after=ends))
    assert is_urgent(bound_to(soon, UPLOADED))
    assert not is_urgent(bound_to(soon))
    assert LINEAGE.current is not None


# --------------------------------------------------------------------------------------------------------------- chains

WITH_ROOT = bundled(KeyFound.MATCHING, ("Issuing CA", "Root CA"), None, ordered=True)
CUT = bundled(KeyFound.MATCHING, (), "Issuing CA", ordered=True)


class TwoSecrets(RecordingVault):
    """This fake vault gives each version of the certificate its own answer."""

    def __init__(self, **answers: Pfx | Exception) -> None:
        super().__init__(PFX)
        self.answers = answers

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Return the PFX of that version of the vault certificate."""
        self.answer = self.answers[version]
        return super().pfx(ref, version, thumbprint)


def test_upload_that_lost_its_intermediates_is_refused() -> None:
    """Certroll refuses to upload a version without intermediates if the version in use has its whole chain.

    TLS clients would not trust a certificate whose chain lost its intermediates.
    """
    azure = RecordingAppService(copies=[GONE])
    vault = TwoSecrets(v2=Pfx(b"", "", CUT), v1=Pfx(b"", "", WITH_ROOT))
    with pytest.raises(
        Rejected, match="its chain ends with the certificate itself, without the issuer Issuing CA"
    ) as refused:
        UPLOAD.perform(ports(azure, ManualClock(), vault=vault))
    assert refused.value.reason is Reason.CHAIN_LOST
    assert azure.writes == []


@pytest.mark.parametrize(
    "vault",
    [
        pytest.param(TwoSecrets(v2=Pfx(b"", "", WITH_ROOT)), id="the chain is whole, and no other secret is read"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=Pfx(b"", "", CUT)), id="the version in use had no more"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=Denied("no right")), id="the version in use cannot be read"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=NotFound("gone")), id="the version in use is gone"),
        pytest.param(TwoSecrets(v2=Pfx(b"", "", CUT), v1=Rejected("no PFX")), id="the version in use is no PFX"),
    ],
)
def test_upload_that_is_no_worse_goes_up(vault: TwoSecrets) -> None:
    """Certroll uploads a version unless Certroll knows that the version in use has more of its chain."""
    azure = RecordingAppService(copies=[GONE, COPY])
    assert UPLOAD.perform(ports(azure, ManualClock(), vault=vault))


CROSSED = bundled(KeyFound.MATCHING, ("Issuing CA", "New Root"), "Old Root", ordered=True, held={"New Root"})
SHORTENED = bundled(KeyFound.MATCHING, ("Issuing CA",), "New Root", ordered=True)


@pytest.mark.parametrize(
    ("before", "urgent", "told"),
    [
        pytest.param(
            CROSSED, False, "clients hold the self-signed root of that issuer's key", id="a root that clients hold"
        ),
        pytest.param(
            replace(CROSSED, held=frozenset()), True, "ends too soon for Certroll to wait", id="time is short"
        ),
    ],
)
def test_tolerated_loss_is_told(before: Bundle, urgent: bool, told: str) -> None:  # noqa: FBT001
    """If Certroll uploads a shorter chain, because the loss is none or time is short, a finding says so."""
    azure, journal = RecordingAppService(copies=[GONE, COPY]), RecordingJournal()
    vault = TwoSecrets(v2=Pfx(b"", "", SHORTENED), v1=Pfx(b"", "", before))
    assert replace(UPLOAD, urgent=urgent).perform(ports(azure, ManualClock(), journal, vault))
    (finding,) = journal.findings
    assert (finding.reason, told in finding.detail) == (Reason.REQUIREMENT_WARNING, True)


def test_certificates_that_stay_behind_are_told() -> None:
    """If the upload lacks certificates of the vault's value, a finding names them."""
    azure, journal = RecordingAppService(copies=[GONE, COPY]), RecordingJournal()
    strangers = tuple(f"Stranger {number}" for number in range(12))
    vault = TwoSecrets(v2=Pfx(b"", "", WITH_ROOT, strangers))
    assert UPLOAD.perform(ports(azure, ManualClock(), journal, vault))
    (finding,) = journal.findings
    assert finding.reason is Reason.REQUIREMENT_WARNING
    assert "also holds Stranger 0, Stranger 1" in finding.detail
    assert "Stranger 9 and 2 more, which the chain of its certificate does not need" in finding.detail


@pytest.mark.parametrize(
    ("old", "bound", "urgent"),
    [
        pytest.param(old_version(not_after=NOW + 2 * DAY), True, True, id="what is bound ends soon"),
        pytest.param(old_version(not_after=NOW + 2 * DAY), False, True, id="what is there ends soon"),
        pytest.param(old_version(not_after=NOW - DAY), True, True, id="what is bound has ended"),
        pytest.param(old_version(not_after=NOW - 4 * DAY), True, False, id="what is bound is long forgotten"),
        pytest.param(old_version(not_after=NOW + 30 * DAY), True, False, id="there is time"),
    ],
)
def test_time_is_short_near_the_end(old: CertificateVersion, bound: bool, urgent: bool) -> None:  # noqa: FBT001
    """Certroll stops waiting for a better chain once the certificate in use ends soon, forgotten copies aside."""
    known = lineage(version(), old, old_version("v0", thumbprint=FOREIGN, not_after=NOW - 40 * DAY))
    forgotten = copy("forgotten", FOREIGN, source=None)
    seen = snapshot(lineage=known, copies=(UPLOADED, forgotten), bindings=(binding(thumbprint=OLD),) if bound else ())
    (step,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadCertificate)
    assert step.action.urgent is urgent


@pytest.mark.parametrize("bound", [True, False])
def test_superseded_copy_that_ends_soon_is_no_hurry(bound: bool) -> None:  # noqa: FBT001
    """A copy that ends soon hurries Certroll only if the copy is in use, or is the newest of the older copies."""
    older = old_version("v0", thumbprint=FOREIGN, not_after=NOW + 2 * DAY)
    seen = snapshot(
        lineage=lineage(version(), old_version(), older),
        copies=(UPLOADED, copy("superseded", FOREIGN, source=None)),
        bindings=(binding(thumbprint=OLD),) if bound else (),
    )
    (step,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadCertificate)
    assert not step.action.urgent


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
            id="next to an environment",
        ),
    ],
)
def test_chain_matters_where_servers_trust_by_it(seen: Snapshot, whole: bool) -> None:  # noqa: FBT001
    """An upload needs its whole chain in an environment, whose servers trust a private authority only by that chain."""
    (step,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadCertificate)
    assert step.action.whole_chain is whole


ROOTLESS = bundled(KeyFound.MATCHING, ("Issuing CA",), "Root CA", ordered=True)


@pytest.mark.parametrize(
    ("now", "before", "whole", "refused", "told"),
    [
        pytest.param(WITH_ROOT, WITH_ROOT, True, False, False, id="the root is there"),
        pytest.param(ROOTLESS, WITH_ROOT, True, True, False, id="the root is lost, by which servers trust it"),
        pytest.param(ROOTLESS, WITH_ROOT, False, False, False, id="the root is lost, which clients have"),
        pytest.param(ROOTLESS, ROOTLESS, True, False, True, id="no root, as before, which is told"),
        pytest.param(ROOTLESS, ROOTLESS, False, False, False, id="no root, as before, which clients have"),
        pytest.param(None, WITH_ROOT, True, False, False, id="nobody looked"),
    ],
)
def test_root_is_missed_where_servers_trust_by_it(
    now: Bundle | None,
    before: Bundle,
    whole: bool,  # noqa: FBT001
    refused: bool,  # noqa: FBT001
    told: bool,  # noqa: FBT001
) -> None:
    """Certroll uploads a chain without its root into an environment only if the version in use also lacks its root.

    Certroll reports a chain without its root that it uploaded into an environment.
    """
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
    """Certroll uploads nothing for a whole webspace that has a thousand certificates, and names the next step."""
    many = tuple(copy(f"other-{number}", FOREIGN, source=None) for number in range(999))
    (skip,) = upload_certificate.propose(snapshot(copies=(UPLOADED, *many)), APPLY)
    assert isinstance(skip, Skip)
    assert (skip.reason, "delete superseded ones" in skip.detail) == (Reason.WEBSPACE_FULL, True)
    (step,) = upload_certificate.propose(snapshot(copies=(UPLOADED, *many[1:])), APPLY)
    assert isinstance(step, Step)


def of_site(name: str, thumbprint: Thumbprint | None = FOREIGN) -> WebspaceCertificate:
    """Return a private certificate of the Flex Consumption app."""
    return replace(UPLOADED, ref=CopyRef.of_site(site_ref(), name, public=False), thumbprint=thumbprint)


@pytest.mark.parametrize(("others", "full"), [(1, False), (2, True), (5, True)])
def test_full_app_takes_no_more_and_is_told_what_may_go(*, others: int, full: bool) -> None:
    """A Flex Consumption app with three private certificates gets no upload, and the finding names what may go."""
    held = (of_site("by-hand", OLD), *(of_site(f"other-{number}") for number in range(others)))
    seen = snapshot(sites=(replace(site(), flex=True),), copies=held, bindings=(binding(OLD),))
    (item,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(item, Skip) is full
    if isinstance(item, Skip):
        assert (item.reason, item.reason.makes_finding) == (Reason.SITE_FULL, True)
        assert f"holds {others + 1} private certificates, and takes 3 at most" in item.detail
        assert "no binding uses other-0, other-1" in item.detail
        assert "by-hand" not in item.detail


def test_full_app_whose_certificates_are_all_bound_is_told_so() -> None:
    """If a binding uses each certificate of a full Flex Consumption app, the finding names none that may go."""
    held = tuple(of_site(f"copy-{number}", OLD) for number in range(3))
    seen = snapshot(sites=(replace(site(), flex=True),), copies=held, bindings=(binding(OLD),))
    (item,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(item, Skip)
    assert item.detail.endswith("bindings use all of them")


@pytest.mark.parametrize("tier", ["Free", "Shared", "FREE"])
def test_nothing_is_uploaded_by_a_free_plan(tier: str) -> None:
    """If each plan of the webspace has the tier Free or Shared, Certroll uploads nothing, and names tier and remedy."""
    low = replace(farm(), tier=tier)
    (skip,) = upload_certificate.propose(snapshot(copies=(UPLOADED,), plans=(low,)), APPLY)
    assert isinstance(skip, Skip)
    assert skip.reason is Reason.TIER_TOO_LOW
    assert skip.detail == f"the plan {WEST} has the tier {tier}; scale it up to Basic or higher"
    paid = replace(low, resource_id=f"{low.resource_id}-z", tier="Dynamic")
    (step,) = upload_certificate.propose(snapshot(copies=(UPLOADED,), plans=(low, paid)), APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadCertificate)
    assert step.action.plan == paid


def test_site_of_a_full_webspace_gets_its_own() -> None:
    """Even if a webspace is full, Certroll uploads a certificate for one Flex Consumption site."""
    many = tuple(copy(f"other-{number}", FOREIGN, source=None) for number in range(1000))
    old = replace(UPLOADED, ref=CopyRef.of_site(site_ref(), "by-hand", public=False))
    seen = snapshot(sites=(replace(site(), flex=True),), copies=(old, *many), plans=(PLAN,))
    (step,) = upload_certificate.propose(seen, APPLY)
    assert isinstance(step, Step)


def test_site_gets_its_own_though_its_webspace_has_one() -> None:
    """Certroll uploads a certificate for a Flex Consumption site although its webspace has the same certificate."""
    old = replace(UPLOADED, ref=CopyRef.of_site(site_ref(), "by-hand", public=False))
    shared = copy("shared", NEW, source=None)
    (step,) = upload_certificate.propose(
        snapshot(sites=(replace(site(), flex=True),), copies=(old, shared), bindings=(), plans=(PLAN,)), APPLY
    )
    assert isinstance(step, Step)


def test_webspaces_of_one_group_get_names_of_their_own() -> None:
    """Certroll gives two uploads in App Service webspaces of one resource group different names.

    A second upload of the same name would replace the first upload.
    """
    old = UPLOADED, replace(UPLOADED, ref=replace(UPLOADED.ref, name="north"), webspace=NORTH)
    first, second = upload_certificate.propose(snapshot(copies=old), APPLY)
    assert isinstance(first, Step)
    assert isinstance(second, Step)
    assert first.subject.split()[1] != second.subject.split()[1]


def test_full_webspace_holds_up_no_other() -> None:
    """Certroll still uploads a certificate into other App Service webspaces if one webspace is full."""
    many = tuple(copy(f"other-{number}", FOREIGN, source=None, webspace=NORTH) for number in range(999))
    old = UPLOADED, replace(UPLOADED, ref=replace(UPLOADED.ref, name="north"), webspace=NORTH)
    skip, step = upload_certificate.propose(snapshot(copies=(*old, *many)), APPLY)
    assert isinstance(skip, Skip)
    assert isinstance(step, Step)


def test_upload_of_one_site_is_carried_on_with_its_switches() -> None:
    """For a Flex Consumption site, Certroll uploads a new version with the same options as the old upload."""
    old = replace(UPLOADED, ref=CopyRef.of_site(site_ref(), "by-hand", public=False), switches='{"code": true}')
    (step,) = upload_certificate.propose(
        snapshot(sites=(replace(site(), flex=True),), copies=(old,), plans=(PLAN,)), APPLY
    )
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadCertificate)
    assert step.action.copy.ref == CopyRef.of_site(site_ref(), NAME, public=False)
    assert step.action.copy.switches == '{"code": true}'
