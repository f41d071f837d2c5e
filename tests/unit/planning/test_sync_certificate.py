"""Test how Certroll makes App Service fetch the vault's newest version into an imported certificate."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest

from shared.domain.certificates.lineage import Refusal
from shared.domain.certificates.version import KeyFound
from shared.domain.errors import Conflict, NotFound, NotSettled, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Listing
from shared.domain.fleet.vault_access import app_service
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.planning.acting.absence import lists_copy
from shared.planning.actions import sync_certificate
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.guards import version_unfit
from shared.planning.plan import Plan, Skip, Step
from tests.build import (
    APPLY,
    DAY,
    FOREIGN,
    LINEAGE,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OLD,
    OTHER_REF,
    ManualClock,
    RecordingAppService,
    binding,
    bundled,
    copy,
    facts,
    farm,
    issuer_name,
    lineage,
    old_version,
    ports,
    snapshot,
    version,
)
from tests.unit.planning.test_import_certificate import Rights

STALE, SYNCED = copy(), copy(thumbprint=NEW)
SYNC = SyncCertificate(STALE, farm(), version())


class Case(NamedTuple):
    """This test case has the recorded ports and the call that performs the sync."""

    azure: RecordingAppService
    clock: ManualClock
    perform: Callable[[], bool]


def performing(*seen: WebspaceCertificate | Exception) -> Case:
    """Return a test case in which Azure shows these states of the certificate, and then repeats the last state."""
    azure, clock = RecordingAppService(copies=list(seen)), ManualClock()
    return Case(azure, clock, lambda: SYNC.perform(ports(azure, clock)))


def test_stale_copy_is_to_be_synced() -> None:
    """Certroll syncs an imported certificate that has an older version, through a plan of its own webspace."""
    seen = snapshot(plans=(farm(NORTH), farm()))
    assert list(sync_certificate.propose(seen, APPLY)) == [Step(SYNC, Reason.STALE_COPY)]
    assert SYNC.subject == "certificate rg-web/shop-copy in rg-westeuropewebspace"
    assert (SYNC.site, SYNC.restarts_site) == (None, False)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(SYNCED, id="it holds the current version"),
        pytest.param(copy(source=OTHER_REF), id="it comes from another vault certificate"),
        pytest.param(copy(source=None), id="it was uploaded"),
    ],
)
def test_copy_is_left_alone(other: WebspaceCertificate) -> None:
    """Certroll syncs no certificate that is current or was not imported from this vault certificate."""
    assert list(sync_certificate.propose(snapshot(copies=(other,)), APPLY)) == []


@pytest.mark.parametrize("thumbprint", [FOREIGN, NEWER, None], ids=["unknown", "newer", "hidden"])
def test_copy_that_holds_something_else_is_synced(thumbprint: Thumbprint | None) -> None:
    """Certroll syncs an imported certificate unless it already has the current version of the vault certificate."""
    steps = list(sync_certificate.propose(snapshot(copies=(copy(thumbprint=thumbprint),)), APPLY))
    assert [item.reason for item in steps] == [Reason.STALE_COPY]


def test_copies_are_synced_in_a_stable_order() -> None:
    """Certroll syncs imported certificates in the same order, whatever the order in which Azure lists them."""
    copies = copy("b"), copy("a", webspace=NORTH), copy("c")
    subjects = [item.subject for item in sync_certificate.propose(snapshot(copies=copies), APPLY)]
    assert [subject.split()[1] for subject in subjects] == ["rg-web/a", "rg-web/b", "rg-web/c"]


@pytest.mark.parametrize(
    "first",
    [pytest.param(copy("a", NEW), id="is current"), pytest.param(copy("a", webspace=NORTH), id="has no plan to name")],
)
def test_copy_that_is_not_synced_holds_up_no_other(first: WebspaceCertificate) -> None:
    """If Certroll cannot or need not sync one imported certificate, it still syncs the other imported certificates."""
    items = sync_certificate.propose(snapshot(copies=(first, copy("b")), plans=(farm(),)), APPLY)
    assert [item.subject.split()[1] for item in items if isinstance(item, Step)] == ["rg-web/b"]


def test_refused_newest_version_is_synced_nowhere() -> None:
    """Certroll syncs nothing while the newest version is refused, because App Service would fetch that version.

    The refusal of a sync says within how many hours Azure itself may import the refused version.
    """
    refused = lineage(
        version("v3", NEWER), version(), old_version(), current=1, refusal=Refusal(Reason.NOT_PKCS12, "it is PEM")
    )
    seen = snapshot(lineage=refused, copies=(copy(), copy("b", NEW, webspace=NORTH)))
    skips = list(sync_certificate.propose(seen, APPLY))
    detail = (
        "the newest version of kv-shop/shop is refused (NotPkcs12: it is PEM); "
        "Azure itself may import it within 24 h: disable it, or put a good version on top"
    )
    assert skips == [
        Skip("certificate rg-web/b in rg-northeuropewebspace", Reason.NEWEST_REFUSED, detail),
        Skip("certificate rg-web/shop-copy in rg-westeuropewebspace", Reason.NEWEST_REFUSED, detail),
    ]


def test_nothing_is_synced_without_any_version() -> None:
    """Certroll syncs nothing for a vault certificate without a good version."""
    assert list(sync_certificate.propose(snapshot(lineage=lineage(current=None)), APPLY)) == []


def test_sync_needs_a_plan_of_the_webspace() -> None:
    """Certroll syncs an imported certificate only if Azure lists a plan of the certificate's webspace.

    If Azure lists no plan of the webspace, the refusal of a sync names the missing role.
    """
    (skip,) = sync_certificate.propose(snapshot(plans=(farm(NORTH),)), APPLY)
    assert skip == Skip(
        SYNC.subject,
        Reason.NO_PLAN_IN_WEBSPACE,
        "Certroll sees no App Service plan of this webspace, and a sync must name a plan: grant Reader on the plans, "
        "or delete the copy if the webspace has none",
    )


@pytest.mark.parametrize("tier", ["Free", "Shared"])
def test_no_sync_names_a_free_plan(tier: str) -> None:
    """Certroll syncs nothing where all plans have the tier Free or Shared, and names another plan where it can."""
    low = replace(farm(), tier=tier)
    (skip,) = sync_certificate.propose(snapshot(plans=(low,)), APPLY)
    assert isinstance(skip, Skip)
    assert (skip.reason, f"has the tier {tier}" in skip.detail) == (Reason.TIER_TOO_LOW, True)
    paid = replace(low, resource_id=f"{low.resource_id}-z", tier="Basic")
    (step,) = sync_certificate.propose(snapshot(plans=(low, paid)), APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, SyncCertificate)
    assert step.action.plan == paid


def test_projection_puts_the_version_into_this_copy_alone() -> None:
    """The snapshot predicted for a sync gives the new version, with its names and dates, only to this certificate."""
    other, bound = copy("other"), binding()
    new = version(facts=facts("shop.contoso.com", "new.contoso.com"))
    after = replace(SYNC, version=new).project(snapshot(copies=(STALE, other), bindings=(bound,)))
    synced = copy(thumbprint=NEW, host_names=("shop.contoso.com", "new.contoso.com"), not_after=new.not_after)
    synced = replace(synced, not_before=new.not_before)
    assert after.fleet == snapshot(copies=(synced, other), bindings=(bound,)).fleet


def test_projection_without_facts_keeps_the_names() -> None:
    """If Certroll does not know the new version's host names, the predicted snapshot keeps the old host names."""
    after = replace(SYNC, version=version(facts=None)).project(snapshot())
    synced = copy(thumbprint=NEW, not_after=version().not_after)
    assert after.fleet.certificates == (replace(synced, not_before=version().not_before),)


def test_sync_puts_the_copy_as_it_was_read() -> None:
    """Certroll sends the PUT of the imported certificate once and with an unchanged body.

    After the PUT of an imported certificate, Certroll waits until Azure shows the new version.
    """
    tagged = replace(STALE, tags=(("team", "web"),))
    case = performing(tagged, SYNCED)
    assert case.perform()
    assert case.azure.writes == [(tagged, farm())]
    assert case.clock.slept == []


def test_sync_waits_until_azure_shows_it() -> None:
    """After a sync, Certroll repeats the read until Azure shows the new version."""
    case = performing(STALE, STALE, STALE, SYNCED)
    assert case.perform()
    assert case.clock.slept == [1.0, 2.0]


def test_sync_that_is_never_seen_fails() -> None:
    """Certroll reports an imported certificate that Azure does not show with the new version within a minute."""
    case = performing(STALE)
    with pytest.raises(NotSettled, match=r"certificate rg-web/shop-copy in .* still shows the old state after 60 s"):
        case.perform()
    assert sum(case.clock.slept) <= 60


def test_current_copy_is_not_written() -> None:
    """Certroll writes nothing if the imported certificate already has the planned version."""
    case = performing(SYNCED)
    assert not case.perform()
    assert case.azure.writes == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(copy(thumbprint=FOREIGN), id="another certificate is in it"),
        pytest.param(copy(source=OTHER_REF), id="it has another source"),
        pytest.param(copy(webspace=NORTH), id="it is in another webspace"),
    ],
)
def test_changed_copy_is_planned_again(seen: WebspaceCertificate) -> None:
    """Certroll writes nothing if the imported certificate changed after Certroll made the plan."""
    case = performing(seen)
    with pytest.raises(Conflict, match=r"rg-web/shop-copy .* changed since Certroll observed it; Certroll plans again"):
        case.perform()
    assert case.azure.writes == []


def test_copy_that_azure_lists_and_does_not_find_is_refused() -> None:
    """An imported certificate that Azure lists and answers 404 for is a refusal, not a reason to plan again."""
    case = performing(NotFound("404"))
    case.azure.listed_copies = (STALE,)
    with pytest.raises(Rejected, match="Azure lists it and does not find it: 404") as refusal:
        case.perform()
    assert refusal.value.reason is Reason.NOT_FOUND_BY_AZURE
    assert case.azure.writes == []


def test_rights_are_not_read_without_the_name_of_the_reader() -> None:
    """If no setting names App Service's principal, Certroll leaves the check of the vault's rights to Azure."""
    assert SYNC.app_service is None
    assert SYNC.preflight(ports(RecordingAppService(), ManualClock()))


def test_sync_that_is_only_tried_reads_the_rights() -> None:
    """Without a write, Certroll says of a sync that App Service lacks a right in the vault."""
    rights, sync = Rights({}), replace(SYNC, app_service=app_service())
    with pytest.raises(Rejected, match="az keyvault") as refusal:
        sync.preflight(replace(ports(RecordingAppService(), ManualClock()), vault_rights=rights))  # type: ignore[arg-type]
    assert refusal.value.reason is Reason.VAULT_ACCESS_LACKING
    assert rights.asked == [STALE.key_vault_id]


def test_copy_of_one_site_is_looked_for_at_its_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll looks for a certificate that belongs to one site among the certificates of that site."""
    azure, ours = RecordingAppService(), replace(STALE, ref=replace(STALE.ref, site="shop"))
    monkeypatch.setattr(azure, "certificates", lambda _: Listing((STALE,)))
    monkeypatch.setattr(azure, "site_certificates", lambda site, _: Listing((ours,) if site == ours.site else ()))
    assert lists_copy(ports(azure, ManualClock()), ours)
    assert not lists_copy(ports(azure, ManualClock()), replace(ours, ref=replace(ours.ref, name="other")))
    assert lists_copy(ports(azure, ManualClock()), STALE)


def test_deleted_copy_is_planned_again() -> None:
    """Certroll does not create an imported certificate that was deleted after Certroll made the plan."""
    case = performing(NotFound("404"))
    with pytest.raises(Conflict, match=r"rg-web/shop-copy .* is gone: 404"):
        case.perform()
    assert case.azure.writes == []


@pytest.mark.parametrize(
    ("after", "words"),
    [
        pytest.param(copy(thumbprint=NEW, webspace=NORTH), "rg-northeuropewebspace", id="in another webspace"),
        pytest.param(copy(thumbprint=NEW, source=OTHER_REF), "kv-shop/other", id="from another source"),
    ],
)
def test_copy_that_came_back_as_another_is_rejected(after: WebspaceCertificate, words: str) -> None:
    """Certroll reports a certificate that comes back from a sync in another webspace or from another source."""
    case = performing(STALE, after)
    with pytest.raises(Rejected, match=f"came back with another webspace or source: .*{words}") as refusal:
        case.perform()
    assert refusal.value.reason is Reason.NOT_SETTLED


def test_version_that_came_meanwhile_is_planned_again() -> None:
    """Certroll plans again if the sync brought a version newer than the planned version."""
    case = performing(STALE, copy(thumbprint=NEWER))
    with pytest.raises(Conflict, match=f"holds {NEWER}, a version that came meanwhile; Certroll plans again"):
        case.perform()


def test_ordinary_world_is_what_these_cases_think() -> None:
    """In the default snapshot, the old version is stale, the new one is current, and the clock is fixed."""
    assert LINEAGE.is_stale(OLD)
    assert LINEAGE.is_current(NEW)
    assert snapshot().now == NOW


# ------------------------------------------------------------------------------------------------------ time is short

CROSSED = bundled(KeyFound.MATCHING, ("Issuing CA", "New Root"), "Old Root", ordered=True)
SHORTENED = bundled(KeyFound.MATCHING, ("Issuing CA",), "New Root", ordered=True)


@pytest.mark.parametrize(
    ("left", "held", "reasons"),
    [
        pytest.param(30 * DAY, (), [Reason.CHAIN_LOST], id="there is time"),
        pytest.param(30 * DAY, ("New Root",), [], id="clients hold the root"),
        pytest.param(2 * DAY, (), [], id="the copy ends soon"),
        pytest.param(-DAY, (), [], id="the copy has just ended"),
        pytest.param(-4 * DAY, (), [Reason.CHAIN_LOST], id="the copy ended long ago"),
    ],
)
def test_shorter_chain_of_a_secret_is_synced_near_the_end(
    left: timedelta, held: tuple[str, ...], reasons: list[Reason]
) -> None:
    """Certroll syncs a secret with a lost issuer if the copy ends soon, or if clients hold the issuer's root."""
    old = replace(old_version(not_after=NOW + left), bundle=replace(CROSSED, held=frozenset(map(issuer_name, held))))
    seen = snapshot(lineage=lineage(replace(version(), bundle=SHORTENED), old), copies=(STALE,), bindings=(binding(),))
    plan = Plan(tuple(step for step in sync_certificate.propose(seen, APPLY) if isinstance(step, Step)), ())
    assert [skip.reason for skip in version_unfit.guard(plan, seen, APPLY).skips] == reasons
