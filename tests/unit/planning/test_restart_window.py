"""Test that Certroll restarts apps only inside the operator's restart window, except to restore an app's settings."""

from datetime import timedelta

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit, SiteSettings
from shared.domain.intent import Intent, Mode
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions.refresh_references import RefreshReferences
from shared.planning.actions.restart_site import RestartSite
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.guards import outside_restart_window
from shared.planning.plan import Plan, Skip, Step
from tests.build import (
    APPLY,
    HOUR,
    NEW,
    NOW,
    OLD,
    OLDER,
    WEST,
    binding,
    copy,
    farm,
    lineage,
    named,
    old_version,
    site,
    site_ref,
    snapshot,
    version,
)

SECOND = timedelta(seconds=1)


def intent(window: str) -> Intent:
    """Return the intent to apply with this restart window."""
    return Intent(mode=Mode.APPLY, restart_window=RestartWindow.parse(window))


# The test clock `NOW` is a Saturday at noon, so the window of `CLOSED` opens ten hours later.
CLOSED, OPEN = intent("Sat 22:00-23:00"), intent("Sat 12:00-13:00")
ROLL = Step(RollAppSettings(named(OLD), (SettingEdit(LOAD_LIST, NEW, (), OLD),), WEST), Reason.STALE_THUMBPRINT)
RESTART = Step(RestartSite(site_ref("all"), WEST, version()), Reason.LOADED_AT_START)
REFRESH = Step(RefreshReferences(named(site="led"), "v2", WEST), Reason.STALE_REFERENCE)
RESTORE = Step(RestoreAppSettings(named(NEW), (SettingEdit(LOAD_LIST, OLD, (NEW,), NEW),), WEST), Reason.PROBE_FAILED)
SYNC = Step(SyncCertificate(copy(), farm(), version()), Reason.STALE_COPY)
UPDATE = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
WHOLE = Plan((ROLL, RESTART, REFRESH, RESTORE, SYNC, UPDATE), (Skip("x", Reason.NOT_LIVE, "before"),))
LATER = "the window opens at 2026-11-21 22:00 UTC"


def world(*settings: SiteSettings, end: timedelta = timedelta(days=30)) -> Snapshot:
    """Return a snapshot in which the old version is valid until the time `end` after `NOW`."""
    return snapshot(
        lineage=lineage(version(), old_version(not_after=NOW + end), old_version("v0", OLDER)),
        sites=(site(), site("all"), site("led")),
        settings=settings or (named(OLD),),
    )


@pytest.mark.parametrize("when", [APPLY, OPEN], ids=["at any time", "while the window is open"])
def test_restarts_are_allowed(when: Intent) -> None:
    """Certroll refuses no restart of an app if there is no restart window, or inside the window."""
    assert outside_restart_window.guard(WHOLE, world(), when) == WHOLE


def test_restarts_wait_for_the_window() -> None:
    """Certroll delays steps that restart an app until the restart window opens.

    The restart window delays neither other steps nor the restore of last good settings.
    """
    assert outside_restart_window.guard(WHOLE, world(), CLOSED) == Plan(
        (RESTORE, SYNC, UPDATE),
        (
            *WHOLE.skips,
            Skip("app settings of shop", Reason.OUTSIDE_WINDOW, LATER, site_ref()),
            Skip("site all", Reason.OUTSIDE_WINDOW, LATER, site_ref("all")),
            Skip("Key Vault references of led", Reason.OUTSIDE_WINDOW, LATER, site_ref("led")),
        ),
    )


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        pytest.param(world(end=10 * HOUR), Reason.EXPIRES_BEFORE_WINDOW, id="it ends as the window opens"),
        pytest.param(world(end=HOUR), Reason.EXPIRES_BEFORE_WINDOW, id="it ends before the window opens"),
        pytest.param(world(end=-HOUR), Reason.EXPIRES_BEFORE_WINDOW, id="it has ended already"),
        pytest.param(world(end=10 * HOUR + SECOND), Reason.OUTSIDE_WINDOW, id="it ends just after the window opens"),
        pytest.param(
            world(named(OLDER, site="all"), named(NEW), end=HOUR), Reason.OUTSIDE_WINDOW, id="only others use it"
        ),
        pytest.param(world(named(OLD, site="all"), end=HOUR), Reason.OUTSIDE_WINDOW, id="only another app uses it"),
        pytest.param(
            world(named(OLD, OLDER), end=HOUR), Reason.EXPIRES_BEFORE_WINDOW, id="an app has it before an older one"
        ),
    ],
)
def test_certificate_that_ends_before_the_window_needs_a_person(seen: Snapshot, reason: Reason) -> None:
    """If an app's old certificate ends before the restart window opens, Certroll reports that an operator must act."""
    (skip,) = outside_restart_window.guard(Plan((ROLL,)), seen, CLOSED).skips
    assert (skip.subject, skip.reason, skip.site) == ("app settings of shop", reason, site_ref())


def test_person_is_told_what_to_do() -> None:
    """The refusal gives the end of the certificate, the opening of the restart window, and the next step."""
    (skip,) = outside_restart_window.guard(Plan((ROLL,)), world(end=HOUR), CLOSED).skips
    assert skip.detail == (
        "the old certificate ends at 2026-11-21 13:00 UTC, and CERTROLL_RESTART_WINDOW opens at 2026-11-21 22:00 UTC "
        "only: widen the window, or roll this app by hand"
    )
