"""Read whether the key of a vault certificate's version is exportable, and in which format its secret is.

The policy of a vault certificate is that of its next version, and anybody may change the policy after a renewal. The
list of the secret's versions shows the content type of each version. The key of each version shows whether it is
exportable. Neither read returns a secret's value.
"""

from typing import Any, Protocol

from azure.core.rest import HttpRequest
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.secrets import SecretClient

from shared.clients.reading import ODD
from shared.clients.retrying import Retrying
from shared.domain.certificates.requirements import PKCS12
from shared.domain.certificates.version import CertificateVersion, KeyPolicy
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.names import VaultCertificateRef, VaultName

Known = dict[tuple[VaultCertificateRef, str], KeyPolicy]
"""What the process has read of versions. Neither the key nor the content type of a version ever changes."""
UNSEEN = KeyPolicy(None, None)


class Clients(Protocol):
    """The SDK clients of Key Vault, with one client per vault."""

    def client(self, vault: VaultName) -> CertificateClient:
        """Return the SDK client for the certificates of a vault."""

    def secrets(self, vault: VaultName) -> SecretClient:
        """Return the SDK client for the secrets of a vault."""


class VersionKeys:
    """This client reads the key and the content type of versions of vault certificates."""

    def __init__(self, clients: Clients, retrying: Retrying, known: Known | None = None) -> None:
        """Store the clients. `known` remembers what other runs of the process have read."""
        self._clients = clients
        self._retrying = retrying
        self._known: Known = {} if known is None else known

    def forget(self) -> None:
        """Clear the cache, so that tests can use the client for another simulated Azure."""
        self._known.clear()

    def of(
        self, ref: VaultCertificateRef, version: CertificateVersion, policy: KeyPolicy, *, changed: bool
    ) -> KeyPolicy:
        """Return the key and the content type of a version, each None if Certroll may not read it.

        `changed` is True if the policy may have changed since the version was made. Otherwise the version was made from
        the policy, so Certroll reads only what the policy says against the version, to be sure.
        """
        made = UNSEEN if changed else policy
        known = self._known.get((ref, version.version), UNSEEN)
        content, exportable = known.content_type, known.exportable
        if content is None and made.content_type != PKCS12:
            content = self._content_type(ref, version.version)
        if exportable is None and not made.exportable:
            exportable = self._exportable(ref, version.version)
        if (seen := KeyPolicy(exportable, content)) != UNSEEN:
            self._known[ref, version.version] = seen
        return KeyPolicy(
            made.exportable if exportable is None else exportable, made.content_type if content is None else content
        )

    def _content_type(self, ref: VaultCertificateRef, version: str) -> str | None:
        what = f"the secret of vault certificate {ref}"
        try:
            listing = self._clients.secrets(ref.vault).list_properties_of_secret_versions(ref.name)
            entries = self._retrying.pages(what, listing)
            found = next((entry.content_type for entry in entries if entry.version == version), None)
            return found.strip().lower() if found else None
        except (Denied, NotFound, Rejected, *ODD):
            return None

    def _exportable(self, ref: VaultCertificateRef, version: str) -> bool | None:
        client = self._clients.client(ref.vault)

        def read() -> Any:  # noqa: ANN401 - JSON of Key Vault
            answer = client.send_request(HttpRequest("GET", f"/keys/{ref.name}/{version}"))
            answer.raise_for_status()
            return answer.json()

        try:
            found = self._retrying.read(f"the key of vault certificate {ref}", read)["attributes"]["exportable"]
        except (Denied, NotFound, Rejected, *ODD):
            return None
        return found if isinstance(found, bool) else None
