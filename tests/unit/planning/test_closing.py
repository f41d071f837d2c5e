"""A finding closes only if a complete inspection could see its cause, and did not see it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.certificates.lineage import Refusal
from shared.domain.findings import OpenFinding, SeenBy
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.names import SiteRef, VaultName, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from shared.planning.closing import (
    gone_from,
    is_of_vault,
    seen_before,
    unseen_by_sweep,
    unseen_in,
    unused_in,
    vault_subject,
)
from shared.planning.plan import Plan, Skip
from tests.build import (
    FOREIGN,
    HOUR,
    LINEAGE,
    NORTH,
    NOW,
    OLD,
    WEST,
    binding,
    blind_spot,
    lineage,
    named,
    record,
    roll,
    rollout,
    site_ref,
    snapshot,
    version,
)

SUBJECT = f"binding {binding().host_name} of shop"
ELSEWHERE = blind_spot(NORTH)
EVERYWHERE = blind_spot(None)
OTHER_SUBSCRIPTION = replace(EVERYWHERE, subscription="22222222-2222-2222-2222-222222222222")
OTHER_REGIONS = replace(ELSEWHERE, other_regions=True)


def found(
    seen_by: SeenBy = SeenBy.INSPECTION,
    *,
    webspace: Webspace | None = WEST,
    site: SiteRef | None = None,
    ago: timedelta = HOUR,
    reason: Reason = Reason.NOT_COVERED,
) -> OpenFinding:
    """Return an open finding that an inspection an hour ago has seen."""
    return OpenFinding(SUBJECT, str(reason), seen_by, site, webspace, NOW - ago, NOW - ago)


@pytest.mark.parametrize(
    ("known", "spots", "gone"),
    [
        pytest.param(found(), (), True, id="everything is seen"),
        pytest.param(found(ago=timedelta(0)), (), False, id="this inspection has seen it"),
        pytest.param(found(), (blind_spot(WEST),), False, id="its webspace is unreadable"),
        pytest.param(found(), (ELSEWHERE,), True, id="another webspace is unreadable"),
        pytest.param(found(), (EVERYWHERE,), False, id="its subscription is unreadable"),
        pytest.param(found(), (OTHER_SUBSCRIPTION,), True, id="another subscription is unreadable"),
        pytest.param(found(), (OTHER_REGIONS,), False, id="a site has parts in other regions"),
        pytest.param(found(webspace=None), (ELSEWHERE,), False, id="it may be anywhere, and something is unreadable"),
        pytest.param(found(webspace=None), (), True, id="it may be anywhere, and everything is seen"),
        pytest.param(
            found(ago=timedelta(0), reason=Reason.VERSION_HELD), (), False, id="this inspection has seen the hold"
        ),
    ],
)
def test_what_an_inspection_could_not_see_stays_open(
    known: OpenFinding, spots: tuple[BlindSpot, ...], *, gone: bool
) -> None:
    """A blind spot keeps each finding open that it may hide, and no other finding."""
    seen = snapshot(blind_spots=spots)
    assert gone_from(seen, Plan())(known) is gone
    assert unseen_in(seen.fleet)(known) is gone
    assert unused_in(seen.fleet)(known) is gone


REFUSED = Plan(skips=(Skip(SUBJECT, Reason.AWAITING_WAVE, "its turn has not come"),))
SHOP, SLOT, NAMING = site_ref(), site_ref(slot="staging"), site_ref("naming")
WITH_SITE = rollout(record(SiteState.UNPROVEN))
WITH_APP = rollout(rolls=(roll(RollState.UNPROVEN),))


@pytest.mark.parametrize(
    ("known", "made", "journal", "gone"),
    [
        pytest.param(found(SeenBy.WRITE), Plan(), rollout(), True, id="nobody wants the refused write any more"),
        pytest.param(found(SeenBy.WRITE), REFUSED, rollout(), False, id="the refused write waits for its turn"),
        pytest.param(found(), REFUSED, rollout(), True, id="the plan says something else about it"),
        pytest.param(found(SeenBy.SITE, site=SHOP), Plan(), WITH_SITE, False, id="nobody proved the site since"),
        pytest.param(found(SeenBy.SITE, site=SHOP), Plan(), rollout(), False, id="the next version has not come to it"),
        pytest.param(found(SeenBy.SITE, site=SLOT), Plan(), WITH_SITE, True, id="the slot has no binding any more"),
        pytest.param(found(SeenBy.APP, site=SHOP), Plan(), WITH_APP, False, id="nobody asked the app since"),
        pytest.param(found(SeenBy.APP, site=NAMING), Plan(), rollout(), False, id="the next version is not in the app"),
        pytest.param(found(SeenBy.APP, site=SLOT), Plan(), WITH_APP, True, id="the app names no version any more"),
        pytest.param(found(SeenBy.START, site=SHOP), Plan(), rollout(), False, id="only the timer starts the app"),
        pytest.param(found(SeenBy.ROOT), Plan(), rollout(), False, id="only people stop and start by hand"),
    ],
)
def test_what_only_another_run_sees_stays_open(known: OpenFinding, made: Plan, journal: Rollout, *, gone: bool) -> None:
    """An inspection does not close what only a write, a handshake, a probe or a person can show to be gone."""
    seen = snapshot(rollout=journal, settings=(named(OLD, site="naming"), named(FOREIGN, slot="staging")))
    assert gone_from(seen, made)(known) is gone


@pytest.mark.parametrize(("made_ago", "gone"), [(2 * HOUR, False), (HOUR / 2, True)])
def test_event_is_over_when_a_new_version_comes(made_ago: timedelta, *, gone: bool) -> None:
    """What Key Vault reported about a version is over when the vault has a newer version."""
    newer = replace(version(), created=NOW - made_ago)
    lineages = replace(
        LINEAGE,
        current=newer,
        versions=(newer, *(replace(old, created=NOW - 9 * HOUR) for old in LINEAGE.versions[1:])),
    )
    known = found(SeenBy.VERSION, reason=Reason.NEAR_EXPIRY)
    assert gone_from(snapshot(lineage=lineages, blind_spots=(EVERYWHERE,)), Plan())(known) is gone
    assert unused_in(snapshot().fleet)(known) is False


@pytest.mark.parametrize("enabled", [False, True])
def test_event_is_not_over_while_certroll_refuses_the_new_version(*, enabled: bool) -> None:
    """A newer version that is disabled, or that Certroll refuses, does not end what Key Vault reported before it."""
    refused = replace(version(FOREIGN), created=NOW - HOUR / 2, enabled=enabled)
    older = tuple(replace(old, created=NOW - 9 * HOUR) for old in LINEAGE.versions)
    refusal = Refusal(Reason.NEWLY_SELF_SIGNED, "it is self-signed")
    for current in (older[0], None):
        lineages = replace(LINEAGE, current=current, versions=(refused, *older), refusal=refusal)
        known = found(SeenBy.VERSION, reason=Reason.NEAR_EXPIRY)
        assert not gone_from(snapshot(lineage=lineages), Plan())(known)


def test_chain_of_an_upload_is_open_until_the_next_upload() -> None:
    """A newer version in the vault does not close what an upload lacks, as long as the newer upload waits."""
    newer = replace(version(), created=NOW)
    seen = snapshot(lineage=replace(LINEAGE, current=newer, versions=(newer, *LINEAGE.versions[1:])))
    known = found(SeenBy.VERSION, reason=Reason.CHAIN_INCOMPLETE)
    assert not gone_from(seen, REFUSED)(known)
    assert gone_from(seen, Plan())(known)


def test_event_about_an_empty_vault_object_stays_open() -> None:
    """Without any version nothing shows that what Key Vault reported is over."""
    empty = replace(lineage(current=None), versions=())
    assert not gone_from(snapshot(lineage=empty), Plan())(found(SeenBy.VERSION))


@pytest.mark.parametrize("reason", [Reason.VAULT_DENIED, Reason.VAULT_UNREACHABLE, Reason.DENIED_BY_AZURE])
def test_vault_that_answers_again_closes_its_finding(reason: Reason) -> None:
    """A sweep that reached every vault closes a vault's finding, although an app is unreadable."""
    seen = snapshot(blind_spots=(EVERYWHERE,))
    assert unseen_by_sweep(seen.fleet, NOW)(found(webspace=None, reason=reason))
    assert not unseen_by_sweep(seen.fleet, NOW - 2 * HOUR)(found(webspace=None, reason=reason))
    assert not unseen_by_sweep(seen.fleet, NOW)(found(webspace=None, reason=Reason.BLIND_SPOT))


def test_run_closes_only_its_own_kind() -> None:
    """A run for a site closes what earlier runs for sites have seen, and nothing else."""
    is_gone = seen_before(NOW, SeenBy.SITE)
    assert [seen_by for seen_by in SeenBy if is_gone(found(seen_by))] == [SeenBy.SITE]
    assert not is_gone(found(SeenBy.SITE, ago=timedelta(0)))


def test_vault_that_a_sweep_did_not_ask_keeps_its_finding() -> None:
    """If a sweep had no time to list a vault, the finding about the vault stays open; other vaults' findings close."""
    listed, unlisted = VaultName("kv-shop"), VaultName("kv-slow")
    is_gone = unseen_by_sweep(snapshot().fleet, NOW, unasked={unlisted})
    known = found(webspace=None, reason=Reason.VAULT_DENIED)
    assert [is_gone(replace(known, subject=vault_subject(vault))) for vault in (listed, unlisted)] == [True, False]


def test_scope_that_is_named_like_a_vault_is_no_vault_object() -> None:
    """If a vault has the name of another scope, such as `orders`, its list closes no finding of that scope."""
    vaults = {VaultName("orders"), VaultName("kv-shop")}
    scopes = ("orders", "orders/web", "kv-shop/web", "kv-other/web", "queue certificates")
    assert [is_of_vault(scope, vaults) for scope in scopes] == [False, True, True, False, False]
