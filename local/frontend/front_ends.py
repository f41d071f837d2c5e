"""Simulate App Service's front ends with real TLS on loopback addresses.

The front ends pick a certificate at each handshake. Every inbound address of the simulated Azure is a loopback address
on which the front ends listen. Each webspace (a group of App Service plans) has one inbound address, which its SNI
bindings share. Each IP-based binding has its own inbound address. App Service's front ends listen on port 443. The
simulated front ends listen on an unprivileged port, and the proxy translates the port.
"""

import functools
import ipaddress
import ssl
from collections.abc import Callable
from typing import Self

from local.azure.running.apps import App, Process
from local.azure.vault.authority import server_leaf
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.held_certificates import thumbprint_of
from local.azure.web.resources import RUNNING, STOPPED, Site
from local.azure.wire import Request, Response
from local.azure.world import World
from local.frontend.partners import CallEnd, Partners
from local.http_wire import converse
from local.listener import Connection, Listener
from local.tls import bare_server_context, server_context

CALL_STATUS = {CallEnd.ACCEPTED: 200, CallEnd.REFUSED: 502, CallEnd.UNREACHABLE: 502, CallEnd.UNTRUSTED: 502}
Turns = dict[str, int]
"""The number of the app's visit to which the requests of one connection belong, by site id."""


class FrontEnds:
    """The front ends of a simulated Azure, running from construction until `close`."""

    def __init__(self, world: World, partners: Partners) -> None:
        """Let the front ends listen on every inbound address that the simulated Azure uses.

        `follow` adds and removes listening addresses after a write to the simulated Azure.

        The apps behind the front ends call the partner servers.
        """
        self._world = world
        self._partners = partners
        self._ports: dict[str, int] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._listener = Listener(self._serve, "front-end")
        self.follow()

    def __enter__(self) -> Self:
        """Return the running front ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the front ends."""
        self.close()

    def use(self, world: World) -> None:
        """Serve the sites of another simulated Azure from now on."""
        self._world = world
        self.follow()

    def follow(self) -> None:
        """Let the front ends listen on exactly the inbound addresses that the simulated Azure uses now.

        A freed address refuses connections.
        """
        with self._world.lock:
            wanted = self._world.web.addresses()
            for address in self._listener.addresses - wanted:
                self._listener.leave(address)
            for address in sorted(wanted - self._listener.addresses):
                self._ports[address] = self._listen(address)

    def resolve(self, host: str) -> tuple[str, int] | None:
        """Return the local address for visitors of the host, or None if nothing listens there."""
        with self._world.lock:
            self.follow()
            if not self._is_reachable(host):
                return None
            address = host if _is_address(host) else self._world.web.address_of(host)
            return (address, self._ports[address]) if address in self._listener.addresses else None

    def close(self) -> None:
        """End every connection of the front ends, and free the addresses."""
        self._listener.close()

    def _is_reachable(self, host: str) -> bool:
        """Return True if a client of the proxy can reach the host name or address.

        The simulation setting `internal_environments` says whether the client is in an environment's network.
        """
        standing = self._world.knobs.internal_environments
        inside = standing == "resolved" or (standing == "by address" and _is_address(host))
        return inside or self._world.web.is_public(host)

    def _listen(self, address: str) -> int:
        """Listen on the given loopback address, and return the port.

        The front ends use one port at all addresses, and another port where another program uses that port.
        """
        usual = next(iter(self._ports.values()), 0)
        try:
            return self._listener.listen(address, usual)
        except OSError:
            return self._listener.listen(address)

    def _serve(self, connection: Connection) -> None:
        secure = connection.secure(self._context_at(connection.local_address))
        turns: Turns = {}
        with secure.makefile("rb") as stream:
            converse(stream, secure.sendall, lambda request: self._answer(request, turns))

    def _context_at(self, address: str) -> ssl.SSLContext:
        context = self._contexts.get(address)
        if context is None:
            context = self._contexts[address] = bare_server_context()
            context.sni_callback = self._picker(address)
        return context

    def _picker(self, address: str) -> Callable[[ssl.SSLSocket | ssl.SSLObject, str | None, ssl.SSLContext], None]:
        def pick(handshake: ssl.SSLSocket | ssl.SSLObject, host_name: str | None, _: ssl.SSLContext) -> None:
            """Choose the certificate of the binding, or the platform's own certificate."""
            with self._world.lock:
                shown = self._world.web.served((host_name or "").lower(), address)
                suffix = self._world.web.domain_behind(host_name or "")
            handshake.context = _platform_context(suffix) if shown is None else _context_of(shown)

        return pick

    def _answer(self, request: Request, turns: Turns) -> Response:
        world = self._world
        with world.lock:
            site = world.web.site_behind(request.host)
            app = world.apps.of(site) if site is not None and site.state == RUNNING else None
        if app is not None and request.path == app.probe:
            return self._app_answer(world, app, turns)
        status = {RUNNING: 200, STOPPED: 403}.get(_state(site), 404)
        text = {200: f"{request.host} is running.\n", 403: "This site is stopped.\n"}.get(status, "No such site.\n")
        return _plain(status, text)

    def _app_answer(self, world: World, app: App, turns: Turns) -> Response:
        """Return the app's answer to a request, from the process whose turn it is.

        The lock of the simulated Azure is free while the process calls its partner server.
        """
        with world.lock:
            processes = app.answering(world.clock.now())
            if not processes:
                return _plain(503, "starting")
            if app.site_id not in turns:
                turns[app.site_id] = app.visit()
            if app.script:
                status, headers, body = app.script.pop(0)
                return _plain(status, body).adding(headers)
            process = processes[turns[app.site_id] % len(processes)]
        return _plain(500, "broken") if app.broken else self._process_answer(app, process)

    def _process_answer(self, app: App, process: Process) -> Response:
        """Call the partner server, and return an answer with all certificates of the process.

        An app's answer names the client certificate of the app's call to its partner server, the public certificate
        that the process needs, and the roots that the process trusts in addition to the public roots.
        """
        if app.chosen.trusts and process.trusted is None:
            return _plain(500, "no public certificate")
        trusting = f" trusting {process.trusted}" if process.trusted else ""
        roots = f" with roots {','.join(map(thumbprint_of, process.roots))}" if process.roots else ""
        if not app.chosen.calls:
            return _plain(200, f"ok{trusting}{roots}")
        if process.certificate is None and not app.chosen.anonymous:
            return _plain(500, "no certificate")
        end = self._partners.call(app.partner, process.certificate, process.roots)
        presented = f" {process.certificate.thumbprint}" if process.certificate else ""
        return _plain(CALL_STATUS[end], f"{end.value}{presented}{trusting}{roots}")


def _plain(status: int, text: str) -> Response:
    return Response(status, {"Content-Type": "text/plain"}, text.encode())


def _state(site: Site | None) -> str:
    return site.state if site else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=64)
def _platform_context(domain: str) -> ssl.SSLContext:
    """Return the context for a host name without a binding: the platform's certificate.

    Each App Service Environment has its own wildcard certificate.
    """
    leaf = server_leaf(f"*.{domain}", f"*.scm.{domain}")
    return server_context(leaf.certificate_pem + leaf.chain_pem, leaf.private_key_pem)


@functools.lru_cache(maxsize=512)
def _context_of(shown: ImportedCertificate) -> ssl.SSLContext:
    certificate = ssl.DER_cert_to_PEM_cert(shown.public_der).encode()
    return server_context(certificate + shown.chain_pem, shown.private_key_pem)
