"""CRT307: TLS 1.3 alone shuts out Event Grid or late client certificates."""

from shared.compliance import changes
from shared.compliance.client_certs import renegotiates
from shared.compliance.deliveries import path_of_delivery
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
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.compliance.tls_versions import KNOWN, tls_version
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site with TLS 1.3 as its lowest version that Event Grid calls, or that asks late for certificates."""
    version = tls_version(site.config, "minTlsVersion")
    found = evidence(site.config, "minTlsVersion", "1.2")
    if version < KNOWN["1.3"]:
        return passed(found)
    if renegotiates(site.listed):
        return failed(f"{site.label} asks late for client certificates, which TLS 1.3 does not allow", found)
    if delivery := path_of_delivery(site, facts):
        subscription, path = delivery
        return failed(
            f"{site.label} takes TLS 1.3 only, and Event Grid delivers to its path {path} with an older version",
            found,
            evidence(subscription, "name", None),
        )
    return passed(found)


RULE = Rule(
    id="CRT307",
    name="Tls13Blocks",
    title="TLS 1.3 as the lowest version shuts out callers of the site",
    why="Event Grid cannot deliver, or clients cannot present their certificate, and nobody sees why.",
    area=Area.TLS,
    severity=Severity.HIGH,
    citations=(
        Citation("azure-functions-dotnet-worker issue 2962"),
        Citation('Azure docs, "Set up TLS mutual authentication"'),
    ),
    needs=frozenset({Source.CONFIG, Source.LIST, Source.EVENTS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp config set --subscription {subscription} --resource-group {group} --name {name} "
        "--min-tls-version 1.2"
    ),
    silent="A site that also takes TLS 1.2. Certroll sees the event subscriptions of the vaults that it serves alone.",
    examples=(
        Example(
            "Event Grid calls a site that takes TLS 1.3 only",
            changes.both(
                changes.config(minTlsVersion="1.3"),
                changes.delivered(endpointType="WebHook", endpointBaseUrl="https://shop.azurewebsites.net/api/events"),
            ),
            Status.FAIL,
        ),
        Example("events go to a queue", changes.config(minTlsVersion="1.3"), Status.PASS),
        Example(
            "paths are excluded, so that certificates come late",
            changes.both(
                changes.config(minTlsVersion="1.3"),
                changes.site(clientCertEnabled=True, clientCertExclusionPaths="/health"),
            ),
            Status.FAIL,
        ),
        Example(
            "Event Grid calls a site that takes TLS 1.2 too",
            changes.delivered(endpointType="WebHook", endpointBaseUrl="https://shop.azurewebsites.net/api/events"),
            Status.PASS,
        ),
        Example("nobody knows the version", changes.config(minTlsVersion="1.4"), Status.NOT_CHECKED),
    ),
)
