"""CRT301: a site accepts TLS below 1.2."""

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
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.compliance.tls_versions import KNOWN, tls_version
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site whose lowest TLS version is below 1.2. Version 1.3 is fine, too."""
    found = evidence(site.config, "minTlsVersion", "1.2")
    if tls_version(site.config, "minTlsVersion") >= KNOWN["1.2"]:
        return passed(found)
    return failed(f"{site.label} accepts TLS {site.config.text('minTlsVersion')}", found)


RULE = Rule(
    id="CRT301",
    name="MinTls",
    title="The site accepts TLS below 1.2",
    why=(
        "Attackers can push a client down to a version with known weaknesses, and scanners of customers fail the site."
    ),
    area=Area.TLS,
    severity=Severity.HIGH,
    citations=(
        Citation("Azure Policy f0e6e85b-9b9f-4a4b-b67b-f730d42f1b0b"),
        Citation("CIS Azure Foundations 3.0, 9.4"),
    ),
    needs=frozenset({Source.CONFIG}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp config set --subscription {subscription} --resource-group {group} --name {name} "
        "--min-tls-version 1.2"
    ),
    silent="Version 1.3. It would shut out the Event Grid webhook of this site (CRT307).",
    examples=(
        Example("the lowest version is 1.0", changes.config(minTlsVersion="1.0"), Status.FAIL),
        Example("the lowest version is 1.2", {}, Status.PASS),
        Example("the lowest version is 1.3", changes.config(minTlsVersion="1.3"), Status.PASS),
        Example("Azure writes a version that nobody knows", changes.config(minTlsVersion="2"), Status.NOT_CHECKED),
    ),
)
