"""The routes for the certificates of a Flex Consumption site, which only this site may use."""

from collections.abc import Mapping
from typing import Any

from local.azure.front_door.call import Call, Route, on_sites
from local.azure.front_door.installed import or_deployed
from local.azure.principals import APP_SERVICE
from local.azure.web import refusals
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import Site
from local.azure.web.routes import certificates
from local.azure.web.wire.certificates import warnings
from local.azure.web.wire.site_certificates import BY_SITE_IDENTITY, LOADING, site_certificate_json, switches_json
from local.azure.wire import Refused, Response, arm_error, json_response


def list_site_certificates(call: Call) -> Response:
    """Respond with the site's own certificates, which only a Flex Consumption site may have."""
    prefix = f"{call.site().id}/certificates/".lower()
    found = call.world.web.site_certificates.listing(lambda key: key.startswith(prefix))
    seen = (certificate for certificate in found if call.sees(certificate.id))
    return call.page(
        (site_certificate_json(call.world.knobs, certificate, with_status=True) for certificate in seen), id=None
    )


def get_site_certificate(call: Call) -> Response:
    """Respond with one certificate of a site."""
    found = call.world.web.site_certificates.read(_id(call.site(), call["name"]))
    if found is None:
        raise _absent(call)
    return json_response(200, site_certificate_json(call.world.knobs, found, with_status=True))


def put_site_certificate(call: Call) -> Response:
    """Import or upload a certificate; respond with 201 for a new certificate, otherwise with 200.

    A repeated import under the same name syncs the certificate with its vault. A PUT of a Flex Consumption certificate
    turns off loading and the use of the site's identity, unless the request names these properties. Azure docs do not
    describe a PUT that omits properties, so the local Azure assumes the worst case.
    """
    site = call.site_now()
    _check_flex(site)
    before = call.world.web.site_certificates.get(_id(site, call["name"]))
    return _write(call, site, call.payload(), before)


def patch_site_certificate(call: Call) -> Response:
    """Change only the properties of the certificate that the request names."""
    site = call.site_now()
    before = call.world.web.site_certificates.get(_id(site, call["name"]))
    if before is None:
        raise _absent(call)
    payload = call.payload()
    properties = switches_json(before) | (payload.get("properties") or {})
    return _write(call, site, {"tags": dict(before.tags)} | payload | {"properties": properties}, before)


def delete_site_certificate(call: Call) -> Response:
    """Delete the certificate of a Flex Consumption site, unless a host name of the site is bound to it."""
    certificate = call.world.web.site_certificates.get(_id(call.site_now(), call["name"]))
    if certificate is None:
        return Response(204)
    certificates.delete(call.world, certificate)
    return Response(200)


def _write(call: Call, site: Site, payload: Mapping[str, Any], before: Certificate | None) -> Response:
    properties = payload.get("properties") or {}
    certificates.check_location(str(payload.get("location") or site.location), before)
    by_identity = bool(properties.get(BY_SITE_IDENTITY))
    reader = site.id if by_identity else APP_SERVICE
    source, content = certificates.content_of(call.world, properties, before, reader)
    certificate = Certificate(
        subscription=site.subscription,
        resource_group=site.resource_group,
        name=before.name if before else call["name"],
        location=site.location,
        webspace=site.webspace,
        content=content,
        source=source,
        tags=payload.get("tags") or {},
        site_id=site.id,
        loaded=bool((properties.get(LOADING) or {}).get("loadToWebsite")),
        by_site_identity=by_identity,
    )
    shown = certificates.accept(call.world, certificate, before)
    answer = json_response(200 if before else 201, site_certificate_json(call.world.knobs, shown, with_status=False))
    return answer.adding(warnings(content, call.world.clock.now()))


def _check_flex(site: Site) -> None:
    if not site.flex:
        raise refusals.bad(f"Site '{site.full_name}' is not on a Flex Consumption plan and has no own certificates.")


def _id(site: Site, name: str) -> str:
    return f"{site.id}/certificates/{name}"


def _absent(call: Call) -> Refused:
    message = f"The Resource 'Microsoft.Web/sites/{call['site']}/certificates/{call['name']}' was not found."
    return Refused(arm_error(404, "ResourceNotFound", message))


ROUTES: tuple[Route, ...] = on_sites(
    ("GET", "/certificates", or_deployed(list_site_certificates)),
    ("GET", "/certificates/{name}", get_site_certificate),
    ("PUT", "/certificates/{name}", put_site_certificate),
    ("PATCH", "/certificates/{name}", patch_site_certificate),
    ("DELETE", "/certificates/{name}", delete_site_certificate),
)
