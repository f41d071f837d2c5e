"""CRT605: a vault uses access policies."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Evidence,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    failed,
    passed,
)
from shared.compliance.subjects import VaultFacts
from shared.domain.shown import Source


def check(vault: VaultFacts, facts: Facts) -> Verdict:
    """Note a vault that uses access policies."""
    found = Evidence(
        "enableRbacAuthorization",
        bool(vault.resource.value("enableRbacAuthorization")),
        expected=True,
        read_at=vault.resource.read_at,
        source=vault.resource.source,
    )
    if vault.resource.value("enableRbacAuthorization") is None or not vault.resource.boolean("enableRbacAuthorization"):
        return failed(f"{vault.label} uses access policies", found)
    return passed(found)


RULE = Rule(
    id="CRT605",
    name="AccessPolicies",
    title="The vault uses access policies instead of roles",
    why="Whoever may write the vault can give himself every right on its secrets.",
    area=Area.VAULTS,
    severity=Severity.INFO,
    citations=(Citation("CIS Azure Foundations 5.0, 8.3.6"),),
    needs=frozenset({Source.VAULT}),
    about=lambda facts: facts.vaults,
    check=check,
    fix=Fix.COMMAND,
    remedy="az keyvault update --name {vault} --enable-rbac-authorization true",
    silent="Vaults that use roles. Grant the roles before you switch.",
    examples=(
        Example("the vault uses access policies", changes.vault(enableRbacAuthorization=False), Status.FAIL),
        Example("the vault uses roles", {}, Status.PASS),
    ),
)
