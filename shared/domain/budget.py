"""How many apps of an App Service Environment may restart at once, in all and on each App Service plan."""

from collections.abc import Iterable

from shared.domain.budget import MostDown, Room
from shared.domain.names import EnvironmentRef
from shared.domain.waves import WaveApp


def room_of(environment: EnvironmentRef, plan: str, apps: Iterable[WaveApp], most: MostDown) -> Room:
    """Return how many apps may restart at once in the environment, and on one plan of it.

    `apps` are all apps of the environment. A percentage is a percentage of those that run.
    """
    running = [app for app in apps if app.runs]
    on_plan = sum(app.plan == plan for app in running)
    return Room(environment.resource_id, most.of(len(running)), most.of(on_plan))
