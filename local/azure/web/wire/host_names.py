"""The JSON form in which Microsoft.Web writes a host name binding."""

from typing import Any

from local.azure.web.resources import IP_BASED, Host, Site, display_location


def binding_json(site: Site, host: Host) -> dict[str, Any]:
    """Return the host name binding in the JSON form of Microsoft.Web.

    A host name that was never bound has no `sslState` and no `thumbprint` (recorded azure-cli traffic). The binding of
    a slot has the same type as the binding of a site, and names the slot in `siteName` (recorded azure-cli traffic,
    test_webapp_ssl, and session records of azure-libraries-for-java, 2018-02-01).
    """
    properties: dict[str, Any] = {"siteName": site.old_name, "domainId": None, "hostNameType": host.host_name_type}
    if host.resource_type != "Website":
        properties["azureResourceType"] = host.resource_type
    if host.record_type:
        properties["customHostNameDnsRecordType"] = host.record_type
    if host.ssl_state is not None:
        properties["sslState"] = host.ssl_state
    if host.shown_thumbprint is not None:
        properties["thumbprint"] = host.shown_thumbprint
    if host.ssl_state == IP_BASED:
        properties["virtualIP"] = host.virtual_ip
    return {
        "id": f"{site.id}/hostNameBindings/{host.name}",
        "name": f"{site.full_name}/{host.name}",
        "type": "Microsoft.Web/sites/hostNameBindings",
        "location": display_location(site.location),
        "properties": properties,
    }
