"""Decide if the long versions of tests run, as in the Hypothesis profile of `make soak`."""

from hypothesis import settings

SOAKING = settings.default is not None and settings.default.max_examples >= 10_000
