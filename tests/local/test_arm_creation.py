"""Create and delete plans, sites, slots and vaults in the simulated ARM."""

from typing import Any

import pytest

from local.worlds.builders import Builder
from tests.local.arm_client import Client

Json = Any


class Empty:
    """An empty resource group, and the requests that fill it."""

    def __init__(self) -> None:
        self.build = Builder()
        self.world = self.build.world
        group = self.build.add_group("shop")
        self.arm, self.group = Client(self.world), group.id
        self.web = f"{group.id}/providers/Microsoft.Web"
        self.vault = f"{group.id}/providers/Microsoft.KeyVault/vaults/shop-kv"
        key_vault = f"/subscriptions/{group.subscription}/providers/Microsoft.KeyVault"
        self.deleted_vault = f"{key_vault}/locations/westeurope/deletedVaults/shop-kv"

    def put_plan(self, name: str = "plan", sku: str = "S1") -> Json:
        """Create a plan, and return ARM's answer."""
        return self.arm.put(f"{self.web}/serverfarms/{name}", {"location": "westeurope", "sku": {"name": sku}})

    def put_site(self, name: str = "shop", status: int = 200, **more: Json) -> Json:
        """Create a site or slot on the plan, and return ARM's answer."""
        properties = {"serverFarmId": f"{self.web}/serverfarms/plan"}
        body = {"location": "westeurope", "properties": properties, **more}
        return self.arm.put(f"{self.web}/sites/{name}", body, status)

    def put_vault(self, status: int = 200, **properties: Json) -> Json:
        """Create a vault, and return ARM's answer."""
        wanted = {"tenantId": self.world.tenant_id, "sku": {"family": "A", "name": "standard"}} | properties
        return self.arm.put(
            self.vault, {"location": "westeurope", "tags": {"team": "shop"}, "properties": wanted}, status
        )


@pytest.fixture
def empty() -> Empty:
    """Return an empty resource group."""
    return Empty()


def test_new_plan_has_a_webspace_of_its_group_and_region(empty: Empty) -> None:
    """The response to the PUT of a new plan shows its webspace and its size, as recorded from azure-cli."""
    plan = empty.put_plan()
    assert (plan["properties"]["webSpace"], plan["sku"]["tier"]) == ("shop-WestEuropewebspace", "Standard")
    assert empty.arm.get(f"{empty.web}/serverfarms/plan")["properties"]["provisioningState"] == "Succeeded"


def test_plan_with_a_site_is_not_deleted(empty: Empty) -> None:
    """A plan is deleted only after its last site, and then a second deletion answers 204."""
    empty.put_plan()
    empty.put_site()
    refused = empty.arm.delete(f"{empty.web}/serverfarms/plan", 409)
    assert refused["Details"][2]["ErrorEntity"]["ExtendedCode"] == "11003"
    assert "web app(s) shop assigned" in refused["Message"]
    empty.arm.delete(f"{empty.web}/sites/shop?deleteEmptyServerFarm=false")
    empty.arm.delete(f"{empty.web}/serverfarms/plan")
    empty.arm.delete(f"{empty.web}/serverfarms/plan", 204)


def test_last_site_takes_its_plan_along(empty: Empty) -> None:
    """The deletion of the last site deletes its plan, unless the request says otherwise."""
    empty.put_plan()
    empty.put_site()
    empty.put_site("other")
    empty.arm.delete(f"{empty.web}/sites/other")
    empty.arm.get(f"{empty.web}/serverfarms/plan")
    empty.arm.delete(f"{empty.web}/sites/shop")
    empty.arm.get(f"{empty.web}/serverfarms/plan", 404)


def test_new_site_runs_and_has_a_slot(empty: Empty) -> None:
    """A new site runs under its default host name, and a slot of the site begins with the site's settings."""
    empty.put_plan()
    site = empty.put_site(identity={"type": "SystemAssigned"}, tags={"team": "shop"})
    assert site["properties"]["state"] == "Running"
    assert site["properties"]["defaultHostName"] == "shop.azurewebsites.net"
    assert site["identity"]["principalId"]
    assert site["tags"] == {"team": "shop"}
    empty.arm.put(f"{empty.web}/sites/shop/config/appsettings", {"properties": {"A": "1"}})
    slot = empty.put_site("shop/slots/staging")
    assert slot["properties"]["defaultHostName"] == "shop-staging.azurewebsites.net"
    assert empty.arm.post(f"{empty.web}/sites/shop/slots/staging/config/appsettings/list")["properties"] == {"A": "1"}


def test_deleted_site_takes_its_slots_along(empty: Empty) -> None:
    """The deletion of a site deletes its slots and its public certificates, and frees its name."""
    empty.put_plan()
    empty.put_site()
    empty.put_site("shop/slots/staging")
    empty.arm.delete(f"{empty.web}/sites/shop")
    assert list(empty.world.web.sites.values()) == []
    assert empty.world.web.site_behind("shop-staging.azurewebsites.net") is None
    empty.put_plan()
    empty.put_site()


def test_site_name_is_taken_everywhere(empty: Empty) -> None:
    """A site name that another resource group has is refused with 409."""
    empty.put_plan()
    empty.put_site()
    empty.build.add_group("other")
    other = f"{empty.group.removesuffix('/shop')}/other/providers/Microsoft.Web/sites/shop"
    body = {"location": "westeurope", "properties": {"serverFarmId": f"{empty.web}/serverfarms/plan"}}
    assert empty.arm.put(other, body, 409)["Message"] == "Website with given name shop already exists."


def test_site_needs_a_plan_that_exists(empty: Empty) -> None:
    """A site on a missing plan is refused with Microsoft.Web's code 51004."""
    refused = empty.put_site(status=404)
    assert refused["Details"][2]["ErrorEntity"]["ExtendedCode"] == "51004"


@pytest.mark.parametrize(("asked", "shown"), [({}, False), ({"enableRbacAuthorization": True}, True)])
def test_new_vault_has_the_access_that_was_asked_for(empty: Empty, asked: Json, shown: bool) -> None:  # noqa: FBT001
    """A new vault of an API version before 2026-02-01 uses access policies, unless the request asks for roles."""
    made = empty.put_vault(**asked)
    assert made["properties"]["enableRbacAuthorization"] is shown
    assert made["tags"] == {"team": "shop"}


def test_deleted_vault_keeps_its_name_until_it_is_purged(empty: Empty) -> None:
    """A deleted vault is listed as deleted with its tags, and its name is free only after the purge."""
    empty.put_vault()
    empty.arm.delete(empty.vault)
    empty.arm.get(empty.vault, 404)
    assert empty.arm.get(empty.deleted_vault)["properties"]["tags"] == {"team": "shop"}
    assert empty.put_vault(status=409)["error"]["code"] == "ConflictError"
    assert empty.arm.send("POST", f"{empty.deleted_vault}/purge").status == 202
    empty.arm.get(empty.deleted_vault, 404)
    empty.put_vault()


def test_deleted_vault_can_be_recovered(empty: Empty) -> None:
    """A PUT with the create mode `recover` brings a deleted vault back with its content."""
    empty.put_vault()
    empty.world.vaults["shop-kv"].add("shop", ["shop.contoso.com"])
    empty.arm.delete(empty.vault)
    empty.put_vault(createMode="recover")
    assert list(empty.world.vaults["shop-kv"].certificates) == ["shop"]


def test_vault_name_is_taken_everywhere(empty: Empty) -> None:
    """A vault name that another resource group has is refused with 409."""
    empty.build.add_vault("shop-kv", empty.build.add_group("other"))
    assert empty.put_vault(status=409)["error"]["code"] == "VaultAlreadyExists"
