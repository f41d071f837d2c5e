"""CRT205: the DNS of a custom host name leads nowhere."""

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
    """Fail a host name that DNS does not know. A proxy in front may resolve elsewhere, which is no finding."""
    if host.binding.host_name.startswith("*"):
        return not_applicable("nobody can resolve a wildcard")
    found = evidence(host.resolved, "exists", expected=True)
    if host.resolved.boolean("exists"):
        return passed(found)
    return failed(f"DNS knows no {host.binding.host_name}", found)


RULE = Rule(
    id="CRT205",
    name="HostDangling",
    title="The DNS of a custom host name leads nowhere",
    why="Nobody reaches the site by the name, and whoever takes the free record serves pages under it.",
    area=Area.BINDINGS,
    severity=Severity.MEDIUM,
    citations=(Citation('Azure docs, "Prevent dangling DNS entries and avoid subdomain takeover"'),),
    needs=frozenset({Source.LIST, Source.DNS}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.COMMAND,
    remedy="Make the DNS record of {host} again, or delete the host name of the site after the record.",
    silent=("A name that resolves, also to a proxy. With split DNS, CERTROLL_DNS_SERVERS names the servers to ask."),
    examples=(
        Example(
            "DNS does not know the name",
            {"dns": {"www.contoso.com": {"exists": False, "cname": None, "addresses": [], "asuid": []}}},
            Status.FAIL,
        ),
        Example("DNS knows the name", {}, Status.PASS),
        Example(
            "a proxy answers for the name", {"dns": {"www.contoso.com": {"cname": "contoso.azurefd.net"}}}, Status.PASS
        ),
    ),
)
