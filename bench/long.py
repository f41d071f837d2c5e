"""The scenarios of the bench that take days, and those in which apps start again."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from bench.figures import A_YEAR, MOST_COPIES, Figures
from bench.fleets import CLIENT, ROOT, VAULT, apps, root_apps, tenants
from bench.floor import Floor, each_app, floor, look
from bench.limits import SettingsPosts
from bench.measure import Measure
from bench.scenarios import HOUR, HOURS, Counts, fleet, next_hour
from bench.sizes import Size
from local.azure.vault.authority import Authority
from local.azure.world import World
from local.worlds.builders import Builder
from shared.domain.messages import Cause

LIFETIME, EVERY = timedelta(days=45), timedelta(days=15)
"""How long the certificates of the long scenarios are valid, and how often each is renewed."""
YEAR = timedelta(days=365)


def day(size: Size, posts: SettingsPosts) -> Iterator[Figures]:
    """Yield a day with a sweep each hour, in which each fifteenth certificate is renewed."""
    with fleet(tenants, size, posts) as hosted:
        world = hosted.world
        names = tuple(world.vaults[VAULT].certificates)
        due = names[:: EVERY.days]
        at = Counter(number * HOURS // len(due) for number in range(len(due)))
        renewed = iter(due)

        def passed() -> Counts:
            for hour in range(HOURS):
                for name in itertools.islice(renewed, at[hour]):
                    world.vaults[VAULT].renew(name, not_after=world.clock.now() + LIFETIME)
                    hosted.first.look_at(VAULT, name)
                hosted.at_once([hosted.first.begin_sweep, lambda: hosted.serve(HOUR)])
                next_hour(hosted)
            return {"renewals": len(due), "stale bindings": stale(world)}

        least = sum(need.reads * HOURS + need.posts for need in look(world)) + len(due)
        yield Measure(hosted, str(size), posts).part("a day of 45-day certificates", Floor(0, least), passed)


def year(size: Size, posts: SettingsPosts) -> Iterator[Figures]:
    """Yield a year in which each certificate is renewed every 15 days, with the most copies of a webspace."""
    with fleet(tenants, size, posts, delete_superseded=True) as hosted:
        world, most = hosted.world, [0]

        def passed() -> Counts:
            renewals = 0
            for _ in range(YEAR // EVERY):
                for name in tuple(world.vaults[VAULT].certificates):
                    world.vaults[VAULT].renew(name, not_after=world.clock.now() + LIFETIME)
                    hosted.first.look_at(VAULT, name)
                    renewals += 1
                hosted.serve()
                for _ in range(EVERY.days):
                    hosted.at_once([hosted.first.begin_sweep])
                    hosted.serve()
                    hosted.scheduler.sleep(24 * HOUR.total_seconds())
                most[0] = max(most[0], most_copies(world))
            return {"renewals": renewals, MOST_COPIES: most[0], "stale bindings": stale(world)}

        yield Measure(hosted, str(size), posts).part(A_YEAR, Floor(), passed)


def roll(size: Size, posts: SettingsPosts) -> Iterator[Figures]:
    """Yield the renewal of a client certificate that apps name in their settings, until each app is validated."""
    with fleet(apps, size, posts) as hosted:
        world = hosted.world
        world.vaults[VAULT].renew(CLIENT)
        hosted.first.look_at(VAULT, CLIENT)

        def carried() -> Counts:
            hosted.serve(timedelta(hours=12))
            return {"validated": sum(state == "Validated" for state in hosted.first.rolls().values())}

        least = floor(each_app(world, 2 * size.webspaces), posts, steps=12)
        yield Measure(hosted, str(size), posts).part("a roll of app settings", least, carried)


def root(size: Size, posts: SettingsPosts) -> Iterator[Figures]:
    """Yield a new private root that apps trust by their root lists, until each app has it."""
    with fleet(root_apps, size, posts) as hosted:
        world = hosted.world
        Builder(world).add_root_object(ROOT, Authority("Corp 2").root_leaf, world.vaults[VAULT])
        hosted.first.look_at(VAULT, ROOT, Cause.EVENT, "secret")

        def carried() -> Counts:
            hosted.serve(timedelta(hours=12))
            return {f"apps {state}": float(number) for state, number in Counter(hosted.first.rolls().values()).items()}

        least = floor(each_app(world, size.webspaces), posts, steps=12)
        yield Measure(hosted, str(size), posts).part("one root in root lists", least, carried)


def stale(world: World) -> int:
    """Return how many bindings have another certificate than the newest version of a vault certificate."""
    newest = {found.newest.thumbprint for found in world.vaults[VAULT].certificates.values()}
    hosts = (host for site in world.web.sites.values() for host in site.hosts.values())
    return sum(host.thumbprint is not None and host.thumbprint not in newest for host in hosts)


def most_copies(world: World) -> int:
    """Return how many certificates the fullest webspace holds."""
    return max(Counter(copy.webspace.key for copy in world.web.certificates.values()).values())
