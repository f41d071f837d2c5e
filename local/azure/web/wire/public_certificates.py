"""The JSON form in which Microsoft.Web writes a public certificate of a site or slot."""

import base64
from typing import Any

from local.azure.web.held_certificates import PublicCertificate
from local.azure.web.resources import Site, display_location


def public_certificate_json(site: Site, certificate: PublicCertificate) -> dict[str, Any]:
    """Return the public certificate in the JSON form of Microsoft.Web."""
    slot = "/slots" if site.slot else ""
    return {
        "id": certificate.id,
        "name": f"{site.full_name}/{certificate.name}",
        "type": f"Microsoft.Web/sites{slot}/publicCertificates",
        "location": display_location(site.location),
        "properties": {
            "blob": base64.b64encode(certificate.der).decode(),
            "publicCertificateLocation": certificate.location,
            "thumbprint": certificate.thumbprint,
        },
    }
