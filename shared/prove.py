"""What is really served, host name by host name."""

from datetime import timedelta

from shared.domain.model import Binding, Fleet, SslState
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.sight import Sight
from shared.domain.snapshot import Snapshot
from shared.run import Run

PATIENCE = timedelta(seconds=90)
"""How long front ends may take to serve what was written; for all host names of a site together."""


def prove(run: Run, snapshot: Snapshot, site: SiteRef, thumbprint: Thumbprint) -> tuple[Sight, ...]:
    """Return what every host name of the site serves that is bound to the current version."""
    bound = [
        b
        for b in snapshot.bindings
        if snapshot.lineage.is_current(b.thumbprint) and b.ssl_state is not SslState.DISABLED
    ]
    where = {binding: address_of(snapshot.fleet, binding) for binding in bound if binding.site == site}
    give_up = min(run.now() + PATIENCE, run.ends_at)
    shows = run.ports.tls_probe.shows
    return tuple(run.pool.map(lambda binding: shows(binding.host_name, where[binding], thumbprint, give_up), where))


def address_of(fleet: Fleet, binding: Binding) -> str:
    """Return where App Service itself serves the host name; public DNS may well point at a CDN in front of it.

    A site with an IP-based binding serves its SNI bindings under `sni.` and its default host name (Azure docs, "Secure
    a custom DNS name", remap records for IP based SSL).
    """
    if binding.virtual_ip is not None:
        return binding.virtual_ip
    site = fleet.site(binding.site)
    default = site.default_host_name if site else binding.host_name
    mixed = any(b.site == binding.site and b.ssl_state is SslState.IP_BASED for b in fleet.bindings)
    return f"sni.{default}" if mixed else default
