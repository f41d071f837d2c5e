"""Put a root certificate into an App Service Environment, next to the existing root certificates.

The tag `certroll-root-of` of the vault object names the environments. Running apps trust the new root only after a stop
and a start, which shared/controllers/environment/controller.py performs.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.environments.roots import roots_subject
from shared.domain.fleet.copies import RootCertificate
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.fleet.sites import Environment
from shared.domain.intent import Intent
from shared.domain.names import RootRef, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import OPT_OUT, opted_out
from shared.planning.acting.about_root import AboutRoot, environments_asked, has_root, read_root
from shared.planning.acting.own_names import own_name
from shared.planning.acting.public_part import public_part_to_put
from shared.planning.acting.settle import UPLOAD_PATIENCE, settle
from shared.planning.acting.subjects import root_subject
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class AddRootCertificate(AboutRoot):
    """Put the public part of a version into an environment as a root certificate with a name of its own."""

    ref: VaultCertificateRef
    version: CertificateVersion
    root: RootCertificate

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that a version must meet as a root certificate of an environment."""
        return (Case(current, Use.ROOT, snapshot.now, (), snapshot.lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot of the environment with the root certificate."""
        return snapshot.with_root(self.root)

    def preflight(self, ports: Ports) -> bool:
        """Check the name of the root, and read the certificate in the vault, as `perform` does."""
        return self._checked(ports) is not None

    def perform(self, ports: Ports) -> bool:
        """Put the root certificate unless the environment has it, and return once Azure shows the root.

        Certroll records the root certificate in the journal before it writes the root to Azure. After a crash, Certroll
        still knows from the record that it must stop and start the apps for the root. Raises Rejected if another root
        certificate in the environment has the name.
        """
        der = self._checked(ports)
        if der is None:
            return False
        now, facts = ports.clock.now(), self.version.facts
        name = facts.issuer if facts and facts.self_signed else ""  # a root names itself as its issuer
        ports.environment_records.change(
            self.root.ref.environment, lambda record: record.noting(self.version.thumbprint, now, name)
        )
        ports.environments.put_root(self.root, der)
        settle(ports.clock, lambda: read_root(ports, self.root.ref), self._is, self.subject, UPLOAD_PATIENCE)
        return True

    def _checked(self, ports: Ports) -> bytes | None:
        """Return the root to put, None if the environment has it. Raises Rejected if another root has the name."""
        seen = read_root(ports, self.root.ref)
        return public_part_to_put(ports, self.subject, self.ref, self.version, seen, is_there=self._is(seen))

    def _is(self, seen: RootCertificate | None) -> bool:
        return seen is not None and seen.is_root and seen.thumbprint == self.version.thumbprint


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose the root for each environment that the tag names and that lacks the current version as a root."""
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
            yield Skip(root_subject(root.ref), Reason.NOT_SEEN, f"Certroll cannot read {spot.subject} ({spot.detail})")
        elif opted_out(environment.tags):
            detail = f"environment {environment.ref} carries the tag certroll: {OPT_OUT.value_in(environment.tags)}"
            yield Skip(root_subject(root.ref), Reason.OPTED_OUT, detail)
        else:
            yield Step(AddRootCertificate(lineage.ref, current, root), Reason.ROOT_MISSING)


def _hidden(snapshot: Snapshot, environment: Environment) -> BlindSpot | None:
    """Return the blind spot (an unreadable resource) that may hide the environment's root certificates, else None.

    If the environment has the root already, Certroll must not put the root again and stop apps for it.
    """
    subject = roots_subject(environment.ref)
    return next((spot for spot in snapshot.fleet.blind_spots if spot.subject == subject), None)
