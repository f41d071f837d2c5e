"""Bind so many host names again that one run has no time for all of them, or no time left to prove them."""

from datetime import timedelta

import pytest

from local.azure.wire import Request, Response
from local.stand import Stand
from shared.clients.connect import Connections
from shared.domain.deadline import TIME_BUDGET
from shared.domain.endpoints import CloudName, StorageAddress
from shared.loop.prove import PATIENCE
from tests.in_process import in_process
from tests.scenarios.conftest import NO_STORAGE, Install, WorldClock
from tests.scenarios.test_deadlines import Bounded, Slow
from tests.scenarios.test_private_chains import HOSTS, ON, Corp, rebound
from tests.scenarios.worlds import VAULT

HOST_NAMES = 8
"""How many host names of the site have the certificate."""
MOST_MESSAGES = 20


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param((TIME_BUDGET - PATIENCE / 2).total_seconds() / HOST_NAMES, id="no time for the handshakes"),
        pytest.param(1.2 * TIME_BUDGET.total_seconds() / HOST_NAMES, id="no time for the last host names"),
    ],
)
def test_each_host_name_is_bound_again_once(install: Install, stand: Stand, seconds: float) -> None:
    """If a run ends while it binds host names again, the next run binds only the others again, and proves the site."""
    corp = Corp(tags=ON)
    shop = next(site for site in corp.world.web.sites.values() if site.name == "shop")
    upload = next(iter(corp.world.web.certificates.values()))
    for number in range(HOST_NAMES - sum(host in HOSTS for host in shop.hosts)):
        corp.build.add_host(shop, f"h{number}.corp.example", upload)

    def answer(request: Request) -> Response:
        answered = stand.proxy.azure.handle(request)
        if request.method == "PUT" and "hostNameBindings" in request.path:
            stand.world.clock.advance(timedelta(seconds=seconds))
        return answered

    connections = Connections(
        CloudName.PUBLIC, None, StorageAddress(NO_STORAGE), WorldClock(stand), transport=in_process(answer)
    )
    certroll = Bounded.on(install(corp.world), Slow(stand), connections)
    certroll.look_at(VAULT, "web")
    for _ in range(MOST_MESSAGES):
        if (message := certroll.queue.take(certroll.clock.now() + timedelta(hours=2))) is None:
            break
        certroll.deliver(message)
    assert set(certroll.states().values()) == {"Proven"}
    assert len(certroll.queue) == 0
    assert set(rebound(corp.world).values()) == {1}
    assert certroll.sweep() == ()
