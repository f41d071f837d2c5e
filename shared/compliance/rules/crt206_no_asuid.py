"""CRT206: a custom host name has no record that proves its owner."""

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
    """Fail a host name whose asuid record lacks the site's verification id."""
    if host.binding.host_name.startswith("*"):
        return not_applicable("nobody can resolve a wildcard")
    wanted = host.of.listed.text("customDomainVerificationId")
    found = evidence(host.resolved, "asuid", wanted)
    if any(record.upper() == wanted.upper() for record in host.resolved.texts("asuid")):
        return passed(found)
    return failed(f"asuid.{host.binding.host_name} does not hold the site's verification id", found)


RULE = Rule(
    id="CRT206",
    name="NoAsuid",
    title="No DNS record proves who owns a custom host name",
    why="Without the record another Azure customer can claim the name as soon as the site is gone.",
    area=Area.BINDINGS,
    severity=Severity.LOW,
    citations=(Citation('Azure docs, "Prevent dangling DNS entries and avoid subdomain takeover"'),),
    needs=frozenset({Source.LIST, Source.DNS}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.COMMAND,
    remedy="Make the TXT record `asuid.` in front of {host} with the site's customDomainVerificationId.",
    silent="A name that a CNAME proves has no need of the record while the site lives; waive it there.",
    examples=(
        Example("there is no asuid record", {"dns": {"www.contoso.com": {"asuid": []}}}, Status.FAIL),
        Example("the asuid record holds the id", {}, Status.PASS),
    ),
)
