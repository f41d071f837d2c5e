"""Bindings: a host name of a site with the certificate that it shows."""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.names import HostName, SiteRef, Thumbprint


class SslState(StrEnum):
    """How a host name is bound, in ARM's own words."""

    DISABLED = "Disabled"
    SNI = "SniEnabled"
    IP_BASED = "IpBasedEnabled"


@dataclass(frozen=True, slots=True)
class Binding:
    """A host name of a site or slot, with how it is bound."""

    site: SiteRef
    host_name: HostName
    ssl_state: SslState
    thumbprint: Thumbprint | None
    virtual_ip: str | None = None

    def __lt__(self, other: "Binding") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[SiteRef, str, str, str, str]:
        return self.site, self.host_name, self.ssl_state, self.thumbprint or "", self.virtual_ip or ""
