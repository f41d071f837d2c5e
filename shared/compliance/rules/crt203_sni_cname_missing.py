"""CRT203: an SNI host name points past the address of an IP-based binding."""

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
from shared.domain.fleet.bindings import SslState
from shared.domain.shown import Source

MIXED = changes.host("pay.contoso.com", sslState="IpBasedEnabled", virtualIP="20.50.2.7", thumbprint="A" * 40)
LABEL = "host www.contoso.com of shop"


def check(host: HostFacts, facts: Facts) -> Verdict:
    """Fail an SNI host name that points at the default name of a site with an IP-based binding."""
    mixed = any(other.binding.ssl_state is SslState.IP_BASED for other in facts.hosts_of(host.of))
    if host.binding.ssl_state is not SslState.SNI or not mixed:
        return not_applicable("the site has no IP-based binding next to it")
    default = host.of.site.default_host_name
    cname = host.resolved.optional_text("cname")
    found = evidence(host.resolved, "cname", f"sni.{default}")
    if cname is None:
        return not_applicable("the host name has an address record and no alias")
    if cname != default:
        return passed(found)
    return failed(f"{host.binding.host_name} is an alias of {default}, which leads to the IP-based binding", found)


RULE = Rule(
    id="CRT203",
    name="SniCnameMissing",
    title="An SNI host name reaches the address of another binding",
    why=(
        "A site with an IP-based binding serves its SNI bindings under `sni.`. A name that points at the site "
        "itself may meet the certificate of the IP-based binding."
    ),
    area=Area.BINDINGS,
    severity=Severity.MEDIUM,
    citations=(
        Citation('Azure docs, "Secure a custom DNS name with a TLS/SSL binding", remap records for IP based SSL'),
    ),
    needs=frozenset({Source.LIST, Source.DNS}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.COMMAND,
    remedy="Point the CNAME record of {host} at `sni.` and the site's default host name.",
    silent="A name with an address record, and a site without an IP-based binding.",
    examples=(
        Example(
            "an SNI name is an alias of a site that also has an IP-based binding", MIXED, Status.FAIL, subject=LABEL
        ),
        Example(
            "the SNI name is an alias of `sni.` and the site",
            changes.both(MIXED, {"dns": {"www.contoso.com": {"cname": "sni.shop.azurewebsites.net"}}}),
            Status.PASS,
            subject=LABEL,
        ),
        Example(
            "the name has an address record",
            changes.both(MIXED, {"dns": {"www.contoso.com": {"cname": None}}}),
            Status.NOT_APPLICABLE,
            subject=LABEL,
        ),
    ),
)
