"""CRT116: App Service serves another certificate than the bound one."""

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
    """Fail a host name for which App Service itself serves another certificate than the one in its binding."""
    if host.binding.thumbprint is None:
        return not_applicable("the host name has no certificate")
    found = evidence(host.served, "thumbprint", host.binding.thumbprint)
    if host.served.text("thumbprint").upper() == host.binding.thumbprint:
        return passed(found)
    return failed(
        f"App Service serves {found.value} for {host.binding.host_name}, and not the bound certificate", found
    )


RULE = Rule(
    id="CRT116",
    name="ServedAnother",
    title="App Service serves another certificate than the bound one",
    why=(
        "Visitors see an old certificate although App Service shows the new one. On Flex Consumption that lasted a"
        " week."
    ),
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation("Microsoft Q&A 5926765"),),
    needs=frozenset({Source.TLS}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.NONE,
    remedy="Write the binding again. If App Service goes on, open a support case with the thumbprints.",
    silent=(
        "A proxy in front: Certroll asks App Service itself. A host name in an internal environment is not checked."
    ),
    examples=(
        Example(
            "App Service serves the version before", {"tls": {"www.contoso.com": {"thumbprint": "B" * 40}}}, Status.FAIL
        ),
        Example("App Service serves the bound certificate", {}, Status.PASS),
        Example("the host name has no certificate", changes.unbound(), Status.NOT_APPLICABLE),
        Example("App Service could not be reached", {"tls": {"www.contoso.com": None}}, Status.NOT_CHECKED),
    ),
)
