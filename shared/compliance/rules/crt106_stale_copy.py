"""CRT106: an imported certificate is not the newest version of its vault."""

from datetime import timedelta

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
from shared.compliance.subjects import CopyFacts
from shared.domain.shown import Gap, NotSeen, Source

DELAY = timedelta(days=1)
"""How long App Service itself may take to fetch a new version."""


def check(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail an import whose thumbprint is not that of the current version, a day after the version came."""
    known = facts.object_of(copy.copy.source)
    if known is None and copy.copy.source is not None and facts.follows(copy.copy.source):
        raise NotSeen(Source.POLICY, Gap.NOT_READ, str(copy.copy.source))
    if known is None:
        return not_applicable("Certroll does not follow its vault")
    current = known.lineage.current
    if current is None:
        return not_applicable("Certroll may carry no version of the vault certificate")
    found = Evidence("thumbprint", copy.copy.thumbprint, current.thumbprint, copy.listed.read_at, copy.listed.source)
    if copy.copy.thumbprint == current.thumbprint:
        return passed(found)
    if facts.now - current.created < DELAY:
        return not_applicable("the newest version came within the last day")
    return failed(f"{copy.label} has another thumbprint than version {current.version} of {known.lineage.ref}", found)


RULE = Rule(
    id="CRT106",
    name="StaleCopy",
    title="An imported certificate is not the vault's newest version",
    why="The sites show a certificate that its owner has replaced, until it ends.",
    area=Area.CERTIFICATES,
    severity=Severity.MEDIUM,
    citations=(Citation('Azure docs, "Add and manage TLS/SSL certificates"'),),
    needs=frozenset({Source.LIST, Source.POLICY}),
    about=lambda facts: tuple(copy for copy in facts.copies if copy.copy.source is not None),
    check=check,
    fix=Fix.ROTATION,
    remedy=("Look in Certroll's plan why it does not sync the certificate: an opt-out, a hold or a blind spot."),
    silent=(
        "A vault that Certroll does not follow, and the first day after a renewal: App Service itself takes up to "
        "24 hours."
    ),
    examples=(
        Example("the import shows the version before", changes.certificate(thumbprint="B" * 40), Status.FAIL),
        Example("the import shows the newest version", {}, Status.PASS),
        Example(
            "the vault is not followed",
            changes.certificate(thumbprint="B" * 40, keyVaultId="elsewhere-kv"),
            Status.NOT_APPLICABLE,
        ),
        Example("the vault could not be read", {"objects": {"wildcard": None}}, Status.NOT_CHECKED),
    ),
)
