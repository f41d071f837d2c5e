"""After a run of an environment with nothing left to do, Certroll closes the findings whose causes are gone."""

from datetime import datetime, timedelta

import pytest

from shared.controllers.environment.controller import _close
from shared.domain.environments.apps import WaveApp
from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord
from shared.domain.findings import Finding, SeenBy
from shared.domain.names import SiteRef
from shared.domain.outcome import Converged
from shared.domain.reason import Reason
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import APPLY, ASE, HOUR, NOW, ManualClock, site_ref
from tests.small_storage import SmallStorage, ports_on

DONE, EXCLUDED, OTHER = site_ref("done"), site_ref("excluded"), site_ref("other")
SINCE = NOW - 2 * HOUR
NOTHING, WAVES = Reason.NOTHING_TO_STOP, Reason.STOPPED_AND_STARTED


def found(site: SiteRef | None, at: datetime, reason: Reason, seen_by: SeenBy = SeenBy.INSPECTION) -> Finding:
    """Return a finding about an app of the environment, or about the environment."""
    subject = f"app {site}" if site else f"environment {ASE}"
    return Finding(at, ASE.resource_id, subject, reason, "as it was", seen_by, site)


def left_open(outcome: Reason, *findings: Finding, hidden: bool = False) -> set[str]:
    """Return which of the findings are open after a run without work that began now."""
    storage, clock = SmallStorage(), ManualClock(NOW + timedelta(minutes=1))
    with Pool(1, "reader") as pool:
        run = Run.start(ports_on(storage, clock), APPLY, pool)
        run.ports.environment_records.put(EnvironmentRecord(ASE, since=SINCE, hidden=hidden))
        apps = {DONE: AppRestartState.ANSWERED, EXCLUDED: AppRestartState.EXCLUDED}
        run.ports.app_restarts.put(
            ASE, [AppRestart(WaveApp(site, "/plans/front"), state, NOW) for site, state in apps.items()]
        )
        run.ports.findings.report(findings)
        _close(run, ASE, NOW, Converged(outcome, ""))
    return {row["subject"] for row in storage.all("certrollfindings") if row["state"] == "open"}


@pytest.mark.parametrize("outcome", [NOTHING, WAVES])
def test_finding_about_an_excluded_app_stays_until_the_next_round(outcome: Reason) -> None:
    """People have to stop and start an excluded app, so its finding of this round stays, and one of an earlier ends."""
    this_round = found(EXCLUDED, NOW - HOUR, Reason.OPTED_OUT)
    earlier = found(OTHER, SINCE - HOUR, Reason.OPTED_OUT)
    assert left_open(outcome, this_round, earlier) == {this_round.subject}


@pytest.mark.parametrize("outcome", [NOTHING, WAVES])
def test_finding_about_an_app_that_was_stopped_and_started_closes(outcome: Reason) -> None:
    """Certroll could not stop the app in this round, and then it did, so the finding closes."""
    assert left_open(outcome, found(DONE, NOW - HOUR, Reason.DENIED_BY_AZURE)) == set()


def test_finding_about_the_environment_closes_unless_this_run_saw_it() -> None:
    """A finding about the whole environment closes if the run that has nothing left to do did not report it."""
    assert left_open(NOTHING, found(None, NOW - HOUR, Reason.UNANSWERED)) == set()
    assert left_open(NOTHING, found(None, NOW, Reason.UNANSWERED)) == {f"environment {ASE}"}


def test_finding_of_another_part_stays() -> None:
    """The timer of starts closes the finding about a start, and only the end of the waves that about a root."""
    start = found(DONE, SINCE - HOUR, Reason.START_PENDING, SeenBy.START)
    root = found(None, NOW, Reason.ROOT_WAS_THERE, SeenBy.ROOT)
    assert left_open(NOTHING, start, root) == {start.subject, root.subject}
    assert left_open(WAVES, start, root) == {start.subject}


@pytest.mark.parametrize("hidden", [True, False])
def test_blind_spot_stays_while_an_app_may_be_hidden(*, hidden: bool) -> None:
    """A blind spot closes at the end of the waves, unless Certroll could not read all apps of the environment."""
    spot = found(OTHER, NOW - HOUR, Reason.BLIND_SPOT)
    assert left_open(WAVES, spot, hidden=hidden) == ({spot.subject} if hidden else set())
