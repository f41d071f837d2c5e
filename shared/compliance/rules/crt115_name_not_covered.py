"""CRT115: a certificate does not cover the host name that it is bound to."""

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
from shared.domain.names import covers
from shared.domain.shown import Gap, NotSeen, Source

MOST = 10
"""How many names a finding shows."""


def check(host: HostFacts, facts: Facts) -> Verdict:
    """Fail a host name whose bound certificate has no name for it. A wildcard stands for one label."""
    copy = facts.bound_copy(host)
    if host.binding.ssl_state is SslState.DISABLED:
        return not_applicable("the host name has no certificate")
    if copy is None:
        raise NotSeen(Source.LIST, Gap.NOT_SHOWN, f"the certificate of {host.binding.host_name}")
    names = copy.host_names
    found = Evidence(
        "hostNames", tuple(sorted(names)[:MOST]), host.binding.host_name, facts.fleet.taken_at, Source.LIST
    )
    if covers(names, host.binding.host_name):
        return passed(found)
    return failed(
        f"{host.binding.host_name} is bound to a certificate for {', '.join(sorted(names)[:MOST]) or 'no name'}", found
    )


RULE = Rule(
    id="CRT115",
    name="NameNotCovered",
    title="The bound certificate does not cover the host name",
    why="Every visitor of the host name meets a warning. Browsers ignore the common name.",
    area=Area.CERTIFICATES,
    severity=Severity.CRITICAL,
    citations=(Citation("RFC 9525, 6.3"),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.COMMAND,
    remedy="Have a certificate issued for {host}, and bind it.",
    silent="A host name without a certificate.",
    examples=(
        Example(
            "a wildcard stands for one label only",
            changes.both(
                changes.unbound(), changes.host("a.b.contoso.com", sslState="SniEnabled", thumbprint="A" * 40)
            ),
            Status.FAIL,
            subject="host a.b.contoso.com of shop",
        ),
        Example("the wildcard covers the name", {}, Status.PASS),
        Example("the host name has no certificate", changes.unbound(), Status.NOT_APPLICABLE),
    ),
)
