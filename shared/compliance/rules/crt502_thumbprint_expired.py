"""CRT502: an app setting names a certificate that has ended."""

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
from shared.domain.shown import Gap, NotSeen, Source

MOST = 5
"""How many certificates a finding names."""


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail an app whose settings name a certificate within its reach that has ended."""
    settings = facts.settings_of(site.ref)
    if not settings.named:
        return not_applicable("its settings name no certificate")
    near = [copy for copy in facts.copies_at(site.ref) if copy.thumbprint in settings.named]
    over = sorted(copy.ref.name for copy in near if copy.not_after and copy.not_after <= facts.now)
    found = Evidence("expirationDate", tuple(over[:MOST]), (), facts.fleet.taken_at, Source.LIST)
    if not over and any(copy.not_after is None for copy in near):
        raise NotSeen(Source.LIST, Gap.NOT_SHOWN, f"the end of a certificate that {site.label} names")
    if not over and site.site.webspace is not None and not facts.is_complete(site.site.webspace):
        raise NotSeen(Source.LIST, Gap.NOT_READ, f"all certificates within reach of {site.label}")
    if not over:
        return passed(found)
    return failed(f"{site.label} names {over[0]}, which has ended", found)


RULE = Rule(
    id="CRT502",
    name="ThumbprintExpired",
    title="An app setting names a certificate that has ended",
    why="Partners refuse the app's calls.",
    area=Area.SETTINGS,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Use TLS/SSL certificates in your application code"'),),
    needs=frozenset({Source.LIST, Source.SETTINGS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.ROTATION,
    remedy="Renew the certificate in its vault; Certroll brings the new thumbprint into the settings.",
    silent="Apps that use an old certificate to check old signatures: waive it there.",
    examples=(
        Example(
            "the named certificate has ended",
            changes.certificate(issueDate="2026-05-15T00:00:00+00:00", expirationDate="2026-10-10T00:00:00+00:00"),
            Status.FAIL,
        ),
        Example("the named certificate is valid", {}, Status.PASS),
        Example(
            "the settings name no certificate", changes.settings(WEBSITE_LOAD_CERTIFICATES=""), Status.NOT_APPLICABLE
        ),
    ),
)
