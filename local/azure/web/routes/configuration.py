"""The routes for a site's configuration: app settings, slot-sticky names, config/web, and publishing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import quoteattr

from local.azure.front_door.call import SITE, Call, Route, on_sites
from local.azure.front_door.installed import or_deployed
from local.azure.web import refusals
from local.azure.web.wire.configuration import config_json, sticky_names_json
from local.azure.wire import Response, json_response

WEB_DEFAULTS: Mapping[str, Any] = {
    "numberOfWorkers": 1,
    "defaultDocuments": ["Default.htm", "index.html", "hostingstart.html"],
    "netFrameworkVersion": "v4.0",
    "linuxFxVersion": "",
    "windowsFxVersion": None,
    "remoteDebuggingEnabled": False,
    "httpLoggingEnabled": False,
    "scmType": "None",
    "use32BitWorkerProcess": True,
    "webSocketsEnabled": False,
    "alwaysOn": False,
    "managedPipelineMode": "Integrated",
    "virtualApplications": [{"virtualPath": "/", "physicalPath": "site\\wwwroot", "preloadEnabled": False}],
    "ipSecurityRestrictions": [
        {"ipAddress": "Any", "action": "Allow", "priority": 2147483647, "name": "Allow all"},
    ],
    "http20Enabled": True,
    "minTlsVersion": "1.2",
    "minTlsCipherSuite": None,
    "scmMinTlsVersion": "1.2",
    "ftpsState": "FtpsOnly",
    "vnetName": "",
}


def list_settings(call: Call) -> Response:
    """Respond with all app settings of the site and their values.

    The response with the app settings has no ETag (recorded azure-libraries-for-net traffic).
    """
    people = call.world.other_people
    people.reach("before", "POST", call.site_id())
    site = call.site()
    response = json_response(200, config_json(site, "appsettings", people.shown(site)))
    people.reach("after", "POST", site.id)
    return response


def put_settings(call: Call) -> Response:
    """Replace all app settings of the site; a changed value restarts the app (Azure docs, configure-common)."""
    call.world.other_people.reach("before", "PUT", call.site_id())
    site, properties = call.site_now(), call.payload().get("properties")
    if not isinstance(properties, dict):
        raise refusals.invalid("Properties", "A dictionary of settings is required.")
    after = call.world.settings.store(site, properties)
    call.world.other_people.reach("after", "PUT", site.id)
    return json_response(200, config_json(after, "appsettings", properties), ETag=f'"{after.etag}"')


def get_sticky_names(call: Call) -> Response:
    """Respond with the names of the app settings that stay with their slot in a swap.

    The id in a response with slot-sticky names is null (recorded azure-cli traffic).
    """
    return json_response(200, sticky_names_json(call.site()))


def put_sticky_names(call: Call) -> Response:
    """Replace the names of the app settings that stay with their slot in a swap."""
    properties = call.payload().get("properties") or {}
    site = replace(call.site_now(), sticky_settings=tuple(properties.get("appSettingNames") or ()))
    call.world.journal.note(f"sticky settings of {site.full_name}: {', '.join(site.sticky_settings) or 'none'}")
    return json_response(200, sticky_names_json(call.world.web.put_site(site)))


def get_web(call: Call) -> Response:
    """Respond with `config/web`, which has the values that a site's own response leaves null."""
    site = call.site()
    return json_response(200, config_json(site, "web", {**WEB_DEFAULTS, **site.configuration}))


def put_web(call: Call) -> Response:
    """Change only the properties of `config/web` to which the request gives a value."""
    site = call.site_now()
    properties = {name: value for name, value in (call.payload().get("properties") or {}).items() if value is not None}
    site = call.world.web.put_site(replace(site, configuration={**site.configuration, **properties}))
    call.world.journal.note(f"config/web of {site.full_name}: {', '.join(sorted(properties)) or 'nothing'}")
    return json_response(200, config_json(site, "web", {**WEB_DEFAULTS, **site.configuration}))


def list_connection_strings(call: Call) -> Response:
    """Respond with an empty set of connection strings."""
    return json_response(200, config_json(call.site(), "connectionstrings", {}))


def list_publishing_credentials(call: Call) -> Response:
    """Respond with a user name and no password, because nothing publishes to the local Azure."""
    site = call.site()
    user = f"${site.full_name.replace('/', '__')}"
    return json_response(200, config_json(site, "publishingcredentials", {"publishingUserName": user, "scmUri": None}))


def publish_profile(call: Call) -> Response:
    """Respond with a publish profile. After `ssl bind`, the az CLI reads the FTP address from the publish profile."""
    site = call.site()
    host = f"waws-prod-local.ftp.azurewebsites.windows.net/{site.name}"
    profiles = (
        ("Web Deploy", "MSDeploy", f"{site.name}.scm.azurewebsites.net:443"),
        ("FTP", "FTP", f"ftps://{host}"),
        ("Zip Deploy", "ZipDeploy", f"{site.name}.scm.azurewebsites.net:443"),
    )
    elements = "".join(
        f"<publishProfile profileName={quoteattr(f'{site.name} - {name}')} publishMethod={quoteattr(method)}"
        f' publishUrl={quoteattr(url)} userName="" userPWD=""></publishProfile>'
        for name, method, url in profiles
    )
    return Response(200, {"content-type": "application/xml"}, f"<publishData>{elements}</publishData>".encode())


ROUTES: tuple[Route, ...] = (
    ("GET", f"{SITE}/config/slotConfigNames", get_sticky_names),
    ("PUT", f"{SITE}/config/slotConfigNames", put_sticky_names),
    *on_sites(
        ("POST", "/config/appsettings/list", or_deployed(list_settings)),
        ("PUT", "/config/appsettings", put_settings),
        ("POST", "/config/connectionstrings/list", list_connection_strings),
        ("GET", "/config/web", get_web),
        ("PUT", "/config/web", put_web),
        ("PATCH", "/config/web", put_web),
        ("POST", "/config/publishingcredentials/list", list_publishing_credentials),
        ("POST", "/publishxml", publish_profile),
    ),
)
