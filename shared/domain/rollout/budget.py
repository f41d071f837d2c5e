"""The restart budget: how many apps of an App Service Environment may be down at once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from shared.domain.names import EnvironmentRef

WHOLE = 100
CLAIM = timedelta(hours=1)
"""How long a claim to the budget lasts that no run releases. The claim lasts longer than the longest deferred restart
(`RECYCLED_AFTER`), and ends even if the run that made the claim died."""


@dataclass(frozen=True, slots=True)
class MaxUnavailable:
    """A limit on the apps that may be down at once, in all and on each App Service plan.

    Raise ValueError if the limit is less than one app, or not a percentage from 1 to 100 %.
    """

    number: int
    """The number of apps, or the percentage of all apps."""
    percent: bool = False
    """True if the number is a percentage."""

    def __post_init__(self) -> None:
        if self.number < 1 or (self.percent and self.number > WHOLE):
            raise ValueError(
                "write how many apps may be down at once as a number from 1, or as a percentage: 1% to 100%"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the limit on apps that may be down from a text such as `3` or `25%`. Raises ValueError."""
        digits = text.strip().removesuffix("%").strip()
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < len("100000") else 0
        return cls(number, text.strip().endswith("%"))

    def of(self, apps: int) -> int:
        """Return how many of a number of apps may be down at once.

        A percentage of apps is rounded down, but to one app at least.
        """
        return max(1, apps * self.number // WHOLE) if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


@dataclass(frozen=True, slots=True)
class RestartBudget:
    """How many apps may restart at once in an App Service Environment, in all and on the app's own plan."""

    environment: str
    in_all: int
    on_plan: int


def limits(limit: MaxUnavailable, running: Iterable[str]) -> tuple[int, Mapping[str, int]]:
    """Return how many apps may be down at once, in all and on each App Service plan.

    The argument `running` lists the App Service plan of each running app.
    """
    on_plans = Counter(running)
    return limit.of(on_plans.total()), {plan: limit.of(apps) for plan, apps in on_plans.items()}


def restart_budget(
    limit: MaxUnavailable, environment: EnvironmentRef, plan: str, running: Iterable[str]
) -> RestartBudget:
    """Return how many apps may restart at once in the environment, in all and on an app's plan.

    The argument `running` lists the App Service plan of each running app in the environment. On a plan without running
    apps a percentage still allows one restart.
    """
    in_all, on_plan = limits(limit, running)
    return RestartBudget(environment.resource_id, in_all, on_plan.get(plan, limit.of(0)))
