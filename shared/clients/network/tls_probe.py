"""Read by a TLS handshake which certificate App Service serves for a host name."""

import http.client
import socket
import ssl
import urllib.request
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import tenacity
from cryptography import x509

from shared.clients.vault.x509_facts import UNREADABLE, thumbprint_of
from shared.domain.fleet.handshake import Handshake, ServedCertificate
from shared.domain.names import HostName, Thumbprint
from shared.ports.clock import Clock

PORT = 443
TIME_OUT_SECONDS = 10.0
"""How long an App Service front end may take to connect or to answer a handshake; usually it takes under a second."""
UNREACHABLE_AFTER = 3
LABEL_FOR_WILDCARD = "certroll-probe"


class TlsProbe:
    """This probe repeats TLS handshakes until App Service serves a good certificate, or until the probe gives up.

    The TLS probe does not check the issuer, so the probe also accepts certificates of a private CA.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Handshake:
        """Read by TLS handshakes which certificate the address serves for the host name.

        The probe repeats the handshake until App Service serves the expected certificate, until the time `give_up`, or
        until the third or a later handshake fails. After the time `give_up` the TLS probe makes no handshake and does
        not know which certificate App Service serves.
        """
        if self._clock.now() >= give_up:
            return Handshake(host_name, expected, None, "no time was left for a handshake")

        def enough(state: tenacity.RetryCallState) -> bool:
            seen = state.outcome.result() if state.outcome else None
            silent = seen is not None and seen.thumbprint is None and state.attempt_number >= UNREACHABLE_AFTER
            return silent or self._clock.now() + timedelta(seconds=state.upcoming_sleep) > give_up

        retryer = tenacity.Retrying(
            sleep=self._clock.sleep,
            wait=tenacity.wait_exponential(multiplier=0.5, max=8),
            stop=enough,
            retry=tenacity.retry_if_result(lambda handshake: handshake.thumbprint != expected),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        handshake: Handshake = retryer(_handshake, host_name, address, expected)
        return handshake

    def served(self, host_name: HostName, address: str, give_up: datetime) -> ServedCertificate:
        """Read by TLS handshakes which certificate the address serves for the host name, with names and end date.

        Azure does not show a managed certificate's thumbprint, so this function checks host name and end date instead.
        The probe repeats the handshake until host name and end date are good, until the time `give_up`, or until the
        third or a later handshake fails. The function `served` makes at least one TLS handshake, even if the time
        `give_up` has passed.
        """

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
        served: ServedCertificate = retryer(_served, host_name, address)
        return served


def _served(host_name: HostName, address: str) -> ServedCertificate:
    try:
        certificate = x509.load_der_x509_certificate(_certificate(_server_name(host_name), address))
        return ServedCertificate(host_name, _host_names(certificate), certificate.not_valid_after_utc)
    except (OSError, http.client.HTTPException, *UNREADABLE) as error:
        return ServedCertificate(host_name, detail=f"{address}: {type(error).__name__}: {error}"[:200])


def _host_names(certificate: x509.Certificate) -> frozenset[HostName]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(HostName(name.lower()) for name in names.get_values_for_type(x509.DNSName))


def _handshake(host_name: HostName, address: str, expected: Thumbprint) -> Handshake:
    try:
        return Handshake(host_name, expected, _thumbprint(_server_name(host_name), address))
    except (OSError, http.client.HTTPException) as error:
        return Handshake(host_name, expected, None, f"{address}: {type(error).__name__}: {error}"[:200])


def _server_name(host_name: HostName) -> str:
    """Return the server name for a TLS handshake; a wildcard binding gets a name that the wildcard covers."""
    return f"{LABEL_FOR_WILDCARD}{host_name[1:]}" if host_name.startswith("*") else host_name


def _thumbprint(server_name: str, address: str) -> Thumbprint:
    return thumbprint_of(_certificate(server_name, address))


def _certificate(server_name: str, address: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with _connect(address) as raw, context.wrap_socket(raw, server_hostname=server_name) as tls:
        certificate = tls.getpeercert(binary_form=True)
    if certificate is None:
        raise ssl.SSLError(f"{address} showed no certificate")
    return certificate


def _connect(address: str) -> socket.socket:
    """Open a connection to the address, through the proxy that the environment variables name, if any."""
    proxy = urllib.request.getproxies().get("https")
    if proxy is None or urllib.request.proxy_bypass(address):
        return socket.create_connection((address, PORT), TIME_OUT_SECONDS)
    parts = urlsplit(proxy)
    tunnel = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIME_OUT_SECONDS)
    tunnel.set_tunnel(address, PORT)
    try:
        tunnel.connect()
    except BaseException:
        tunnel.close()
        raise
    return tunnel.sock
