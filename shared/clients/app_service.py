"""App Service over azure-mgmt-web, and the few ARM lists beside it."""

import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, TypeVar
from urllib.parse import quote

from azure.core.credentials import TokenCredential
from azure.core.paging import ItemPaged
from azure.core.pipeline import PipelineResponse
from azure.core.rest import HttpRequest
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import (
    Certificate,
    CertificateProperties,
    HostNameBinding,
    PublicCertificate,
    PublicCertificateProperties,
    StringDictionary,
)

from shared.clients.arm import Json, listing, plain_list, readable, sent, tags_of, webspace_of
from shared.clients.clouds import Cloud
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.domain.app_settings import AppSettings
from shared.domain.errors import Rejected
from shared.domain.model import (
    Binding,
    Listing,
    SeenSite,
    ServerFarm,
    Site,
    SslState,
    WebspaceCertificate,
)
from shared.domain.names import (
    CopyRef,
    EnvironmentRef,
    HostName,
    InvalidNameError,
    SiteRef,
    Thumbprint,
    VaultCertificateRef,
    Webspace,
    parse_host_name,
    parse_subscription,
    parse_thumbprint,
)
from shared.domain.secret import Pfx

CURE = "grant the identity the roles that the README lists, on this subscription"
SETTINGS_CURE = f"{CURE}; reading app settings is an action of its own (Microsoft.Web/sites/config/list/action)"
WRITE_CURE = f"{CURE}; writing app settings takes Microsoft.Web/sites/config/write"
REFRESH_API = "2022-03-01"
LOADING = "loadCertificateToWebsitesSettings"
SWITCHES = (LOADING, "enableKeyVaultAccessUsingMSI")
"""What a PUT of a site's own certificate would switch off by leaving it out; the SDK has no names for them."""
USER_STORE = "CurrentUserMy"
NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
RESOURCES_API = "2021-04-01"
SUBSCRIPTIONS_API = "2022-12-01"
SLOT_FILTER = quote("resourceType eq 'Microsoft.Web/sites/slots'")
COPY_FILTER = quote("resourceType eq 'Microsoft.Web/certificates'")

Result = TypeVar("Result")

_OLD_SLOT = re.compile(r"(/sites/[^/()]+)\(([^/()]+)\)$")


class AppServiceClients:
    """The SDK clients, one per subscription."""

    def __init__(self, credential: TokenCredential, cloud: Cloud, options: Mapping[str, Any] = SDK_OPTIONS) -> None:
        self._make: Callable[[str], WebSiteManagementClient] = lru_cache(maxsize=None)(
            lambda subscription: WebSiteManagementClient(credential, subscription, cloud_setting=cloud.arm, **options)
        )

    def client(self, subscription: str) -> WebSiteManagementClient:
        """Return the client of a subscription."""
        return self._make(subscription)


class AppService:
    """Reads and writes App Service. Every method raises the domain's errors."""

    def __init__(self, clients: AppServiceClients, retrying: Retrying) -> None:
        self._clients = clients
        self._retrying = retrying
        self._salt = secrets.token_bytes(32)

    # ------------------------------------------------------------------------------------------------- lists

    def subscriptions(self) -> tuple[str, ...]:
        """Return the subscriptions that the identity sees."""
        found = self._plain(NO_SUBSCRIPTION, f"/subscriptions?api-version={SUBSCRIPTIONS_API}", "subscriptions")
        return tuple(sorted(parse_subscription(entry["subscriptionId"]) for entry in found))

    def certificates(self, subscription: str) -> Listing[WebspaceCertificate]:
        """List the webspace certificates of a subscription."""
        what = f"certificates of subscription {subscription}"
        items = self._clients.client(subscription).certificates.list()
        return listing(subscription, self._wires(what, items), read_certificate)

    def uploaded_at(self, subscription: str) -> Listing[tuple[CopyRef, datetime]]:
        """Return when each webspace certificate of a subscription was made, as far as Azure says it.

        The certificates themselves do not; the generic resource list does, where it is asked to.
        """
        url = f"/subscriptions/{subscription}/resources?$filter={COPY_FILTER}&$expand=createdTime"
        what = f"dates of the certificates of subscription {subscription}"
        found = self._plain(subscription, f"{url}&api-version={RESOURCES_API}", what)
        return listing(subscription, found, _dated)

    def sites(self, subscription: str) -> Listing[SeenSite]:
        """List the sites of a subscription with their bindings, without slots."""
        items = self._clients.client(subscription).web_apps.list()
        return listing(subscription, self._wires(f"sites of subscription {subscription}", items), read_site)

    def slot_parents(self, subscription: str) -> Listing[SiteRef]:
        """List the sites of a subscription that have slots; the generic resource list names all slots at once."""
        url = f"/subscriptions/{subscription}/resources?$filter={SLOT_FILTER}&api-version={RESOURCES_API}"
        found = self._plain(subscription, url, f"slots of subscription {subscription}")
        return listing(subscription, found, lambda wire: _site_ref(wire).production)

    def slots(self, site: SiteRef) -> Listing[SeenSite]:
        """List the slots of a site with their bindings."""
        items = self._clients.client(site.subscription).web_apps.list_slots(site.resource_group, site.name)
        return listing(site.subscription, self._wires(f"slots of {site}", items), read_site)

    def plans(self, subscription: str) -> Listing[ServerFarm]:
        """List the App Service plans of a subscription."""
        items = self._clients.client(subscription).app_service_plans.list()
        return listing(subscription, self._wires(f"plans of subscription {subscription}", items), read_plan)

    def sites_of_plan(self, plan: ServerFarm) -> Listing[SiteRef]:
        """List what runs on a plan."""
        _, _, subscription, _, group, *_, name = plan.resource_id.split("/")
        items = self._clients.client(subscription).app_service_plans.list_web_apps(group, name)
        return listing(subscription, self._wires(f"sites of plan {name}", items), _site_ref, plan.webspace)

    def site_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the certificates that a site on a Flex Consumption plan has to itself."""
        items = self._clients.client(site.subscription).site_certificates.list(site.resource_group, site.name)
        found = self._wires(f"certificates of {site}", items)
        return listing(site.subscription, found, partial(read_certificate, webspace=webspace), webspace)

    def public_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the public certificates of a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        items = site_or_slot(site, web_apps.list_public_certificates, web_apps.list_public_certificates_slot)()
        found = self._wires(f"public certificates of {site}", items)
        return listing(site.subscription, found, partial(read_certificate, webspace=webspace), webspace)

    # ------------------------------------------------------------------------------------------- single things

    def site(self, ref: SiteRef) -> tuple[Site, tuple[Binding, ...]]:
        """Read one site or slot with its bindings."""
        web_apps = self._clients.client(ref.subscription).web_apps
        read = site_or_slot(ref, web_apps.get, web_apps.get_slot)
        return readable(f"site {ref}", read_site, self._retrying.read(f"site {ref}", read, CURE).as_dict())

    def certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Read one certificate, whoever has it."""
        client = self._clients.client(ref.subscription)
        model = self._retrying.read(f"certificate {ref}", partial(_get_certificate, client, ref), CURE)
        return readable(f"certificate {ref}", read_certificate, model.as_dict())

    def import_certificate(self, copy: WebspaceCertificate, plan: ServerFarm) -> None:
        """Put an imported certificate again as it is, by which App Service fetches the vault's newest version."""
        properties = {
            **json.loads(copy.switches),
            "keyVaultId": copy.key_vault_id,
            "keyVaultSecretName": copy.key_vault_secret,
            "serverFarmId": plan.resource_id,
            "password": "",
        }
        body = Certificate({"location": copy.location, "tags": dict(copy.tags), "properties": properties})
        client = self._clients.client(copy.ref.subscription)
        self._retrying.write(f"certificate {copy.ref}", partial(_put_certificate, client, copy.ref, body), CURE)

    def upload_certificate(self, copy: WebspaceCertificate, pfx: Pfx, plan: ServerFarm) -> None:
        """Put a certificate with its private key into the plan's webspace."""
        content = CertificateProperties(pfx_blob=pfx.blob, password=pfx.password, server_farm_id=plan.resource_id)
        if LOADING in (switches := json.loads(copy.switches)):
            content[LOADING] = switches[LOADING]
        body = Certificate(location=copy.location, tags=dict(copy.tags), properties=content)
        write = partial(_put_certificate, self._clients.client(copy.ref.subscription), copy.ref, body)
        self._retrying.write(f"certificate {copy.ref}", write, CURE, secret=True)

    def upload_public_certificate(self, copy: WebspaceCertificate, der: bytes) -> None:
        """Put a certificate without a key on a site or slot."""
        site, name = _owner(copy.ref), copy.ref.name
        web_apps = self._clients.client(site.subscription).web_apps
        content = PublicCertificateProperties(blob=der, public_certificate_location=USER_STORE)
        body = PublicCertificate(properties=content)
        put = site_or_slot(
            site, web_apps.create_or_update_public_certificate, web_apps.create_or_update_public_certificate_slot
        )
        write = partial(put, public_certificate_name=name, public_certificate=body)
        self._retrying.write(f"certificate {copy.ref}", write, CURE)

    def delete_certificate(self, ref: CopyRef) -> None:
        """Delete a certificate; Azure refuses while a host name is bound to it."""
        client = self._clients.client(ref.subscription)
        self._retrying.write(f"certificate {ref}", partial(_delete_certificate, client, ref), CURE)

    def binding(self, site: SiteRef, host_name: HostName) -> tuple[Binding, object]:
        """Read one host name binding, and its whole body for the way back."""
        web_apps = self._clients.client(site.subscription).web_apps
        get = site_or_slot(site, web_apps.get_host_name_binding, web_apps.get_host_name_binding_slot)
        read = partial(get, host_name=host_name)
        wire = self._retrying.read(f"binding {host_name} of {site}", read, CURE).as_dict()
        return _binding(site, host_name, wire.get("properties") or {}), wire

    def put_binding(self, binding: Binding, body: object) -> None:
        """Write the body back with the thumbprint and ssl_state of the binding; all else stays as it was read.

        Without a thumbprint App Service looks for a certificate by the host name, as managed ones need it.
        """
        site = binding.site
        web_apps = self._clients.client(site.subscription).web_apps
        read = body if isinstance(body, Mapping) else {}
        shown = {"virtualIP", "thumbprint"}
        properties = {name: value for name, value in dict(read.get("properties") or {}).items() if name not in shown}
        thumbprint = {"thumbprint": binding.thumbprint} if binding.thumbprint else {}
        changed = {**properties, "sslState": str(binding.ssl_state), **thumbprint}
        put = site_or_slot(
            site, web_apps.create_or_update_host_name_binding, web_apps.create_or_update_host_name_binding_slot
        )
        write = partial(put, host_name=binding.host_name, host_name_binding=HostNameBinding({"properties": changed}))
        self._retrying.write(f"binding {binding.host_name} of {site}", write, CURE)

    # ------------------------------------------------------------------------------------------------- settings

    def settings(self, site: SiteRef) -> AppSettings:
        """Read the app settings of a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        read = site_or_slot(site, web_apps.list_application_settings, web_apps.list_application_settings_slot)
        what = f"app settings of {site}"
        values = dict(self._retrying.read(what, read, SETTINGS_CURE, secret=True).properties or {})
        if any(not isinstance(value, str) for value in values.values()):
            raise Rejected(f"{what} cannot be read: a value is no text")
        return AppSettings(site, values, {key: self._digest(key, value) for key, value in values.items()})

    def settings_to_edit(self, site: SiteRef) -> AppSettings:
        """Read the app settings with the site's ETag from before: the list itself carries none (recorded)."""
        web_apps = self._clients.client(site.subscription).web_apps
        get: Callable[..., Any] = site_or_slot(site, web_apps.get, web_apps.get_slot)
        etag = self._retrying.read(f"site {site}", partial(get, cls=_etag), CURE)
        return replace(self.settings(site), etag=etag)

    def put_settings(self, settings: AppSettings) -> None:
        """Replace the app settings. If-Match is sent where the ETag is known; that Azure minds it is not documented."""
        site = settings.site
        web_apps = self._clients.client(site.subscription).web_apps
        headers = {"If-Match": settings.etag} if settings.etag else {}
        body = StringDictionary({"properties": dict(settings.values)})
        put = site_or_slot(site, web_apps.update_application_settings, web_apps.update_application_settings_slot)
        write = partial(put, app_settings=body, headers=headers)
        self._retrying.write(f"app settings of {site}", write, WRITE_CURE, secret=True)

    def vault_references(self, site: SiteRef) -> dict[str, str]:
        """Return the version that each Key Vault reference leads to now, by setting; what leads nowhere is left out."""
        web_apps = self._clients.client(site.subscription).web_apps
        items = site_or_slot(
            site,
            web_apps.get_app_settings_key_vault_references,
            web_apps.get_app_settings_key_vault_references_slot,
        )
        found = {}
        for wire in self._wires(f"Key Vault references of {site}", items()):
            properties = wire.get("properties") or {}
            if properties.get("activeVersion"):
                found[str(wire.get("name"))] = str(properties["activeVersion"])
        return found

    def refresh_references(self, site: SiteRef) -> None:
        """Have the Key Vault references of a site fetched again (Azure docs, "Use Key Vault references", rotation)."""
        url = f"{quote(site.resource_id)}/config/configreferences/appsettings/refresh?api-version={REFRESH_API}"
        client = self._clients.client(site.subscription)
        self._retrying.write(f"Key Vault references of {site}", partial(_post, client, url), CURE)

    def restart(self, site: SiteRef) -> None:
        """Restart a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        write = site_or_slot(site, web_apps.restart, web_apps.restart_slot)
        self._retrying.write(f"restart of {site}", write, CURE)

    def stop(self, site: SiteRef) -> None:
        """Stop a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        write = site_or_slot(site, web_apps.stop, web_apps.stop_slot)
        self._retrying.write(f"stop of {site}", write, CURE)

    def start(self, site: SiteRef) -> None:
        """Start a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        write = site_or_slot(site, web_apps.start, web_apps.start_slot)
        self._retrying.write(f"start of {site}", write, CURE)

    def _digest(self, key: str, value: str) -> str:
        return hmac.digest(self._salt, f"{key}\0{value}".encode("utf-8", "surrogatepass"), "sha256").hex()

    # ------------------------------------------------------------------------------------------------ requests

    def _wires(self, what: str, items: ItemPaged[Any]) -> Iterator[Json]:
        return (model.as_dict() for model in self._retrying.pages(what, items, CURE))

    def _plain(self, subscription: str, url: str, what: str) -> tuple[Json, ...]:
        return plain_list(self._retrying, self._clients.client(subscription), url, what, CURE)


def site_or_slot(
    site: SiteRef, of_site: Callable[..., Result], of_slot: Callable[..., Result]
) -> Callable[..., Result]:
    """Return the SDK's method for a site, or its twin for a slot, with the names of this one filled in."""
    names = {"resource_group_name": site.resource_group, "name": site.name}
    return partial(of_site, **names) if site.slot is None else partial(of_slot, **names, slot=site.slot)


def _owner(ref: CopyRef) -> SiteRef:
    if ref.owner is None:
        raise Rejected(f"certificate {ref} belongs to no site")
    return ref.owner


def _get_certificate(client: WebSiteManagementClient, ref: CopyRef) -> Certificate | PublicCertificate:
    if ref.owner is None:
        return client.certificates.get(ref.resource_group, ref.name)
    if not ref.public:
        return client.site_certificates.get(ref.resource_group, ref.site, ref.name)
    web_apps = client.web_apps
    get = site_or_slot(ref.owner, web_apps.get_public_certificate, web_apps.get_public_certificate_slot)
    return get(public_certificate_name=ref.name)


def _put_certificate(client: WebSiteManagementClient, ref: CopyRef, body: Certificate) -> Certificate:
    if ref.owner is None:
        return client.certificates.create_or_update(ref.resource_group, ref.name, body)
    return client.site_certificates.create_or_update(ref.resource_group, ref.site, ref.name, body)


def _delete_certificate(client: WebSiteManagementClient, ref: CopyRef) -> None:
    if ref.owner is None:
        client.certificates.delete(ref.resource_group, ref.name)
    elif not ref.public:
        client.site_certificates.delete(ref.resource_group, ref.site, ref.name)
    else:
        web_apps = client.web_apps
        delete = site_or_slot(ref.owner, web_apps.delete_public_certificate, web_apps.delete_public_certificate_slot)
        delete(public_certificate_name=ref.name)


def _etag(response: PipelineResponse[Any, Any], _model: object, _headers: object) -> str | None:
    etag: str | None = response.http_response.headers.get("ETag")
    return etag


def _post(client: WebSiteManagementClient, url: str) -> None:
    sent(client, HttpRequest("POST", url))


def _site_ref(wire: Json) -> SiteRef:
    """Return what an id names; a slot may also be written `site(slot)`, App Service's own older spelling."""
    return SiteRef.parse(_OLD_SLOT.sub(r"\1/slots/\2", str(wire.get("id"))))


def _dated(wire: Json) -> tuple[CopyRef, datetime]:
    """Return a certificate of the generic list, and when it was made. Raises ValueError where that is not said."""
    created = datetime.fromisoformat(str(wire.get("createdTime")))
    return CopyRef.parse(str(wire.get("id"))), created.astimezone(UTC)


def read_plan(wire: Json) -> ServerFarm:
    """Return a plan from its wire form. Raises ValueError where it cannot be placed."""
    resource_id = str(wire.get("id"))
    subscription = parse_subscription(resource_id.removeprefix("/subscriptions/").partition("/")[0])
    webspace = Webspace.parse(subscription, (wire.get("properties") or {}).get("webSpace") or "")
    return ServerFarm(resource_id, webspace, str(wire.get("location")))


def read_certificate(wire: Json, webspace: Webspace | None = None) -> WebspaceCertificate:
    """Return a certificate from its wire form. Raises ValueError where it cannot be placed.

    `webspace` is where the site is that has it to itself; Azure does not say it of public certificates.
    """
    properties = wire.get("properties") or {}
    ref = CopyRef.parse(str(wire.get("id")))
    expiration = properties.get("expirationDate")
    named = str(properties.get("webSpace") or ("-" if ref.owner else ""))
    return WebspaceCertificate(
        ref=ref,
        webspace=webspace or Webspace.parse(ref.subscription, named),
        location=str(wire.get("location")),
        thumbprint=_thumbprint(properties.get("thumbprint")),
        host_names=frozenset(_host_name(name) for name in properties.get("hostNames") or ()),
        not_after=datetime.fromisoformat(expiration).astimezone(UTC) if expiration else None,
        source=_source(properties),
        key_vault_id=properties.get("keyVaultId"),
        key_vault_secret=properties.get("keyVaultSecretName"),
        tags=tags_of(wire),
        switches=json.dumps({name: properties[name] for name in SWITCHES if properties.get(name) is not None}),
        loaded=_is_loaded(properties.get(LOADING)),
    )


def _is_loaded(switch: object) -> bool:
    return isinstance(switch, Mapping) and bool(switch.get("loadToWebsite"))


def read_site(wire: Json) -> tuple[Site, tuple[Binding, ...]]:
    """Return a site or slot with its bindings from its wire form. Raises ValueError."""
    properties = wire.get("properties") or {}
    ref = _site_ref(wire)
    site = Site(
        ref=ref,
        webspace=webspace_of(ref.subscription, properties),
        default_host_name=_host_name(properties.get("defaultHostName") or ""),
        tags=tags_of(wire),
        running=str(properties.get("state") or "Running").lower() == "running",
        plan=str(properties.get("serverFarmId") or "").lower(),
        flex=str(properties.get("sku") or "").lower() == "flexconsumption",
        environment=_environment(properties),
        windows_code=_is_windows_code(wire, properties),
    )
    states = properties.get("hostNameSslStates") or ()
    ours = (state for state in states if state.get("hostType") != "Repository")
    return site, tuple(_binding(ref, _host_name(state.get("name") or ""), state) for state in ours)


def _is_windows_code(wire: Json, properties: Json) -> bool:
    """Say whether it is code on Windows: neither kind nor properties tell of Linux or of a container.

    Azure docs, App Service overview of `kind`: `app`, `functionapp,linux`, `app,container,windows` and the like.
    """
    kinds = {word.strip() for word in str(wire.get("kind") or "").lower().split(",")}
    switches = ("reserved", "isXenon", "hyperV")
    return kinds.isdisjoint({"linux", "container", "xenon"}) and not any(properties.get(name) for name in switches)


def _environment(properties: Json) -> EnvironmentRef | None:
    profile = properties.get("hostingEnvironmentProfile") or {}
    return EnvironmentRef.parse(str(profile["id"])) if profile.get("id") else None


def _binding(site: SiteRef, host_name: HostName, properties: Json) -> Binding:
    """Return a binding; sslState and thumbprint are absent where a host name was never bound (recorded)."""
    return Binding(
        site=site,
        host_name=host_name,
        ssl_state=SslState(properties.get("sslState") or SslState.DISABLED),
        thumbprint=_thumbprint(properties.get("thumbprint")),
        virtual_ip=properties.get("virtualIP") or None,
    )


def _thumbprint(text: str | None) -> Thumbprint | None:
    """Return the thumbprint; free managed certificates hide theirs as null or an empty text."""
    return parse_thumbprint(text) if text else None


def _host_name(text: str) -> HostName:
    """Return the host name; what Azure itself serves is taken as it is where it is no name by the rules."""
    try:
        return parse_host_name(text)
    except InvalidNameError:
        return HostName(text.strip().lower())


def _source(properties: Json) -> VaultCertificateRef | None:
    """Return the vault certificate that a copy was imported from; Azure echoes both names in lower case."""
    vault, name = properties.get("keyVaultId"), properties.get("keyVaultSecretName")
    if not vault or not name:
        return None
    try:
        return VaultCertificateRef.parse(vault, "certificate", name)
    except InvalidNameError:
        return None
