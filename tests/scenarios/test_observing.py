"""Check that the plan of observe mode tells what apply mode does, and calls nothing a plan that apply mode refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from local.azure.principals import APP_SERVICE
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import STOPPED
from local.azure.world import World
from local.worlds.builders import Builder
from shared.domain.intent import Mode
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import Hosted
from tests.scenarios.installation import Installation
from tests.scenarios.test_kind_faults import KINDS, renewed, world_of
from tests.scenarios.test_own_certificates import importing
from tests.scenarios.test_uploads import renew as renew_upload
from tests.scenarios.test_uploads import uploads
from tests.scenarios.worlds import AGE, VAULT, renew, small_world, writes

RIGHTS = "/providers/Microsoft.Authorization/roleAssignments"


class Told:
    """What a sweep in observe mode logged about its plans."""

    def __init__(self, installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
        """Run the sweep, and read its plans in the log."""
        caplog.clear()
        with caplog.at_level("INFO", "certroll"):
            installation.sweep()
            installation.deliver_all()
        lines = [json.loads(line) for line in caplog.messages]
        parts = [line for line in lines if line["event"] == "plan.listed"]
        self.would = {row["subject"] for line in parts if line["list"] == "would" for row in line["rows"]}
        skips = [row for line in parts if line["list"] == "skips" for row in line["rows"]]
        self.refused = {(row["subject"], row["reason"]) for row in skips}
        self.reasons = {reason for _, reason in self.refused}


def performed(installation: Installation) -> set[str]:
    """Return the subjects of all steps that Certroll performed."""
    done = {"step.performed", "step.not_needed"}
    return {str(row["subject"]) for row in installation.rows("certrollhistory") if row["event"] in done}


STAYING = Knobs(sync_moves_bindings=False)
"""A sync moves no binding, so that each binding is a step of its own."""
WORLDS: dict[str, Callable[[], World]] = {
    "imported": lambda: small_world(STAYING),
    "uploaded, with an app": lambda: uploads(STAYING).world,
    **{kind: partial(world_of, kind, STAYING) for kind in KINDS},
}


@pytest.mark.parametrize("kind", WORLDS)
def test_what_would_be_done_is_what_apply_mode_does(
    install: Install, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In observe mode, Certroll names exactly the steps that apply mode performs until everything is renewed."""
    world = WORLDS[kind]()
    installation = install(world, mode=Mode.OBSERVE)
    renewed(installation)
    told = Told(installation, caplog)
    assert writes(world) == 0
    installation.intent = replace(installation.intent, mode=Mode.APPLY)
    installation.sweep()
    installation.deliver_all()
    assert told.would == performed(installation) != set()
    assert told.reasons <= {"NotProven"}, "only the old uploads are not deleted yet"


def test_an_import_that_app_service_may_not_do_is_a_refusal(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """In observe mode, an import from a vault that App Service may not read is refused, with the next step.

    After an operator grants the right, the same sweep says that Certroll would import the certificate.
    """
    world = importing("shop", app_service_may_read=False)
    installation = install(world, mode=Mode.OBSERVE)
    told = Told(installation, caplog)
    assert told.would == set()
    assert told.reasons == {"VaultAccessLacking"}
    assert {reason for _, reason in installation.findings()} == {"VaultAccessLacking"}
    assert "az role assignment create" in installation.details()
    world.vaults[VAULT].assign(APP_SERVICE)
    assert Told(installation, caplog).would == {
        "certificate contoso/contoso-contoso-kv-web in contoso-WestEuropewebspace".lower()
    }
    assert writes(world) == 0


def test_a_sync_that_app_service_may_not_do_is_a_refusal(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """In observe mode, neither a sync from a vault that App Service may not read nor its bindings are planned."""
    world = World(Clock())
    build = Builder(world)
    build.add_vault(VAULT, app_service_may_read=False)
    build.add_certificate("web", ("*.contoso.com",))
    build.add_host(build.add_site("shop"), "shop.contoso.com", build.add_copy("web"))
    world.clock.advance(AGE)
    installation = install(world, mode=Mode.OBSERVE)
    renew(world)
    told = Told(installation, caplog)
    assert told.would == set()
    assert told.reasons == {"VaultAccessLacking", "NotLive"}
    assert writes(world) == 0


def test_an_upload_whose_key_is_out_of_reach_is_a_refusal(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """In observe mode, an upload whose private key the vault withholds is refused, and what needs it is not planned."""
    world = uploads().world
    installation = install(world, mode=Mode.OBSERVE)
    renew_upload(world)
    world.faults.add(Fault("server_error", "GET", "vault", r"/secrets/web/", status=403, times=None))
    told = Told(installation, caplog)
    assert told.would == set()
    assert told.reasons == {"DeniedByAzure", "NotLive", "NotProven"}


def test_a_check_that_azure_does_not_answer_is_no_promise(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """In observe mode, Certroll promises no step whose check Azure did not answer, and says so."""
    world = importing("shop")
    installation = install(world, mode=Mode.OBSERVE)
    world.faults.add(Fault("server_error", "GET", "management", r"/certificates/contoso-contoso-kv-web$", times=None))
    told = Told(installation, caplog)
    assert told.would == set()
    assert told.reasons == {"NoAnswer"}


def test_waves_of_observe_mode_leave_out_the_last_of_a_group(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """In observe mode, Certroll names the apps that it would stop, and not the last running app of a group."""
    hosted = Hosted(apps=3)
    for name in ("api", "shop"):
        hosted.tag(name, "certroll-group", "front")
    hosted.set_state("shop", STOPPED)
    installation = install(hosted.world)  # without a limit, Certroll adds the root and stops no app
    hosted.put_new()
    installation.sweep_everything()
    installation.deliver_all()
    before = writes(hosted.world)
    caplog.clear()
    installation.intent = replace(installation.intent, mode=Mode.OBSERVE, ase_max_unavailable=MaxUnavailable(3))
    with caplog.at_level("INFO", "certroll"):
        installation.sweep_everything()
        installation.deliver_all()
    lines = [json.loads(line) for line in caplog.messages]
    (ended,) = [line for line in lines if line["event"] == "environment.reconciled"]
    assert (ended["outcome"], ended["reason"]) == ("Converged", "ObserveOnly")
    assert ended["detail"] == (
        "Certroll would stop and start these apps: shop/staging; api is the last app of group front that runs: "
        "set CERTROLL_MODE=apply to let it"
    )
    assert writes(hosted.world) == before


def test_checks_of_many_places_read_a_vault_once(install: Install) -> None:
    """A sweep in observe mode reads the rights on a vault once, however many webspaces would get its certificates."""
    world = World(Clock())
    build = Builder(world)
    build.add_vault(VAULT)
    plans = [build.add_plan(place, location=f"{place}europe") for place in ("west", "north", "east")]
    for name in ("web", "api", "mail"):
        build.add_certificate(name, ("*.contoso.com",))
        for plan in plans:
            build.add_copy(name, plan, name=f"{name}-{plan.name}")
    world.clock.advance(AGE)
    installation = install(world, mode=Mode.OBSERVE)
    for name in ("web", "api", "mail"):
        world.vaults[VAULT].renew(name)
    installation.sweep()
    paths = [entry.path for entry in world.journal.entries()]
    assert sum(RIGHTS in path for path in paths) == 1
    assert writes(world) == 0


def test_an_installation_that_applies_checks_nothing_twice(install: Install) -> None:
    """In apply mode, Certroll makes the checks only right before each write, so that the sweep costs no more."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    renew(world)
    installation.sweep()
    assert not [entry.path for entry in world.journal.entries() if RIGHTS in entry.path]
