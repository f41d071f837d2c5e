"""What all actions on one root certificate of an App Service Environment have in common."""

from typing import ClassVar

from shared.domain.errors import NotFound
from shared.domain.fleet.copies import RootCertificate
from shared.domain.fleet.sites import Environment
from shared.domain.names import EnvironmentRef, RootRef, SiteRef, Thumbprint
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import ROOT_OF
from shared.domain.targets import names_of_environment
from shared.planning.acting.named_targets import named_targets
from shared.planning.acting.subjects import root_subject
from shared.planning.plan import Phase, Skip, Traits
from shared.ports import Ports


class AboutRoot(Traits):
    """An action on a root certificate. It is of no webspace and no site: nothing that runs changes by it."""

    __slots__ = ()
    root: RootCertificate
    phase: ClassVar[Phase] = Phase.ROOT
    is_staged: ClassVar[bool] = False

    @property
    def subject(self) -> str:
        """The root certificate."""
        return root_subject(self.root.ref)

    @property
    def webspace(self) -> None:
        """None: an environment has apps of many webspaces, or of none."""
        return

    @property
    def site(self) -> SiteRef | None:
        """None: no site changes by it."""
        return None

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """Nothing that has to be live before."""
        return frozenset()


def look(ports: Ports, ref: RootRef) -> RootCertificate | None:
    """Return the root certificate as Azure shows it now, None where there is none of that name."""
    try:
        return ports.environments.root(ref)
    except NotFound:
        return None


def environments_asked(snapshot: Snapshot) -> tuple[tuple[Environment, ...], list[Skip]]:
    """Return the environments that the tag of the vault object names, and what is wrong with it."""
    by_id = {one.ref.resource_id: one for one in snapshot.fleet.environments}
    names = {resource_id: names_of_environment(one.ref) for resource_id, one in by_id.items()}
    found, skips = named_targets(snapshot.lineage, ROOT_OF, names)
    return tuple(by_id[one] for one in sorted(set(found.values()))), skips


def has_root(snapshot: Snapshot, environment: EnvironmentRef, thumbprint: Thumbprint | None) -> bool:
    """Say whether the apps of an environment trust the certificate as a root from their next start on."""
    return any(
        one.ref.environment == environment and one.thumbprint == thumbprint and one.is_root
        for one in snapshot.fleet.roots
    )
