"""Test how Certroll writes an app's settings once and loses no change that another writer made."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from shared.domain.errors import Conflict, NotSettled, OutcomeUnknown
from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, AppSettings, Sealed, SettingEdit, VaultReference
from shared.domain.fleet.settings_editing import inverse
from shared.domain.fleet.settings_reading import read_settings
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from tests.build import (
    FOREIGN,
    NEW,
    OLD,
    OLDER,
    OTHER_REF,
    REF,
    WEST,
    ManualClock,
    RecordingAppService,
    app_settings,
    lineage,
    named,
    ports,
    site,
    site_ref,
    snapshot,
)

SECRET = "Server=db;Password=open sesame"  # noqa: S105 - what must not show
BEFORE = {"DB": SECRET, LOAD_LIST: f"{FOREIGN}, {OLD}", "PIN": f"/var/ssl/private/{OLD}.p12", "MODE": "live"}
AFTER = BEFORE | {LOAD_LIST: f"{FOREIGN}, {OLD},{NEW}", "PIN": f"/var/ssl/private/{NEW}.p12"}
EDITS = SettingEdit(LOAD_LIST, NEW, (), OLD), SettingEdit("PIN", NEW, (OLD,), OLD)
PLANNED = read_settings(app_settings(BEFORE))
ROLL = RollAppSettings(PLANNED, EDITS, WEST)
RESTORE = RestoreAppSettings(
    read_settings(app_settings(AFTER)), tuple(back for edit in EDITS for back in inverse(edit)), WEST
)
RETIRE = RetireThumbprint(read_settings(app_settings(AFTER)), (SettingEdit(LOAD_LIST, None, (OLD,), NEW),), WEST)

BEGUN = SettingEdit(ROOT_LIST, NEW, (), None, whole=True)
BEGIN = RollAppSettings(PLANNED, (BEGUN,), WEST)
END = RestoreAppSettings(read_settings(app_settings(BEFORE | {ROOT_LIST: NEW})), inverse(BEGUN), WEST)


class Case:
    """A change of app settings that runs while Azure shows these settings in turn, and then repeats the last answer."""

    def __init__(self, change: SettingsChange, *seen: Mapping[str, str] | Exception, etag: str | None = '"7"') -> None:
        shown: list[AppSettings | Exception] = [
            answer if isinstance(answer, Exception) else app_settings(answer, etag=etag) for answer in seen
        ]
        self.azure, self.clock, self.change = RecordingAppService(seen=shown), ManualClock(), change

    def perform(self) -> bool:
        """Perform the change."""
        return self.change.perform(ports(self.azure, self.clock))


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        pytest.param(ROLL, BEFORE, AFTER, id="a roll"),
        pytest.param(RESTORE, AFTER, BEFORE, id="a restore, with the blank that was there"),
        pytest.param(RETIRE, AFTER, AFTER | {LOAD_LIST: f"{FOREIGN},{NEW}"}, id="a retirement"),
    ],
)
def test_change_is_one_write(change: SettingsChange, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Certroll writes all edits of an app at once, with the other settings and the ETag that it read just before."""
    case = Case(change, before, after)
    assert case.perform()
    ((written,),) = case.azure.writes
    assert isinstance(written, AppSettings)
    assert (written.site, written.etag) == (site_ref(), '"7"')
    assert dict(written.values) == after
    assert case.azure.asked == ["settings_to_edit", "settings"]
    assert case.clock.slept == []


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        pytest.param(BEGIN, BEFORE, BEFORE | {ROOT_LIST: NEW}, id="a root list is begun"),
        pytest.param(END, BEFORE | {ROOT_LIST: NEW}, BEFORE, id="and goes again"),
    ],
)
def test_setting_comes_and_goes_in_one_write(
    change: SettingsChange, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """Certroll creates or removes WEBSITE_LOAD_ROOT_CERTIFICATES in one write.

    If the setting already has its planned value, Certroll writes nothing.
    """
    case = Case(change, before, after)
    assert case.perform()
    ((written,),) = case.azure.writes
    assert isinstance(written, AppSettings)
    assert dict(written.values) == after
    done = Case(change, after)
    assert not done.perform()
    assert done.azure.writes == []


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        pytest.param(ROLL, BEFORE, AFTER, id="a roll"),
        pytest.param(RESTORE, AFTER, BEFORE, id="a restore"),
        pytest.param(RETIRE, AFTER, AFTER | {LOAD_LIST: NEW}, id="a retirement"),
    ],
)
def test_change_that_is_done_is_not_written(
    change: SettingsChange, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """If an earlier write of the same change already succeeded, Certroll writes no settings and restarts no app."""
    case = Case(change, after)
    assert not case.perform()
    assert (case.azure.writes, case.azure.asked) == ([], ["settings_to_edit"])
    assert before != after


def test_change_that_is_half_done_is_finished() -> None:
    """Certroll completes a change of app settings of which one of two edits is already in place."""
    case = Case(ROLL, AFTER | {"PIN": BEFORE["PIN"]}, AFTER)
    assert case.perform()
    ((written,),) = case.azure.writes
    assert isinstance(written, AppSettings)
    assert dict(written.values) == AFTER


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        pytest.param(BEFORE | {"MODE": "test"}, "MODE changed", id="a value is another"),
        pytest.param(BEFORE | {"NEXT": "1", "ADD": "2"}, "ADD, NEXT changed", id="two are new"),
        pytest.param({key: BEFORE[key] for key in BEFORE if key != "DB"}, "DB changed", id="one is gone"),
    ],
)
def test_what_others_changed_is_not_written_over(seen: Mapping[str, str], words: str) -> None:
    """If another setting changed after planning, Certroll writes no settings and names it without its value."""
    case = Case(ROLL, seen)
    with pytest.raises(Conflict) as raised:
        case.perform()
    assert str(raised.value) == f"app settings of shop: {words} since Certroll observed it; Certroll plans again"
    assert case.azure.writes == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(BEFORE | {"PIN": FOREIGN}, id="somebody pinned another certificate"),
        pytest.param(BEFORE | {LOAD_LIST: FOREIGN}, id="somebody took the old one out of the list"),
        pytest.param(BEFORE | {LOAD_LIST: "*"}, id="somebody made the list a star"),
        pytest.param(BEFORE | {"PIN": "something else"}, id="it is no pin any more"),
        pytest.param({key: BEFORE[key] for key in BEFORE if key != "PIN"}, id="it is gone"),
        pytest.param({key: AFTER[key] for key in AFTER if key != "PIN"}, id="it is gone, and the rest is done"),
    ],
)
def test_edit_that_no_longer_applies_is_planned_again(seen: Mapping[str, str]) -> None:
    """If the value to edit is gone or names another certificate, Certroll writes no app settings."""
    case = Case(ROLL, seen)
    with pytest.raises(Conflict) as raised:
        case.perform()
    assert str(raised.value) == "app settings of shop: the values to edit are gone; Certroll plans again"
    assert case.azure.writes == []


def test_change_waits_until_azure_shows_it() -> None:
    """Certroll repeats reads, and not the write, until Azure shows the change of settings."""
    case = Case(ROLL, BEFORE, BEFORE, AFTER | {"PIN": BEFORE["PIN"]}, AFTER)
    assert case.perform()
    assert (len(case.azure.writes), case.clock.slept) == (1, [1.0, 2.0])


def test_change_that_is_never_seen_fails() -> None:
    """Certroll reports a write that Azure does not show within a minute, with the app's name and without values."""
    case = Case(ROLL, BEFORE)
    with pytest.raises(NotSettled, match=r"^app settings of shop still shows the old state after 60 s$"):
        case.perform()
    assert len(case.azure.writes) == 1


def test_write_of_unknown_outcome_is_read_before_it_is_repeated() -> None:
    """Certroll reads before it repeats a settings write without an answer, and finds the change in place."""
    case = Case(ROLL, BEFORE, AFTER)
    case.azure.failures.append(OutcomeUnknown("504"))
    with pytest.raises(OutcomeUnknown):
        case.perform()
    assert not case.perform()
    assert len(case.azure.writes) == 1


def test_change_says_what_it_is() -> None:
    """A change of settings concerns one app, restarts the app, and shows no value in its text."""
    assert (ROLL.subject, ROLL.site, ROLL.webspace, ROLL.restarts_site) == (
        "app settings of shop",
        site_ref(),
        WEST,
        True,
    )
    assert (ROLL.writes, RESTORE.writes, RETIRE.writes) == (frozenset({NEW}), frozenset({OLD}), frozenset())
    assert "sesame" not in f"{ROLL!r}{ROLL}"


def test_projection_edits_this_app_alone() -> None:
    """The snapshot predicted for a change of app settings differs only in the settings of this app."""
    other = named(OLD, site="other")
    before = named(OLD, OLDER, pins={"PIN": OLD}, odd_entries=1, digests={"A": "1"})
    seen = snapshot(sites=(site(), site("other")), settings=(other, before))
    after = RollAppSettings(before, EDITS, WEST).project(seen)
    assert after == replace(
        seen,
        fleet=replace(
            seen.fleet, settings=(other, named(OLD, NEW, OLDER, pins={"PIN": NEW}, odd_entries=1, digests={"A": "1"}))
        ),
    )


def test_projection_writes_an_app_once() -> None:
    """The snapshot predicted for a change marks the app, so that no other step of the plan restarts the app."""
    before = named(OLD)
    after = RollAppSettings(before, EDITS[:1], WEST).project(snapshot(settings=(before, named(OLD, site="b")))).fleet
    assert [app.changing for app in after.settings] == [True, False]


def test_projection_fetches_what_references_lead_to() -> None:
    """The snapshot predicted for a change of app settings gives only the app's unversioned references the new version.

    The app fetches the current version, because a change of its settings restarts the app.
    """
    led = (
        VaultReference("A", REF, None, "v1"),
        VaultReference("B", REF, "v1", "v1"),
        VaultReference("C", OTHER_REF, None, "v7"),
    )
    before = named(OLD, led=led)
    change = RollAppSettings(before, EDITS[:1], WEST)
    fetched = replace(led[0], active="v2"), *led[1:]
    assert change.project(snapshot(settings=(before,))).fleet.settings == (named(OLD, NEW, led=fetched),)
    unknown = replace(led[0], active=None), *led[1:]
    without = snapshot(lineage=lineage(current=None), settings=(before,))
    assert change.project(without).fleet.settings == (named(OLD, NEW, led=unknown),)


def test_nothing_is_written_from_memory() -> None:
    """A change that was planned from remembered settings ends before any request, even if only its setting is there."""
    only = replace(read_settings(app_settings({"PIN": OLD})), digests={}, sealed=Sealed(1))
    case = Case(RollAppSettings(only, (SettingEdit("PIN", NEW, (OLD,), OLD),), WEST), {"PIN": OLD}, {"PIN": NEW})
    with pytest.raises(Conflict, match="Certroll only remembers the settings"):
        case.perform()
    assert case.azure.asked == []
