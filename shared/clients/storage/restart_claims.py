"""Which sites restart just now, in the table `certrolljournal`.

PartitionKey: `plan-` and the hash of the App Service plan or environment. RowKey: hash of the site and of what it
restarts for.
"""

from shared.clients.storage.rows import Entity, digest, moment
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.names import EnvironmentRef, SiteRef, VaultCertificateRef
from shared.domain.rollout.budget import CLAIM
from shared.ports.clock import Clock

Purpose = VaultCertificateRef | EnvironmentRef


class TableRestartClaims:
    """Which sites restart just now, counted at each place that limits restarts."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def claim(self, place: str, site: SiteRef, ref: Purpose, most: int) -> bool:
        """Count the site and return True if it may restart now, with at most so many sites of the place.

        The caller holds the lease of the place. While the site restarts for another certificate it may not: an answer
        of the app must not speak for both.
        """
        claims = self._claims(place)
        others = [row for row in claims if row["RowKey"] != _claim_key(site, ref)]
        if any(row["site"] == site.resource_id for row in others) or len({row["site"] for row in others}) >= most:
            return False
        keys = {"PartitionKey": _place_key(place), "RowKey": _claim_key(site, ref)}
        about = {"certificate": str(ref), "site": site.resource_id, "plan": place, "at": self._clock.now()}
        self._tables.write(JOURNAL, [{**keys, **about}])
        return True

    def restarting(self, place: str, but: EnvironmentRef) -> tuple[SiteRef, ...]:
        """Return the sites that the place counts, without those that the environment's own waves claimed."""
        counted = (row for row in self._claims(place) if row["certificate"] != str(but))
        return tuple(sorted({SiteRef.parse(row["site"]) for row in counted}))

    def give_back(self, place: str, site: SiteRef, ref: Purpose) -> None:
        """Stop counting the site."""
        self._tables.delete(JOURNAL, _place_key(place), _claim_key(site, ref))

    def _claims(self, place: str) -> tuple[Entity, ...]:
        """Return the claims that count: a claim that nobody gave back ends after CLAIM."""
        now, rows = self._clock.now(), self._tables.rows(JOURNAL, _place_key(place))
        return tuple(row for row in rows if now - moment(row["at"]) < CLAIM)


def _place_key(place: str) -> str:
    return f"plan-{digest(place.lower())}"


def _claim_key(site: SiteRef, ref: Purpose) -> str:
    return digest(f"{site.resource_id} {ref}")
