"""Read and write single certificates of a webspace, a site or a slot."""

import json
from functools import partial
from urllib.parse import unquote

from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import Certificate, CertificateProperties, PublicCertificate, PublicCertificateProperties

from shared.clients.arm.requests import PAGES, one_wire
from shared.clients.arm.site_requests import REMEDY, AppServicePart, site_or_slot
from shared.clients.arm.wire import LOADING, read_certificate
from shared.clients.reading import readable
from shared.domain.certificates.pfx import Pfx
from shared.domain.errors import NotFound, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.letter_case import lower_case
from shared.domain.names import CopyRef, SiteRef

USER_STORE = "CurrentUserMy"


class Copies(AppServicePart):
    """The part of the App Service client that reads, imports, uploads and deletes certificates."""

    def certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Read one certificate of a webspace, a site or a slot."""
        if ref.public:
            return self._public_certificate(ref)
        client = self._clients.client(ref.subscription)
        wire = one_wire(self._retrying, f"certificate {ref}", partial(_get_certificate, client, ref), REMEDY)
        return readable(f"certificate {ref}", read_certificate, wire)

    def _public_certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Return one public certificate from the list of its site. Raises NotFound if the list lacks the certificate.

        For minutes after an upload, Azure's answer to a read of the single public certificate may be 404, while the
        list shows the certificate at once (azure-rest-api-specs #23138).
        """
        owner = _owner(ref)
        web_apps = self._clients.client(owner.subscription).web_apps
        items = site_or_slot(owner, web_apps.list_public_certificates, web_apps.list_public_certificates_slot)(**PAGES)
        for wire in self._wires(f"public certificates of {owner}", items):
            if lower_case(unquote(str(wire.get("id")).rpartition("/")[2])) == ref.name:
                return readable(f"certificate {ref}", read_certificate, wire)
        raise NotFound(f"certificate {ref}: the list of public certificates of {owner} lacks it")

    def import_certificate(self, copy: WebspaceCertificate, plan: ServerFarm) -> None:
        """Send an imported certificate again, so that App Service fetches the vault certificate's newest version."""
        properties = {
            **json.loads(copy.switches),
            "keyVaultId": copy.key_vault_id,
            "keyVaultSecretName": copy.key_vault_secret,
            "serverFarmId": plan.resource_id,
            "password": "",
        }
        tags = json.loads(copy.written_tags) if copy.written_tags else dict(copy.tags)
        body = Certificate({"location": copy.location or plan.location, "tags": tags, "properties": properties})
        client = self._clients.client(copy.ref.subscription)
        self._retrying.write(f"certificate {copy.ref}", partial(_put_certificate, client, copy.ref, body), REMEDY)

    def upload_certificate(self, copy: WebspaceCertificate, pfx: Pfx, plan: ServerFarm) -> None:
        """Upload a certificate with its private key to a webspace (plans of App Service that share certificates)."""
        content = CertificateProperties(pfx_blob=pfx.blob, password=pfx.password, server_farm_id=plan.resource_id)
        if LOADING in (switches := json.loads(copy.switches)):
            content[LOADING] = switches[LOADING]
        body = Certificate(location=copy.location, tags=dict(copy.tags), properties=content)
        write = partial(_put_certificate, self._clients.client(copy.ref.subscription), copy.ref, body)
        self._retrying.write(f"certificate {copy.ref}", write, REMEDY, secret=True)

    def upload_public_certificate(self, copy: WebspaceCertificate, der: bytes) -> None:
        """Upload a public certificate, which has no private key, to a site or slot."""
        site, name = _owner(copy.ref), copy.ref.address[-1]
        web_apps = self._clients.client(site.subscription).web_apps
        content = PublicCertificateProperties(blob=der, public_certificate_location=USER_STORE)
        body = PublicCertificate(properties=content)
        put = site_or_slot(
            site, web_apps.create_or_update_public_certificate, web_apps.create_or_update_public_certificate_slot
        )
        write = partial(put, public_certificate_name=name, public_certificate=body)
        self._retrying.write(f"certificate {copy.ref}", write, REMEDY)

    def delete_certificate(self, ref: CopyRef) -> None:
        """Delete a certificate. Azure refuses to delete a certificate that a host name binding uses."""
        client = self._clients.client(ref.subscription)
        self._retrying.write(f"certificate {ref}", partial(_delete_certificate, client, ref), REMEDY)


def _owner(ref: CopyRef) -> SiteRef:
    if ref.owner is None:
        raise Rejected(f"certificate {ref} belongs to no site")
    return ref.owner


def _get_certificate(client: WebSiteManagementClient, ref: CopyRef) -> Certificate:
    group, *sites, name = ref.address
    if not sites:
        return client.certificates.get(group, name)
    return client.site_certificates.get(group, sites[0], name)


def _put_certificate(client: WebSiteManagementClient, ref: CopyRef, body: Certificate) -> Certificate:
    group, *sites, name = ref.address
    if not sites:
        return client.certificates.create_or_update(group, name, body)
    return client.site_certificates.create_or_update(group, sites[0], name, body)


def _delete_certificate(client: WebSiteManagementClient, ref: CopyRef) -> None:
    group, *sites, name = ref.address
    if ref.owner is None:
        client.certificates.delete(group, name)
    elif not ref.public:
        client.site_certificates.delete(group, sites[0], name)
    else:
        web_apps = client.web_apps
        delete = site_or_slot(ref.owner, web_apps.delete_public_certificate, web_apps.delete_public_certificate_slot)
        delete(public_certificate_name=name)
