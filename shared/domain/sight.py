"""What a TLS handshake showed."""

from dataclasses import dataclass

from shared.domain.names import HostName, Thumbprint
from shared.domain.rollout import SiteState


@dataclass(frozen=True, slots=True)
class Sight:
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


def verdict(sights: tuple[Sight, ...]) -> SiteState:
    """Return what the sights of one site prove together: one failure fails it, one success proves it."""
    states = {sight.state for sight in sights}
    order = (SiteState.FAILED, SiteState.PROVEN, SiteState.UNPROVEN)
    return next((state for state in order if state in states), SiteState.UNPROVEN)
