"""Which event subscriptions of the served vaults deliver to a site over HTTPS."""

from urllib.parse import urlsplit

from shared.compliance.facts import Facts
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import NotSeen, Shown

WEBHOOK, FUNCTION = "webhook", "azurefunction"
FUNCTION_PATH = "/runtime/webhooks/eventgrid"
"""Where a function app takes the events that it has a trigger for."""


def path_of_delivery(site: SiteFacts, facts: Facts) -> tuple[Shown, str] | None:
    """Return a subscription that delivers to the site, with the path, None if no served vault has one.

    Raise NotSeen if no seen subscription delivers to the site and one could not be read.
    """
    hosts = {str(site.site.default_host_name), *(str(host.binding.host_name) for host in facts.hosts_of(site))}
    hidden: NotSeen | None = None
    for vault in facts.vaults:
        try:
            for subscription in vault.events.entries("subscriptions"):
                if (path := _path(subscription, hosts, site.key)) is not None:
                    return subscription, path
        except NotSeen as unseen:
            hidden = unseen
    if hidden is not None:
        raise hidden
    return None


def _path(subscription: Shown, hosts: set[str], site_id: str) -> str | None:
    kind = subscription.text("destination.endpointType").lower()
    if kind == FUNCTION:
        return FUNCTION_PATH if subscription.text("destination.resourceId").lower().startswith(f"{site_id}/") else None
    if kind != WEBHOOK:
        return None
    url = urlsplit(subscription.text("destination.endpointBaseUrl"))
    return (url.path or "/") if (url.hostname or "") in hosts else None
