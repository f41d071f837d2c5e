"""Check that Certroll keeps apart two resources that have the same names in two subscriptions."""

from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.vault.authority import Authority
from local.azure.world import World
from local.worlds.builders import Builder
from shared.domain.errors import Conflict
from shared.domain.names import EnvironmentRef
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import PROBE, ROOT, VAULT

BY_HAND = "StopStartByHand"


def two_environments() -> tuple[World, list[str]]:
    """Return two environments of one name and one group name, each with an app, and a vault object with a root."""
    world = World(Clock())
    build, ids, named = Builder(world), list[str](), list[str]()
    for number in (1, 2):
        subscription = build.add_subscription(f"Contoso {number}")
        ase = build.add_environment("ase", build.add_group("network", subscription))
        build.add_site(f"app{number}", build.add_plan(f"plan{number}", environment=ase), tags=PROBE)
        ids.append(EnvironmentRef.parse(ase.id).resource_id)
        named.append(f"{subscription.id}/network/ase")
    tags = {"certroll-root-of": ", ".join(named)}
    build.add_root_object(ROOT, Authority("Corp").root_leaf, build.add_vault(VAULT), tags=tags)
    world.clock.advance(timedelta(days=2))
    return world, ids


@pytest.mark.real_storage
def test_two_environments_of_one_name_are_reported_and_marked_each_by_itself(install: Install) -> None:
    """A report about the development environment neither marks production as done nor closes its finding."""
    world, ids = two_environments()
    installation = install(world)
    installation.look_at(VAULT, ROOT, kind="secret")
    installation.deliver_all(timedelta(hours=6))

    def waiting() -> list[str]:
        rows = installation.rows("certrollfindings")
        return sorted(str(row["resource"]) for row in rows if row["reason"] == BY_HAND and row["state"] == "open")

    assert waiting() == sorted(ids)
    for ask in (installation.confirm_stop_start, installation.request_stop_start):
        with pytest.raises(Conflict) as refused:
            ask("network", "ase")
        assert all(environment in str(refused.value) for environment in ids)
    assert waiting() == sorted(ids)
    assert installation.confirm_stop_start("network", "ase", ids[0]) == ids[0]
    assert waiting() == [ids[1]]
    assert installation.errors == []
