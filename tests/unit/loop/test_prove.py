"""Certroll chooses the address for a TLS handshake, and reports an unknown inbound address."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from typing import Any

import pytest

from shared.domain.errors import AzureError, Denied, NotFound, OutOfTime, Rejected, Unavailable
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.handshake import Handshake
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, HostName, Thumbprint
from shared.domain.rollout.site_record import SiteState
from shared.loop.connect_address import Inbound, address_of, inbound_of
from shared.loop.pool import Pool
from shared.loop.prove import PATIENCE, prove
from shared.loop.run import Run
from shared.ports import Ports
from shared.runtime import PROBES
from tests.build import APPLY, ASE, NEW, NOW, ManualClock, binding, ports, site, site_ref, snapshot

TIME_OUT = 30.0
IP = "10.0.0.4"
PUBLIC = site()
EXTERNAL = replace(site(), default_host_name=HostName("shop.ase.p.azurewebsites.net"), environment=ASE)
GOVERNMENT = replace(EXTERNAL, default_host_name=HostName("shop.ase.p.azurewebsites.us"))
INTERNAL = replace(EXTERNAL, default_host_name=HostName("shop.ase.appserviceenvironment.net"))
DEDICATED = binding("api.contoso.com", ssl_state=SslState.IP_BASED, virtual_ip="203.0.113.7")


@dataclass
class Networks:
    """These fake environments return the given addresses or raise the given error, and record each request."""

    answer: tuple[str, ...] | AzureError
    asked: list[EnvironmentRef] = field(default_factory=list)

    def inbound_addresses(self, ref: EnvironmentRef) -> tuple[str, ...]:
        """Record the requested App Service Environment, and return its addresses or raise the error of the test."""
        self.asked.append(ref)
        if isinstance(self.answer, AzureError):
            raise self.answer
        return self.answer


def behind(networks: Networks) -> Ports:
    """Return the ports of Certroll with which the code can reach only App Service Environments."""
    # The fake `Networks` implements only the method of the port that this test needs.
    return replace(ports(), environments=networks)  # type: ignore[arg-type]


def fleet(site: Site, others: Iterable[Binding] = ()) -> Fleet:
    """Return a fleet that consists of this site, its SNI binding and the given further bindings."""
    return Fleet(NOW, (site,), (binding(), *others))


@pytest.mark.parametrize(
    ("seen", "inbound", "expected"),
    [
        pytest.param(fleet(PUBLIC), None, "shop.azurewebsites.net", id="a site by its default host name"),
        pytest.param(fleet(PUBLIC, [DEDICATED]), None, "sni.shop.azurewebsites.net", id="next to an IP-based binding"),
        pytest.param(
            fleet(PUBLIC, [replace(DEDICATED, site=site_ref("other"))]),
            None,
            "shop.azurewebsites.net",
            id="next to a site with an IP-based binding",
        ),
        pytest.param(fleet(site("other")), None, "shop.contoso.com", id="a site that was not seen by the host name"),
        pytest.param(fleet(EXTERNAL), None, "shop.ase.p.azurewebsites.net", id="an external environment like others"),
        pytest.param(fleet(INTERNAL), IP, IP, id="an internal environment by its address"),
    ],
)
def test_host_name_is_looked_at_where_app_service_serves_it(seen: Fleet, inbound: str | None, expected: str) -> None:
    """Certroll connects to the site's App Service address, because public DNS may lead to a CDN."""
    assert address_of(seen, binding(), inbound) == expected


@pytest.mark.parametrize("inbound", [None, IP])
def test_binding_with_an_address_is_looked_at_there(inbound: str | None) -> None:
    """Certroll connects to the dedicated address of an IP-based binding."""
    assert address_of(fleet(INTERNAL), DEDICATED, inbound) == "203.0.113.7"


@pytest.mark.parametrize(
    ("seen", "answer", "expected", "asked"),
    [
        pytest.param(None, (IP,), Inbound(), 0, id="a site that was not seen"),
        pytest.param(PUBLIC, (IP,), Inbound(), 0, id="a site outside of environments"),
        pytest.param(EXTERNAL, (IP,), Inbound(), 0, id="an external environment, which is in public DNS"),
        pytest.param(GOVERNMENT, (IP,), Inbound(), 0, id="an external environment of US Government"),
        pytest.param(INTERNAL, (IP, "10.0.0.5"), Inbound(IP), 1, id="an internal environment"),
        pytest.param(
            INTERNAL,
            (),
            Inbound(unknown="environment rg-network/ase shows no inbound address"),
            1,
            id="it shows no address",
        ),
    ],
)
def test_address_is_asked_of_internal_environments(
    seen: Site | None, answer: tuple[str, ...], expected: Inbound, asked: int
) -> None:
    """Certroll asks Azure for the inbound address only if the site is in an internal App Service Environment."""
    networks = Networks(answer)
    assert inbound_of(behind(networks), seen) == expected
    assert networks.asked == [ASE] * asked


@pytest.mark.parametrize("error", [Denied("no right"), NotFound("gone"), Rejected("odd"), Unavailable("silent")])
def test_address_that_cannot_be_read_is_said(error: AzureError) -> None:
    """If Certroll cannot read an App Service Environment's inbound address, it returns the text of Azure's error."""
    found = inbound_of(behind(Networks(error)), INTERNAL)
    assert found == Inbound(unknown=f"the inbound address of environment rg-network/ase could not be read: {error}")


class Front:
    """A fake front end that shows the new certificate, and has no time for the host names in `late`."""

    def __init__(self, *late: str) -> None:
        self.late = late

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Handshake:
        """Return that the front end shows the expected certificate, or raise OutOfTime."""
        assert (address, give_up) == ("shop.azurewebsites.net", NOW + PATIENCE)
        if host_name in self.late:
            raise OutOfTime("the time of this run ended during a handshake")
        return Handshake(host_name, expected, expected)


def proven(front: Front, busy: Pool, probes: Pool) -> dict[HostName, SiteState]:
    """Return what the handshakes with two host names prove, while another run occupies the threads of `busy`."""
    bound = (binding(thumbprint=NEW), binding("www.contoso.com", NEW))
    given: Any = front
    begun, over = threading.Event(), threading.Event()
    other = threading.Thread(target=busy.map, args=(lambda _: begun.set() or over.wait(30), [0]))
    other.start()
    begun.wait(30)
    try:
        run = Run.start(replace(ports(clock=ManualClock()), tls_probe=given), APPLY, busy, probes=probes)
        handshakes = prove(run, snapshot(bindings=bound), site_ref(), NEW)
    finally:
        over.set()
        other.join()
    return {handshake.host_name: handshake.state for handshake in handshakes}


def test_reads_of_another_run_delay_no_handshake() -> None:
    """Certroll makes the handshakes of a site while a sweep occupies all threads for reads."""
    with Pool(1, "reader") as busy, Pool(1, "probe") as probes:
        assert set(proven(Front(), busy, probes).values()) == {SiteState.PROVEN}


def test_handshake_without_time_leaves_the_others() -> None:
    """If the run ends before some handshakes of a site, Certroll keeps the results of the others."""
    with Pool(1, "reader") as busy, Pool(1, "probe") as probes:
        assert proven(Front("www.contoso.com"), busy, probes) == {
            "shop.contoso.com": SiteState.PROVEN,
            "www.contoso.com": SiteState.UNPROVEN,
        }
        with pytest.raises(OutOfTime, match="during a handshake"):
            proven(Front("shop.contoso.com", "www.contoso.com"), busy, probes)


class SilentFront:
    """A fake front end that is silent for the names of one site, and serves the certificate for all other names.

    All handshakes that run at once reach their time-out together, which makes one round.
    """

    def __init__(self, silent: int) -> None:
        self.rounds = 0
        self.left = silent
        self.full, self.end = threading.Event(), threading.Event()
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()

    def shows(self, host_name: HostName, _: str, expected: Thumbprint, __: datetime) -> Handshake:
        """Return the expected certificate for the other site. For a silent name, wait until the round ends."""
        if not host_name.startswith("silent"):
            return Handshake(host_name, expected, expected, f"after {self.rounds} rounds")
        over = threading.Event()
        with self._lock:
            self._waiting.append(over)
            if len(self._waiting) == min(PROBES, self.left):
                self.full.set()
                assert self.end.wait(TIME_OUT)
                self.rounds += 1
                self.left -= len(self._waiting)
                for waiting in self._waiting:
                    waiting.set()
                self._waiting.clear()
        assert over.wait(TIME_OUT)
        return Handshake(host_name, expected, None, "silent")


def test_silent_host_names_time_out_together_and_delay_no_other_site() -> None:
    """The 200 silent names of a site need 13 time-outs, and another site waits for one, and a read for none of them."""
    front = SilentFront(200)
    given: Any = front
    silent = snapshot(bindings=tuple(binding(f"silent-{number}.contoso.com", NEW) for number in range(200)))
    with Pool(1, "reader") as reader, Pool(PROBES, "probe") as probes, ThreadPoolExecutor(1) as runs:
        run = Run.start(replace(ports(clock=ManualClock()), tls_probe=given), APPLY, reader, probes=probes)
        proving = runs.submit(prove, run, silent, site_ref(), NEW)
        assert front.full.wait(TIME_OUT)
        assert reader.map(len, ["read"]) == (4,)
        with probes.results(lambda name: front.shows(name, "", NEW, NOW), [HostName("api.contoso.com")]) as other:
            front.end.set()
            served = next(other)
        assert {handshake.state for handshake in proving.result(TIME_OUT)} == {SiteState.UNPROVEN}
    assert (served.state, served.detail) in {(SiteState.PROVEN, f"after {rounds} rounds") for rounds in (1, 2)}
    assert front.rounds == ceil(200 / PROBES)
