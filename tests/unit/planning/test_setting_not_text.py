"""Test that Certroll writes no settings of an app with a value that is neither a text nor null."""

from dataclasses import replace

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.reason import Reason
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.guards import setting_not_text
from shared.planning.plan import Plan, Step
from tests.build import APPLY, NEW, OLD, WEST, named, snapshot


@pytest.mark.parametrize("kind", [RollAppSettings, RestoreAppSettings, RetireThumbprint])
@pytest.mark.parametrize("names", [frozenset[str](), frozenset({"B", "A"})], ids=["texts alone", "two others"])
def test_settings_with_another_value_are_not_written(kind: type[SettingsChange], names: frozenset[str]) -> None:
    """Certroll refuses a write of settings that it cannot write back unchanged, and names them."""
    settings = replace(named(OLD), not_text=names)
    step = Step(kind(settings, (SettingEdit(LOAD_LIST, NEW, (), OLD),), WEST), Reason.STALE_THUMBPRINT)
    judged = setting_not_text.guard(Plan((step,), ()), snapshot(), APPLY)
    assert bool(judged.steps) is not bool(names)
    assert [skip.reason for skip in judged.skips] == [Reason.SETTING_NOT_TEXT] * bool(names)
    assert all(skip.detail.startswith("A, B: ") for skip in judged.skips)
