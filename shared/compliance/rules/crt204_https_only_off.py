"""CRT204: a site answers plain HTTP."""

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
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site that does not redirect HTTP to HTTPS. Where client certificates are on, CRT407 says it."""
    found = evidence(site.listed, "httpsOnly", expected=True)
    if site.listed.boolean("httpsOnly"):
        return passed(found)
    if site.listed.boolean("clientCertEnabled"):
        return not_applicable("CRT407 reports client certificates over HTTP")
    return failed("App Service answers plain HTTP and does not redirect to HTTPS", found)


RULE = Rule(
    id="CRT204",
    name="HttpsOnlyOff",
    title="The site answers plain HTTP",
    why="A visitor who types the name without https, or follows an old link, sends cookies and forms in the clear.",
    area=Area.BINDINGS,
    severity=Severity.HIGH,
    citations=(
        Citation("CIS Azure Foundations 3.0, 9.1"),
        Citation("Azure Policy a4af4a39-4135-47fb-b175-47fbdf85311d"),
    ),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="az webapp update --subscription {subscription} --resource-group {group} --name {name} --https-only true",
    silent="Where client certificates are on, CRT407 reports the same switch. Waive it where Front Door redirects.",
    examples=(
        Example("httpsOnly is off", changes.site(httpsOnly=False), Status.FAIL),
        Example("httpsOnly is on", {}, Status.PASS),
        Example(
            "client certificates are on, so CRT407 reports it",
            changes.site(httpsOnly=False, clientCertEnabled=True),
            Status.NOT_APPLICABLE,
        ),
    ),
)
