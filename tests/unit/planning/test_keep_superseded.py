"""Test how Certroll uploads an old version that app settings name before a sync replaces the imported certificate."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple

import pytest

from shared.domain.certificates.lineage import Lineage, Refusal
from shared.domain.certificates.pfx import Pfx
from shared.domain.errors import Conflict, Denied, NotFound, NotKept, NotYet, OutcomeUnknown, Rejected
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import notices, planner
from shared.planning.actions import keep_superseded
from shared.planning.actions.keep_superseded import KeepSuperseded
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    COPIES,
    DAY,
    EAST,
    FOREIGN,
    HOUR,
    LINEAGE,
    NEW,
    NEWER,
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
    RecordingVault,
    blind_spot,
    copy,
    facts,
    farm,
    lineage,
    mentions,
    named,
    old_version,
    ports,
    site,
    snapshot,
    version,
)

THREE = lineage(version(), old_version(), old_version("v0", OLDER))
NAME = f"certroll-shop-{OLD.lower()}"
KEPT = WebspaceCertificate(
    CopyRef(SUBSCRIPTION, "rg", NAME),
    WEST,
    "West Europe",
    OLD,
    frozenset(),
    NOW + 30 * DAY,
    None,
    tags=(("certroll-lineage", "kv-shop/shop"),),
)
SUBJECT = f"certificate rg/{NAME} in rg-westeuropewebspace"
PLAN = replace(farm(), location="West Europe")
KEEP = KeepSuperseded(REF, old_version(), KEPT, PLAN, held_by=copy().ref)
SYNCED = copy(thumbprint=NEW)
UPLOADED = copy("up", OLD, source=None)
OLD_APP = (named(OLD),)
HIDDEN_SETTINGS = replace(blind_spot(), settings_only=True)


def kept(seen: Snapshot) -> list[str]:
    """Return the old versions that Certroll uploads, after a check that each item is a full step."""
    items = list(keep_superseded.propose(seen, APPLY))
    actions = [item.action for item in items if isinstance(item, Step) and item.reason is Reason.SUPERSEDED_IN_USE]
    assert len(actions) == len(items)
    assert all(isinstance(action, KeepSuperseded) for action in actions)
    return [action.version.version for action in actions if isinstance(action, KeepSuperseded)]


def world(*settings: SiteSettings, lineage: Lineage = THREE, **others: Any) -> Snapshot:  # noqa: ANN401 - as snapshot
    """Return the default snapshot with these app settings and a third version."""
    return snapshot(lineage=lineage, settings=settings, **others)


def test_version_that_an_app_names_is_kept() -> None:
    """Certroll uploads the old version under its own name before a sync, if an app names that version."""
    seen = snapshot(settings=OLD_APP, plans=(farm(NORTH), PLAN))
    assert list(keep_superseded.propose(seen, APPLY)) == [Step(KEEP, Reason.SUPERSEDED_IN_USE)]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(world(named(pins={"PIN": OLD})), ["v1"], id="an app pins it"),
        pytest.param(world(named(OLD, NEW)), ["v1"], id="an app names both, and the copy is not synced yet"),
        pytest.param(world(named(OLD), copies=(SYNCED,)), ["v1"], id="Azure was faster, and no copy holds it any more"),
        pytest.param(world(named(OLDER, OLD)), ["v1"], id="of two old ones only the last good one"),
        pytest.param(
            world(named(OLDER, OLD), copies=(copy(thumbprint=OLDER),)), ["v1", "v0"], id="and what the copy holds"
        ),
        pytest.param(world(named(OLD, pins={"PIN": OLDER})), ["v1", "v0"], id="and what is pinned"),
        pytest.param(world(named(OLD, NEW, pins={"P": OLDER}), copies=(SYNCED,)), ["v0"], id="what is pinned alone"),
        pytest.param(
            world(named(OLD), copies=(copy(), replace(UPLOADED, webspace=NORTH))),
            ["v1"],
            id="people uploaded it into another webspace only",
        ),
        pytest.param(world(blind_spots=(HIDDEN_SETTINGS,)), ["v1"], id="the settings of an app cannot be read"),
        pytest.param(
            world(blind_spots=(replace(HIDDEN_SETTINGS, webspace=None),)),
            ["v1"],
            id="the settings of some app of the subscription cannot be read",
        ),
        pytest.param(
            world(
                named(NEW),
                lineage=lineage(
                    version("v3", NEWER), version(), current=1, refusal=Refusal(Reason.NOT_PKCS12, "it is PEM")
                ),
                copies=(SYNCED,),
            ),
            ["v2"],
            id="the current one, where Azure may import a newer one that was refused",
        ),
        pytest.param(
            world(
                named(NEW),
                lineage=lineage(
                    version("v3", NEWER), version(), current=1, refusal=Refusal(Reason.NOT_PKCS12, "it is PEM")
                ),
                copies=(copy(thumbprint=NEWER),),
            ),
            ["v2"],
            id="the current one, where Azure has imported a newer one that was refused",
        ),
        pytest.param(world(named(OLD), lineage=replace(THREE, current=None)), ["v1"], id="no version passes the gate"),
    ],
)
def test_what_a_sync_takes_away_is_kept(seen: Snapshot, expected: list[str]) -> None:
    """Certroll uploads the old versions that apps name and that a sync removes, the newest first."""
    assert kept(seen) == expected


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(), id="no app names it"),
        pytest.param(world(named(FOREIGN)), id="an app names another's"),
        pytest.param(world(named(OLD), copies=(copy(), UPLOADED)), id="people uploaded it, or it is kept already"),
        pytest.param(
            world(named(OLD), copies=(copy(), copy("other", OLD, source=OTHER_REF))),
            id="a copy of another vault certificate holds it",
        ),
        pytest.param(world(named(OLD, NEW), copies=(SYNCED,)), id="an app names both, and the copy is synced"),
        pytest.param(
            world(named(OLD, everything=True), copies=(SYNCED,)), id="an app that names it loads everything there is"
        ),
        pytest.param(world(named(OLDER, NEW)), id="an app names both, and no copy ever held the old one"),
        pytest.param(world(named(NEW), copies=(SYNCED,)), id="it is the newest: a sync brings it"),
        pytest.param(
            world(named(OLD, NEW), copies=(SYNCED, copy("n", webspace=NORTH))),
            id="an app names both, and only the copy of another webspace is not synced",
        ),
        pytest.param(
            world(named(pins={"PIN": NEW}), lineage=lineage(version("v3", NEWER), *THREE.versions, current=1)),
            id="an app pins the current one, which is not there, and not the newest",
        ),
        pytest.param(world(named(OLD), sites=(site(webspace=NORTH),)), id="the app is in another webspace"),
        pytest.param(world(named(OLD, site="gone")), id="the site of the app was not seen"),
        pytest.param(world(named(OLD), copies=(UPLOADED,)), id="no copy was imported"),
        pytest.param(
            world(named(OLD), copies=(replace(copy(), ref=CopyRef.of_site(site().ref, "own", public=False)),)),
            id="the copy is one site's alone",
        ),
        pytest.param(world(named(FOREIGN), copies=(copy(thumbprint=FOREIGN),)), id="it is no version of the vault"),
        pytest.param(world(blind_spots=(blind_spot(),)), id="a blind spot hides bindings, not settings"),
        pytest.param(
            world(blind_spots=(replace(HIDDEN_SETTINGS, webspace=NORTH),)), id="settings are hidden elsewhere"
        ),
        pytest.param(
            world(blind_spots=(HIDDEN_SETTINGS,), copies=(copy(thumbprint=None),)), id="the copy hides what it holds"
        ),
        pytest.param(world(named(OLD), lineage=Lineage(REF, (), None)), id="the vault has no version"),
    ],
)
def test_nothing_else_is_kept(seen: Snapshot) -> None:
    """Certroll uploads no old version that no app names, that stays in the webspace anyway, or that a sync brings."""
    assert kept(seen) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(True, True, "v1", id="both are enabled: the newer one"),
        pytest.param(True, False, "v1", id="the newer one is enabled"),
        pytest.param(False, True, "v0", id="the older one is enabled"),
    ],
)
def test_one_of_two_versions_of_one_thumbprint_is_kept(*, first: bool, second: bool, expected: str) -> None:
    """If two versions in the vault have the same thumbprint, Certroll uploads the version that is enabled."""
    versions = replace(old_version(), enabled=first), replace(old_version("v0"), enabled=second)
    assert kept(world(named(OLD), lineage=lineage(version(), *versions))) == [expected]


def test_newer_of_two_versions_that_cannot_be_read_is_told() -> None:
    """Of two disabled old versions with the same thumbprint, Certroll reports only the newer version."""
    old = replace(old_version(), enabled=False), replace(old_version("v0", not_after=NOW), enabled=False)
    (skip,) = keep_superseded.propose(world(named(OLD), lineage=lineage(version(), *old)), APPLY)
    assert isinstance(skip, Skip)
    assert skip.detail.startswith("the old version is disabled")


@pytest.mark.parametrize(
    ("old", "plans", "subject", "detail"),
    [
        pytest.param(
            old_version(not_after=NOW),
            (PLAN,),
            SUBJECT,
            "the old version expired at 2026-11-21 12:00 UTC, so Certroll does not keep it",
            id="it expired this moment",
        ),
        pytest.param(
            replace(old_version(), enabled=False),
            (PLAN,),
            SUBJECT,
            "the old version is disabled in the vault, so Certroll keeps no copy of it",
            id="it is disabled",
        ),
        pytest.param(
            old_version(),
            (farm(NORTH),),
            f"certificate unknown/{NAME} in rg-westeuropewebspace",
            "Certroll sees no App Service plan of this webspace, and an upload must name a plan: "
            "grant Reader on the plans",
            id="no plan is visible",
        ),
    ],
)
def test_what_cannot_be_kept_is_told(old: Any, plans: tuple[Any, ...], subject: str, detail: str) -> None:  # noqa: ANN401
    """Certroll names an old version that it cannot upload, and the change that would allow the upload."""
    seen = snapshot(lineage=lineage(version(), old), settings=OLD_APP, plans=plans)
    assert list(keep_superseded.propose(seen, APPLY)) == [Skip(subject, Reason.NO_OVERLAP, detail)]


def test_version_that_ends_soon_is_kept() -> None:
    """Certroll uploads an old version that is valid for only one more hour."""
    assert kept(snapshot(lineage=lineage(version(), old_version(not_after=NOW + HOUR)), settings=OLD_APP)) == ["v1"]


def test_copy_knows_what_it_is_good_for() -> None:
    """The planned upload of an old version has the version's host names, if Certroll has read the version."""
    known = replace(old_version(), facts=facts("a.contoso.com"))
    (step,) = keep_superseded.propose(snapshot(lineage=lineage(version(), known), settings=OLD_APP), APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, KeepSuperseded)
    assert step.action.copy.host_names == {"a.contoso.com"}


def held_by(*copies: WebspaceCertificate) -> CopyRef | None:
    """Return the imported certificate that the upload's step names as the source of the old version."""
    (step,) = keep_superseded.propose(snapshot(settings=OLD_APP, copies=copies), APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, KeepSuperseded)
    return step.action.held_by


def test_copy_under_it_is_known() -> None:
    """The plan's step names an imported certificate of the same webspace that has the old version, or None."""
    assert held_by(SYNCED, copy("b")) == copy("b").ref
    assert held_by(SYNCED, copy("c"), copy("b")) == copy("b").ref
    assert held_by(SYNCED) is None
    assert held_by(SYNCED, copy("n", webspace=NORTH)) is None


def names(seen: Snapshot) -> list[tuple[str, str]]:
    """Return the App Service webspace and the name of each certificate that Certroll uploads."""
    actions = [item.action for item in keep_superseded.propose(seen, APPLY) if isinstance(item, Step)]
    return [(action.webspace.name, action.copy.ref.name) for action in actions if isinstance(action, KeepSuperseded)]


def suffixed(webspace: str) -> str:
    """Return the upload's name if a certificate of another webspace already has the usual name."""
    return f"{NAME}-{sha256(webspace.encode()).hexdigest()[:8]}"


def test_plan_of_a_copy_does_not_depend_on_the_order() -> None:
    """Certroll uploads through the same plan of a webspace, whatever the order in which Azure lists plans."""
    plans = tuple(replace(PLAN, resource_id=f"/s/x/resourceGroups/rg/providers/p/serverfarms/{name}") for name in "bca")
    for order in (plans, plans[::-1]):
        (step,) = keep_superseded.propose(snapshot(settings=OLD_APP, plans=order), APPLY)
        assert isinstance(step, Step)
        assert isinstance(step.action, KeepSuperseded)
        assert step.action.plan == plans[2]


def test_webspaces_of_one_group_do_not_share_a_name() -> None:
    """Certroll gives uploads in App Service webspaces of one resource group different names.

    A second certificate of the same name in the same resource group would replace the first certificate.
    """
    sites = site(), site("n", webspace=NORTH), site("e", webspace=EAST)
    settings = named(OLD, site="n"), named(OLD), named(OLD, site="e")
    copies = copy(), copy("n", webspace=NORTH), copy("e", webspace=EAST)
    for order in (copies, copies[::-1]):
        assert names(snapshot(sites=sites, settings=settings, copies=order)) == [
            (EAST.name, NAME),
            (NORTH.name, suffixed(NORTH.name)),
            (WEST.name, suffixed(WEST.name)),
        ]


def test_name_that_is_taken_elsewhere_is_not_used() -> None:
    """Certroll does not use a name that a certificate of another App Service webspace has.

    An upload may have the same name as a certificate that is already in the same webspace.
    """
    elsewhere = replace(KEPT, webspace=EAST)
    assert names(snapshot(settings=OLD_APP, copies=(copy(), elsewhere))) == [(WEST.name, suffixed(WEST.name))]
    here = replace(KEPT, thumbprint=FOREIGN)
    assert names(snapshot(settings=OLD_APP, copies=(copy(), here))) == [(WEST.name, NAME)]


def test_projection_holds_both() -> None:
    """The predicted snapshot has the upload and the imported certificate, and Certroll then proposes nothing."""
    after = KEEP.project(snapshot(settings=OLD_APP))
    assert after.fleet.certificates == (copy(), KEPT)
    assert kept(after) == []


def test_keeping_says_what_it_is() -> None:
    """The upload of an old version serves the whole webspace, restarts no app, and needs no other certificate."""
    assert (KEEP.subject, KEEP.site, KEEP.webspace, KEEP.restarts_site) == (SUBJECT, None, WEST, False)
    assert KEEP.writes == frozenset()


# ------------------------------------------------------------------------------------------------------ the upload

PFX = Pfx(b"a blob that nobody sees", "a password that nobody sees")
THERE = KEPT


class Case(NamedTuple):
    """This test case has the recorded ports and the call that performs the action."""

    azure: RecordingAppService
    vault: RecordingVault
    clock: ManualClock
    perform: Callable[[], bool]


def performing(
    *seen: WebspaceCertificate | Exception,
    upload: Exception | None = None,
    pfx: Pfx | Exception = PFX,
    imported: WebspaceCertificate | Exception | None = None,
    action: KeepSuperseded = KEEP,
) -> Case:
    """Return a test case in which Azure shows these states of the certificate, and then repeats the last state."""
    azure = RecordingAppService(
        copies=list(seen), others={copy().ref: [imported or copy()]}, failures=[upload] if upload else []
    )
    vault, clock = RecordingVault(pfx), ManualClock()
    return Case(azure, vault, clock, lambda: action.perform(ports(azure, clock, vault=vault)))


GONE = NotFound("404")


def test_version_is_uploaded_once() -> None:
    """Certroll uploads the version with its key once, through a plan of its App Service webspace."""
    case = performing(GONE, THERE)
    assert case.perform()
    assert case.azure.writes == [(KEPT, PFX, PLAN)]
    assert case.vault.asked == [(REF, "v1", OLD)]
    assert case.clock.slept == []


def test_upload_waits_until_azure_shows_it() -> None:
    """Certroll repeats reads, and not the upload, until Azure shows the uploaded version."""
    case = performing(GONE, GONE, replace(KEPT, thumbprint=FOREIGN), THERE)
    assert case.perform()
    assert (len(case.azure.writes), case.clock.slept) == (1, [1.0, 2.0])


def test_version_that_is_there_is_not_uploaded() -> None:
    """If the webspace already has the uploaded certificate, Certroll neither uploads it nor reads its key."""
    case = performing(THERE)
    assert not case.perform()
    assert (case.azure.writes, case.vault.asked) == ([], [])


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        pytest.param(replace(KEPT, thumbprint=FOREIGN), f"{FOREIGN} in {WEST}", id="by another certificate"),
        pytest.param(replace(KEPT, webspace=NORTH), f"{OLD} in {NORTH}", id="by a copy of another webspace"),
    ],
)
def test_name_that_was_taken_meanwhile_is_not_overwritten(seen: WebspaceCertificate, words: str) -> None:
    """Certroll does not overwrite another certificate with the upload's name, and says which certificate to delete."""
    case = performing(seen)
    with pytest.raises(NotKept) as raised:
        case.perform()
    assert str(raised.value) == f"{SUBJECT}: certificate {words} has the name; delete that certificate"
    assert (case.azure.writes, case.vault.asked) == ([], [])


@pytest.mark.parametrize(
    "error", [Denied("403 no"), NotFound("404 no"), Rejected("400 no")], ids=lambda e: type(e).__name__
)
def test_version_that_cannot_be_read_is_not_kept(error: Exception) -> None:
    """If the vault does not give the old version, Certroll uploads nothing and reports that apps cannot have both."""
    case = performing(GONE, pfx=error)
    with pytest.raises(NotKept) as raised:
        case.perform()
    assert (
        str(raised.value)
        == f"{SUBJECT}: Certroll cannot read the old version, so the new version replaces it at once: {error}"
    )
    assert case.azure.writes == []


def test_azure_that_takes_no_thumbprint_twice_is_asked_after_the_sync() -> None:
    """Certroll uploads after the sync if Azure refuses the upload of a thumbprint that an imported certificate has."""
    case = performing(GONE, upload=Rejected("409 exists"))
    with pytest.raises(NotYet, match=r"is uploaded after the sync: 409 exists$"):
        case.perform()
    assert len(case.azure.writes) == 1


def test_azure_that_shows_nothing_is_asked_after_the_sync() -> None:
    """If Azure shows no upload while an imported certificate has the same version, Certroll uploads after the sync."""
    case = performing(GONE)
    with pytest.raises(NotYet, match=r"is uploaded after the sync: .* still shows the old state after 20 s$"):
        case.perform()
    assert sum(case.clock.slept) <= 20


@pytest.mark.parametrize(
    ("error", "imported", "action"),
    [
        pytest.param(Denied("no"), copy(), KEEP, id="a right is missing"),
        pytest.param(Rejected("no"), copy(), replace(KEEP, held_by=None), id="no copy holds it any more"),
        pytest.param(Rejected("no"), SYNCED, KEEP, id="the copy was synced meanwhile"),
        pytest.param(Rejected("no"), GONE, KEEP, id="the copy is gone"),
    ],
)
def test_upload_that_azure_refuses_for_good_is_not_kept(
    error: Exception, imported: WebspaceCertificate | Exception, action: KeepSuperseded
) -> None:
    """Certroll reports that apps cannot have both versions if Azure refuses the upload and a sync would not help."""
    case = performing(GONE, upload=error, imported=imported, action=action)
    with pytest.raises(NotKept) as raised:
        case.perform()
    assert str(raised.value) == f"{SUBJECT}: Azure refuses the upload, so the new version replaces the old at once: no"
    assert len(case.azure.writes) == 1


def test_upload_that_is_never_shown_is_not_kept() -> None:
    """Certroll reports that apps cannot have both versions if Azure does not show the uploaded old version."""
    with pytest.raises(
        NotKept,
        match=r"Azure refuses the upload, so the new version replaces the old at once: .* after 20 s$",
    ):
        performing(GONE, imported=SYNCED).perform()


@pytest.mark.parametrize("error", [OutcomeUnknown("504"), Conflict("412")], ids=lambda e: type(e).__name__)
def test_other_errors_of_the_upload_are_passed_on(error: Exception) -> None:
    """If Azure gives no answer to an upload, Certroll reads first, and does not repeat an upload that took effect."""
    case = performing(GONE, THERE, upload=error)
    with pytest.raises(type(error)):
        case.perform()
    assert not case.perform()
    assert len(case.azure.writes) == 1


def test_no_error_shows_the_key() -> None:
    """Errors of an upload show neither the PFX nor its password."""
    for upload in (Rejected("no"), Denied("no")):
        with pytest.raises((NotYet, NotKept)) as raised:
            performing(GONE, upload=upload).perform()
        assert "nobody sees" not in f"{raised.value!r}{raised.value.__cause__!r}{PFX!r}{KEEP!r}"


def test_ordinary_world_is_what_these_cases_think() -> None:
    """In the default snapshot the old version is stale, and the imported certificate has the old version."""
    assert LINEAGE.is_stale(OLD)
    assert copy().thumbprint == OLD


class Counted(dict[Thumbprint, frozenset[str]]):
    """The mentions of an app, which nobody may go through, because a long value may hold tens of thousands of them."""

    def __iter__(self) -> Iterator[Thumbprint]:
        raise AssertionError("somebody goes through all mentions of an app")

    items = keys = values = __iter__  # type: ignore[assignment]


def test_long_value_of_an_app_costs_no_plan_time() -> None:
    """A plan asks the settings of an app only for thumbprints that it knows, however many runs of digits they have."""
    settings = replace(named(OLD), mentions=Counted(mentions(OLD)))
    old = copy("certroll-kv-shop-old", OLDER, source=None)
    seen = snapshot(settings=(settings,), copies=(*COPIES, old))
    assert planner.plan(seen, replace(APPLY, delete_superseded=True)).steps
    assert [skip.reason for skip in notices.mentions(seen)] == [Reason.THUMBPRINT_MENTIONED]
