"""The routes for certificates: import from a vault, sync by a repeated import, upload, read and delete."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from local.azure.front_door.call import GROUP, SUBSCRIPTION, WEB, Call, Route
from local.azure.principals import APP_SERVICE
from local.azure.vault.issued import ImportedCertificate
from local.azure.vault.objects import VaultDenied, VaultObjectMissing, VaultRefusal
from local.azure.web import refusals, uploads
from local.azure.web.held_certificates import Certificate, Source
from local.azure.web.resources import Plan, Webspace, display_location, short_location, web_id
from local.azure.web.routes import certificate_checks, managed
from local.azure.web.wire.certificates import certificate_json, warnings
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World


def list_certificates(call: Call) -> Response:
    """Respond with the certificates of a subscription or resource group that match `$filter`."""
    found = (
        certificate for certificate in call.world.web.certificates.listing(call.below) if call.sees(certificate.id)
    )
    return call.page_of(_filtered(call, found), partial(certificate_json, with_status=True), id=None)


def get_certificate(call: Call) -> Response:
    """Respond with one certificate."""
    return json_response(200, certificate_json(_found(call), with_status=True))


def put_certificate(call: Call) -> Response:
    """Import, upload or order a certificate.

    Azure answers 200, instead of 201, to the import or upload of a new certificate. A repeated import under the same
    name syncs the certificate in place.
    """
    payload, before = call.payload(), call.world.web.certificates.get(_id(call))
    if not (payload.get("properties") or {}).get("canonicalName"):
        return _write(call, payload, before)
    if before is None:
        return managed.put(call, payload, _location(payload, before))
    return json_response(200, certificate_json(managed.again(before, payload), with_status=True))


def patch_certificate(call: Call) -> Response:
    """Change the properties of the certificate that the request names, and keep the other properties."""
    before = _current(call)
    return _write(call, {"location": before.location, "tags": dict(before.tags)} | call.payload(), before)


def delete_certificate(call: Call) -> Response:
    """Delete the certificate, unless a host name is bound to the certificate."""
    certificate = call.world.web.certificates.get(_id(call))
    if certificate is None:
        return Response(204)
    delete(call.world, certificate)
    return Response(200)


def accept(world: World, certificate: Certificate, before: Certificate | None) -> Certificate:
    """Store the certificate in App Service, and return the certificate that ARM's response shows.

    Raise Refused if the present state of App Service does not allow the certificate. The simulation's knobs
    `second_import_same_thumbprint` and `wrong_echo` can make the response show another certificate.
    """
    if (first := certificate_checks.resolved(world, certificate, before)) is not None:
        return first
    certificate_checks.check_allowed(world, certificate, before)
    world.imports.install(certificate)
    return _wrong_echo(world, certificate, before) if world.knobs.wrong_echo else certificate


def content_of(
    world: World, properties: Mapping[str, Any], before: Certificate | None, reader: str = APP_SERVICE
) -> tuple[Source | None, ImportedCertificate]:
    """Return the vault source (None for an upload) and the content of the certificate that a request describes.

    The content of the certificate comes from a PFX, from the vault with the rights of `reader`, or from the existing
    certificate.
    """
    if properties.get("pfxBlob"):
        return None, uploads.read_pfx(str(properties["pfxBlob"]), str(properties.get("password") or ""), world.knobs)
    vault_id, secret = properties.get("keyVaultId"), properties.get("keyVaultSecretName")
    if vault_id and secret:
        source = Source(str(vault_id), str(secret))
        return source, _fetched(world, source, reader)
    if before is not None:
        return before.source, before.content
    raise refusals.invalid("Certificate", "Either a PFX blob or a Key Vault and its secret is required.")


def _fetched(world: World, source: Source, reader: str) -> ImportedCertificate:
    """Return the certificate that the vault gives to the principal now; raise Refused if the vault refuses."""
    try:
        return world.imports.fetch(source, reader)
    except VaultDenied as denied:
        raise refusals.bad(
            f"The service does not have access to '{source.vault_id.lower()}' Key Vault. Please make sure that you have"
            " granted necessary permissions to the service to perform the request operation."
        ) from denied
    except VaultObjectMissing as absent:
        raise refusals.bad(
            f"The secret '{source.secret_name}' was not found in Key Vault '{source.vault_id.lower()}'."
        ) from absent
    except VaultRefusal as refusal:
        raise refusals.bad(str(refusal)) from refusal


def delete(world: World, certificate: Certificate) -> None:
    """Delete the certificate; raise Refused if a host name is bound to it."""
    certificate_checks.check_unused(world, certificate)
    world.web.remove_certificate(certificate)
    world.journal.note(f"certificate {certificate.name} {certificate.thumbprint[:8]} deleted")


def check_location(location: str, before: Certificate | None) -> None:
    """Refuse to move a certificate to another region (azure-cli #16464)."""
    if before is not None and short_location(before.location) != short_location(location):
        message = f"The resource '{before.name}' already exists in location '{short_location(before.location)}'."
        raise Refused(arm_error(409, "InvalidResourceLocation", message))


def _write(call: Call, payload: Mapping[str, Any], before: Certificate | None) -> Response:
    properties = payload.get("properties") or {}
    location = _location(payload, before)
    source, content = content_of(call.world, properties, before)
    kept = before if before is not None and content is before.content else None
    certificate = Certificate(
        subscription=before.subscription if before else call["subscription"],
        resource_group=before.resource_group if before else call["group"],
        name=before.name if before else call["name"],
        location=location,
        webspace=before.webspace if before else _webspace(call, properties, location),
        content=content,
        source=source,
        tags=payload.get("tags") or {},
        managed=kept.managed if kept else None,
        hidden=kept is not None and kept.hidden,
    )
    shown = accept(call.world, certificate, before)
    answer = json_response(200, certificate_json(shown, with_status=False))
    return answer.adding(warnings(content, call.world.clock.now()))


def _location(payload: Mapping[str, Any], before: Certificate | None) -> str:
    location = payload.get("location")
    if not location:
        raise Refused(arm_error(400, "LocationRequired", "The location property is required for this definition."))
    check_location(str(location), before)
    return str(location)


def _webspace(call: Call, properties: Mapping[str, Any], location: str) -> Webspace:
    """Return the webspace (App Service's group of plans) for a new certificate.

    A new certificate goes to the webspace (group of plans) of the plan that the request names. If the request names
    only an App Service Environment, the certificate goes to the environment's webspace for the resource group. If the
    request names neither, the resource group and location decide, and the certificate goes outside of environments
    (azure-powershell #7537).
    """
    plan_id = properties.get("serverFarmId")
    if plan_id:
        plan = call.world.web.plans.get(str(plan_id))
        if plan is None:
            raise refusals.missing("ServerFarm", str(plan_id).rsplit("/", maxsplit=1)[-1])
        return plan.webspace
    environment_id = (properties.get("hostingEnvironmentProfile") or {}).get("id")
    if environment_id:
        environment = call.world.web.environments.get(str(environment_id))
        if environment is None:
            raise refusals.missing("HostingEnvironment", str(environment_id).rpartition("/")[2])
        return call.world.web.environment_webspace(environment, call["group"])
    plans = sorted(_plans_near(call, location), key=lambda plan: plan.linux)
    region = display_location(location).replace(" ", "")
    return plans[0].webspace if plans else Webspace(call["subscription"], f"{call['group']}-{region}webspace")


def _plans_near(call: Call, location: str) -> Iterator[Plan]:
    return (
        plan
        for plan in call.world.web.plans.values()
        if call.within(plan.subscription, plan.resource_group)
        and not plan.is_flex
        and plan.environment is None
        and short_location(plan.location) == short_location(location)
    )


def _wrong_echo(world: World, certificate: Certificate, before: Certificate | None) -> Certificate:
    """Return a wrong certificate for the simulation's knob `wrong_echo`: another source, and old content."""
    others = (
        other.source for other in world.web.all_certificates() if other.source and other.source != certificate.source
    )
    source = next(others, certificate.source)
    return replace(certificate, source=source, content=(before or certificate).content)


def _filtered(call: Call, certificates: Iterator[Certificate]) -> Iterator[Certificate]:
    conditions = call.conditions()
    vaults, farms = conditions.get("keyvaultid"), conditions.get("serverfarmid")
    plans = (call.world.web.plans.get(farm) for farm in farms or ())
    webspaces = {plan.webspace.key for plan in plans if plan is not None}
    for certificate in certificates:
        from_vault = vaults is None or (
            certificate.source is not None and certificate.source.vault_id.lower() in vaults
        )
        if from_vault and (farms is None or certificate.webspace.key in webspaces):
            yield certificate


def _id(call: Call) -> str:
    return web_id(call["subscription"], call["group"], "certificates", call["name"])


def _found(call: Call) -> Certificate:
    certificate = call.world.web.certificates.read(_id(call))
    if certificate is None:
        raise refusals.absent("Microsoft.Web/certificates", call["name"], call["group"])
    return certificate


def _current(call: Call) -> Certificate:
    certificate = call.world.web.certificates.get(_id(call))
    if certificate is None:
        raise refusals.absent("Microsoft.Web/certificates", call["name"], call["group"])
    return certificate


CERTIFICATES = f"{GROUP}{WEB}/certificates"
ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{WEB}/certificates", list_certificates),
    ("GET", CERTIFICATES, list_certificates),
    ("GET", f"{CERTIFICATES}/{{name}}", get_certificate),
    ("PUT", f"{CERTIFICATES}/{{name}}", put_certificate),
    ("PATCH", f"{CERTIFICATES}/{{name}}", patch_certificate),
    ("DELETE", f"{CERTIFICATES}/{{name}}", delete_certificate),
    ("GET", f"{GROUP}{WEB}/certificates/{{name}}/operationresults/{{operation}}", managed.poll),
)
