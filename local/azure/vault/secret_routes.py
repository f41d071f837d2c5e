"""Key Vault's data plane below /secrets: plain secrets, and the secrets behind certificates."""

from datetime import UTC, datetime
from typing import Any

from local.azure.vault import wire
from local.azure.vault.call import Call, check_name, page, routes
from local.azure.vault.objects import VaultCertificate, Version
from local.azure.vault.secrets import Secret, SecretVersion
from local.azure.vault.wire import Refused, answer
from local.azure.wire import Response


def list_secrets(call: Call) -> Response:
    """Respond with a page of the vault's secrets, with the attributes of their newest versions.

    The list of secrets includes the secrets behind vault certificates.
    """
    names = sorted({*call.vault.certificates, *call.vault.secrets})
    found = (secret for secret in map(call.vault.secret, names) if secret is not None)
    return page(call, [wire.secret_item(call.vault, secret, secret.newest, versioned=False) for secret in found])


def list_versions(call: Call) -> Response:
    """Respond with a page of a secret's versions, ordered by version id.

    Key Vault promises no order of versions in a list, so clients must not treat the last version as the newest.
    """
    found = call.vault.secret(call.name)
    if found is None:
        return page(call, [])
    versions: list[Version | SecretVersion] = sorted(found.versions, key=lambda version: version.id)
    return page(call, [wire.secret_item(call.vault, found, version, versioned=True) for version in versions])


def get_secret(call: Call) -> Response:
    """Respond with a secret and its value; refuse to read a disabled version."""
    found, version = _found(call)
    if not version.enabled:
        raise Refused(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
    return answer(200, wire.secret(call.vault, found, version))


def set_secret(call: Call) -> Response:
    """Add a version to a plain secret, and create the secret if it does not exist."""
    check_name(call, call.vault.deleted_secrets, "Secret")
    check_name(call, call.vault.deleted, "Certificate")
    if call.vault.certificate(call.name):
        raise wire.managed("set")
    wanted = wire.json_body(call.request)
    if not isinstance(wanted.get("value"), str):
        raise Refused(400, "BadParameter", "The request has no property value, which is a text.")
    attributes = wanted.get("attributes") or {}
    version = call.vault.set_secret(
        call.name,
        wanted["value"],
        content_type=wanted.get("contentType"),
        tags=wanted.get("tags"),
        enabled=attributes.get("enabled", True),
        not_before=_moment(attributes.get("nbf")),
        not_after=_moment(attributes.get("exp")),
    )
    return answer(200, wire.secret(call.vault, call.vault.secrets[call.name.lower()], version))


def update_secret(call: Call) -> Response:
    """Change only the properties of a plain secret's version that the request names.

    The response to the update does not contain the value of the secret.
    """
    found, version = _plain(call, "update")
    wanted = wire.json_body(call.request)
    attributes = wanted.get("attributes") or {}
    version.enabled = attributes.get("enabled", version.enabled)
    version.not_before = _moment(attributes.get("nbf")) or version.not_before
    version.not_after = _moment(attributes.get("exp")) or version.not_after
    version.content_type = wanted.get("contentType") or version.content_type
    if wanted.get("tags") is not None:
        version.tags = dict(wanted["tags"])
    version.updated = call.vault.kernel.clock.now()
    return answer(200, wire.secret_item(call.vault, found, version, versioned=True))


def delete_secret(call: Call) -> Response:
    """Delete the plain secret, which a client may recover until the secret is purged."""
    found, _ = _plain(call, "delete")
    return answer(200, wire.deleted_secret(call.vault, call.vault.delete_secret(found.name)))


def list_deleted(call: Call) -> Response:
    """Respond with a page of the deleted plain secrets."""
    return page(call, [wire.deleted_secret(call.vault, secret) for secret in call.vault.deleted_secrets.values()])


def get_deleted(call: Call) -> Response:
    """Respond with a deleted plain secret, without its value."""
    return answer(200, wire.deleted_secret(call.vault, _deleted(call)))


def purge_deleted(call: Call) -> Response:
    """Purge the deleted secret, which cannot be recovered afterwards."""
    del call.vault.deleted_secrets[_deleted(call).name.lower()]
    return answer(204)


def recover_deleted(call: Call) -> Response:
    """Recover the deleted plain secret."""
    found = call.vault.recover_secret(_deleted(call).name)
    return answer(200, wire.secret_item(call.vault, found, found.newest, versioned=True))


def _found(call: Call) -> tuple[VaultCertificate | Secret, Version | SecretVersion]:
    found = call.vault.secret(call.name)
    if found is None:
        raise wire.secret_missing(call.name)
    version = found.version(call.version) if call.version else call.vault.latest(found)
    if version is None:
        raise wire.secret_missing(f"{call.name}/{call.version}")
    return found, version


def _plain(call: Call, verb: str) -> tuple[Secret, SecretVersion]:
    found, version = _found(call)
    if not isinstance(found, Secret) or not isinstance(version, SecretVersion):
        raise wire.managed(verb)
    return found, version


def _deleted(call: Call) -> Secret:
    found = call.vault.deleted_secrets.get(call.name.lower())
    if found is None:
        raise Refused(404, "SecretNotFound", f"Deleted Secret not found: {call.name}")
    return found


def _moment(seconds: Any) -> datetime | None:  # noqa: ANN401 - JSON of a client
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)


ROUTES = routes(
    (
        ("GET", "secrets", "secrets/list", list_secrets),
        ("GET", "secrets/{name}/versions", "secrets/list", list_versions),
        ("GET", "secrets/{name}", "secrets/get", get_secret),
        ("GET", "secrets/{name}/{version}", "secrets/get", get_secret),
        ("PUT", "secrets/{name}", "secrets/set", set_secret),
        ("PATCH", "secrets/{name}", "secrets/set", update_secret),
        ("PATCH", "secrets/{name}/{version}", "secrets/set", update_secret),
        ("DELETE", "secrets/{name}", "secrets/delete", delete_secret),
        ("GET", "deletedsecrets", "secrets/list", list_deleted),
        ("GET", "deletedsecrets/{name}", "secrets/get", get_deleted),
        ("DELETE", "deletedsecrets/{name}", "secrets/purge", purge_deleted),
        ("POST", "deletedsecrets/{name}/recover", "secrets/recover", recover_deleted),
    )
)
