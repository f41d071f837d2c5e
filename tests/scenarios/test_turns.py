"""What comes first by name and fails slowly does not starve the rest, and what is hidden is said once."""

import json
from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.world import World
from local.worlds.builders import Builder
from shared.domain.deadline import TIME_BUDGET
from shared.domain.messages import CERTIFICATES
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import AGE, NAME, VAULT, renew, shown

HOUR = timedelta(hours=1)
SICK = 8
"""More webspaces than the time of a run suffices for, if each of them costs 90 s."""


def webspaces() -> World:
    """Return webspaces with one site each, of which `a-…` come first. The pilot has the fewest bindings."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate(NAME, ("*.contoso.com",))
    for name in (*(f"a-{number}" for number in range(SICK)), "pilot", "z-last"):
        plan = build.add_plan(name, build.add_group(name))
        copy = build.add_copy(NAME, plan, name="web")
        for site in (name,) if name == "pilot" else (name, f"{name}-2"):
            build.add_host(build.add_site(site, plan), f"{site}.contoso.com", copy)
    world.clock.advance(AGE)
    return world


def with_errors(installation: Installation) -> None:
    """Sweep everything. The host logs the errors of a sweep, and runs the next sweep an hour later."""
    try:
        installation.sweep_everything()
    except ExceptionGroup as error:
        installation.errors.append(error)


def test_webspaces_whose_certificate_answers_503_starve_no_other(install: Install) -> None:
    """If the webspaces that come first cannot be written for days, the last webspace soon serves the renewal."""
    world = webspaces()
    installation = install(world)
    new = renew(world)
    path = r"/resourceGroups/a-\d/providers/Microsoft\.Web/certificates/web$"
    world.faults.add(Fault("server_error", "PUT", path=path, status=503, times=None))
    with_errors(installation)
    installation.deliver_all(HOUR / 2)
    served = {name: seen.thumbprint == new for name, seen in shown(world).items()}
    assert {name for name, moved in served.items() if moved} == {
        f"{name}.contoso.com" for name in ("pilot", "z-last", "z-last-2")
    }


def test_silent_vault_with_many_copies_holds_up_nothing_else(install: Install) -> None:
    """A vault that does not answer costs its patience once, and the sweep reaches everything else in the same hour."""
    world = webspaces()
    build = Builder(world)
    dead = build.add_vault("a-dead-kv")
    plan = next(iter(world.web.plans.values()))
    for number in range(40):
        build.add_certificate(f"c-{number}", ("c.contoso.com",), dead)
        build.add_copy(f"c-{number}", plan, dead)
    installation = install(world)
    renew(world)
    world.faults.add(Fault("dropped", host="a-dead-kv", times=None))
    world.journal.clear()
    began = installation.clock.now()
    with_errors(installation)
    assert installation.clock.now() - began < TIME_BUDGET
    queued = [message for message in installation.queue.waiting() if message.queue == CERTIFICATES]
    assert len(queued) == 1, "the renewal in the other vault is queued"
    paths = [entry.path for entry in world.journal.entries()]
    assert any("certificateOrders" in path for path in paths)
    assert ("vault a-dead-kv", "VaultUnreachable") in installation.findings()


@pytest.mark.parametrize("sites", [4, 8])
def test_blind_spot_is_said_once_however_many_certificates_it_may_hide(
    install: Install, caplog: pytest.LogCaptureFixture, sites: int
) -> None:
    """A sweep writes one finding and one line for each unreadable app, not one for each vault certificate."""
    world = World(Clock())
    build = Builder(world)
    plan = build.add_plan("plan")
    for number in range(5):
        build.add_certificate(f"c-{number}", (f"c-{number}.contoso.com",))
        build.add_copy(f"c-{number}", plan)
    for number in range(sites):
        build.add_site(f"site-{number}", plan)
    world.clock.advance(AGE)
    installation = install(world)
    world.faults.add(Fault("denied", "POST", path="/config/appsettings/list$", times=None))
    caplog.set_level("INFO", logger="certroll")
    installation.sweep()
    installation.look_at(VAULT, "c-0")
    installation.deliver_all(HOUR)
    rows = [row["subject"] for row in installation.rows("certrollfindings") if row.get("reason") == "BlindSpot"]
    assert sorted(rows) == [f"app settings of site-{number}" for number in range(sites)]
    told = [line for line in caplog.messages if json.loads(line)["event"] == "finding.reported"]
    assert len(told) == sites
    assert sum(map(len, told)) < 1_000 * sites
