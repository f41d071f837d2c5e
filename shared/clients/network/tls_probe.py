"""A TLS handshake with App Service itself, to see which certificate it serves."""

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
"""How long a front end may take to connect, and to answer a handshake; healthy ones take a fraction of a second."""
UNREACHABLE_AFTER = 3
LABEL_FOR_WILDCARD = "certroll-probe"


class TlsProbe:
    """Shakes hands until the expected certificate is served, or long enough.

    No trust is required, only thumbprints are compared: a certificate of a private CA is served just as well.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Handshake:
        """Return what the address serves for the host name, once it is the expected certificate or it is `give_up`.

        An address that refuses three times is given up: nothing is proven by silence, and waiting proves no more.
        What was not looked at by then is not proven either.
        """
        if self._clock.now() >= give_up:
            return Handshake(host_name, expected, None, "there was no time left to look")

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
        handshake: Handshake = retryer(_look, host_name, address, expected)
        return handshake

    def served(self, host_name: HostName, address: str, give_up: datetime) -> ServedCertificate:
        """Return what the address serves for the host name, once that is good for it or it is `give_up`.

        Good is what covers the host name and has not expired: the thumbprint of a managed certificate is not known.
        It is looked at least once. An address that refuses three times is given up.
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
        served: ServedCertificate = retryer(_look_at, host_name, address)
        return served


def _look_at(host_name: HostName, address: str) -> ServedCertificate:
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


def _look(host_name: HostName, address: str, expected: Thumbprint) -> Handshake:
    try:
        return Handshake(host_name, expected, _handshake(_server_name(host_name), address))
    except (OSError, http.client.HTTPException) as error:
        return Handshake(host_name, expected, None, f"{address}: {type(error).__name__}: {error}"[:200])


def _server_name(host_name: HostName) -> str:
    """Return a name that a client would ask for: a wildcard binding answers for any one label."""
    return f"{LABEL_FOR_WILDCARD}{host_name[1:]}" if host_name.startswith("*") else host_name


def _handshake(server_name: str, address: str) -> Thumbprint:
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
    """Return a connection, by way of the proxy that the environment names, as the SDKs' own connections go."""
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
