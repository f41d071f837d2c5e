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
from shared.domain.certificates.requirements import PKCS12
from shared.domain.names import ObjectKind
from shared.domain.shown import Source


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a policy whose next version App Service cannot import: its key stays in the vault, or it is no PKCS12."""
    if known.lineage.ref.kind is ObjectKind.SECRET:
        return not_applicable("a plain secret holds its key in the open")
    if not any(copy.copy.source == known.lineage.ref for copy in facts.copies):
        return not_applicable("App Service has not imported it")
    key = evidence(known.policy, "key_props.exportable", expected=True)
    if not known.policy.boolean("key_props.exportable"):
        return failed(f"the policy of {known.label} makes the next key not exportable", key)
    form = evidence(known.policy, CONTENT_TYPE, PKCS12)
    kind = known.policy.text(CONTENT_TYPE)
    if kind.strip().lower() == PKCS12:
        return passed(key, form)
    return failed(f"the policy of {known.label} makes the next version {kind} and not PKCS12", form)


CONTENT_TYPE = "secret_props.contentType"


RULE = Rule(
    id="CRT110",
    name="KeyNotExportable",
    title="App Service cannot import the next version of the vault certificate",
    why="App Service imports only a PKCS12 with its private key: the renewal stays in the vault.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Import a certificate from Key Vault"'),),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Set exportable to true and the content type to application/x-pkcs12 in the policy, and make a new version.",
    silent="A vault certificate that App Service has not imported.",
    examples=(
        Example(
            "the next key may not leave the vault",
            changes.policy(key_props={"reuse_key": False, "exportable": False}),
            Status.FAIL,
        ),
        Example("the next version is a PKCS12 whose key may leave the vault", {}, Status.PASS),
        Example(
            "the next version is a PEM file",
            changes.policy(secret_props={"contentType": "application/x-pem-file"}),
            Status.FAIL,
        ),
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
