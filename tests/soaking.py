"""Decide if the long versions of tests run, as the command `make soak` requests."""

from hypothesis import settings

SOAKING = settings.default is not None and settings.default.max_examples >= 10_000
