"""Answer Certroll's handshakes and probes from the state of the simulated Azure, without sockets.

A real handshake costs as much processor time as ten requests. The bench measures waits and requests, so it reads from
the simulated Azure what a front end would serve, and lets the time of a handshake pass.
"""

from local.azure.running.apps import App
from local.azure.web.held_certificates import thumbprint_of
from local.azure.world import World
from shared.clients.network.app_probe import AppProbe
from shared.clients.network.tls_probe import TlsProbe
from shared.domain.fleet.handshake import Handshake
from shared.domain.fleet.probe import Probe, ProbeResult, Verdict, judge
from shared.domain.names import HostName, Thumbprint, parse_thumbprint

HANDSHAKE_SECONDS = 0.1
"""How long a TLS handshake with a front end takes: two exchanges of packets."""
PROBE_SECONDS = 0.2
"""How long an app takes to answer a probe on a new connection."""


class WorldHandshakes(TlsProbe):
    """Certroll's handshakes, with its own repetitions, on simulated time."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self._world = world

    def _handshake(self, host_name: HostName, address: str, expected: Thumbprint) -> Handshake:
        """Return the certificate of the host name's binding. Each site of the bench has its own host names."""
        self._world.clock.sleep(HANDSHAKE_SECONDS)
        site = self._world.web.site_behind(host_name)
        bound = next((host for host in site.hosts.values() if host.name.lower() == host_name), None) if site else None
        if bound is None or bound.thumbprint is None:
            return Handshake(host_name, expected, None, f"{address}: no binding")
        return Handshake(host_name, expected, parse_thumbprint(bound.thumbprint))


class WorldProbes(AppProbe):
    """Certroll's probes of apps, answered by the simulated apps on simulated time."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def ask(
        self, host: HostName, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint], address: str | None = None
    ) -> ProbeResult:
        """Return the judged answer of the app behind the host name."""
        del address
        self._world.clock.sleep(PROBE_SECONDS)
        app = self._world.apps.of(self._world.web.site_behind(host))
        if app is None or not app.answering(self._world.clock.now()):
            return ProbeResult(Verdict.FAILED, f"{host} gave no answer")
        return judge(probe, *_answer(self._world, app), new, old)


def _answer(world: World, app: App) -> tuple[int, str]:
    """Return the status and the text of an app's answer, in the words of local/frontend/front_ends.py."""
    process = app.answering(world.clock.now())[-1]
    trusting = f" trusting {process.trusted}" if process.trusted else ""
    roots = f" with roots {','.join(map(thumbprint_of, process.roots))}" if process.roots else ""
    if app.chosen.trusts and process.trusted is None:
        return 500, "no public certificate"
    if not app.chosen.calls:
        return 200, f"ok{trusting}{roots}"
    certificate = process.certificate
    welcome = app.chosen.anonymous if certificate is None else app.partner.accepts(certificate)
    if not welcome or not app.partner.is_trusted_with(process.roots):
        return 502, "refused"
    presented = f" {certificate.thumbprint}" if certificate else ""
    return 200, f"ok{presented}{trusting}{roots}"
