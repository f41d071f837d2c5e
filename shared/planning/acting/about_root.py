"""Define the base of all actions on one root certificate of an App Service Environment."""

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
    """An action on a root certificate, which changes no webspace and no site and leaves running apps unchanged."""

    __slots__ = ()
    root: RootCertificate
    phase: ClassVar[Phase] = Phase.ROOT
    is_staged: ClassVar[bool] = False

    @property
    def subject(self) -> str:
        """The name of the root certificate and its environment, as text for operators."""
        return root_subject(self.root.ref)

    @property
    def webspace(self) -> None:
        """The webspace is None, because the apps of an environment may be in any number of webspaces."""
        return

    @property
    def site(self) -> SiteRef | None:
        """The site is None, because the action on a root certificate changes no site."""
        return None

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The action names no thumbprints, because it needs no certificate that is already in the webspace."""
        return frozenset()


def read_root(ports: Ports, ref: RootRef) -> RootCertificate | None:
    """Read a root certificate, and return None if Azure has no root certificate of that name."""
    try:
        return ports.environments.root(ref)
    except NotFound:
        return None


def environments_asked(snapshot: Snapshot) -> tuple[tuple[Environment, ...], list[Skip]]:
    """Return the environments that the tag `certroll-root-of` names, and a refusal for each unknown name."""
    by_id = {environment.ref.resource_id: environment for environment in snapshot.fleet.environments}
    names = {resource_id: names_of_environment(environment.ref) for resource_id, environment in by_id.items()}
    found, skips = named_targets(snapshot.lineage, ROOT_OF, names)
    return tuple(by_id[resource_id] for resource_id in sorted(set(found.values()))), skips


def has_root(snapshot: Snapshot, environment: EnvironmentRef, thumbprint: Thumbprint | None) -> bool:
    """Return True if the environment has the certificate as a root, so that its apps trust it from their next start."""
    return any(
        root.ref.environment == environment and root.thumbprint == thumbprint and root.is_root
        for root in snapshot.fleet.roots
    )
