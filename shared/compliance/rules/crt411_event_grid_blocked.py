"""CRT411: client certificates shut out Event Grid."""

from shared.compliance import changes
from shared.compliance.client_certs import INTERACTIVE, asks, excluded, mode
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
    not_applicable,
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.domain.client_certificates import is_excluded
from shared.domain.shown import Source

HOOK = "https://shop.azurewebsites.net/runtime/webhooks/eventgrid"


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site that asks for certificates on the path to which Event Grid delivers."""
    if not asks(site.listed):
        return not_applicable("App Service asks nobody for a certificate")
    if mode(site.listed) == INTERACTIVE:
        return not_applicable("deliveries are known to fail in the modes Required and Optional")
    delivery = path_of_delivery(site, facts)
    if delivery is None:
        return not_applicable("no event subscription of a served vault delivers to the site")
    subscription, path = delivery
    found = evidence(site.listed, "clientCertExclusionPaths", path)
    if is_excluded(path, excluded(site.listed)):
        return passed(found)
    return failed(
        f"Event Grid has no client certificate, and {site.label} asks for one on {path}",
        found,
        evidence(subscription, "name", None),
    )


RULE = Rule(
    id="CRT411",
    name="EventGridBlocked",
    title="Client certificates shut out Event Grid",
    why="Event Grid cannot present a client certificate. Its deliveries are forbidden, and events get lost.",
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation("azure-docs issue 99046"),),
    needs=frozenset({Source.LIST, Source.EVENTS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="Let the event subscription deliver to a storage queue, or exclude the path from client certificates.",
    silent="Deliveries to a queue. Certroll sees the event subscriptions of the vaults that it serves alone.",
    examples=(
        Example(
            "Event Grid calls a site that requires certificates",
            changes.both(
                changes.site(clientCertEnabled=True),
                changes.delivered(endpointType="WebHook", endpointBaseUrl=HOOK),
            ),
            Status.FAIL,
        ),
        Example(
            "the path of the events is excluded",
            changes.both(
                changes.site(clientCertEnabled=True, clientCertExclusionPaths="/health, /Runtime/Webhooks/EventGrid"),
                changes.delivered(endpointType="WebHook", endpointBaseUrl=HOOK),
            ),
            Status.PASS,
        ),
        Example(
            "Event Grid calls a function of the site",
            changes.both(
                changes.site(clientCertEnabled=True, clientCertMode="Optional"),
                changes.delivered(
                    endpointType="AzureFunction", resourceId=f"{changes.RESOURCES}/sites/shop/functions/renewed"
                ),
            ),
            Status.FAIL,
        ),
        Example("events go to a queue", changes.site(clientCertEnabled=True), Status.NOT_APPLICABLE),
        Example(
            "nobody is asked for a certificate",
            changes.delivered(endpointType="WebHook", endpointBaseUrl=HOOK),
            Status.NOT_APPLICABLE,
        ),
    ),
)
