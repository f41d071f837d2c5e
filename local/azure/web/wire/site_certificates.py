"""The JSON form in which Microsoft.Web writes a certificate of a Flex Consumption site.

The sources for the JSON form of a Flex Consumption certificate are the public specification (SiteCertificates) and az
CLI 2.91. The az CLI knows two properties of a Flex Consumption certificate that the SDK's model lacks.
"""

from typing import Any

from local.azure.scripting.knobs import Knobs
from local.azure.web.held_certificates import Certificate
from local.azure.web.wire.certificates import certificate_json

LOADING = "loadCertificateToWebsitesSettings"
BY_SITE_IDENTITY = "enableKeyVaultAccessUsingMSI"


def switches_json(certificate: Certificate) -> dict[str, Any]:
    """Return the two properties of a Flex Consumption certificate that the SDK's model lacks."""
    return {LOADING: {"loadToWebsite": certificate.loaded}, BY_SITE_IDENTITY: certificate.by_site_identity}


def site_certificate_json(knobs: Knobs, certificate: Certificate, *, with_status: bool) -> dict[str, Any]:
    """Return the certificate in the form of the specification's examples, with two properties of az CLI."""
    plain = certificate_json(certificate, with_status=with_status)
    hidden: dict[str, Any] = {"hostNames": []} if knobs.site_certificates_hide_host_names else {}
    slot = "/slots/" in certificate.id
    kind = "Microsoft.Web/sites/slots/certificates" if slot else "Microsoft.Web/sites/certificates"
    return plain | {"type": kind, "properties": plain["properties"] | hidden | switches_json(certificate)}
