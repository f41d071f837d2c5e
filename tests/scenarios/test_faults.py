"""Run renewals under faults of Azure and the network, alone and in seeded combinations."""

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import pytest
from _pytest.mark import ParameterSet

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT, after_renewal, renew, shown, small_world
from tests.soaking import SOAKING

ARM = "management"
BINDING = r"/hostNameBindings/"
CERTIFICATE = r"/certificates/[^/]+$"
SITES = r"/Microsoft\.Web/sites$"

FAULTS: dict[str, Callable[[], tuple[Fault, ...]]] = {
    "every answer is slow": lambda: (Fault("latency", seconds=2.0, times=None),),
    "reads are throttled": lambda: (Fault("throttle", "GET", ARM, bucket=5, refill=1.0, times=None),),
    "writes are throttled": lambda: (Fault("throttle", "PUT", ARM, bucket=1, refill=0.2, times=None),),
    "throttled without Retry-After": lambda: (
        Fault("throttle", "GET", ARM, bucket=3, refill=1, retry_after=None, times=6),
    ),
    "the vault is throttled": lambda: (Fault("throttle", host="vault", bucket=1, refill=0.5, times=None),),
    "a site is locked": lambda: (Fault("site_lock", "PUT", path=BINDING, times=3),),
    "a site is locked, no Retry-After": lambda: (Fault("site_lock", "PUT", path=BINDING, times=2, retry_after=None),),
    "a list fails with 500": lambda: (Fault("server_error", "GET", path=SITES, status=500, times=2),),
    "a write fails with 500": lambda: (Fault("server_error", "PUT", path=BINDING, status=500, times=2),),
    "a write fails with 502": lambda: (Fault("server_error", "PUT", path=CERTIFICATE, status=502),),
    "a write fails with 503": lambda: (Fault("server_error", "PUT", path=CERTIFICATE, status=503, times=2),),
    "a sync is applied and answers 504": lambda: (Fault("applied_but_lost", "PUT", path=CERTIFICATE, times=2),),
    "a binding is applied and answers 504": lambda: (Fault("applied_but_lost", "PUT", path=BINDING, times=3),),
    "a read is dropped": lambda: (Fault("dropped", "GET", ARM, times=3, skip=2),),
    "a write is dropped before it is applied": lambda: (Fault("dropped", "PUT", path=BINDING, times=2),),
    "a write is dropped after it was applied": lambda: (Fault("dropped", "PUT", path=BINDING, applied=True, times=2),),
    "a sync is dropped after it was applied": lambda: (Fault("dropped", "PUT", path=CERTIFICATE, applied=True),),
    "lists are stale": lambda: (Fault("stale_list", "GET", path=r"/(sites|certificates)$", times=4, writes=2),),
    "the vault fails with 503": lambda: (Fault("server_error", host="vault", status=503, times=2),),
}
KNOBS: dict[str, Knobs] = {
    "Azure moves the bindings": Knobs(sync_moves_bindings=True),
    "Azure does not move the bindings": Knobs(sync_moves_bindings=False),
    "reads lag by two": Knobs(reads_until_visible=2, sync_moves_bindings=False),
    "reads lag by two, and Azure moves": Knobs(reads_until_visible=2),
    "the echo is wrong": Knobs(wrong_echo=True, sync_moves_bindings=False),
    "If-Match is honoured": Knobs(if_match_honoured=True, sync_moves_bindings=False),
    "a mismatch is not refused": Knobs(mismatch_refused=False, sync_moves_bindings=False),
    "a thumbprint is taken once": Knobs(second_import_same_thumbprint="refuse"),
    "front ends take half a minute": Knobs(slow_front_end=30.0, sync_moves_bindings=False),
    "pages of one": Knobs(page_size=1, sync_moves_bindings=False),
    "an IP-based binding stays without its kind": Knobs(ip_binding_without_state="kept", sync_moves_bindings=False),
    "a missing site has no body": Knobs(missing_site="empty", sync_moves_bindings=False),
}


def some_on_azurite(names: Iterable[str]) -> Iterator[ParameterSet]:
    """Yield the names as parameters: every sixth test is on Azurite and the proxy, and in `make soak` every test.

    A test that drops connections is always on the proxy.
    """
    for number, name in enumerate(names):
        real = SOAKING or number % 6 == 0
        storage = [pytest.mark.real_storage] if real else []
        yield pytest.param(name, marks=[*storage, pytest.mark.real_transport] if real or "dropped" in name else [])


def _roll_out(
    install: Install, world: World, *, fault: tuple[Fault, ...] = ()
) -> tuple[Installation, World, str, dict]:  # type: ignore[type-arg]
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    world.faults.add(*fault)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    return installation, world, new, before


@pytest.mark.parametrize("name", list(some_on_azurite(FAULTS)))
def test_every_fault_ends_in_the_same_state(install: Install, name: str) -> None:
    """A fault of Azure or the network only delays the renewal, and no message becomes a dead letter."""
    fault = FAULTS[name]()
    world = small_world(Knobs(sync_moves_bindings=False))
    installation, world, new, before = _roll_out(install, world, fault=fault)
    assert shown(world) == after_renewal(before, new)
    assert installation.queue.dead_letter == []
    assert set(installation.states().values()) == {"Proven"}
    assert any(fault.strikes for fault in world.faults.all()), "the fault never struck"


@pytest.mark.parametrize("name", KNOBS)
def test_every_doubt_about_azure_ends_in_the_same_state(install: Install, name: str) -> None:
    """The renewal ends in the same state for each simulated variant of Azure's undocumented behaviour."""
    installation, world, new, before = _roll_out(install, small_world(KNOBS[name]))
    assert shown(world) == after_renewal(before, new)
    assert installation.errors == []
    assert set(installation.states().values()) == {"Proven"}


@pytest.mark.parametrize("seed", range(50 if SOAKING else 8))
def test_a_combination_ends_in_the_same_state(install: Install, seed: int) -> None:
    """After two faults and random Azure behaviour, the fleet has the new version, at the latest after two sweeps."""
    draw = random.Random(seed)  # noqa: S311 - a seeded combination, not a secret
    knobs = Knobs(
        sync_moves_bindings=draw.random() < 0.5,
        reads_until_visible=draw.randrange(3),
        wrong_echo=draw.random() < 0.5,
        if_match_honoured=draw.random() < 0.5,
        mismatch_refused=draw.random() < 0.5,
        slow_front_end=draw.choice([0.0, 20.0]),
        page_size=draw.choice([1, 2, 100]),
    )
    first, second = draw.sample(sorted(FAULTS), 2)
    world = small_world(knobs, seed)
    installation, world, new, before = _roll_out(install, world, fault=(*FAULTS[first](), *FAULTS[second]()))
    for _ in range(2):
        world.clock.advance(timedelta(hours=1))
        installation.sweep()
        installation.deliver_all()
    assert shown(world) == after_renewal(before, new), f"{first}; {second}; {knobs}"
    assert set(installation.states().values()) == {"Proven"}
