"""Partners whom apps call: a real TLS server on a loopback port that insists on a client certificate, and the calls.

One port stands for all partners of a world; the host name says which is meant.
"""

import functools
import hashlib
import http.client
import socket
import ssl
from enum import Enum
from typing import Self

from local.azure.apps import PARTNER_DOMAIN, Partner
from local.azure.vault.authority import server_leaf
from local.azure.vault.state import ImportedCertificate
from local.azure.wire import Request, Response
from local.azure.world import World
from local.http_wire import converse
from local.listener import Connection, Listener
from local.tls import bare_server_context, client_context, show, trust_authority

PATIENCE = 10.0


class CallEnd(Enum):
    """How a call to a partner ended."""

    ACCEPTED = "ok"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class Partners:
    """The partners of a world, running from construction until `close`."""

    def __init__(self, world: World) -> None:
        """Listen on a free loopback port."""
        self._world = world
        self._listener = Listener(self._serve, "partner")
        self._port = self._listener.listen()

    def __enter__(self) -> Self:
        """Return the running partners."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self.close()

    def use(self, world: World) -> None:
        """Be another world's partners from now on."""
        self._world = world

    def close(self) -> None:
        """End every connection and free the port; later calls find nobody."""
        self._listener.close()

    def call(self, partner: Partner, certificate: ImportedCertificate) -> CallEnd:
        """Return how a call to the partner ends that presents this certificate; the world must not be locked.

        In TLS 1.3 a server refuses a client's certificate only after the client took the handshake for done, so every
        end of a connection that was once made is a refusal.
        """
        try:
            connection = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        except OSError:
            return CallEnd.UNREACHABLE
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                status = _ask(connection, partner.host_name, certificate)
            except (OSError, http.client.HTTPException):
                return CallEnd.REFUSED
        return CallEnd.ACCEPTED if status == http.HTTPStatus.OK else CallEnd.REFUSED

    def _serve(self, connection: Connection) -> None:
        secure = connection.secure(_demanding_context())
        shown = secure.getpeercert(binary_form=True) or b""
        with secure.makefile("rb") as stream:
            converse(stream, secure.sendall, lambda request: self._answer(request, shown))

    def _answer(self, request: Request, shown: bytes) -> Response:
        thumbprint = hashlib.sha1(shown).hexdigest().upper()  # noqa: S324 - Azure's identifier, not a safeguard
        with self._world.lock:
            partner = self._world.apps.partners.get(request.host)
        if partner is None:
            return Response(404)
        return Response(200 if partner.admits(thumbprint) else 403)


def _ask(connection: socket.socket, host_name: str, certificate: ImportedCertificate) -> int:
    with _presenting_context(certificate).wrap_socket(connection, server_hostname=host_name) as secure:
        secure.sendall(f"GET /orders HTTP/1.1\r\nHost: {host_name}\r\nConnection: close\r\n\r\n".encode())
        with http.client.HTTPResponse(secure) as answer:
            answer.begin()
            return answer.status


@functools.lru_cache(maxsize=1)
def _demanding_context() -> ssl.SSLContext:
    """What a partner answers with: its own certificate, and no word without a client's that the authority issued."""
    leaf = server_leaf(f"*.{PARTNER_DOMAIN}")
    context = bare_server_context()
    show(context, leaf.certificate_pem + leaf.chain_pem, leaf.private_key_pem)
    trust_authority(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@functools.lru_cache(maxsize=512)
def _presenting_context(certificate: ImportedCertificate) -> ssl.SSLContext:
    context = client_context()
    leaf = ssl.DER_cert_to_PEM_cert(certificate.public_der).encode()
    show(context, leaf + certificate.chain_pem, certificate.private_key_pem)
    return context
