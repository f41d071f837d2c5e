"""Compute the least that a piece of work can take: from its requests, Azure's buckets, and the times of answers.

```text
seconds of a subscription = the slowest of its buckets: (requests - what the bucket holds) / what comes back per second
seconds in all            = the slowest of: each subscription · all requests over all threads · the steps in a row
```

No client can be faster, whatever the client's code does. A piece of work needs the requests that the functions of this
module count: each page of a list once for each look, and each site's settings once if they may have changed.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bench.limits import ARM_SECONDS, OWN, READS, WRITES, SettingsPosts
from local.azure.scripting.limits import Limit
from local.azure.world import World
from shared.runtime import READERS

MOST_AT_ONCE = READERS + 12
"""How many requests an instance has under way at most: the readers', and one of each run of a queue."""


@dataclass(frozen=True, slots=True)
class Needed:
    """The requests to ARM that a piece of work needs in one subscription."""

    reads: int = 0
    posts: int = 0
    """Reads of app settings."""
    writes: int = 0

    @property
    def requests(self) -> int:
        """All requests to ARM."""
        return self.reads + self.posts + self.writes


@dataclass(frozen=True, slots=True)
class Floor:
    """The least simulated seconds, and the least requests to ARM."""

    seconds: float = 0.0
    requests: int = 0


def floor(
    needed: Iterable[Needed], posts: SettingsPosts, *, steps: int, instances: int = 1, left: float = 0.0
) -> Floor:
    """Return the floor for the needs of each subscription.

    `steps` counts the requests that must follow one another. `left` is the share of each bucket for other clients.
    """
    needed = tuple(needed)
    requests = sum(part.requests for part in needed)
    buckets = (_seconds(part, posts, left) for part in needed)
    return Floor(max(0.0, *buckets, requests * ARM_SECONDS / (MOST_AT_ONCE * instances), steps * ARM_SECONDS), requests)


def _seconds(needed: Needed, posts: SettingsPosts, left: float) -> float:
    own = needed.posts if posts is SettingsPosts.OWN else 0
    taken = ((needed.reads, READS), (needed.writes + needed.posts - own, WRITES), (own, OWN))
    return max(_bucket_seconds(requests, bucket, left) for requests, bucket in taken)


def _bucket_seconds(requests: int, bucket: Limit, left: float) -> float:
    """Return how long a full bucket takes to admit the requests, if the share `left` of it stays untouched."""
    return max(requests - bucket.size * (1 - left), 0.0) / bucket.refill


def look(world: World, changed: int | None = None, *, webspaces: bool = True) -> tuple[Needed, ...]:
    """Return what one look at a whole fleet needs in each subscription.

    A look lists certificates, sites, plans and the parents of slots, and with `webspaces` also the sites of each plan.
    `changed` is the number of sites whose settings are read in all subscriptions together, by default all.
    """
    web, size = world.web, world.knobs.page_size
    per = Counter(site.subscription.lower() for site in web.sites.values())
    on = Counter(site.plan_id.lower() for site in web.sites.values())
    found = []
    for subscription in world.subscriptions:
        plans = [plan for plan in web.plans.values() if plan.subscription.lower() == subscription]
        copies = sum(copy.subscription.lower() == subscription for copy in web.certificates.values())
        lists = _pages(per[subscription], size) + _pages(len(plans), size) + _pages(copies, size) + 1
        of_plans = sum(_pages(on[plan.id.lower()], size) for plan in plans) if webspaces else 0
        posts = per[subscription]
        if changed is not None:
            posts = math.ceil(changed * posts / max(per.total(), 1))
        found.append(Needed(lists + of_plans, posts))
    return tuple(found)


def carry(world: World, *thumbprints: str) -> tuple[Needed, ...]:
    """Return what the renewal of certificates needs in each subscription, if Azure moves the bindings of a copy.

    The lists of a look once, the settings of each site in a webspace with a copy once, one write of each copy with a
    read before and after it, and one read of each site that Azure moves.
    """
    copies = [copy for copy in world.web.certificates.values() if copy.thumbprint in thumbprints]
    webspaces = {copy.webspace.key: copy.webspace for copy in copies}
    sites = {site.id: site for webspace in webspaces.values() for site in world.web.sites_in(webspace)}
    found = []
    for subscription, listed in zip(world.subscriptions, look(world, webspaces=False), strict=True):
        own = [site for site in sites.values() if site.subscription.lower() == subscription]
        moved = sum(any(host.thumbprint in thumbprints for host in site.hosts.values()) for site in own)
        writes = sum(copy.subscription.lower() == subscription for copy in copies)
        plans = len({site.plan_id.lower() for site in own})
        found.append(Needed(listed.reads + plans + 2 * writes + moved, len(own), writes))
    return tuple(found)


def each_app(world: World, further_writes: int) -> tuple[Needed, ...]:
    """Return what a change of the settings of each site needs: a read before the write, the write, and a read after it.

    `further_writes` counts the writes of certificates in each subscription, each with a read before and after it.
    """
    return tuple(
        Needed(need.reads + 2 * further_writes, 2 * need.posts, need.posts + further_writes) for need in look(world)
    )


def _pages(entries: int, size: int) -> int:
    return max(math.ceil(entries / size), 1)
