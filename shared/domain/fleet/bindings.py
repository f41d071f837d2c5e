"""Bindings connect a host name of a site with the certificate that App Service serves for the host name."""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.names import HostName, SiteRef, Thumbprint


class SslState(StrEnum):
    """The kind of a binding, in ARM's own words."""

    DISABLED = "Disabled"
    SNI = "SniEnabled"
    IP_BASED = "IpBasedEnabled"


@dataclass(frozen=True, slots=True)
class Binding:
    """A host name of a site or slot, with the certificate that App Service serves for the host name."""

    site: SiteRef
    host_name: HostName
    """The host name in the form in which Certroll compares host names."""
    ssl_state: SslState
    thumbprint: Thumbprint | None
    """The thumbprint of the bound certificate, None for a host name without a certificate."""
    virtual_ip: str | None = None
    """The address of an IP-based binding."""
    written: str = field(default="", compare=False)
    """The host name as Azure wrote it, empty if the binding comes from the journal."""

    @property
    def address(self) -> str:
        """The host name by which Azure finds the binding.

        App Service holds international host names in Unicode, and answers 404 for their ASCII form.
        """
        return self.written or self.host_name

    def __lt__(self, other: "Binding") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[SiteRef, str, str, str, str]:
        return self.site, self.host_name, self.ssl_state, self.thumbprint or "", self.virtual_ip or ""
