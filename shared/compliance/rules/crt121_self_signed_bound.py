"""CRT121: a public host name shows a self-signed certificate."""

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
from shared.compliance.subjects import HostFacts
from shared.domain.shown import Source


def check(host: HostFacts, facts: Facts) -> Verdict:
    """Fail a host name in public DNS that is bound to a certificate which is its own issuer."""
    copy = facts.bound_copy(host)
    if copy is None:
        return not_applicable("App Service shows no certificate for it")
    if host.of.site.environment is not None:
        return not_applicable("an app in an environment may have private clients")
    found = evidence(facts.listed_of(copy), "issuer", None)
    if facts.listed_of(copy).text("issuer") and not copy.self_signed:
        return passed(found)
    return failed(f"{host.binding.host_name} shows a certificate without another issuer than itself", found)


RULE = Rule(
    id="CRT121",
    name="SelfSignedBound",
    title="A public host name shows a self-signed certificate",
    why="Every visitor meets a warning, and learns to click it away.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Secure a custom DNS name with a TLS/SSL binding"'),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.COMMAND,
    remedy="Bind a certificate of a public authority to {host}.",
    silent="An app in an App Service Environment. Waive it for a name that only private clients use.",
    examples=(
        Example("the certificate is its own issuer", changes.certificate(issuer="*.contoso.com"), Status.FAIL),
        Example("an authority issued the certificate", {}, Status.PASS),
        Example("the host name has no certificate", changes.unbound(), Status.NOT_APPLICABLE),
    ),
)
