"""Delete an uploaded certificate that a newer version has superseded, once no binding and no app can need it.

Azure refuses to delete a certificate that a binding uses. Azure does not check whether an app setting names the
certificate, so Certroll checks the app settings (Azure docs, support articles on deleting certificates). If Certroll
cannot read whether an app needs the certificate, Certroll does not delete it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from shared.domain.certificates.requirements import Case
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Conflict
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.intent import Intent
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.about_copy import AboutCopy, read_copy
from shared.planning.acting.settle import settle
from shared.planning.plan import Phase, Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class DeleteCertificate(AboutCopy):
    """Delete one superseded uploaded certificate from App Service."""

    copy: WebspaceCertificate
    apps: tuple[SiteRef, ...]
    """The sites and slots whose settings could name the upload."""
    phase: ClassVar[Phase] = Phase.DELETE
    is_staged: ClassVar[bool] = False

    @property
    def deletes_copy(self) -> WebspaceCertificate:
        """The uploaded certificate that the action deletes."""
        return self.copy

    def cases(self, _: CertificateVersion, __: Snapshot) -> tuple[Case, ...]:
        """Return no requirements for the new version, because the action is about an older version."""
        return ()

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot without the uploaded certificate."""
        return snapshot.without_certificate(self.copy.ref)

    def perform(self, ports: Ports) -> bool:
        """Read the app settings once more, delete the uploaded certificate, and return once Azure no longer shows it.

        Raises Conflict if another certificate has the name now, or if an app's settings name the upload now.
        """
        seen = read_copy(ports, self.copy.ref)
        if seen is None:
            return False
        elsewhere = seen.site is None and seen.webspace != self.copy.webspace
        if elsewhere or (seen.thumbprint, seen.source) != (self.copy.thumbprint, None):
            raise Conflict(f"{self.subject} changed since Certroll observed it; Certroll plans again")
        for app in self.apps:
            if self.copy.thumbprint in read_settings(ports.app_service.settings(app)).mentioned:
                raise Conflict(f"{self.subject}: the settings of {app} name the upload now; Certroll plans again")
        ports.app_service.delete_certificate(self.copy.ref)
        settle(ports.clock, lambda: read_copy(ports, self.copy.ref), lambda now: now is None, self.subject)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose to delete each uploaded certificate with an older version.

    The guard `still_needed` refuses the proposed deletion while a site may need the certificate. A certificate that
    an earlier step of the same plan uploads is not there yet, so the plan does not speak of its deletion.
    """
    for copy in sorted(snapshot.fleet.certificates, key=lambda copy: copy.ref):
        claimed = copy.ref.public or snapshot.lineage.has_key_of(copy.thumbprint)
        if copy.source is None and claimed and not copy.projected and snapshot.lineage.is_stale(copy.thumbprint):
            near = (*snapshot.settings_near(copy), *snapshot.settings_sharing(copy))
            apps = tuple(settings.site for settings in near)
            yield Step(DeleteCertificate(copy, apps), Reason.SUPERSEDED)
