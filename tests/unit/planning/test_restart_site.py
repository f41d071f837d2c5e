"""Test when Certroll restarts an app that loads every certificate of its App Service webspace."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import Denied, OutcomeUnknown
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Site
from shared.domain.names import CopyRef
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning.actions import restart_site
from shared.planning.actions.restart_site import RECENT, RestartSite
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    DAY,
    FOREIGN,
    LINEAGE,
    NEW,
    NORTH,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    WEST,
    ManualClock,
    RecordingAppService,
    copy,
    lineage,
    named,
    old_version,
    ports,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

ON: Tags = (("Certroll-Restart", " ON "),)
RESTART = RestartSite(site_ref(), WEST, version())
STEP = Step(RESTART, Reason.LOADED_AT_START)
NAMED = Skip(
    "app settings of shop",
    Reason.LOADS_EVERYTHING,
    "the app loads every certificate, but only when it starts: it will use the new version after its next start; "
    "tag it certroll-restart: on to have it restarted",
    site_ref(),
)
EVERYTHING = named(everything=True)
TAGGED = (site(tags=ON),)


def world(
    settings: SiteSettings = EVERYTHING,
    *,
    sites: tuple[Site, ...] = TAGGED,
    copies: tuple[WebspaceCertificate, ...] = (copy(thumbprint=NEW),),
    rolls: tuple[RollRecord, ...] = (),
    versions: Lineage = LINEAGE,
) -> Snapshot:
    """Return a snapshot whose only app loads every certificate, and whose App Service webspace has the new version.

    The tag `certroll-restart` of an app asks Certroll to restart the app.
    """
    return snapshot(lineage=versions, sites=sites, copies=copies, settings=(settings,), rollout=rollout(rolls=rolls))


@pytest.mark.parametrize(
    ("sites", "settings", "item"),
    [
        pytest.param(TAGGED, EVERYTHING, STEP, id="it is tagged"),
        pytest.param((site(),), EVERYTHING, NAMED, id="it is not tagged: it is only named"),
        pytest.param((site(tags=(("certroll-restart", "off"),)),), EVERYTHING, NAMED, id="it is tagged otherwise"),
        pytest.param(TAGGED, named(OLD, everything=True), STEP, id="it also lists a version"),
        pytest.param(TAGGED, named(everything=True, pins={"PIN": FOREIGN}), STEP, id="it pins another's certificate"),
    ],
)
def test_app_that_loads_everything_is_restarted_on_request(
    sites: tuple[Site, ...], settings: SiteSettings, item: Step | Skip
) -> None:
    """Certroll restarts an app that loads every certificate if a tag asks for the restart.

    Without a tag that asks for a restart, Certroll only reports the app that loads every certificate.
    """
    assert list(restart_site.propose(world(settings, sites=sites), APPLY)) == [item]


def test_tag_of_a_site_counts_for_its_slots() -> None:
    """The tag `certroll-restart` of a site counts for its slots, and a slot's own tag takes precedence."""
    slot = named(slot="staging", everything=True)
    (step,) = restart_site.propose(world(slot, sites=(*TAGGED, site(slot="staging"))), APPLY)
    assert isinstance(step, Step)
    assert step.action == RestartSite(site_ref(slot="staging"), WEST, version())
    own = site(slot="staging", tags=(("certroll-restart", "off"),))
    (skip,) = restart_site.propose(world(slot, sites=(*TAGGED, own)), APPLY)
    assert skip.reason is Reason.LOADS_EVERYTHING


def test_app_that_is_nowhere_is_left_alone() -> None:
    """Certroll restarts no app whose webspace Azure does not report, even if the site has a certificate of its own."""
    own = replace(copy(thumbprint=NEW), ref=CopyRef.of_site(site_ref(), "own", public=False))
    nowhere = replace(TAGGED[0], webspace=None)
    assert list(restart_site.propose(world(EVERYTHING, sites=(nowhere,), copies=(own,)), APPLY)) == []


@pytest.mark.parametrize("tags", [ON, ()], ids=["tagged", "not tagged"])
@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"settings": named(OLD)}, id="it does not load everything"),
        pytest.param({"settings": replace(EVERYTHING, changing=True)}, id="this plan writes its settings already"),
        pytest.param({"settings": named(site="gone", everything=True)}, id="its site was not seen"),
        pytest.param(
            {"settings": named(everything=True, pins={"PIN": OLD})}, id="it pins a version, whose edit restarts it"
        ),
        pytest.param(
            {"settings": named(everything=True, pins={"PIN": NEW})}, id="it pins the new version: the edit restarted it"
        ),
        pytest.param({"copies": ()}, id="its webspace holds nothing of the vault certificate"),
        pytest.param({"copies": (copy(webspace=NORTH),)}, id="only another webspace holds it"),
        pytest.param({"copies": (copy(source=OTHER_REF, thumbprint=FOREIGN),)}, id="its webspace holds another's only"),
        pytest.param({"versions": lineage(current=None)}, id="no version passes the gate"),
        pytest.param(
            {"versions": lineage(version(created=NOW - RECENT - timedelta(seconds=1)), old_version())},
            id="the version is older than a week: nobody knows when the app started",
        ),
        *(
            pytest.param({"rolls": (roll(state),)}, id=f"it is {state}")
            for state in RollState
            if state not in {RollState.STALE, RollState.DEFERRED, RollState.REFUSED}
        ),
    ],
)
def test_other_app_is_left_alone(seen: dict[str, object], tags: Tags) -> None:
    """Certroll neither restarts nor reports an app that loads selected certificates or already uses the new version."""
    assert list(restart_site.propose(world(sites=(site(tags=tags),), **seen), APPLY)) == []  # type: ignore[arg-type]


def test_site_of_unknown_webspace_is_left_alone() -> None:
    """Certroll restarts no app whose App Service webspace Azure does not report."""
    assert list(restart_site.propose(world(sites=(site(webspace=None, tags=ON),)), APPLY)) == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"copies": (copy(thumbprint=NEW, source=None),)}, id="people uploaded a version"),
        pytest.param({"copies": (copy(thumbprint=FOREIGN),)}, id="the imported copy holds something else"),
        pytest.param({"copies": (copy(thumbprint=OLD, source=OTHER_REF),)}, id="another's copy holds a version"),
        pytest.param({"rolls": (roll(RollState.STALE),)}, id="it was admitted"),
        pytest.param({"rolls": (roll(RollState.REFUSED),)}, id="its restart was refused"),
        pytest.param({"rolls": (roll(RollState.DEFERRED),)}, id="it was deferred"),
        pytest.param({"rolls": (roll(RollState.VALIDATED, site="other"),)}, id="another app is validated"),
    ],
)
def test_app_is_restarted_while_it_may_run_with_the_old_version(seen: dict[str, object]) -> None:
    """Certroll restarts an app for a version younger than a week, unless a record shows a start with that version."""
    assert list(restart_site.propose(world(**seen), APPLY)) == [STEP]  # type: ignore[arg-type]


def test_version_of_just_a_week_is_young() -> None:
    """Certroll restarts an app for a version that is exactly a week old."""
    week = version(created=NOW - 7 * DAY)
    (step,) = restart_site.propose(world(versions=lineage(week, old_version())), APPLY)
    assert step == Step(RestartSite(site_ref(), WEST, week), Reason.LOADED_AT_START)


def test_apps_are_restarted_in_a_stable_order() -> None:
    """Certroll restarts apps in the same order, whatever the order in which their settings were read."""
    settings = tuple(named(site=name, everything=True) for name in ("b", "a", "c"))
    seen = snapshot(sites=tuple(site(name, tags=ON) for name in ("c", "b", "a")), settings=settings)
    assert [item.subject for item in restart_site.propose(seen, APPLY)] == ["site a", "site b", "site c"]


def test_projection_is_a_start_with_the_new_version() -> None:
    """The snapshot predicted for a restart records the start with the version, so a second plan is empty."""
    other = roll(RollState.VALIDATED, site="other")
    after = RESTART.project(world(rolls=(roll(RollState.STALE), other)))
    started = RollRecord(site_ref(), "v2", WEST, RollState.OVERLAPPING, NOW)
    assert after.rollout == rollout(rolls=(other, started))
    assert list(restart_site.propose(after, APPLY)) == []


def test_new_version_is_compared_with_what_the_app_may_have_loaded() -> None:
    """Certroll compares the new version with the disabled version, too, which the app may have loaded before."""
    versions = lineage(version(), replace(old_version(), enabled=False), old_version("v0", OLDER))
    (case,) = RESTART.cases(version(), world(versions=versions))
    assert [used.disabled for used in case.in_use] == [False, True]


def test_restart_is_asked_for_once() -> None:
    """Certroll restarts only the planned slot and only once, and raises Azure's error if Azure refuses."""
    azure, slot = RecordingAppService(), RestartSite(site_ref(slot="staging"), WEST, version())
    assert slot.perform(ports(azure, ManualClock()))
    assert azure.writes == [("restart", site_ref(slot="staging"))]
    azure.failures.append(Denied("403"))
    with pytest.raises(Denied):
        slot.perform(ports(azure, ManualClock()))


def test_restart_of_unknown_outcome_is_not_repeated() -> None:
    """If Azure gives no answer to a restart, Certroll says so, and does not repeat the restart.

    Later, only the app's probe shows whether the restart happened.
    """
    azure = RecordingAppService(failures=[OutcomeUnknown("504")])
    with pytest.raises(OutcomeUnknown):
        RESTART.perform(ports(azure, ManualClock()))
    assert not RESTART.is_visible
    assert azure.writes == [("restart", site_ref())]


def test_restart_says_what_it_is() -> None:
    """A restart concerns one app, restarts the app, and needs the new version in the App Service webspace."""
    assert (RESTART.subject, RESTART.site, RESTART.webspace) == ("site shop", site_ref(), WEST)
    assert (RESTART.restarts_site, RESTART.writes) == (True, frozenset({NEW}))
