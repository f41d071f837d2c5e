"""Build certificates in App Service."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.vault.objects import Version
from local.azure.vault.secrets import SecretVersion
from local.azure.vault.vault import Vault
from local.azure.web.held_certificates import Certificate, PublicCertificate, RootCertificate, Source
from local.azure.web.resources import CURRENT_USER, SNI, Environment, Host, Plan, Site, StoreLocation
from local.worlds.builders.sites import Sites
from local.worlds.builders.vaults import Vaults


class Copies(Vaults, Sites):
    """Build the certificates that App Service holds: imports, uploads, managed, public and root certificates."""

    def add_copy(
        self,
        certificate: str,
        plan: Plan | None = None,
        vault: Vault | None = None,
        *,
        name: str | None = None,
        version: Version | SecretVersion | None = None,
    ) -> Certificate:
        """Return a certificate that the plan's webspace imported from a vault, named as az names imports.

        By default, the certificate in App Service has the newest version of the vault certificate. Raise ValueError for
        a secret without a certificate.
        """
        plan, vault = plan or self._plan(), vault or self._vault()
        version = version or _newest(vault, certificate)
        copy = Certificate(
            subscription=plan.subscription,
            resource_group=plan.resource_group,
            name=name or f"{plan.resource_group}-{vault.name}-{certificate}",
            location=plan.location,
            webspace=plan.webspace,
            content=_content(version),
            source=Source(vault.resource_id, certificate),
        )
        self.world.web.put_certificate(copy)
        return copy

    def add_upload(
        self,
        content: Version | SecretVersion | Certificate | ImportedCertificate,
        plan: Plan | None = None,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        created: datetime | None = None,
    ) -> Certificate:
        """Return a certificate that was uploaded to the plan's webspace, and that has no vault.

        `created` is the time of the upload, by default now.
        """
        plan = plan or self._plan()
        upload = Certificate(
            subscription=plan.subscription,
            resource_group=plan.resource_group,
            name=name or f"{content.thumbprint}_{plan.location}_{plan.resource_group}",
            location=plan.location,
            webspace=plan.webspace,
            content=_content(content),
            tags=dict(tags or {}),
            created=created,
        )
        self.world.web.put_certificate(upload)
        return upload

    def add_site_certificate(
        self,
        site: Site,
        of: str | Version | SecretVersion | Certificate | ImportedCertificate,
        vault: Vault | None = None,
        *,
        name: str | None = None,
        loaded: bool = False,
        by_site_identity: bool = False,
    ) -> Certificate:
        """Return a certificate that belongs to a Flex Consumption site: an imported vault certificate, or an upload.

        With `loaded` the app's code can read the certificate. With `by_site_identity`, App Service reads the vault with
        the site's own identity. Raise ValueError for a site that is not on a Flex Consumption plan.
        """
        if not site.flex:
            raise ValueError(f"Site {site.full_name} is not on a Flex Consumption plan and has no own certificates.")
        source = Source((vault or self._vault()).resource_id, of) if isinstance(of, str) else None
        content = _content(_newest(vault or self._vault(), of) if isinstance(of, str) else of)
        certificate = Certificate(
            subscription=site.subscription,
            resource_group=site.resource_group,
            name=name or (source.secret_name if source else content.thumbprint),
            location=site.location,
            webspace=site.webspace,
            content=content,
            source=source,
            site_id=site.id,
            loaded=loaded,
            by_site_identity=by_site_identity,
        )
        self.world.web.put_certificate(certificate)
        return certificate

    def add_managed(self, site: Site, host_name: str, *, hidden: bool = True, bound: bool = True) -> Certificate:
        """Return an App Service managed certificate for a host name of the site, by default bound by SNI."""
        current = self.world.web.sites.get(site.id) or site
        certificate = Certificate(
            subscription=site.subscription,
            resource_group=site.plan_id.split("/")[4],
            name=host_name,
            location=site.location,
            webspace=site.webspace,
            content=self.world.managed.new_content(host_name.lower()),
            managed=host_name.lower(),
            hidden=hidden,
        )
        self.world.web.put_certificate(certificate)
        if bound:
            thumbprint = certificate.thumbprint
            host = Host(host_name, SNI, thumbprint, record_type="CName", hidden=hidden)
            self.world.web.put_site(replace(current, hosts={**current.hosts, host_name.lower(): host}))
        return certificate

    def add_public_certificate(
        self, site: Site, der: bytes, *, name: str | None = None, location: StoreLocation = CURRENT_USER
    ) -> PublicCertificate:
        """Return a public certificate of the site or slot, by default named after its thumbprint."""
        nameless = PublicCertificate(site.id, "", der, location)
        certificate = replace(nameless, name=name or nameless.thumbprint)
        self.world.web.public_certificates.put(certificate.id, certificate)
        return certificate

    def add_root_certificate(
        self, environment: Environment, der: bytes, *, name: str | None = None, is_root: bool = True
    ) -> RootCertificate:
        """Return a root certificate of the App Service Environment, by default named after its thumbprint.

        Each app of the environment trusts a root with `is_root` from the app's next stop and start on.
        """
        nameless = RootCertificate(environment.id, "", der, environment.location, is_root)
        certificate = replace(nameless, name=name or nameless.thumbprint)
        self.world.web.roots.put(certificate.id, certificate)
        return certificate


def _newest(vault: Vault, name: str) -> Version | SecretVersion:
    found = vault.certificate(name) or vault.secrets[name.lower()]
    return found.newest


def _content(of: Version | SecretVersion | Certificate | ImportedCertificate) -> ImportedCertificate:
    if isinstance(of, Version | SecretVersion):
        return imported(of.leaf, of.content_type or "")
    return of.content if isinstance(of, Certificate) else of
