"""CRT302: a site accepts TLS below 1.2 at its SCM site."""

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
    found = evidence(site.config, "scmMinTlsVersion", "1.2")
    if tls_version(site.config, "scmMinTlsVersion") >= KNOWN["1.2"]:
        return passed(found)
    return failed(f"the SCM site of {site.label} accepts TLS {site.config.text('scmMinTlsVersion')}", found)


RULE = Rule(
    id="CRT302",
    name="ScmMinTls",
    title="The site's deployment endpoint accepts TLS below 1.2",
    why="Deployments and their credentials pass over a version with known weaknesses.",
    area=Area.TLS,
    severity=Severity.MEDIUM,
    citations=(Citation('Azure docs, "TLS/SSL overview" of App Service'),),
    needs=frozenset({Source.CONFIG}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az resource update --subscription {subscription} --resource-group {group} --resource-type "
        "Microsoft.Web/sites/config --name {name}/web --set properties.scmMinTlsVersion=1.2"
    ),
    silent="Version 1.3. Old deployment agents may need the old version; waive it until they are gone.",
    examples=(
        Example("the lowest version is 1.0", changes.config(scmMinTlsVersion="1.0"), Status.FAIL),
        Example("the lowest version is 1.2", {}, Status.PASS),
        Example("the lowest version is 1.3", changes.config(scmMinTlsVersion="1.3"), Status.PASS),
        Example("Azure writes a version that nobody knows", changes.config(scmMinTlsVersion="2"), Status.NOT_CHECKED),
    ),
)
