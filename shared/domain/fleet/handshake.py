"""What a TLS handshake showed."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.names import HostName, Thumbprint, covers
from shared.domain.rollout.site_record import SiteState


@dataclass(frozen=True, slots=True)
class Handshake:
    """The certificate that a host name served. `thumbprint` is None where no handshake came about."""

    host_name: HostName
    expected: Thumbprint
    thumbprint: Thumbprint | None
    detail: str = ""

    @property
    def state(self) -> SiteState:
        """What this proves: only another certificate is proof of failure, silence proves nothing."""
        if self.thumbprint is None:
            return SiteState.UNPROVEN
        return SiteState.PROVEN if self.thumbprint == self.expected else SiteState.FAILED

    def __str__(self) -> str:
        match self.state:
            case SiteState.PROVEN:
                return f"{self.host_name} serves {self.thumbprint}"
            case SiteState.FAILED:
                return f"{self.host_name} serves {self.thumbprint}, not {self.expected}"
            case _:
                return f"{self.host_name} could not be reached: {self.detail}"


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """What a host name served, whatever its thumbprint. `not_after` is None where no handshake came about."""

    host_name: HostName
    host_names: frozenset[HostName] = frozenset()
    not_after: datetime | None = None
    detail: str = ""

    @property
    def covered(self) -> bool:
        """Whether the certificate is one for the host name."""
        return covers(self.host_names, self.host_name)

    def is_good(self, now: datetime) -> bool:
        """Say whether the certificate is one for the host name, and not expired."""
        return self.covered and self.not_after is not None and now < self.not_after

    def __str__(self) -> str:
        if self.not_after is None:
            return f"{self.host_name} could not be reached: {self.detail}"
        names = ", ".join(sorted(self.host_names)) or "no host name"
        return f"{self.host_name} serves a certificate for {names}, which ends {self.not_after:%Y-%m-%d %H:%M} UTC"


def verdict(handshakes: tuple[Handshake, ...]) -> SiteState:
    """Return what the handshakes of one site prove together: one failure fails it, one success proves it."""
    states = {handshake.state for handshake in handshakes}
    order = (SiteState.FAILED, SiteState.PROVEN, SiteState.UNPROVEN)
    return next((state for state in order if state in states), SiteState.UNPROVEN)
