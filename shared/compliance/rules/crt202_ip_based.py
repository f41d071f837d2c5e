"""CRT202: a host name has an IP-based binding."""

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
    passed,
)
from shared.compliance.subjects import HostFacts
from shared.domain.fleet.bindings import SslState
from shared.domain.shown import Source


def check(host: HostFacts, facts: Facts) -> Verdict:
    """Note a host name with an IP-based binding, so that nobody deletes it by mistake."""
    state = host.binding.ssl_state
    found = Evidence("sslState", str(state), "SniEnabled", facts.fleet.taken_at, Source.LIST)
    if state is not SslState.IP_BASED:
        return passed(found)
    address = Evidence("virtualIP", host.binding.virtual_ip, None, facts.fleet.taken_at, Source.LIST)
    return failed(
        f"{host.binding.host_name} is served at its own address {host.binding.virtual_ip or 'unknown'}", found, address
    )


RULE = Rule(
    id="CRT202",
    name="IpBased",
    title="A host name has an IP-based binding",
    why=(
        "An IP-based binding has an address of its own: a site has one of them, and deleting the binding loses the"
        " address for good."
    ),
    area=Area.BINDINGS,
    severity=Severity.INFO,
    citations=(
        Citation('Azure docs, "Secure a custom DNS name with a TLS/SSL binding", remap records for IP based SSL'),
    ),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.NONE,
    remedy="Keep the binding as long as clients without SNI or firewalls depend on its address.",
    silent="An SNI binding, and a host name without a certificate.",
    examples=(
        Example(
            "the host name has an IP-based binding",
            changes.host(sslState="IpBasedEnabled", virtualIP="20.50.2.7"),
            Status.FAIL,
        ),
        Example("the host name has an SNI binding", {}, Status.PASS),
    ),
)
