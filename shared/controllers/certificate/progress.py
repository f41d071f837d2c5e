"""Define what each phase of a rollout reads, and the progress that one phase passes to the next phase."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.domain.certificates.version import CertificateVersion
from shared.domain.despite_storage import despite_storage
from shared.domain.errors import CertrollError, OutOfTime
from shared.domain.messages import SiteMessage
from shared.domain.names import SiteRef, VaultCertificateRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.perform import Performed, perform_each
from shared.loop.report import report_skips
from shared.loop.run import Run
from shared.planning.plan import Skip, Step, Would
from shared.ports.storage import Lease


@dataclass(frozen=True, slots=True)
class RolloutRun:
    """A run that installs a version of a vault certificate in App Service, as the input of the rollout's phases."""

    run: Run
    lease: Lease
    """The lease of the vault certificate. A run that has lost this lease may write nothing more."""
    snapshot: Snapshot
    """The fleet and the journal before the first write of this run."""
    current: CertificateVersion
    """The version that Certroll rolls out."""
    waits: int
    """How often the message has waited already."""
    is_fresh: bool
    """False if the message only ends a wait. Only a fresh run sends sites and apps a second message."""

    @property
    def ref(self) -> VaultCertificateRef:
        """The vault certificate."""
        return self.snapshot.lineage.ref

    def perform(self, steps: Iterable[Step]) -> Performed:
        """Perform the steps of the plan, and return the steps that Azure refused or did not answer."""
        return perform_each(self.run, self.lease, self.ref, steps)

    def perform_at_once(self, groups: Iterable[tuple[Step, ...]]) -> tuple[Performed | OutOfTime, ...]:
        """Perform groups of steps at the same time, and return for each group its result, or OutOfTime.

        The steps of a group keep their order. A single group needs no thread of its own.
        """
        groups = tuple(groups)
        return (self.perform(groups[0]),) if len(groups) == 1 else self.run.pool.each(self.perform, groups)

    def report(self, refused: Iterable[Skip]) -> None:
        """Record the steps that Azure refused as findings (reported problems)."""
        report_skips(self.run.ports.findings, self.ref, refused, self.run.now())

    def send(self, sites: Iterable[SiteRef]) -> None:
        """Put a message for each site on the queue `sites`."""
        send_sites(self.run, self.ref, sites)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run.

    Each phase of the rollout takes a `Progress` value and returns a changed `Progress` value.
    """

    rollout: Rollout
    """The records of the version as the journal has them now."""
    skips: tuple[Skip, ...]
    """The steps that this run did not do, with reasons: the refusals of the plan, then the refusals of Azure."""
    would: tuple[Would, ...] = ()
    """The steps that Certroll would perform with other settings or tags."""
    unanswered: tuple[CertrollError, ...] = ()
    """The errors of the steps that Azure did not answer."""
    stopped: frozenset[str] = frozenset()
    """The certificates that Azure did not write. Certroll updates no app's settings to such a certificate."""

    def after(self, performed: Performed) -> "Progress":
        """Return the progress with the steps that Azure refused and the errors of steps without an answer."""
        unanswered = (*self.unanswered, *performed.unanswered)
        return replace(self, skips=(*self.skips, *performed.refused), unanswered=unanswered)

    def after_copies(self, performed: Performed, records: tuple[SiteRecord, ...]) -> "Progress":
        """Return the progress after Certroll wrote the certificates of one webspace, with the records of its sites."""
        stopped = self.stopped.union(skip.subject for skip in performed.refused)
        return replace(self.after(performed), rollout=_merged(self.rollout, records), stopped=stopped)


def _merged(rollout: Rollout, records: tuple[SiteRecord, ...]) -> Rollout:
    """Return the rollout with the given records of sites in place of earlier records of the same sites."""
    renewed = {record.site for record in records}
    others = tuple(record for record in rollout.records if record.site not in renewed)
    return replace(rollout, records=(*others, *records))


def send_sites(run: Run, ref: VaultCertificateRef, sites: Iterable[SiteRef]) -> None:
    """Put a message for each site on the queue `sites`."""
    despite_storage(sites, lambda site: run.ports.queue.send_site(SiteMessage(site, ref)))
