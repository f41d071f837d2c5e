"""Name the simulated fleets that a person or a test can choose."""

from collections.abc import Callable, Mapping

from local.azure.scripting.clock import Clock
from local.azure.world import World
from local.worlds.contoso import contoso
from local.worlds.fabrikam import fabrikam
from local.worlds.northwind import northwind

Seeding = Callable[[Clock, int], World]
WORLDS: Mapping[str, Seeding] = {"empty": World, "contoso": contoso, "fabrikam": fabrikam, "northwind": northwind}
