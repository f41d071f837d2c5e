"""Simulate the partner servers that apps call, by TLS servers on loopback ports.

All partner servers that insist on a client certificate share one port. All partner servers that ask for no client
certificate share a second port. The host name of a call selects the partner server.
"""

import functools
import http.client
import socket
import ssl
from enum import Enum
from typing import Self

from local.azure.running.apps import PARTNER_DOMAIN, Partner
from local.azure.running.trust import Roots
from local.azure.vault.authority import Authority, server_leaf
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.held_certificates import thumbprint_of
from local.azure.wire import Request, Response
from local.azure.world import World
from local.http_wire import converse
from local.listener import Connection, Listener
from local.patience import HANG
from local.tls import bare_server_context, client_context, show, trust_authority


class CallEnd(Enum):
    """The ways in which a call to a partner server can end."""

    ACCEPTED = "ok"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"


class Partners:
    """The partner servers of a simulated Azure, running from construction until `close`."""

    def __init__(self, world: World) -> None:
        """Let the simulated partner servers listen on two free loopback ports."""
        self._world = world
        self._listener = Listener(lambda connection: self._serve(connection, self._demanding), "partner")
        self._open_listener = Listener(lambda connection: self._serve(connection, self._open), "open-partner")
        self._demanding, self._open = (self._picking_context(demanding=demanding) for demanding in (True, False))
        self._port, self._open_port = self._listener.listen(), self._open_listener.listen()

    def __enter__(self) -> Self:
        """Return the running partners."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the partners."""
        self.close()

    def use(self, world: World) -> None:
        """Serve the partner servers of another simulated Azure from now on."""
        self._world = world

    def close(self) -> None:
        """End every connection to a partner server, and free both ports. Later calls fail."""
        self._listener.close()
        self._open_listener.close()

    def call(self, partner: Partner, certificate: ImportedCertificate | None, roots: Roots = ()) -> CallEnd:
        """Call the partner server with or without a client certificate, and return how the call ended.

        The caller of `call` must not have locked the simulated Azure. The calling app trusts the local certificate
        authority and `roots`. The app ends the call if the partner server's certificate chains to none of the trusted
        roots. In TLS 1.3 a server refuses a client certificate only after the client has finished the handshake. A
        connection that breaks after the TLS handshake counts as a refusal of the client certificate.
        """
        try:
            port = self._open_port if partner.open_to_all else self._port
            connection = socket.create_connection(("127.0.0.1", port), timeout=HANG)
        except OSError:
            return CallEnd.UNREACHABLE
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                status = _ask(connection, partner.host_name, _calling_context(certificate, roots))
            except ssl.SSLCertVerificationError:
                return CallEnd.UNTRUSTED
            except (OSError, http.client.HTTPException):
                return CallEnd.REFUSED
        return CallEnd.ACCEPTED if status == http.HTTPStatus.OK else CallEnd.REFUSED

    def _serve(self, connection: Connection, context: ssl.SSLContext) -> None:
        secure = connection.secure(context)
        shown = secure.getpeercert(binary_form=True) or b""
        with secure.makefile("rb") as stream:
            converse(stream, secure.sendall, lambda request: self._answer(request, shown))

    def _answer(self, request: Request, shown: bytes) -> Response:
        with self._world.lock:
            partner = self._world.apps.partners.get(request.host)
        if partner is None:
            return Response(404)
        return Response(200 if partner.open_to_all or partner.admits(thumbprint_of(shown)) else 403)

    def _picking_context(self, *, demanding: bool) -> ssl.SSLContext:
        """Return a TLS context that presents the certificate of the partner server that the client names."""

        def pick(handshake: ssl.SSLSocket | ssl.SSLObject, host_name: str | None, _: ssl.SSLContext) -> None:
            """Choose the partner server's own authority, or the local authority for an unknown name."""
            with self._world.lock:
                partner = self._world.apps.partners.get((host_name or "").lower())
                handshake.context = _partner_context(partner.own if partner else None, demanding=demanding)

        context = _bare_partner_context(demanding=demanding)
        context.sni_callback = pick
        return context


def _ask(connection: socket.socket, host_name: str, context: ssl.SSLContext) -> int:
    with context.wrap_socket(connection, server_hostname=host_name) as secure:
        secure.sendall(f"GET /orders HTTP/1.1\r\nHost: {host_name}\r\nConnection: close\r\n\r\n".encode())
        with http.client.HTTPResponse(secure) as answer:
            answer.begin()
            return answer.status


@functools.lru_cache(maxsize=64)
def _partner_context(own: Authority | None, *, demanding: bool) -> ssl.SSLContext:
    """Return a partner server's TLS context, with a certificate of `own` or of the local authority."""
    leaf = server_leaf(f"*.{PARTNER_DOMAIN}", by=own)
    context = _bare_partner_context(demanding=demanding)
    show(context, leaf.certificate_pem + leaf.chain_pem, leaf.private_key_pem)
    return context


def _bare_partner_context(*, demanding: bool) -> ssl.SSLContext:
    """Return a partner server's TLS context without a server certificate.

    A TLS context that demands a client certificate accepts only certificates of the local authority.
    """
    context = bare_server_context()
    trust_authority(context)
    context.verify_mode = ssl.CERT_REQUIRED if demanding else ssl.CERT_NONE
    return context


@functools.lru_cache(maxsize=512)
def _calling_context(certificate: ImportedCertificate | None, roots: Roots) -> ssl.SSLContext:
    context = client_context()
    if roots:
        context.load_verify_locations(cadata=b"".join(roots))
    if certificate is None:
        return context
    leaf = ssl.DER_cert_to_PEM_cert(certificate.public_der).encode()
    show(context, leaf + certificate.chain_pem, certificate.private_key_pem)
    return context
