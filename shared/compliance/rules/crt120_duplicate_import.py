"""CRT120: a webspace has a vault certificate twice."""

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
from shared.compliance.subjects import CopyFacts
from shared.domain.shown import Gap, NotSeen, Source

TWIN: changes.World = {
    "certificates": {
        "wildcard2": {
            "thumbprint": "A" * 40,
            "hostNames": ["*.contoso.com"],
            "subjectName": "*.contoso.com",
            "issuer": "Contoso Public CA",
            "issueDate": "2026-09-15T00:00:00+00:00",
            "expirationDate": "2027-03-15T00:00:00+00:00",
            "keyVaultId": "contoso-kv",
            "keyVaultSecretName": "wildcard",
            "keyVaultSecretStatus": "Initialized",
        }
    }
}


def check(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail an import of which the webspace has another one, with an earlier name."""
    twins = [
        other.ref.name
        for other in facts.fleet.certificates_in(copy.copy.webspace)
        if other.source == copy.copy.source and other.ref != copy.copy.ref
    ]
    found = Evidence("keyVaultSecretName", str(copy.copy.source), None, copy.listed.read_at, copy.listed.source)
    if not twins and not facts.is_complete(copy.copy.webspace):
        raise NotSeen(Source.LIST, Gap.NOT_READ, f"all certificates of webspace {copy.copy.webspace.name}")
    if not twins or copy.copy.ref.name < min(twins):
        return passed(found)
    return failed(f"{copy.copy.ref.name} and {min(twins)} are the same vault certificate {copy.copy.source}", found)


RULE = Rule(
    id="CRT120",
    name="DuplicateImport",
    title="A webspace has the same vault certificate twice",
    why="Somebody renews one of them and forgets the other, and both count towards the 1,000.",
    area=Area.CERTIFICATES,
    severity=Severity.LOW,
    citations=(Citation("docs/reference/reasons.md, DuplicateImport"),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: tuple(copy for copy in facts.copies if copy.copy.source is not None and copy.copy.site is None),
    check=check,
    fix=Fix.REQUEST,
    remedy=(
        "az webapp config ssl delete --subscription {subscription} --resource-group {group} "
        "--certificate-thumbprint THUMBPRINT"
    ),
    silent="The first one by name. A Flex Consumption app has a certificate of its own.",
    examples=(
        Example("a second import has another name", TWIN, Status.FAIL, subject="certificate web/wildcard2"),
        Example("each vault certificate is there once", {}, Status.PASS),
    ),
)
