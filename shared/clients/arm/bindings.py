"""Read and write the host name bindings of sites and slots."""

from collections.abc import Mapping
from functools import partial

from azure.mgmt.web.models import HostNameBinding

from shared.clients.arm.requests import Json, one_wire
from shared.clients.arm.site_requests import REMEDY, AppServicePart, site_or_slot
from shared.clients.arm.wire import read_binding
from shared.clients.reading import readable
from shared.domain.fleet.bindings import Binding
from shared.domain.names import SiteRef


class Bindings(AppServicePart):
    """The part of the App Service client for host name bindings."""

    def binding(self, site: SiteRef, host_name: str) -> tuple[Binding, object]:
        """Read one host name binding, and its complete body, which a write must send back.

        `host_name` is the host name as Azure wrote it.
        """
        web_apps = self._clients.client(site.subscription).web_apps
        get = site_or_slot(site, web_apps.get_host_name_binding, web_apps.get_host_name_binding_slot)
        read = partial(get, host_name=host_name)
        what = f"binding {host_name} of {site}"
        wire = one_wire(self._retrying, what, read, REMEDY)
        return readable(what, lambda found: read_binding(site, host_name, _properties(found)), wire), wire

    def put_binding(self, binding: Binding, body: object) -> None:
        """Write a binding's body back with the given thumbprint and `ssl_state`, and without the read-only `virtualIP`.

        If a written binding has no thumbprint, App Service finds a certificate by the host name. Certroll writes the
        binding of a managed certificate without a thumbprint, because Azure does not show that thumbprint.
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
        write = partial(put, host_name=binding.address, host_name_binding=HostNameBinding({"properties": changed}))
        self._retrying.write(f"binding {binding.host_name} of {site}", write, REMEDY)


def _properties(wire: Json) -> Json:
    """Return the properties of a binding. Raise TypeError if Azure shows none, which is no host name without TLS."""
    properties = wire.get("properties")
    if not isinstance(properties, Mapping):
        raise TypeError("Azure does not show its properties")
    return properties
