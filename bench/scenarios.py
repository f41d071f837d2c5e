"""The scenarios of the bench: each builds a fleet, does one piece of Certroll's work, and returns its figures."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from bench.figures import AFTERWARDS, ALL_BOUND, COLD, CONTOSO, EVERYWHERE, IN_ALL, UNSWEPT, WARM, Figures
from bench.fleets import VAULT, WILD, websites
from bench.floor import Floor, carry, floor, look
from bench.instance import Hosted, shared_time
from bench.limits import SHARE_LEFT, SettingsPosts, limit
from bench.measure import Measure, heard
from bench.scheduler import Scheduler, SharedClock
from bench.sizes import MIDDLE, Size
from local.azure.world import World
from local.worlds.contoso import contoso

HOURS = 24
TOUCHED = 0.02
"""The share of the sites whose settings people change in each hour."""
HOUR = timedelta(hours=1)
Counts = dict[str, float]
BuildWorld = Callable[[Scheduler, Size, SettingsPosts], World]


# ------------------------------------------------------------------------------------------------------------- sweeps


def sweeps(size: Size, hours: int, posts: SettingsPosts) -> Iterator[Figures]:
    """Yield a cold sweep, and the worst of the hourly sweeps after it, while people touch some sites each hour."""
    with fleet(websites, size, posts) as hosted, heard(hosted.world.clock.now) as said:
        world, measure = hosted.world, Measure(hosted, str(size), posts)

        def swept() -> Counts:
            before = said.count("sweep.completed")
            hosted.at_once([hosted.first.begin_sweep])
            hosted.serve(HOUR, until=lambda: said.count("sweep.completed") > before)
            return {"completed": said.count("sweep.completed") - before}

        steps = max(need.reads for need in look(world, webspaces=False)) + 3
        yield measure.part(COLD, floor(look(world), posts, steps=steps, left=SHARE_LEFT), swept)
        warm = []
        for hour in range(hours):
            next_hour(hosted)
            changed = _touch(world, hour)
            least = floor(look(world, changed + size.sites // HOURS), posts, steps=steps, left=SHARE_LEFT)
            warm.append(measure.part(WARM, least, swept))
        if warm:
            yield max(warm, key=lambda figures: (not figures.more["completed"], figures.requests, figures.seconds))


def next_hour(hosted: Hosted) -> None:
    """Let time pass until the next hour since the start."""
    passed = hosted.scheduler.seconds
    hosted.scheduler.sleep(HOUR.total_seconds() - passed % HOUR.total_seconds())


def sweep_an_hour_before(hosted: Hosted) -> None:
    """Let a sweep read the fleet, and an hour pass, as in each installation that runs for longer than an hour."""
    hosted.first.begin_sweep()
    hosted.serve(HOUR)
    next_hour(hosted)


def _touch(world: World, hour: int) -> int:
    """Change a setting of some sites, other sites in each hour, as people do. Return the number of these sites."""
    sites = tuple(world.web.sites.values())
    number = max(round(len(sites) * TOUCHED), 1)
    for site in itertools.islice(itertools.cycle(sites), hour * number, (hour + 1) * number):
        world.settings.store(site, {**site.settings, "COLOUR": f"blue-{hour}"})
    return number


# ----------------------------------------------------------------------------------------------------------- renewals


def wildcard(size: Size, instances: int, posts: SettingsPosts) -> Iterator[Figures]:
    """Yield the renewal of a wildcard of all sites, from its event until each site is proven, and what follows."""
    with fleet(websites, size, posts, instances) as hosted, heard(hosted.world.clock.now) as said:
        world, measure = hosted.world, Measure(hosted, str(size), posts)
        old = world.vaults[VAULT].certificates[WILD].newest.thumbprint
        sweep_an_hour_before(hosted)
        new = world.vaults[VAULT].renew(WILD).thumbprint

        def carried() -> Counts:
            hosted.first.look_at(VAULT, WILD)
            hosted.serve(until=lambda: said.count("site.reconciled", reason="Served") >= size.sites)
            proven = sum(state == "Proven" for state in hosted.first.states().values())
            return {"bound": bound(world, new), "proven": proven}

        def ended() -> Counts:
            hosted.serve()
            return {"rolled out": said.count("certificate.reconciled", reason="RolledOut")}

        needs = carry(world, old)
        steps = 2 * max(need.reads for need in look(world, webspaces=False)) + 6
        least = floor(needs, posts, steps=steps, instances=instances)
        yield measure.part(EVERYWHERE, least, carried)
        yield measure.part(AFTERWARDS, Floor(), ended)


def four_renewals(posts: SettingsPosts) -> Iterator[Figures]:
    """Yield the renewal of four certificates of Contoso: until all bindings have moved, and until all is done.

    The last figure is of an installation that has never swept, and remembers no settings.
    """
    yield _four_renewals(posts, ALL_BOUND, whole=False)
    yield _four_renewals(posts, IN_ALL, whole=True)
    yield _four_renewals(posts, UNSWEPT, whole=True, swept=False)


def _four_renewals(posts: SettingsPosts, name: str, *, whole: bool, swept: bool = True) -> Figures:
    with fleet(_contoso, MIDDLE, posts) as hosted:
        world = hosted.world
        if swept:
            sweep_an_hour_before(hosted)
        renewing = [(vault, cert) for vault, cert in world.renewing if not cert.endswith("client")]
        old = {world.vaults[vault].certificates[cert].newest.thumbprint for vault, cert in renewing}
        bindings, needs = bound(world, *old), carry(world, *old)
        for vault, cert in renewing:
            world.vaults[vault].renew(cert)
            hosted.first.look_at(vault, cert)

        def carried() -> Counts:
            hosted.serve(until=lambda: not whole and bound(world, *old) == 0)
            return {"bindings": bindings, "bindings moved": bindings - bound(world, *old)}

        return Measure(hosted, CONTOSO, posts).part(name, floor(needs, posts, steps=12), carried)


def _contoso(scheduler: Scheduler, _: Size, posts: SettingsPosts) -> World:
    world = contoso(SharedClock(scheduler))
    limit(world, posts)
    return world


@contextmanager
def fleet(
    build: BuildWorld, size: Size, posts: SettingsPosts, instances: int = 1, **intent: object
) -> Iterator[Hosted]:
    """Yield an installation for a new fleet, on simulated time of its own."""
    scheduler = Scheduler()
    with shared_time(scheduler):
        yield Hosted(build(scheduler, size, posts), scheduler, instances, **intent)


def bound(world: World, *thumbprints: str) -> int:
    """Return how many host names have a binding with one of the thumbprints."""
    hosts = (host for site in world.web.sites.values() for host in site.hosts.values())
    return sum(host.thumbprint in thumbprints for host in hosts)
