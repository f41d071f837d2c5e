"""CRT403: client certificates are optional."""

from shared.compliance import changes
from shared.compliance.client_certs import REQUIRED, asks, mode
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
    """Fail a site that asks for certificates in a mode that needs none, unless its owner wants that."""
    if not asks(site.listed):
        return not_applicable("App Service asks nobody for a certificate")
    if (facts.tag(site, CLIENT_CERTS.name) or "").lower() == "optional":
        return not_applicable("the owner wants optional certificates")
    found = evidence(site.listed, "clientCertMode", "Required")
    if mode(site.listed) == REQUIRED:
        return passed(found)
    return failed(
        f"the mode of {site.label} is {site.listed.text('clientCertMode')}: clients without a certificate get in", found
    )


RULE = Rule(
    id="CRT403",
    name="ClientCertOptional",
    title="App Service asks for client certificates and lets clients in without one",
    why=("The app itself must refuse clients without a certificate. Azure calls such a site `On` all the same."),
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.MEDIUM,
    citations=(Citation('Azure docs, "Set up TLS mutual authentication"'), Citation("azure-policy issue 866")),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp update --subscription {subscription} --resource-group {group} --name {name} --set "
        "clientCertMode=Required"
    ),
    silent=(
        "A site that asks nobody, and one whose owner wants optional certificates (`certroll-client-certs: optional`)."
    ),
    examples=(
        Example("the mode is Optional", changes.site(clientCertEnabled=True, clientCertMode="Optional"), Status.FAIL),
        Example("the mode is Required", changes.site(clientCertEnabled=True), Status.PASS),
        Example(
            "the owner wants it",
            changes.both(
                changes.tagged(certroll_client_certs="optional"),
                changes.site(clientCertEnabled=True, clientCertMode="Optional"),
            ),
            Status.NOT_APPLICABLE,
        ),
        Example("nobody is asked", {}, Status.NOT_APPLICABLE),
    ),
)
