"""The certificates of a Flex Consumption site over the wire: nobody else may use them, no webspace's list shows them.

After the public specification (SiteCertificates) and az CLI 2.91, which knows two properties more than the SDK's model:
`loadCertificateToWebsitesSettings` and `enableKeyVaultAccessUsingMSI`.
"""

from collections.abc import Mapping
from typing import Any

from local.azure.arm import certificates, refusals
from local.azure.arm.call import Call, Route, on_sites
from local.azure.arm.certificate_wire import certificate_json, warnings
from local.azure.arm.resources import Certificate, Site
from local.azure.vault.state import APP_SERVICE
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World

LOADING = "loadCertificateToWebsitesSettings"
BY_SITE_IDENTITY = "enableKeyVaultAccessUsingMSI"


def list_site_certificates(call: Call) -> Response:
    """Answer the certificates of a site; other plans' sites have none."""
    prefix = f"{call.site().id}/certificates/".lower()
    found = call.world.web.site_certificates.listing(lambda key: key.startswith(prefix))
    seen = (one for one in found if call.sees(one.id))
    return call.page((_json(call.world, one, with_status=True) for one in seen), id=None)


def get_site_certificate(call: Call) -> Response:
    """Answer one certificate of a site."""
    found = call.world.web.site_certificates.read(_id(call.site(), call["name"]))
    if found is None:
        raise _absent(call)
    return json_response(200, _json(call.world, found, with_status=True))


def put_site_certificate(call: Call) -> Response:
    """Import or upload a certificate, or sync it by writing it again: 200, or 201 where it is new.

    What the request does not say, of loading and of the identity, is then off: the unkind reading of a PUT.
    """
    site = call.site_now()
    _check_flex(site)
    before = call.world.web.site_certificates.get(_id(site, call["name"]))
    return _write(call, site, call.payload(), before)


def patch_site_certificate(call: Call) -> Response:
    """Write what the request names; the rest is as it was."""
    site = call.site_now()
    before = call.world.web.site_certificates.get(_id(site, call["name"]))
    if before is None:
        raise _absent(call)
    payload = call.payload()
    properties = _switches(before) | (payload.get("properties") or {})
    return _write(call, site, {"tags": dict(before.tags)} | payload | {"properties": properties}, before)


def delete_site_certificate(call: Call) -> Response:
    """Delete a certificate that no host name of the site is bound to."""
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
    answer = json_response(200 if before else 201, _json(call.world, shown, with_status=False))
    return answer.adding(warnings(call.world, content))


def _check_flex(site: Site) -> None:
    if not site.flex:
        raise refusals.bad(f"Site '{site.full_name}' is not on a Flex Consumption plan and has no own certificates.")


def _id(site: Site, name: str) -> str:
    return f"{site.id}/certificates/{name}"


def _absent(call: Call) -> Refused:
    message = f"The Resource 'Microsoft.Web/sites/{call['site']}/certificates/{call['name']}' was not found."
    return Refused(arm_error(404, "ResourceNotFound", message))


def _switches(certificate: Certificate) -> dict[str, Any]:
    return {LOADING: {"loadToWebsite": certificate.loaded}, BY_SITE_IDENTITY: certificate.by_site_identity}


def _json(world: World, certificate: Certificate, *, with_status: bool) -> dict[str, Any]:
    """Return the certificate as the specification's examples show it, with the two properties that they lack."""
    plain = certificate_json(certificate, with_status=with_status)
    hidden: dict[str, Any] = {"hostNames": []} if world.knobs.site_certificates_hide_host_names else {}
    slot = "/slots/" in certificate.id
    kind = "Microsoft.Web/sites/slots/certificates" if slot else "Microsoft.Web/sites/certificates"
    return plain | {"type": kind, "properties": plain["properties"] | hidden | _switches(certificate)}


ROUTES: tuple[Route, ...] = on_sites(
    ("GET", "/certificates", list_site_certificates),
    ("GET", "/certificates/{name}", get_site_certificate),
    ("PUT", "/certificates/{name}", put_site_certificate),
    ("PATCH", "/certificates/{name}", patch_site_certificate),
    ("DELETE", "/certificates/{name}", delete_site_certificate),
)
