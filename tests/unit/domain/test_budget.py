"""One function limits how many apps of an environment restart at once, in waves of stops and in settings updates."""

import pytest

from shared.domain.rollout.budget import MaxUnavailable, RestartBudget, limits, restart_budget
from tests.build import ASE

HALF = MaxUnavailable(50, percent=True)


def test_limit_counts_in_all_and_on_each_plan() -> None:
    """A percentage limit counts the running apps of the whole environment, and the running apps on each plan."""
    assert limits(HALF, ["front", "back", "front", "front", "front"]) == (2, {"front": 2, "back": 1})
    assert limits(MaxUnavailable(3), ["front", "back"]) == (3, {"front": 3, "back": 3})


@pytest.mark.parametrize(
    ("most", "plan", "budget"),
    [
        pytest.param(HALF, "front", RestartBudget(ASE.resource_id, 3, 2), id="a plan with most of the apps"),
        pytest.param(HALF, "back", RestartBudget(ASE.resource_id, 3, 1), id="a percentage that would be none is one"),
        pytest.param(HALF, "new", RestartBudget(ASE.resource_id, 3, 1), id="a plan on which no app runs"),
        pytest.param(
            MaxUnavailable(4), "new", RestartBudget(ASE.resource_id, 4, 4), id="a number does not ask how many run"
        ),
    ],
)
def test_budget_of_an_app_is_that_of_its_environment_and_its_plan(
    most: MaxUnavailable, plan: str, budget: RestartBudget
) -> None:
    """An app of an environment restarts only while the restart budgets of its environment and its plan allow it."""
    running = ["front"] * 5 + ["back"]
    assert restart_budget(most, ASE, plan, running) == budget
