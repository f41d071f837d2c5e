"""Make App Service fetch the newest version of the vault certificate into the imported certificate."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Conflict, NotFound, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.fleet.vault_access import Principal
from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.about_copy import AboutCopy
from shared.planning.acting.absence import absence, lists_copy
from shared.planning.acting.chains import hurries
from shared.planning.acting.in_use import in_use
from shared.planning.acting.later_in_use import later_in_use
from shared.planning.acting.settle import settle
from shared.planning.acting.subjects import copy_subject
from shared.planning.acting.vault_rights import lacking_right
from shared.planning.acting.webspace_limits import why_low
from shared.planning.plan import Skip, Step, View
from shared.ports import Ports

BY_ITSELF = "Azure itself will import the earlier one within 24 h"


@dataclass(frozen=True, slots=True)
class SyncCertificate(AboutCopy):
    """Put the imported certificate unchanged, so that App Service replaces it in place with the newest version.

    At a sync, App Service moves the bindings of each site on the imported certificate, including opted-out sites (App
    Service team post "Deploying Azure Web App Certificate through Key Vault", section Rotating Certificate). `project`
    leaves the bindings unchanged, because the plan has a separate step for each binding. The step of a binding writes
    nothing if App Service has already moved the binding.
    """

    copy: WebspaceCertificate
    plan: ServerFarm
    version: CertificateVersion
    app_service: Principal | None = field(default=None, compare=False, repr=False)
    """The service principal by which App Service reads the vault."""
    needs_view: ClassVar[View] = View.BINDINGS

    @property
    def replaces(self) -> WebspaceCertificate:
        """The imported certificate that App Service replaces."""
        return self.copy

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the new version must meet for an import.

        If a host name is bound to the certificate, return also the requirements for a binding.
        """
        lineage = snapshot.lineage
        uses = (Use.IMPORT, Use.BINDING) if snapshot.served_by(self.copy) else (Use.IMPORT,)
        urgent, used = hurries(snapshot, [self.copy]), in_use(snapshot, [self.copy.thumbprint])
        return tuple(Case(current, use, snapshot.now, used, lineage.key, urgent=urgent) for use in uses)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the new version in the imported certificate."""
        facts = self.version.facts
        synced = replace(
            self.copy,
            thumbprint=self.version.thumbprint,
            not_before=self.version.not_before,
            not_after=self.version.not_after,
            host_names=facts.host_names if facts else self.copy.host_names,
        )
        return snapshot.with_certificates(lambda copy: synced if copy.ref == self.copy.ref else copy)

    def preflight(self, ports: Ports) -> bool:
        """Check App Service's rights on the vault, because Azure refuses a sync from a vault that it may not read.

        Before a sync in apply mode Certroll does not read the rights, because Azure's answer costs no further request.
        """
        source, vault_id = self.copy.source, self.copy.key_vault_id
        if source is None or vault_id is None or self.app_service is None:
            return True
        if lacking := lacking_right(ports, vault_id, self.app_service, source.name):
            raise Rejected(lacking, Reason.VAULT_ACCESS_LACKING)
        return True

    def perform(self, ports: Ports) -> bool:
        """Sync the imported certificate unless it is current, and return once Azure shows the new version.

        Certroll ignores the answer to the PUT, because recorded answers named the source of another resource group.
        Raises Conflict if the imported certificate differs from the plan. Raises Rejected if the imported certificate
        has another vault object or webspace after the sync.
        """
        app_service = ports.app_service
        try:
            seen = app_service.certificate(self.copy.ref)
        except NotFound as absent:
            raise absence(self.subject, absent, listed=lists_copy(ports, self.copy)) from absent
        if seen.thumbprint == self.version.thumbprint:
            return False
        if (seen.thumbprint, _identity(seen)) != (self.copy.thumbprint, _identity(self.copy)):
            raise Conflict(f"{self.subject} changed since Certroll observed it; Certroll plans again")
        app_service.import_certificate(seen, self.plan)
        after = settle(
            ports.clock,
            lambda: app_service.certificate(self.copy.ref),
            lambda copy: copy.thumbprint != self.copy.thumbprint,
            self.subject,
        )
        if _identity(after) != _identity(self.copy):
            raise Rejected(
                f"{self.subject} came back with another webspace or source: {after.webspace}, {after.source}",
                Reason.NOT_SETTLED,
            )
        if after.thumbprint != self.version.thumbprint:
            raise Conflict(
                f"{self.subject} holds {after.thumbprint}, a version that came meanwhile; Certroll plans again"
            )
        return True


def _identity(copy: WebspaceCertificate) -> tuple[object, ...]:
    return copy.webspace, copy.source


def propose(snapshot: Snapshot, intent: Intent) -> Iterable[Step | Skip]:
    """Propose a sync with the vault for each imported certificate that does not hold the current version.

    At a sync, App Service always fetches the newest version of the vault certificate. If Certroll refuses the newest
    version, Certroll syncs no imported certificate. Certroll also syncs no import of a certificate that begins and ends
    later than the version that the vault calls its newest.
    """
    lineage = snapshot.lineage
    for copy in sorted(snapshot.copies, key=lambda copy: copy.ref):
        subject = copy_subject(copy.ref, copy.webspace)
        if lineage.refusal is not None:
            yield Skip(
                subject,
                Reason.NEWEST_REFUSED,
                f"the newest version of {lineage.ref} is refused ({lineage.refusal.reason}: {lineage.refusal.detail}); "
                "Azure itself may import it within 24 h: disable it, or put a good version on top",
            )
            continue
        if lineage.current is None or copy.thumbprint == lineage.current.thumbprint:
            continue
        if later := later_in_use(snapshot, subject, copy.webspace, copy.thumbprint, None):
            yield replace(later, detail=f"{later.detail}. {BY_ITSELF}")
            continue
        plan = snapshot.fleet.plan_in(copy.webspace)
        if plan is None:
            yield Skip(
                subject,
                Reason.NO_PLAN_IN_WEBSPACE,
                "Certroll sees no App Service plan of this webspace, and a sync must name a plan: grant Reader on the "
                "plans, or delete the copy if the webspace has none",
            )
            continue
        if low := why_low(plan):
            yield Skip(subject, Reason.TIER_TOO_LOW, low)
            continue
        yield Step(SyncCertificate(copy, plan, lineage.current, intent.app_service), Reason.STALE_COPY)
