"""How many apps of an App Service Environment may be down at once: the limit, and what it leaves at each place."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from shared.domain.names import EnvironmentRef

WHOLE = 100
CLAIM = timedelta(hours=1)
"""How long a restart counts that no run gave back. App Service defers a restart for a shorter time (`RECYCLED_AFTER`).
So the claim of a run that died ends, and the claim of an app that still restarts does not."""


@dataclass(frozen=True, slots=True)
class MaxUnavailable:
    """How many apps may be down at once, of all and of each App Service plan: a number, or a percentage.

    Raises ValueError if it is neither at least one app nor a percentage from 1 to 100 %.
    """

    number: int
    percent: bool = False

    def __post_init__(self) -> None:
        if self.number < 1 or (self.percent and self.number > WHOLE):
            raise ValueError("write how many apps may be down at once as a number from 1, or as a share: 1% to 100%")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `3` or `25%` says. Raises ValueError."""
        digits = text.strip().removesuffix("%").strip()
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < len("100000") else 0
        return cls(number, text.strip().endswith("%"))

    def of(self, apps: int) -> int:
        """Return how many of so many apps may be down: a percentage is rounded down, and is one app at least."""
        return max(1, apps * self.number // WHOLE) if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


@dataclass(frozen=True, slots=True)
class RestartBudget:
    """How many apps may restart at once in an App Service Environment, in all and on the app's own plan."""

    environment: str
    in_all: int
    on_plan: int


def limits(most: MaxUnavailable, running: Iterable[str]) -> tuple[int, Mapping[str, int]]:
    """Return how many apps may be down, in all and on each plan; `running` is the plan of each app that runs."""
    on_plans = Counter(running)
    return most.of(on_plans.total()), {plan: most.of(apps) for plan, apps in on_plans.items()}


def restart_budget(
    most: MaxUnavailable, environment: EnvironmentRef, plan: str, running: Iterable[str]
) -> RestartBudget:
    """Return how many apps may restart at once in the environment of an app, in all and on its plan.

    `running` is the plan of each app of the environment that runs. A plan on which no app runs is a plan of its own.
    """
    in_all, on_plan = limits(most, running)
    return RestartBudget(environment.resource_id, in_all, on_plan.get(plan, most.of(0)))
