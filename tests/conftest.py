"""How much the property tests try: `default` on every run, `soak` where somebody asks for it with `make soak`.

A test that tries more or less than others says how many times as much (`times` in tests/properties/promises.py), so
that `soak` multiplies all of them alike. No deadline: how fast a machine is decides nothing.
"""

from hypothesis import settings

settings.register_profile("default", max_examples=500, deadline=None, derandomize=True)
settings.register_profile("soak", max_examples=10_000, deadline=None)
settings.load_profile("default")

pytest_plugins = ["tests.budgets"]
