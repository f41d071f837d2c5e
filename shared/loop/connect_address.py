"""Decide to which address Certroll connects to reach a host name of a site."""

from typing import NamedTuple

from shared.domain.errors import AzureError
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.ports import Ports


class Inbound(NamedTuple):
    """The inbound address of an internal App Service Environment, or why Certroll does not know this address."""

    address: str | None = None
    """The inbound address of the environment. It is None for a site outside of an internal environment."""
    unknown: str = ""
    """Why Certroll could not read the address, or empty."""


def inbound_of(ports: Ports, site: Site | None) -> Inbound:
    """Return the inbound address for the site.

    Certroll asks Azure for the address only if the site is in an internal App Service Environment.

    If Azure refuses the request for the address, the run continues, but a handshake with the site then proves nothing.
    """
    behind = site.behind if site else None
    if behind is None:
        return Inbound()
    try:
        addresses = ports.environments.inbound_addresses(behind)
    except AzureError as error:
        return Inbound(unknown=f"the inbound address of environment {behind} could not be read: {error}")
    return Inbound(addresses[0]) if addresses else Inbound(unknown=f"environment {behind} shows no inbound address")


def address_of(fleet: Fleet, binding: Binding, inbound: str | None = None) -> str:
    """Return the address at which App Service itself serves the host name.

    Certroll does not look the host name up in public DNS, because public DNS may point at a CDN in front of the site.
    `inbound` is the address of the site's internal environment. Only the virtual network of an internal App Service
    Environment resolves the environment's host names. If a site has an IP-based binding, App Service serves its SNI
    bindings under `sni.` and its default host name (Azure docs, "Secure a custom DNS name", remap records for IP based
    SSL).
    """
    if binding.virtual_ip is not None:
        return binding.virtual_ip
    if inbound is not None:
        return inbound
    site = fleet.site(binding.site)
    default = site.default_host_name if site else binding.host_name
    mixed = any(own.ssl_state is SslState.IP_BASED for own in fleet.index.bindings.get(binding.site, ()))
    return f"sni.{default}" if mixed else default
