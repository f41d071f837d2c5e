"""The routes for sites and slots: list, read, write, start, stop and restart.

A write of a site may also change its host name bindings.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from local.azure.front_door.call import GROUP, SITE, SUBSCRIPTION, WEB, Call, Route, on_sites
from local.azure.front_door.installed import or_deployed
from local.azure.web import refusals
from local.azure.web.resources import DISABLED, RUNNING, STOPPED, Site, short_location
from local.azure.web.routes import bindings, creation
from local.azure.web.wire.sites import hosting_json, listed_site_json, site_json
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World

STORED_PROPERTIES = ("httpsOnly", "clientCertEnabled", "clientCertMode", "clientCertExclusionPaths", "enabled")


def list_sites(call: Call) -> Response:
    """Respond with the sites of a subscription or resource group, without slots."""
    sites = call.world.web.sites.listing(lambda key: call.below(key) and "/slots/" not in key)
    seen = (site for site in sites if call.sees(site.id))
    return call.page_of(seen, partial(listed_site_json, call.world.web), id=None)


def list_slots(call: Call) -> Response:
    """Respond with the slots of a site."""
    prefix = f"{call.site().id}/slots/".lower()
    slots = call.world.web.sites.listing(lambda key: key.startswith(prefix))
    return call.page((listed_site_json(call.world.web, slot) for slot in slots if call.sees(slot.id)), id=None)


def get_site(call: Call) -> Response:
    """Respond with one site or slot."""
    site = call.site()
    return json_response(200, site_json(call.world.web, site), ETag=f'"{site.etag}"')


def put_site(call: Call) -> Response:
    """Create a site, or write an existing site, and respond with the site.

    A PUT of a site replaces all tags of the site. A PUT of a site keeps host names unchanged that the request omits.
    """
    if call.world.web.sites.get(call.site_id()) is None:
        return creation.create_site(call)
    site, payload = call.site_now(), call.payload()
    location = payload.get("location")
    if not location:
        message = "The location property is required for this definition."
        raise Refused(arm_error(400, "LocationRequired", message))
    if short_location(str(location)) != short_location(site.location):
        message = f"The resource '{site.full_name}' already exists in location '{short_location(site.location)}'."
        raise Refused(arm_error(409, "InvalidResourceLocation", message))
    return _written(call, replace(site, tags=payload.get("tags") or {}), payload)


def patch_site(call: Call) -> Response:
    """Change the properties of the site that the request names, and keep the other properties."""
    site, payload = call.site_now(), call.payload()
    tags = payload.get("tags")
    return _written(call, site if tags is None else replace(site, tags=tags), payload)


def start(call: Call) -> Response:
    """Start the site."""
    return _set_state(call, RUNNING, "started")


def stop(call: Call) -> Response:
    """Stop the site; its host names keep their bindings."""
    return _set_state(call, STOPPED, "stopped")


def restart(call: Call) -> Response:
    """Restart the site."""
    site = call.site_now()
    call.world.web.put_site(replace(site, restarts=site.restarts + 1))
    call.world.journal.note(f"site {site.full_name} restarted")
    return Response(200)


def _set_state(call: Call, state: str, word: str) -> Response:
    site = call.site_now()
    if site.state != state:
        call.world.web.put_site(replace(site, state=state, restarts=site.restarts + (state == RUNNING)))
        call.world.journal.note(f"site {site.full_name} {word}")
    return Response(200)


def _written(call: Call, site: Site, payload: Mapping[str, Any]) -> Response:
    properties = payload.get("properties") or {}
    shown = hosting_json(call.world.web, site) | dict(site.properties)
    named = {name: properties[name] for name in STORED_PROPERTIES if properties.get(name) is not None}
    stored = {name: value for name, value in named.items() if value != shown[name]}
    changed = replace(site, properties={**site.properties, **stored})
    for entry in properties.get("hostNameSslStates") or ():
        changed = _with_entry(call.world, changed, entry)
    before = call.world.web.sites.get(site.id)
    after = call.world.web.put_site(changed)
    _note(call.world, before or site, after)
    return json_response(200, site_json(call.world.web, after), ETag=f'"{after.etag}"')


def _with_entry(world: World, site: Site, entry: Mapping[str, Any]) -> Site:
    """Return the site with the TLS binding that `entry` asks for, if the entry says `toUpdate`.

    No recording shows an entry with `toUpdate` and without `sslState`, so the local Azure assumes the worst case: the
    entry removes the TLS binding.
    """
    if not entry.get("toUpdate"):
        return site
    name = str(entry.get("name", "")).lower()
    host = site.hosts.get(name)
    if host is None:
        raise refusals.missing("Hostname", name)
    bound = bindings.bind(world, site, host, bindings.wish_of({**entry, "sslState": entry.get("sslState") or DISABLED}))
    return replace(site, hosts={**site.hosts, name: bound})


def _note(world: World, before: Site, after: Site) -> None:
    for name, host in after.hosts.items():
        bindings.note(world, before.hosts.get(name), host)
    if dict(before.tags) != dict(after.tags):
        world.journal.note(f"site {after.full_name} tags {sorted(before.tags)}->{sorted(after.tags)}")
    if dict(before.properties) != dict(after.properties):
        names = sorted(name for name, value in after.properties.items() if before.properties.get(name) != value)
        world.journal.note(f"site {after.full_name} {', '.join(names)} changed")


ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{WEB}/sites", list_sites),
    ("GET", f"{GROUP}{WEB}/sites", list_sites),
    ("GET", f"{SITE}/slots", list_slots),
    *on_sites(
        ("GET", "", or_deployed(get_site)),
        ("PUT", "", put_site),
        ("PATCH", "", patch_site),
        ("POST", "/start", start),
        ("POST", "/stop", stop),
        ("POST", "/restart", restart),
    ),
)
