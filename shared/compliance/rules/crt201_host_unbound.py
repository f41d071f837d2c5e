"""CRT201: a custom host name has no certificate."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Evidence,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    failed,
    not_applicable,
    passed,
)
from shared.compliance.subjects import HostFacts
from shared.domain.fleet.bindings import SslState
from shared.domain.shown import Source


def check(host: HostFacts, facts: Facts) -> Verdict:
    """Fail a host name without a certificate on a running site."""
    state = host.binding.ssl_state
    found = Evidence("sslState", str(state), "SniEnabled", facts.fleet.taken_at, Source.LIST)
    if not host.of.site.running:
        return not_applicable("the site is stopped")
    if state is not SslState.DISABLED:
        return passed(found)
    return failed(f"{host.binding.host_name} has no certificate in App Service", found)


RULE = Rule(
    id="CRT201",
    name="HostUnbound",
    title="A custom host name has no certificate",
    why=("Visitors who use https meet App Service's own certificate, which is for another name, and turn away."),
    area=Area.BINDINGS,
    severity=Severity.MEDIUM,
    citations=(Citation('Azure docs, "Secure a custom DNS name with a TLS/SSL binding"'),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp config ssl bind --subscription {subscription} --resource-group {group} --name {name} --hostname"
        " {host} --certificate-thumbprint THUMBPRINT --ssl-type SNI"
    ),
    silent=("A stopped site, and the default host name. Waive it for a name whose TLS ends in front of App Service."),
    examples=(
        Example("the host name is bound to no certificate", changes.unbound(), Status.FAIL),
        Example("the host name has an SNI binding", {}, Status.PASS),
        Example(
            "the site is stopped", changes.both(changes.unbound(), changes.site(state="Stopped")), Status.NOT_APPLICABLE
        ),
    ),
)
