"""Take the root of an older version out of an App Service Environment, long after the new one came beside it.

Apps that run go on trusting it until they start anew. What still needs it nobody can see from here: partners and
servers hold certificates that lead to it. So it is only done where operators ask for it, and after a grace.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.certificates.requirements import Case
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Conflict
from shared.domain.fleet.copies import RootCertificate
from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.about_root import AboutRoot, environments_asked, look
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class DeleteRootCertificate(AboutRoot):
    """Take a superseded root out of its environment."""

    root: RootCertificate

    @property
    def deletes_root(self) -> RootCertificate:
        """The root."""
        return self.root

    def cases(self, _: CertificateVersion, __: Snapshot) -> tuple[Case, ...]:
        """Nothing: the action is about an older version."""
        return ()

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot without the root."""
        return snapshot.without_root(self.root.ref)

    def perform(self, ports: Ports) -> bool:
        """Delete it, unless it is gone. Raises Conflict where another certificate has its name by now."""
        seen = look(ports, self.root.ref)
        if seen is None:
            return False
        if seen.thumbprint != self.root.thumbprint:
            raise Conflict(f"{self.subject} holds {seen.thumbprint} by now, not {self.root.thumbprint}")
        ports.environments.delete_root(self.root.ref)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose to delete every root of an older version. The guard `still_needed` refuses most of these steps."""
    environments = {one.ref for one in environments_asked(snapshot)[0]}
    for root in sorted(snapshot.fleet.roots, key=lambda one: one.ref):
        if root.ref.environment in environments and root.is_root and snapshot.lineage.is_stale(root.thumbprint):
            yield Step(DeleteRootCertificate(root), Reason.SUPERSEDED)
