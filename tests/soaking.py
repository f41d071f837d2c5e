"""Whether the long versions run: `make soak` asks for them by its Hypothesis profile."""

from hypothesis import settings

SOAKING = settings.default is not None and settings.default.max_examples >= 10_000
