"""Read the sites, slots and certificates that matter for managed certificates, with few requests.

```text
per subscription   certificates · sites · all slots with their tags           (one listing each)
per site           slots, if a slot may need or have a managed certificate    (one listing)
```

If no tag asks for a managed certificate and no webspace holds one, Certroll reads no slots of single sites.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import chain

from shared.domain.errors import AzureError, Denied, OutOfTime
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.fleet import BlindSpot, Fleet
from shared.domain.granting import NO_SUBSCRIPTION
from shared.domain.managed.issuance import Place, SeenCertificate
from shared.domain.managed.prerequisites import is_custom
from shared.domain.names import HostName, SiteRef, Webspace
from shared.domain.tags import MANAGED, Tags, is_on
from shared.loop.run import HALF, Run
from shared.loop.turns import Turns, taking_turns


@dataclass(frozen=True, slots=True)
class View:
    """The sites, bindings and certificates that Certroll saw in Azure."""

    fleet: Fleet
    places: Mapping[SiteRef, Place]
    """Each site and slot, with the properties on which its managed certificates depend."""
    certificates: tuple[SeenCertificate, ...]
    slots: tuple[tuple[SiteRef, Tags], ...] = ()
    """All slots with their tags, also those that Certroll has not read."""

    def managed_for(self, webspace: Webspace | None, host_name: HostName) -> SeenCertificate | None:
        """Return the managed certificate that the webspace of a host name holds for the host name, or None."""
        return next(
            (
                certificate
                for certificate in self.certificates
                if certificate.webspace == webspace and certificate.managed_for == host_name
            ),
            None,
        )

    def wanted(self) -> tuple[Binding, ...]:
        """Return the unbound custom host names for which a tag asks for a managed certificate."""
        return tuple(
            sorted(
                binding
                for binding in self.fleet.bindings
                if binding.ssl_state is SslState.DISABLED
                and is_custom(binding.host_name)
                and is_on(self.fleet.tag(binding.site, MANAGED))
            )
        )

    def bound(self) -> tuple[tuple[Binding, SeenCertificate], ...]:
        """Return the host names that are bound to a managed certificate, each with its managed certificate.

        Azure does not return the thumbprints of managed certificates. Certroll counts a host name as bound to its
        managed certificate if no other certificate of the webspace has the thumbprint of the binding.
        """
        pairs = []
        managed = {
            (certificate.webspace, certificate.managed_for): certificate
            for certificate in self.certificates
            if certificate.managed_for is not None
        }
        others = {
            (certificate.webspace, certificate.thumbprint)
            for certificate in self.certificates
            if certificate.managed_for is None
        }
        for binding in sorted(self.fleet.bindings):
            webspace = self.places[binding.site].site.webspace
            found = managed.get((webspace, binding.host_name)) if webspace else None
            elsewhere = binding.thumbprint is not None and (webspace, binding.thumbprint) in others
            if found is not None and binding.ssl_state is not SslState.DISABLED and not elsewhere:
                pairs.append((binding, found))
        return tuple(pairs)


def observe_managed(run: Run) -> View:
    """Read the subscriptions of the settings, or all subscriptions that the identity sees if the settings name none."""
    subscriptions = run.intent.subscriptions or run.ports.app_service.subscriptions()
    if not subscriptions:
        raise Denied(NO_SUBSCRIPTION)
    views = run.pool.map(partial(_subscription, run), subscriptions)
    views += tuple(_slots(run, chain.from_iterable(map(_concerned, views))))
    fleets = [view.fleet for view in views]
    fleet = Fleet(
        run.now(),
        tuple(chain.from_iterable(fleet.sites for fleet in fleets)),
        tuple(chain.from_iterable(fleet.bindings for fleet in fleets)),
        blind_spots=tuple(chain.from_iterable(fleet.blind_spots for fleet in fleets)),
    )
    places = {ref: place for view in views for ref, place in view.places.items()}
    return View(fleet, places, tuple(chain.from_iterable(view.certificates for view in views)))


def _subscription(run: Run, subscription: str) -> View:
    """Read one subscription: its sites, bindings, certificates and the tags of its slots.

    A subscription that Azure does not show becomes a blind spot (something that Certroll could not read).
    """
    managed = run.ports.managed
    try:
        certificates, sites = managed.certificates(subscription), managed.places(subscription)
        tagged = managed.slot_tags(subscription)
    except AzureError as error:
        spot = BlindSpot(f"subscription {subscription}", str(error), subscription)
        return View(Fleet(run.now(), blind_spots=(spot,)), {}, ())
    spots = (*certificates.blind_spots, *sites.blind_spots, *tagged.blind_spots)
    return replace(_of_sites(run, sites.found, spots), certificates=certificates.found, slots=tagged.found)


def _of_sites(run: Run, found: Iterable[tuple[Place, tuple[Binding, ...]]], spots: tuple[BlindSpot, ...]) -> View:
    """Return a view of some sites or slots with their bindings, without certificates."""
    found = tuple(found)
    bindings = tuple(chain.from_iterable(bindings for _, bindings in found))
    fleet = Fleet(run.now(), tuple(place.site for place, _ in found), bindings, blind_spots=spots)
    return View(fleet, {place.site.ref: place for place, _ in found}, ())


def _concerned(view: View) -> tuple[SiteRef, ...]:
    """Return the sites of a subscription whose deployment slots Certroll has to read for managed certificates.

    Certroll reads the slots of a site if a tag of the site or of a slot asks for a managed certificate. Certroll also
    reads the slots if the webspace (App Service's place for certificates) holds a managed certificate whose host name
    no site shows.
    """
    asking = {ref.production for ref, tags in view.slots if is_on(MANAGED.value_in(tags))}
    with_slots = {ref.production for ref, _ in view.slots}
    shown = {binding.host_name for binding in view.fleet.bindings}
    left = {
        certificate.webspace
        for certificate in view.certificates
        if certificate.managed_for is not None and certificate.managed_for not in shown
    }
    return tuple(
        sorted(
            site.ref
            for site in view.fleet.sites
            if site.ref in with_slots
            and (site.ref in asking or is_on(MANAGED.value_in(site.tags)) or site.webspace in left)
        )
    )


def _slots(run: Run, sites: Iterable[SiteRef]) -> Iterator[View]:
    """Read the deployment slots of the given sites in turn, while more than half of the run's time is left.

    Slots that Azure does not show in time become a blind spot (something that Certroll could not read).
    """
    leaving = run.part(HALF)
    with taking_turns(run, "sites with slots", sites, lambda ref: ref.resource_id) as turns:
        answers = run.pool.each(partial(_slots_of, run, turns, leaving), turns.order)
        for site, answer in zip(turns.order, answers, strict=True):
            yield _slots_hidden(run, site, answer) if isinstance(answer, OutOfTime) else answer


def _slots_of(run: Run, turns: Turns[SiteRef], leaving: timedelta, site: SiteRef) -> View:
    """Read the slots of one site, or return a blind spot (slots that Certroll could not read)."""
    run.check_time(leaving)
    turns.begin(site)
    try:
        listing = run.ports.managed.slots(site)
    except AzureError as error:
        return _slots_hidden(run, site, error)
    turns.end(site)
    return _of_sites(run, listing.found, listing.blind_spots)


def _slots_hidden(run: Run, site: SiteRef, error: Exception) -> View:
    return _of_sites(run, (), (BlindSpot(f"the slots of {site}", str(error), site.subscription),))
