"""The routes for host name bindings."""

from local.azure.front_door.call import Call, Route, on_sites
from local.azure.web import refusals
from local.azure.web.resources import Host, Site
from local.azure.web.routes import bindings
from local.azure.web.wire.host_names import binding_json
from local.azure.wire import Response, json_response


def list_bindings(call: Call) -> Response:
    """Respond with the host names of a site."""
    site = call.site()
    return call.page(binding_json(site, host) for host in site.hosts.values())


def get_binding(call: Call) -> Response:
    """Respond with one host name of a site.

    The ETag of a host name binding is the ETag of its site (recorded azure-cli traffic).
    """
    site = call.site()
    return _answer(site, _host(site, call["host"]))


def put_binding(call: Call) -> Response:
    """Add a host name to a site, or write the TLS binding of the host name.

    Azure answers 200, instead of 201, to the PUT of a new host name.
    """
    site, name = call.site_now(), call["host"].lower()
    properties = call.payload().get("properties") or {}
    owner = call.world.web.site_with_host(name)
    if owner is not None and owner.id != site.id:
        raise refusals.conflict("Hostname '{0}' already exists. Please try again with a different hostname.", name)
    wish = bindings.wish_of(properties)
    if wish.ssl_state is None:
        call.world.web.unstated.append(name)
        call.world.journal.note(f"host name {name} written without sslState")
    host = bindings.bind(call.world, site, site.hosts.get(name) or Host(name), wish)
    return _answer(bindings.store_host(call.world, site, host), host)


def delete_binding(call: Call) -> Response:
    """Remove a host name from a site; refuse to remove the default host name."""
    site, name = call.site_now(), call["host"].lower()
    if name == site.default_host_name:
        raise refusals.bad(f"The default host name {name} cannot be removed.")
    host = site.hosts.get(name)
    if host is None:
        return Response(204)
    bindings.remove_host(call.world, site, host)
    return Response(200)


def _host(site: Site, name: str) -> Host:
    host = site.hosts.get(name.lower())
    if host is None:
        raise refusals.missing("Hostname", name)
    return host


def _answer(site: Site, host: Host) -> Response:
    return json_response(200, binding_json(site, host), ETag=f'"{site.etag}"')


ROUTES: tuple[Route, ...] = on_sites(
    ("GET", "/hostNameBindings", list_bindings),
    ("GET", "/hostNameBindings/{host}", get_binding),
    ("PUT", "/hostNameBindings/{host}", put_binding),
    ("DELETE", "/hostNameBindings/{host}", delete_binding),
)
