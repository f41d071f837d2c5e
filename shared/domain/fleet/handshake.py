"""The results of TLS handshakes with host names."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.names import HostName, Thumbprint, covers
from shared.domain.rollout.site_record import SiteState


@dataclass(frozen=True, slots=True)
class Handshake:
    """The result of a TLS handshake that expects a certain certificate."""

    host_name: HostName
    expected: Thumbprint
    thumbprint: Thumbprint | None
    """The thumbprint of the served certificate, None if the handshake failed."""
    detail: str = ""

    @property
    def state(self) -> SiteState:
        """The state that the TLS handshake proves for the binding.

        A TLS handshake with an unexpected certificate proves that the site failed. A failed handshake proves nothing.
        """
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
    """The result of a TLS handshake that accepts any certificate."""

    host_name: HostName
    host_names: frozenset[HostName] = frozenset()
    """The host names in the served certificate."""
    not_after: datetime | None = None
    """The end of the served certificate, None if the handshake failed."""
    detail: str = ""
    thumbprint: Thumbprint | None = None
    """The thumbprint of the served certificate, None if the handshake failed."""
    issuer: str = ""
    """The name of the served certificate's issuer, for people."""

    @property
    def covered(self) -> bool:
        """True if the served certificate covers the host name."""
        return covers(self.host_names, self.host_name)

    def is_good(self, now: datetime) -> bool:
        """Return True if the served certificate covers the host name and is not expired."""
        return self.covered and self.not_after is not None and now < self.not_after

    def __str__(self) -> str:
        if self.not_after is None:
            return f"{self.host_name} could not be reached: {self.detail}"
        names = ", ".join(sorted(self.host_names)) or "no host name"
        return f"{self.host_name} serves a certificate for {names}, which ends {self.not_after:%Y-%m-%d %H:%M} UTC"


def verdict(handshakes: tuple[Handshake, ...]) -> SiteState:
    """Return the state of a site that the TLS handshakes of the site prove together.

    If a single TLS handshake shows an unexpected certificate, the site counts as failed. If no TLS handshake shows an
    unexpected certificate, a single handshake with the expected certificate proves the site.
    """
    states = {handshake.state for handshake in handshakes}
    order = (SiteState.FAILED, SiteState.PROVEN, SiteState.UNPROVEN)
    return next((state for state in order if state in states), SiteState.UNPROVEN)
