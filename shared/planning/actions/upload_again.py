"""Upload the current version again if servers do not know its chain and operators set `certroll-upload-again: on`.

The servers of an App Service Environment trust a private authority by the chain that is uploaded with a certificate.
For servers to trust the private authority of a certificate uploaded before October 2023, the certificate must be
uploaded and bound again (Azure docs, "Certificates in App Service Environment", private server certificate). Certroll
does not delete the earlier upload, because host names are bound to it by the same thumbprint.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import NotSettled, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.intent import Intent
from shared.domain.names import Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.roots import trusts_by_chain
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import contested_in
from shared.domain.tags import UPLOAD_AGAIN
from shared.planning.acting.chains import CHAINS_ADDED_SINCE, brings_chain, is_asked
from shared.planning.acting.own_names import own_copy
from shared.planning.acting.subjects import copy_subject
from shared.planning.acting.webspace_limits import plan_for_upload
from shared.planning.actions.upload_certificate import UploadCertificate
from shared.planning.plan import Phase, Skip, Step
from shared.ports import Ports

NEW_VERSION = "put a new version into the vault, which Certroll uploads with its chain and binds"


@dataclass(frozen=True, slots=True)
class UploadAgain(UploadCertificate):
    """Upload a version that the webspace has already, under a new name.

    After the second upload, Certroll writes the same thumbprint into the bindings of the host names again.
    """

    phase: ClassVar[Phase] = Phase.UPLOAD

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that a version in use must meet for a second upload."""
        return (Case(current, Use.UPLOAD, snapshot.now, (current.in_use,), snapshot.lineage.key),)

    def send(self, ports: Ports, pfx: Pfx) -> None:
        """Upload the certificate a second time, and return once Azure shows the second upload.

        Raises Rejected with the next step if Azure takes the same certificate only once.
        """
        try:
            UploadCertificate.send(self, ports, pfx)  # super() fails here: `slots=True` replaces the class
        except (Rejected, NotSettled) as error:
            reason = error.reason if isinstance(error, Rejected) else Reason.REJECTED_BY_AZURE
            detail = f"{self.subject}: Azure refuses a second upload ({error}): {NEW_VERSION}"
            raise Rejected(detail, reason) from error


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose an upload for each webspace in which all uploads of the current version are early or undated.

    Without the tag `certroll-upload-again: on`, Certroll reports the early uploads and does not upload the certificate
    again.
    """
    lineage, current = snapshot.lineage, snapshot.lineage.current
    taken = {copy.ref: copy.webspace for copy in snapshot.fleet.certificates}
    for webspace in sorted({copy.webspace for copy in snapshot.fleet.certificates}):
        uploads = snapshot.uploads_in(webspace)
        if current is None or not uploads or not trusts_by_chain(snapshot, webspace) or any(map(brings_chain, uploads)):
            continue
        if (refusal := _refusal(snapshot, webspace, uploads)) is not None:
            yield refusal
            continue
        plan = snapshot.fleet.plan_in(webspace)
        copy = own_copy(lineage, current, webspace, plan, taken)
        found = plan_for_upload(snapshot, copy, plan)
        if isinstance(found, Skip):
            yield found
            continue
        taken[copy.ref] = webspace
        yield Step(UploadAgain(lineage.ref, current, copy, found, whole_chain=True), Reason.UPLOAD_AGAIN_ASKED)


def _refusal(snapshot: Snapshot, webspace: Webspace, uploads: tuple[WebspaceCertificate, ...]) -> Skip | None:
    first = min(uploads, key=lambda copy: copy.ref)
    subject = copy_subject(first.ref, webspace)
    if not is_asked(snapshot.lineage):
        return Skip(subject, *_state(snapshot.lineage, uploads))
    if contested_in(snapshot, webspace, first.thumbprint):
        detail = (
            f"a copy of another vault certificate holds {first.thumbprint}, too, so Certroll does not upload it again"
        )
        return Skip(subject, Reason.AMBIGUOUS_LINEAGE, f"{detail}: {NEW_VERSION}")
    return None


def _state(lineage: Lineage, uploads: tuple[WebspaceCertificate, ...]) -> tuple[Reason, str]:
    """Return the reason why servers need a second upload of the certificate, with the next step for operators."""
    dates = [copy.created for copy in uploads if copy.created is not None]
    known = len(dates) == len(uploads)
    seen = f"it was uploaded on {max(dates):%Y-%m-%d}" if known else "Azure does not say when it was uploaded"
    detail = (
        f"{seen}. The servers of an App Service Environment do not know the chain of an upload from before "
        f"{CHAINS_ADDED_SINCE:%Y-%m-%d}, and no public authority issued this certificate: set {UPLOAD_AGAIN}: on on "
        f"{lineage.ref}, and Certroll uploads and binds it again"
    )
    return (Reason.UPLOADED_BEFORE_CHAINS if known else Reason.UPLOAD_DATE_UNKNOWN), detail
