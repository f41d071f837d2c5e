"""Decide when a site for which Azure answers 404 counts as gone."""

from datetime import datetime, timedelta

GONE_AFTER = timedelta(hours=1)
"""How long Azure has to answer 404 for a site before the site counts as gone, because a 404 may be wrong."""


def is_gone(missing_since: datetime | None, now: datetime) -> bool:
    """Return True if Azure has answered 404 for the site long enough."""
    return missing_since is not None and now - missing_since >= GONE_AFTER
