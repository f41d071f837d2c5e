"""Delete the root certificate of an older version from an App Service Environment, long after the new root came.

A running app that trusts a deleted root trusts it until the app starts again. Certroll cannot see who still needs the
old root, because clients and servers outside Azure may hold certificates that the old root issued. Certroll deletes
root certificates only with CERTROLL_DELETE_SUPERSEDED=on and after CERTROLL_DELETE_GRACE.
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
from shared.planning.acting.about_root import AboutRoot, environments_asked, read_root
from shared.planning.acting.settle import settle
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class DeleteRootCertificate(AboutRoot):
    """Delete a superseded root certificate from its App Service Environment."""

    root: RootCertificate

    @property
    def deletes_root(self) -> RootCertificate:
        """The root certificate that the action deletes."""
        return self.root

    def cases(self, _: CertificateVersion, __: Snapshot) -> tuple[Case, ...]:
        """Return no requirements, because the action is about an older version of the root certificate."""
        return ()

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot without the deleted root certificate."""
        return snapshot.without_root(self.root.ref)

    def perform(self, ports: Ports) -> bool:
        """Delete the root certificate unless Azure has no root of that name.

        Raises Conflict if another certificate in the environment has the name of the root now, and NotSettled if Azure
        still shows the root a minute after the deletion.
        """
        seen = read_root(ports, self.root.ref)
        if seen is None:
            return False
        if seen.thumbprint != self.root.thumbprint:
            raise Conflict(f"{self.subject} holds {seen.thumbprint} by now, not {self.root.thumbprint}")
        ports.environments.delete_root(self.root.ref)
        settle(ports.clock, lambda: read_root(ports, self.root.ref), lambda now: now is None, self.subject)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose to delete each root certificate that holds an older version.

    The guard `still_needed` refuses the proposed deletion while an app may need the root.
    """
    environments = {environment.ref for environment in environments_asked(snapshot)[0]}
    for root in sorted(snapshot.fleet.roots, key=lambda root: root.ref):
        if root.ref.environment in environments and root.is_root and snapshot.lineage.is_stale(root.thumbprint):
            yield Step(DeleteRootCertificate(root), Reason.SUPERSEDED)
