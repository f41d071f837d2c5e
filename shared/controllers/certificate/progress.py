"""What the phases of a rollout work with, and how far they have come."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import AzureError
from shared.domain.messages import SiteMessage
from shared.domain.names import SiteRef, VaultCertificateRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.perform import Performed, perform_each
from shared.loop.report import report_skips
from shared.loop.run import Run
from shared.planning.plan import Skip, Step
from shared.ports.storage import Lease


@dataclass(frozen=True, slots=True)
class RolloutRun:
    """One run for one version of a vault certificate: what each phase of the rollout works with."""

    run: Run
    lease: Lease
    """The lease of the vault certificate. A run that has lost this lease may write nothing more."""
    snapshot: Snapshot
    """The fleet and the journal before the first write of this run."""
    current: CertificateVersion
    """The version that is rolled out."""
    waits: int
    """How often the message has waited already."""
    is_fresh: bool
    """True unless the message only ends a wait: then Certroll sends no message a second time."""

    @property
    def ref(self) -> VaultCertificateRef:
        """The vault certificate."""
        return self.snapshot.lineage.ref

    def perform(self, steps: Iterable[Step]) -> Performed:
        """Perform the steps; return those that Azure refused or did not answer."""
        return perform_each(self.run, self.lease, self.ref, steps)

    def report(self, refused: Iterable[Skip]) -> None:
        """Record refusals as findings."""
        report_skips(self.run.ports.findings, self.ref, refused, self.run.now())

    def send(self, sites: Iterable[SiteRef]) -> None:
        """Send each site its message."""
        send_sites(self.run, self.ref, sites)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: each phase of the rollout takes this value and returns the next one."""

    rollout: Rollout
    """The records as the journal has them now."""
    skips: tuple[Skip, ...]
    """What this run did not do, and why: the refusals of the plan, then those of Azure."""
    unanswered: tuple[AzureError, ...] = ()
    """The errors of the steps that Azure did not answer."""
    stopped: frozenset[str] = frozenset()
    """The subjects of the copies that Azure did not write: no app that needs one of them may go."""

    def after(self, performed: Performed) -> "Progress":
        """Return the progress with what Azure refused and did not answer."""
        unanswered = (*self.unanswered, *performed.unanswered)
        return replace(self, skips=(*self.skips, *performed.refused), unanswered=unanswered)

    def after_copies(self, performed: Performed, records: tuple[SiteRecord, ...]) -> "Progress":
        """Return the progress after the copies of one webspace, with the records of its sites."""
        stopped = self.stopped.union(skip.subject for skip in performed.refused)
        return replace(self.after(performed), rollout=_merged(self.rollout, records), stopped=stopped)


def _merged(rollout: Rollout, records: tuple[SiteRecord, ...]) -> Rollout:
    renewed = {record.site for record in records}
    kept = tuple(record for record in rollout.records if record.site not in renewed)
    return replace(rollout, records=(*kept, *records))


def send_sites(run: Run, ref: VaultCertificateRef, sites: Iterable[SiteRef]) -> None:
    """Send each site its message."""
    for site in sites:
        run.ports.queue.send_site(SiteMessage(site, ref))
