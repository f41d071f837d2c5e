"""See which certificate each bound host name serves, by a TLS handshake, and since when."""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.azure.web.resources import Host, Site
from local.azure.world import World
from local.fleet import visited_name
from local.frontend.visitor import HandshakeFailed, Visitor


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a visitor saw at a host name."""

    host: str
    site: str
    ssl_state: str
    thumbprint: str | None
    """The thumbprint that the host name serves, or None if the handshake failed."""
    since: datetime | None
    """The time of the write that brought the certificate, or None if the certificate was there from the start."""

    def to_json(self) -> dict[str, Any]:
        """Return the sighting as JSON-ready values."""
        return {
            "host": self.host,
            "site": self.site,
            "ssl_state": self.ssl_state,
            "thumbprint": self.thumbprint,
            "since": self.since.isoformat() if self.since else None,
        }


class Sightings:
    """The visits to the host names of one simulated fleet. A host name keeps its time until its certificate changes."""

    def __init__(self, world: World, visitor: Visitor) -> None:
        self._world = world
        self._visitor = visitor
        self._last: dict[str, Sighting] = {}
        self._lock = threading.Lock()

    def round(self) -> list[Sighting]:
        """Visit every bound host name once, and return what the visitor saw."""
        with self._world.lock:
            bound = [
                (site, host) for site in self._world.web.sites.values() for host in site.hosts.values() if host.is_bound
            ]
        with self._lock:
            seen = [self._see(site, host) for site, host in bound]
            self._last = {sighting.host: sighting for sighting in seen}
        return seen

    def _see(self, site: Site, host: Host) -> Sighting:
        thumbprint, last = self._handshake(host.name), self._last.get(host.name)
        if last is not None and last.thumbprint == thumbprint:
            return last
        since = self._written(host.name)
        return Sighting(host.name, site.full_name, host.ssl_state or "", thumbprint, since)

    def _handshake(self, host_name: str) -> str | None:
        try:
            return self._visitor.handshake(visited_name(host_name))
        except HandshakeFailed:
            return None

    def _written(self, host_name: str) -> datetime | None:
        """Return the time of the newest change of the host name's binding."""
        words = f"binding {host_name} "
        entries = reversed(self._world.journal.entries())
        return next((entry.at for entry in entries if any(change.startswith(words) for change in entry.changes)), None)
