"""Read with TLS handshakes which certificate a site serves for each host name."""

from datetime import timedelta

from shared.domain.errors import OutOfTime
from shared.domain.fleet.bindings import SslState
from shared.domain.fleet.handshake import Handshake
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings
from shared.loop.connect_address import address_of, inbound_of
from shared.loop.run import Run

PATIENCE = timedelta(seconds=90)
"""How long the front ends of App Service may take to serve a new binding, for all host names of a site together."""


SECOND_INSPECTION = 2 * PATIENCE
"""How long the run of a vault certificate waits for sites that served another certificate before.

The run of a site takes up to `PATIENCE` to see that the site still serves the other certificate. The same time again
is for the delivery of the site's message.
"""


def prove(run: Run, snapshot: Snapshot, site: SiteRef, thumbprint: Thumbprint) -> tuple[Handshake, ...]:
    """Return a TLS handshake result for each host name of the site that is bound to the current certificate version.

    If Certroll cannot read the address of the site's App Service Environment, the handshake results prove nothing and
    say why. Raise OutOfTime if the run has less than `PATIENCE` left: a front end that had less time did not fail. Also
    raise OutOfTime if no handshake ended in the time of the run, because such a run saw nothing of the site.
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
    run.check_time(PATIENCE)
    give_up = run.now() + PATIENCE
    shows = run.ports.tls_probe.shows
    seen = run.probes.each(lambda binding: shows(binding.host_name, where[binding], thumbprint, give_up), where)
    late = next((handshake for handshake in seen if isinstance(handshake, OutOfTime)), None)
    if late is not None and all(isinstance(handshake, OutOfTime) for handshake in seen):
        raise late
    return tuple(
        Handshake(binding.host_name, thumbprint, None, str(handshake))
        if isinstance(handshake, OutOfTime)
        else handshake
        for binding, handshake in zip(where, seen, strict=True)
    )
