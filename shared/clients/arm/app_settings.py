"""Read and write app settings, and the Key Vault references in app settings."""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from azure.core.pipeline import PipelineResponse
from azure.core.rest import HttpRequest
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import StringDictionary

from shared.clients.arm.requests import PAGES, Json, sent
from shared.clients.arm.site_requests import REMEDY, AppServiceClients, AppServicePart, site_or_slot
from shared.clients.reading import readable_secret, text_of
from shared.clients.retrying import Retrying
from shared.domain.api_versions import REFERENCES_REFRESH
from shared.domain.errors import Rejected
from shared.domain.fleet.app_settings import AppSettings
from shared.domain.names import SiteRef
from shared.domain.reason import Reason

SETTINGS_REMEDY = f"{REMEDY}; reading app settings is an action of its own (Microsoft.Web/sites/config/list/action)"
WRITE_REMEDY = f"{REMEDY}; writing app settings takes Microsoft.Web/sites/config/write"


class Settings(AppServicePart):
    """The part of the App Service client for app settings and for the Key Vault references in app settings."""

    def __init__(self, clients: AppServiceClients, retrying: Retrying) -> None:
        super().__init__(clients, retrying)
        self._salt = secrets.token_bytes(32)

    def settings(self, site: SiteRef) -> AppSettings:
        """Read the app settings of a site or slot.

        A value that is neither a text nor null makes Certroll read all other settings and write none.
        """
        web_apps = self._clients.client(site.subscription).web_apps
        read = site_or_slot(site, web_apps.list_application_settings, web_apps.list_application_settings_slot)
        what = f"app settings of {site}"
        wire = self._retrying.read(what, read, SETTINGS_REMEDY, secret=True)
        # The attribute `properties` of the SDK's model turns a number or an object into a text.
        properties = readable_secret(what, _all_settings, wire)
        values = {key: value for key, value in properties.items() if value is None or isinstance(value, str)}
        odd = {key: json.dumps(value, ensure_ascii=False) for key, value in properties.items() if key not in values}
        digests = {key: self._digest(key, value) for key, value in properties.items()}
        return AppSettings(site, values, digests, odd=odd)

    def settings_to_edit(self, site: SiteRef) -> AppSettings:
        """Read the ETag of the site, and then the app settings.

        Azure's answer with an app's settings has no ETag (seen in recorded traffic).
        """
        web_apps = self._clients.client(site.subscription).web_apps
        get: Callable[..., Any] = site_or_slot(site, web_apps.get, web_apps.get_slot)
        etag = self._retrying.read(f"site {site}", partial(get, cls=_etag), REMEDY)
        return replace(self.settings(site), etag=etag)

    def put_settings(self, settings: AppSettings) -> None:
        """Replace the app settings, with If-Match if the ETag is known. A null stays null.

        Azure documents no check of If-Match for app settings. Raises Rejected if the site has a value that is neither a
        text nor null, because Certroll cannot write such a value back unchanged.
        """
        site = settings.site
        if settings.not_text:
            names = ", ".join(sorted(settings.not_text))
            raise Rejected(f"app settings of {site}: {names} is neither a text nor null", Reason.SETTING_NOT_TEXT)
        web_apps = self._clients.client(site.subscription).web_apps
        headers = {"If-Match": settings.etag} if settings.etag else {}
        body = StringDictionary({"properties": dict(settings.values)})
        put = site_or_slot(site, web_apps.update_application_settings, web_apps.update_application_settings_slot)
        write = partial(put, app_settings=body, headers=headers)
        self._retrying.write(f"app settings of {site}", write, WRITE_REMEDY, secret=True)

    def vault_references(self, site: SiteRef) -> dict[str, str]:
        """Return the version of the secret that App Service uses for each setting with a Key Vault reference.

        The returned versions omit Key Vault references that App Service cannot resolve.
        """
        web_apps = self._clients.client(site.subscription).web_apps
        items = site_or_slot(
            site, web_apps.get_app_settings_key_vault_references, web_apps.get_app_settings_key_vault_references_slot
        )
        found = self._wires(f"Key Vault references of {site}", items(**PAGES))
        read = self._clients.listed(site.subscription, found, _active_version).found
        return {name: version for name, version in read if version}

    def refresh_references(self, site: SiteRef) -> None:
        """Request that App Service fetches the Key Vault references of a site again.

        The Azure docs "Use Key Vault references", section on rotation, describe the request that refreshes Key Vault
        references.
        """
        url = f"{site.path}/config/configreferences/appsettings/refresh?api-version={REFERENCES_REFRESH}"
        client = self._clients.client(site.subscription)
        self._retrying.write(f"Key Vault references of {site}", partial(_post, client, url), REMEDY)

    def _digest(self, key: str, value: object) -> str:
        text = value if isinstance(value, str) else f"\0{json.dumps(value, sort_keys=True)}"
        return hmac.digest(self._salt, f"{key}\0{text}".encode("utf-8", "surrogatepass"), "sha256").hex()


def _active_version(wire: Json) -> tuple[str, str]:
    return text_of(wire, "name"), str((wire.get("properties") or {}).get("activeVersion") or "")


def _etag(response: PipelineResponse[Any, Any], _model: object, _headers: object) -> str | None:
    etag: str | None = response.http_response.headers.get("ETag")
    return etag


def _post(client: WebSiteManagementClient, url: str) -> None:
    sent(client, HttpRequest("POST", url))


def _all_settings(wire: Any) -> dict[str, object]:  # noqa: ANN401 - a model of the SDK
    """Return all settings with their values. Raise TypeError if the answer has no object of settings.

    An incomplete answer must not look like an app whose settings are gone.
    """
    properties = wire.as_dict().get("properties")
    if not isinstance(properties, Mapping):
        raise TypeError("Azure does not show the settings")
    return dict(properties)
