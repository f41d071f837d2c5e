"""CRT303: a site accepts weak cipher suites."""

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
from shared.compliance.tls_versions import KNOWN, tls_version
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site without a lowest cipher suite, or with one that uses CBC."""
    plan = site.plan
    if site.site.environment is not None:
        return not_applicable("the environment decides about its cipher suites (CRT306)")
    if plan is not None and plan.is_free:
        return not_applicable("the plan is Free or Shared")
    found = evidence(site.config, "minTlsCipherSuite", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
    suite = site.config.optional_text("minTlsCipherSuite")
    if tls_version(site.config, "minTlsVersion") >= KNOWN["1.3"]:
        return not_applicable("TLS 1.3 has no weak suite")
    if suite and "CBC" not in suite.upper() and not suite.upper().endswith("_SHA"):
        return passed(found)
    return failed(f"the weakest suite of {site.label} is {suite or 'not set'}", found)


RULE = Rule(
    id="CRT303",
    name="CipherFloor",
    title="The site accepts cipher suites without forward secrecy or authenticated encryption",
    why="PCI DSS 12.3.3 asks for an inventory of suites, and suites with CBC have a history of attacks.",
    area=Area.TLS,
    severity=Severity.LOW,
    citations=(
        Citation('Azure docs, "TLS/SSL overview" of App Service, minimum TLS cipher suite'),
        Citation("PCI DSS 4.0.1, 12.3.3"),
    ),
    needs=frozenset({Source.LIST, Source.CONFIG}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az resource update --subscription {subscription} --resource-group {group} --resource-type "
        "Microsoft.Web/sites/config --name {name}/web --set "
        "properties.minTlsCipherSuite=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    ),
    silent="TLS 1.3 only, App Service Environments, and plans of the tiers Free and Shared.",
    examples=(
        Example("no lowest suite is set", changes.config(minTlsCipherSuite=None), Status.FAIL),
        Example("the lowest suite is one with GCM", {}, Status.PASS),
        Example(
            "the lowest suite uses CBC",
            changes.config(minTlsCipherSuite="TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
            Status.FAIL,
        ),
        Example(
            "the site is in an environment",
            changes.both(
                changes.config(minTlsCipherSuite=None),
                changes.site(hostingEnvironmentProfile={"id": f"{changes.RESOURCES}/hostingEnvironments/inner"}),
            ),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "the site accepts TLS 1.3 only",
            changes.config(minTlsCipherSuite=None, minTlsVersion="1.3"),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "the plan is free",
            changes.both(changes.config(minTlsCipherSuite=None), {"plans": {"plan": {"tier": "Free"}}}),
            Status.NOT_APPLICABLE,
        ),
    ),
)
