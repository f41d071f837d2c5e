"""The limits of a simulated Azure in the bench: how late it answers, and how many requests it admits.

The simulated Azure has the buckets of Azure Resource Manager, and sends the headers that say how many tokens are left
(local/azure/scripting/limits.py). No document says from which bucket Azure takes a read of app settings (POST). A
recording shows an answer with a bucket of 12,000 of its own.
"""

import re
from enum import StrEnum

from local.azure.scripting.faults import Fault
from local.azure.scripting.limits import LIMITS, OWN_OF_SETTINGS
from local.azure.server import ARM_HOST
from local.azure.world import World

ARM_SECONDS = 0.15
"""How late ARM answers a request."""
VAULT_SECONDS = 0.05
"""How late Key Vault answers a request."""
SETTINGS_READ = "/config/appsettings/list"
READS, WRITES, OWN = LIMITS["reads"], LIMITS["writes"], OWN_OF_SETTINGS
SHARE_LEFT = 1 / 3
"""The share of a bucket that Certroll's sweep leaves to other clients."""


class SettingsPosts(StrEnum):
    """The bucket from which Azure takes the reads of app settings: the knob of the bench."""

    OWN = "own"
    WRITES = "writes"


def limit(world: World, posts: SettingsPosts) -> None:
    """Let the simulated Azure answer late, and refuse requests for which a bucket has no token."""
    world.knobs.throttling = True
    world.knobs.settings_posts = "own" if posts is SettingsPosts.OWN else "writes"
    world.faults.add(
        Fault("latency", host=re.escape(ARM_HOST), times=None, seconds=ARM_SECONDS),
        Fault("latency", host=r"\.vault\.", times=None, seconds=VAULT_SECONDS),
    )


def unlimit(world: World) -> None:
    """Let the simulated Azure answer at once, and refuse nothing."""
    world.knobs.throttling = False
    world.faults.clear()
