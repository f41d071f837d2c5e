"""The scenarios of the bench that need no Azure in between: planning, memory, and the start of the process."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from bench.figures import FULL, PLANNING, Figures
from bench.fleets import VAULT, tenants, websites
from bench.floor import Floor
from bench.instance import RUNS_PER_QUEUE
from bench.limits import SettingsPosts, unlimit
from bench.measure import Measure
from bench.scenarios import Counts, fleet
from bench.sizes import Size
from local.yardstick import yardstick
from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.districts import Districts
from shared.domain.messages import SiteMessage
from shared.domain.names import ObjectKind, SiteRef, VaultCertificateRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.snapshot.concern import concerned
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.lineage import lineage_of
from shared.loop.observe.fleet import observe_fleet
from shared.loop.observe.targets import Targets
from shared.planning import planner

FULL_FOR = timedelta(minutes=30)
"""How long the queues are served: until the longest runs have ended by themselves three times."""
ROOT = Path(__file__).resolve().parents[1]
STARTS = 3
"""How often the start of the process is measured. The figure is the median."""
INDEX = "import function_app"
FIRST_RUN = f"{INDEX}; import shared.clients.connect"
"""What Azure's host needs for the list of the functions, and what the first run needs in addition."""


def planning(size: Size) -> Iterator[Figures]:
    """Yield the plans for all certificates of a fleet, from one look at the fleet."""
    with fleet(tenants, size, SettingsPosts.OWN) as hosted:
        world = hosted.world
        unlimit(world)  # the look is no part of the figure
        run = hosted.first.start()
        names = tuple(world.vaults[VAULT].certificates)
        for name in names[:: len(names) // 10]:
            world.vaults[VAULT].renew(name)
        refs = [VaultCertificateRef.parse(VAULT, ObjectKind.CERTIFICATE, name) for name in names]
        lineages = [lineage_of(run, ref) for ref in refs]
        targets, vaults = Targets.of(tuple(lineages), limited=False), run.intent.vaults
        seen = observe_fleet(run.ports, run.pool, (), bool, lambda ref: ref.vault in vaults, run.now(), targets).fleet

        def planned() -> Counts:
            districts = Districts.of(seen)
            plans = [planner.plan(_snapshot(districts, lineage), run.intent) for lineage in lineages]
            return {"plans": len(plans), "steps": sum(len(plan.steps) for plan in plans)}

        yield Measure(hosted, str(size), None).part(PLANNING, Floor(), planned)


def _snapshot(districts: Districts, lineage: Lineage) -> Snapshot:
    rollout = Rollout(lineage.current.version if lineage.current else "")
    return Snapshot(lineage, concerned(districts, lineage, rollout), rollout)


def queues_full(size: Size, posts: SettingsPosts) -> Iterator[Figures]:
    """Yield the memory of one instance while as many runs of two queues are under way as the host allows."""
    with fleet(websites, size, posts) as hosted:
        world = hosted.world
        names = tuple(world.vaults[VAULT].certificates)
        sites = itertools.islice(world.web.sites.values(), RUNS_PER_QUEUE)
        for name, site in zip(names, sites, strict=False):
            world.vaults[VAULT].renew(name)
            hosted.first.look_at(VAULT, name)
            ref = VaultCertificateRef.parse(VAULT, ObjectKind.CERTIFICATE, name)
            hosted.queues.send_site(SiteMessage(SiteRef.parse(site.id), ref))

        def full() -> Counts:
            hosted.serve(FULL_FOR)
            return {"most runs at once": hosted.most_at_once}

        yield Measure(hosted, str(size), posts).part(FULL, Floor(), full)


def cold_start() -> Iterator[Figures]:
    """Yield the processor time and the memory of a process that lists its functions, and of one that begins a run."""
    for name, code in (("start: list the functions", INDEX), ("start: begin the first run", FIRST_RUN)):
        unit = yardstick()
        found = sorted(_started(code) for _ in range(STARTS))[STARTS // 2]
        yield Figures(name, "", "", 0.0, yardsticks=round(found[0] / unit, 1), memory_mb=round(found[1]))


def _started(code: str) -> tuple[float, float]:
    """Return the processor seconds and the megabytes of a process that runs the code."""
    said = (
        f"import resource, json; {code}; used = resource.getrusage(resource.RUSAGE_SELF); "
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, check=True, cwd=ROOT, text=True)  # noqa: S603 - this Python
    seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, megabytes
