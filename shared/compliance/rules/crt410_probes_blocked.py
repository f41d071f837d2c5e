"""CRT410: required client certificates may shut out health checks."""

from shared.compliance import changes
from shared.compliance.client_certs import REQUIRED, asks, excluded, mode
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
from shared.domain.client_certificates import is_excluded
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Note a site that requires certificates and does not exclude its health check."""
    if not asks(site.listed) or mode(site.listed) != REQUIRED:
        return not_applicable("App Service requires no certificate")
    path = site.config.optional_text("healthCheckPath")
    if not path:
        return not_applicable("the site has no health check")
    found = evidence(site.config, "healthCheckPath", None)
    if is_excluded(path, excluded(site.listed)):
        return passed(found)
    return failed(f"the health check {path} of {site.label} needs a client certificate", found)


RULE = Rule(
    id="CRT410",
    name="ProbesBlocked",
    title="Required client certificates may shut out health checks",
    why=(
        "App Service's health check and outside probes have no certificate. They get 403, and instances may be "
        "replaced."
    ),
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.INFO,
    citations=(Citation("azure-docs issue 16691"), Citation("terraform-provider-azurerm issue 8876")),
    needs=frozenset({Source.LIST, Source.CONFIG}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp update --subscription {subscription} --resource-group {group} --name {name} --set "
        "clientCertExclusionPaths=PATH"
    ),
    silent=("A site without a health check. Whether App Service's own check is exempt, Azure does not document."),
    examples=(
        Example(
            "the health check is not excluded",
            changes.both(changes.site(clientCertEnabled=True), changes.config(healthCheckPath="/health")),
            Status.FAIL,
        ),
        Example(
            "the health check is excluded",
            changes.both(
                changes.site(clientCertEnabled=True, clientCertExclusionPaths="/Health"),
                changes.config(healthCheckPath="/health"),
            ),
            Status.PASS,
        ),
        Example("there is no health check", changes.site(clientCertEnabled=True), Status.NOT_APPLICABLE),
        Example("no certificate is required", changes.config(healthCheckPath="/health"), Status.NOT_APPLICABLE),
    ),
)
