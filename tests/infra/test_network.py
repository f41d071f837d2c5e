"""A private installation has no public address but those that the page of installations lists."""

import re
from typing import Any

import pytest

from infra.sources import INFRA
from tests.infra.test_templates import Resource, resources, settings
from tests.pages import part_of, rows_of, text_of

STORAGE, VAULT = "`ACCOUNT.blob`, `.queue`, `.table`", "`VAULT.vault.azure.net`"
MONITOR, TOPICS, APP = "Application Insights", "the system topics", "the app"
ADDRESSES = {
    "Microsoft.Storage/storageAccounts": STORAGE,
    "Microsoft.Insights/components": MONITOR,
    "Microsoft.OperationalInsights/workspaces": MONITOR,
    "Microsoft.Web/sites": APP,
}
"""The types of resources that answer at an address, each with the address as the pages write it."""
NO_ADDRESS = {
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.EventGrid/systemTopics",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/privateLinkScopes/scopedResources",
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.Insights/workbooks",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/queueServices",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Web/sites/config",
}
"""The types of resources without an address of their own: parts of other resources, and what nobody connects to."""
PRIVATE = ["private", "private-deny"]


def is_public(resource: Resource) -> bool:
    """Return True if a resource answers the internet. Azure takes a missing property for public access."""
    properties: dict[str, Any] = resource["properties"]
    access = [value for key, value in properties.items() if key.startswith("publicNetworkAccess")]
    return access == [] or set(access) != {"Disabled"}


def endpoints(variant: str) -> list[str]:
    """Return to which part of a resource each private endpoint of a variant leads."""
    connections = [
        connection["properties"]
        for entry in resources(variant, "Microsoft.Network/privateEndpoints")
        for connection in entry["properties"]["privateLinkServiceConnections"]
    ]
    return sorted(group for connection in connections for group in connection["groupIds"])


def deployed_as_public(variant: str) -> set[str]:
    """Return the addresses that a variant leaves public, by its resources and private endpoints."""
    public = [entry["type"] for entry in resources(variant) if entry["type"] in ADDRESSES and is_public(entry)]
    found = {ADDRESSES[kind] for kind in public}
    (account,) = resources(variant, "Microsoft.Storage/storageAccounts")
    let_in = account["properties"]["networkAcls"]["bypass"] == "AzureServices"
    if let_in and resources(variant, "Microsoft.EventGrid/systemTopics"):
        found.add(TOPICS)
    if endpoints(variant).count("vault") < len(settings(variant)["CERTROLL_VAULTS"].split(",")):
        found.add(VAULT)
    return found


def listed_as_public(variant: str) -> set[str]:
    """Return the addresses that the page lists for the parameters of a variant."""
    text = (INFRA / "variants" / f"{variant}.bicepparam").read_text(encoding="utf-8")
    given = dict(re.findall(r"^param (\w+) = (.+)$", text, re.MULTILINE))
    holds = {"always": True}
    for name in ("monitorPrivateLinkScopeId", "vaultEndpoints"):
        holds[f"without `{name}`"] = given.get(name, "false") == "false"
    holds["with `storageFirewall` = `deny`"] = given.get("storageFirewall") == "'deny'"
    rows = rows_of(part_of(text_of("docs/reference/installation.md"), "The network"))[1:]
    return {address for address, condition, _ in rows if holds[condition]}


def requested() -> set[str]:
    """Return every address that Certroll sends requests to, from the page of security."""
    return {row[0] for row in rows_of(part_of(text_of("docs/reference/security.md"), "Where requests go"))[1:]}


@pytest.mark.parametrize("variant", PRIVATE)
def test_private_installation_is_public_only_where_the_page_says(variant: str) -> None:
    """The page lists what a private installation leaves public: all of it, and nothing that is private."""
    outside = requested() - {STORAGE, VAULT, MONITOR}
    assert deployed_as_public(variant) | outside == listed_as_public(variant)
    assert APP not in deployed_as_public(variant)


@pytest.mark.parametrize("variant", PRIVATE)
def test_private_installation_reaches_what_is_private(variant: str) -> None:
    """Private endpoints lead to each part of the storage and to the app, and the firewall of the storage is shut."""
    assert {"blob", "queue", "sites", "table"} <= set(endpoints(variant))
    (account,) = resources(variant, "Microsoft.Storage/storageAccounts")
    assert account["properties"]["networkAcls"] == {"bypass": "AzureServices", "defaultAction": "Deny"}


@pytest.mark.parametrize("variant", PRIVATE)
def test_each_kind_of_resource_is_known_to_have_an_address_or_none(variant: str) -> None:
    """A new kind of resource in a private network needs a decision: it has an address that may be public, or none."""
    assert {entry["type"] for entry in resources(variant)} - ADDRESSES.keys() - NO_ADDRESS == set()
