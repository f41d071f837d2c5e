"""Check that Certroll adds root certificates to App Service Environments, and restarts a few apps at a time."""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.journal import Entry
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Authority, Leaf
from local.azure.vault.authority import Request as CertificateRequest
from local.azure.watching.down_watch import DownWatch
from local.azure.web.resources import RUNNING, STOPPED
from local.azure.world import World
from shared.controllers.environment.controller import remind
from shared.domain.errors import NotFound, Unavailable
from shared.domain.findings import Finding
from shared.domain.fleet.probe import ProbeResult
from shared.domain.intent import Mode
from shared.domain.names import HostName
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.budget import MaxUnavailable
from shared.ports.probes import AppProbe
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import BACK, ROOT, TAGS, VAULT, Hosted
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.soaking import SOAKING, crashes

THREE, TWO, ONE = MaxUnavailable(3), MaxUnavailable(2), MaxUnavailable(1)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOST_WRITES = 400
ARM = "management.azure.com"


def carried(installation: Installation) -> None:
    """Queue the message that the root's event causes, and deliver all messages that follow."""
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all()


def swept(installation: Installation) -> None:
    """Run Certroll's sweep, and deliver all messages that follow."""
    installation.sweep_everything()
    installation.deliver_all()


def held(install: Install, apps: Literal[3, 7] = 3, most: MaxUnavailable = ONE) -> tuple[Hosted, Installation]:
    """Return an environment where Certroll restarts no further app, because a restarted slot fails its probe."""
    hosted = Hosted(apps=apps)
    installation = install(hosted.world, ase_max_unavailable=most)
    hosted.apps["shop/staging"].failing_starts = None
    hosted.put_new()
    carried(installation)
    return hosted, installation


def deliver_until_stopped(installation: Installation, sites: int = 1) -> None:
    """Deliver messages one by one until Certroll has stopped the given number of sites."""
    while len(stops_and_starts(installation.world)) < sites:
        message = installation.queue.take(installation.clock.now() + HOUR)
        assert message is not None
        installation.deliver(message)


def stopped_at_once(world: World) -> int:
    """Return the largest number of sites that were stopped at the same moment, from the simulation's journal."""
    stopped: set[str] = set()
    most = 0
    for change in world.journal.changes():
        words = change.split()
        if words[0] == "site" and words[-1] == "stopped":
            stopped.add(words[1])
        elif words[0] == "site" and words[-1] == "started":
            stopped.discard(words[1])
        most = max(most, len(stopped))
    return most


def is_open(installation: Installation) -> bool:
    """Return True if Certroll still has to restart apps of any environment."""
    return any(record.is_open for record in installation.ports.environment_records.all())


def stops_and_starts(world: World) -> list[str]:
    """Return the names of the sites that were stopped, in order."""
    words = (change.split() for change in world.journal.changes())
    return [change[1] for change in words if change[0] == "site" and change[-1] == "stopped"]


def logged(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    """Return the log events with the given name."""
    found = (json.loads(record.getMessage()) for record in caplog.records if record.name == "certroll")
    return [event for event in found if event["event"] == name]


# ----------------------------------------------------------------------------------------------- add, roll over, remove


@pytest.mark.parametrize("form", ["pem", "der", "certificate"])
@pytest.mark.real_transport
def test_the_first_root_is_put_and_trusted(install: Install, form: Literal["pem", "der", "certificate"]) -> None:
    """Certroll adds a root of any vault format to the environment, and every running app trusts the root."""
    hosted = Hosted(apps=12, tags={})
    kind = "certificate" if form == "certificate" else "secret"
    hosted.build.add_root_object("extra", hosted.new.root_leaf, form=form, tags=TAGS)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    installation.look_at(VAULT, "extra", kind=kind)
    installation.deliver_all()
    assert installation.errors == []
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert hosted.trusting(hosted.old) == hosted.running


def test_a_new_root_comes_beside_the_old_and_apps_trust_it(install: Install) -> None:
    """Each app that ran trusts the old and the new root, and no more apps were down at once than permitted."""
    hosted = Hosted(apps=12)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    before, new = hosted.states(), hosted.put_new()
    with DownWatch(hosted.world) as watch:
        carried(installation)
    assert installation.errors == []
    assert hosted.roots() == {new, hosted.old.root_leaf.thumbprint}
    assert hosted.states() == before
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert sorted(stops_and_starts(hosted.world)) == sorted(hosted.stopped_and_started)
    assert watch.max_unavailable() <= 3
    assert stopped_at_once(hosted.world) <= 3
    hosted.move_partner()
    assert {trouble.split(":")[0] for trouble in hosted.world.apps.troubles()} == {"untouched"}


def test_who_forgets_to_cycle_is_seen_to_fail(install: Install) -> None:
    """Without permission to restart apps Certroll adds the root and names the apps that an operator must restart."""
    hosted = Hosted()
    installation = install(hosted.world)
    hosted.put_new()
    carried(installation)
    assert hosted.trusting(hosted.new) == set()
    assert stops_and_starts(hosted.world) == []
    assert ("environment network/ase", "StopStartByHand") in installation.findings()
    assert all(name in installation.details() for name in hosted.stopped_and_started)
    hosted.move_partner()
    assert {trouble.split(":")[0] for trouble in hosted.world.apps.troubles()} == hosted.running


def test_waves_begin_when_a_limit_is_set_later(install: Install) -> None:
    """The next sweep starts to restart apps after an operator sets `ase_max_unavailable`."""
    hosted = Hosted(apps=3)
    without = install(hosted.world)
    hosted.put_new()
    carried(without)
    installation = Installation(hosted.world, without.storage, without.ports, without.pool, ase_max_unavailable=THREE)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


@pytest.mark.parametrize(("webspaces", "number"), [("per plan group", 2), ("one", 1)])
def test_apps_of_each_webspace_of_an_environment_trust_the_root(
    install: Install, webspaces: Literal["per plan group", "one"], number: int
) -> None:
    """Certroll puts one root, whether an environment has one webspace or two, and stops and starts each app once.

    Each inspection of the fleet by the sweep reads the sites of each plan of the environment once.
    """
    hosted = Hosted(knobs=Knobs(environment_webspaces=webspaces))
    assert len({site.webspace for site in hosted.world.web.sites.values()}) == number
    installation = install(hosted.world, ase_max_unavailable=THREE)
    new = hosted.put_new()
    carried(installation)
    puts = [entry.path.rpartition("/")[2] for entry in hosted.world.journal.writes(ARM) if "publicCert" in entry.path]
    assert puts == [f"certroll-{VAULT}-{ROOT}-{new.lower()}"]
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert sorted(stops_and_starts(hosted.world)) == sorted(hosted.stopped_and_started)
    hosted.world.journal.clear()
    assert installation.sweep() == ()
    assert plans_asked(hosted.world) == {"front": 1, "back": 1}
    assert installation.errors == []


def plans_asked(world: World) -> Counter[str]:
    """Return how often Certroll read the list of sites of each App Service plan."""
    found = (re.search(r"/serverfarms/([^/]+)/sites$", entry.path) for entry in world.journal.reads(ARM))
    return Counter(match[1] for match in found if match)


def test_a_webspace_whose_apps_are_all_hidden_is_not_forgotten(install: Install) -> None:
    """If Certroll may see no app of one webspace of an environment, Certroll names these apps and keeps the old root.

    As soon as Certroll may see the apps, Certroll stops and starts each app that ran since before the root.
    """
    hosted = Hosted()
    for name in BACK:
        hosted.world.roles.hide(hosted.site(name).id)
    installation = install(hosted.world, ase_max_unavailable=THREE, delete_superseded=True, delete_grace=HOUR)
    hosted.put_new()
    carried(installation)
    hosted.world.clock.advance(DAY)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - set(BACK)
    assert hosted.old.root_leaf.thumbprint in hosted.roots()
    findings = installation.findings()
    hosted.world.journal.clear()
    installation.sweep()
    assert plans_asked(hosted.world) == {"front": 1, "back": 1}
    assert {(f"site {name}", "BlindSpot") for name in BACK} | {
        ("environment network/ase", "IncompleteView")
    } <= findings
    for name in BACK:
        hosted.world.roles.restore(hosted.site(name).id)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert not is_open(installation)


@pytest.mark.parametrize("knobs", [(True, False), (False, True), (False, False)], ids=["blob", "thumbprint", "neither"])
def test_whatever_azure_shows_of_a_root_a_second_look_writes_nothing(
    install: Install, knobs: tuple[bool, bool]
) -> None:
    """Certroll adds a root only once, even if Azure does not return the root's certificate or thumbprint."""
    hosted = Hosted(apps=3, knobs=Knobs(roots_show_blob=knobs[0], roots_show_thumbprint=knobs[1]))
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    hosted.world.journal.clear()
    swept(installation)
    assert hosted.world.journal.writes(ARM) == ()


def test_the_old_root_leaves_after_the_grace_and_only_when_asked(install: Install) -> None:
    """Certroll deletes an old root only with CERTROLL_DELETE_SUPERSEDED, after the grace period and all restarts."""
    hosted = Hosted(apps=12)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    new, old = hosted.put_new(), hosted.old.root_leaf.thumbprint
    carried(installation)
    hosted.world.clock.advance(40 * DAY)
    carried(installation)
    assert hosted.roots() == {new, old}
    asked = Installation(
        hosted.world,
        installation.storage,
        installation.ports,
        installation.pool,
        ase_max_unavailable=THREE,
        delete_superseded=True,
        delete_grace=60 * DAY,
    )
    carried(asked)
    assert hosted.roots() == {new, old}
    hosted.world.clock.advance(21 * DAY)
    hosted.world.journal.clear()
    asked.sweep_everything()
    asked.deliver_all()
    assert hosted.roots() == {new}
    assert stops_and_starts(hosted.world) == []
    assert hosted.trusting(hosted.old) == hosted.running, "apps go on with what they were started with"


def test_the_old_root_stays_while_an_app_was_not_cycled(install: Install) -> None:
    """Certroll keeps the old root in the environment while apps may still run without the new root."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, delete_superseded=True, delete_grace=DAY)
    new = hosted.put_new()
    carried(installation)
    hosted.world.clock.advance(40 * DAY)
    carried(installation)
    assert hosted.roots() == {new, hosted.old.root_leaf.thumbprint}


def test_several_roots_cost_one_stop(install: Install) -> None:
    """Two roots that arrive shortly after each other cost each app a single stop and start."""
    hosted = Hosted(apps=3)
    other = Authority("Other Corp")
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(during=timedelta(minutes=1))
    hosted.world.clock.advance(timedelta(minutes=1))
    hosted.build.add_root_object("other-root", other.root_leaf, tags=TAGS)
    installation.look_at(VAULT, "other-root", kind="secret")
    installation.deliver_all()
    assert hosted.trusting(hosted.new) == hosted.trusting(other) == hosted.stopped_and_started
    assert sorted(stops_and_starts(hosted.world)) == sorted(hosted.stopped_and_started)


def test_a_root_that_comes_during_the_waves_is_trusted_by_all(install: Install) -> None:
    """Certroll stops and starts an app again if a second root arrives after the app's first restart."""
    hosted = Hosted(apps=3)
    other = Authority("Other Corp")
    installation = install(hosted.world, ase_max_unavailable=TWO)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    deliver_until_stopped(installation, 2)
    hosted.build.add_root_object("other-root", other.root_leaf, tags=TAGS)
    installation.look_at(VAULT, "other-root", kind="secret")
    installation.deliver_all()
    assert hosted.trusting(hosted.new) == hosted.trusting(other) == hosted.stopped_and_started


# ------------------------------------------------------------------------------------------------------ what is refused


def _leaf(hosted: Hosted) -> Leaf:
    now = hosted.world.clock.now()
    return hosted.new.issue(CertificateRequest(("corp.example",), now, now + DAY))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(_leaf, "NotAnAuthority", id="a server's certificate"),
        pytest.param(lambda hosted: Leaf(hosted.new.issuer, None), "NotSelfSigned", id="an intermediate"),
    ],
)
def test_what_is_no_root_is_refused(install: Install, make: object, reason: str) -> None:
    """Certroll reports a certificate that is no root, adds nothing and stops no app."""
    hosted = Hosted(apps=3, tags={})
    hosted.build.add_root_object("wrong", make(hosted), tags=TAGS)  # type: ignore[operator]
    installation = install(hosted.world, ase_max_unavailable=THREE)
    installation.look_at(VAULT, "wrong", kind="secret")
    installation.deliver_all()
    assert reason in {found for _, found in installation.findings()}
    assert hosted.roots() == {hosted.old.root_leaf.thumbprint}
    assert stops_and_starts(hosted.world) == []


def test_refused_successor_of_a_root_is_told(install: Install) -> None:
    """If the newest version of a root's vault object is no certificate, Certroll reports it and keeps the old root."""
    hosted = Hosted(apps=3)
    hosted.world.vaults[VAULT].set_secret(ROOT, "no certificate", tags=TAGS)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all()
    told = [detail for detail in installation.details().splitlines() if "its newest version is refused" in detail]
    assert told
    assert hosted.roots() == {hosted.old.root_leaf.thumbprint}
    assert stops_and_starts(hosted.world) == []


def test_an_expired_root_is_refused(install: Install) -> None:
    """Certroll does not add an expired root."""
    hosted = Hosted(apps=3, tags={})
    now = hosted.world.clock.now()
    late = Authority("Late", (now - 30 * DAY, now - DAY))
    hosted.build.add_root_object("late", late.root_leaf, tags=TAGS)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    installation.look_at(VAULT, "late", kind="secret")
    installation.deliver_all()
    assert "Expired" in {found for _, found in installation.findings()}
    assert hosted.roots() == {hosted.old.root_leaf.thumbprint}


@pytest.mark.parametrize(
    ("target", "reason"), [("nowhere", "NoSuchTarget"), ("ase, rg/a/b/c/d", "TargetInvalid")], ids=["unknown", "odd"]
)
def test_a_wrong_target_is_told(install: Install, target: str, reason: str) -> None:
    """Certroll reports a tag that names no environment, and adds no root."""
    hosted = Hosted(apps=3, tags={})
    hosted.build.add_root_object("extra", hosted.new.root_leaf, tags={"certroll-root-of": target})
    installation = install(hosted.world, ase_max_unavailable=THREE)
    installation.look_at(VAULT, "extra", kind="secret")
    installation.deliver_all()
    assert reason in {found for _, found in installation.findings()}
    assert hosted.roots() == {hosted.old.root_leaf.thumbprint}


def test_an_environment_that_operators_took_out_is_left_alone(install: Install) -> None:
    """Certroll adds no root to an environment with the tag `certroll: off`."""
    hosted = Hosted(apps=3)
    closed = hosted.build.add_environment("closed", hosted.group, tags={"certroll": "off"})
    tags = {"certroll-root-of": "network/closed"}
    hosted.build.add_root_object("extra", hosted.new.root_leaf, tags=tags)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    installation.look_at(VAULT, "extra", kind="secret")
    installation.deliver_all()
    assert list(hosted.world.web.roots_of(closed)) == []
    assert "OptedOut" in {found for _, found in installation.findings()}


def test_a_dry_run_prints_the_waves(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """In observe mode Certroll logs which apps it would restart together, and writes nothing."""
    hosted = Hosted()
    installation = install(hosted.world, mode=Mode.OBSERVE, ase_max_unavailable=THREE)
    hosted.put_new()
    hosted.world.journal.clear()
    with caplog.at_level(logging.INFO, "certroll"):
        swept(installation)
    (planned,) = logged(caplog, "waves.planned")
    waves = Counter(app["wave"] for app in planned["apps"])
    assert sorted(app["site"] for app in planned["apps"]) == sorted(hosted.stopped_and_started)
    assert planned["apps"][0] == {"site": "shop/staging", "wave": 1}, "slots go first"
    assert max(waves.values()) == 3
    assert planned["by_hand"] == []
    assert planned["seconds"] == len(waves) * (60 + 120), "a minute each, and the settling of the app without a probe"
    assert {app["site"] for app in planned["excluded"]} == {"quiet", "untouched"}
    assert hosted.world.journal.writes(ARM) == ()


def test_a_root_that_was_there_is_told_once_and_cycled_on_request(install: Install) -> None:
    """Certroll reports a root that Certroll did not add, and stops no app until an operator requests it."""
    hosted = Hosted()
    installation = install(hosted.world, ase_max_unavailable=THREE)
    carried(installation)
    assert ("environment network/ase", "RootWasThere") in installation.findings()
    assert stops_and_starts(hosted.world) == []
    assert installation.request_stop_start("Network", "ASE").endswith("/hostingEnvironments/ase")
    installation.deliver_all()
    assert sorted(stops_and_starts(hosted.world)) == sorted(hosted.stopped_and_started)
    hosted.world.journal.clear()
    swept(installation)
    assert stops_and_starts(hosted.world) == []


def test_a_root_that_was_there_is_told_though_the_telling_failed(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If storage loses the finding about an existing root, Certroll reports the root again on its next try."""
    installation = install(Hosted(apps=3).world, ase_max_unavailable=THREE)
    findings, lost = installation.ports.findings, list[Finding]()
    report = findings.report

    def losing_the_first(findings: tuple[Finding, ...]) -> None:
        if not lost and any(finding.reason is Reason.ROOT_WAS_THERE for finding in findings):
            lost.extend(findings)
            raise Unavailable("the table gives no answer")
        report(findings)

    monkeypatch.setattr(findings, "report", losing_the_first)
    carried(installation)
    assert lost
    assert ("environment network/ase", "RootWasThere") in installation.findings()


# --------------------------------------------------------------------------------------------------------- the limits


@pytest.mark.parametrize(
    ("most", "in_all", "front", "back"),
    [("3", 3, 3, 3), ("25%", 2, 1, 1), ("50%", 5, 3, 2)],
)
def test_as_many_are_down_as_allowed_and_no_more(
    install: Install, caplog: pytest.LogCaptureFixture, most: str, in_all: int, front: int, back: int
) -> None:
    """No more apps are down at once than `ase_max_unavailable` permits, in the environment and on each plan.

    In the test six running apps are on one App Service plan, and five running apps are on another plan.
    """
    hosted = Hosted(apps=12)
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable.parse(most))
    hosted.put_new()
    with DownWatch(hosted.world) as watch, caplog.at_level(logging.INFO, "certroll"):
        carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert max(len(wave["sites"]) for wave in logged(caplog, "wave.started")) == in_all
    assert watch.max_unavailable() <= in_all
    assert stopped_at_once(hosted.world) <= in_all
    assert watch.max_unavailable(plan=hosted.front.id) <= front
    assert watch.max_unavailable(plan=hosted.back.id) <= back


def test_a_group_is_never_down_as_a_whole(install: Install) -> None:
    """At least one app of a group (tag certroll-group) is always up, and a slot does not replace its site."""
    hosted = Hosted()
    for name in ("api", "shop", "jobs"):
        hosted.tag(name, "certroll-group", "checkout, all")
    hosted.tag("silent", "certroll-group", "Alone")
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(100, percent=True))
    hosted.put_new()
    with DownWatch(hosted.world) as watch:
        carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert 0 < watch.max_unavailable(group="checkout") < len(("api", "shop", "jobs"))


def test_the_last_app_of_a_group_waits_for_another_one(install: Install) -> None:
    """Certroll reports the last running app of a group, and does not stop it before another app of the group runs."""
    hosted = Hosted()
    hosted.tag("quiet", "certroll-group", "pair")
    hosted.tag("jobs", "certroll-group", "pair")
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"jobs"}
    assert ("environment network/ase", "LastOfGroup") in installation.findings()
    hosted.set_state("quiet", RUNNING)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started | {"quiet"}
    assert "quiet" not in stops_and_starts(hosted.world), "its own start was enough"


def test_waves_go_inside_the_window_only(install: Install) -> None:
    """Certroll adds the root at once, and stops apps only inside the window CERTROLL_RESTART_WINDOW."""
    hosted = Hosted(apps=3)
    now = hosted.world.clock.now()
    opens = now + 3 * HOUR
    window = RestartWindow.parse(f"daily {opens:%H:%M}-{opens + HOUR:%H:%M}")
    installation = install(hosted.world, ase_max_unavailable=THREE, restart_window=window)
    new = hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(during=2 * HOUR)
    assert new in hosted.roots()
    assert stops_and_starts(hosted.world) == []
    installation.deliver_all(during=2 * HOUR)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_our_own_site_is_never_stopped(install: Install) -> None:
    """Certroll never stops Certroll's own site or slots, and reports that an operator must restart them."""
    hosted = Hosted(apps=3)
    shop = hosted.site("shop")
    installation = install(
        hosted.world,
        ase_max_unavailable=MaxUnavailable(100, percent=True),
        own_site="shop",
        own_subscription=shop.subscription,
    )
    hosted.put_new()
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"shop", "shop/staging"}
    assert ("site shop", "OwnSite") in installation.findings()


def test_an_app_that_is_being_rolled_is_left_until_that_is_done(install: Install) -> None:
    """Certroll does not stop an app for a root while the app restarts for another certificate."""
    hosted = Hosted()
    installation = install(hosted.world, ase_max_unavailable=ONE)
    api = hosted.site("api")
    rolling = hosted.ref("api")
    assert installation.ports.restart_claims.claim(api.plan_id.lower(), rolling, hosted.lineage("web"), 1)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(during=timedelta(minutes=30))
    assert stops_and_starts(hosted.world) == []
    installation.ports.restart_claims.give_back(api.plan_id.lower(), rolling, hosted.lineage("web"))
    installation.deliver_all()
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


# ---------------------------------------------------------------------------------------------- what does not come up


def test_a_wave_that_does_not_come_up_stops_the_rest(install: Install) -> None:
    """If an app fails its probe after its restart, Certroll reports the app and stops no further apps."""
    hosted, installation = held(install, apps=7, most=TWO)
    assert ("environment network/ase", "WaveFailed") in installation.findings()
    assert set(stops_and_starts(hosted.world)) == {"shop/staging", "api"}
    assert set(hosted.states().values()) == {RUNNING, STOPPED}
    assert hosted.states()["shop/staging"] == RUNNING
    hosted.apps["shop/staging"].failing_starts = 0
    hosted.stop_and_start("shop/staging")
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_who_takes_the_broken_app_out_lets_the_others_go_on(install: Install) -> None:
    """After an operator sets `certroll: off` on a failed app, Certroll restarts the remaining apps."""
    hosted, installation = held(install, most=TWO)
    hosted.tag("shop/staging", "certroll", "off")
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"shop/staging"}


def test_who_stops_the_broken_app_does_not_end_the_hold(install: Install) -> None:
    """If an operator stops the failed app, Certroll still restarts no further apps."""
    hosted, installation = held(install)
    hosted.set_state("shop/staging", STOPPED)
    swept(installation)
    assert stops_and_starts(hosted.world) == ["shop/staging"]


def test_an_app_that_was_broken_before_holds_nobody_up(install: Install) -> None:
    """An app that failed its probe before the stop does not delay the restarts of other apps."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.move_partner()
    hosted.put_new()
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert "WaveFailed" not in {found for _, found in installation.findings()}


@pytest.mark.parametrize("status", [500, 503])
def test_starts_that_fail_for_a_while_are_paid(install: Install, status: int) -> None:
    """If Azure refuses to start a stopped app for a while, Certroll starts the app in the end."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=TWO)
    before = hosted.states()
    hosted.put_new()
    failing = Fault("server_error", "POST", path=r"/sites/shop/slots/staging/start", status=status, times=None)
    hosted.world.faults.add(failing)
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(during=timedelta(minutes=20))
    assert hosted.states()["shop/staging"] == STOPPED
    assert set(stops_and_starts(hosted.world)) <= {"shop/staging", "api"}, (
        "no other app is stopped while a start is pending"
    )
    assert ("site shop/staging", "StartPending") in installation.findings()
    front, web = hosted.front.id.lower(), hosted.lineage("web")
    assert not installation.ports.restart_claims.claim(front, hosted.ref("api"), web, 1), "it counts as down"
    hosted.world.faults.clear()
    installation.minutes(1)
    assert hosted.states()["shop/staging"] == RUNNING
    installation.deliver_all()
    assert hosted.states() == before
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_who_may_not_stop_apps_stops_none(install: Install) -> None:
    """Without the right to stop apps Certroll reports the missing right, and every app keeps running."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    before = hosted.states()
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "POST", path=r"/stop", times=None))
    carried(installation)
    assert hosted.states() == before
    assert ("environment network/ase", "DeniedByAzure") in installation.findings()


@pytest.mark.parametrize("kind", ["applied_but_lost", "site_lock", "throttle"])
@pytest.mark.parametrize("verb", ["stop", "start"])
def test_answers_that_get_lost_lose_no_app(install: Install, verb: str, kind: str) -> None:
    """Whatever happens to Azure's answers to stops and starts, every app runs in the end and trusts the root."""
    hosted = Hosted()
    installation = install(hosted.world, ase_max_unavailable=THREE)
    before = hosted.states()
    hosted.put_new()
    hosted.world.faults.add(Fault(kind, "POST", path=rf"/{verb}$", times=4, skip=1))  # type: ignore[arg-type]
    with DownWatch(hosted.world) as watch:
        carried(installation)
    installation.minutes(6)
    installation.deliver_all()
    assert hosted.states() == before
    swept(installation)  # the threads of a wave share the clock, so one thread's waits may use up another's 90 s
    assert hosted.states() == before
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert watch.max_unavailable() <= 3


def test_app_whose_stop_azure_refuses_for_long_is_stopped_after_the_next_sweep(install: Install) -> None:
    """If Azure throttles an app's stop for longer than 90 s, the other apps go on, and the next sweep gets the app."""
    hosted = Hosted()
    installation = install(hosted.world, ase_max_unavailable=THREE)
    before = hosted.states()
    hosted.put_new()
    hosted.world.faults.add(Fault("throttle", "POST", path=r"/sites/shop/stop$", times=None))
    carried(installation)
    assert hosted.states() == before
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"shop"}
    assert ("site shop", "Unanswered") in installation.open_findings()
    hosted.world.faults.clear()
    installation.minutes(1)
    swept(installation)
    assert hosted.states() == before
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert installation.open_findings() == {("site untouched", "OptedOut")}


def test_a_stop_that_comes_late_is_made_up_for(install: Install) -> None:
    """If Azure performs a stop minutes after its answer was lost, Certroll's timer starts the app again."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    hosted.world.faults.add(Fault("dropped", "POST", path=r"/stop$", times=None))
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(during=timedelta(minutes=3))
    assert set(hosted.states().items()) >= {("shop/staging", RUNNING)}
    hosted.world.faults.clear()
    for _ in range(2):
        hosted.set_state("shop/staging", STOPPED)  # Azure performs the stop only now, long after the request
        installation.minutes(1)
        assert hosted.states()["shop/staging"] == RUNNING


def test_the_timer_leaves_alone_what_people_stop(install: Install) -> None:
    """Certroll's timer does not start an app that an operator stopped after the app's restart."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    carried(installation)
    hosted.set_state("api", STOPPED)
    installation.minutes(10)
    swept(installation)
    assert hosted.states()["api"] == STOPPED


def test_a_new_root_does_not_end_a_hold(install: Install) -> None:
    """Certroll restarts no further apps after a failed restart, even for a new root, until the failed app answers."""
    hosted, installation = held(install)
    other = Authority("Other Corp")
    hosted.build.add_root_object("other-root", other.root_leaf, tags=TAGS)
    installation.look_at(VAULT, "other-root", kind="secret")
    installation.deliver_all()
    installation.request_stop_start("network", "ase")
    installation.deliver_all()
    assert set(stops_and_starts(hosted.world)) == {"shop/staging"}
    hosted.apps["shop/staging"].failing_starts = 0
    hosted.set_state("shop/staging", RUNNING)  # the restarted app works, but lacks the new root
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.trusting(other) == hosted.stopped_and_started


def test_people_may_say_that_they_did_it(install: Install) -> None:
    """After an operator reports the restarts for a new root as done, Certroll stops no app for the root."""
    hosted = Hosted(apps=3)
    without = install(hosted.world)
    hosted.put_new()
    carried(without)
    assert without.confirm_stop_start("network", "ase").endswith("/hostingEnvironments/ase")
    installation = Installation(hosted.world, without.storage, without.ports, without.pool, ase_max_unavailable=THREE)
    swept(installation)
    assert stops_and_starts(hosted.world) == []


def test_who_says_that_it_is_done_ends_a_hold(install: Install) -> None:
    """After an operator reports the restarts as done, a failed app no longer delays the restarts for the next root."""
    hosted, installation = held(install)
    other = Authority("Other Corp")
    installation.confirm_stop_start("network", "ase")
    hosted.build.add_root_object("other-root", other.root_leaf, tags=TAGS)
    installation.look_at(VAULT, "other-root", kind="secret")
    installation.deliver_all()
    assert hosted.trusting(other) == hosted.stopped_and_started - {"shop/staging"}


def test_nobody_knows_of_an_environment_without_roots(install: Install) -> None:
    """An operator's request for an unknown environment is answered with the name of that environment."""
    hosted = Hosted(tags={})
    installation = install(hosted.world)
    for ask in (installation.request_stop_start, installation.confirm_stop_start):
        with pytest.raises(NotFound, match="network/nowhere"):
            ask("network", "nowhere")


def test_an_environment_that_is_taken_out_ends_its_waves(install: Install) -> None:
    """The tag `certroll: off` on an environment stops all its remaining restarts."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    deliver_until_stopped(installation)
    done = list(stops_and_starts(hosted.world))
    hosted.close()
    installation.deliver_all()
    assert stops_and_starts(hosted.world) == done


def test_an_app_that_somebody_else_is_at_work_on_comes_later(install: Install) -> None:
    """While another run of Certroll has the lease of one site, Certroll first stops and starts the other apps."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    with installation.ports.leases.hold(f"site {hosted.ref('api').resource_id}"):
        installation.look_at(VAULT, ROOT, kind="secret")
        installation.deliver_all(during=timedelta(minutes=20))
        assert set(stops_and_starts(hosted.world)) == hosted.stopped_and_started - {"api"}
    installation.deliver_all()
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


@pytest.mark.parametrize("kind", ["denied", "server_error"])
def test_roots_that_cannot_be_listed_have_nobody_stopped_again(install: Install, kind: Literal["denied"]) -> None:
    """If Azure does not list the environment's roots, Certroll stops no app a second time."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    carried(installation)
    hosted.world.journal.clear()
    hosted.world.faults.add(Fault(kind, "GET", path=r"/publicCertificates$", status=503, times=None))
    swept(installation)
    assert stops_and_starts(hosted.world) == []
    assert [entry.path for entry in hosted.world.journal.writes(ARM)] == []
    assert "BlindSpot" in {found for _, found in installation.findings()}


@pytest.mark.parametrize("kind", ["applied_but_lost", "throttle"])
def test_a_lost_answer_to_the_put_forgets_no_app(install: Install, kind: Literal["throttle"]) -> None:
    """If Azure's answer to the upload of a root is lost, Certroll still restarts each app once."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    hosted.world.faults.add(Fault(kind, "PUT", path=r"/publicCertificates/"))
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert sorted(stops_and_starts(hosted.world)) == sorted(hosted.stopped_and_started)


def test_a_root_that_azure_refuses_holds_up_nothing(install: Install) -> None:
    """Certroll reports a root that Azure refuses, and a later sweep adds the root and restarts the apps."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "PUT", path=r"/publicCertificates/", times=None))
    carried(installation)
    assert "DeniedByAzure" in {found for _, found in installation.findings()}
    assert stops_and_starts(hosted.world) == []
    hosted.world.clock.advance(2 * DAY)
    remind(installation.start())
    installation.deliver_all()
    assert not is_open(installation), "what did not come for a day is not waited for"
    hosted.world.faults.clear()
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_slots_that_cannot_be_seen_are_told(install: Install) -> None:
    """Certroll reports slots that it may not list, and still stops and starts the sites."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "GET", path=r"/sites/shop/slots$", times=None))
    carried(installation)
    assert ("the slots of shop", "BlindSpot") in installation.findings()
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"shop/staging"}


def test_a_run_that_is_out_of_time_goes_on_in_another(install: Install) -> None:
    """If an app starts slowly, Certroll restarts no other app before the slow app answers its probe."""
    hosted = Hosted(apps=3, knobs=Knobs(restart_seconds=110))
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    meddled(installation, "shop.", 1, lambda: hosted.world.knobs.turn(restart_seconds=290))
    installation.look_at(VAULT, ROOT, kind="secret")
    longest = timedelta(0)
    with DownWatch(hosted.world) as watch:
        while message := installation.queue.take(hosted.world.clock.now() + HOUR):
            began = hosted.world.clock.now()
            installation.deliver(message)
            longest = max(longest, hosted.world.clock.now() - began)
    assert timedelta(minutes=8) <= longest < timedelta(minutes=8, seconds=20)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert watch.max_unavailable() == 1
    assert installation.errors == []


def test_a_first_stop_that_comes_after_all_is_made_up_for(install: Install) -> None:
    """If Certroll sent a stop twice and Azure performs one stop late, Certroll's timer starts the app again."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    hosted.world.faults.add(Fault("dropped", "POST", path=r"/stop$"))
    installation.look_at(VAULT, ROOT, kind="secret")
    deliver_until_stopped(installation)
    (first,) = stops_and_starts(hosted.world)
    hosted.set_state(first, STOPPED)
    installation.minutes(1)
    assert hosted.states()[first] == RUNNING
    installation.minutes(6)
    installation.deliver_all()
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_a_404_does_not_cancel_what_is_owed(install: Install, crasher: Crasher) -> None:
    """Certroll starts an app that it has stopped, even if Azure once answers 404 for the app."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/stop"):
        carried(installation)
    installation.storage.break_leases()
    (first,) = stops_and_starts(hosted.world)
    site = hosted.site(first)
    hosted.world.web.sites.remove(site.id)
    installation.minutes(1)
    hosted.world.web.sites.put(site.id, site)
    installation.minutes(1)
    assert hosted.states()[first] == RUNNING


@pytest.mark.parametrize("answer", ["ResourceNotFound", "empty"])
def test_an_app_that_is_gone_is_owed_nothing_after_an_hour(install: Install, crasher: Crasher, answer: str) -> None:
    """After an hour of 404 answers for a stopped app, Certroll drops the app's start and restarts the other apps."""
    hosted = Hosted(apps=3, knobs=Knobs(missing_site=answer))  # type: ignore[arg-type]
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/stop"):
        carried(installation)
    installation.storage.break_leases()
    (first,) = stops_and_starts(hosted.world)
    hosted.world.web.sites.remove(hosted.site(first).id)
    installation.minutes(1)
    assert len(installation.ports.pending_starts.all()) == 1
    hosted.world.clock.advance(HOUR)
    installation.minutes(1)
    assert installation.ports.pending_starts.all() == ()
    installation.deliver_all()
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {first}


@pytest.mark.parametrize("standing", ["resolved", "by address"])
def test_a_wave_of_an_internal_environment_is_held_by_what_does_not_come_up(install: Install, standing: str) -> None:
    """In an internal environment Certroll probes at the inbound address, and restarts no further apps on a failure."""
    hosted = Hosted(apps=3)
    hosted.world.knobs.turn(internal_environments=standing)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    for app in hosted.apps.values():
        app.failing_starts = None
    hosted.put_new()
    carried(installation)
    assert len(stops_and_starts(hosted.world)) == 1
    assert ("environment network/ase", "WaveFailed") in installation.findings()


@pytest.mark.parametrize("hidden", ["its address", "its probe"])
def test_what_failed_and_cannot_be_asked_any_more_holds_the_others(install: Install, hidden: str) -> None:
    """If Certroll can no longer probe a failed app (a lost right, a bad tag), it still restarts no further apps."""
    hosted = Hosted()
    hosted.world.knobs.turn(internal_environments="by address")
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(1))
    hosted.apps["shop/staging"].failing_starts = None
    hosted.put_new()
    carried(installation)
    assert ("environment network/ase", "WaveFailed") in installation.findings()
    if hidden == "its address":
        hosted.world.faults.add(Fault("denied", "GET", path=r"/configurations/networking$", times=None))
    else:
        hosted.tag("shop/staging", "certroll-probe", "no path at all")
    swept(installation)
    assert stops_and_starts(hosted.world) == ["shop/staging"]


def test_another_root_does_not_forget_what_an_app_answered(install: Install, crasher: Crasher) -> None:
    """If a restarted app fails its probe, Certroll restarts no further apps, even if another root arrived before."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(1))
    for app in hosted.apps.values():
        app.failing_starts = None
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/stop"):
        carried(installation)
    installation.storage.break_leases()
    hosted.build.add_root_object(ROOT, Authority("Even newer").root_leaf, tags=TAGS)
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver(installation.queue.take(hosted.world.clock.now()))
    assert len(hosted.roots()) == 3
    installation.minutes(6)
    installation.deliver_all()
    assert len(stops_and_starts(hosted.world)) == 1
    assert ("environment network/ase", "WaveFailed") in installation.findings()


@pytest.mark.parametrize("hidden", ["its address", "its probe"])
def test_what_was_started_and_cannot_be_asked_any_more_is_not_well(
    install: Install, crasher: Crasher, hidden: str
) -> None:
    """If an app passed its probe before the stop and cannot be probed afterwards, Certroll restarts no further apps."""
    hosted = Hosted(apps=3)
    hosted.world.knobs.turn(internal_environments="by address")
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.apps["shop/staging"].failing_starts = None
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/stop"):
        carried(installation)
    installation.storage.break_leases()
    installation.minutes(6)
    if hidden == "its address":
        hosted.world.faults.add(Fault("denied", "GET", path=r"/configurations/networking$"))
    else:
        hosted.tag("shop/staging", "certroll-probe", "no path at all")
    installation.deliver_all()
    assert stops_and_starts(hosted.world) == ["shop/staging"]
    assert ("environment network/ase", "WaveFailed") in installation.findings()


def test_a_failed_app_that_is_taken_out_while_it_is_stopped_ends_the_hold(install: Install) -> None:
    """The tag `certroll: off` on a failed and stopped app lets Certroll restart the remaining apps."""
    hosted, installation = held(install)
    hosted.set_state("shop/staging", STOPPED)
    hosted.tag("shop/staging", "certroll", "off")
    swept(installation)
    assert hosted.trusting(hosted.new) >= {"api", "shop"}
    assert ("site shop/staging", "OptedOut") in installation.findings()


def test_a_failed_app_that_is_stopped_while_it_is_asked_holds_on(install: Install) -> None:
    """If an operator stops the failed app during the app's probe, Certroll still restarts no further apps."""
    hosted, installation = held(install)
    meddled(installation, "shop-staging", 1, lambda: hosted.set_state("shop/staging", STOPPED))
    swept(installation)
    assert stops_and_starts(hosted.world) == ["shop/staging"]


def test_a_failed_app_that_is_deleted_ends_the_hold(install: Install) -> None:
    """After the failed app is deleted, Certroll restarts the other apps even if Azure denies one list of slots."""
    hosted, installation = held(install)
    hosted.build.add_slot(hosted.site("api"), "green")
    hosted.world.web.sites.remove(hosted.site("shop/staging").id)
    hosted.world.faults.add(Fault("denied", "GET", path=r"/sites/api/slots$", times=None))
    swept(installation)
    assert hosted.trusting(hosted.new) >= {"api", "shop"}


def test_what_people_have_done_is_forgotten_also_where_it_was_started(install: Install, crasher: Crasher) -> None:
    """After an operator reports the restarts as done, no old probe result counts for the next root.

    An app whose restart the operator reported no longer counts among the apps that are down.
    """
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/stop"):
        carried(installation)
    installation.storage.break_leases()
    installation.minutes(1)
    installation.confirm_stop_start("network", "ase")
    installation.minutes(6)
    plan, other_roll = hosted.site("shop").plan_id.lower(), hosted.lineage("web")
    assert installation.ports.restart_claims.claim(plan, hosted.ref("shop"), other_roll, 1), "its place is free"
    hosted.world.clock.advance(60 * DAY)
    hosted.apps["shop/staging"].broken = True
    before = len(stops_and_starts(hosted.world))
    other = Authority("Other Corp")
    hosted.build.add_root_object("other-root", other.root_leaf, tags=TAGS)
    installation.look_at(VAULT, "other-root", kind="secret")
    installation.deliver_all()
    assert set(stops_and_starts(hosted.world)[before:]) == hosted.stopped_and_started


def test_a_crash_after_the_start_does_not_forget_what_an_app_answered(install: Install, crasher: Crasher) -> None:
    """If Certroll crashes while it starts an app, and the app fails its probe, Certroll restarts no app.

    When the failing app answers again, Certroll stops and starts the app once more, because the crash left no journal
    record of the first restart.
    """
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.apps["shop/staging"].failing_starts = None
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/start"):
        carried(installation)
    installation.storage.break_leases()
    installation.minutes(6)
    installation.deliver_all()
    assert stops_and_starts(hosted.world) == ["shop/staging"]
    assert ("environment network/ase", "WaveFailed") in installation.findings()
    hosted.apps["shop/staging"].failing_starts = 0
    hosted.set_state("shop/staging", STOPPED)
    hosted.set_state("shop/staging", RUNNING)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert stops_and_starts(hosted.world).count("shop/staging") == 2, (
        "by the run that died, and once more when it answers"
    )


def test_a_stop_that_was_refused_is_no_reason_to_wait_for_an_app(install: Install) -> None:
    """If Azure refuses to stop an app, the app's earlier probe result does not count when the app breaks later."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "POST", path=r"/slots/staging/stop$"))
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all()
    hosted.apps["shop/staging"].broken = True
    swept(installation)
    assert set(stops_and_starts(hosted.world)) == hosted.stopped_and_started


def test_an_app_that_may_not_be_looked_at_holds_nobody_up(install: Install) -> None:
    """An app that Certroll may not read delays no other app, and is restarted when Certroll may read it again."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(during=timedelta(0))
    hosted.world.faults.add(Fault("denied", "GET", path=r"/sites/shop/slots(/staging)?$", times=None))
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"shop/staging"}
    assert ("environment network/ase", "DeniedByAzure") in installation.findings()
    hosted.world.faults.clear()
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_what_a_hidden_app_answered_for_another_root_does_not_count(install: Install) -> None:
    """An unreadable app's probe result for an earlier root does not stop the restarts for the next root."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    carried(installation)
    before = len(stops_and_starts(hosted.world))
    hosted.apps["shop/staging"].broken = True
    other = Authority("Other Corp")
    hosted.build.add_root_object("other-root", other.root_leaf, tags=TAGS)
    hosted.world.faults.add(Fault("denied", "GET", path=r"/sites/shop/slots$", times=None))
    installation.look_at(VAULT, "other-root", kind="secret")
    installation.deliver_all()
    assert set(stops_and_starts(hosted.world)[before:]) == hosted.stopped_and_started


@pytest.mark.parametrize("first", ["it was cycled", "it was stopped"])
def test_an_app_that_is_hidden_when_the_next_root_comes_is_cycled_for_it(install: Install, first: str) -> None:
    """If Certroll could not read an app when a further root arrived, Certroll restarts the app for that root later."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE, delete_superseded=True, delete_grace=DAY)
    if first == "it was stopped":
        hosted.set_state("shop/staging", STOPPED)
    hosted.put_new()
    carried(installation)
    hosted.set_state("shop/staging", RUNNING)
    newest = Authority("Corp 2027")
    hosted.build.add_root_object(ROOT, newest.root_leaf, tags=TAGS)
    hosted.world.faults.add(Fault("denied", "GET", path=r"/sites/shop/slots$", times=None))
    carried(installation)
    hosted.world.faults.clear()
    for _ in range(3):
        swept(installation)
        hosted.world.clock.advance(DAY)
    assert hosted.trusting(newest) == hosted.stopped_and_started


@pytest.mark.real_storage
def test_a_crash_does_not_forget_what_an_app_answered(install: Install, crasher: Crasher) -> None:
    """If an app fails its probe after a crash and a start by the timer, Certroll restarts no further apps."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    for app in hosted.apps.values():
        app.failing_starts = None
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/stop"):
        carried(installation)
    installation.storage.break_leases()
    installation.minutes(6)
    installation.deliver_all()
    assert len(stops_and_starts(hosted.world)) == 1
    assert ("environment network/ase", "WaveFailed") in installation.findings()


def test_one_bad_answer_before_the_stop_proves_nothing(install: Install) -> None:
    """A single failed probe before the stop does not make Certroll treat the app as already broken."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    for app in hosted.apps.values():
        app.failing_starts = None
        app.script.append((503, {}, "busy"))
    hosted.put_new()
    carried(installation)
    assert len(stops_and_starts(hosted.world)) == 1


def test_two_vault_objects_do_not_fight_over_a_root(install: Install) -> None:
    """Certroll keeps a superseded root in the environment if another vault object has it as current version."""
    hosted = Hosted(apps=3)
    hosted.build.add_root_object("twin", hosted.old.root_leaf, tags=TAGS)
    installation = install(hosted.world, ase_max_unavailable=THREE, delete_superseded=True, delete_grace=HOUR)
    new = hosted.put_new()
    for _ in range(4):
        swept(installation)
        hosted.world.clock.advance(DAY)
    assert hosted.roots() == {new, hosted.old.root_leaf.thumbprint}
    assert sorted(stops_and_starts(hosted.world)) == sorted(hosted.stopped_and_started)


def test_roots_that_cannot_be_listed_are_not_put_beside_themselves(install: Install) -> None:
    """If Azure does not list the roots, Certroll adds no existing root again and stops no app."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    carried(installation)
    hosted.world.faults.add(Fault("server_error", "GET", path=r"/publicCertificates$", status=503, times=None))
    carried(installation)
    hosted.world.faults.clear()
    carried(installation)
    assert stops_and_starts(hosted.world) == []
    assert [root.name for root in hosted.world.web.roots.values()] == ["by-hand"]


def test_an_app_that_was_hidden_is_cycled_when_it_is_seen(install: Install) -> None:
    """Certroll keeps an old root while it cannot list some slots, and restarts the slots once it can list them."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE, delete_superseded=True, delete_grace=HOUR)
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "GET", path=r"/sites/shop/slots$", times=None))
    carried(installation)
    assert ("environment network/ase", "IncompleteView") in installation.findings()
    hosted.world.clock.advance(DAY)
    carried(installation)
    assert hosted.old.root_leaf.thumbprint in hosted.roots()
    hosted.world.faults.clear()
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert not is_open(installation)


def test_an_app_that_is_hidden_during_the_waves_is_not_forgotten(install: Install) -> None:
    """Certroll restarts a listed slot even if Azure denies the list of slots later."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(during=timedelta(0))
    hosted.world.faults.add(Fault("denied", "GET", path=r"/sites/shop/slots$", times=None))
    installation.sweep_everything()
    installation.deliver_all(during=timedelta(0))
    installation.deliver_all()
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_a_root_is_not_forgotten_while_the_app_was_away(install: Install) -> None:
    """If Certroll is down for two days after it added a root, the next sweep restarts the apps."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    message = installation.queue.take(hosted.world.clock.now())
    assert message is not None
    installation.deliver(message)
    while installation.queue.take(hosted.world.clock.now() + HOUR):
        pass
    hosted.world.clock.advance(2 * DAY)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_a_sweep_tells_of_a_root_that_was_there(install: Install) -> None:
    """Certroll's sweep reports an existing root without any event, and an operator can then request the restarts."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    swept(installation)
    assert ("environment network/ase", "RootWasThere") in installation.findings()
    assert installation.sweep() == ()
    installation.request_stop_start("network", "ase")
    installation.deliver_all()
    assert sorted(stops_and_starts(hosted.world)) == sorted(hosted.stopped_and_started)


def test_a_version_without_tags_is_found_by_the_sweep(install: Install) -> None:
    """Certroll's sweep finds a root whose newest version has lost its tag and has no content type."""
    hosted = Hosted(apps=3, tags={})
    hosted.build.add_root_object("corp", hosted.old.root_leaf, form="der", tags=TAGS)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    swept(installation)
    hosted.build.add_root_object("corp", hosted.new.root_leaf, form="der", tags={})
    while installation.queue.take(hosted.world.clock.now() + HOUR):
        pass
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_an_app_that_is_stopped_while_it_is_asked_holds_nobody_up(install: Install) -> None:
    """If an operator stops a failing app during the probe after its restart, Certroll restarts the other apps."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.apps["shop/staging"].failing_starts = None
    hosted.put_new()
    meddled(installation, "shop-staging", 4, lambda: hosted.set_state("shop/staging", STOPPED))
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"shop/staging"}


def test_an_app_that_fails_after_its_first_answer_holds_the_others_up(install: Install) -> None:
    """Certroll counts an app as up only after three passed probes in a row."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    meddled(installation, "shop-staging", 4, lambda: setattr(hosted.apps["shop/staging"], "broken", True))
    carried(installation)
    assert stops_and_starts(hosted.world) == ["shop/staging"]
    assert ("environment network/ase", "WaveFailed") in installation.findings()


def test_an_app_that_is_stopped_right_before_its_wave_stays_so(install: Install) -> None:
    """Certroll does not start an app that an operator stopped right before Certroll would have stopped it."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    meddled(installation, "shop-staging", 1, lambda: hosted.set_state("shop/staging", STOPPED))
    carried(installation)
    assert hosted.states()["shop/staging"] == STOPPED
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"shop/staging"}


def test_an_app_that_is_tagged_during_the_waves_is_judged_by_its_new_tags(install: Install) -> None:
    """Certroll does not stop an app that a late tag has made the last running app of its group."""
    hosted = Hosted()
    hosted.tag("quiet", "certroll-group", "pair")
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    meddled(installation, "shop-staging", 1, lambda: hosted.tag("api", "certroll-group", "pair"))
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"api"}
    assert ("environment network/ase", "LastOfGroup") in installation.findings()


def test_an_environment_that_is_taken_out_in_the_middle_of_a_run_ends_its_waves(install: Install) -> None:
    """The tag `certroll: off` on an environment counts before the next restart within the same run."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    meddled(installation, "shop-staging", 1, hosted.close)
    carried(installation)
    assert stops_and_starts(hosted.world) == ["shop/staging"]


class Asking:
    """An app probe that lets an operator act when an app is probed for the n-th time."""

    def __init__(self, real: AppProbe, host: str, number: int, act: Callable[[], object]) -> None:
        """Build a probe that lets an operator act at the given host name, when the host is probed for the n-th time."""
        self._real, self._host, self._left, self._act = real, host, number, act

    def ask(self, host: HostName, *more: Any) -> ProbeResult:  # noqa: ANN401 - the signature of the port
        """Probe the app, and let the operator act before the chosen probe."""
        if host.startswith(self._host):
            self._left -= 1
            if self._left == 0:
                self._act()
        return self._real.ask(host, *more)


def meddled(installation: Installation, host: str, number: int, act: Callable[[], object]) -> None:
    """Let an operator act when an app whose host name begins with `host` is probed for the n-th time."""
    installation.ports = replace(installation.ports, app_probe=Asking(installation.ports.app_probe, host, number, act))


def test_an_app_that_may_not_be_stopped_holds_nobody_up(install: Install) -> None:
    """If Azure refuses the stop of one app, Certroll reports the refusal and restarts the other apps."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "POST", path=r"/sites/api/stop$", times=None))
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started - {"api"}
    assert ("environment network/ase", "DeniedByAzure") in installation.findings()
    assert installation.ports.pending_starts.all() == ()


def test_a_start_that_is_refused_holds_everybody_up(install: Install) -> None:
    """If Azure refuses the start of an app, Certroll reports the refusal and stops no other app."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "POST", path=r"/start$", times=None))
    carried(installation)
    assert stopped_at_once(hosted.world) == 1
    installation.minutes(2)
    assert "StartPending" in {reason for _, reason in installation.findings()}
    hosted.world.faults.clear()
    installation.minutes(7)
    installation.deliver_all()
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def seen_last(installation: Installation, subject: str) -> datetime:
    """Return when Certroll last saw the cause of the only finding about a subject."""
    (found,) = (row["last_seen"] for row in installation.rows("certrollfindings") if row.get("subject") == subject)
    assert isinstance(found, datetime)
    return found


def test_people_are_told_again_with_the_next_root(install: Install) -> None:
    """If an operator must restart an app by hand, Certroll reports the app again for each new root."""
    hosted = Hosted(apps=7)
    other = Authority("Other Corp")
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    carried(installation)
    before = seen_last(installation, "site untouched")
    hosted.world.clock.advance(DAY)
    hosted.build.add_root_object("other-root", other.root_leaf, tags=TAGS)
    installation.look_at(VAULT, "other-root", kind="secret")
    installation.deliver_all()
    after = seen_last(installation, "site untouched")
    assert after > before


def test_who_says_that_it_is_done_ends_what_was_asked_for(install: Install) -> None:
    """An operator's report that the restarts are done cancels an earlier request for restarts."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    carried(installation)
    installation.request_stop_start("network", "ase")
    installation.confirm_stop_start("network", "ase")
    installation.deliver_all()
    assert stops_and_starts(hosted.world) == []


def test_an_address_that_cannot_be_read_makes_nobody_fail(install: Install) -> None:
    """If an internal environment's address is unknown, no app counts as failed."""
    hosted = Hosted(apps=3)
    hosted.world.knobs.turn(internal_environments="by address")
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    hosted.world.faults.add(Fault("denied", "GET", path=r"/configurations/networking$", times=None))
    carried(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert "WaveFailed" not in {reason for _, reason in installation.findings()}


# ----------------------------------------------------------------------------------------------------------- requests


def test_cycling_an_app_costs_few_requests(install: Install) -> None:
    """The restart of an app for a root costs seven requests: five reads of the site, one stop and one start.

    The restart of a slot also costs reads of the slot's site.
    """
    hosted = Hosted()
    installation = install(hosted.world, ase_max_unavailable=THREE)
    hosted.put_new()
    installation.look_at(VAULT, ROOT, kind="secret")
    asked: Counter[str] = Counter()
    while (message := installation.queue.take(hosted.world.clock.now() + HOUR)) is not None:
        hosted.world.journal.clear()
        installation.deliver(message)
        entries = (entry for entry in hosted.world.journal.entries() if entry.host == ARM)
        asked += Counter(kind_of(entry) for entry in entries) if message.queue == "environments" else Counter()
    apps, runs, plans = len(hosted.stopped_and_started), 2, 2
    assert asked["stop"] == asked["start"] == apps
    assert asked["site"] == 5 * apps + 2 + 1, "and twice the site of the slot; an app without a probe once more"
    waves = 2
    shared = "roots, environment, its address, sites, which have slots, those of one, plans, the sites of each plan"
    assert asked["other"] == runs * (7 + plans) + waves, shared


def kind_of(entry: Entry) -> str:
    """Return the kind of a request to ARM."""
    last = entry.path.rpartition("/")[2]
    if last in {"stop", "start"}:
        return last
    return "site" if re.search(r"/sites/[^/]+(/slots/[^/]+)?$", entry.path) else "other"


def test_a_sweep_costs_a_request_a_subscription_and_one_an_environment(install: Install) -> None:
    """Certroll's sweep reads App Service Environments only if a vault object has a root tag.

    If a vault object has a root tag, the sweep lists the environments of each subscription. The sweep also lists the
    roots, plans and sites of each environment that the tag names.
    """
    counts = []
    for tags in ({}, TAGS):
        hosted = Hosted(tags=tags)
        installation = install(hosted.world)
        installation.sweep()
        hosted.world.journal.clear()
        installation.sweep()
        paths = [entry.path.lower() for entry in hosted.world.journal.reads(ARM)]
        counts.append((len(paths), sum("hostingenvironments" in path for path in paths)))
    (without, none), (with_roots, asked) = counts
    assert none == 0
    assert asked == 2
    assert with_roots - without == 2 + 2, "and the sites of two plans; apps are looked at for root lists in any case"


# ---------------------------------------------------------------------------------------------------- a crash anywhere


@pytest.mark.parametrize(
    ("apps", "step"),
    [
        pytest.param(3, 3, id="three apps"),
        pytest.param(12, 61, id="twelve apps"),
    ],
)
@pytest.mark.timeout(3600 if SOAKING else 600)
def test_a_crash_after_any_write_leaves_no_app_down(
    install: Install, crasher: Crasher, apps: Literal[3, 12], step: int
) -> None:
    """After a crash at any write every app runs again within a minute, and trusts the root in the end."""
    for write in crashes(MOST_WRITES, step=step):
        hosted = Hosted(apps=apps)
        installation = install(hosted.world, ase_max_unavailable=TWO)
        before = hosted.states()
        hosted.put_new()
        with DownWatch(hosted.world) as watch:
            died = dies(installation, crasher, write)
            installation.storage.break_leases()
            installation.minutes(1)
            assert hosted.states() == before, f"after a crash at write {write}"
            installation.minutes(5)
            installation.deliver_all()
        assert hosted.states() == before, f"after a crash at write {write}"
        assert hosted.trusting(hosted.new) == hosted.stopped_and_started, f"after a crash at write {write}"
        assert watch.max_unavailable() <= 2, f"after a crash at write {write}"
        assert installation.errors == [], f"after a crash at write {write}"
        if not died:
            break
    else:
        pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")
    assert write > 20, "hardly anything was written: the loop did not look"


def dies(installation: Installation, crasher: Crasher, write: int) -> bool:
    """Deliver the root's messages, with a crash after the given write; return True if the crash happened."""
    try:
        with crasher.crashing_after(write):
            carried(installation)
    except Crash:
        return True
    return False
