"""Read by a TLS handshake which certificate App Service serves for a host name."""

import http.client
import socket
import ssl
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import Any
from urllib.parse import urlsplit

import tenacity

from shared.clients.network.bounded import TookTooLong, bounded, kept
from shared.clients.vault.x509_fields import parse, thumbprint_of
from shared.clients.vault.x509_names import shown
from shared.domain.errors import OutOfTime
from shared.domain.fleet.handshake import Handshake, ServedCertificate
from shared.domain.names import HostName, Thumbprint, is_host_name, read_host_name
from shared.ports.clock import Clock

PORT = 443
TIME_OUT_SECONDS = 10.0
"""How long a handshake with an App Service front end may take, from the resolution of the name to the last byte.
Usually a handshake takes under a second."""
UNREACHABLE_AFTER = 3
THREAD = "tls-probe"
SILENCE = (OSError, http.client.HTTPException, TookTooLong, UnicodeError)
"""The errors of a handshake that shows no certificate. Python raises UnicodeError for an address that is no name."""
LABEL_FOR_WILDCARD = "certroll-probe"
NO_NAME = "it is no host name that a client can ask for"


class TlsProbe:
    """This probe repeats TLS handshakes until App Service serves a good certificate, or until the probe gives up.

    The TLS probe does not check the issuer, so the probe also accepts certificates of a private CA.
    """

    def __init__(
        self, clock: Clock, seconds_left: Callable[[], float] = lambda: inf, time_out: float = TIME_OUT_SECONDS
    ) -> None:
        """Store the clock, the seconds that the run has left for a handshake, and the longest time of a handshake."""
        self._clock = clock
        self._seconds_left = seconds_left
        self._time_out = time_out

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Handshake:
        """Read by TLS handshakes which certificate the address serves for the host name.

        The probe repeats the handshake until App Service serves the expected certificate, or until the third or a later
        handshake fails. The probe accepts another certificate as the result from the time `give_up` on. All threads may
        be busy until after `give_up`, so the probe makes its first handshake at any time.
        """
        if not is_host_name(host_name):
            return Handshake(host_name, expected, None, NO_NAME)

        def enough(state: tenacity.RetryCallState) -> bool:
            seen = state.outcome.result() if state.outcome else None
            if seen is not None and seen.thumbprint is None:
                return state.attempt_number >= UNREACHABLE_AFTER
            return self._clock.now() + timedelta(seconds=state.upcoming_sleep) > give_up

        retryer = tenacity.Retrying(
            sleep=self._clock.sleep,
            wait=tenacity.wait_exponential(multiplier=0.5, max=8),
            stop=enough,
            retry=tenacity.retry_if_result(lambda handshake: handshake.thumbprint != expected),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        handshake: Handshake = retryer(self._handshake, host_name, address, expected)
        return handshake

    def served(self, host_name: HostName, address: str, give_up: datetime) -> ServedCertificate:
        """Read by TLS handshakes which certificate the address serves for the host name, with names and end date.

        Azure does not show a managed certificate's thumbprint, so this function checks host name and end date instead.
        The probe repeats the handshake until host name and end date are good, until the time `give_up`, or until the
        third or a later handshake fails. The function `served` makes at least one TLS handshake, even if the time
        `give_up` has passed. For a name that no client can ask for, the probe makes no handshake.
        """
        if not is_host_name(host_name):
            return ServedCertificate(host_name, detail=NO_NAME)

        def enough(state: tenacity.RetryCallState) -> bool:
            seen = state.outcome.result() if state.outcome else None
            silent = seen is not None and seen.not_after is None and state.attempt_number >= UNREACHABLE_AFTER
            return silent or self._clock.now() + timedelta(seconds=state.upcoming_sleep) > give_up

        retryer = tenacity.Retrying(
            sleep=self._clock.sleep,
            wait=tenacity.wait_exponential(multiplier=0.5, max=8),
            stop=enough,
            retry=tenacity.retry_if_result(lambda served: not served.is_good(self._clock.now())),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        served: ServedCertificate = retryer(self._served, host_name, address)
        return served

    def _served(self, host_name: HostName, address: str) -> ServedCertificate:
        try:
            der = self._certificate(host_name, address)
            certificate = parse(der)
            names = frozenset(read_host_name(name) for name in certificate.dns_names or ())
            thumbprint, issuer = thumbprint_of(der), shown(certificate.issuer)
            return ServedCertificate(host_name, names, certificate.ends, thumbprint=thumbprint, issuer=issuer)
        except (*SILENCE, ValueError) as error:
            return ServedCertificate(host_name, detail=f"{address}: {type(error).__name__}: {error}"[:200])

    def _handshake(self, host_name: HostName, address: str, expected: Thumbprint) -> Handshake:
        try:
            return Handshake(host_name, expected, thumbprint_of(self._certificate(host_name, address)))
        except SILENCE as error:
            return Handshake(host_name, expected, None, f"{address}: {type(error).__name__}: {error}"[:200])

    def _certificate(self, host_name: HostName, address: str) -> bytes:
        """Return the certificate that the address serves.

        Raise OutOfTime if the run has no time left, or if the run ends during the handshake. Such a handshake says
        nothing about the server.
        """
        left = self._seconds_left()
        call = partial(_certificate, _server_name(host_name), address, self._time_out)
        try:
            return bounded(min(self._time_out, left), call, THREAD)
        except TookTooLong as late:
            if left < self._time_out:
                raise OutOfTime(f"the time of this run ended during a handshake with {host_name}") from late
            raise


def _server_name(host_name: HostName) -> str:
    """Return the server name for a TLS handshake; a wildcard binding gets a name that the wildcard covers."""
    return f"{LABEL_FOR_WILDCARD}{host_name[1:]}" if host_name.startswith("*") else host_name


def _certificate(server_name: str, address: str, time_out: float) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with _connect(address, time_out) as raw, context.wrap_socket(raw, server_hostname=server_name) as tls:
        certificate = tls.getpeercert(binary_form=True)
    if certificate is None:
        raise ssl.SSLError(f"{address} showed no certificate")
    return certificate


def _connect(address: str, time_out: float) -> socket.socket:
    """Open a connection to the address, through the proxy that the environment variables name, if any."""
    proxy = urllib.request.getproxies().get("https")
    if proxy is None or urllib.request.proxy_bypass(address):
        return kept(socket.create_connection((address, PORT), time_out))
    parts = urlsplit(proxy)
    tunnel = _Tunnel(parts.hostname or "", parts.port or 80, timeout=time_out)
    tunnel.set_tunnel(address, PORT)
    try:
        tunnel.connect()
    except BaseException:
        tunnel.close()
        raise
    return tunnel.sock


class _Tunnel(http.client.HTTPConnection):
    """A connection through a proxy, which the caller of the handshake can cut while the proxy answers."""

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._create_connection = _kept_connection  # http.client opens the connection by this attribute


def _kept_connection(*args: Any, **kwargs: Any) -> socket.socket:  # noqa: ANN401 - http.client's own signature
    return kept(socket.create_connection(*args, **kwargs))
