"""CRT603: a vault can lose its certificates for good."""

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
    """Fail a vault without soft delete or without protection against purging. Azure leaves null what nobody set."""
    found = Evidence(
        "enablePurgeProtection",
        _shown(vault),
        expected=True,
        read_at=vault.resource.read_at,
        source=vault.resource.source,
    )
    if found.value is True:
        return passed(found)
    soft = vault.resource.properties.get("enableSoftDelete") is not False
    what = "lets people purge what they deleted" if soft else "deletes for good"
    return failed(f"{vault.label} {what}", found)


def _shown(vault: VaultFacts) -> bool | None:
    """Return the switch, or None where Azure shows null or nothing, which both mean that it is off."""
    if vault.resource.gap is None and "enablePurgeProtection" not in vault.resource.properties:
        return None
    return (
        None
        if vault.resource.value("enablePurgeProtection") is None
        else vault.resource.boolean("enablePurgeProtection")
    )


RULE = Rule(
    id="CRT603",
    name="VaultLossPossible",
    title="The vault can lose its certificates for good",
    why="Whoever may purge takes every private key away at once, and nobody brings them back.",
    area=Area.VAULTS,
    severity=Severity.MEDIUM,
    citations=(
        Citation("Azure Policy 0b60c0b2-2dc2-4e1c-b5c9-abbed971de53"),
        Citation("Azure Policy 1e66c121-a66a-4b1f-9b83-0fd99bf0fc2d"),
    ),
    needs=frozenset({Source.VAULT}),
    about=lambda facts: facts.vaults,
    check=check,
    fix=Fix.COMMAND,
    remedy="az keyvault update --name {vault} --enable-purge-protection true",
    silent="Nothing. The protection cannot be undone, so a person decides.",
    examples=(
        Example("purging is possible", changes.vault(enablePurgeProtection=None), Status.FAIL),
        Example("purging is impossible for ninety days", {}, Status.PASS),
        Example("soft delete is off", changes.vault(enableSoftDelete=False, enablePurgeProtection=None), Status.FAIL),
    ),
)
