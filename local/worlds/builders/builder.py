"""Build a world: a test names what matters to it, and the builder chooses the rest."""

from local.azure.arm.resources import (
    Site,
)
from local.azure.dns import Kind
from local.worlds.builders.copies import Copies


class Builder(Copies):
    """Build a world, piece by piece.

    A piece goes to the first subscription, group, vault or plan of the world, unless the caller names another.
    The builder makes a missing one: `Builder(World()).add_site("shop")` is enough.
    """

    def add_record(self, name: str, kind: Kind, value: str) -> None:
        """Add a record to public DNS. The value is written as in a zone file: `0 issue "digicert.com"`."""
        self.world.dns.add(name, kind, value)

    def add_root(self, name: str, *sites: Site) -> None:
        """Make the name a root domain, with an A record for the inbound address of each site."""
        self.world.dns.add_zone(name)
        for site in sites:
            self.add_record(name, "A", self.world.web.address_of(site.default_host_name) or "")
