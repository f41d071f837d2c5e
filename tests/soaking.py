"""Decide if the long versions of tests run, as the command `make soak` requests."""

from hypothesis import settings

SOAKING = settings.default is not None and settings.default.max_examples >= 10_000


def crashes(most: int, *, first: int = 1, step: int = 3) -> range:
    """Return the numbers of the writes after which a test kills the process, one for each pass of its loop.

    `make soak` returns every number up to `most`; `make test` returns each `step`-th number from `first`.
    """
    return range(1, most + 1) if SOAKING else range(first, most + 1, step)
