"""Run the scenarios of the bench that change app settings, with small fleets, and compare their counts."""

from bench.limits import SettingsPosts
from bench.long import day, roll, root
from bench.sizes import Size


def test_apps_validate_a_certificate_that_their_settings_name() -> None:
    """Each app of a roll ends validated, with one write of its settings, and two writes for each webspace."""
    (found,) = roll(Size(4, 2), SettingsPosts.OWN)
    assert found.more == {"validated": 4}
    assert found.writes == 4 + 2 * 2
    assert found.failed == {}


def test_apps_get_a_root_by_their_root_lists() -> None:
    """Each app with a root list ends validated, with one write of its settings, and an upload for each plan."""
    (found,) = root(Size(4, 2), SettingsPosts.OWN)
    assert found.more == {"apps Validated": 4}
    assert found.writes == 4 + 2
    assert found.failed == {}


def test_a_day_leaves_no_stale_binding() -> None:
    """A day of short certificates renews each fifteenth of them, and every binding follows."""
    (found,) = day(Size(4, 1, lineages=3), SettingsPosts.OWN)
    assert found.more == {"renewals": 1, "stale bindings": 0}
    assert found.seconds == 86_400
    assert found.failed == {}
