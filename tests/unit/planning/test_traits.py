"""Test the answers of every action (kind of step) to the questions of guards and controllers, in one table."""

from dataclasses import fields, replace
from importlib import import_module
from inspect import getmembers, isclass, isfunction
from pkgutil import iter_modules
from typing import Any

import pytest

from shared.domain.certificates.requirements import Use
from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, SettingEdit
from shared.domain.fleet.vault_access import app_service
from shared.domain.names import CopyRef
from shared.domain.reason import Reason
from shared.planning import actions
from shared.planning.actions.add_root_certificate import AddRootCertificate
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.delete_root_certificate import DeleteRootCertificate
from shared.planning.actions.import_certificate import ImportCertificate
from shared.planning.actions.keep_superseded import KeepSuperseded
from shared.planning.actions.refresh_references import RefreshReferences
from shared.planning.actions.restart_site import RestartSite
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.actions.upload_again import UploadAgain
from shared.planning.actions.upload_certificate import UploadCertificate
from shared.planning.actions.upload_public_certificate import UploadPublicCertificate
from shared.planning.plan import Action, Phase, SettingsWrite, Step, Traits, View
from tests.build import (
    LINEAGE,
    NEW,
    OLD,
    REF,
    WEST,
    binding,
    copy,
    farm,
    named,
    old_version,
    root,
    site_ref,
    snapshot,
    version,
)

CURRENT, BEFORE = version(), old_version()
REPLACED = (BEFORE.in_use,)
SHOP = named(OLD)
LOADING, TRUSTING = SettingEdit(LOAD_LIST, NEW, (), OLD), SettingEdit(ROOT_LIST, NEW, (), OLD)
ON_SITE = replace(copy(), ref=CopyRef.of_site(site_ref(), "public", public=True))
MINE = copy("mine", OLD, source=None)

SYNC = SyncCertificate(copy(), farm(), CURRENT)
UPDATE = UpdateBinding(binding(), NEW, WEST)
REBIND = replace(UPDATE, rebind=True)
DELETE = DeleteCertificate(MINE, ())
DELETE_ROOT = DeleteRootCertificate(root())
ROLL = RollAppSettings(SHOP, (LOADING, TRUSTING), WEST)
RESTORE = RestoreAppSettings(SHOP, (LOADING,), WEST)
RETIRE = RetireThumbprint(SHOP, (SettingEdit(LOAD_LIST, None, (OLD,), NEW),), WEST)
PUBLIC = UploadPublicCertificate(REF, CURRENT, ON_SITE)

TABLE: list[tuple[Action, dict[str, Any]]] = [
    (
        KeepSuperseded(REF, BEFORE, MINE, farm()),
        {"phase": Phase.SHARED, "is_staged": False, "protects": True},
    ),
    (UploadCertificate(REF, CURRENT, MINE, farm()), {"phase": Phase.SHARED, "cases": [(Use.UPLOAD, REPLACED)]}),
    (UploadAgain(REF, CURRENT, MINE, farm()), {"phase": Phase.UPLOAD, "cases": [(Use.UPLOAD, (CURRENT.in_use,))]}),
    (
        PUBLIC,
        {"phase": Phase.SHARED, "is_staged": False, "owner": site_ref(), "cases": [(Use.PUBLIC, REPLACED)]},
    ),
    (
        ImportCertificate(copy("in", NEW), farm(), CURRENT, LINEAGE, None, app_service()),
        {"phase": Phase.SHARED, "is_staged": False, "needs_view": View.COPIES, "cases": [(Use.IMPORT, ())]},
    ),
    (
        AddRootCertificate(REF, CURRENT, root("new", NEW)),
        {"phase": Phase.ROOT, "is_staged": False, "cases": [(Use.ROOT, ())]},
    ),
    (
        SYNC,
        {
            "phase": Phase.SHARED,
            "needs_view": View.BINDINGS,
            "replaces": copy(),
            "cases": [(Use.IMPORT, REPLACED), (Use.BINDING, REPLACED)],
        },
    ),
    (UPDATE, {"phase": Phase.BINDING, "binds": binding(), "cases": [(Use.BINDING, REPLACED)]}),
    (RESTORE, {"phase": Phase.APP, "protects": True, "settings_write": SettingsWrite(SHOP, RESTORE.edits)}),
    (
        ROLL,
        {
            "phase": Phase.APP,
            "settings_write": SettingsWrite(SHOP, ROLL.edits),
            "without_roots": replace(ROLL, edits=(LOADING,)),
            "cases": [(Use.OUTBOUND, REPLACED)],
        },
    ),
    (
        RETIRE,
        {
            "phase": Phase.APP,
            "retires": True,
            "needs_view": View.SETTINGS,
            "settings_write": SettingsWrite(SHOP, RETIRE.edits),
            "cases": [(Use.OUTBOUND, ())],
        },
    ),
    (
        RestartSite(site_ref(), WEST, CURRENT),
        {"phase": Phase.APP, "is_visible": False, "cases": [(Use.OUTBOUND, REPLACED)]},
    ),
    (RefreshReferences(SHOP, "v2", WEST), {"phase": Phase.APP, "cases": [(Use.OUTBOUND, REPLACED)]}),
    (DELETE, {"phase": Phase.DELETE, "is_staged": False, "deletes_copy": MINE}),
    (DELETE_ROOT, {"phase": Phase.ROOT, "is_staged": False, "deletes_root": root()}),
]
"""The answers of each action that differ from `USUAL`."""

USUAL: dict[str, Any] = {
    "is_staged": True,
    "protects": False,
    "retires": False,
    "needs_view": View.NONE,
    "is_visible": True,
    "owner": None,
    "replaces": None,
    "binds": None,
    "rebinds": False,
    "settings_write": None,
    "deletes_copy": None,
    "deletes_root": None,
    "cases": [],
}


def name_of(value: object) -> str | None:
    """Return the class name of an action, for the id of its row."""
    return type(value).__name__ if hasattr(value, "phase") else None


def answers(action: Action) -> dict[str, Any]:
    """Return the answer of an action to every question, with the use and the replaced version of each case."""
    asked = {name: getattr(action, name) for name in ("phase", *USUAL) if name != "cases"}
    cases = [(case.use, case.in_use) for case in action.cases(CURRENT, snapshot())]
    return {**asked, "cases": cases, "without_roots": action.without_roots()}


@pytest.mark.parametrize(("action", "own"), TABLE, ids=name_of)
def test_action_answers(action: Action, own: dict[str, Any]) -> None:
    """Each action has the default answers of `USUAL`, except for the answers in its row of the table."""
    assert answers(action) == {**USUAL, "without_roots": action, **own}


def test_every_action_is_in_the_table() -> None:
    """The table has a row for each class of each module that proposes steps, in the order of the proposals."""
    modules = [import_module(f"{actions.__name__}.{found.name}") for found in iter_modules(actions.__path__)]
    proposing = [module for module in modules if isfunction(getattr(module, "propose", None))]
    classes = {
        found
        for module in proposing
        for _, found in getmembers(module, isclass)
        if found.__module__ == module.__name__ and hasattr(found, "perform")
    }
    assert {type(action) for action, _ in TABLE} == classes
    assert [type(action).__module__ for action, _ in TABLE] == [propose.__module__ for propose in actions.PROPOSALS]


def test_every_trait_is_in_the_table() -> None:
    """The table has an answer for every trait that an action can have."""
    declared = {name for name in (*Traits.__annotations__, *vars(Traits)) if not name.startswith("_")}
    methods = {"preflight", "without_roots", "without_rebinding", "restarts_site", "phase"}
    assert declared == (set(USUAL) - {"cases"}) | methods


@pytest.mark.parametrize(("action", "_"), TABLE, ids=name_of)
def test_every_action_is_performed_by_a_run(action: Action, _: dict[str, Any]) -> None:
    """An action on a site either restarts the app or writes a binding, and a separate kind of run performs each."""
    assert action.restarts_site is (action.phase is Phase.APP)
    assert (action.binds is not None) is (action.phase is Phase.BINDING)
    assert (action.site is not None) is (action.phase in {Phase.APP, Phase.BINDING})


@pytest.mark.parametrize(("action", "_"), TABLE, ids=name_of)
def test_traits_are_no_fields(action: Action, _: dict[str, Any]) -> None:
    """No trait (answer about a kind of step) is a field of an action, so that equal actions stay equal."""
    assert not {found.name for found in fields(type(action))} & {"restarts_site", "phase", *USUAL}


def test_public_certificate_for_root_lists_has_to_be_a_root() -> None:
    """Certroll checks a public certificate only as a root if only WEBSITE_LOAD_ROOT_CERTIFICATES needs it."""
    assert answers(replace(PUBLIC, as_root=True))["cases"] == [(Use.ROOT, ())]


def test_roll_of_root_lists_alone_has_to_be_a_root() -> None:
    """Certroll checks a version only as a root if the step edits only the app setting WEBSITE_LOAD_ROOT_CERTIFICATES.

    `without_roots` leaves a step that updates only WEBSITE_LOAD_ROOT_CERTIFICATES unchanged.
    """
    roll = replace(ROLL, edits=(TRUSTING,))
    assert answers(roll)["cases"] == [(Use.ROOT, ())]
    assert roll.without_roots() == roll


def test_copy_that_serves_nothing_has_to_be_importable_only() -> None:
    """Certroll checks a synced version for use in bindings only if a binding shows the imported certificate."""
    cases = SYNC.cases(CURRENT, snapshot(bindings=()))
    assert [(case.use, case.in_use) for case in cases] == [(Use.IMPORT, REPLACED)]


def test_binding_that_is_written_again_is_no_better_than_it_is() -> None:
    """If a host name that already shows the version is bound again, this version also counts as the version in use."""
    (case,) = replace(REBIND, binding=binding(thumbprint=NEW)).cases(CURRENT, snapshot())
    assert (case.in_use, case.hosts) == ((CURRENT.in_use,), (binding().host_name,))


def test_step_without_rebinding() -> None:
    """`Step.without_rebinding` keeps a step that moves a binding, and drops a step that only binds again."""
    moving, staying = (Step(action, Reason.STALE_COPY) for action in (REBIND, replace(REBIND, thumbprint=OLD)))
    assert REBIND.rebinds
    assert moving.without_rebinding() == Step(UPDATE, Reason.STALE_COPY)
    assert staying.without_rebinding() is None
    for action, _ in TABLE:
        step = Step(action, Reason.STALE_COPY)
        assert step.without_rebinding() == step
