"""Certroll's run for a site writes its bindings and app settings, while other sites have runs of their own."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from shared.controllers.site.bindings import _written
from shared.controllers.site.controller import reconcile_site
from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import Denied, NotFound, NotRegistered, Rejected
from shared.domain.fleet.app_settings import LOAD_LIST, AppSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.handshake import Handshake
from shared.domain.fleet.probe import Probe, ProbeResult, Verdict
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.messages import CertificateMessage, SiteMessage
from shared.domain.names import CopyRef, HostName, SiteRef, Thumbprint, VaultCertificateRef
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.budget import RestartBudget
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.tags import Tags
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.planning.plan import Plan, Skip
from shared.ports import Ports
from tests.build import (
    APPLY,
    ASE,
    HOST,
    HOUR,
    NEW,
    NEWER,
    NOW,
    OLD,
    OLDER,
    OTHER_ASE,
    OTHER_REF,
    REF,
    WEST,
    ManualClock,
    app_settings,
    binding,
    copy,
    facts,
    lineage,
    old_version,
    record,
    roll,
    site,
    site_ref,
    version,
)
from tests.small_storage import SmallLeases, SmallStorage, ports_on

PLAN = "/plans/front"
PROBE: Tags = (("certroll-probe", "/health 200 {thumbprint}"),)
SYNCED, KEPT = copy(thumbprint=NEW), copy("kept", OLD, source=None)
SHOP, API = site_ref(), site_ref("api")
MORE = "www.contoso.com"
COVERING = lineage(version(facts=facts(HOST, MORE)), old_version())


@dataclass
class Town:
    """This fake Azure has sites, bindings, certificates and app settings.

    `serves` is the thumbprint that TLS handshakes with the fake Azure show. `answers` is the verdict of the probe of
    each app in the fake Azure.
    """

    sites: dict[SiteRef, Site]
    bindings: list[Binding] = field(default_factory=list)
    copies: dict[CopyRef, WebspaceCertificate] = field(default_factory=dict)
    settings_: dict[SiteRef, AppSettings] = field(default_factory=dict)
    lineage_: Lineage = COVERING
    serves: Thumbprint | None = NEW
    answers: Verdict = Verdict.PASSED
    fails: dict[str, Exception] = field(default_factory=dict)
    written: list[object] = field(default_factory=list)
    sent: list[CertificateMessage] = field(default_factory=list)
    sent_sites: list[SiteMessage] = field(default_factory=list)

    def site(self, ref: SiteRef) -> tuple[Site, tuple[Binding, ...]]:
        """Return the fake Azure's site and its bindings."""
        self._fail("site")
        return self.sites[ref], tuple(bound for bound in self.bindings if bound.site == ref)

    def certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Return the fake Azure's imported certificate, or raise `NotFound`."""
        if ref not in self.copies:
            raise NotFound("gone")
        return self.copies[ref]

    def binding(self, ref: SiteRef, host_name: HostName) -> tuple[Binding, object]:
        """Return the fake Azure's binding of the host name."""
        return next(bound for bound in self.bindings if (bound.site, bound.host_name) == (ref, host_name)), {}

    def put_binding(self, changed: Binding, _: object) -> None:
        """Write the binding to the fake Azure and record its host name."""
        self._fail("put_binding")
        self.written.append(changed.host_name)
        self.bindings = [changed if bound.host_name == changed.host_name else bound for bound in self.bindings]

    def settings(self, ref: SiteRef) -> AppSettings:
        """Return the fake Azure's app settings of the site."""
        return self.settings_[ref]

    settings_to_edit = settings

    def put_settings(self, changed: AppSettings) -> None:
        """Write the app settings to the fake Azure and record their site."""
        self.written.append(changed.site)
        self.settings_[changed.site] = app_settings(changed.values, site=changed.site.name)

    def lineage(self, ref: VaultCertificateRef, _: datetime) -> Lineage:
        """Return the same vault certificate and versions under the given name."""
        self._fail("lineage")
        return replace(self.lineage_, ref=ref)

    def shows(self, host_name: HostName, _: str, expected: Thumbprint, __: datetime) -> Handshake:
        """Return the result of a TLS handshake in which the server shows the thumbprint `serves`."""
        return Handshake(host_name, expected, self.serves)

    def ask(self, _: str, __: Probe, *___: object) -> ProbeResult:
        """Return the result of an app probe, whose verdict is `answers` for every app."""
        return ProbeResult(self.answers, "it says so")

    def send_certificate(self, message: CertificateMessage) -> None:
        """Record the queue message that Certroll sent."""
        self.sent.append(message)

    def send_site(self, message: SiteMessage) -> None:
        """Record the queue message for a site that Certroll sent."""
        self.sent_sites.append(message)

    def _fail(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]


@dataclass
class Desk:
    """This helper runs Certroll on the fake Azure. All runs of this helper share the same journal."""

    town: Town
    pool: Pool
    clock: ManualClock = field(default_factory=ManualClock)
    storage: SmallStorage = field(default_factory=SmallStorage)
    intent: Intent = APPLY
    leases: SmallLeases = field(default_factory=SmallLeases)

    def start(self) -> Run:
        """Start a new run of Certroll on the fake Azure and return the run."""
        town: Any = self.town
        given = dict.fromkeys(("app_service", "vault", "tls_probe", "app_probe", "queue"), town)
        return Run.start(ports_on(self.storage, self.clock, leases=self.leases, **given), self.intent, self.pool)

    @property
    def ports(self) -> Ports:
        """The ports of a run, with the product's own journal."""
        return self.start().ports

    def begin(self, *records: SiteRecord, ref: VaultCertificateRef = REF) -> None:
        """Record sites in the journal as Certroll's run for the certificate does."""
        self.ports.rollouts.begin(ref, Rollout(records[0].version, WEST, records))

    def carry(self, ref: SiteRef = SHOP, of: VaultCertificateRef = REF) -> Outcome:
        """Run Certroll for a site as if a queue message about the site had arrived."""
        return reconcile_site(self.start(), SiteMessage(ref, of))

    def state(self, ref: SiteRef = SHOP) -> SiteState:
        """Return the state of the site's record in the journal."""
        return self.ports.rollouts.site(REF, "v2", ref).state

    def roll(self, ref: SiteRef = SHOP) -> RollRecord:
        """Return the journal's record of the app's settings update."""
        return self.ports.settings_rolls.roll(REF, ref)

    def findings(self) -> set[tuple[str, str]]:
        """Return the subject and the reason of every problem that Certroll reported."""
        rows = self.storage.all("certrollfindings")
        return {(row["subject"], row["reason"]) for row in rows}


@pytest.fixture(name="desk")
def _desk() -> Iterator[Desk]:
    town = Town(
        {SHOP: site(plan=PLAN), API: site("api", plan=PLAN)}, [binding()], {held.ref: held for held in (SYNCED, KEPT)}
    )
    with Pool(2, "reader") as pool:
        yield Desk(town, pool)


def begun(*host_names: str, state: SiteState = SiteState.PENDING) -> SiteRecord:
    """Return a site's record with these host names and the imported certificate that has the new version."""
    before = tuple(binding(name) for name in host_names or ("shop.contoso.com",))
    return replace(record(state), copies=(SYNCED.ref,), last_good=before)


# --------------------------------------------------------------------------------------------------- what a run writes


def test_host_names_that_were_not_recorded_stay(desk: Desk) -> None:
    """Certroll leaves a host name unchanged if its run for the certificate did not record the host name."""
    desk.town.bindings.append(binding(MORE))
    desk.begin(begun())
    assert desk.carry() == Converged(Reason.SERVED, f"shop.contoso.com serves {NEW}")
    assert desk.town.written == ["shop.contoso.com"]
    assert {bound.thumbprint for bound in desk.town.bindings if bound.host_name == MORE} == {OLD}


def test_every_host_name_that_was_recorded_moves(desk: Desk) -> None:
    """Certroll moves every host name that its run for the certificate recorded to the new version, and proves it."""
    desk.town.bindings.append(binding(MORE))
    desk.begin(begun("shop.contoso.com", MORE))
    outcome = desk.carry()
    assert outcome.reason is Reason.SERVED
    assert desk.town.written == ["shop.contoso.com", MORE]
    assert desk.state() is SiteState.PROVEN


def test_what_a_copy_held_before_moves_by_the_record_alone(desk: Desk) -> None:
    """Certroll moves a recorded host name to the new version even if the vault no longer has the old certificate."""
    desk.town.bindings[:] = [binding(thumbprint=OLDER)]
    desk.begin(replace(begun(), last_good=(binding(thumbprint=OLDER),)))
    desk.carry()
    assert desk.town.written == ["shop.contoso.com"]


@pytest.mark.parametrize("where", ["nowhere", "for another version", "for another certificate"])
def test_site_whose_turn_has_not_come_is_given_back(desk: Desk, where: str) -> None:
    """Certroll writes nothing to a site without a record for the version, and repeats its run for the certificate."""
    if where == "for another version":
        desk.begin(replace(begun(), version="v1"))
    if where == "for another certificate":
        desk.begin(begun(), ref=OTHER_REF)
    outcome = desk.carry()
    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.NOT_ADMITTED
    assert desk.town.written == []
    assert [message.ref for message in desk.town.sent] == [REF]


def test_message_for_a_vault_that_is_not_ours_writes_nothing(desk: Desk) -> None:
    """Certroll refuses a queue message for a vault outside `CERTROLL_VAULTS`, and reports the vault certificate."""
    foreign = VaultCertificateRef.parse("evil", "certificate", "shop")
    outcome = desk.carry(of=foreign)
    assert isinstance(outcome, Stalled)
    assert outcome.reason is Reason.UNKNOWN_VAULT
    assert desk.town.written == []
    assert ("evil/shop", "UnknownVault") in desk.findings()


# -------------------------------------------------------------------------------------------------- results of a run


def test_only_proof_ends_a_hold(desk: Desk) -> None:
    """A failed site stops the rollout of a version until a TLS handshake proves that the site serves that version."""
    desk.begin(begun(state=SiteState.FAILED))
    desk.town.serves = None
    assert desk.carry().reason is Reason.SERVED_ANOTHER
    assert desk.state() is SiteState.FAILED
    desk.town.bindings[:] = [binding(thumbprint=NEW)]
    desk.town.serves = NEW
    assert desk.carry().reason is Reason.SERVED
    assert desk.state() is SiteState.PROVEN


def test_rollback_by_hand_stays_while_the_site_counts_as_failed(desk: Desk) -> None:
    """Certroll does not overwrite an old certificate that an operator restored on a failed site."""
    desk.begin(begun(state=SiteState.FAILED))
    desk.carry()
    assert desk.town.written == []
    assert desk.state() is SiteState.FAILED


def test_refused_write_is_told_and_proves_nothing(desk: Desk) -> None:
    """A site stays unproven if Azure refuses the write of a binding, and a reported problem names the reason."""
    desk.begin(begun())
    desk.town.fails["put_binding"] = Denied("no")
    outcome = desk.carry()
    assert outcome.reason is Reason.DENIED_BY_AZURE
    assert desk.state() is SiteState.UNPROVEN
    assert ("binding shop.contoso.com of shop", "DeniedByAzure") in desk.findings()


UNSEEN = [
    pytest.param(Rejected("odd", Reason.ANSWER_UNREADABLE), Reason.ANSWER_UNREADABLE, id="an odd answer"),
    pytest.param(NotRegistered("no"), Reason.REJECTED_BY_AZURE, id="a service that the subscription does not use"),
    pytest.param(NotFound("gone"), Reason.NO_SUCH_SITE, id="a site that is gone"),
]


@pytest.mark.parametrize(("error", "reason"), UNSEEN)
def test_site_that_cannot_be_read_is_told_with_the_true_reason(desk: Desk, error: Exception, reason: Reason) -> None:
    """If Certroll cannot read a site, it reports the reason of the error, and not a refusal by Azure."""
    desk.begin(begun())
    desk.town.fails["site"] = error
    assert desk.carry().reason is reason
    assert ("site shop", str(reason)) in desk.findings() or ("shop", str(reason)) in desk.findings()
    assert desk.state() is SiteState.UNPROVEN


@pytest.mark.parametrize(("error", "reason"), UNSEEN)
def test_app_that_cannot_be_read_is_told_with_the_true_reason(desk: Desk, error: Exception, reason: Reason) -> None:
    """If Certroll cannot read an app's settings, it reports the reason of the error, and not a refusal by Azure."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    desk.town.fails["site"] = error
    assert desk.carry().reason is reason


def test_site_that_is_proven_counts_from_its_dispatch(desk: Desk) -> None:
    """Certroll does not restart the waiting time of a site when it makes another TLS handshake with the site."""
    desk.begin(begun())
    desk.town.serves = None
    for _ in range(2):
        desk.carry()
        desk.clock.sleep(60)
    assert desk.ports.rollouts.site(REF, "v2", SHOP).at == NOW - HOUR / 2


# ------------------------------------------------------------------------------------- bindings that are bound again


def test_rebind_that_died_after_its_last_write_is_done(desk: Desk) -> None:
    """If a run dies after it bound the last host name again, the next run writes nothing and records the rebind."""
    desk.town.bindings[:] = [binding(thumbprint=NEW)]
    desk.begin(replace(begun(), rebind=Rebind.ASKED, rebound=frozenset({HostName("shop.contoso.com")})))
    assert desk.carry().reason is Reason.SERVED
    found = desk.ports.rollouts.site(REF, "v2", SHOP)
    assert found is not None
    assert (desk.town.written, found.rebind, found.rebound) == ([], Rebind.DONE, frozenset())


def test_rebind_with_a_skipped_host_name_is_not_done(desk: Desk) -> None:
    """If a guard keeps a host name from being bound again, the rebind of the site stays open for a later run."""
    desk.begin(replace(begun(), rebind=Rebind.ASKED, rebound=frozenset({HostName("shop.contoso.com")})))
    known, skip = desk.ports.rollouts.site(REF, "v2", SHOP), Skip(MORE, Reason.INCOMPLETE_VIEW, "hidden", SHOP)
    assert known is not None
    record, _ = _written(desk.start(), SmallLeases(), COVERING, known, Plan((), (skip,)))
    assert record == known


def test_record_that_the_certificate_wrote_meanwhile_stays(desk: Desk) -> None:
    """If the certificate's run adds a host name to the record during the handshakes, the site's run moves it, too."""
    desk.town.bindings.append(binding(MORE))
    desk.begin(begun())
    real, added = desk.town.shows, list[SiteRecord]()

    def shows(*given: Any) -> Handshake:  # noqa: ANN401 - the signature of the fake
        if not added:
            known = desk.ports.rollouts.site(REF, "v2", SHOP)
            assert known is not None
            added.append(known)
            desk.begin(replace(begun("shop.contoso.com", MORE), revision=known.revision))
        return real(*given)

    desk.town.shows = shows  # type: ignore[method-assign]
    assert desk.carry().reason is Reason.SERVED
    assert desk.town.written == ["shop.contoso.com", MORE]
    found = desk.ports.rollouts.site(REF, "v2", SHOP)
    assert found is not None
    assert (found.state, len(found.last_good)) == (SiteState.PROVEN, 2)


# ------------------------------------------------------------------------------------------------- the settings of apps


def told(state: RollState = RollState.STALE, name: str = "shop", **differences: Any) -> RollRecord:  # noqa: ANN401
    """Return the record of an app whose settings Certroll may now update."""
    about: dict[str, Any] = {"plan": PLAN, "copies": (SYNCED.ref, KEPT.ref), "settings": 2} | differences
    return replace(roll(state, site=name), **about)


def listing(desk: Desk, name: str = "shop", value: str = OLD) -> None:
    """Give the fake app a setting WEBSITE_LOAD_CERTIFICATES with the value, and no bindings to its site."""
    desk.town.settings_[site_ref(name)] = app_settings({LOAD_LIST: value, "FEATURE": "on"}, site=name)
    desk.town.sites[site_ref(name)] = site(name, plan=PLAN, tags=PROBE)
    desk.town.bindings = []


def test_app_that_may_go_gets_both_versions(desk: Desk) -> None:
    """Certroll adds the new version to the old one in the settings of an app, and probes the app after its restart."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    assert desk.carry().reason is Reason.SETTLING
    assert desk.town.settings_[SHOP].values[LOAD_LIST] == f"{OLD},{NEW}"
    desk.clock.sleep(APPLY.probe_settle.total_seconds())
    assert desk.carry() == Converged(Reason.VALIDATED, f"shop uses {NEW}")
    assert desk.ports.restart_claims.restarting(PLAN, OTHER_ASE) == ()


@pytest.mark.parametrize("state", [RollState.FAILED, RollState.RESTORED, RollState.ROLLED_BACK, RollState.NO_LAST_GOOD])
def test_app_that_waits_is_not_written_after_the_version_failed_elsewhere(desk: Desk, state: RollState) -> None:
    """Certroll leaves an app's settings unchanged after the same version failed in another app.

    The run of the vault certificate reports the hold, so the app gets no finding of its own.
    """
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    desk.ports.settings_rolls.put_roll(REF, told(state, "api", detail="its probe fails"))
    outcome = desk.carry()
    assert isinstance(outcome, Stalled)
    assert outcome.reason is Reason.VERSION_HELD
    assert desk.town.written == []
    assert desk.roll().state is RollState.REFUSED
    assert ("app shop", "VersionHeld") not in desk.findings()
    assert desk.ports.restart_claims.restarting(PLAN, OTHER_ASE) == ()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(told(RollState.ROLLED_BACK, "api", version="v1"), id="of another version"),
        pytest.param(told(RollState.ROLLED_BACK, "api", retiring=True), id="as it lost the old version"),
        pytest.param(told(RollState.UNPROVEN, "api"), id="but only proved nothing"),
    ],
)
def test_other_failures_hold_up_nobody(desk: Desk, other: RollRecord) -> None:
    """Another app's failure stops an app's settings update only if the same version failed in the other app."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    desk.ports.settings_rolls.put_roll(REF, other)
    assert desk.carry().reason is Reason.SETTLING
    assert desk.town.written == [SHOP]


def test_two_certificates_do_not_overlap_in_one_app(desk: Desk) -> None:
    """While an app restarts for a certificate, Certroll writes no second certificate to its settings."""
    desk.intent = replace(APPLY, max_restarts=5)
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    assert desk.ports.restart_claims.claim(PLAN, SHOP, OTHER_REF, 5)
    outcome = desk.carry()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.PLAN_BUSY
    assert desk.town.written == []
    desk.ports.restart_claims.give_back(PLAN, SHOP, OTHER_REF)
    assert desk.carry().reason is Reason.SETTLING


def test_app_that_waits_for_its_plan_asks_neither_vault_nor_azure(desk: Desk) -> None:
    """While another app of its plan restarts, a waiting app costs no request to Key Vault and none to App Service."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    assert desk.ports.restart_claims.claim(PLAN, API, REF, 1)
    desk.town.fails = {"lineage": AssertionError("asked"), "site": AssertionError("asked")}
    assert desk.carry().reason is Reason.PLAN_BUSY


@pytest.mark.parametrize("state", [SiteState.PENDING, SiteState.FAILED])
def test_app_that_waits_for_its_plan_holds_up_no_bindings(desk: Desk, state: SiteState) -> None:
    """While another app of its plan restarts, Certroll still proves the bindings of the site."""
    listing(desk)
    desk.town.bindings = [binding(thumbprint=NEW)]
    desk.begin(begun(state=state))
    desk.ports.settings_rolls.put_roll(REF, told())
    assert desk.ports.restart_claims.claim(PLAN, API, REF, 1)
    assert desk.carry().reason is Reason.PLAN_BUSY
    assert desk.state() is SiteState.PROVEN


def test_app_that_is_done_sends_the_next_one_of_its_plan(desk: Desk) -> None:
    """When an app has answered, the next app of its plan in the order of names gets a message at once.

    Apps of other plans, and apps that already restart, get none. After the last name the first one follows.
    """
    desk.intent = replace(APPLY, max_restarts=1)
    names = ("api", "shop", "wiki")
    for name in names:
        listing(desk, name)
        desk.ports.settings_rolls.put_roll(REF, told(name=name))
    desk.ports.settings_rolls.put_roll(REF, told(name="zoo", plan="/plans/other"))
    for name in ("shop", "wiki", "api"):
        assert desk.carry(site_ref(name)).reason is Reason.SETTLING
        desk.clock.sleep(APPLY.probe_settle.total_seconds())
        assert desk.carry(site_ref(name)).reason is Reason.VALIDATED
    assert [message.site.name for message in desk.town.sent_sites] == ["wiki", "api"]


def test_app_that_is_stopped_leaves_its_place_to_others(desk: Desk) -> None:
    """A stopped app gives up its claim on the restart budget, so that another app of its plan may restart."""
    listing(desk, value=f"{OLD},{NEW}")
    desk.ports.settings_rolls.put_roll(REF, told(RollState.OVERLAPPING, at=NOW - HOUR / 4))
    assert desk.ports.restart_claims.claim(PLAN, SHOP, REF, 1)
    desk.town.sites[SHOP] = replace(desk.town.sites[SHOP], running=False)
    desk.town.answers = Verdict.FAILED
    assert desk.carry().reason is Reason.SITE_STOPPED
    assert desk.ports.restart_claims.claim(PLAN, API, REF, 1)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        pytest.param(Verdict.PASSED, Reason.VALIDATED, id="it passes its probe"),
        pytest.param(Verdict.OLD, Reason.PROBING, id="it still shows the old certificate"),
        pytest.param(Verdict.FAILED, Reason.SITE_STOPPED, id="it does not answer"),
    ],
)
def test_app_that_answers_runs_whatever_azure_calls_it(desk: Desk, answers: Verdict, reason: Reason) -> None:
    """If Azure does not call an app running, an answer of the app still counts, and silence blames no version."""
    listing(desk, value=f"{OLD},{NEW}")
    desk.ports.settings_rolls.put_roll(REF, told(RollState.OVERLAPPING, at=NOW - HOUR / 4))
    desk.town.sites[SHOP] = replace(desk.town.sites[SHOP], running=False)
    desk.town.answers = answers
    assert desk.carry().reason is reason
    assert desk.roll().failing_since is None


@pytest.mark.parametrize(
    ("answers", "broken"),
    [(Verdict.PASSED, False), (Verdict.OLD, False), (Verdict.FAILED, None)],
    ids=["it passes its probe", "it shows the old certificate", "it does not answer"],
)
def test_answer_before_the_write_counts_whatever_azure_calls_the_app(
    desk: Desk,
    answers: Verdict,
    broken: bool | None,  # noqa: FBT001 - a case of a table
) -> None:
    """Before the write, an answer proves that an app worked; silence proves nothing if Azure calls the app stopped."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    desk.town.sites[SHOP] = replace(desk.town.sites[SHOP], running=False)
    desk.town.answers = answers
    assert desk.carry().reason is Reason.SETTLING
    assert desk.roll().broken_before is broken


def test_app_that_waits_for_the_window_leaves_its_place_to_others(desk: Desk) -> None:
    """An app that waits for the restart window has no claim on the restart budget.

    If an app waited with a claim on the restart budget, the claim would expire before the restart window opens.
    """
    opens = NOW + 2 * HOUR
    desk.intent = replace(APPLY, restart_window=RestartWindow.parse(f"daily {opens:%H:%M}-{opens + HOUR:%H:%M}"))
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    assert desk.carry().reason is Reason.OUTSIDE_WINDOW
    assert desk.town.written == []
    assert desk.ports.restart_claims.restarting(PLAN, OTHER_ASE) == ()


@pytest.mark.parametrize("error", [NotFound("gone"), Denied("no")], ids=["is gone", "may not be looked at"])
def test_app_that_cannot_be_seen_leaves_its_place_to_others(desk: Desk, error: Exception) -> None:
    """An app that Certroll cannot read gives up its claim on the restart budget, and its update counts as refused."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    desk.town.fails["site"] = error
    assert isinstance(desk.carry(), Stalled)
    assert desk.roll().state is RollState.REFUSED
    assert desk.ports.restart_claims.claim(PLAN, API, REF, 1)


def test_app_that_was_written_and_is_only_hidden_goes_on(desk: Desk) -> None:
    """While Azure denies access to an updated app, Certroll keeps the app's record and last good settings."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told(RollState.OVERLAPPING))
    desk.town.fails["site"] = Denied("no")
    desk.carry()
    assert desk.roll().state is RollState.OVERLAPPING


def test_app_of_an_environment_leaves_its_place_there_as_well(desk: Desk) -> None:
    """After an app has answered, it gives up its claims on the restart budgets of its plan and its environment."""
    listing(desk)
    places = (PLAN, ASE.resource_id)
    desk.ports.settings_rolls.put_roll(REF, told(budget=RestartBudget(ASE.resource_id, 1, 1)))
    desk.carry()
    assert [desk.ports.restart_claims.restarting(place, OTHER_ASE) for place in places] == [(SHOP,), (SHOP,)]
    desk.clock.sleep(APPLY.probe_settle.total_seconds())
    desk.carry()
    assert [desk.ports.restart_claims.restarting(place, OTHER_ASE) for place in places] == [(), ()]


def test_app_waits_for_room_in_its_environment(desk: Desk) -> None:
    """An app's settings update waits while as many apps of its environment restart as the operator's limit allows."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told(budget=RestartBudget(ASE.resource_id, 1, 5)))
    assert desk.ports.restart_claims.claim(ASE.resource_id, API, ASE, 1)
    assert desk.carry().reason is Reason.PLAN_BUSY
    assert desk.town.written == []
    assert desk.ports.restart_claims.claim(PLAN, API, REF, 1), "what finds no room counts nowhere"


def test_two_runs_do_not_count_in_one_place_at_once(desk: Desk) -> None:
    """Certroll does not write an app while another run has the plan's lease, because restart counts may change."""
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    desk.leases.busy.add(f"plan {PLAN}")
    assert desk.carry().reason is Reason.BUSY
    assert desk.town.written == []


@pytest.mark.parametrize("value", [OLD, f"{OLD},{NEW}"], ids=["not written yet", "written before a crash"])
def test_host_name_that_may_not_move_keeps_the_app_from_nothing(desk: Desk, value: str) -> None:
    """If Certroll may not move a binding, it still updates the app's settings, even after a crash."""
    listing(desk, value=value)
    desk.town.bindings = [binding("other.fabrikam.com")]
    desk.ports.settings_rolls.put_roll(REF, told())
    assert desk.carry().reason is Reason.SETTLING
    assert desk.town.settings_[SHOP].values[LOAD_LIST] == f"{OLD},{NEW}"


def test_what_somebody_else_adds_is_no_undoing(desk: Desk) -> None:
    """Certroll does not count a settings update as undone if the app's owner adds another old version."""
    desk.town.lineage_ = lineage(version(), old_version(), old_version("v0", OLDER))
    listing(desk, value=f"{OLD},{NEW}")
    edited = {LOAD_LIST: f"{OLD},{NEW}", "FEATURE": "on", "ANOTHER_PIN": OLDER}
    desk.town.settings_[SHOP] = app_settings(edited)
    desk.ports.settings_rolls.put_roll(REF, told(RollState.OVERLAPPING, at=NOW - HOUR / 4))
    assert desk.carry() == Converged(Reason.VALIDATED, f"shop uses {NEW}")


def test_roll_of_an_earlier_version_is_judged_by_that_version(desk: Desk) -> None:
    """Certroll probes an updated app for the version that it wrote, even if the vault has a newer version."""
    desk.town.lineage_ = lineage(version("v3", NEWER), version(), old_version())
    listing(desk, value=f"{OLD},{NEW}")
    desk.ports.settings_rolls.put_roll(REF, told(RollState.OVERLAPPING, at=NOW - HOUR / 4))
    assert desk.carry() == Converged(Reason.VALIDATED, f"shop uses {NEW}")
    assert desk.town.written == []


def test_app_that_was_told_of_an_earlier_version_is_not_written(desk: Desk) -> None:
    """Certroll does not write a newer version to an app that was recorded for an update to an earlier version."""
    desk.town.lineage_ = lineage(version("v3", NEWER), version(), old_version())
    listing(desk)
    desk.ports.settings_rolls.put_roll(REF, told())
    assert desk.carry().reason is Reason.NOT_ADMITTED
    assert desk.town.written == []


def test_app_that_was_last_wakes_the_certificates_run(desk: Desk) -> None:
    """Certroll's run for the certificate starts again as soon as the last app that it waits for has answered."""
    for name in ("shop", "api"):
        listing(desk, name, value=f"{OLD},{NEW}")
        desk.ports.settings_rolls.put_roll(REF, told(RollState.OVERLAPPING, name, at=NOW - HOUR / 4))
    desk.carry(SHOP)
    assert desk.town.sent == []
    desk.carry(API)
    assert [message.ref for message in desk.town.sent] == [REF]
