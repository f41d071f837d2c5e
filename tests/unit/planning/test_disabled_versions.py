"""A version that an operator disabled is never good again: nothing keeps it, returns to it or makes its successor wait.

An operator disables the version in use because its key leaked, for example.
"""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit, VaultReference
from shared.domain.freeze import Freeze
from shared.domain.intent import Intent, Mode
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.expiry import hurries, is_urgent, settings_are_urgent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from tests.build import (
    APPLY,
    DAY,
    EAST,
    FOREIGN,
    HOUR,
    NEW,
    NEWER,
    NOW,
    OLD,
    OLDER,
    REF,
    binding,
    copy,
    farm,
    lineage,
    named,
    old_version,
    record,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    two_webspaces,
    version,
)

DISABLED = replace(old_version(), enabled=False)
LEAKED = lineage(version(), DISABLED)
GOOD = lineage(version(), old_version())
MONTHS = Intent(vaults=APPLY.vaults, mode=Mode.APPLY, delete_superseded=True, delete_grace=90 * DAY)
BOTH_LIVE = (copy("new", NEW), copy("by-hand", OLD, source=None))


def waiting(seen: Snapshot, known: Lineage) -> list[Reason]:
    """Return the reasons of the plan's refusals that only wait for another webspace or app."""
    plan = planner.plan(Snapshot(known, seen.fleet, seen.rollout), APPLY)
    return [skip.reason for skip in plan.skips if skip.reason.awaits_turn]


def test_successor_of_a_disabled_version_does_not_wait_for_the_soak() -> None:
    """Other webspaces get the new version at once if a host name still shows a disabled version."""
    seen = two_webspaces(rollout(record(SiteState.UNPROVEN)))
    assert waiting(seen, GOOD)
    assert waiting(seen, LEAKED) == []


def test_import_of_a_disabled_version_is_synced_without_the_soak() -> None:
    """The import of a disabled version in another webspace does not wait, even if no host name shows the version."""
    seen = two_webspaces(rollout(record(SiteState.UNPROVEN)))
    unbound = Snapshot(LEAKED, replace(seen.fleet, bindings=()), seen.rollout)
    assert waiting(unbound, GOOD)
    assert waiting(unbound, LEAKED) == []


def test_forgotten_import_of_a_disabled_version_hurries_nobody() -> None:
    """An import in a webspace without a plan cannot be synced, so it does not end the soak of every later version."""
    seen = two_webspaces(rollout(record(SiteState.UNPROVEN)))
    known = lineage(version(), old_version(), replace(old_version("v0", OLDER), enabled=False))
    forgotten = copy("forgotten", OLDER, webspace=EAST)
    plans = tuple(plan for plan in seen.fleet.plans if plan.webspace != EAST)
    fleet = replace(seen.fleet, certificates=(*seen.fleet.certificates, forgotten), plans=plans)
    assert not is_urgent(Snapshot(known, fleet, seen.rollout))
    assert waiting(Snapshot(known, fleet, seen.rollout), known)
    assert is_urgent(Snapshot(known, replace(fleet, plans=(*fleet.plans, farm(EAST))), seen.rollout))


@pytest.mark.parametrize(
    ("settings", "hurries"),
    [
        pytest.param(named(OLD), True, id="the list names it alone"),
        pytest.param(named(OLD, OLDER, pins={"PIN": OLD}), True, id="a setting names it"),
        pytest.param(named(OLD, OLDER), True, id="it is the newest of the list"),
        pytest.param(named(OLDER), False, id="only a good one is named"),
        pytest.param(named(OLD, OLDER, pins={"PIN": OLDER}), False, id="it is left in the list, the app uses another"),
        pytest.param(named(NEW, pins={"PIN": NEW}), False, id="the app has the new version"),
    ],
)
def test_app_that_uses_a_disabled_version_makes_the_next_apps_wait_for_nothing(
    settings: object, *, hurries: bool
) -> None:
    """Apps do not wait for the soak if an app uses a disabled version; a forgotten entry of a list hurries nobody."""
    known = lineage(version(), DISABLED, old_version("v0", OLDER))
    assert settings_are_urgent(snapshot(lineage=known, settings=(settings,)), (site_ref(),)) is hurries  # type: ignore[arg-type]


def test_disabled_version_that_ended_long_ago_hurries_nobody() -> None:
    """A disabled version that expired days ago in a forgotten binding does not shorten the waits of a new version."""
    ended = lineage(version(), replace(DISABLED, not_after=NOW - 4 * DAY))
    assert waiting(two_webspaces(rollout(record(SiteState.UNPROVEN))), ended)


@pytest.mark.parametrize(
    ("used", "hurry"),
    [
        pytest.param(DISABLED, True, id="it is disabled"),
        pytest.param(old_version(), False, id="it is good"),
        pytest.param(replace(DISABLED, not_after=NOW - 4 * DAY), False, id="it is disabled, and ended long ago"),
        pytest.param(None, False, id="no version is known"),
    ],
)
def test_successor_of_one_version_waits_or_not(used: CertificateVersion | None, *, hurry: bool) -> None:
    """Each wait asks the same function about a version in use: a disabled version hurries, unless it ended long ago."""
    assert hurries(snapshot(lineage=lineage(version(), *([used] if used else []))), used) is hurry


def test_two_versions_of_one_thumbprint_are_disabled_together() -> None:
    """A certificate with two versions in the vault counts as disabled only if an operator disabled both versions."""
    twice = lineage(version(), DISABLED, old_version("v0", OLD))
    assert not twice.is_disabled(OLD)
    assert not lineage(version("v3", OLD), version("v2", NEW), DISABLED).is_disabled(OLD)
    assert lineage(version(), DISABLED, replace(DISABLED, version="v0")).is_disabled(OLD)
    assert not LEAKED.is_disabled(FOREIGN)
    assert not LEAKED.is_disabled(None)


# --------------------------------------------------------------------------------------------------- no last good value


def edits_of(known: Lineage, *listed: Thumbprint, pins: dict[str, Thumbprint]) -> tuple[SettingEdit, ...]:
    """Return the edits of the settings update of an app in a webspace with all versions."""
    copies = (copy("new", NEW), copy("b", OLD, source=None), copy("a", OLDER, source=None))
    seen = snapshot(lineage=known, bindings=(), copies=copies, settings=(named(*listed, pins=pins),))
    (action,) = (s.action for s in planner.plan(seen, APPLY).steps if isinstance(s.action, RollAppSettings))
    return action.edits


def test_disabled_version_leaves_the_list_at_once() -> None:
    """The first write takes a disabled version out of the load list, and keeps a good one next to the new version."""
    known = lineage(version(), DISABLED, old_version("v0", OLDER))
    assert edits_of(GOOD, OLD, pins={}) == (SettingEdit(LOAD_LIST, NEW, (), OLD),)
    assert edits_of(LEAKED, OLD, pins={}) == (SettingEdit(LOAD_LIST, NEW, (OLD,), OLD),)
    assert edits_of(known, OLD, OLDER, pins={}) == (SettingEdit(LOAD_LIST, NEW, (OLD,), OLDER),)


def test_disabled_version_is_no_last_good_value_of_a_setting() -> None:
    """If a setting names a disabled version, its last good value is a good version that the app loads."""
    known = lineage(version(), DISABLED, old_version("v0", OLDER))
    pin = next(edit for edit in edits_of(known, OLD, OLDER, pins={"PIN": OLD}) if edit.key == "PIN")
    assert pin == SettingEdit("PIN", NEW, (OLD,), OLDER)


def test_no_copy_of_a_disabled_version_is_kept() -> None:
    """Before a sync, Certroll uploads no copy of a disabled version, and the finding does not ask to enable it."""
    plan = planner.plan(snapshot(lineage=LEAKED, settings=(named(OLD),)), APPLY)
    (told,) = (skip for skip in plan.skips if skip.reason is Reason.NO_OVERLAP)
    assert told.detail == "the old version is disabled in the vault, so Certroll keeps no copy of it"


# ------------------------------------------------------------------------------------------------------------- no grace


@pytest.mark.parametrize(("known", "going"), [(GOOD, False), (LEAKED, True)], ids=["enabled", "disabled"])
def test_no_grace_keeps_a_disabled_version(known: Lineage, *, going: bool) -> None:
    """Certroll deletes the unused copy of a disabled version without the grace period."""
    seen = snapshot(
        lineage=known,
        bindings=(binding(thumbprint=NEW),),
        copies=BOTH_LIVE,
        settings=(named(),),
        rollout=rollout(record(SiteState.PROVEN)),
    )
    deleted = [s.action for s in planner.plan(seen, MONTHS).steps if isinstance(s.action, DeleteCertificate)]
    assert bool(deleted) is going


@pytest.mark.parametrize(
    "differences",
    [
        pytest.param({"bindings": (binding(),)}, id="a host name shows it"),
        pytest.param({"settings": (named(OLD),)}, id="an app names it"),
        pytest.param({"rollout": rollout(record(SiteState.UNPROVEN))}, id="nothing is proven"),
    ],
)
def test_disabled_version_in_use_is_not_deleted(differences: dict[str, object]) -> None:
    """Certroll never deletes the copy of a disabled version while something may use it."""
    ordinary: dict[str, object] = {
        "lineage": LEAKED,
        "bindings": (binding(thumbprint=NEW),),
        "copies": BOTH_LIVE,
        "settings": (named(),),
        "rollout": rollout(record(SiteState.PROVEN)),
    }
    seen = snapshot(**(ordinary | differences))  # type: ignore[arg-type]
    assert not [s for s in planner.plan(seen, MONTHS).steps if isinstance(s.action, DeleteCertificate)]


@pytest.mark.parametrize("enabled", [True, False])
def test_disabled_version_is_retired_without_a_tag(*, enabled: bool) -> None:
    """Once an app proved the new version, its list loses a disabled version, but other old versions only on request."""
    known = lineage(version(), replace(DISABLED, enabled=enabled), old_version("v0", OLDER))
    seen = snapshot(
        lineage=known,
        bindings=(),
        copies=(copy("new", NEW), copy("b", OLD, source=None), copy("a", OLDER, source=None)),
        settings=(named(OLDER, OLD, NEW),),
        rollout=rollout(rolls=(roll(RollState.VALIDATED),)),
    )
    retired = [s.action.edits for s in planner.plan(seen, APPLY).steps if isinstance(s.action, RetireThumbprint)]
    assert retired == ([] if enabled else [(SettingEdit(LOAD_LIST, None, (OLD,), NEW),)])


@pytest.mark.parametrize("state", [RollState.UNPROVEN, RollState.OVERLAPPING])
def test_disabled_version_is_not_retired_before_the_proof(state: RollState) -> None:
    """Certroll takes a disabled version out of a shared list only after the app proved the new version."""
    seen = snapshot(
        lineage=LEAKED,
        bindings=(),
        copies=BOTH_LIVE,
        settings=(named(OLD, NEW),),
        rollout=rollout(rolls=(roll(state),)),
    )
    assert not [s for s in planner.plan(seen, APPLY).steps if isinstance(s.action, RetireThumbprint)]


def test_tag_that_says_off_keeps_a_disabled_version_in_the_list() -> None:
    """With the tag `certroll-retire: off`, Certroll restarts no app to take a disabled version out of its list."""
    seen = snapshot(
        lineage=LEAKED,
        sites=(site(tags=(("certroll-retire", "off"),)),),
        bindings=(),
        copies=BOTH_LIVE,
        settings=(named(OLD, NEW),),
        rollout=rollout(rolls=(roll(RollState.VALIDATED),)),
    )
    assert not [s for s in planner.plan(seen, APPLY).steps if isinstance(s.action, RetireThumbprint)]


# ---------------------------------------------------------------------------------------------------------- no way back

WRITTEN = (SettingEdit(LOAD_LIST, NEW, (), OLD), SettingEdit("PIN", NEW, (OLD,), OLD))
FAILED = roll(RollState.FAILED, edits=WRITTEN)


def restoring(known: Lineage) -> Snapshot:
    """Return an app that failed with the new version, and whose settings Certroll would restore."""
    settings = named(OLD, NEW, pins={"PIN": NEW})
    return snapshot(
        lineage=known, bindings=(), copies=BOTH_LIVE, settings=(settings,), rollout=rollout(rolls=(FAILED,))
    )


def test_no_rollback_returns_to_a_disabled_version() -> None:
    """Certroll restores no settings of a failed app if the old version is disabled in the vault, and says so."""
    back = planner.plan(restoring(GOOD), APPLY).steps
    assert [type(step.action) for step in back] == [RestoreAppSettings]
    plan = planner.plan(restoring(LEAKED), APPLY)
    assert plan.steps == ()
    (told,) = (skip for skip in plan.skips if skip.reason is Reason.VERSION_DISABLED)
    assert told.detail == f"{OLD} is disabled in the vault: issue a new version that works"


def test_rollback_returns_to_no_version_of_a_secret_that_may_be_disabled() -> None:
    """Certroll restores no version of a plain secret whose thumbprint it no longer sees next to a disabled version."""
    hidden = replace(lineage(version()), unread=1)
    assert planner.plan(restoring(hidden), APPLY).steps
    assert planner.plan(restoring(replace(hidden, unread_disabled=1)), APPLY).steps == ()


def test_rollback_without_the_vault_returns_to_the_last_good_version() -> None:
    """If Certroll cannot read the vault, it restores the last good settings, because it knows no disabled version."""
    assert planner.plan(restoring(Lineage(LEAKED.ref, (), None)), APPLY).steps


def test_setting_with_a_good_old_version_goes_back_beside_a_disabled_one() -> None:
    """Of two settings, only the one whose old version is still good goes back; the other keeps the new version."""
    known = lineage(version(), DISABLED, old_version("v0", OLDER))
    edits = (SettingEdit("A", NEW, (OLD,), OLD), SettingEdit("B", NEW, (OLDER,), OLDER))
    seen = snapshot(
        lineage=known,
        bindings=(),
        copies=(*BOTH_LIVE, copy("older", OLDER, source=None)),
        settings=(named(pins={"A": NEW, "B": NEW}),),
        rollout=rollout(rolls=(roll(RollState.FAILED, edits=edits),)),
    )
    (step,) = planner.plan(seen, APPLY).steps
    assert step.action.writes == {OLDER}


# -------------------------------------------------------------------------------------- apps that name no thumbprint

FREEZE = Freeze(((NOW - DAY, NOW + 6 * DAY),))
TAGGED = (("certroll-restart", "on"),)
LED = VaultReference("CERT", REF, active="v1")
UNNAMED = [
    pytest.param({"everything": True}, id="they load every certificate"),
    pytest.param({"led": (LED,)}, id="they follow the vault"),
]
WITH_OLDER = lineage(version(), DISABLED, old_version("v0", OLDER))


def unnamed(known: Lineage, how: dict[str, object], *rolls: RollRecord) -> Snapshot:
    """Return two apps that get every version of the vault certificate without a thumbprint in their settings."""
    names = ("alpha", "beta")
    return snapshot(
        lineage=known,
        sites=tuple(site(name, tags=TAGGED) for name in names),
        bindings=(),
        copies=(copy(thumbprint=NEW),),
        settings=tuple(named(site=name, **how) for name in names),  # type: ignore[arg-type]
        rollout=rollout(rolls=rolls),
    )


@pytest.mark.parametrize("how", UNNAMED)
@pytest.mark.parametrize(("known", "goes_on"), [(LEAKED, True), (WITH_OLDER, True), (GOOD, False)])
def test_app_that_names_nothing_leaves_a_disabled_version_during_a_freeze(
    how: dict[str, object], known: Lineage, *, goes_on: bool
) -> None:
    """During a freeze, an app that names no thumbprint gets the successor of a disabled version, and of no other."""
    plan = planner.plan(unnamed(known, how), replace(APPLY, freeze=FREEZE))
    assert bool(plan.steps) is goes_on


@pytest.mark.parametrize("how", UNNAMED)
@pytest.mark.parametrize(("known", "goes_on"), [(LEAKED, True), (WITH_OLDER, True), (GOOD, False)])
def test_app_that_names_nothing_does_not_wait_for_another_app_to_leave_a_disabled_version(
    how: dict[str, object], known: Lineage, *, goes_on: bool
) -> None:
    """The second app that names no thumbprint waits for the soak, unless the version in use is disabled."""
    first = roll(RollState.UNPROVEN, site="alpha", at=NOW - HOUR / 60, replaces=())
    plan = planner.plan(unnamed(known, how, first), APPLY)
    assert [step.action.site for step in plan.steps] == ([site_ref("beta")] if goes_on else [])


def test_disabled_version_that_a_good_one_replaced_hurries_no_app() -> None:
    """A version that was disabled after a good version replaced it does not open a freeze for later versions."""
    known = lineage(version("v3", NEWER), version(created=NOW - DAY), DISABLED)
    assert known.replaced == (known.versions[1],)
    assert WITH_OLDER.replaced == WITH_OLDER.versions[1:]
    assert replace(WITH_OLDER, current=None).replaced == ()
    assert lineage(version()).replaced == ()
