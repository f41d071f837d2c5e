"""Give Certroll's identity exactly the actions of the documented custom role, and let each job of Certroll run."""

import json
import re
from dataclasses import replace

import pytest

from local.azure.world import World
from shared.domain.reason import Reason
from tests.pages import text_of
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import Hosted
from tests.scenarios.test_kind_faults import KINDS, expected, renewed, world_of
from tests.scenarios.test_managed import HOST, Elsewhere, a_world, asked, look
from tests.scenarios.test_roots import THREE, carried
from tests.scenarios.test_settings_writes import is_rolled, rolled
from tests.scenarios.worlds import VAULT, after_renewal, renew, shown, small_world

OPERATION_RESULTS = "Microsoft.Web/certificates/operationresults/read"


def documented_actions() -> list[str]:
    """Return the actions of the custom role on the page of roles."""
    (block,) = re.findall(r"```json\n(.*?)```", text_of("docs/reference/roles.md"), re.DOTALL)
    actions: list[str] = json.loads(block)["Actions"]
    return actions


def refused(world: World) -> list[str]:
    """Return the requests that the simulated Azure Resource Manager refused for want of a right."""
    return [f"{entry.method} {entry.path}" for entry in world.journal.entries() if entry.status == 403]


def test_documented_role_is_enough_for_a_renewal(install: Install) -> None:
    """With the documented custom role alone, a renewal ends as it does with every right, and nothing is refused."""
    world = small_world()
    world.roles.allow_only(documented_actions())
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert (installation.sweep(), refused(world)) == ((), [])


@pytest.mark.parametrize("kind", KINDS)
def test_documented_role_is_enough_for_each_kind_of_certificate(install: Install, kind: str) -> None:
    """With the documented custom role alone, each kind of certificate is renewed, and nothing is refused."""
    world = world_of(kind)
    world.roles.allow_only(documented_actions())
    installation = install(world, watched=True)
    new = renewed(installation)
    installation.deliver_all()
    assert KINDS[kind].shown(world, new) == expected(kind, world)
    assert refused(world) == []


def test_documented_role_is_enough_for_app_settings(install: Install) -> None:
    """With the documented custom role alone, an app's settings get the new thumbprint, and nothing is refused."""
    town, installation, new = rolled(install, lambda town: town.world.roles.allow_only(documented_actions()))
    assert is_rolled(town, new)
    assert installation.rolls() == {"billing": "Validated"}
    assert refused(town.world) == []


def test_documented_role_is_enough_for_the_root_of_an_environment(install: Install) -> None:
    """With the documented custom role alone, a root reaches the apps of an environment, and nothing is refused."""
    town = Hosted(apps=3)
    town.world.roles.allow_only(documented_actions())
    installation = install(town.world, ase_max_unavailable=THREE)
    town.put_new()
    carried(installation)
    assert town.trusting(town.new) == town.stopped_and_started
    assert refused(town.world) == []


def test_documented_role_is_enough_for_a_managed_certificate(install: Install) -> None:
    """With the documented custom role alone, Certroll requests a managed certificate, and learns why Azure refuses."""
    build = a_world(root=False)
    build.world.roles.allow_only(documented_actions())
    build.world.dns.remove(HOST, "CNAME")
    installation = install(build.world, watched=True, meddled=True)
    installation.ports = replace(installation.ports, dns=Elsewhere())
    assert look(installation) == {HOST: Reason.REJECTED_BY_AZURE}
    assert "does not have a CNAME record" in installation.details()
    assert refused(build.world) == []


def test_action_that_the_role_lacks_is_named(install: Install) -> None:
    """Without the action for operations, the finding names the missing action, and Certroll asks Azure only once."""
    build = a_world(root=False)
    build.world.roles.allow_only([action for action in documented_actions() if action != OPERATION_RESULTS])
    build.world.dns.remove(HOST, "CNAME")
    installation = install(build.world, watched=True, meddled=True)
    installation.ports = replace(installation.ports, dns=Elsewhere())
    assert look(installation) == {HOST: Reason.ISSUING}
    assert OPERATION_RESULTS in installation.details()
    assert asked(build.world) == 1
