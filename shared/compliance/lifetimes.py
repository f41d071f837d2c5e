"""When the rest of a certificate's life becomes a finding: by a share of the life it was issued with.

A certificate of 47 days that is renewed at 80 % has 9.4 days left then. Fixed days would warn of it at each renewal.
"""

from datetime import timedelta
from fractions import Fraction

from shared.compliance.rule import Severity

STEPS = (
    (Severity.CRITICAL, timedelta(days=7), Fraction(5, 100)),
    (Severity.HIGH, timedelta(days=14), Fraction(10, 100)),
    (Severity.MEDIUM, timedelta(days=30), Fraction(18, 100)),
)
"""The severity from the smaller of a number of days and a share of the life. Key Vault renews at 80 % by default, so no
step begins before it."""


def severity_of_rest(life: timedelta, rest: timedelta) -> Severity | None:
    """Return how bad it is that a certificate with the life has the rest left, None if all is well."""
    return next((severity for severity, days, share in STEPS if rest <= min(days, life * float(share))), None)


def in_words(rest: timedelta) -> str:
    """Return the rest of a life in days, or in hours below two days."""
    hours = rest.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"  # noqa: PLR2004 - two days
