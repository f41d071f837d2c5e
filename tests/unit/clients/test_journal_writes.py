"""Certroll's journal keeps its records apart and complete, even if runs overlap or a process dies between writes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import AzureError as SdkError

from shared.clients.storage.rows import Entity
from shared.controllers.intake.operators import let_go
from shared.domain.environments.apps import WaveApp
from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord, NotedRoot, Want
from shared.domain.errors import Conflict, NotFound, StorageFailed
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.managed.issuance import Issuance
from shared.domain.names import HostName, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.orders.action import AskedState, OrderAction, OrderRecord
from shared.domain.orders.order import OrderRef
from shared.domain.reason import Reason
from shared.domain.rollout.budget import CLAIM
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from shared.ports import Ports
from tests.build import (
    ASE,
    HOUR,
    NOW,
    OLD,
    OTHER_ASE,
    OTHER_REF,
    REF,
    WEST,
    ManualClock,
    binding,
    lineage,
    record,
    roll,
    rollout,
    site_ref,
)
from tests.small_storage import Died, SmallStorage, ports_on

SECOND = timedelta(seconds=1)
PLAN, ENVIRONMENT = "/plans/front", ASE.resource_id
A, B, C = (site_ref(name) for name in "abc")
ORDER = OrderRef.parse(
    "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg-web"
    "/providers/Microsoft.CertificateRegistration/certificateOrders/www"
)
ASKED = OrderRecord(ORDER, OrderAction.RENEW, "1f", AskedState.ASKED, NOW)
OLDER = replace(record(SiteState.PENDING), version="v1")


def journal(storage: SmallStorage | None = None, clock: ManualClock | None = None) -> Ports:
    """Return Certroll's journal on the given storage and clock, by default an empty journal at the time `NOW`."""
    return ports_on(storage or SmallStorage(), clock or ManualClock())


def many(sites: int) -> Rollout:
    """Return a rollout of a certificate version to the given number of sites in one App Service webspace."""
    return rollout(*(record(SiteState.PENDING, site=f"shop-{number}") for number in range(sites)))


# ------------------------------------------------------------------------------------------------------- findings


def test_finding_says_how_much_it_matters() -> None:
    """The journal derives the severity of a problem from its reason, so that operators can filter the table."""
    storage = SmallStorage()
    found = [Finding(NOW, str(REF), "app shop", reason, "") for reason in (Reason.ROLLED_BACK, Reason.UNDONE)]
    journal(storage).findings.report(tuple(found))
    rows = {row["reason"]: row["severity"] for row in storage.all("certrollfindings")}
    assert rows == {"RolledBack": "high", "Undone": "info"}


# ------------------------------------------------------------------------------------------------- a version begins


@pytest.mark.parametrize("sites", [1, 49, 50, 51, 120])
def test_every_site_is_recorded_before_the_place_that_is_first(sites: int) -> None:
    """The journal records all sites of a version's rollout before it records the first App Service webspace.

    If a process dies before Certroll has recorded the first webspace, the next run chooses the first webspace again. If
    the first webspace were recorded before its sites, other webspaces could follow before all its sites are proven.
    """
    for lasts in range(sites + 2):
        storage = SmallStorage(lasts=lasts)
        try:
            journal(storage).rollouts.begin(REF, many(sites))
        except Died:
            assert journal(storage).rollouts.rollout(REF, "v2").first is None, f"after {lasts} writes"
            continue
        break
    begun = journal(storage).rollouts.rollout(REF, "v2")
    assert (begun.first, begun.started_at, len(begun.records)) == (WEST, NOW, sites)


def test_beginning_again_does_not_start_the_soak_anew() -> None:
    """A rollout's waiting time counts from its first start, even if a later run of Certroll starts it again."""
    clock, storage = ManualClock(), SmallStorage()
    journal(storage, clock).rollouts.begin(REF, many(1))
    clock.sleep(HOUR.total_seconds())
    begun = journal(storage, clock).rollouts.rollout(REF, "v2")
    journal(storage, clock).rollouts.begin(REF, begun)
    assert journal(storage, clock).rollouts.rollout(REF, "v2").started_at == NOW


def test_looking_at_the_fleet_does_not_start_the_soak_anew() -> None:
    """Another read of the fleet changes neither the recorded first webspace nor the start of the waiting time."""
    there = journal()
    there.rollouts.begin(REF, replace(many(1), started_at=NOW - HOUR))
    there.rollouts.observed(REF, replace(there.rollouts.rollout(REF, "v2"), awaiting=False), NOW)
    seen = there.rollouts.rollout(REF, "v2")
    assert (seen.first, seen.started_at, seen.looked_at, seen.awaiting) == (WEST, NOW - HOUR, NOW, False)


def test_look_at_a_fleet_without_a_first_place_chooses_none() -> None:
    """The journal records no first App Service webspace for a rollout if only app settings have to be updated."""
    there = journal()
    there.rollouts.observed(REF, Rollout("v2"), NOW)
    seen = there.rollouts.rollout(REF, "v2")
    assert (seen.first, seen.started_at, seen.looked_at) == (None, None, NOW)


def held_in(webspaces: int) -> frozenset[tuple[Webspace, Thumbprint]]:
    """Return an earlier thumbprint for each of the given number of webspaces, with long names."""
    names = (f"{'g' * 80}-{number:05}-westeuropewebspace" for number in range(webspaces))
    return frozenset((Webspace(WEST.subscription, name), OLD) for name in names)


@pytest.mark.parametrize("webspaces", [0, 1, 260, 6_000])
def test_version_reaches_a_fleet_of_any_number_of_webspaces(webspaces: int) -> None:
    """The journal keeps what the imported certificates of all webspaces held, in rows that Table storage takes."""
    there, held = journal(), held_in(webspaces)
    there.rollouts.begin(REF, replace(many(2), held=held))
    there.rollouts.observed(REF, there.rollouts.rollout(REF, "v2"), NOW)
    begun = there.rollouts.rollout(REF, "v2")
    assert (begun.held, len(begun.records)) == (held, 2)


def test_large_sites_are_recorded_together() -> None:
    """A version reaches fifty sites with 500 host names each, in transactions that Table storage takes."""
    last_good = tuple(binding(f"host-{number:03}.{'é' * 60}.example.com") for number in range(500))
    large = replace(many(50), records=tuple(replace(site, last_good=last_good) for site in many(50).records))
    there = journal()
    there.rollouts.begin(REF, large)
    assert [len(site.last_good) for site in there.rollouts.rollout(REF, "v2").records] == [500] * 50


def test_later_inspection_keeps_only_what_it_held() -> None:
    """What a later inspection no longer lists is gone from the journal, also for a version that comes after it."""
    there = journal()
    there.rollouts.begin(REF, replace(many(1), held=held_in(900)))
    there.rollouts.begin(REF, replace(many(1), held=held_in(3)))
    assert there.rollouts.rollout(REF, "v2").held == held_in(3)
    there.rollouts.begin(REF, replace(many(1), version="v3", held=held_in(1)))
    assert there.rollouts.rollout(REF, "v3").held == held_in(1)
    assert there.rollouts.rollout(REF, "v2").held == frozenset()


def test_environment_keeps_any_number_of_roots() -> None:
    """The journal keeps the roots and the wanted roots of an environment, also when they have become fewer."""
    there = journal()
    roots = tuple(NotedRoot(Thumbprint(f"{number:040X}"), NOW, NOW) for number in range(900))
    wants = tuple(Want(f"kv-shop/{'x' * 100}-{number}", OLD, NOW) for number in range(900))
    record = there.environment_records.put(replace(EnvironmentRecord(ASE), roots=roots, wants=wants))
    assert there.environment_records.of(ASE) == record
    fewer = there.environment_records.put(replace(record, roots=roots[:1], wants=()))
    assert there.environment_records.of(ASE) == fewer


def test_endless_text_of_azure_is_kept_short() -> None:
    """A text of Azure of any length about an app, an order, a request or a message fits into its row."""
    storage, text = SmallStorage(), "x" * 99_000
    there = journal(storage)
    app = WaveApp(A, PLAN, frozenset(f"group-{number}" for number in range(9_000)), runs=True)
    there.app_restarts.put(ASE, (AppRestart(app, AppRestartState.FAILED, NOW, text),))
    assert there.app_restarts.of(ASE)[0].app == app
    there.requests.put_issuance(Issuance(A, HostName("a.contoso.com"), NOW, text, text))
    assert there.requests.issuance(A, HostName("a.contoso.com")) is not None
    there.dead_letters.note_cause("body", text)
    there.dead_letters.add("sites", "body" * 16_000, text)
    there.history.add(REF, (HistoryEntry(NOW, "step.performed", text, Reason.NO_ANSWER, text),))
    there.findings.report((Finding(NOW, str(REF), text, Reason.NO_ANSWER, text),))


# ------------------------------------------------------------------------------------------ versions and certificates


def test_late_result_of_an_older_version_does_not_erase_what_is_pending() -> None:
    """A late result for an older version leaves the pending record of a site's newer version unchanged."""
    there, newer = journal(), record(SiteState.PENDING)
    there.rollouts.begin(REF, rollout(newer))
    there.rollouts.record_site(REF, replace(OLDER, state=SiteState.PROVEN))
    assert there.rollouts.site(REF, "v2", site_ref()) == newer


def test_result_of_a_site_that_is_not_recorded_is_not_kept() -> None:
    """The journal ignores a late result for a site without a record in the journal.

    After the journal was lost, only Certroll's run for the certificate may add sites to the journal.
    """
    there = journal()
    there.rollouts.record_site(REF, record(SiteState.PROVEN))
    assert there.rollouts.rollout(REF, "v2").records == ()


def test_two_runs_do_not_write_over_each_other() -> None:
    """If two runs read the record of a site, only the run that writes first can write, and the other plans again."""
    there = journal()
    (first,) = there.rollouts.begin(REF, rollout(record(SiteState.PENDING)))
    second = there.rollouts.site(REF, "v2", site_ref())
    assert second is not None
    proven = there.rollouts.record_site(REF, replace(second, state=SiteState.PROVEN))
    with pytest.raises(Conflict):
        there.rollouts.record_site(REF, replace(first, state=SiteState.FAILED))
    with pytest.raises(Conflict):
        there.rollouts.begin(REF, rollout(first))
    assert there.rollouts.site(REF, "v2", site_ref()) == proven
    there.rollouts.record_site(REF, replace(proven, state=SiteState.UNPROVEN))


def test_site_with_fewer_host_names_than_before_can_be_read() -> None:
    """The journal reads the record of a site that had hundreds of host names at the version before, and has few now."""
    there = journal()
    many_names = tuple(binding(f"host-{number}.{'x' * 50}.contoso.com") for number in range(500))
    long = replace(OLDER, last_good=many_names, rebound=frozenset(bound.host_name for bound in many_names))
    there.rollouts.begin(REF, Rollout("v1", WEST, (long,)))
    assert there.rollouts.site(REF, "v1", site_ref()) == long
    short = replace(record(SiteState.PENDING), last_good=(binding(),))
    there.rollouts.begin(REF, rollout(short))
    assert there.rollouts.site(REF, "v2", site_ref()) == short


def test_record_of_an_older_version_is_no_leave_to_write_the_newer_one() -> None:
    """A site's record for an older version gives Certroll no permission to write the newer version to the site."""
    there = journal()
    there.rollouts.begin(REF, Rollout("v1", WEST, (OLDER,)))
    assert there.rollouts.site(REF, "v2", site_ref()) is None
    assert there.rollouts.site(REF, "v1", site_ref()) == OLDER
    assert there.rollouts.rollout(REF, "v2") == Rollout("v2")


def test_rolls_of_other_versions_are_past() -> None:
    """Asked for a version, the journal lists settings updates of apps to older versions separately, as past updates."""
    there, late = journal(), roll(RollState.ROLLED_BACK, site="a", revision=None)
    old = there.settings_rolls.put_roll(REF, replace(late, version="v1"))
    new = there.settings_rolls.put_roll(REF, roll(RollState.STALE, site="b"))
    seen = there.rollouts.rollout(REF, "v2")
    assert (seen.rolls, seen.past_rolls) == ((new,), (old,))


def test_records_of_two_vault_certificates_are_kept_apart() -> None:
    """A site that binds two vault certificates has a separate record in the journal for each vault certificate."""
    there = journal()
    there.rollouts.begin(REF, rollout(record(SiteState.PENDING)))
    there.rollouts.begin(OTHER_REF, rollout(record(SiteState.PROVEN)))
    states = [there.rollouts.rollout(ref, "v2").records[0].state for ref in (REF, OTHER_REF)]
    assert states == [SiteState.PENDING, SiteState.PROVEN]


def test_run_that_was_overtaken_does_not_write_an_app() -> None:
    """If two runs of Certroll read the same app record and both write it, the second write raises `Conflict`."""
    there = journal()
    read = there.settings_rolls.put_roll(REF, roll(RollState.STALE))
    there.settings_rolls.put_roll(REF, replace(read, state=RollState.OVERLAPPING))
    for late in (read, replace(read, revision=None)):
        with pytest.raises(Conflict):
            there.settings_rolls.put_roll(REF, replace(late, state=RollState.REFUSED))
    assert there.rollouts.rollout(REF, "v2").rolls[0].state is RollState.OVERLAPPING


# -------------------------------------------------------------------------------------------------- restart claims


def claims(there: Ports, site: SiteRef, ref: object = REF, most: int = 2, plan: str = PLAN) -> bool:
    """Return True if the journal gives the site a claim on the restart budget, so that the site may restart now."""
    return there.restart_claims.claim(plan, site, ref, most)  # type: ignore[arg-type]


def test_app_that_restarts_for_one_certificate_waits_with_the_other() -> None:
    """The journal lets an app restart for a single certificate at a time, even if the plan allows more restarts.

    If an app restarted for two certificates at once, the app's single answer would count as proof of both.
    """
    there = journal()
    assert claims(there, A, REF, most=5)
    assert not claims(there, A, OTHER_REF, most=5)
    there.restart_claims.give_back(PLAN, A, REF)
    assert claims(there, A, OTHER_REF, most=5)


def test_app_that_is_rolled_waits_with_its_stop_for_a_root() -> None:
    """Certroll does not restart the same app for a certificate and for a root certificate at the same time."""
    there = journal()
    assert claims(there, A, REF, most=5)
    assert not claims(there, A, ASE, most=5)
    assert claims(there, B, ASE, most=5)
    assert not claims(there, B, REF, most=5)


def test_as_many_apps_restart_as_may() -> None:
    """The journal lets apps of a plan restart up to the plan's limit, and counts a repeated claim of an app once."""
    there = journal()
    assert [claims(there, site) for site in (A, B, C, A, B)] == [True, True, False, True, True]
    there.restart_claims.give_back(PLAN, A, REF)
    assert claims(there, C)


def test_claims_of_one_plan_do_not_fill_another() -> None:
    """Each App Service plan has its own restart limit, and the letter case of the plan's id has no effect."""
    there = journal()
    assert claims(there, A, most=1)
    assert claims(there, B, most=1, plan="/plans/back")
    assert not claims(there, B, most=1, plan=PLAN.upper())


def test_claim_that_nobody_gave_back_ends_after_an_hour() -> None:
    """A claim on the restart budget by a run that died expires after one hour, and then other apps may restart."""
    clock, storage = ManualClock(), SmallStorage()
    assert claims(journal(storage, clock), A, most=1)
    clock.sleep((CLAIM - SECOND).total_seconds())
    assert not claims(journal(storage, clock), B, most=1)
    assert journal(storage, clock).restart_claims.restarting(PLAN, ASE) == (A,)
    clock.sleep(1)
    assert journal(storage, clock).restart_claims.restarting(PLAN, ASE) == ()
    assert claims(journal(storage, clock), B, most=1)


def test_what_restarts_is_all_but_the_environments_own() -> None:
    """A wave (apps stopped together) counts the apps on its plans that restart for other certificates or environments.

    When Certroll counts restarting apps for a wave of stops, it leaves out the apps of the wave's environment.
    """
    there = journal()
    assert claims(there, B, REF, most=9)
    assert claims(there, A, OTHER_ASE, most=9)
    assert claims(there, C, ASE, most=9)
    assert there.restart_claims.restarting(PLAN, ASE) == (A, B)
    assert there.restart_claims.restarting("/plans/back", ASE) == ()


# ------------------------------------------------------------------------------------------------ a hold is released


def test_release_lets_only_what_failed_go() -> None:
    """When an operator releases a stopped version, the journal forgets failed apps and marks failed sites unproven.

    An operator's release of a stopped version leaves the records of proven and pending sites unchanged.
    """
    there = journal()
    sites = (
        record(SiteState.FAILED, site="a"),
        record(SiteState.PROVEN, site="b"),
        record(SiteState.PENDING, site="c"),
    )
    there.rollouts.begin(REF, rollout(*sites))
    kept = there.settings_rolls.put_roll(REF, roll(RollState.VALIDATED, site="d"))
    there.settings_rolls.put_roll(REF, roll(RollState.ROLLED_BACK, site="e"))
    assert sorted(let_go(there.rollouts, there.settings_rolls, lineage(), "v2", NOW)) == [A, site_ref("e")]
    seen = there.rollouts.rollout(REF, "v2")
    assert [record.state for record in seen.records] == [SiteState.UNPROVEN, SiteState.PROVEN, SiteState.PENDING]
    assert seen.rolls == (kept,)


def test_release_takes_back_no_proof() -> None:
    """If a run of a failed site proves the site during an operator's release, the journal keeps the proof."""
    there = journal()
    there.rollouts.begin(REF, rollout(record(SiteState.FAILED, site="a")))

    class Racing:
        """The rollouts, with a run of the site that proves the site right after the release has read its record."""

        def rollout(self, ref: VaultCertificateRef, version: str) -> Rollout:
            """Return the rollout that the journal had before the run of the site wrote its record."""
            read = there.rollouts.rollout(ref, version)
            there.rollouts.record_site(ref, replace(read.records[0], state=SiteState.PROVEN))
            return read

        def __getattr__(self, name: str) -> object:
            return getattr(there.rollouts, name)

    racing: Any = Racing()
    let_go(racing, there.settings_rolls, lineage(), "v2", NOW)
    assert [known.state for known in there.rollouts.rollout(REF, "v2").records] == [SiteState.PROVEN]


def test_release_of_one_certificate_leaves_the_holds_of_others() -> None:
    """An operator's release of one stopped version does not release other stopped versions or certificates."""
    there = journal()
    there.rollouts.begin(OTHER_REF, rollout(record(SiteState.FAILED)))
    past = there.settings_rolls.put_roll(REF, replace(roll(RollState.ROLLED_BACK), version="v1"))
    assert let_go(there.rollouts, there.settings_rolls, lineage(), "v2", NOW) == ()
    assert there.rollouts.rollout(OTHER_REF, "v2").failed != ()
    assert there.rollouts.rollout(REF, "v2").past_rolls == (past,)


# ---------------------------------------------------------------------------------------------------------- orders


class Forgetful(SmallStorage):
    """Simulated storage that does the next write and loses its answer, or does not do it at all."""

    lost: SdkError | None = None
    does = True

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Write a row, and raise the error of a lost answer once."""
        error, self.lost = self.lost, None
        if error is not None and not self.does:
            raise error
        written = super().put(row, revision, what)
        if error is not None:
            raise error
        return written


def test_own_record_of_a_request_is_known_again() -> None:
    """If the answer to the record of a request about an order is lost, Certroll sees that the record is its own."""
    storage = Forgetful()
    there = journal(storage).requests
    storage.lost = StorageFailed("the answer is lost")
    asked = there.put_asked(ASKED)
    assert there.asked(ASKED.order) == (asked,)
    storage.lost = StorageFailed("the answer is lost")
    answered = there.put_asked(replace(asked, state=AskedState.ACCEPTED))
    assert there.asked(ASKED.order) == (answered,)
    assert asked.revision != answered.revision


def test_record_that_was_not_written_is_not_taken_for_written() -> None:
    """If storage did not write the record of a request, or another run wrote it, Certroll sends no request."""
    storage = Forgetful()
    storage.does = False
    storage.lost = StorageFailed("the answer is lost")
    with pytest.raises(StorageFailed):
        journal(storage).requests.put_asked(ASKED)
    assert journal(storage).requests.asked(ASKED.order) == ()
    journal(storage).requests.put_asked(ASKED)
    with pytest.raises(Conflict):
        journal(storage).requests.put_asked(ASKED)
    storage.lost = StorageFailed("the answer is lost")
    with pytest.raises(StorageFailed):
        journal(storage).requests.put_asked(ASKED)


# --------------------------------------------------------------------------------- managed certificates, dead letters


def test_what_azure_was_asked_is_known_of_each_host_name() -> None:
    """The journal records managed certificate requests per site and host name, and forgets only the named request."""
    there = journal()
    asked = [Issuance(site, HostName(name), NOW) for site in (A, B) for name in ("x.contoso.com", "y.contoso.com")]
    for issuance in asked:
        there.requests.put_issuance(issuance)
    there.requests.forget_issuance(A, HostName("x.contoso.com"))
    found = [there.requests.issuance(issuance.site, issuance.host_name) for issuance in asked]
    assert found == [None, *asked[1:]]


def test_kept_message_belongs_to_its_queue() -> None:
    """The journal finds a dead letter (a message that failed five times) only under the queue of the message."""
    there = journal()
    there.dead_letters.note_cause("{}", "KeyError: 'x'")
    kept = there.dead_letters.add("sites", "{}", None)
    assert there.dead_letters.get("sites", kept.key) == kept
    assert kept.cause == "KeyError: 'x'"
    with pytest.raises(NotFound):
        there.dead_letters.get("certificates", kept.key)
