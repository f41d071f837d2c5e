"""CRT305: HTTP/2 is off."""

from shared.compliance import changes
from shared.compliance.client_certs import asks
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
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Source
from shared.domain.tags import CLIENT_CERTS


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Note a site without HTTP/2, unless it asks for client certificates, which HTTP/2 may break."""
    if asks(site.listed):
        return not_applicable("client certificates and HTTP/2 do not go together (CRT405)")
    wish = (facts.tag(site, CLIENT_CERTS.name) or "").lower()
    if wish in {"required", "optional"}:
        return not_applicable("the owner wants client certificates, which HTTP/2 may break")
    found = evidence(site.config, "http20Enabled", expected=True)
    return (
        passed(found) if site.config.boolean("http20Enabled") else failed(f"{site.label} does not offer HTTP/2", found)
    )


RULE = Rule(
    id="CRT305",
    name="Http2Off",
    title="HTTP/2 is off",
    why="Pages with many parts load slower. Some standards count it as a missing control.",
    area=Area.TLS,
    severity=Severity.INFO,
    citations=(
        Citation("Azure Policy 8c122334-9d20-4eb8-89ea-ac9a705b74ae"),
        Citation("CIS Azure Foundations 3.0, 9.10"),
    ),
    needs=frozenset({Source.LIST, Source.CONFIG}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.NONE,
    remedy="Turn HTTP/2 on if the app is tested with it.",
    silent="Sites that ask for client certificates, or whose owner wants them.",
    examples=(
        Example("HTTP/2 is off", changes.config(http20Enabled=False), Status.FAIL),
        Example("HTTP/2 is on", {}, Status.PASS),
        Example(
            "the site asks for client certificates",
            changes.both(changes.config(http20Enabled=False), changes.site(clientCertEnabled=True)),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "the owner wants client certificates",
            changes.both(changes.config(http20Enabled=False), changes.tagged(certroll_client_certs="required")),
            Status.NOT_APPLICABLE,
        ),
    ),
)
