"""What visitors are shown: public DNS, TLS handshakes, and the app's own answer."""

from datetime import datetime
from typing import Protocol

from shared.domain.fleet.handshake import Handshake, ServedCertificate
from shared.domain.fleet.probe import Probe, ProbeResult
from shared.domain.managed.dns import DnsAnswer, RecordKind
from shared.domain.names import HostName, Thumbprint


class Dns(Protocol):
    """Public DNS, as Certroll sees it."""

    def ask(self, name: str, kind: RecordKind) -> DnsAnswer:
        """Return the records of a name. This method never raises: a failure is an answer."""


class TlsProbe(Protocol):
    """The certificate that a host name serves."""

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Handshake:
        """Shake hands at the address, the host name as SNI, until the expected certificate is seen or time is up."""

    def served(self, host_name: HostName, address: str, give_up: datetime) -> ServedCertificate:
        """Shake hands at the address until a certificate is seen that is good for the host name, or time is up."""


class AppProbe(Protocol):
    """The app's own answer."""

    def ask(
        self, host: HostName, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint], address: str | None = None
    ) -> ProbeResult:
        """Ask the probe's path once on a new connection, and judge the answer.

        If an address is given the connection goes there: the host name may resolve inside a network only.
        """
