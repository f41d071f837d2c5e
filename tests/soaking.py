"""Decide if the long versions of tests run: `make soak` sets a Hypothesis profile."""

from hypothesis import settings

SOAKING = settings.default is not None and settings.default.max_examples >= 10_000
