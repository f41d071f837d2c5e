"""CRT119: an app setting names a free managed certificate."""

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
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Source

MOST = 5
"""How many host names a finding names."""
MANAGED: changes.World = {
    "certificates": {
        "managed": {
            "thumbprint": "",
            "hostNames": ["www.contoso.com"],
            "subjectName": "www.contoso.com",
            "issuer": "GeoTrust TLS RSA CA G1",
            "issueDate": "2026-09-15T00:00:00+00:00",
            "expirationDate": "2027-03-15T00:00:00+00:00",
            "canonicalName": "www.contoso.com",
        },
        "wildcard": None,
    }
}


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail an app that names the thumbprint of a host name whose certificate is a managed one."""
    settings = facts.settings_of(site.ref)
    managed = {copy.ref.name: copy.host_names for copy in facts.copies_at(site.ref) if copy.thumbprint is None}
    if not managed:
        return not_applicable("its webspace has no managed certificate")
    bound = [
        host.binding
        for host in facts.hosts
        if host.binding.thumbprint and any(host.binding.host_name in names for names in managed.values())
    ]
    pinned = sorted(binding.host_name for binding in bound if binding.thumbprint in settings.named)
    found = Evidence("hostNameSslStates", tuple(pinned[:MOST]), (), facts.fleet.taken_at, Source.LIST)
    if not pinned:
        return passed(found)
    return failed(f"{site.label} names the managed certificate of {pinned[0]}", found)


RULE = Rule(
    id="CRT119",
    name="ManagedPinned",
    title="An app setting names a free managed certificate",
    why=(
        "Azure renews the certificate without notice, with another thumbprint and maybe another authority. The app"
        " then names nothing."
    ),
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Industry-wide certificate changes", no pinning'),),
    needs=frozenset({Source.LIST, Source.SETTINGS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="Let the app use a certificate from a vault, or trust the authority and not the thumbprint.",
    silent=("A webspace without a managed certificate. Azure hides their thumbprints, so only bound ones can be seen."),
    examples=(
        Example("a setting names the thumbprint that a managed host name shows", MANAGED, Status.FAIL),
        Example(
            "no setting names it", changes.both(MANAGED, changes.settings(WEBSITE_LOAD_CERTIFICATES="")), Status.PASS
        ),
        Example("there is no managed certificate", {}, Status.NOT_APPLICABLE),
    ),
)
