"""How a certificate gets into a webspace, from a vault or by upload, and what becomes of the bindings on it."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from local.azure.arm import refusals
from local.azure.arm.app_settings import rewrite_load_lists
from local.azure.arm.resources import Certificate, Host, Site, Source
from local.azure.vault.state import (
    APP_SERVICE,
    ImportedCertificate,
    Vault,
    VaultDenied,
    VaultObjectMissing,
    VaultRefusal,
)

if TYPE_CHECKING:
    from local.azure.world import World

VAULT_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/providers/microsoft\.keyvault/vaults/(?P<name>[^/]+)/?",
    re.IGNORECASE,
)
INITIALIZED = "Initialized"


class VaultMissing(VaultRefusal):
    """No vault has that resource id."""


def find_vault(world: "World", vault_id: str) -> Vault:
    """Return the vault with that resource id, in any spelling."""
    match = VAULT_ID.fullmatch(vault_id)
    vault = world.vaults.get(match["name"].lower()) if match else None
    if vault is None or vault.resource_id.lower() != vault_id.rstrip("/").lower():
        raise VaultMissing(f"Key Vault '{vault_id}' does not exist.")
    return vault


def fetch(world: "World", source: Source, reader: str = APP_SERVICE) -> ImportedCertificate:
    """Return what the vault hands to that principal now; raise a VaultRefusal where it hands out nothing."""
    return find_vault(world, source.vault_id).newest_importable(source.secret_name, reader)


def fetch_or_refuse(world: "World", source: Source, reader: str = APP_SERVICE) -> ImportedCertificate:
    """Return what the vault hands to that principal now; raise a Refused as Microsoft.Web answers it."""
    try:
        return fetch(world, source, reader)
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


def install(world: "World", certificate: Certificate) -> None:
    """Store the copy; where it replaces another content in place, the bindings on that have moved, if the knob says so.

    App Service team, "Deploying Azure Web App Certificate through Key Vault": creating the certificate again with the
    same body updates it in place and migrates every app that uses it.
    """
    before = world.web.certificate(certificate.id)
    world.web.put_certificate(certificate)
    old = before.thumbprint if before else None
    world.journal.note(f"certificate {certificate.name} {(old or 'none')[:8]}->{certificate.thumbprint[:8]}")
    if old and old != certificate.thumbprint:
        rewrite_load_lists(world, certificate, old)
        if world.knobs.sync_moves_bindings:
            move_bindings(world, certificate, old)


def move_bindings(world: "World", certificate: Certificate, old: str) -> None:
    """Move every binding that may use the certificate from the old thumbprint to the certificate's.

    A host name that the new content does not cover keeps its old thumbprint while the `mismatch_refused` knob is on.
    """
    for site, host in tuple(world.web.using(certificate, old)):
        if world.knobs.mismatch_refused and not certificate.covers(host.name):
            continue
        _rebind(world, site, host, certificate.thumbprint)


def sync_all(world: "World") -> None:
    """Bring every imported copy to what its vault hands out now, and its bindings with it."""
    for certificate in world.web.all_certificates():
        if certificate.source is not None:
            _sync(world, certificate, certificate.source)


def _sync(world: "World", certificate: Certificate, source: Source) -> None:
    try:
        fresh = replace(certificate, content=fetch(world, source, certificate.reader), status=INITIALIZED)
    except VaultRefusal as refusal:
        fresh = replace(certificate, status=_status(refusal))
    if fresh == certificate:
        return
    with world.changes.batch():
        world.web.put_certificate(fresh)
        if fresh.thumbprint != certificate.thumbprint:
            world.journal.note(f"certificate {certificate.name} {certificate.thumbprint[:8]}->{fresh.thumbprint[:8]}")
            rewrite_load_lists(world, fresh, certificate.thumbprint)
            move_bindings(world, fresh, certificate.thumbprint)


def _status(refusal: VaultRefusal) -> str:
    statuses: dict[type[VaultRefusal], str] = {
        VaultMissing: "KeyVaultDoesNotExist",
        VaultObjectMissing: "KeyVaultSecretDoesNotExist",
        VaultDenied: "AzureServiceUnauthorizedToAccessKeyVault",
    }
    return statuses.get(type(refusal), "UnknownError")


def _rebind(world: "World", site: Site, host: Host, thumbprint: str) -> None:
    current = world.web.sites.get(site.id) or site
    moved = replace(host, thumbprint=thumbprint)
    world.web.put_site(replace(current, hosts={**current.hosts, host.name.lower(): moved}))
    state = host.ssl_state
    world.journal.note(f"binding {host.name} {state} {(host.thumbprint or '')[:8]}->{thumbprint[:8]} moved by the sync")
