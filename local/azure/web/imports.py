"""Imports and uploads of certificates into App Service, and the move of host name bindings to new thumbprints."""

from collections.abc import Mapping
from dataclasses import replace

from local.azure.kernel import Kernel
from local.azure.principals import APP_SERVICE
from local.azure.vault.issued import ImportedCertificate
from local.azure.vault.objects import VaultDenied, VaultMissing, VaultObjectMissing, VaultRefusal
from local.azure.vault.vault import Vault, find_vault
from local.azure.web.app_settings import AppSettings
from local.azure.web.held_certificates import Certificate, Source
from local.azure.web.resources import Host, Site
from local.azure.web.state import WebState

INITIALIZED = "Initialized"


class Imports:
    """The imports and uploads of a simulated Azure's certificates, and the syncs of imported certificates."""

    def __init__(self, kernel: Kernel, web: WebState, settings: AppSettings, vaults: Mapping[str, Vault]) -> None:
        """Import from `vaults`, and change the certificates, bindings and app settings of the simulated Azure."""
        self._kernel = kernel
        self._web = web
        self._settings = settings
        self._vaults = vaults

    def fetch(self, source: Source, reader: str = APP_SERVICE) -> ImportedCertificate:
        """Return the certificate that the vault gives to `reader`; raise VaultRefusal if the vault refuses."""
        return find_vault(self._vaults, source.vault_id).newest_importable(source.secret_name, reader)

    def install(self, certificate: Certificate) -> None:
        """Store the certificate; if the knob `sync_moves_bindings` is on, move bindings of a replaced thumbprint.

        The simulation's knob `sync_moves_bindings` decides whether host name bindings move to the new thumbprint. The
        App Service team wrote in "Deploying Azure Web App Certificate through Key Vault" that creating a certificate
        again with the same body updates the certificate in place. According to the App Service team's article, updating
        a certificate in place migrates all apps that use the certificate.
        """
        before = self._web.certificate(certificate.id)
        self._web.put_certificate(certificate)
        old = before.thumbprint if before else None
        self._kernel.journal.note(f"certificate {certificate.name} {(old or 'none')[:8]}->{certificate.thumbprint[:8]}")
        if old and old != certificate.thumbprint:
            self._settings.rewrite_load_lists(certificate, old)
            if self._kernel.knobs.sync_moves_bindings:
                self.move_bindings(certificate, old)

    def move_bindings(self, certificate: Certificate, old: str) -> None:
        """Move bindings of the old thumbprint to the certificate's thumbprint, on sites that may use the certificate.

        If the simulation's knob `mismatch_refused` is on, a binding whose host name the new certificate does not cover
        keeps the old thumbprint.
        """
        for site, host in tuple(self._web.using(certificate, old)):
            if self._kernel.knobs.mismatch_refused and not certificate.covers(host.name):
                continue
            self._rebind(site, host, certificate.thumbprint)

    def sync_all(self) -> None:
        """Sync each imported certificate and its bindings with the vault, or record that the vault refuses."""
        for certificate in self._web.all_certificates():
            if certificate.source is not None:
                self._sync(certificate, certificate.source)

    def _sync(self, certificate: Certificate, source: Source) -> None:
        try:
            fresh = replace(certificate, content=self.fetch(source, certificate.reader), status=INITIALIZED)
        except VaultRefusal as refusal:
            fresh = replace(certificate, status=_status(refusal))
        if fresh == certificate:
            return
        old = certificate.thumbprint
        with self._kernel.changes.batch():
            self._web.put_certificate(fresh)
            if fresh.thumbprint != old:
                self._kernel.journal.note(f"certificate {certificate.name} {old[:8]}->{fresh.thumbprint[:8]}")
                self._settings.rewrite_load_lists(fresh, old)
                self.move_bindings(fresh, old)

    def _rebind(self, site: Site, host: Host, thumbprint: str) -> None:
        current = self._web.sites.get(site.id) or site
        moved = replace(host, thumbprint=thumbprint)
        self._web.put_site(replace(current, hosts={**current.hosts, host.name.lower(): moved}))
        old = (host.thumbprint or "")[:8]
        self._kernel.journal.note(f"binding {host.name} {host.ssl_state} {old}->{thumbprint[:8]} moved by the sync")


def _status(refusal: VaultRefusal) -> str:
    statuses: dict[type[VaultRefusal], str] = {
        VaultMissing: "KeyVaultDoesNotExist",
        VaultObjectMissing: "KeyVaultSecretDoesNotExist",
        VaultDenied: "AzureServiceUnauthorizedToAccessKeyVault",
    }
    return statuses.get(type(refusal), "UnknownError")
