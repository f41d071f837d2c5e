"""Decide to which address Certroll connects to reach a host name of a site."""

from typing import NamedTuple

from shared.domain.errors import AzureError
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.ports import Ports


class Inbound(NamedTuple):
    """The address by which an internal environment is reached, None for all other sites; or why it is not known."""

    address: str | None = None
    unknown: str = ""


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
