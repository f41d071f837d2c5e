"""How much the property tests try: `default` on every run, `soak` where somebody asks for it with `make soak`."""

from hypothesis import settings

settings.register_profile("default", max_examples=500, deadline=None, derandomize=True)
settings.register_profile("soak", max_examples=10_000, deadline=None)
settings.load_profile("default")
