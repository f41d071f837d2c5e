"""Set how many examples the property tests try, by the Hypothesis profile `default` or `soak`.

A test with more or fewer examples gives a factor to `times` in tests/properties/promises.py, and may give a larger
factor for the Hypothesis profile `soak`, which `make soak` uses. The Hypothesis profiles have no deadline, so that the
speed of the machine decides no test.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("default", max_examples=500, deadline=None, derandomize=True)
settings.register_profile("soak", max_examples=10_000, deadline=None)
settings.load_profile("default")

pytest_plugins = ["tests.budgets"]


@pytest.fixture(scope="session")
def stand() -> Iterator[object]:
    """Yield a local Azure, after setting the environment variables by which every SDK client finds it.

    Scenarios and the contract share the local Azure, because a process has one environment.
    """
    from local.stand import Stand  # noqa: PLC0415 - unit tests need no local Azure

    with Stand() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running
