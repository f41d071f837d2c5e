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
    newest = next(version for version in known.lineage.versions if version.enabled)
    shown = copy.copy.thumbprint
    if shown in {current.thumbprint, newest.thumbprint} or known.lineage.later(shown) is not None:
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
        "A vault that Certroll does not follow; the first day after a renewal, because App Service itself takes up to "
        "24 hours; an import of the newest version that Certroll refuses to carry; a version that begins and ends later"
        " than the one that a restored vault calls its newest."
    ),
    examples=(
        Example("the import shows the version before", changes.certificate(thumbprint="B" * 40), Status.FAIL),
        Example("the import shows the newest version", {}, Status.PASS),
        Example(
            "the vault is not followed",
            changes.certificate(thumbprint="B" * 40, keyVaultId="elsewhere-kv"),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "the newest version came this morning",
            changes.both(changes.certificate(thumbprint="B" * 40), {"now": "2026-09-15T09:00:00+00:00"}),
            Status.NOT_APPLICABLE,
        ),
        Example("App Service imported the newest version, which Certroll refuses", changes.refused("v2"), Status.PASS),
        Example(
            "a restored vault calls the oldest version its newest",
            changes.both(
                changes.certificate(thumbprint="B" * 40),
                changes.versions(
                    {"not_before": "2026-03-20T00:00:00+00:00", "not_after": "2026-10-06T00:00:00+00:00"},
                    {"version": "v1", "thumbprint": "B" * 40},
                ),
            ),
            Status.PASS,
        ),
        Example("the vault could not be read", {"objects": {"wildcard": None}}, Status.NOT_CHECKED),
    ),
)
