"""The JSON form in which Microsoft.Web writes a certificate, and the warnings in its responses."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local.azure.vault.authority import leads_to_root
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import display_location
from local.azure.web.wire.sites import profile_json

SELF_SIGNED_OR_EXPIRED = "199 Some of the uploaded certificates are either self-signed or expired."
UNTRUSTED = "199 Some of the uploaded certificates cannot be validated to a trusted CA"
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
    "serverFarmId",
    "tags",
    "resourceGroup",
)


def certificate_json(certificate: Certificate, *, with_status: bool) -> dict[str, Any]:
    """Return the certificate in the JSON form of Microsoft.Web.

    Microsoft.Web writes the vault's id in lower case, and the plan's id as null. Reads of a certificate show
    `keyVaultSecretStatus`, but responses to writes do not (recorded azure-cli test_webapp_ssl_import). A certificate
    of an App Service Environment names the environment (recorded azure-powershell TestRemoveAzWebAppCertificate).
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
        "webSpace": certificate.webspace.name if certificate.shows_webspace else None,
        "hostingEnvironmentProfile": profile_json(certificate.webspace.environment_id),
        **_source_json(certificate, with_status=with_status),
        **_managed_json(certificate),
    }
    return {
        "id": certificate.id,
        "name": certificate.name,
        "type": "Microsoft.Web/certificates",
        "location": display_location(certificate.location),
        "tags": dict(certificate.tags),
        "properties": properties,
    }


def warnings(content: ImportedCertificate, now: datetime) -> Mapping[str, str]:
    """Return the response header `warning` for the certificate, or an empty mapping.

    In recorded azure-cli traffic, a self-signed certificate gets two warnings: self-signed or expired, and without a
    trusted CA. The local Azure also sends each of the two warnings alone, although no recorded traffic shows one
    warning alone.
    """
    expired = content.not_after < now
    found = (
        (SELF_SIGNED_OR_EXPIRED, content.self_signed or expired),
        (UNTRUSTED, not leads_to_root(content.public_der, content.chain_pem)),
    )
    text = ",".join(warning for warning, applies in found if applies)
    return {"warning": text} if text else {}


def _managed_json(certificate: Certificate) -> dict[str, Any]:
    """Return the JSON properties in which a managed certificate differs from other certificates.

    Since 2021, Azure has not returned the thumbprint, issuer and dates of managed certificates. The `keyVaultId` of a
    managed certificate is an empty string in traffic recorded in 2020.
    """
    if certificate.managed is None:
        return {}
    own = {"canonicalName": certificate.managed, "keyVaultId": "", "keyVaultSecretName": ""}
    blank = {"thumbprint": "", "issuer": "", "issueDate": None, "expirationDate": None} if certificate.hidden else {}
    return own | blank


def _source_json(certificate: Certificate, *, with_status: bool) -> dict[str, Any]:
    """Return the JSON properties about the vault of a certificate.

    The response to an upload has two empty keys for the vault and no status. Reads of an upload have the status
    `Initialized`, and no keys for the vault (recorded azure-cli test_webapp_ssl at 74ecf539).
    """
    status = {"keyVaultSecretStatus": certificate.status} if with_status else {}
    if certificate.source is None:
        return status or {"keyVaultId": "", "keyVaultSecretName": ""}
    return {
        "keyVaultId": certificate.source.vault_id.lower(),
        "keyVaultSecretName": certificate.source.secret_name,
        **status,
    }
