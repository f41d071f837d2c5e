"""Key Vault's data plane, `https://{vault}.vault.azure.net`: its authentication and the routes for certificates."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from local.azure.entra.tokens import audience_fits, claims_of
from local.azure.vault import content, secret_routes, wire
from local.azure.vault.authority import Leaf, PrivateKey, authority, common_name
from local.azure.vault.call import Call, check_name, page, routes
from local.azure.vault.objects import Operation
from local.azure.vault.policy import UNKNOWN, Policy
from local.azure.vault.vault import Vault
from local.azure.vault.wire import Refused, answer
from local.azure.wire import Request, Response

HOST_SUFFIX = ".vault.azure.net"
API_VERSION = re.compile(r"(\d+\.\d+|\d{4}-\d{2}-\d{2})(-preview(\.\d+)?)?")
"""The form of an api-version: az CLI 2.91 sends 7.4, azure-keyvault-certificates 4.12.0 sends 2026-04-01."""


class KeyVault:
    """The data planes of all vaults of a simulated Azure."""

    def __init__(self, vaults: Mapping[str, Vault], tenant_id: str) -> None:
        """Answer requests to the vaults in `vaults`, whose keys are vault names in lower case.

        The 401 response to a request without a token tells the client to get a token of the tenant `tenant_id`.
        """
        self._vaults = vaults
        self._tenant_id = tenant_id

    def knows(self, host: str) -> bool:
        """Return True if the host name belongs to a vault of this simulated Azure."""
        return host.endswith(HOST_SUFFIX) and host.removesuffix(HOST_SUFFIX) in self._vaults

    def __call__(self, request: Request) -> Response:
        """Return Key Vault's response to the request."""
        vault = self._vaults[request.host.removesuffix(HOST_SUFFIX)]
        claims = claims_of(request)
        if claims is None:
            return wire.challenge(self._tenant_id, "AKV10000: Request is missing a Bearer or PoP token.")
        if not audience_fits(claims, "vault"):
            return wire.challenge(self._tenant_id, "AKV10022: Invalid audience.")
        try:
            return _dispatch(vault, request, str(claims.get("oid", "")))
        except Refused as refused:
            return refused.response


def _dispatch(vault: Vault, request: Request, principal: str) -> Response:
    if not API_VERSION.fullmatch(request.query.get("api-version", "")):
        raise Refused(400, "BadParameter", "The request's api-version is missing or not supported.")
    path = request.path.strip("/")
    for route in (*ROUTES, *secret_routes.ROUTES):
        match = route.path.fullmatch(path)
        if match and route.method == request.method:
            denial = vault.refusal(principal, route.permission, match.groupdict().get("name", ""))
            if denial:
                raise wire.denied(vault, denial, principal, route.permission)
            return route.answer(Call(vault, request, **match.groupdict()))
    raise Refused(405, "BadParameter", f"Method {request.method} does not work on /{path}.")


def list_certificates(call: Call) -> Response:
    """Respond with a page of the vault's certificates, with the attributes of their newest versions."""
    ready = [certificate for certificate in call.vault.certificates.values() if certificate.versions]
    items = [wire.item(call.vault, certificate, certificate.newest, versioned=False) for certificate in ready]
    return page(call, items)


def list_versions(call: Call) -> Response:
    """Respond with a page of a vault certificate's versions, ordered by version id.

    Key Vault promises no order of versions in a list, so clients must not treat the last version as the newest.
    """
    certificate = call.vault.certificate(call.name)
    versions = certificate.versions if certificate else []
    ordered = sorted(versions, key=lambda version: version.id)
    return page(call, [wire.item(call.vault, call.certificate, version, versioned=True) for version in ordered])


def get_certificate(call: Call) -> Response:
    """Respond with a whole version of a vault certificate, enabled or not."""
    return answer(200, wire.bundle(call.vault, *call.found))


def update_certificate(call: Call) -> Response:
    """Change the enabled state and tags of a version, and the certificate's policy, if the request names them."""
    certificate, version = call.found
    wanted = wire.json_body(call.request)
    version.enabled = (wanted.get("attributes") or {}).get("enabled", version.enabled)
    if wanted.get("tags") is not None:
        version.tags = dict(wanted["tags"])
    if wanted.get("policy") is not None:
        certificate.policy = certificate.policy.merged(wanted["policy"])
    version.updated = call.vault.kernel.clock.now()
    return answer(200, wire.bundle(call.vault, certificate, version))


def get_key(call: Call) -> Response:
    """Respond with the public part of the key of a vault certificate's version."""
    return answer(200, wire.key(call.vault, *call.found))


def get_policy(call: Call) -> Response:
    """Respond with the certificate's policy."""
    return answer(200, wire.policy(call.vault, call.certificate))


def update_policy(call: Call) -> Response:
    """Change the policy of a vault certificate; the certificates in existing versions stay unchanged."""
    certificate = call.certificate
    certificate.policy = certificate.policy.merged(wire.json_body(call.request))
    return get_policy(call)


def create_certificate(call: Call) -> Response:
    """Create a version of a vault certificate, and respond with an operation that is shown as in progress.

    If the issuer in the policy is `Unknown`, a new version exists only after a client has merged a signed certificate.
    With any other issuer than `Unknown`, the new version of the vault certificate exists before the response.
    """
    _check_name(call)
    wanted = wire.json_body(call.request)
    certificate = call.vault.ensure(call.name, Policy())
    if certificate.pending is not None and certificate.pending.status == "inProgress":
        raise Refused(409, "Conflict", "A pending certificate operation is already in progress.")
    policy = certificate.policy.merged(wanted.get("policy") or {})
    certificate.policy = policy
    enabled = (wanted.get("attributes") or {}).get("enabled", True)
    operation = _new_operation(call.vault, policy, dict(wanted.get("tags") or {}), enabled=enabled)
    certificate.pending = operation
    if policy.issuer_name != UNKNOWN:
        version = call.vault.renew(certificate.name, tags=operation.tags, enabled=enabled)
        operation.status, operation.version = "completed", version.id
    return answer(202, wire.operation(call.vault, certificate, operation, status="inProgress"))


def _new_operation(vault: Vault, policy: Policy, tags: dict[str, str], *, enabled: bool) -> Operation:
    key = authority().keys.take(policy.key_type, policy.key_size)
    subject = policy.subject_name or common_name((policy.host_names or ("unnamed",))[0])
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in policy.host_names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    csr = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return Operation(vault.new_id(), policy, tags, enabled, key, csr)


def get_pending(call: Call) -> Response:
    """Respond with the pending creation of a certificate and its present status."""
    certificate, operation = call.pending
    return answer(200, wire.operation(call.vault, certificate, operation, status=operation.status))


def cancel_pending(call: Call) -> Response:
    """Cancel the pending creation of a certificate, if the request asks for it and the creation is in progress."""
    _, operation = call.pending
    operation.cancelled = bool(wire.json_body(call.request).get("cancellation_requested"))
    if operation.cancelled and operation.status == "inProgress":
        operation.status = "cancelled"
    return get_pending(call)


def delete_pending(call: Call) -> Response:
    """Delete the pending creation of a certificate, and respond with the deleted operation."""
    certificate, operation = call.pending
    certificate.pending = None
    return answer(200, wire.operation(call.vault, certificate, operation, status=operation.status))


def merge_certificate(call: Call) -> Response:
    """Make a version of a vault certificate from a signed certificate and the pending operation's private key."""
    certificate, operation = call.pending
    wanted = wire.json_body(call.request)
    chain = [_certificate(text) for text in wanted.get("x5c") or []]
    if not chain or operation.key is None or not _same_key(chain[0], operation.key):
        raise Refused(400, "BadParameter", "Public key from x509 certificate and key of this instance doesn't match.")
    certificate.pending = None
    leaf = Leaf(chain[0], operation.key, tuple(chain[1:]))
    policy = replace(operation.policy, host_names=leaf.host_names)
    tags = dict(wanted.get("tags") or operation.tags)
    version = call.vault.append(certificate, leaf, policy, tags=tags, enabled=operation.enabled)
    return answer(201, wire.bundle(call.vault, certificate, version))


def _certificate(text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text))
    except (ValueError, binascii.Error) as wrong:
        raise Refused(400, "BadParameter", "Property x5c holds something that is no certificate.") from wrong


def _same_key(certificate: x509.Certificate, key: PrivateKey) -> bool:
    return certificate.public_key() == key.public_key()


def import_certificate(call: Call) -> Response:
    """Make a version of a vault certificate from an imported PFX or PEM, and respond with this version.

    The policy of the vault certificate adopts the key type, host names and content type of the imported file.
    """
    _check_name(call)
    wanted = wire.json_body(call.request)
    given = wanted.get("policy") or {}
    leaf, content_type = _parsed(wanted.get("value") or "", wanted.get("pwd") or "")
    before = call.vault.certificate(call.name)
    start = replace(before.policy if before else Policy(issuer_name=UNKNOWN), subject="")
    policy = replace(start.merged(given), host_names=leaf.host_names, key_type=leaf.key_type, content_type=content_type)
    certificate = call.vault.ensure(call.name, policy)
    version = call.vault.append(
        certificate,
        leaf,
        policy,
        tags=dict(wanted.get("tags") or {}),
        enabled=(wanted.get("attributes") or {}).get("enabled", True),
    )
    return answer(200, wire.bundle(call.vault, certificate, version))


def _parsed(value: str, password: str) -> tuple[Leaf, str]:
    try:
        found = content.read(value, password)
    except ValueError as wrong:
        raise Refused(400, "BadParameter", "The specified PKCS#12 or PEM content cannot be read.") from wrong
    if found[0].private_key is None:
        raise Refused(400, "BadParameter", "The specified content holds no private key that Key Vault takes.")
    return found


def _check_name(call: Call) -> None:
    check_name(call, call.vault.deleted, "Certificate")
    if call.name.lower() in call.vault.secrets or call.name.lower() in call.vault.deleted_secrets:
        raise Refused(409, "Conflict", f"The name {call.name} is already in use by a secret of this key vault.")


def delete_certificate(call: Call) -> Response:
    """Delete the vault certificate, which a client may recover until the certificate is purged."""
    _ = call.found
    return answer(200, wire.deleted_bundle(call.vault, call.vault.delete(call.name)))


def get_deleted(call: Call) -> Response:
    """Respond with a deleted certificate."""
    return answer(200, wire.deleted_bundle(call.vault, call.deleted))


def purge_deleted(call: Call) -> Response:
    """Purge the deleted vault certificate, which cannot be recovered afterwards."""
    del call.vault.deleted[call.deleted.name.lower()]
    return answer(204)


def recover_deleted(call: Call) -> Response:
    """Recover the deleted certificate."""
    certificate = call.vault.recover(call.deleted.name)
    return answer(200, wire.bundle(call.vault, certificate, certificate.newest))


ROUTES = routes(
    (
        ("GET", "certificates", "certificates/list", list_certificates),
        ("POST", "certificates/{name}/create", "certificates/create", create_certificate),
        ("POST", "certificates/{name}/import", "certificates/import", import_certificate),
        ("GET", "certificates/{name}/versions", "certificates/list", list_versions),
        ("GET", "certificates/{name}/policy", "certificates/get", get_policy),
        ("GET", "keys/{name}/{version}", "keys/get", get_key),
        ("PATCH", "certificates/{name}/policy", "certificates/update", update_policy),
        ("GET", "certificates/{name}/pending", "certificates/get", get_pending),
        ("PATCH", "certificates/{name}/pending", "certificates/update", cancel_pending),
        ("DELETE", "certificates/{name}/pending", "certificates/delete", delete_pending),
        ("POST", "certificates/{name}/pending/merge", "certificates/create", merge_certificate),
        ("GET", "certificates/{name}", "certificates/get", get_certificate),
        ("GET", "certificates/{name}/{version}", "certificates/get", get_certificate),
        ("PATCH", "certificates/{name}", "certificates/update", update_certificate),
        ("PATCH", "certificates/{name}/{version}", "certificates/update", update_certificate),
        ("DELETE", "certificates/{name}", "certificates/delete", delete_certificate),
        ("GET", "deletedcertificates/{name}", "certificates/get", get_deleted),
        ("DELETE", "deletedcertificates/{name}", "certificates/purge", purge_deleted),
        ("POST", "deletedcertificates/{name}/recover", "certificates/recover", recover_deleted),
    )
)
