"""The JSON form of Key Vault's data plane: bundles, list items, operations and errors."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from local.azure.vault.access import data_action
from local.azure.vault.doors import Denial
from local.azure.vault.links import name_text
from local.azure.vault.objects import Operation, VaultCertificate, Version
from local.azure.vault.policy import PEM
from local.azure.vault.secrets import Secret, SecretVersion
from local.azure.vault.vault import Vault
from local.azure.wire import Refused as AzureRefused
from local.azure.wire import Request, Response

A_SECOND = timedelta(seconds=1)
PURGE_AFTER = timedelta(days=90)
RECOVERY = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": PURGE_AFTER.days}


class Refused(AzureRefused):
    """An exception with which the data plane refuses a request, in Key Vault's error envelope."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        """Make Key Vault's error response with the reason for the refusal."""
        error: dict[str, Any] = {"code": code, "message": message}
        if inner is not None:
            error["innererror"] = {"code": inner}
        super().__init__(answer(status, {"error": error}))


def answer(status: int, payload: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response of Key Vault's data plane."""
    own = {
        "Cache-Control": "no-cache",
        "Content-Type": "application/json; charset=utf-8",
        "x-ms-keyvault-region": "westeurope",
        "x-ms-keyvault-service-version": "1.9.2400.1",
        "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;",
    }
    body = b"" if payload is None else json.dumps(payload).encode()
    return Response(status, own | dict(headers or {}), body)


def challenge(tenant: str, message: str) -> Response:
    """Return Key Vault's 401, which tells a client where to get a token, and for which resource."""
    authority = f'authorization="https://login.microsoftonline.com/{tenant}"'
    header = {"WWW-Authenticate": f'Bearer {authority}, resource="https://vault.azure.net"'}
    return answer(401, {"error": {"code": "Unauthorized", "message": message}}, header)


def denied(vault: Vault, denial: Denial, principal: str, operation: str) -> Refused:
    """Return the 403 for an operation that roles, a policy or the firewall deny, in the form that users report."""
    caller = f"appid={principal};oid={principal};iss=https://sts.windows.net/{vault.kernel.tenant_id}/"
    where = f"{vault.name};location={vault.location}"
    kind, _, verb = operation.partition("/")
    if denial.how == "rbac":
        message = (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            f"definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\n"
            f"Action: '{data_action(operation)}'\r\nResource: '{vault.resource_id.lower()}'\r\n"
            f"Assignment: (not found)\r\nVault: {where}\r\n"
        )
        return Refused(403, "Forbidden", message, "ForbiddenByRbac")
    if denial.how == "firewall":
        message = f"Client address is not authorized and caller is not a trusted service.\r\nVault: {where}"
        return Refused(403, "Forbidden", message, "ForbiddenByFirewall")
    message = (
        f"The user, group or application '{caller}' does not have {kind} {verb} permission on key vault '{where}'. "
        "For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
    )
    return Refused(403, "Forbidden", message, "AccessDenied")


def missing(name: str, version: str = "") -> Refused:
    """Return Key Vault's 404 for a missing certificate or certificate version."""
    wanted = f"{name}/{version}" if version else name
    return Refused(
        404, "CertificateNotFound", f"A certificate with (name/id) {wanted} was not found in this key vault."
    )


def secret_missing(name: str) -> Refused:
    """Return Key Vault's 404 for a missing secret or secret version."""
    return Refused(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")


def managed(verb: str) -> Refused:
    """Return the 403 for a change of the secret behind a certificate, as users of Key Vault report it."""
    message = f'Operation "{verb}" is not allowed as this object\'s lifetime is managed by Key Vault.'
    return Refused(403, "Forbidden", message, "SecretManagedByKeyVault")


def unix(moment: datetime) -> int:
    """Return the moment in the form of Key Vault: whole seconds since 1970."""
    return int(moment.timestamp())


def thumbprint(version: Version) -> str:
    """Return the SHA-1 thumbprint as `x5t`: in base64url without padding."""
    return base64.urlsafe_b64encode(bytes.fromhex(version.thumbprint)).rstrip(b"=").decode()


def attributes(version: Version | SecretVersion) -> dict[str, Any]:
    """Return the attributes of a version in Key Vault's JSON form.

    Dates in Key Vault's attributes are integers, and a plain secret may have no dates.
    """
    return {
        "enabled": version.enabled,
        **({"nbf": unix(version.not_before)} if version.not_before else {}),
        **({"exp": unix(version.not_after)} if version.not_after else {}),
        "created": unix(version.created),
        "updated": unix(version.updated),
    }


def item(vault: Vault, certificate: VaultCertificate, version: Version, *, versioned: bool) -> dict[str, Any]:
    """Return a version as an entry in Key Vault's list of certificates, without the certificate and its policy."""
    address = f"{vault.url}/certificates/{certificate.name}"
    return {
        "id": f"{address}/{version.id}" if versioned else address,
        "x5t": thumbprint(version),
        "attributes": attributes(version),
        "tags": version.tags,
        "subject": name_text(lambda: version.leaf.certificate.subject),
    }


def policy(vault: Vault, certificate: VaultCertificate) -> dict[str, Any]:
    """Return the vault certificate's policy with id and attributes, in Key Vault's JSON form.

    A policy that differs from that of the newest version was changed after the version was made.
    """
    newest = certificate.versions[-1] if certificate.versions else None
    created = min(certificate.created, newest.created) if newest else certificate.created
    changed = newest is not None and newest.policy != certificate.policy
    updated = max(vault.kernel.clock.now(), newest.created + A_SECOND) if newest and changed else created
    times = {"created": unix(created), "updated": unix(updated)}
    return {
        "id": f"{vault.url}/certificates/{certificate.name}/policy",
        **certificate.policy.to_wire(),
        "attributes": {"enabled": True, **times},
    }


def bundle(vault: Vault, certificate: VaultCertificate, version: Version) -> dict[str, Any]:
    """Return a whole version of a vault certificate in Key Vault's JSON form.

    A vault certificate, its key and its secret share the id of the version.
    """
    name = f"{certificate.name}/{version.id}"
    pending = {"id": f"{vault.url}/certificates/{certificate.name}/pending"}
    return {
        "id": f"{vault.url}/certificates/{name}",
        "kid": f"{vault.url}/keys/{name}",
        "sid": f"{vault.url}/secrets/{name}",
        "x5t": thumbprint(version),
        "cer": base64.b64encode(version.leaf.der).decode(),
        "attributes": attributes(version) | RECOVERY,
        "policy": policy(vault, certificate),
        "tags": version.tags,
        **({"pending": pending} if certificate.pending else {}),
    }


def deleted_bundle(vault: Vault, certificate: VaultCertificate) -> dict[str, Any]:
    """Return a deleted certificate: its newest version, and the end of the recovery period."""
    at = certificate.deleted_at or vault.kernel.clock.now()
    return bundle(vault, certificate, certificate.newest) | {
        "recoveryId": f"{vault.url}/deletedcertificates/{certificate.name}",
        "deletedDate": unix(at),
        "scheduledPurgeDate": unix(at + PURGE_AFTER),
    }


def secret_item(
    vault: Vault, found: VaultCertificate | Secret, version: Version | SecretVersion, *, versioned: bool
) -> dict[str, Any]:
    """Return a version as an entry in a list of secrets, without its value.

    In lists of secrets, only the secret behind a vault certificate has the field `managed`. Key Vault omits the content
    type, dates and tags that a plain secret lacks.
    """
    address = f"{vault.url}/secrets/{found.name}"
    plain = isinstance(found, Secret)
    return {
        "id": f"{address}/{version.id}" if versioned else address,
        **({"contentType": version.content_type} if version.content_type else {}),
        **({} if plain else {"managed": True}),
        "attributes": attributes(version) | RECOVERY,
        **({"tags": version.tags} if version.tags or not plain else {}),
    }


def secret(vault: Vault, found: VaultCertificate | Secret, version: Version | SecretVersion) -> dict[str, Any]:
    """Return a secret version with its value, in Key Vault's JSON form.

    The value of a secret behind a certificate is a PFX without a password, or PEM, as the certificate's policy says.
    """
    key = {} if isinstance(found, Secret) else {"kid": f"{vault.url}/keys/{found.name}/{version.id}"}
    value = version.value if isinstance(version, SecretVersion) else _secret_value(version)
    return {"value": value} | secret_item(vault, found, version, versioned=True) | key


def key(vault: Vault, certificate: VaultCertificate, version: Version) -> dict[str, Any]:
    """Return the key of a vault certificate's version without its numbers, in Key Vault's JSON form."""
    address = f"{vault.url}/keys/{certificate.name}/{version.id}"
    return {
        "key": {"kid": address, "kty": version.leaf.key_type},
        "attributes": attributes(version) | RECOVERY | {"exportable": version.policy.exportable},
        "managed": True,
        "tags": version.tags,
    }


def deleted_secret(vault: Vault, found: Secret) -> dict[str, Any]:
    """Return a deleted secret without its value, and the end of the recovery period."""
    at = found.deleted_at or vault.kernel.clock.now()
    return secret_item(vault, found, found.newest, versioned=True) | {
        "recoveryId": f"{vault.url}/deletedsecrets/{found.name}",
        "deletedDate": unix(at),
        "scheduledPurgeDate": unix(at + PURGE_AFTER),
    }


def _secret_value(version: Version) -> str:
    leaf, with_key = version.leaf, version.policy.exportable
    if version.policy.content_type == PEM:
        key = leaf.private_key_pem if with_key else b""
        return (key + leaf.certificate_pem + leaf.chain_pem).decode()
    return base64.b64encode(leaf.pfx() if with_key else leaf.without_key().pfx()).decode()


def operation(vault: Vault, certificate: VaultCertificate, pending: Operation, *, status: str) -> dict[str, Any]:
    """Return the pending creation of a vault certificate in Key Vault's JSON form."""
    address = f"{vault.url}/certificates/{certificate.name}"
    unknown = pending.policy.issuer_name == "Unknown"
    waiting = (
        "Pending certificate created. Please Perform Merge to complete the request."
        if unknown
        else "Pending certificate created. Certificate request is in progress."
    )
    return {
        "id": f"{address}/pending",
        "issuer": {"name": pending.policy.issuer_name},
        "csr": base64.b64encode(pending.csr).decode(),
        "cancellation_requested": pending.cancelled,
        "status": status,
        "request_id": pending.request_id,
        **({"status_details": waiting} if status == "inProgress" else {}),
        **({"target": address} if status == "completed" else {}),
    }


def json_body(request: Request) -> dict[str, Any]:
    """Return the request's JSON object; refuse any other body as Key Vault does."""
    try:
        found = json.loads(request.body or b"{}")
    except ValueError as wrong:
        raise Refused(400, "BadParameter", "The request body is not valid JSON.") from wrong
    if not isinstance(found, dict):
        raise Refused(400, "BadParameter", "The request body is not an object.")
    return found
