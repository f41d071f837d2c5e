"""Set how many examples the property tests try: profile `default`, or `soak` for `make soak`.

A test that tries more or fewer examples gives a factor with `times` in tests/properties/promises.py. The profile `soak`
therefore multiplies all tests alike. The profiles have no deadline, so that the speed of the machine decides no test.
"""

from hypothesis import settings

settings.register_profile("default", max_examples=500, deadline=None, derandomize=True)
settings.register_profile("soak", max_examples=10_000, deadline=None)
settings.load_profile("default")

pytest_plugins = ["tests.budgets"]
