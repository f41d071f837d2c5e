"""Put a root certificate into an App Service Environment, beside those that are there.

An environment gets it where the tag `certroll-root-of` of the vault object names it. Apps trust it from their next
start after a stop on, which is another matter: see shared/controllers/environment/controller.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.environments.roots import roots_subject
from shared.domain.errors import Rejected
from shared.domain.fleet.copies import RootCertificate
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.fleet.sites import Environment
from shared.domain.intent import Intent
from shared.domain.names import RootRef, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import opted_out
from shared.planning.acting.about_root import AboutRoot, environments_asked, has_root, look
from shared.planning.acting.new_copy import own_name
from shared.planning.acting.settle import UPLOAD_PATIENCE, settle
from shared.planning.acting.subjects import root_subject
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class AddRootCertificate(AboutRoot):
    """Put the public part of a version into an environment as a root, under a name of its own."""

    ref: VaultCertificateRef
    version: CertificateVersion
    root: RootCertificate

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """A root of an environment."""
        return (Case(current, Use.ROOT, snapshot.now, None, snapshot.lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the root."""
        return snapshot.with_root(self.root)

    def perform(self, ports: Ports) -> bool:
        """Put the root unless it is there; return once Azure shows it. Raises Rejected: the name is taken.

        It is noted before it is put: a crash right after that is no excuse to forget that apps have to be stopped and
        started for it.
        """
        if (seen := look(ports, self.root.ref)) is not None:
            if self._is(seen):
                return False
            raise Rejected(f"{self.subject}: the name is taken by {seen.thumbprint}; delete that one")
        der = ports.vault.public_part(self.ref, self.version.version, self.version.thumbprint)
        now = ports.clock.now()
        ports.environment_records.change(
            self.root.ref.environment, lambda one: one.noting(self.version.thumbprint, now)
        )
        ports.environments.put_root(self.root, der)
        settle(ports.clock, lambda: look(ports, self.root.ref), self._is, self.subject, UPLOAD_PATIENCE)
        return True

    def _is(self, seen: RootCertificate | None) -> bool:
        return seen is not None and seen.is_root and seen.thumbprint == self.version.thumbprint


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose it for every environment that should trust the current version and does not have it as a root."""
    lineage, current = snapshot.lineage, snapshot.lineage.current
    if current is None:
        return
    environments, skips = environments_asked(snapshot)
    yield from skips
    for environment in environments:
        if has_root(snapshot, environment.ref, current.thumbprint):
            continue
        name = own_name(lineage.ref, current.thumbprint)
        root = RootCertificate(RootRef(environment.ref, name), environment.location, current.thumbprint)
        if spot := _hidden(snapshot, environment):
            yield Skip(root_subject(root.ref), Reason.NOT_SEEN, f"{spot.subject} cannot be seen ({spot.detail})")
        elif opted_out(environment.tags):
            detail = f"environment {environment.ref} carries the tag certroll: off"
            yield Skip(root_subject(root.ref), Reason.OPTED_OUT, detail)
        else:
            yield Step(AddRootCertificate(lineage.ref, current, root), Reason.ROOT_MISSING)


def _hidden(snapshot: Snapshot, environment: Environment) -> BlindSpot | None:
    """Return why the roots of the environment are not known: one that is there must not be put, and apps stopped."""
    subject = roots_subject(environment.ref)
    return next((spot for spot in snapshot.fleet.blind_spots if spot.subject == subject), None)
