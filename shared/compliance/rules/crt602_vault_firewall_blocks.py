"""CRT602: the firewall of a vault keeps App Service out."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    evidence,
    failed,
    passed,
)
from shared.compliance.subjects import VaultFacts
from shared.domain.shown import Source


def check(vault: VaultFacts, facts: Facts) -> Verdict:
    """Fail a vault that is closed to public networks and to trusted services."""
    acls = vault.resource.value("networkAcls")
    closed = acls is not None and vault.resource.text("networkAcls.defaultAction").lower() == "deny"
    public = vault.resource.optional_text("publicNetworkAccess")
    found = evidence(vault.resource, "publicNetworkAccess", "Enabled")
    if not closed and (public or "Enabled").lower() != "disabled":
        return passed(found)
    bypass = "AzureServices" if acls is None else vault.resource.text("networkAcls.bypass")
    if bypass.lower() == "azureservices":
        return passed(evidence(vault.resource, "networkAcls", None))
    return failed(f"{vault.label} lets in neither public networks nor trusted services", found)


RULE = Rule(
    id="CRT602",
    name="VaultFirewallBlocks",
    title="The firewall of the vault keeps App Service out",
    why="App Service cannot fetch new versions of the certificates.",
    area=Area.VAULTS,
    severity=Severity.HIGH,
    citations=(
        Citation('Azure docs, "Key Vault firewall", trusted services'),
        Citation("Azure Policy 55615ac9-af46-4a59-874e-391cc3dfb490"),
    ),
    needs=frozenset({Source.VAULT}),
    about=lambda facts: facts.vaults,
    check=check,
    fix=Fix.COMMAND,
    remedy="az keyvault update --name {vault} --bypass AzureServices",
    silent="A closed vault that trusted services may enter, which is what the benchmark wants.",
    examples=(
        Example(
            "the vault is closed to all",
            changes.vault(networkAcls={"defaultAction": "Deny", "bypass": "None"}),
            Status.FAIL,
        ),
        Example("the vault is open", {}, Status.PASS),
        Example(
            "trusted services may enter the closed vault",
            changes.vault(networkAcls={"defaultAction": "Deny", "bypass": "AzureServices"}),
            Status.PASS,
        ),
        Example(
            "public access is off, and trusted services may not enter",
            changes.vault(publicNetworkAccess="Disabled", networkAcls={"defaultAction": "Allow", "bypass": "None"}),
            Status.FAIL,
        ),
    ),
)
