"""Import and upload certificates by the product's own clients."""

from shared.clients.arm.app_service import AppService
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, Thumbprint
from tests.contract.making import Rig
from tests.contract.pfx_files import Made
from tests.contract.place import Seen

SeenCopy = Seen[WebspaceCertificate]


def wanted_copy(rig: Rig, name: str, secret: str | None = None, vault_id: str | None = None) -> WebspaceCertificate:
    """Return a certificate of the webspace that does not exist yet, imported from the vault if `secret` is given."""
    return WebspaceCertificate(
        ref=rig.copy(name),
        webspace=rig.plan.webspace,
        location=rig.plan.location,
        thumbprint=None,
        host_names=frozenset(),
        not_after=None,
        source=None,
        key_vault_id=(vault_id or rig.vault_id) if secret else None,
        key_vault_secret=secret,
        tags=tuple(rig.ledger.tags.items()),
    )


def import_copy(azure: AppService, rig: Rig, name: str, secret: str, vault_id: str | None = None) -> SeenCopy:
    """Import a vault certificate into the webspace, and return the certificate that a read shows."""
    return read_copy(azure, rig, _import(azure, rig, name, secret, vault_id))


def _import(azure: AppService, rig: Rig, name: str, secret: str, vault_id: str | None = None) -> CopyRef:
    copy = wanted_copy(rig, name, secret, vault_id)
    rig.note(rig.web("certificates", copy.ref.name))
    azure.import_certificate(copy, rig.plan)
    return copy.ref


def read_copy(azure: AppService, rig: Rig, ref: CopyRef, thumbprint: Thumbprint | None = None) -> SeenCopy:
    """Return the certificate of the webspace as a read shows it. Wait for the thumbprint if the caller gives one."""

    def look() -> list[WebspaceCertificate]:
        try:
            return [azure.certificate(ref)]
        except NotFound:
            return []

    def good(copies: list[WebspaceCertificate]) -> bool:
        return any(thumbprint in {None, copy.thumbprint} for copy in copies)

    seen = rig.place.until(f"certificate {ref} is read", look, good)
    return Seen(seen.value[0], seen.polls, seen.seconds)


def can_import(azure: AppService, rig: Rig, name: str, secret: str, vault_id: str | None = None) -> bool:
    """Return True if App Service accepts the import."""
    try:
        _import(azure, rig, name, secret, vault_id)
    except (Rejected, Denied):
        return False
    return True


def upload_copy(azure: AppService, rig: Rig, name: str, made: Made) -> SeenCopy:
    """Upload a certificate to the webspace, and return the certificate that a read shows."""
    return read_copy(azure, rig, _upload(azure, rig, name, made))


def _upload(azure: AppService, rig: Rig, name: str, made: Made) -> CopyRef:
    copy = wanted_copy(rig, name)
    rig.note(rig.web("certificates", copy.ref.name))
    azure.upload_certificate(copy, made.pfx, rig.plan)
    return copy.ref


def can_upload(azure: AppService, rig: Rig, name: str, made: Made) -> bool:
    """Return True if App Service accepts the upload."""
    try:
        _upload(azure, rig, name, made)
    except (Rejected, Denied):
        return False
    return True


def sync(azure: AppService, rig: Rig, copy: WebspaceCertificate) -> None:
    """Send the import again as Certroll does: with the properties that a read showed."""
    azure.import_certificate(copy, rig.plan)
