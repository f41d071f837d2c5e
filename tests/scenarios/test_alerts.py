"""Each alert of the templates fires on the rows that a host writes about what it is for, and on no others."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from local.azure.scripting.faults import Fault
from local.azure.world import World
from shared.domain.environments.record import PendingStart
from shared.domain.findings import Finding
from shared.domain.messages import CERTIFICATES
from shared.domain.names import EnvironmentRef
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.traits import Severity
from tests.kusto_log import RULES, Log
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import Hosted
from tests.scenarios.installation import Installation
from tests.scenarios.recorded import Recorded
from tests.scenarios.worlds import VAULT, renew, small_world

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOURS_OPEN, EVERY = 25, 4
FINDINGS = {"finding-urgent", "finding-opened"}
FROM_SWEEPS = set(RULES["logs"]) - {"no-heartbeat", "no-functions", "host-ends", "settings-invalid", "logs-capped"}
"""The alerts whose rows come from runs of this file. tests/triggers/test_telemetry.py has the others, but for
`logs-capped`, whose rows Log Analytics writes (tests/infra/test_queries.py)."""


def on(log: Log, recorded: Recorded) -> set[str]:
    """Return the alerts whose condition is met now."""
    return {name for name in FROM_SWEEPS if log.fires(name, recorded.now())}


def with_fewer_names(world: World) -> None:
    """Renew the certificate for fewer host names, so that Certroll refuses to give it to one of them."""
    renew(world, host_names=("api.contoso.com", "shop.contoso.com", "www.contoso.com"))


def recorded(install: Install, tmp_path: Path, world: World, **intent: object) -> Recorded:
    """Return an installation whose runs are recorded."""
    return Recorded(install(world, **intent), tmp_path / "telemetry.jsonl")


def test_healthy_fleet_fires_no_alert(install: Install, tmp_path: Path) -> None:
    """While sweeps run and renewals succeed, no alert fires."""
    world = small_world()
    runs = recorded(install, tmp_path, world)
    runs.sweep()
    renew(world)
    for _ in range(3):
        world.clock.advance(HOUR)
        runs.sweep()
    assert on(runs.log, runs) == set()


def test_refused_version_fires(install: Install, tmp_path: Path) -> None:
    """A version that Certroll refuses for a host name fires the alerts on the finding and on the work that stalls."""
    world = small_world()
    runs = recorded(install, tmp_path, world)
    runs.sweep()
    with_fewer_names(world)
    runs.installation.look_at(VAULT, "web")
    runs.deliver()
    log = runs.log
    assert on(log, runs) == {"finding-urgent", "stalled"}
    about = ("NotCovered", "binding staging.contoso.com of shop/staging", "contoso-kv/web", "high")
    assert about in log.fires("finding-urgent", runs.now())


def test_every_finding_for_a_person_has_one_alert(install: Install, tmp_path: Path) -> None:
    """Each reason of a finding for which a person has to act fires exactly one alert, by its severity; others none."""
    runs = recorded(install, tmp_path, small_world())
    reasons = [reason for reason in Reason if reason.makes_finding]
    found = (Finding(runs.now(), "scope", f"subject of {reason}", reason, "detail") for reason in reasons)
    with runs.invocation("sweep_timer"):
        runs.installation.ports.findings.report(tuple(found))
    log, told = runs.log, Counter[str]()
    fired = {name: log.fires(name, runs.now()) for name in sorted(FINDINGS)}
    for name, severities in {"finding-urgent": ("critical", "high"), "finding-opened": ("medium", "low")}.items():
        told.update(reason for reason, *_ in fired[name])
        assert {severity for *_, severity in fired[name]} <= set(severities)
    needed = {str(reason) for reason in reasons if reason.needs_person} - {Reason.START_PENDING}
    assert told == dict.fromkeys(needed, 1)
    assert {reason.severity for reason in reasons if str(reason) not in told} == {Severity.INFO, Severity.CRITICAL}


def test_unreadable_message_fires(install: Install, tmp_path: Path) -> None:
    """A message that Certroll cannot read fires the alert on lost messages."""
    runs = recorded(install, tmp_path, small_world())
    runs.sweep()
    assert "message-lost" not in on(runs.log, runs)
    runs.installation.queue.put(CERTIFICATES, "?!?", timedelta(0))
    runs.deliver()
    assert {queue for queue, *_ in runs.log.fires("message-lost", runs.now())} == {CERTIFICATES}


@pytest.mark.parametrize(("left", "fires"), [(71, True), (73, False)])
def test_certificate_that_ends_soon_fires(install: Install, tmp_path: Path, left: int, fires: bool) -> None:  # noqa: FBT001
    """A certificate in use with less than 72 hours and a tenth of its life left fires; one with more does not."""
    world = small_world()
    runs = recorded(install, tmp_path, world)
    world.clock.set(world.vaults[VAULT].certificates["web"].versions[-1].not_after - left * HOUR)
    runs.sweep()
    certificates = {"contoso-kv/web", "contoso-kv/other"}
    assert {name for (name,) in runs.log.fires("certificate-ends", runs.now())} == (certificates if fires else set())


def test_sweep_asks_nothing_for_the_ends(install: Install, tmp_path: Path) -> None:
    """A sweep logs the end of each certificate in use once."""
    world = small_world()
    runs = recorded(install, tmp_path, world)
    runs.sweep()
    query = """traces | where message startswith '{"event": "certificate.ends"' | extend line = parse_json(message)
        | project certificate = tostring(line.certificate), used = tobool(line.used)"""
    rows = runs.log.rows(query, runs.began - MINUTE, runs.now())
    assert sorted((row["certificate"], row["used"]) for row in rows) == [
        ("contoso-kv/other", True),
        ("contoso-kv/web", True),
    ]


def test_missing_sweep_fires(install: Install, tmp_path: Path) -> None:
    """If no sweep ends for three hours, the alert on sweeps fires."""
    runs = recorded(install, tmp_path, small_world())
    runs.sweep()
    log, ended = runs.log, runs.now()
    assert not log.fires("no-sweep", ended + 3 * HOUR - MINUTE)
    assert log.fires("no-sweep", ended + 3 * HOUR)


def test_timer_that_fails_each_time_fires(install: Install, tmp_path: Path) -> None:
    """One failed sweep fires no alert; several without a success do."""
    world = small_world()
    runs = recorded(install, tmp_path, world)
    runs.sweep()
    world.faults.add(Fault("server_error", "GET", path="/sites$", times=None))
    fired = []
    for _ in range(3):
        world.clock.advance(HOUR)
        runs.sweep()
        fired.append(runs.log.fires("timer-fails", runs.now()))
    assert (fired[0], fired[-1]) == (set(), {("sweeps_queue",)})


def down(installation: Installation, hosted: Hosted) -> None:
    """Leave the app `shop` stopped, with a pending start that Azure refuses for good."""
    ase = EnvironmentRef.parse(hosted.ase.id)
    listed = installation.ports.environments.sites(ase).found
    site = next(found.ref for found in listed if found.ref.name == "shop" and found.ref.slot is None)
    installation.ports.app_service.stop(site)
    installation.ports.pending_starts.record(PendingStart(site, ase, installation.clock.now()))
    hosted.world.faults.add(Fault("denied", "POST", path="/sites/shop/start$", times=None))


def test_finding_that_stays_open_fires_once_in_25_hours(install: Install, tmp_path: Path) -> None:
    """A finding that stays open for 25 hours tells people once; a pending start keeps its alert until the app runs.

    Every hour the sweep sees the finding again. Every fourth minute, which is less often than on Azure and costs less,
    the timer tries to start the app.
    """
    hosted = Hosted(apps=3)
    runs = recorded(install, tmp_path, hosted.world, ase_max_unavailable=MaxUnavailable(2))
    down(runs.installation, hosted)
    low = Finding(runs.now(), "scope", "a tag", Reason.UNKNOWN_TAG, "detail")
    for minute in range(0, HOURS_OPEN * 60, EVERY):
        if minute % 60 == 0:
            with runs.invocation("sweep_timer"):
                runs.installation.ports.findings.report((low,))
            low = Finding(runs.now() + HOUR, low.scope, low.subject, low.reason, low.detail)
        runs.installation.clock.advance((EVERY - 1) * MINUTE)
        runs.minute()
    began, ended, log = runs.began - HOUR, runs.now(), runs.log
    assert len(log.told("finding-opened", began, ended)) == 1
    assert log.told("finding-urgent", began, ended) == []
    times = [runs.began + minutes * MINUTE for minutes in range(15, HOURS_OPEN * 60, 60)]
    assert [at for at in times if not log.fires("starts-pending", at)] == []
    assert len(log.told("starts-pending", began, ended)) == 1
    assert not log.fires("starts-pending", runs.began + 10 * MINUTE), "a wave may stop an app for some minutes"
    hosted.world.faults.clear()
    for _ in range(10):
        runs.minute()
    assert not runs.log.fires("starts-pending", runs.now())
