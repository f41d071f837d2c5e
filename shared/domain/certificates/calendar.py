"""The dates from which the rules for certificates change: one table for each rule, the newest row first.

Each row holds the first moment at which it applies, in UTC, and its value. `in_force` finds the row of a moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

Value = TypeVar("Value")


def _on(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


VALIDITY_LIMITS = (
    (_on(2029, 3, 15), 47),
    (_on(2027, 3, 15), 100),
    (_on(2026, 3, 15), 200),
    (_on(2020, 9, 1), 398),
)
"""The longest validity in days of public certificates, by the first day of issue to which the limit applies.

The source is CA/Browser Forum, Baseline Requirements 6.3.2, SC-081v3.
"""
REUSE_LIMITS = (
    (_on(2029, 3, 15), 10),
    (_on(2027, 3, 15), 100),
    (_on(2026, 3, 15), 200),
    (_on(2021, 10, 1), 398),
)
"""How many days a public authority may reuse the proof that somebody owns a domain, by the first day of issue.

The source is CA/Browser Forum, Baseline Requirements 4.2.1, SC-081v3 (and SC-42 for 398 days).
"""
REUSE_MARGIN = timedelta(days=2)
"""How much less than the Forum allows Azure reuses a proof: 198 days where the Forum allows 200."""
ORDER_REUSE = (
    *((since, timedelta(days=days) - REUSE_MARGIN) for since, days in REUSE_LIMITS if since >= _on(2027, 3, 15)),
    (_on(2026, 3, 1), timedelta(days=198)),
    (_on(2021, 9, 23), timedelta(days=395)),
)
"""How long Azure reuses a proof of domain ownership for a purchased certificate, by the day of issue.

198 days apply since March 2026 (Azure docs, "Industry-wide certificate changes impacting Azure App Service"), and 395
days before ("Renew an App Service certificate"). Microsoft has published no value for 2027 and 2029. The table then has
the Forum's limit without `REUSE_MARGIN`.
"""
AUTOMATIC_WINDOWS = ((_on(2021, 9, 23), timedelta(days=32)),)
"""How long before the end of an order Azure starts to renew it, by the end of the order (Azure docs, "Renew an App
Service certificate"). Microsoft has published no later value: an order still lasts a year."""
MANUAL_WINDOWS = ((_on(2021, 9, 23), timedelta(days=60)),)
"""How long before the end of an order Azure accepts a manual renewal, by the end of the order (Azure docs, "Renew an
App Service certificate"). Microsoft has published no later value: an order still lasts a year."""
LETS_ENCRYPT_LIVES = (
    (_on(2028, 2, 16), 45),
    (_on(2027, 2, 10), 64),
    (_on(2015, 12, 3), 90),
)
"""How many days a certificate of Let's Encrypt is valid by default, by the day of issue.

The source is Let's Encrypt, "Decreasing Certificate Lifetimes to 45 Days" (2025-12-02), the profile `classic`.
"""
CLIENT_AUTH_ENDS = _on(2027, 3, 15)
"""From when public authorities issue only certificates without client authentication (Chrome Root Program Policy
1.8)."""


@dataclass(frozen=True, slots=True)
class Distrust:
    """The end of the trust in a root."""

    root: str
    """The common name of the root."""
    by: str
    """The browsers that no longer trust the root."""
    since: datetime
    spares_older: bool
    """True if browsers still trust certificates that were issued before `since`."""
    source: str

    def concerns(self, issued: datetime, now: datetime) -> bool:
        """Return True if browsers do not trust a certificate under the root that was issued at the moment."""
        return now >= self.since and (not self.spares_older or issued >= self.since)


DISTRUSTED = tuple(
    Distrust(root, "Chrome and Firefox", _on(2026, 4, 15), spares_older=False, source="DigiCert ALERT86")
    for root in ("DigiCert Assured ID Root CA", "DigiCert Global Root CA", "DigiCert High Assurance EV Root CA")
) + tuple(
    Distrust(root, "Chrome", _on(2026, 7, 1), spares_older=True, source="DigiCert ALERT100")
    for root in ("DigiCert Trusted Root G4", "DigiCert Assured ID Root G2", "DigiCert Assured ID Root G3")
)
"""The roots that browsers no longer trust for TLS."""


def in_force(table: Sequence[tuple[datetime, Value]], moment: datetime) -> Value | None:
    """Return the value of a table that applies at the moment, None before the first row."""
    return next((value for since, value in table if moment >= since), None)


def applying(table: Sequence[tuple[datetime, Value]], moment: datetime) -> Value:
    """Return the value of a table that applies at the moment. The first known value also applies before its row."""
    found = in_force(table, moment)
    return table[-1][1] if found is None else found


def distrust_of(root: str) -> Distrust | None:
    """Return the end of the trust in a root by its common name, None for a root that is not in the table."""
    name = root.strip().lower()
    return next((found for found in DISTRUSTED if found.root.lower() == name), None)
