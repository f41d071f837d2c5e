"""Read the public certificate that an action puts into Azure, unless Azure has the certificate already."""

from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Rejected
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.ports import Ports


def public_part_to_put(
    ports: Ports,
    subject: str,
    ref: VaultCertificateRef,
    version: CertificateVersion,
    seen: RootCertificate | WebspaceCertificate | None,
    *,
    is_there: bool,
) -> bytes | None:
    """Return the certificate of a version in DER, or None if Azure has it (`is_there`) under its name.

    `seen` is the certificate that Azure has under that name. Raise Rejected if another certificate has the name, with
    the `subject` of the action.
    """
    if seen is None:
        return ports.vault.public_part(ref, version.version, version.thumbprint)
    if not is_there:
        detail = f"{subject}: certificate {seen.thumbprint} has the name; delete that certificate"
        raise Rejected(detail, Reason.NAME_TAKEN)
    return None
