"""Take the root of an older version out of an App Service Environment, long after the new one came beside it.

Apps that run go on trusting it until they start anew. What still needs it nobody can see from here: partners and
servers hold certificates that lead to it. So it is only done where operators ask for it, and after a grace.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.actions.about_root import AboutRoot, environments_asked, has_root, look, root_subject
from shared.actions.add_root_certificate import takes_none
from shared.domain.errors import Conflict
from shared.domain.model import CertificateVersion, Environment, RootCertificate
from shared.domain.plan import Intent, Skip, Step
from shared.domain.ports import Ports
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class DeleteRootCertificate(AboutRoot):
    """Take a superseded root out of its environment."""

    root: RootCertificate

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


def propose(snapshot: Snapshot, intent: Intent) -> Iterable[Step | Skip]:
    """Propose it for roots of older versions, or say what keeps them; so many at a time."""
    current = snapshot.lineage.current
    if current is None:
        return
    environments, _ = environments_asked(snapshot)
    by_ref = {one.ref: one for one in environments}
    going = 0
    for root in sorted(snapshot.fleet.roots, key=lambda one: one.ref):
        environment = by_ref.get(root.ref.environment)
        if environment is None or not root.is_root or not snapshot.lineage.is_stale(root.thumbprint):
            continue
        kept = _wanted(snapshot, root) or _kept(snapshot, intent, environment, current)
        if kept is None and going >= intent.max_deletes:
            kept = Reason.ENOUGH_DELETED, f"{intent.max_deletes} are deleted at a time; it goes with a later look"
        going += kept is None
        yield Skip(root_subject(root.ref), *kept) if kept else Step(DeleteRootCertificate(root), Reason.SUPERSEDED)


def _wanted(snapshot: Snapshot, root: RootCertificate) -> tuple[Reason, str] | None:
    """Return which other vault object is this root of the environment, and would only put it again."""
    cycle = snapshot.cycle_of(root.ref.environment)
    other = cycle.wanted_by_another(str(snapshot.lineage.ref), root.thumbprint, snapshot.now) if cycle else None
    return (
        (Reason.STILL_USED, f"it is the current version of {other}, which is a root there as well") if other else None
    )


def _kept(
    snapshot: Snapshot, intent: Intent, environment: Environment, current: CertificateVersion
) -> tuple[Reason, str] | None:
    """Return why an older root stays in the environment, None where it may go."""
    if takes_none(environment):
        return Reason.OPTED_OUT, f"environment {environment.ref} carries the tag certroll: off"
    if not intent.delete_superseded:
        return Reason.KEPT_BESIDE, "it stays beside the new root; CERTROLL_DELETE_SUPERSEDED=on has it deleted in time"
    if not has_root(snapshot, environment.ref, current.thumbprint):
        return Reason.NOT_PROVEN, "the current version is not there"
    cycle = snapshot.cycle_of(environment.ref)
    done_at = cycle.done_for(current.thumbprint) if cycle else None
    if done_at is None:
        return Reason.NOT_PROVEN, "not every app was stopped and started since the new root came"
    until = done_at + intent.delete_grace
    if until > snapshot.now:
        return Reason.IN_GRACE, f"CERTROLL_DELETE_GRACE keeps it until {until:%Y-%m-%d %H:%M} UTC"
    return None
