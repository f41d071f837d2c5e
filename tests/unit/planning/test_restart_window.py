"""Restarts only when operators allow them."""

from datetime import timedelta

import pytest

from shared.actions.refresh_references import RefreshReferences
from shared.actions.restart_site import RestartSite
from shared.actions.restore_app_settings import RestoreAppSettings
from shared.actions.roll_app_settings import RollAppSettings
from shared.actions.sync_certificate import SyncCertificate
from shared.actions.update_binding import UpdateBinding
from shared.domain.app_settings import LOAD_LIST, SettingEdit, SiteSettings
from shared.domain.plan import Intent, Mode, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.window import RestartWindow
from shared.guards import restart_window
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
    """Return an intent with these windows."""
    return Intent(mode=Mode.APPLY, restart_window=RestartWindow.parse(window))


# NOW is a Saturday at noon, so the one opens in ten hours.
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
    """Return a world in which the old version ends after so long."""
    return snapshot(
        lineage=lineage(version(), old_version(not_after=NOW + end), old_version("v0", OLDER)),
        sites=(site(), site("all"), site("led")),
        settings=settings or (named(OLD),),
    )


@pytest.mark.parametrize("when", [APPLY, OPEN], ids=["at any time", "while the window is open"])
def test_restarts_are_allowed(when: Intent) -> None:
    """Without a window, or within it, nothing is refused."""
    assert restart_window.guard(WHOLE, world(), when) == WHOLE


def test_restarts_wait_for_the_window() -> None:
    """Outside the window what restarts an app waits; what restarts none, or brings last good values back, does not."""
    assert restart_window.guard(WHOLE, world(), CLOSED) == Plan(
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
    """Where the certificate that an app will leave ends before the window opens, waiting for it would break the app."""
    (skip,) = restart_window.guard(Plan((ROLL,)), seen, CLOSED).skips
    assert (skip.subject, skip.reason, skip.site) == ("app settings of shop", reason, site_ref())


def test_person_is_told_what_to_do() -> None:
    """The refusal says when the certificate ends, when the window opens, and what helps."""
    (skip,) = restart_window.guard(Plan((ROLL,)), world(end=HOUR), CLOSED).skips
    assert skip.detail == (
        "the old certificate ends at 2026-11-21 13:00 UTC, and CERTROLL_RESTART_WINDOW opens at 2026-11-21 22:00 UTC "
        "only: widen it, or roll this app by hand"
    )
