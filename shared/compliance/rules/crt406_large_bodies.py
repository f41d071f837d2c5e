"""CRT406: large requests fail where certificates come late."""

from shared.compliance import changes
from shared.compliance.client_certs import asks, renegotiates
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
    """Note a site that renegotiates."""
    if not asks(site.listed):
        return not_applicable("App Service asks nobody for a certificate")
    found = evidence(site.listed, "clientCertExclusionPaths", None)
    if not renegotiates(site.listed):
        return passed(found)
    return failed(f"{site.label} refuses POST and PUT of more than 100 KB on a new connection", found)


RULE = Rule(
    id="CRT406",
    name="LargeBodies",
    title="Requests over 100 KB fail where App Service asks late for certificates",
    why=("During the renegotiation App Service buffers the body, and answers 403 to more than 100 KB. Uploads fail."),
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.INFO,
    citations=(Citation('Azure docs, "Set up TLS mutual authentication"'),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "Ask without exclusions; or let clients send a HEAD first on the connection; or let them send `Expect: "
        "100-Continue`."
    ),
    silent="A site without excluded paths. An app that only answers reads is not concerned: waive it.",
    examples=(
        Example(
            "paths are excluded", changes.site(clientCertEnabled=True, clientCertExclusionPaths="/health"), Status.FAIL
        ),
        Example("no path is excluded", changes.site(clientCertEnabled=True), Status.PASS),
        Example("nobody is asked", {}, Status.NOT_APPLICABLE),
    ),
)
