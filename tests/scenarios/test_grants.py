"""Run Certroll before owners of subscriptions and vaults have granted it anything, and read what people are told."""

import re
from datetime import timedelta

import pytest

from local.azure.entra.tokens import CERTROLL
from local.azure.vault.access import Mechanism
from local.azure.world import World
from local.variants import grants
from shared.domain.errors import Denied
from shared.domain.reason import Reason
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import NAME, VAULT, after_renewal, renew, shown, small_world

TEMPLATE = re.compile(r"`(az deployment [^`]*)`")


def told(installation: Installation) -> dict[tuple[str, str], str]:
    """Return the subject and reason of each open finding, with its detail."""
    rows = (row for row in installation.rows("certrollfindings") if row.get("state") == "open")
    return {(str(row["subject"]), str(row["reason"])): str(row["detail"]) for row in rows}


def commands(installation: Installation) -> set[str]:
    """Return the commands of owners that the open findings name."""
    return {command for detail in told(installation).values() for command in TEMPLATE.findall(detail)}


def for_subscription(world: World) -> str:
    """Return the command of the owner of the fleet's only subscription."""
    (subscription,) = world.subscriptions.values()
    return f"az deployment sub create --subscription {subscription.id} … --template-file infra/subscription.bicep …"


FOR_VAULT = f"az deployment group create … --template-file infra/vault.bicep --parameters vaultName={VAULT} …"


def sweep(installation: Installation) -> None:
    """Sweep, and deliver all messages."""
    installation.sweep_everything()
    installation.deliver_all(timedelta(hours=2))


def test_what_no_owner_has_granted_names_the_command_until_it_is_granted(install: Install) -> None:
    """With grants apart, findings name the command of each owner until the owners have run it; then a renewal runs."""
    world = small_world()
    (subscription,) = (known.id for known in world.subscriptions.values())
    installation = install(world, variant="apart", subscriptions=(subscription,))
    before = shown(world)
    sweep(installation)
    assert commands(installation) == {for_subscription(world), FOR_VAULT}
    assert {reason for _, reason in told(installation)} >= {Reason.VAULT_DENIED, Reason.BLIND_SPOT}
    new = renew(world)
    world.grants.give(CERTROLL.object_id, grants())
    sweep(installation)
    sweep(installation)
    assert commands(installation) == set()
    assert shown(world) == after_renewal(before, new)


def test_identity_that_sees_no_subscription_names_the_command(install: Install) -> None:
    """If Azure shows no subscription, because no owner has granted anything, a finding names the owner's command."""
    world = small_world()
    installation = install(world, variant="apart")
    (subscription,) = world.subscriptions
    world.roles.hide(f"/subscriptions/{subscription}")
    with pytest.raises(Denied):
        installation.sweep()
    assert for_subscription(world).replace(subscription, "ID") in commands(installation)


def test_role_of_observe_mode_names_the_mode(install: Install) -> None:
    """If somebody turns apply mode on by hand, the refused write names the command that adds the rights to write."""
    world = small_world()
    installation = install(world, variant="observe")
    renew(world)
    installation.look_at(VAULT, NAME)
    installation.deliver_all()
    denied = [detail for (_, reason), detail in told(installation).items() if reason == Reason.DENIED_BY_AZURE]
    assert denied != []
    assert all(f"`{for_subscription(world)}` with mode=apply (in full" in detail for detail in denied)


@pytest.mark.parametrize(("how", "named"), [("rbac", {FOR_VAULT}), ("policy", {FOR_VAULT}), ("firewall", set())])
def test_closed_firewall_names_no_command(install: Install, how: Mechanism, named: set[str]) -> None:
    """A vault that refuses by roles or access policies names its owner's command, and a firewall names none."""
    world = small_world()
    installation = install(world)
    world.vaults[VAULT].deny(how=how)
    sweep(installation)
    assert commands(installation) == named
    assert {reason for _, reason in told(installation)} == {Reason.VAULT_DENIED}
    assert ("firewall of the vault" in installation.details()) == (how == "firewall")
