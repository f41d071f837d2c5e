"""Build the small simulated fleet that most scenarios run on, and read what a user would see of it."""

from datetime import timedelta
from typing import NamedTuple

from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import IP_BASED
from local.azure.world import World
from local.worlds.builders import Builder

VAULT = "contoso-kv"
NAME = "web"
MOVING = ("api.contoso.com", "shop.contoso.com", "staging.contoso.com", "www.contoso.com")
AGE = timedelta(days=2)
"""The age of a new simulated fleet, which needs a past: a slow front end still serves an older certificate."""


class Shown(NamedTuple):
    """How a user sees one host name: the kind of TLS binding, the thumbprint and the IP address."""

    ssl_state: str | None
    thumbprint: str | None
    address: str | None


def small_world(knobs: Knobs | None = None, seed: int = 0) -> World:
    """Return two webspaces with one imported vault certificate, an IP-based binding, a slot and an unrelated site.

    Certroll starts with the webspace of `api`, because that webspace has the fewest bindings. The unrelated host name
    `other.contoso.com` shows another vault certificate.
    """
    world = World(Clock(), seed, knobs)
    build = Builder(world)
    build.add_certificate(NAME, ("*.contoso.com", "contoso.com"))
    build.add_certificate("other", ("other.contoso.com",))
    windows, linux = build.add_plan("windows"), build.add_plan("linux", location="northeurope", linux=True)
    copy = build.add_copy(NAME, windows)
    shop = build.add_site("shop", windows)
    build.add_host(shop, "shop.contoso.com", copy, IP_BASED)
    build.add_host(shop, "www.contoso.com", copy)
    build.add_host(build.add_slot(shop, "staging"), "staging.contoso.com", copy)
    build.add_host(build.add_site("other", windows), "other.contoso.com", build.add_copy("other", windows))
    build.add_host(build.add_site("api", linux), "api.contoso.com", build.add_copy(NAME, linux, name="web-linux"))
    world.clock.advance(AGE)
    return world


def shown(world: World) -> dict[str, Shown]:
    """Return every custom host name with its kind of binding, thumbprint and address."""
    return {
        host.name: Shown(host.ssl_state, host.thumbprint, world.web.address_of(host.name))
        for site in world.web.sites.values()
        for host in site.hosts.values()
        if host.name != site.default_host_name
    }


def after_renewal(before: dict[str, Shown], new: str, moving: tuple[str, ...] = MOVING) -> dict[str, Shown]:
    """Return the host names with the new thumbprint for the names in `moving`, and without any other change."""
    return {name: seen._replace(thumbprint=new) if name in moving else seen for name, seen in before.items()}


def renew(world: World, name: str = NAME, **differences: object) -> str:
    """Renew a certificate in the simulated vault, and return the new thumbprint."""
    return world.vaults[VAULT].renew(name, **differences).thumbprint  # type: ignore[arg-type]


def writes(world: World) -> int:
    """Return how many write requests the simulated Azure Resource Manager received."""
    return len(world.journal.writes("management.azure.com"))


def bindings_and_addresses(world: World) -> dict[str, tuple[str | None, str | None]]:
    """Return what Certroll must never change: the kind of binding and the address of each host name."""
    return {name: (seen.ssl_state, seen.address) for name, seen in shown(world).items()}
