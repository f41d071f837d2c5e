"""Test which app's settings Certroll updates first, that slots go before production, and when others follow."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.certificates.urgency import URGENT
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.fleet.probe import Probe, ProbeInvalid, probe_of
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent, Mode
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.rollout.gates import LOST_AFTER
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning.actions.keep_superseded import KeepSuperseded
from shared.planning.actions.refresh_references import RefreshReferences
from shared.planning.actions.restart_site import RestartSite
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.guards import not_its_turn
from shared.planning.guards.not_its_turn import Turns
from shared.planning.plan import Plan, Skip, Step
from tests.build import (
    APPLY,
    ASE,
    DAY,
    HOUR,
    NEW,
    NORTH,
    NOW,
    OLD,
    REF,
    SUBSCRIPTION,
    WEST,
    binding,
    copy,
    farm,
    lineage,
    named,
    old_version,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

SECOND = timedelta(seconds=1)
PROVES: Tags = (("certroll-probe", "/health 200 {thumbprint}"),)
ALIVE: Tags = (("certroll-probe", "/health"),)
INVALID: Tags = (("certroll-probe", "health"),)
NAMES = "a", "b", "c"
ORDINARY = tuple(site(name) for name in NAMES)
ANY_ORDER = Intent(mode=Mode.APPLY, slots_first=False)
OURS = Intent(mode=Mode.APPLY, own_site="a", own_subscription=SUBSCRIPTION)
SYNCED, KEPT = copy(thumbprint=NEW), copy("kept", OLD, source=None)


def world(*rolls: RollRecord, sites: tuple[Site, ...] = ORDINARY, end: timedelta = timedelta(days=30)) -> Snapshot:
    """Return a snapshot in which every site names the old version, which ends the time `end` after now."""
    return snapshot(
        lineage=lineage(version(), old_version(not_after=NOW + end)),
        sites=sites,
        copies=(SYNCED, KEPT),
        settings=tuple(named(OLD, site=app.ref.name, slot=app.ref.slot) for app in sites),
        rollout=rollout(rolls=rolls),
    )


def going(seen: Snapshot, *apps: SiteRef, intent: Intent = APPLY) -> list[str]:
    """Return which of the given apps, or of all apps, Certroll may update now."""
    asked = frozenset(apps or (app.ref for app in seen.fleet.sites))
    turns = Turns(seen, intent, asked)
    return sorted(str(app) for app in asked if turns.refusal(app) is None)


def told(seen: Snapshot, app: SiteRef, intent: Intent = APPLY) -> tuple[Reason, str] | None:
    """Return why Certroll may not update the app now if every app needs an update.

    Return None if Certroll may update the app now.
    """
    return Turns(seen, intent, frozenset(site.ref for site in seen.fleet.sites)).refusal(app)


# ------------------------------------------------------------------------------------------------------- who is first


@pytest.mark.parametrize(
    ("sites", "intent", "first"),
    [
        pytest.param(ORDINARY, APPLY, "a", id="by name where all else is equal"),
        pytest.param((site("a"), site("b", tags=ALIVE)), APPLY, "b", id="one that can say that it is alive"),
        pytest.param(
            (site("a", tags=ALIVE), site("b", tags=PROVES)), APPLY, "b", id="before it one that shows what it uses"
        ),
        pytest.param((site("a", tags=INVALID), site("b")), APPLY, "a", id="a probe that is none says nothing"),
        pytest.param((site("a"), site("b", tags=INVALID)), APPLY, "a", id="no more than none does"),
        pytest.param((site("a", tags=INVALID), site("b", tags=ALIVE)), APPLY, "b", id="less than one that is"),
        pytest.param((site("a", running=False), site("b")), APPLY, "b", id="not one that is stopped"),
        pytest.param(
            (site("a", running=False, tags=PROVES), site("b")),
            APPLY,
            "b",
            id="not one that is stopped, whatever it shows",
        ),
        pytest.param((site("a"), site("b")), OURS, "b", id="not our own"),
        pytest.param((site("a"), site("b", running=False)), OURS, "b", id="a stopped one rather than our own"),
        pytest.param(
            (
                site("a", tags=(("certroll-group", "shop"),), environment=ASE),
                site("b"),
                site("c", tags=(("certroll-group", "shop"),), environment=ASE, running=False),
            ),
            APPLY,
            "a",
            id="the last of its group as well, where nothing is limited",
        ),
        pytest.param(
            (
                site("a", tags=(("certroll-group", "shop"),)),
                site("b"),
                site("c", tags=(("certroll-group", "shop"),), running=False),
            ),
            replace(APPLY, ase_max_unavailable=MaxUnavailable(1)),
            "a",
            id="the last of its group as well, outside of environments",
        ),
        pytest.param((site("a"), site("z", "staging")), APPLY, "z/staging", id="a slot rather than a site"),
        pytest.param(
            (site("a", tags=ALIVE), site("z", "staging")), APPLY, "a", id="a site that proves more than a slot"
        ),
        pytest.param(
            (site("a", tags=PROVES), site("a", "staging", tags=INVALID)),
            APPLY,
            "a/staging",
            id="its slot before a site",
        ),
        pytest.param(
            (site("a", tags=PROVES), site("a", "staging", tags=INVALID), site("b")),
            APPLY,
            "a/staging",
            id="a slot rather than another site, where the best has to wait for it",
        ),
        pytest.param(
            (site("a", tags=PROVES), site("a", "staging", tags=INVALID)), ANY_ORDER, "a", id="slots wait where told so"
        ),
        pytest.param(
            (site("a", tags=PROVES), site("a", "staging", running=False)), APPLY, "a", id="not a slot that is stopped"
        ),
    ],
)
def test_first_app_is_where_most_is_proven(sites: tuple[Site, ...], intent: Intent, first: str) -> None:
    """Certroll first updates a running app that is not Certroll's own and whose probe can prove the most.

    Certroll updates the settings of a first app's slots before those of the app itself.
    """
    assert going(world(sites=sites), intent=intent) == [first]
    assert going(world(sites=sites[::-1]), intent=intent) == [first]


def test_app_that_was_not_seen_may_be_first() -> None:
    """Certroll first updates an app that it sees in Azure.

    If Certroll sees no app in Azure, it first updates the first app by name.
    """
    assert going(world(sites=()), site_ref("b"), site_ref("a")) == ["a"]
    assert going(world(sites=(site("b"),)), site_ref("b"), site_ref("a")) == ["b"]


def test_probe_of_a_site_counts_for_its_slots() -> None:
    """A slot without a tag `certroll-probe` of its own has the probe of its site."""
    seen = world(sites=(site("z", tags=PROVES), site("z", "staging"), site("a", tags=ALIVE)))
    assert going(seen) == ["z/staging"]
    assert probe_of(seen.fleet, site_ref("z", "staging")) == Probe("/health", 200, "{thumbprint}")
    assert probe_of(world().fleet, site_ref("a")) is None
    with pytest.raises(ProbeInvalid):
        probe_of(world(sites=(site("a", tags=INVALID),)).fleet, site_ref("a"))


def test_rest_waits_for_the_first_app() -> None:
    """All other apps wait for the first updated app, and the refusal names the first app."""
    detail = "a goes first; the others follow when the version is proven there"
    assert told(world(), site_ref("b")) == (Reason.AWAITING_FIRST_SITE, detail)


ASIDE = roll(RollState.DEFERRED, site="a", broken_before=True)


def test_app_that_was_set_aside_is_not_first() -> None:
    """If an app was broken before its settings update, Certroll updates another app first.

    If an app was broken before its settings update, Certroll updates it together with all other apps.
    """
    assert going(world(ASIDE)) == ["b"]
    assert going(world(ASIDE, roll(RollState.VALIDATED, site="b"))) == ["a", "b", "c"]


def test_app_that_was_set_aside_goes_where_there_is_no_other() -> None:
    """Certroll updates a deferred app (an app that was broken before) first if all apps are deferred."""
    assert going(world(ASIDE, roll(RollState.DEFERRED, site="b")), site_ref("a"), site_ref("b")) == ["a"]


SITE_AND_SLOT = site("a"), site("a", "staging")
SLOT_ASIDE = roll(RollState.DEFERRED, site="a", slot="staging")


def test_slot_that_was_set_aside_does_not_hold_up_its_site() -> None:
    """A deferred slot (a slot that was broken before) does not delay its site, and waits until the site is proven."""
    assert going(world(SLOT_ASIDE, sites=SITE_AND_SLOT)) == ["a"]
    assert going(world(SLOT_ASIDE, roll(RollState.VALIDATED, site="a"), sites=SITE_AND_SLOT)) == ["a", "a/staging"]


def test_site_that_was_set_aside_waits_for_its_slot() -> None:
    """A deferred site (a site that was broken before) waits for the settings update of its slot."""
    assert going(world(ASIDE, sites=SITE_AND_SLOT)) == ["a/staging"]


# ----------------------------------------------------------------------------------------------- when the rest follows

SOAKED, URGENT_END = NOW - HOUR, URGENT - SECOND
WAITING, FAR = [state for state in RollState if state not in {RollState.DEFERRED, RollState.STALE}], URGENT


@pytest.mark.parametrize(
    ("first", "end", "opens"),
    [
        pytest.param(roll(RollState.VALIDATED, site="a"), FAR, True, id="it is validated"),
        pytest.param(roll(RollState.RETIRED, site="a"), FAR, True, id="it is validated and retired"),
        pytest.param(roll(RollState.UNPROVEN, site="a"), FAR, False, id="it is unproven"),
        pytest.param(roll(RollState.UNPROVEN, site="a", at=SOAKED), FAR, True, id="it is unproven since the soak"),
        pytest.param(
            roll(RollState.UNPROVEN, site="a", at=SOAKED + SECOND), FAR, False, id="it is unproven since just less"
        ),
        pytest.param(roll(RollState.UNPROVEN, site="a"), URGENT_END, True, id="it is unproven, and it is urgent"),
        pytest.param(roll(RollState.REFUSED, site="a"), FAR, False, id="it was refused"),
        pytest.param(roll(RollState.REFUSED, site="a", at=SOAKED), FAR, True, id="it was refused a soak ago"),
        pytest.param(roll(RollState.OVERLAPPING, site="a"), FAR, False, id="it is under way"),
        pytest.param(roll(RollState.OVERLAPPING, site="a", at=SOAKED), FAR, True, id="it is under way since the soak"),
        pytest.param(
            roll(RollState.OVERLAPPING, site="a", at=NOW - LOST_AFTER),
            URGENT_END,
            True,
            id="it is lost, and it is urgent",
        ),
        pytest.param(
            roll(RollState.OVERLAPPING, site="a", at=NOW - LOST_AFTER + SECOND),
            URGENT_END,
            False,
            id="it is not lost yet, though it is urgent",
        ),
        pytest.param(
            roll(RollState.OVERLAPPING, site="a", at=NOW - LOST_AFTER),
            FAR,
            False,
            id="it is late, and it is not urgent",
        ),
        pytest.param(roll(RollState.STALE, site="a", at=SOAKED), FAR, False, id="it was admitted a soak ago"),
        pytest.param(roll(RollState.STALE, site="a", at=NOW - DAY), FAR, True, id="it was admitted a day ago"),
    ],
)
def test_rest_follows(first: RollRecord, end: timedelta, *, opens: bool) -> None:
    """Certroll updates the other apps at once after a proven first app, and later after an unproven first app.

    If the old certificate is about to end, Certroll updates the other apps sooner after the first app.
    """
    seen = world(first, end=end)
    assert going(seen, site_ref("b"), site_ref("c")) == (["b", "c"] if opens else [])


def test_one_proof_opens_for_all() -> None:
    """Certroll updates the other apps as soon as one app is proven, whatever the result of another app."""
    late = roll(RollState.OVERLAPPING, site="b", at=NOW)
    assert going(world(late, roll(RollState.VALIDATED, site="a")), site_ref("c")) == ["c"]
    assert going(world(late), site_ref("c")) == []


def test_soak_is_what_operators_set() -> None:
    """Certroll waits for an unproven app as long as the operator's setting for the waiting time says."""
    seen = world(roll(RollState.UNPROVEN, site="a"))
    for soak, names in ((HOUR / 2, ["b"]), (HOUR / 2 + SECOND, [])):
        assert going(seen, site_ref("b"), intent=Intent(mode=Mode.APPLY, stage_soak=soak)) == names


def test_rest_is_told_until_when() -> None:
    """If apps wait for apps that were updated first, the refusal names up to three of these and the end of the wait."""
    went = roll(RollState.UNPROVEN, site="a", slot="z"), roll(RollState.OVERLAPPING, site="b"), ASIDE
    follows = "went first; the others follow when the version is proven there, at the latest at 2026-11-21 12:30:00 UTC"
    assert told(world(*went), site_ref("c")) == (Reason.AWAITING_FIRST_SITE, f"a/z, b {follows}")
    three = tuple(roll(RollState.UNPROVEN, site=name) for name in ("z", "y", "x"))
    assert told(world(*three), site_ref("c")) == (Reason.AWAITING_FIRST_SITE, f"x, y, z {follows}")
    five = *three, roll(RollState.UNPROVEN, site="w"), roll(RollState.UNPROVEN, site="v")
    assert told(world(*five), site_ref("c")) == (Reason.AWAITING_FIRST_SITE, f"v, w, x and 2 others {follows}")


def test_app_that_was_told_goes() -> None:
    """If an app has a record for the update, Certroll updates the app at once, whatever other apps are waiting."""
    assert going(world(roll(RollState.STALE, site="c", at=NOW))) == ["c"]
    slot = roll(RollState.OVERLAPPING, site="a", slot="staging", at=NOW)
    assert going(world(roll(RollState.STALE, site="a", at=NOW), slot, sites=SITE_AND_SLOT), site_ref("a")) == ["a"]


@pytest.mark.parametrize("state", WAITING)
def test_app_that_was_not_told_waits(state: RollState) -> None:
    """An app that needs a second settings update waits for other apps, as on its first update."""
    seen = world(roll(state, site="a", at=NOW), roll(RollState.UNPROVEN, site="b", at=NOW))
    opened = state in {RollState.VALIDATED, RollState.RETIRED}
    assert going(seen, site_ref("a")) == (["a"] if opened else [])


@pytest.mark.parametrize(
    ("rolls", "opens"),
    [
        pytest.param((), None, id="nothing is recorded: there is no first"),
        pytest.param((ASIDE,), None, id="only what was deferred: there is no first"),
        pytest.param((roll(RollState.UNPROVEN),), NOW + HOUR / 2, id="unproven: after the soak"),
        pytest.param(
            (roll(RollState.UNPROVEN), roll(RollState.VALIDATED, site="b", at=NOW)), NOW, id="proven: since then"
        ),
    ],
)
def test_moment_is_known_at_which_the_rest_follows(rolls: tuple[RollRecord, ...], opens: object) -> None:
    """Once the first app has a record of its settings update, Certroll knows when it may update the other apps."""
    assert Turns(world(*rolls), APPLY, frozenset()).opens_at() == opens


def test_nobody_is_first_where_nobody_has_anything_to_do() -> None:
    """Certroll refuses no step of an empty plan."""
    assert not_its_turn.guard(Plan(), world(), APPLY) == Plan()


# ---------------------------------------------------------------------------------------------- slots before production

OPEN = roll(RollState.VALIDATED, site="z")
PATIENCE = {RollState.STALE: DAY, RollState.OVERLAPPING: HOUR}


@pytest.mark.parametrize(
    ("slot", "end", "goes"),
    [
        pytest.param(None, FAR, False, id="it has yet to go"),
        *(
            pytest.param(roll(state, site="a", slot="staging", at=NOW - age), end, goes, id=f"it is {state}{words}")
            for state in (RollState.STALE, RollState.OVERLAPPING)
            for age, end, goes, words in (
                (PATIENCE[state] - SECOND, FAR, False, " for just not too long"),
                (PATIENCE[state], FAR, True, " for too long: nothing is waited for without end"),
                (LOST_AFTER, FAR, False, ", and not urgent"),
                (LOST_AFTER, URGENT_END, True, ", and lost, and urgent"),
                (LOST_AFTER - SECOND, URGENT_END, False, ", not lost yet, and urgent"),
            )
        ),
        pytest.param(roll(RollState.VALIDATED, site="a", slot="staging", at=NOW), FAR, True, id="it is validated"),
        pytest.param(roll(RollState.RETIRED, site="a", slot="staging", at=NOW), FAR, True, id="it is retired"),
        pytest.param(roll(RollState.UNPROVEN, site="a", slot="staging"), FAR, False, id="it is unproven"),
        pytest.param(
            roll(RollState.UNPROVEN, site="a", slot="staging", at=SOAKED), FAR, True, id="it is unproven since the soak"
        ),
        pytest.param(
            roll(RollState.UNPROVEN, site="a", slot="staging", at=SOAKED + SECOND),
            FAR,
            False,
            id="it is unproven since just less",
        ),
        pytest.param(
            roll(RollState.UNPROVEN, site="a", slot="staging", at=NOW),
            URGENT_END,
            True,
            id="it is unproven, and urgent",
        ),
        pytest.param(roll(RollState.REFUSED, site="a", slot="staging", at=SOAKED), FAR, True, id="it was refused"),
        pytest.param(SLOT_ASIDE, FAR, True, id="it was deferred"),
    ],
)
def test_site_waits_for_its_slot(slot: RollRecord | None, end: timedelta, *, goes: bool) -> None:
    """A production site waits until its running slot is validated or the slot's waiting time is over."""
    seen = world(OPEN, *((slot,) if slot else ()), sites=SITE_AND_SLOT, end=end)
    apps = (site_ref("a"),) if slot else (site_ref("a"), site_ref("a", "staging"))
    assert ("a" in going(seen, *apps)) is goes
    assert "a" in going(seen, *apps, intent=ANY_ORDER)


@pytest.mark.parametrize(
    ("state", "goes"),
    [
        pytest.param(RollState.VALIDATED, False, id="it was validated, and somebody took it back"),
        pytest.param(RollState.UNPROVEN, False, id="it was unproven, and somebody took it back"),
        pytest.param(RollState.RETIRED, False, id="it was retired, and somebody took it back"),
        pytest.param(RollState.REFUSED, True, id="it was refused: that holds up nobody for longer than the soak"),
    ],
)
def test_site_waits_for_its_slot_to_go_again(state: RollState, *, goes: bool) -> None:
    """Certroll updates a slot that needs a second settings update before its production site again."""
    seen = world(OPEN, roll(state, site="a", slot="staging", at=SOAKED), sites=SITE_AND_SLOT)
    assert ("a" in going(seen)) is goes
    assert "a/staging" in going(seen)


def test_slot_that_has_nothing_to_do_holds_up_nobody() -> None:
    """A production site does not wait for a slot that needs no settings update and has no record."""
    assert going(world(OPEN, sites=SITE_AND_SLOT), site_ref("a")) == ["a"]
    gone = roll(RollState.OVERLAPPING, site="a", slot="staging", at=NOW)
    assert going(world(OPEN, gone, sites=SITE_AND_SLOT), site_ref("a")) == []


def test_slot_that_does_not_run_holds_up_nobody() -> None:
    """A production site does not wait for a slot that is stopped, or that Certroll does not see in Azure."""
    stopped = world(OPEN, sites=(site("a"), site("a", "staging", running=False)))
    assert going(stopped) == ["a", "a/staging"]
    unseen = world(OPEN, sites=(site("a"),))
    assert going(unseen, site_ref("a"), site_ref("a", "staging")) == ["a", "a/staging"]


def test_slots_of_other_sites_are_not_waited_for() -> None:
    """A production site waits only for the settings updates of its own slots, and the refusal names these slots."""
    slots = "z", "x", "w", "y", "v"
    sites = site("a"), *(site("a", slot) for slot in slots), site("b"), site("c", "x")
    seen = world(OPEN, sites=sites)
    assert going(seen) == ["a/v", "a/w", "a/x", "a/y", "a/z", "b", "c/x"]
    detail = "a/v, a/w, a/x, a/y, a/z goes before its production site"
    assert told(seen, site_ref("a")) == (Reason.AWAITING_SLOTS, detail)


# ------------------------------------------------------------------------------------------------------------ the guard


def rolling(name: str, slot: str | None = None) -> Step:
    """Return a step that updates the settings of an app."""
    action = RollAppSettings(named(OLD, site=name, slot=slot), (SettingEdit(LOAD_LIST, NEW, (), OLD),), WEST)
    return Step(action, Reason.STALE_THUMBPRINT)


RESTORE = Step(
    RestoreAppSettings(named(NEW, site="c"), (SettingEdit(LOAD_LIST, OLD, (NEW,), NEW),), WEST), Reason.PROBE_FAILED
)
RESTART = Step(RestartSite(site_ref("b"), WEST, version()), Reason.LOADED_AT_START)
REFRESH = Step(RefreshReferences(named(site="c"), "v2", WEST), Reason.STALE_REFERENCE)
UPDATE = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
SYNC = Step(SyncCertificate(copy(), farm(), version()), Reason.STALE_COPY)
KEEP = Step(KeepSuperseded(REF, old_version(), KEPT, farm()), Reason.SUPERSEDED_IN_USE)
EARLIER = Skip("something else", Reason.NOT_LIVE, "refused before")


def test_what_waits_is_refused() -> None:
    """Until one app is proven, Certroll performs only the first of all settings updates, restarts and refreshes.

    The guard of the order of apps keeps the refusals of earlier guards.
    """
    plan = not_its_turn.guard(Plan((rolling("a"), RESTART, REFRESH), (EARLIER,)), world(), APPLY)
    detail = "a goes first; the others follow when the version is proven there"
    assert plan == Plan(
        (rolling("a"),),
        (
            EARLIER,
            Skip("site b", Reason.AWAITING_FIRST_SITE, detail, site_ref("b")),
            Skip("Key Vault references of c", Reason.AWAITING_FIRST_SITE, detail, site_ref("c")),
        ),
    )


def test_what_is_of_no_app_has_no_turn() -> None:
    """Steps on bindings and certificates, and the restore of last good settings, wait for no app."""
    steps = KEEP, SYNC, UPDATE, RESTORE
    assert not_its_turn.guard(Plan(steps), world(), APPLY) == Plan(steps)


def test_app_that_is_restored_is_not_the_first() -> None:
    """An app whose last good settings Certroll restores does not count as the first app of the new version."""
    restore_of_a = Step(
        RestoreAppSettings(named(NEW, site="a"), (SettingEdit(LOAD_LIST, OLD, (NEW,), NEW),), WEST), Reason.PROBE_FAILED
    )
    plan = Plan((restore_of_a, rolling("b"), rolling("c")))
    assert not_its_turn.guard(plan, world(), APPLY).steps == (restore_of_a, rolling("b"))


RETIRE_SLOT = Step(
    RetireThumbprint(named(OLD, NEW, site="a", slot="staging"), (SettingEdit(LOAD_LIST, None, (OLD,), NEW),), WEST),
    Reason.SUPERSEDED,
)


def test_retirement_holds_up_nobody() -> None:
    """A production site does not wait for the removal of the old version from its validated slot."""
    seen = world(roll(RollState.VALIDATED, site="a", slot="staging"), sites=SITE_AND_SLOT)
    plan = Plan((RETIRE_SLOT, rolling("a")))
    assert not_its_turn.guard(plan, seen, APPLY) == plan


def later(*steps: Step) -> Plan:
    """Return the steps that the guard does not refuse while the App Service webspace lacks the new version."""
    return not_its_turn.guard(Plan(steps), snapshot(sites=ORDINARY, copies=(copy(),)), APPLY)


def test_app_waits_for_the_version_to_come_to_its_webspace() -> None:
    """Every app, even the first, waits while its webspace still waits for the new version."""
    detail = "Certroll brings the version to rg-westeuropewebspace in a later stage"
    assert later(rolling("a")) == Plan(
        (), (Skip("app settings of a", Reason.AWAITING_FIRST_STAGE, detail, site_ref("a")),)
    )


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((SYNC, rolling("a")), id="a step of this plan brings it there"),
        pytest.param((rolling("a"), SYNC), id="a later step of this plan brings it there"),
        pytest.param((REFRESH,), id="it needs nothing there"),
        pytest.param((UPDATE,), id="it restarts nothing"),
        pytest.param((RESTORE,), id="what it needs is there"),
    ],
)
def test_app_goes_where_the_version_is(steps: tuple[Step, ...]) -> None:
    """An app need not wait for the new version if any step of the plan brings the version into its webspace."""
    assert later(*steps).steps == steps


def test_app_whose_webspace_is_later_is_not_the_first() -> None:
    """An app whose webspace still waits for the new version does not count as the first app."""
    other = Step(
        RollAppSettings(named(OLD, site="b"), (SettingEdit(LOAD_LIST, NEW, (), OLD),), NORTH), Reason.STALE_THUMBPRINT
    )
    seen = snapshot(sites=(site("a"), site("b", webspace=NORTH)), copies=(copy(), copy("n", NEW, webspace=NORTH)))
    assert not_its_turn.guard(Plan((rolling("a"), other)), seen, APPLY).steps == (other,)


# ----------------------------------------------------------------------------------------------- in an environment


def hosted(name: str, *tags: tuple[str, str], running: bool = True) -> Site:
    """Return a site of an App Service Environment."""
    return site(name, tags=tags, running=running, environment=ASE)


STARTED = roll(RollState.VALIDATED, site="a", at=NOW - HOUR)
STARTED_B = roll(RollState.VALIDATED, site="b", at=NOW - HOUR)
ON_ITS_WAY = roll(RollState.OVERLAPPING, site="b", at=NOW)


@pytest.mark.parametrize(
    ("sites", "rolls", "most", "expected"),
    [
        pytest.param(NAMES, (STARTED,), None, ["b", "c"], id="nothing is said of environments"),
        pytest.param(NAMES, (STARTED,), "1", ["b"], id="one may be down"),
        pytest.param(NAMES, (STARTED,), "100%", ["b", "c"], id="all may be down"),
        pytest.param(NAMES, (STARTED, ON_ITS_WAY), "1", [], id="one may be, and is on its way"),
        pytest.param(NAMES, (), "3", ["a"], id="the first goes alone in any case"),
    ],
)
def test_apps_of_an_environment_go_in_waves(
    sites: tuple[str, ...], rolls: tuple[RollRecord, ...], most: str | None, expected: list[str]
) -> None:
    """Certroll updates no more apps of an App Service Environment at a time than may be down at once."""
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable.parse(most) if most else None)
    seen = world(*rolls, sites=tuple(hosted(name) for name in sites))
    left = [app.ref for app in seen.fleet.sites if app.ref not in {roll.site for roll in rolls}]
    assert going(seen, *left, intent=intent) == expected


def test_what_waits_for_its_wave_says_so() -> None:
    """If an app waits because too many apps restart, the refusal names the environment and the operator's limit."""
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable(1))
    seen = world(STARTED, ON_ITS_WAY, sites=tuple(map(hosted, NAMES)))
    detail = f"other apps of {ASE} go first: CERTROLL_ASE_MAX_UNAVAILABLE is 1"
    assert Turns(seen, intent, frozenset({site_ref("c")})).refusal(site_ref("c")) == (Reason.AWAITING_WAVE, detail)


def test_app_whose_turn_has_not_come_takes_no_place() -> None:
    """A site that waits for its slot uses none of the environment's limit, so Certroll may update another app."""
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable(1))
    slot = replace(site("a", "staging"), environment=ASE)
    soaking = roll(RollState.UNPROVEN, site="a", slot="staging")
    seen = world(STARTED_B, soaking, sites=(hosted("a"), slot, hosted("c")))
    assert going(seen, site_ref("a"), site_ref("c"), intent=intent) == ["c"]


def test_app_that_is_stopped_waits_for_no_wave() -> None:
    """A stopped app does not wait for other apps, because its settings update makes no running app unavailable."""
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable(1))
    seen = world(STARTED, ON_ITS_WAY, sites=(hosted("a"), hosted("b"), hosted("c", running=False)))
    assert going(seen, site_ref("c"), intent=intent) == ["c"]


def test_last_of_a_group_waits() -> None:
    """Certroll updates at most one of two apps of a `certroll-group` at a time, whatever the environment's limit."""
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable(3))
    grouped = ("certroll-group", "checkout")
    seen = world(STARTED, sites=(hosted("a"), hosted("b", grouped), hosted("c", grouped)))
    assert going(seen, site_ref("b"), site_ref("c"), intent=intent) == ["b"]


def test_the_only_app_of_a_group_that_runs_is_neither_first_nor_rolled() -> None:
    """Certroll does not update the only running app of a `certroll-group`, and other apps do not wait for that app.

    If an app is the last running app of its group, the refusal names the next step for the operator.
    """
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable(3))
    grouped = ("certroll-group", "checkout")
    sites = (hosted("a", grouped), hosted("b"), hosted("c", grouped, running=False))
    seen = world(sites=sites)
    assert going(seen, site_ref("a"), site_ref("b"), intent=intent) == ["b"]
    detail = "this is the last running app of group checkout: start another app of it, or remove the app's tag"
    turns = Turns(world(STARTED_B, sites=sites), intent, frozenset({site_ref("a")}))
    assert turns.refusal(site_ref("a")) == (Reason.LAST_OF_GROUP, detail)


def test_retirement_in_an_environment_has_its_wave() -> None:
    """Certroll removes versions from no more apps of an App Service Environment at a time than may be down at once."""
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable(1))
    edit = SettingEdit(LOAD_LIST, None, (OLD,), NEW)
    first, second = (
        Step(RetireThumbprint(named(OLD, NEW, site=name), (edit,), WEST), Reason.SUPERSEDED) for name in ("a", "b")
    )
    seen = world(STARTED, sites=tuple(map(hosted, NAMES)))
    plan = not_its_turn.guard(Plan((first, second)), seen, intent)
    assert (plan.steps, [skip.reason for skip in plan.skips]) == ((first,), [Reason.AWAITING_WAVE])


def test_what_is_retired_has_its_wave_as_well() -> None:
    """An app that only loses an old thumbprint counts towards the limit of apps that may be down in its environment."""
    intent = replace(APPLY, ase_max_unavailable=MaxUnavailable(1))
    seen = world(STARTED, sites=tuple(map(hosted, NAMES)))
    assert Turns(seen, intent, frozenset(), frozenset({site_ref("a")})).refusal(site_ref("a")) is None
