"""The changes of a site's host names: add, bind to a certificate, move to another certificate, unbind and remove."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.azure.web import refusals
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import DISABLED, IP_BASED, SSL_STATES, Host, Site, SslState
from local.azure.world import World


@dataclass(frozen=True, slots=True)
class Wish:
    """The TLS binding that a client wants for a host name."""

    ssl_state: SslState | None
    """The kind of binding; None if the client did not name it."""
    thumbprint: str | None
    """The thumbprint of the certificate; None if the client did not name it."""
    record_type: str | None = None
    """The kind of DNS record of the host name; None if the client did not name it."""


def wish_of(properties: Mapping[str, Any]) -> Wish:
    """Return the TLS binding that the properties of a request ask for."""
    state, thumbprint = properties.get("sslState"), properties.get("thumbprint")
    if state is not None and str(state).lower() not in SSL_STATES:
        raise refusals.invalid("SslState", f"The value '{state}' is not one of {', '.join(SSL_STATES.values())}.")
    return Wish(
        ssl_state=None if state is None else SSL_STATES[str(state).lower()],
        thumbprint=str(thumbprint).upper() if thumbprint else None,
        record_type=properties.get("customHostNameDnsRecordType"),
    )


def bind(world: World, site: Site, host: Host, wish: Wish) -> Host:
    """Return the host name with the requested binding; raise Refused if App Service would refuse the binding.

    A request without `sslState` keeps an SNI binding (recorded azure-libraries-for-net traffic,
    ManageLinuxWebAppWithTrafficManagerTest). No recording shows such a request for an IP-based binding, so the
    simulation's knob `ip_binding_without_state` decides. If a request for a TLS binding names no thumbprint, App
    Service chooses a certificate that covers the host name.
    """
    kept = replace(host, record_type=wish.record_type or host.record_type)
    if wish.ssl_state is None and _stays(world, host):
        return kept
    if wish.ssl_state in {None, DISABLED}:
        return replace(kept, ssl_state=DISABLED, thumbprint=None, hidden=False, virtual_ip=None)
    certificate = _certificate(world, site, host, wish)
    if world.knobs.mismatch_refused and not certificate.covers(host.name):
        raise refusals.mismatch(certificate.thumbprint, host.name)
    world.web.add_chain(site, certificate.thumbprint)
    return replace(
        kept,
        ssl_state=wish.ssl_state,
        thumbprint=certificate.thumbprint,
        hidden=certificate.hidden,
        virtual_ip=_address(world, site, host, wish),
    )


def _stays(world: World, host: Host) -> bool:
    """Return True if a request without `sslState` leaves the TLS binding of the host name as it is."""
    return host.ssl_state != IP_BASED or world.knobs.ip_binding_without_state == "kept"


def _certificate(world: World, site: Site, host: Host, wish: Wish) -> Certificate:
    candidates = list(world.web.certificates_for(site))
    if wish.thumbprint is None:
        candidates.sort(key=lambda candidate: candidate.managed != host.name.lower())
        found = next((candidate for candidate in candidates if candidate.covers(host.name)), None)
    else:
        found = next((candidate for candidate in candidates if candidate.thumbprint == wish.thumbprint), None)
    if found is None:
        raise refusals.missing("Certificate", wish.thumbprint or host.name)
    return found


def _address(world: World, site: Site, host: Host, wish: Wish) -> str | None:
    if wish.ssl_state != IP_BASED:
        return None
    if site.environment is not None:
        raise refusals.bad("IP-based TLS bindings are not supported in an App Service Environment.")
    dedicated = site.dedicated_host
    if dedicated is not None and dedicated.name.lower() != host.name.lower():
        raise refusals.conflict("The total number of allowed IP addresses per site will be exceeded.")
    return host.virtual_ip or world.web.new_address()


def store_host(world: World, site: Site, host: Host) -> Site:
    """Store the host name, note the change in the journal, and return the site."""
    before = site.hosts.get(host.name.lower())
    changed = world.web.put_site(replace(site, hosts={**site.hosts, host.name.lower(): host}))
    note(world, before, host)
    return changed


def remove_host(world: World, site: Site, host: Host) -> Site:
    """Remove the host name, and return the site.

    If the removed host name has a dedicated IP address, the IP address is lost.
    """
    hosts = {name: kept for name, kept in site.hosts.items() if name != host.name.lower()}
    lost = f", address {host.virtual_ip} lost" if host.virtual_ip else ""
    world.journal.note(f"host name {host.name} removed from {site.full_name}{lost}")
    return world.web.put_site(replace(site, hosts=hosts))


def note(world: World, before: Host | None, after: Host) -> None:
    """Record in the journal how a host name changed.

    An entry of the journal is, for example, `binding shop.contoso.com SniEnabled 1A2B3C4D->5E6F7A8B`.
    """
    if before is None:
        world.journal.note(f"host name {after.name} added")
        before = Host(after.name)
    if before == after:
        return
    state = _name(after.ssl_state)
    states = state if before.ssl_state == after.ssl_state else f"{_name(before.ssl_state)}->{state}"
    addresses = "" if before.virtual_ip == after.virtual_ip else f" address {before.virtual_ip}->{after.virtual_ip}"
    thumbprints = f"{_short(before.thumbprint)}->{_short(after.thumbprint)}"
    world.journal.note(f"binding {after.name} {states} {thumbprints}{addresses}")


def _name(state: SslState | None) -> str:
    return state or "unbound"


def _short(thumbprint: str | None) -> str:
    return thumbprint[:8] if thumbprint else "none"
