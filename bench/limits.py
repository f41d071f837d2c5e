"""The limits of a simulated Azure in the bench: how late it answers, and how many requests it admits.

Azure docs, "Understand how Azure Resource Manager throttles requests": each subscription has buckets of tokens. Reads
have 250 with 25 more a second, and writes have 200 with 10 more a second. No document says from which bucket Azure
takes a read of app settings (POST). A recording shows an answer with a bucket of 12,000 of its own.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from local.azure.scripting.faults import Fault
from local.azure.server import ARM_HOST
from local.azure.world import World

ARM_SECONDS = 0.15
"""How late ARM answers a request."""
VAULT_SECONDS = 0.05
"""How late Key Vault answers a request."""
SETTINGS_READ = "/config/appsettings/list$"


class Bucket(NamedTuple):
    """A bucket of tokens of which each request takes one."""

    size: int
    refill: float
    """The tokens that come back in each second."""


READS, WRITES, OWN = Bucket(250, 25.0), Bucket(200, 10.0), Bucket(12_000, 12_000 / 3600)
SHARE_LEFT = 1 / 3
"""The share of a bucket that Certroll's sweep leaves to other clients."""


class SettingsPosts(StrEnum):
    """The bucket from which Azure takes the reads of app settings: the knob of the bench."""

    OWN = "own"
    WRITES = "writes"


def limit(world: World, posts: SettingsPosts) -> None:
    """Let the simulated Azure answer late, and refuse requests for which a bucket has no token."""
    world.faults.add(
        Fault("latency", host=re.escape(ARM_HOST), times=None, seconds=ARM_SECONDS),
        Fault("latency", host=r"\.vault\.", times=None, seconds=VAULT_SECONDS),
        *(bucket for subscription in world.subscriptions for bucket in _buckets(subscription, posts)),
    )


def _buckets(subscription: str, posts: SettingsPosts) -> Iterable[Fault]:
    under = f"^/subscriptions/{subscription}/"
    yield _throttle("GET", under, READS)
    if posts is SettingsPosts.WRITES:
        yield _throttle("PUT|PATCH|POST|DELETE", under, WRITES)
    else:
        yield _throttle("POST", f"{under}.*{SETTINGS_READ}", OWN)
        yield _throttle("PUT|PATCH|POST|DELETE", f"{under}(?!.*{SETTINGS_READ})", WRITES)


def _throttle(method: str, path: str, bucket: Bucket) -> Fault:
    return Fault(
        "throttle",
        method=method,
        host=re.escape(ARM_HOST),
        path=path,
        times=None,
        bucket=bucket.size,
        refill=bucket.refill,
    )
