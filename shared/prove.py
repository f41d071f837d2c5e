"""What is really served, host name by host name; and what apps themselves answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from shared.domain.errors import AzureError
from shared.domain.model import Binding, Fleet, Site, SslState
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.probe import ProbeSight, Verdict
from shared.domain.sight import Sight
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings
from shared.ports import Ports
from shared.ports.clock import Clock
from shared.run import Run

PASSES = 3
"""How often in a row an app has to pass its probe to count as well."""
BETWEEN_PASSES_SECONDS = 2.0
"""The pause between two probes of an app in a row. A front end may choose any instance each time (ADR 11)."""
BETWEEN_WAVE_PASSES_SECONDS = BETWEEN_PASSES_SECONDS / 2
"""The same pause in a wave: half as long, because the next wave waits until all apps of this one are asked."""
PATIENCE = timedelta(seconds=90)
"""How long front ends may take to serve what was written; for all host names of a site together."""
SECOND_LOOK = 2 * PATIENCE
"""When a certificate's run looks again at sites that failed. A site's run takes up to `PATIENCE` to say that the site
still serves another certificate; as much again is for its message to be delivered."""


class Inbound(NamedTuple):
    """The address by which an internal environment is reached, None for all other sites; or why it is not known."""

    address: str | None = None
    unknown: str = ""


def prove(run: Run, snapshot: Snapshot, site: SiteRef, thumbprint: Thumbprint) -> tuple[Sight, ...]:
    """Return what every host name of the site serves that is bound to the current version.

    Nothing is proven of a site whose environment does not say where it is reached.
    """
    bound = [
        b
        for b in shown_bindings(snapshot)
        if b.site == site and snapshot.lineage.is_current(b.thumbprint) and b.ssl_state is not SslState.DISABLED
    ]
    if not bound:
        return ()
    inbound = inbound_of(run.ports, snapshot.site(site))
    if inbound.unknown:
        return tuple(Sight(binding.host_name, thumbprint, None, inbound.unknown) for binding in bound)
    where = {binding: address_of(snapshot.fleet, binding, inbound.address) for binding in bound}
    give_up = min(run.now() + PATIENCE, run.ends_at)
    shows = run.ports.tls_probe.shows
    return tuple(run.pool.map(lambda binding: shows(binding.host_name, where[binding], thumbprint, give_up), where))


def inbound_of(ports: Ports, site: Site | None) -> Inbound:
    """Return by which address the site is reached: one request where it is in an internal environment, else none.

    That it could not be read fails nothing, and proves nothing either.
    """
    behind = site.behind if site else None
    if behind is None:
        return Inbound()
    try:
        addresses = ports.environments.inbound_addresses(behind)
    except AzureError as error:
        return Inbound(unknown=f"the inbound address of environment {behind} could not be read: {error}")
    return Inbound(addresses[0]) if addresses else Inbound(unknown=f"environment {behind} shows no inbound address")


def ask_in_a_row(clock: Clock, ask: Callable[[], ProbeSight], pause: float) -> ProbeSight:
    """Return the last of three passes, or the first sight that is none: instances recycle one after the other.

    `pause` is how many seconds lie between two of them.
    """
    for number in range(PASSES):
        if number:
            clock.sleep(pause)
        sight = ask()
        if sight.verdict is not Verdict.PASSED:
            break
    return sight


def address_of(fleet: Fleet, binding: Binding, inbound: str | None = None) -> str:
    """Return where App Service itself serves the host name; public DNS may well point at a CDN in front of it.

    `inbound` is the address of the internal environment that the site is in: its names resolve inside the network
    alone. A site with an IP-based binding serves its SNI bindings under `sni.` and its default host name (Azure docs,
    "Secure a custom DNS name", remap records for IP based SSL).
    """
    if binding.virtual_ip is not None:
        return binding.virtual_ip
    if inbound is not None:
        return inbound
    site = fleet.site(binding.site)
    default = site.default_host_name if site else binding.host_name
    mixed = any(b.site == binding.site and b.ssl_state is SslState.IP_BASED for b in fleet.bindings)
    return f"sni.{default}" if mixed else default
