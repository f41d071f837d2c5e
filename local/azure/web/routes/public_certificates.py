"""The routes for public certificates of sites and slots, which the code of the site may load."""

from collections.abc import Mapping
from typing import Any

from local.azure.front_door.call import Call, Route, on_sites
from local.azure.front_door.installed import or_deployed
from local.azure.web import refusals, uploads
from local.azure.web.held_certificates import PublicCertificate
from local.azure.web.resources import CURRENT_USER, STORE_LOCATIONS, Site, StoreLocation
from local.azure.web.routes.certificate_checks import check_room_of_site
from local.azure.web.wire.public_certificates import public_certificate_json
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World


def list_public_certificates(call: Call) -> Response:
    """Respond with the public certificates of a site or slot."""
    site = call.site()
    prefix = _id(site, "").lower()
    found = call.world.web.public_certificates.listing(lambda key: key.startswith(prefix))
    return call.page(public_certificate_json(site, certificate) for certificate in found if call.sees(certificate.id))


def get_public_certificate(call: Call) -> Response:
    """Respond with one public certificate.

    After a write, the simulation's knob `public_certificate_flaps` hides the certificate from some reads. A list shows
    the certificate at once (azure-rest-api-specs #23138).
    """
    site = call.site()
    found = call.world.web.public_certificates.read(_id(site, call["name"]))
    if found is None or call.world.web.flapping.hides(found.id):
        message = f"The Resource 'Microsoft.Web/sites/{call['site']}/publicCertificates/{call['name']}' was not found."
        raise Refused(arm_error(404, "ResourceNotFound", message))
    return json_response(200, public_certificate_json(site, found))


def put_public_certificate(call: Call) -> Response:
    """Store a public certificate of a site; running processes do not notice the change."""
    site, properties = call.site_now(), call.payload().get("properties") or {}
    before = call.world.web.public_certificates.get(_id(site, call["name"]))
    der = uploads.read_public(str(properties.get("blob") or ""))
    stored = PublicCertificate(site.id, before.name if before else call["name"], der, _location(properties))
    if before is None:
        _check_room(call.world, site)
        if site.flex:
            owners = (held.owner_id for held in call.world.web.public_certificates.values())
            check_room_of_site(call.world, site.id, sum(owner == site.id for owner in owners))
    call.world.web.public_certificates.put(stored.id, stored)
    call.world.web.flapping.begin(stored.id)
    old = before.thumbprint[:8] if before else "none"
    call.world.journal.note(f"public certificate {stored.name} of {site.full_name} {old}->{stored.thumbprint[:8]}")
    return json_response(200, public_certificate_json(site, stored))


def delete_public_certificate(call: Call) -> Response:
    """Delete a public certificate of a site, even if app settings name the certificate's thumbprint."""
    site = call.site_now()
    found = call.world.web.public_certificates.get(_id(site, call["name"]))
    if found is None:
        return Response(204)
    call.world.web.public_certificates.remove(found.id)
    call.world.journal.note(f"public certificate {found.name} of {site.full_name} {found.thumbprint[:8]} deleted")
    return Response(200)


def _location(properties: Mapping[str, Any]) -> StoreLocation:
    asked = str(properties.get("publicCertificateLocation") or CURRENT_USER)
    found = next((location for location in STORE_LOCATIONS if location.lower() == asked.lower()), None)
    if found is None:
        known = ", ".join(STORE_LOCATIONS)
        raise refusals.invalid("PublicCertificateLocation", f"The value '{asked}' is not one of {known}.")
    return found


def _check_room(world: World, site: Site) -> None:
    """Refuse a new public certificate if the plan's sites already have the maximum number.

    Azure docs, configure-ssl-certificate, name the maximum number of public certificates for a plan.
    """
    limit, plan = world.knobs.public_certificates_per_plan, site.plan_id.lower()
    on_plan = {neighbour.id.lower() for neighbour in world.web.sites.values() if neighbour.plan_id.lower() == plan}
    held = sum(certificate.owner_id.lower() in on_plan for certificate in world.web.public_certificates.values())
    if held >= limit:
        raise refusals.conflict(
            "The App Service plan holds {0} public certificates, which is the limit. Delete one that is not used.",
            str(limit),
        )


def _id(site: Site, name: str) -> str:
    return f"{site.id}/publicCertificates/{name}"


ROUTES: tuple[Route, ...] = on_sites(
    ("GET", "/publicCertificates", or_deployed(list_public_certificates)),
    ("GET", "/publicCertificates/{name}", get_public_certificate),
    ("PUT", "/publicCertificates/{name}", put_public_certificate),
    ("DELETE", "/publicCertificates/{name}", delete_public_certificate),
)
