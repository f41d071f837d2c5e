"""CRT505: a Key Vault reference names a version."""

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
    not_applicable,
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Source

MOST = 5
"""How many settings a finding names."""
ID = "0123456789abcdef" * 2
"""The id of a version."""


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail an app with a reference to a followed vault object that names a version."""
    references = facts.settings_of(site.ref).vault_references
    if not references:
        return not_applicable("its settings have no Key Vault reference that Certroll follows")
    pinned = sorted(reference.key for reference in references if reference.pinned is not None)
    found = Evidence("app settings", tuple(pinned[:MOST]), (), facts.fleet.taken_at, Source.SETTINGS)
    if not pinned:
        return passed(found)
    return failed(f"{len(pinned)} settings of {site.label} name a version, such as {pinned[0]}", found)


RULE = Rule(
    id="CRT505",
    name="PinnedReference",
    title="A Key Vault reference in an app setting names a version",
    why="A renewal does not reach the app: the reference stays with the old version until it ends.",
    area=Area.SETTINGS,
    severity=Severity.MEDIUM,
    citations=(Citation("docs/reference/reasons.md, PinnedReference"),),
    needs=frozenset({Source.SETTINGS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="Write the reference without its last part, so that the app follows the newest version.",
    silent="Apps without references. Waive it for a version that is meant.",
    examples=(
        Example(
            "the reference names a version",
            changes.settings(C=f"@Microsoft.KeyVault(VaultName=contoso-kv;SecretName=wildcard;SecretVersion={ID})"),
            Status.FAIL,
        ),
        Example(
            "the reference names no version",
            changes.settings(C="@Microsoft.KeyVault(SecretUri=https://contoso-kv.vault.azure.net/secrets/wildcard)"),
            Status.PASS,
        ),
        Example("there is no reference", {}, Status.NOT_APPLICABLE),
    ),
)
