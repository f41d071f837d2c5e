"""CRT405: client certificates need what TLS 1.3 and HTTP/2 lack."""

from shared.compliance import changes
from shared.compliance.client_certs import asks, renegotiates
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
from shared.compliance.subjects import SiteFacts
from shared.compliance.tls_versions import KNOWN, tls_version
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site that renegotiates and offers HTTP/2 or TLS 1.3 only. Otherwise HTTP/2 is a smaller doubt."""
    if not asks(site.listed):
        return not_applicable("App Service asks nobody for a certificate")
    late = renegotiates(site.listed)
    found = evidence(site.config, "http20Enabled", expected=False)
    http2 = site.config.boolean("http20Enabled")
    if late and http2:
        return failed(f"{site.label} asks late for certificates, which HTTP/2 does not allow", found)
    if late and tls_version(site.config, "minTlsVersion") >= KNOWN["1.3"]:
        lowest = evidence(site.config, "minTlsVersion", "1.2")
        return failed(f"{site.label} asks late for certificates, which TLS 1.3 does not allow", lowest)
    if http2:
        return failed(
            f"{site.label} offers HTTP/2 and asks for certificates; users of several tools report failures",
            found,
            severity=Severity.LOW,
        )
    return passed(found)


RULE = Rule(
    id="CRT405",
    name="RenegotiationBlocked",
    title="Client certificates need renegotiation, which TLS 1.3 and HTTP/2 lack",
    why=(
        "With excluded paths App Service asks for the certificate late. A client with TLS 1.3 or HTTP/2 cannot "
        "answer, and its requests fail."
    ),
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Set up TLS mutual authentication"'), Citation("azure-functions-ux PR 7455")),
    needs=frozenset({Source.LIST, Source.CONFIG}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp config set --subscription {subscription} --resource-group {group} --name {name} "
        "--http20-enabled false"
    ),
    silent="A site without excluded paths, with HTTP/2 off.",
    examples=(
        Example(
            "paths are excluded and HTTP/2 is on",
            changes.site(clientCertEnabled=True, clientCertExclusionPaths="/health"),
            Status.FAIL,
        ),
        Example(
            "paths are excluded and HTTP/2 is off",
            changes.both(
                changes.site(clientCertEnabled=True, clientCertExclusionPaths="/health"),
                changes.config(http20Enabled=False),
            ),
            Status.PASS,
        ),
        Example(
            "paths are excluded and TLS 1.3 is the lowest version",
            changes.both(
                changes.site(clientCertEnabled=True, clientCertExclusionPaths="/health"),
                changes.config(http20Enabled=False, minTlsVersion="1.3"),
            ),
            Status.FAIL,
        ),
        Example(
            "Entra comes first, which renegotiates",
            changes.site(clientCertEnabled=True, clientCertMode="OptionalInteractiveUser"),
            Status.FAIL,
        ),
        Example(
            "certificates are required without exclusions, and HTTP/2 is on",
            changes.site(clientCertEnabled=True),
            Status.FAIL,
            Severity.LOW,
        ),
        Example("nobody is asked", {}, Status.NOT_APPLICABLE),
    ),
)
