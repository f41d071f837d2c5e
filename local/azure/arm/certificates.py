"""Certificates over the wire: imported from a vault, synced by writing them again, uploaded, deleted."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from local.azure.arm import imports, refusals
from local.azure.arm.call import GROUP, SUBSCRIPTION, WEB, Call, Route
from local.azure.arm.resources import Certificate, Plan, Source, Webspace, display_location, short_location, web_id
from local.azure.vault.authority import Leaf
from local.azure.vault.state import ImportedCertificate, imported
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World

SELF_SIGNED_WARNING = (
    "199 Some of the uploaded certificates are either self-signed or expired.,"
    "199 Some of the uploaded certificates cannot be validated to a trusted CA"
)
ALWAYS_NULL = (
    "pfxBlob",
    "password",
    "siteName",
    "selfLink",
    "valid",
    "toDelete",
    "cerBlob",
    "publicKeyHash",
    "hostingEnvironment",
    "hostingEnvironmentProfile",
    "serverFarmId",
    "tags",
    "resourceGroup",
)


def list_certificates(call: Call) -> Response:
    """Answer the certificates of a subscription or a group, as `$filter` narrows them."""
    found = (one for one in call.world.web.certificates.listing(call.below) if call.sees(one.id))
    items = (certificate_json(one, with_status=True) for one in _filtered(call, found))
    return call.page(items, id=None)


def get_certificate(call: Call) -> Response:
    """Answer one certificate."""
    return json_response(200, certificate_json(_found(call), with_status=True))


def put_certificate(call: Call) -> Response:
    """Import or upload a certificate; written again, an import is synced in place. It answers 200, not 201."""
    payload = call.payload()
    return _write(call, payload, call.world.web.certificates.get(_id(call)))


def patch_certificate(call: Call) -> Response:
    """Write what the request names; the rest is as it was."""
    before = _current(call)
    return _write(call, {"location": before.location, "tags": dict(before.tags)} | call.payload(), before)


def delete_certificate(call: Call) -> Response:
    """Delete a certificate that no host name is bound to."""
    certificate = call.world.web.certificates.get(_id(call))
    if certificate is None:
        return Response(204)
    _check_unused(call.world, certificate)
    call.world.web.certificates.remove(certificate.id)
    call.world.journal.note(f"certificate {certificate.name} {certificate.thumbprint[:8]} deleted")
    return Response(200)


def _write(call: Call, payload: Mapping[str, Any], before: Certificate | None) -> Response:
    properties = payload.get("properties") or {}
    location = _location(payload, before)
    source, content = _content(call.world, properties, before)
    certificate = Certificate(
        subscription=before.subscription if before else call["subscription"],
        resource_group=before.resource_group if before else call["group"],
        name=before.name if before else call["name"],
        location=location,
        webspace=before.webspace if before else _webspace(call, properties, location),
        content=content,
        source=source,
        tags=payload.get("tags") or {},
    )
    if (first := _resolved(call.world, certificate, before)) is not None:
        return json_response(200, certificate_json(first, with_status=False))
    _check_allowed(call.world, certificate, before)
    imports.install(call.world, certificate)
    echo = _wrong_echo(call.world, certificate, before) if call.world.knobs.wrong_echo else certificate
    response = json_response(200, certificate_json(echo, with_status=False))
    return response.adding({"warning": SELF_SIGNED_WARNING}) if content.self_signed else response


def _location(payload: Mapping[str, Any], before: Certificate | None) -> str:
    location = payload.get("location")
    if not location:
        raise Refused(arm_error(400, "LocationRequired", "The location property is required for this definition."))
    if before is not None and short_location(before.location) != short_location(str(location)):
        message = f"The resource '{before.name}' already exists in location '{short_location(before.location)}'."
        raise Refused(arm_error(409, "InvalidResourceLocation", message))
    return str(location)


def _content(
    world: World, properties: Mapping[str, Any], before: Certificate | None
) -> tuple[Source | None, ImportedCertificate]:
    if properties.get("pfxBlob"):
        return None, _uploaded(str(properties["pfxBlob"]), str(properties.get("password") or ""))
    vault_id, secret = properties.get("keyVaultId"), properties.get("keyVaultSecretName")
    if vault_id and secret:
        source = Source(str(vault_id), str(secret))
        return source, imports.fetch_or_refuse(world, source)
    if before is not None:
        return before.source, before.content
    raise refusals.invalid("Certificate", "Either a PFX blob or a Key Vault and its secret is required.")


def _uploaded(blob: str, password: str) -> ImportedCertificate:
    try:
        bundle = pkcs12.load_pkcs12(base64.b64decode(blob, validate=True), password.encode() or None)
    except (ValueError, binascii.Error) as unreadable:
        raise refusals.bad("The certificate file or its password is not valid.") from unreadable
    if bundle.cert is None or not isinstance(bundle.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise refusals.bad("The certificate file holds no certificate with a private key.")
    chain = tuple(above.certificate for above in bundle.additional_certs)
    return imported(Leaf(bundle.cert.certificate, bundle.key, chain))


def _webspace(call: Call, properties: Mapping[str, Any], location: str) -> Webspace:
    """Return where a new certificate goes: to the webspace of the plan named, else by resource group and location."""
    plan_id = properties.get("serverFarmId")
    if plan_id:
        plan = call.world.web.plans.get(str(plan_id))
        if plan is None:
            raise refusals.missing("ServerFarm", str(plan_id).rsplit("/", maxsplit=1)[-1])
        return plan.webspace
    plans = sorted(_plans_near(call, location), key=lambda one: one.linux)
    region = display_location(location).replace(" ", "")
    return plans[0].webspace if plans else Webspace(call["subscription"], f"{call['group']}-{region}webspace")


def _plans_near(call: Call, location: str) -> Iterator[Plan]:
    return (
        plan
        for plan in call.world.web.plans.values()
        if call.within(plan.subscription, plan.resource_group)
        and short_location(plan.location) == short_location(location)
    )


def _check_allowed(world: World, certificate: Certificate, before: Certificate | None) -> None:
    if world.knobs.second_import_same_thumbprint == "refuse":
        _check_only_one(world, certificate)
    replaced = before is not None and before.thumbprint != certificate.thumbprint
    if before is not None and replaced and certificate.source is None:
        _check_unused(world, before)


def _check_only_one(world: World, certificate: Certificate) -> None:
    if (other := _first(world, certificate)) is not None:
        raise refusals.conflict("A certificate with thumbprint {0} already exists as {1}.", other.thumbprint, other.id)


def _resolved(world: World, certificate: Certificate, before: Certificate | None) -> Certificate | None:
    """Return the copy that the request for a new one leads to instead, if the knob says so and there is one."""
    resolves = world.knobs.second_import_same_thumbprint == "resolve" and before is None
    return _first(world, certificate) if resolves else None


def _first(world: World, certificate: Certificate) -> Certificate | None:
    """Return another copy of the same thumbprint in the same subscription and location, or None."""
    same_thumbprint = (one for one in world.web.certificates.values() if one.thumbprint == certificate.thumbprint)
    others = (one for one in same_thumbprint if one.id.lower() != certificate.id.lower())
    return next((one for one in others if _place(one) == _place(certificate)), None)


def _place(certificate: Certificate) -> tuple[str, str]:
    return certificate.subscription.lower(), short_location(certificate.location)


def _check_unused(world: World, certificate: Certificate) -> None:
    """Refuse to take away what is bound (azure docs, support articles; reported for uploads that are replaced)."""
    for _, host in world.web.using(certificate.webspace, certificate.thumbprint):
        raise refusals.in_use(certificate.thumbprint, host.name)


def _wrong_echo(world: World, certificate: Certificate, before: Certificate | None) -> Certificate:
    """Return what the answer shows instead: another copy's source, and the content from before the write."""
    others = (one.source for one in world.web.certificates.values() if one.source and one.source != certificate.source)
    source = next(others, certificate.source)
    return replace(certificate, source=source, content=(before or certificate).content)


def certificate_json(certificate: Certificate, *, with_status: bool) -> dict[str, Any]:
    """Return the certificate as Microsoft.Web writes it.

    The vault's id comes back in lower case and the plan's as null; `keyVaultSecretStatus` is in reads only (recorded
    azure-cli test_webapp_ssl_import).
    """
    content = certificate.content
    properties: dict[str, Any] = dict.fromkeys(ALWAYS_NULL) | {
        "friendlyName": "",
        "subjectName": content.subject_name,
        "hostNames": list(content.host_names),
        "issuer": content.issuer,
        "issueDate": content.not_before.isoformat(),
        "expirationDate": content.not_after.isoformat(),
        "thumbprint": content.thumbprint,
        "webSpace": certificate.webspace.name,
        **_source_json(certificate, with_status=with_status),
    }
    return {
        "id": certificate.id,
        "name": certificate.name,
        "type": "Microsoft.Web/certificates",
        "location": display_location(certificate.location),
        "tags": dict(certificate.tags),
        "properties": properties,
    }


def _source_json(certificate: Certificate, *, with_status: bool) -> dict[str, Any]:
    if certificate.source is None:
        return {"keyVaultId": None, "keyVaultSecretName": None}
    status = {"keyVaultSecretStatus": certificate.status} if with_status else {}
    return {
        "keyVaultId": certificate.source.vault_id.lower(),
        "keyVaultSecretName": certificate.source.secret_name,
        **status,
    }


def _filtered(call: Call, certificates: Iterator[Certificate]) -> Iterator[Certificate]:
    conditions = call.conditions()
    vaults, farms = conditions.get("keyvaultid"), conditions.get("serverfarmid")
    plans = (call.world.web.plans.get(farm) for farm in farms or ())
    webspaces = {plan.webspace.key for plan in plans if plan is not None}
    for one in certificates:
        from_vault = vaults is None or (one.source is not None and one.source.vault_id.lower() in vaults)
        if from_vault and (farms is None or one.webspace.key in webspaces):
            yield one


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
)
