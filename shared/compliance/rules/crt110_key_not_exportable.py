"""CRT110: the next version of a vault certificate cannot be imported."""

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
    not_applicable,
    passed,
)
from shared.compliance.subjects import ObjectFacts
from shared.domain.names import ObjectKind
from shared.domain.shown import Source


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a policy whose next key is not exportable, where App Service imports the certificate."""
    if known.lineage.ref.kind is ObjectKind.SECRET:
        return not_applicable("a plain secret holds its key in the open")
    if not any(copy.copy.source == known.lineage.ref for copy in facts.copies):
        return not_applicable("App Service has not imported it")
    found = evidence(known.policy, "key_props.exportable", expected=True)
    if known.policy.boolean("key_props.exportable"):
        return passed(found)
    return failed(f"the policy of {known.label} makes the next key not exportable", found)


RULE = Rule(
    id="CRT110",
    name="KeyNotExportable",
    title="The key of the vault certificate may not leave the vault",
    why="App Service cannot import such a version: the renewal stays in the vault.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Import a certificate from Key Vault"'),),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Set exportable to true in the policy, and make a new version.",
    silent="A vault certificate that App Service has not imported.",
    examples=(
        Example(
            "the next key may not leave the vault",
            changes.policy(key_props={"reuse_key": False, "exportable": False}),
            Status.FAIL,
        ),
        Example("the next key may leave the vault", {}, Status.PASS),
        Example(
            "App Service has not imported the certificate",
            changes.both(
                changes.policy(key_props={"reuse_key": False, "exportable": False}),
                {"certificates": {"wildcard": None}},
            ),
            Status.NOT_APPLICABLE,
        ),
    ),
)
