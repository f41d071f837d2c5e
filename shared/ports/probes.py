"""Define the ports that see what clients see: public DNS, TLS handshakes, and the app's own answer."""

from datetime import datetime
from typing import Protocol

from shared.domain.fleet.handshake import Handshake, ServedCertificate
from shared.domain.fleet.probe import Probe, ProbeResult
from shared.domain.managed.dns import DnsAnswer, RecordKind
from shared.domain.names import HostName, Thumbprint


class Dns(Protocol):
    """The port to public DNS."""

    def ask(self, name: str, kind: RecordKind) -> DnsAnswer:
        """Return the DNS records of a name.

        A failed lookup is an answer, too. Raise OutOfTime if the run ends before the name servers answer.
        """


class TlsProbe(Protocol):
    """The port that reads the certificate which a host name serves."""

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Handshake:
        """Make TLS handshakes with the host name as SNI, and return the result.

        The probe repeats the handshake until the address serves the expected certificate, the time `give_up` has come,
        or the third or a later handshake fails. Raise OutOfTime if the run ends during a handshake.
        """

    def served(self, host_name: HostName, address: str, give_up: datetime) -> ServedCertificate:
        """Return the certificate that the address serves for the host name.

        The probe repeats the handshake until the certificate is good for the host name, the time `give_up` has come, or
        the third or a later handshake fails. Raise OutOfTime if the run ends during a handshake.
        """


class AppProbe(Protocol):
    """The port that sends an app its probe."""

    def ask(
        self, host: HostName, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint], address: str | None = None
    ) -> ProbeResult:
        """Request the probe's path once on a new connection, and return the judged answer.

        If `address` is given, the probe connects to the address, because DNS may resolve the host name only inside a
        network.
        """
