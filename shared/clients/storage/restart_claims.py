"""Store the claims of sites on a restart budget in the table `certrolljournal`.

A site that restarts claims one use of the restart budget of its App Service plan or environment. The PartitionKey of a
claim is `plan-` and the hash of the plan or environment. The RowKey of a claim is the hash of the site and of the
certificate or environment for which the site restarts.
"""

from shared.clients.storage.rows import Entity, digest, moment, stored_at
from shared.clients.storage.tables import JOURNAL, Tables
from shared.clients.storage.unreadable import Rows
from shared.domain.letter_case import lower_case
from shared.domain.names import EnvironmentRef, SiteRef, VaultCertificateRef
from shared.domain.rollout.budget import CLAIM
from shared.ports.clock import Clock

CLAIMS = "plan-"
Purpose = VaultCertificateRef | EnvironmentRef


class TableRestartClaims:
    """The claims of restarting sites on the budgets of App Service plans and environments, as rows of the journal."""

    def __init__(self, tables: Tables, clock: Clock, rows: Rows) -> None:
        self._tables = tables
        self._clock = clock
        self._rows = rows

    def claim(self, budget: str, site: SiteRef, ref: Purpose, limit: int) -> bool:
        """Claim a restart of the site and return True, or return False if the site may not restart now.

        At most `limit` sites of the App Service plan or environment `budget` may hold a claim at a time. The caller
        holds the blob lease of the App Service plan or environment. A site that restarts for another certificate gets
        no claim on the restart budget, because an answer of the app after one restart must not count for both
        certificates.
        """
        if not self.has_room(budget, site, ref, limit):
            return False
        keys = {"PartitionKey": _budget_key(budget), "RowKey": _claim_key(site, ref)}
        about = {"certificate": _purpose(ref), "site": site.resource_id, "plan": budget, "at": self._clock.now()}
        self._tables.write(JOURNAL, [{**keys, **about}])
        return True

    def has_room(self, budget: str, site: SiteRef, ref: Purpose, limit: int) -> bool:
        """Return True if the site may restart now, as far as its plan or environment `budget` is concerned."""
        claims, unknown = self._claims(budget)
        if _claim_key(site, ref) in unknown:
            return False
        restarting = {row["site"] for row in claims if row["RowKey"] != _claim_key(site, ref)}
        return site.resource_id not in restarting and len(restarting) + len(unknown) < limit

    def restarting(self, budget: str, environment: EnvironmentRef) -> tuple[SiteRef, ...]:
        """Return the sites with a claim on the restart budget, except claims for stops in the environment itself."""
        claims, _ = self._claims(budget)
        counted = (row for row in claims if row["certificate"] != _purpose(environment))
        return tuple(sorted({SiteRef.parse(row["site"]) for row in counted}))

    def give_back(self, budget: str, site: SiteRef, ref: Purpose) -> None:
        """Delete the site's claim on the restart budget."""
        self._tables.delete(JOURNAL, _budget_key(budget), _claim_key(site, ref))

    def _claims(self, budget: str) -> tuple[list[Entity], frozenset[str]]:
        """Return the valid claims on the restart budget of a plan or environment, and the keys of unreadable claims.

        A claim on the restart budget expires after the time `CLAIM`. An unreadable claim counts for as long after Azure
        stored it, so that it cannot stop the restarts of a plan for good.
        """
        now, rows = self._clock.now(), self._tables.rows(JOURNAL, _budget_key(budget))
        claims, unreadable = self._rows.all(JOURNAL, claim_of, rows)
        stored = {str(row["RowKey"]): stored_at(row) or now for row in rows}
        unknown = (key for key in unreadable if now - stored[key] < CLAIM)
        return [row for row in claims if now - moment(row["at"]) < CLAIM], frozenset(unknown)


def claim_of(row: Entity) -> Entity:
    """Return the row of a claim. Raise an error for a row that is no claim."""
    SiteRef.parse(row["site"])
    moment(row["at"])
    if not all(row[name] for name in ("RowKey", "certificate")):
        raise ValueError("the claim names no certificate")
    return row


def _budget_key(budget: str) -> str:
    return f"{CLAIMS}{digest(lower_case(budget))}"


def _claim_key(site: SiteRef, ref: Purpose) -> str:
    return digest(f"{site.resource_id} {_purpose(ref)}")


def _purpose(ref: Purpose) -> str:
    """Return a name of the purpose. A vault certificate may have the short name of an environment."""
    return ref.resource_id if isinstance(ref, EnvironmentRef) else str(ref)
