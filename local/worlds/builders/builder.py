"""Build a simulated fleet from the details that matter to a test, with defaults for the rest."""

from local.azure.dns.zones import Kind
from local.azure.web.resources import Site
from local.worlds.builders.copies import Copies


class Builder(Copies):
    """Build a simulated fleet, piece by piece.

    A new resource goes to the first subscription, group, vault or plan, unless the caller names another. The builder
    makes a missing subscription, group, vault or plan, as in `Builder(World()).add_site("shop")`.
    """

    def add_record(self, name: str, kind: Kind, value: str) -> None:
        """Add a record to public DNS, with a value as in a zone file, like `0 issue "digicert.com"`."""
        self.world.dns.add(name, kind, value)

    def add_root(self, name: str, *sites: Site) -> None:
        """Make the name a root domain, with an A record for the inbound address of each site."""
        self.world.dns.add_zone(name)
        for site in sites:
            self.add_record(name, "A", self.world.web.address_of(site.default_host_name) or "")
