"""CRT407: client certificates are asked for, and plain HTTP is open."""

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


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site that asks for certificates and answers plain HTTP."""
    if not asks(site.listed):
        return not_applicable("App Service asks nobody for a certificate")
    found = evidence(site.listed, "httpsOnly", expected=True)
    if site.listed.boolean("httpsOnly"):
        return passed(found)
    return failed(f"{site.label} asks for client certificates and answers plain HTTP", found)


RULE = Rule(
    id="CRT407",
    name="ClientCertOverHttp",
    title="Plain HTTP leads around the client certificates",
    why="Over HTTP nobody can show a certificate. The app gets the request without one.",
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Set up TLS mutual authentication"'),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=("az webapp update --subscription {subscription} --resource-group {group} --name {name} --https-only true"),
    silent="A site that asks nobody: CRT204 reports plain HTTP there.",
    examples=(
        Example(
            "certificates are asked for and httpsOnly is off",
            changes.site(clientCertEnabled=True, httpsOnly=False),
            Status.FAIL,
        ),
        Example("certificates are asked for and httpsOnly is on", changes.site(clientCertEnabled=True), Status.PASS),
        Example("nobody is asked", changes.site(httpsOnly=False), Status.NOT_APPLICABLE),
    ),
)
