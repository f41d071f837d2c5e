"""Decide when a certificate is so near its end that a wait or a refusal may cost more than it protects."""

from datetime import datetime, timedelta

URGENT = timedelta(hours=72)
"""How much time a certificate must have left for Certroll to be careful. With less time, a wait or a refusal may cost
more than it protects, and a weekend may pass before an operator reads a finding (ADR 3, ADR 5)."""
URGENT_PART = 10
"""The tenth part of a certificate's life is urgent if that part is shorter than `URGENT`. Without this limit, a
certificate that lives for 160 hours would be urgent for nearly half of its life."""


def is_urgent(not_before: datetime | None, not_after: datetime, now: datetime) -> bool:
    """Return True if the certificate has less time left than the smaller of 72 hours and a tenth of its life.

    Each guard and wait that yields near the end of a certificate asks this function. `not_before` is None if Certroll
    does not know when the life of the certificate began; then only the 72 hours count.
    """
    margin = URGENT if not_before is None else min(URGENT, (not_after - not_before) / URGENT_PART)
    return not_after - now < margin
