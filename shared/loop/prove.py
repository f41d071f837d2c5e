"""What a site really serves, host name by host name."""

from datetime import timedelta

from shared.domain.fleet.bindings import SslState
from shared.domain.fleet.handshake import Handshake
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings
from shared.loop.reach import address_of, inbound_of
from shared.loop.run import Run

PATIENCE = timedelta(seconds=90)
"""How long front ends may take to serve what was written; for all host names of a site together."""


SECOND_INSPECTION = 2 * PATIENCE
"""When a certificate's run looks again at sites that failed. A site's run takes up to `PATIENCE` to say that the site
still serves another certificate; as much again is for its message to be delivered."""


def prove(run: Run, snapshot: Snapshot, site: SiteRef, thumbprint: Thumbprint) -> tuple[Handshake, ...]:
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
        return tuple(Handshake(binding.host_name, thumbprint, None, inbound.unknown) for binding in bound)
    where = {binding: address_of(snapshot.fleet, binding, inbound.address) for binding in bound}
    give_up = min(run.now() + PATIENCE, run.ends_at)
    shows = run.ports.tls_probe.shows
    return tuple(run.pool.map(lambda binding: shows(binding.host_name, where[binding], thumbprint, give_up), where))
