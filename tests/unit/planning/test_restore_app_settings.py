"""Test how Certroll restores the last good values of app settings after an app failed."""

from dataclasses import replace

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, ReferenceKind, SettingEdit, SettingReference, SiteSettings
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions import restore_app_settings
from shared.planning.actions.restore_app_settings import RestoreAppSettings, restoring
from shared.planning.plan import Step
from tests.build import APPLY, FOREIGN, NEW, OLD, OLDER, WEST, copy, named, roll, rollout, site, site_ref, snapshot

NEXT_TO = SettingEdit(LOAD_LIST, NEW, (), OLD)
INSTEAD = SettingEdit(LOAD_LIST, NEW, (OLD,), OLD)
PINNED = SettingEdit("PIN", NEW, (OLD,), OLD)
RETIRED = SettingEdit(LOAD_LIST, None, (OLD, OLDER), NEW)
LIST_BACK = SettingEdit(LOAD_LIST, OLD, (NEW,), NEW)
PIN_BACK = SettingEdit("PIN", OLD, (NEW,), NEW)
LOADED_AGAIN = SettingEdit(LOAD_LIST, OLD, (), NEW)


def failed(*edits: SettingEdit, site: str = "shop") -> RollRecord:
    """Return the record of an app that failed after the given edits of its settings."""
    return roll(RollState.FAILED, site=site, edits=edits)


def restored(
    settings: SiteSettings, *edits: SettingEdit, live: tuple[Thumbprint, ...] = (OLD, OLDER, NEW)
) -> tuple[SettingEdit, ...]:
    """Return the edits that restore the last good values, if the webspace has exactly the thumbprints in `live`."""
    return restoring(settings, failed(*edits), lambda _: frozenset(live))


@pytest.mark.parametrize(
    ("settings", "edits", "back"),
    [
        pytest.param(named(OLD, NEW), (NEXT_TO,), (LIST_BACK,), id="a list: the new one leaves"),
        pytest.param(named(NEW), (INSTEAD,), (LIST_BACK,), id="a list without overlap: the old one comes back"),
        pytest.param(named(FOREIGN, NEW), (NEXT_TO,), (LIST_BACK,), id="a list that lost the old one: it comes back"),
        pytest.param(
            named(OLD, NEW, pins={"PIN": NEW}), (NEXT_TO, PINNED), (LIST_BACK, PIN_BACK), id="a list and a pin"
        ),
        pytest.param(
            named(OLD, pins={"PIN": NEW}),
            (NEXT_TO, PINNED),
            (PIN_BACK,),
            id="a list that somebody changed back: the pin",
        ),
        pytest.param(
            named(OLD, NEW, pins={"PIN": FOREIGN}),
            (NEXT_TO, PINNED),
            (LIST_BACK,),
            id="a pin that somebody moved on: the list",
        ),
        pytest.param(
            named(OLD, NEW, pins={"PIN": OLD}), (NEXT_TO, PINNED), (LIST_BACK,), id="a pin that somebody moved back"
        ),
        pytest.param(
            named(OLD, NEW, pins={"P": NEW}), (PINNED,), (), id="a setting that is gone, and not its namesake"
        ),
        pytest.param(named(OLD), (NEXT_TO,), (), id="nothing of ours is left"),
        pytest.param(named(OLD, NEW), (), (), id="nothing was recorded"),
        pytest.param(
            named(NEW),
            (RETIRED,),
            (LOADED_AGAIN, SettingEdit(LOAD_LIST, OLDER, (), NEW)),
            id="a retirement: all that was retired comes back",
        ),
        pytest.param(named(NEW, OLDER), (RETIRED,), (), id="a retirement that somebody undid in part is theirs"),
        pytest.param(named(FOREIGN), (RETIRED,), (), id="a retirement of a list that names the new one no more"),
    ],
)
def test_what_is_still_ours_is_taken_back(
    settings: SiteSettings, edits: tuple[SettingEdit, ...], back: tuple[SettingEdit, ...]
) -> None:
    """Certroll restores a setting only if it still is as Certroll wrote it, and keeps later values of other writers."""
    assert restored(settings, *edits) == back


def test_app_that_cannot_be_restored_holds_up_no_other() -> None:
    """Certroll restores the settings of the next app if it could not read the settings of the first app."""
    rolls = failed(NEXT_TO, site="a"), failed(NEXT_TO, site="b")
    seen = snapshot(sites=(site("a"), site("b")), settings=(named(OLD, NEW, site="b"),), rollout=rollout(rolls=rolls))
    (step,) = restore_app_settings.propose(seen, APPLY)
    assert step.subject == "app settings of b"


@pytest.mark.parametrize(
    ("listed", "more"),
    [
        pytest.param((NEW,), (LOADED_AGAIN,), id="somebody took the old one out of the list"),
        pytest.param((FOREIGN, NEW), (LOADED_AGAIN,), id="somebody took it out next to another"),
        pytest.param((OLD, NEW), (), id="the old one is there"),
        pytest.param((OLD,), (), id="the old one is there alone"),
        pytest.param((FOREIGN,), (), id="the list has nothing of ours"),
        pytest.param((), (), id="there is no list"),
    ],
)
def test_pin_that_comes_back_is_loaded_again(listed: tuple[str, ...], more: tuple[SettingEdit, ...]) -> None:
    """If Certroll restores a setting's old thumbprint, it also adds the thumbprint to WEBSITE_LOAD_CERTIFICATES."""
    settings = named(*listed, pins={"PIN": NEW})  # type: ignore[arg-type]
    assert restored(settings, PINNED) == (PIN_BACK, *more)


def test_list_that_is_edited_anyway_is_edited_once() -> None:
    """Certroll edits WEBSITE_LOAD_CERTIFICATES once if both the list and a thumbprint setting are restored."""
    assert restored(named(NEW, pins={"PIN": NEW}), INSTEAD, PINNED) == (LIST_BACK, PIN_BACK)


def test_two_pins_of_one_version_are_loaded_once() -> None:
    """If two restored settings name one thumbprint, WEBSITE_LOAD_CERTIFICATES gets the thumbprint only once.

    Certroll adds a restored thumbprint to each spelling of the setting WEBSITE_LOAD_CERTIFICATES.
    """
    spellings = "website_load_certificates", "Website_Load_Certificates", LOAD_LIST, "WEBSITE_load_certificates"
    lists = *((key, NEW) for key in spellings), ("A", NEW), ("PIN", NEW)
    references = tuple(
        SettingReference(key, ReferenceKind.PIN if len(key) < 4 else ReferenceKind.LOAD_LIST, thumbprint)
        for key, thumbprint in lists
    )
    other = SettingEdit("A", NEW, (OLD,), OLD)
    assert restored(replace(named(), references=references), other, PINNED) == (
        SettingEdit("A", OLD, (NEW,), NEW),
        PIN_BACK,
        *(SettingEdit(key, OLD, (), NEW) for key in sorted(spellings)),
    )


OTHER_PIN = SettingEdit("Q", NEW, (OLDER,), OLDER)
LISTED = SettingEdit(LOAD_LIST, OLD, (), NEW)
BOTH_PINS = named(OLD, NEW, pins={"PIN": NEW, "Q": NEW})


@pytest.mark.parametrize(
    ("settings", "edits", "live", "back"),
    [
        pytest.param(
            BOTH_PINS,
            (NEXT_TO, PINNED, OTHER_PIN),
            (OLD, OLDER),
            (LIST_BACK, PIN_BACK, SettingEdit("Q", OLDER, (NEW,), NEW)),
            id="all are live: all come back",
        ),
        pytest.param(
            BOTH_PINS,
            (NEXT_TO, PINNED, OTHER_PIN),
            (OLD, NEW),
            (LISTED, PIN_BACK),
            id="one pin's is not: that pin stays, and the new one in the list",
        ),
        pytest.param(
            BOTH_PINS,
            (NEXT_TO, OTHER_PIN),
            (OLDER, NEW),
            (SettingEdit("Q", OLDER, (NEW,), NEW), SettingEdit(LOAD_LIST, OLDER, (), NEW)),
            id="the list's is not: it stays, and loads what the pin comes back to",
        ),
        pytest.param(
            named(OLD, NEW, pins={"PIN": NEW}),
            (NEXT_TO, PINNED),
            (NEW,),
            (LIST_BACK, PIN_BACK),
            id="none is: all is tried, and refused as a whole",
        ),
    ],
)
def test_what_is_not_live_does_not_come_back(
    settings: SiteSettings, edits: tuple[SettingEdit, ...], live: tuple[Thumbprint, ...], back: tuple[SettingEdit, ...]
) -> None:
    """Certroll restores a setting only if its old certificate is in the webspace, and lets the app load it."""
    assert restored(settings, *edits, live=live) == back


@pytest.mark.parametrize(
    ("pins", "back"),
    [
        pytest.param({"X": NEW}, LISTED, id="somebody else pinned the new one: it stays in the list"),
        pytest.param({"X": FOREIGN}, LIST_BACK, id="somebody else pinned another's: the new one leaves"),
    ],
)
def test_what_others_pinned_meanwhile_stays_loaded(pins: dict[str, Thumbprint], back: SettingEdit) -> None:
    """If another writer put the new version into a setting, Certroll also keeps it in WEBSITE_LOAD_CERTIFICATES."""
    assert restored(named(NEW, pins=pins), INSTEAD) == (back,)


def test_two_pins_of_two_versions_are_both_loaded() -> None:
    """If two restored settings name two old versions, Certroll adds both to WEBSITE_LOAD_CERTIFICATES."""
    assert restored(named(NEW, pins={"PIN": NEW, "Q": NEW}), PINNED, OTHER_PIN) == (
        PIN_BACK,
        SettingEdit("Q", OLDER, (NEW,), NEW),
        LOADED_AGAIN,
        SettingEdit(LOAD_LIST, OLDER, (), NEW),
    )


def test_only_what_is_live_comes_back() -> None:
    """Certroll restores only values whose certificate is in the App Service webspace of the app."""
    seen = snapshot(
        settings=(BOTH_PINS,), copies=(copy(),), rollout=rollout(rolls=(failed(NEXT_TO, PINNED, OTHER_PIN),))
    )
    (step,) = restore_app_settings.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert step.action == RestoreAppSettings(BOTH_PINS, (LISTED, PIN_BACK), WEST)


def test_apps_are_restored_in_a_stable_order() -> None:
    """Certroll restores the settings of apps in the same order, whatever the order of the records."""
    apps = "b", "a", "c"
    seen = snapshot(
        sites=tuple(site(name) for name in apps),
        settings=tuple(named(OLD, NEW, site=name) for name in apps),
        rollout=rollout(rolls=tuple(failed(NEXT_TO, site=name) for name in apps)),
    )
    assert [item.subject[-1] for item in restore_app_settings.propose(seen, APPLY)] == ["a", "b", "c"]


def world(*records: RollRecord, settings: SiteSettings | None = None) -> Snapshot:
    """Return a snapshot in which the app has both versions in WEBSITE_LOAD_CERTIFICATES."""
    return snapshot(settings=(settings or named(OLD, NEW),), rollout=rollout(rolls=records))


def test_app_that_failed_is_restored() -> None:
    """If an app's probe finally fails after a settings update, Certroll restores the app's last good values."""
    action = RestoreAppSettings(named(OLD, NEW), (LIST_BACK,), WEST)
    assert list(restore_app_settings.propose(world(failed(NEXT_TO)), APPLY)) == [Step(action, Reason.PROBE_FAILED)]


@pytest.mark.parametrize("state", [state for state in RollState if state is not RollState.FAILED])
def test_other_app_is_left_alone(state: RollState) -> None:
    """Certroll restores the settings only of apps whose recorded state is failed."""
    assert list(restore_app_settings.propose(world(roll(state, edits=(NEXT_TO,))), APPLY)) == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(failed(NEXT_TO, site="other")), id="neither its site was seen nor its settings read"),
        pytest.param(
            snapshot(rollout=rollout(rolls=(failed(NEXT_TO),))), id="its site was seen, and its settings were not read"
        ),
        pytest.param(
            replace(world(failed(NEXT_TO)), fleet=replace(world().fleet, sites=())), id="its site was not seen"
        ),
        pytest.param(
            replace(world(failed(NEXT_TO)), fleet=replace(world().fleet, sites=(site(webspace=None),))),
            id="its webspace is not known",
        ),
        pytest.param(world(failed(NEXT_TO), settings=named(OLD)), id="somebody changed it back already"),
        pytest.param(world(failed()), id="nobody knows what it was before"),
    ],
)
def test_nothing_is_restored_blindly(seen: Snapshot) -> None:
    """Certroll restores nothing if it does not know the values before the settings update or the values now."""
    assert list(restore_app_settings.propose(seen, APPLY)) == []


def test_what_is_restored_once_is_not_restored_again() -> None:
    """Certroll restores the same values only once, because a restore removes all of Certroll's edits."""
    seen = world(failed(NEXT_TO))
    (step,) = restore_app_settings.propose(seen, APPLY)
    assert isinstance(step, Step)
    after = step.action.project(seen)
    assert after.settings_of(site_ref()) == named(OLD)
    assert list(restore_app_settings.propose(after, APPLY)) == []
