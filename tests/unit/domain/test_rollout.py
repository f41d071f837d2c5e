"""The record of a rollout says when other App Service webspaces may follow the first, and a handshake proves a site."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.certificates.urgency import URGENT
from shared.domain.fleet.handshake import Handshake, verdict
from shared.domain.names import Thumbprint, Webspace
from shared.domain.rollout.gates import LOST_AFTER, holds_up, stage
from shared.domain.rollout.rollout import Rollout, Stage
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteState
from tests.build import FOREIGN, HOST, HOUR, NEW, NORTH, NOW, OLD, OLDER, WEST, record, roll, rollout, site_ref

PENDING, PROVEN, UNPROVEN, FAILED = SiteState
SECOND = timedelta(seconds=1)
SOAK = HOUR
DISPATCHED = NOW - HOUR / 2
FAR = NOW + 30 * 24 * HOUR


@pytest.mark.parametrize(
    ("seen", "urgent", "opens_at"),
    [
        pytest.param(rollout(), False, NOW + SOAK, id="no site is recorded there: nothing is proven, after the soak"),
        pytest.param(
            rollout(started_at=DISPATCHED),
            False,
            DISPATCHED + SOAK,
            id="no site is recorded there: soaked from its start",
        ),
        pytest.param(
            rollout(started_at=DISPATCHED), True, DISPATCHED, id="no site is recorded there and urgent: holds nothing"
        ),
        pytest.param(
            rollout(record(PROVEN, webspace=NORTH), started_at=DISPATCHED),
            False,
            DISPATCHED + SOAK,
            id="a proof elsewhere is none for the first webspace",
        ),
        pytest.param(rollout(record(PROVEN)), False, NOW, id="proven: now"),
        pytest.param(rollout(record(PROVEN), record(UNPROVEN, site="b")), False, NOW, id="one proof is enough: now"),
        pytest.param(rollout(record(UNPROVEN)), False, DISPATCHED + SOAK, id="unproven: after the soak"),
        pytest.param(rollout(record(UNPROVEN)), True, DISPATCHED, id="unproven and urgent: holds nothing"),
        pytest.param(rollout(record(PENDING)), False, DISPATCHED + SOAK, id="no result: after the soak"),
        pytest.param(
            rollout(record(PENDING)), True, DISPATCHED + LOST_AFTER, id="no result and urgent: when it must be lost"
        ),
        pytest.param(
            rollout(record(PROVEN), record(PENDING, site="b", at=NOW)),
            False,
            NOW + SOAK,
            id="a result is outstanding next to a proof: after its soak",
        ),
        pytest.param(
            rollout(record(UNPROVEN), record(UNPROVEN, site="b", at=NOW)),
            False,
            NOW + SOAK,
            id="several unproven: the last soak counts",
        ),
        pytest.param(
            rollout(record(PROVEN), record(PENDING, site="b", webspace=NORTH, at=NOW)),
            False,
            NOW,
            id="what is outstanding elsewhere does not count",
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.VALIDATED),)),
            False,
            DISPATCHED,
            id="no site, an app is proven: since then",
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.UNPROVEN),)), False, DISPATCHED + SOAK, id="no site, an app: after its soak"
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.UNPROVEN),)), True, DISPATCHED, id="no site, an app, and urgent: no soak"
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.OVERLAPPING),)),
            True,
            DISPATCHED + LOST_AFTER,
            id="no site, an app under way, and urgent: when it must be lost",
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.VALIDATED, webspace=NORTH),)),
            False,
            NOW + SOAK,
            id="no site, and an app of another webspace: its proof is none here",
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.DEFERRED),)), False, NOW + SOAK, id="no site, and an app that was deferred"
        ),
        pytest.param(
            rollout(record(UNPROVEN), rolls=(roll(RollState.VALIDATED),)),
            False,
            DISPATCHED + SOAK,
            id="a site is unproven: an app proves nothing for it",
        ),
    ],
)
def test_stage_opens(seen: Rollout, opens_at: datetime, *, urgent: bool) -> None:
    """If no site of the first webspace is pending and one is proven, the other webspaces follow at once.

    While a site of the first webspace is pending, or if none is proven, the other webspaces wait for the waiting time.

    If the old certificate ends soon, the other webspaces follow the first webspace earlier.
    """
    assert stage(seen, NOW, SOAK, urgent=urgent) == Stage(opens_at)


def test_moments_are_those_that_people_are_told() -> None:
    """A rollout is urgent in an old certificate's last 72 hours, and a queue message is lost after 15 minutes."""
    assert timedelta(hours=72) == URGENT
    assert timedelta(minutes=15) == LOST_AFTER


def test_urgent_wait_is_never_longer_than_the_soak() -> None:
    """In an urgent rollout, Certroll waits no longer than the waiting time for a site that does not answer."""
    opened = stage(rollout(record(PENDING)), NOW, 5 * SECOND, urgent=True)
    assert opened.opens_at == DISPATCHED + 5 * SECOND


@pytest.mark.parametrize("webspace", [pytest.param(WEST, id="in the first webspace"), pytest.param(NORTH, id="later")])
def test_failure_holds_everything(webspace: Webspace) -> None:
    """If a single site serves another certificate, the rollout of the version stops in every webspace."""
    failed = record(FAILED, webspace=webspace, detail="seen")
    gate = stage(rollout(record(PROVEN, site="b"), failed), NOW, SOAK, urgent=True)
    assert gate == Stage(None)
    assert not gate.is_open(FAR)


def test_stage_is_open_from_its_moment_on() -> None:
    """The other webspaces wait for the first webspace until a fixed time, and may start from exactly that time on."""
    opened = Stage(NOW)
    assert not opened.is_open(NOW - SECOND)
    assert opened.is_open(NOW)


def test_rollout_knows_its_sites() -> None:
    """The record of a rollout returns the record of a site, and lists pending and failed sites."""
    waiting, failed = record(PENDING), record(FAILED, site="b")
    seen = rollout(waiting, failed, record(PROVEN, site="c"))
    assert seen.record_of(site_ref("b")) == failed
    assert seen.record_of(site_ref("z")) is None
    assert (seen.pending, seen.failed) == ((waiting,), (failed,))
    assert rollout(waiting, replace(waiting, state=PROVEN)).record_of(waiting.site) == waiting, "the first one counts"


@pytest.mark.parametrize(
    ("seen", "opens_at", "waits"),
    [
        pytest.param(rollout(record(PENDING)), FAR, True, id="the first webspace is on its way"),
        pytest.param(rollout(record(PENDING)), NOW, False, id="the soak of the first webspace is over"),
        pytest.param(rollout(record(PROVEN), record(PENDING, site="b", webspace=NORTH)), NOW, True, id="others are"),
        pytest.param(rollout(record(PROVEN)), NOW, False, id="nothing is"),
        pytest.param(
            rollout(record(PENDING), record(PENDING, site="b", webspace=NORTH)),
            NOW,
            False,
            id="the soak of the first webspace is over, though others are on their way, too",
        ),
    ],
)
def test_pending_sites_are_waited_for_until_the_soak_is_over(seen: Rollout, opens_at: datetime, *, waits: bool) -> None:
    """A rollout waits for pending sites until the waiting time of its first App Service webspace is over."""
    assert holds_up(seen, Stage(opens_at), NOW) is waits


LOOKED = NOW - HOUR / 4


def nothing_left(ended: RollRecord) -> Rollout:
    """Return a rollout with an app under way and one that has ended, after a plan that left nothing for later."""
    return replace(rollout(rolls=(roll(RollState.OVERLAPPING), ended), looked_at=LOOKED), awaiting=False)


@pytest.mark.parametrize(
    ("seen", "waits"),
    [
        pytest.param(
            rollout(rolls=(roll(RollState.OVERLAPPING),), looked_at=LOOKED), True, id="an app is under way, nothing new"
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.OVERLAPPING),)), False, id="an app is under way, and nobody looked yet"
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.OVERLAPPING, at=NOW),), looked_at=LOOKED),
            True,
            id="an app went a step on its way since",
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.OVERLAPPING), roll(RollState.VALIDATED, site="b", at=NOW)), looked_at=LOOKED),
            False,
            id="another app was validated since",
        ),
        pytest.param(
            rollout(rolls=(roll(RollState.OVERLAPPING), roll(RollState.VALIDATED, site="b")), looked_at=LOOKED),
            True,
            id="another app was validated before",
        ),
        pytest.param(
            rollout(
                rolls=(roll(RollState.OVERLAPPING), roll(RollState.VALIDATED, site="b", at=LOOKED)), looked_at=LOOKED
            ),
            True,
            id="another app was validated at that moment",
        ),
        pytest.param(
            nothing_left(roll(RollState.VALIDATED, site="b", at=NOW)),
            True,
            id="another app was validated since, and nothing is left for later",
        ),
        pytest.param(
            nothing_left(roll(RollState.UNPROVEN, site="b", at=NOW)),
            True,
            id="an app without a probe is done since, and nothing is left for later",
        ),
        *(
            pytest.param(nothing_left(roll(state, site="b", at=NOW)), False, id=f"another app is {state} since")
            for state in (RollState.ROLLED_BACK, RollState.NO_LAST_GOOD, RollState.REFUSED, RollState.DEFERRED)
        ),
        pytest.param(rollout(rolls=(roll(RollState.VALIDATED),), looked_at=LOOKED), False, id="no app is under way"),
        pytest.param(
            rollout(record(PENDING), rolls=(roll(RollState.VALIDATED),), looked_at=LOOKED),
            True,
            id="a site is under way, nothing new of apps",
        ),
        pytest.param(
            rollout(record(PENDING), rolls=(roll(RollState.VALIDATED, at=NOW),), looked_at=LOOKED),
            False,
            id="a site is under way, and an app was validated since",
        ),
        pytest.param(rollout(record(PENDING)), True, id="a site is under way, and there are no apps"),
        pytest.param(
            rollout(past=(roll(RollState.OVERLAPPING),)), True, id="an app is under way with an earlier version"
        ),
        pytest.param(rollout(past=(roll(RollState.VALIDATED),)), False, id="an app was validated with an earlier one"),
    ],
)
def test_apps_are_waited_for_until_there_is_news(seen: Rollout, *, waits: bool) -> None:
    """A rollout waits for apps with a settings update in progress until one of them has finished."""
    assert holds_up(seen, Stage(FAR), NOW) is waits


def test_rollout_knows_its_apps() -> None:
    """The record of a rollout returns the settings update of an app, and lists apps by the state of their updates.

    The record of a rollout also returns the thumbprints that were proven in an app.
    """
    going, held = roll(RollState.OVERLAPPING, proven=(OLD,)), roll(RollState.ROLLED_BACK, site="b")
    past = (
        roll(RollState.VALIDATED, proven=(OLDER,)),
        roll(RollState.VALIDATED, site="b", proven=(FOREIGN,)),
        roll(RollState.FAILED, site="c"),
        roll(RollState.RESTORED, site="d"),
        roll(RollState.OVERLAPPING, site="e"),
        roll(RollState.ROLLED_BACK, site="f"),
    )
    refused = roll(RollState.REFUSED, site="z")
    seen = rollout(rolls=(going, held, refused), past=past)
    assert (seen.roll_of(site_ref()), seen.roll_of(site_ref("b")), seen.roll_of(site_ref("c"))) == (going, held, None)
    assert (seen.rolling, seen.held_by) == ((going,), (held,))
    assert seen.proven_at(site_ref()) == frozenset({OLD, OLDER})
    assert seen.proven_at(site_ref("b")) == frozenset({FOREIGN})
    assert (seen.unfinished(NOW), seen.refused) == (past[2:5], (refused,))


@pytest.mark.parametrize(
    ("state", "ago", "unfinished"),
    [
        pytest.param(RollState.OVERLAPPING, timedelta(minutes=45) - SECOND, True, id="under way since just less"),
        pytest.param(
            RollState.OVERLAPPING, timedelta(minutes=45), False, id="under way for as long as a restart takes"
        ),
        pytest.param(RollState.FAILED, 30 * 24 * HOUR, True, id="to be taken back, however long ago"),
        pytest.param(RollState.RESTORED, 30 * 24 * HOUR, True, id="taken back and not seen well, however long ago"),
        pytest.param(RollState.STALE, timedelta(0), False, id="not written"),
    ],
)
def test_what_an_earlier_version_began_is_finished_in_time(
    state: RollState, ago: timedelta, *, unfinished: bool
) -> None:
    """Certroll waits up to 45 minutes for an app's unfinished settings update to an earlier version.

    Certroll may restore the old settings of a failed app at any time.
    """
    earlier = roll(state, at=NOW - ago)
    assert rollout(past=(earlier,)).unfinished(NOW) == ((earlier,) if unfinished else ())


def handshake(thumbprint: Thumbprint | None, detail: str = "") -> Handshake:
    """Return a TLS handshake's result in which the client expected the thumbprint `NEW`."""
    return Handshake(HOST, NEW, thumbprint, detail)


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [
        pytest.param(handshake(NEW), PROVEN, f"{HOST} serves {NEW}", id="the expected certificate"),
        pytest.param(handshake(FOREIGN), FAILED, f"{HOST} serves {FOREIGN}, not {NEW}", id="another certificate"),
        pytest.param(handshake(None, "refused"), UNPROVEN, f"{HOST} could not be reached: refused", id="no handshake"),
    ],
)
def test_sight_tells_what_it_proves(seen: Handshake, state: SiteState, words: str) -> None:
    """A handshake with the new certificate proves a site, and another certificate fails the site.

    If a site does not answer a TLS handshake, Certroll counts the site as unproven.
    """
    assert (seen.state, str(seen)) == (state, words)


@pytest.mark.parametrize(
    ("handshakes", "state"),
    [
        pytest.param((), UNPROVEN, id="nothing to look at proves nothing"),
        pytest.param((handshake(NEW), handshake(FOREIGN)), FAILED, id="one failure fails the site"),
        pytest.param((handshake(None), handshake(FOREIGN)), FAILED, id="one failure next to silence fails the site"),
        pytest.param((handshake(None), handshake(NEW)), PROVEN, id="one proof next to silence proves the site"),
        pytest.param((handshake(None), handshake(None)), UNPROVEN, id="silence alone proves nothing"),
    ],
)
def test_verdict_weighs_all_host_names(handshakes: tuple[Handshake, ...], state: SiteState) -> None:
    """A site fails if one of its host names fails, and is proven if none fails and one is proven."""
    assert verdict(handshakes) is state


def test_first_record_of_a_site_counts() -> None:
    """If the journal has two records of one site, the first one counts."""
    first, second = record(FAILED), record(PROVEN)
    assert rollout(first, second).record_of(first.site) is first
