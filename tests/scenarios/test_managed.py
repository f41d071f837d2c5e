"""Check free managed certificates with Azure's SDK, real DNS packets and real handshakes, and under faults."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread

import pytest
import requests

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import IP_BASED, Host
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.network.tls_probe import TlsProbe
from shared.controllers.managed.controller import look_after_managed
from shared.domain.errors import LeaseLost, OutOfTime
from shared.domain.intent import Mode
from shared.domain.managed.dns import DnsAnswer, RecordKind, Seen
from shared.domain.managed.issuance import HostInspection, Issuance
from shared.domain.names import HostName, SiteRef
from shared.domain.reason import Reason
from shared.loop.pool import Pool
from shared.ports import Ports
from shared.ports.storage import Lease, Leases
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.scenarios.worlds import AGE, after_renewal, renew, shown, small_world

ROOT = "contoso.com"
HOST = "www.contoso.com"
STAGING = "staging.contoso.com"
ON = {"certroll-managed": "on"}
OFF = {"certroll-managed": "off"}
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOST_WRITES = 20
ENVIRONMENT = "/subscriptions/{}/resourceGroups/rg-ase/providers/Microsoft.Web/hostingEnvironments/ase"
IN_ENVIRONMENT = {"hostingEnvironmentProfile": {"id": ENVIRONMENT.format("11111111-1111-1111-1111-111111111111")}}


def a_world(knobs: Knobs | None = None, *, tags: dict[str, str] = ON, plans: int = 1, root: bool = True) -> Builder:
    """Return a site with a subdomain and a root domain that have no binding, and with correct DNS records."""
    build = Builder(World(Clock(), knobs=knobs))
    for number in range(plans):
        build.add_plan(f"plan-{number}")
    shop = build.add_site("shop", tags=tags)
    for host in (HOST, ROOT) if root else (HOST,):
        shop = build.add_host(shop, host)
    build.add_root(ROOT, shop)
    build.add_record(HOST, "CNAME", shop.default_host_name)
    build.add_record(ROOT, "CAA", '0 issue "digicert.com"')
    build.world.clock.advance(AGE)
    return build


def look(installation: Installation) -> dict[str, Reason]:
    """Let Certroll check managed certificates once, and return the result of each host name."""
    return {found.host_name: found.reason for found in looks(installation)}


def looks(installation: Installation) -> tuple[HostInspection, ...]:
    """Let Certroll check managed certificates once, and return the list of results."""
    return look_after_managed(installation.start())


def look_until_served(installation: Installation, most: int = 30) -> None:
    """Repeat Certroll's check hourly, as the sweep does, until every host name is served; tolerate errors meanwhile."""
    for _ in range(most):
        try:
            if set(look(installation).values()) == {Reason.SERVED}:
                return
        except ExceptionGroup as group:
            installation.errors.extend(group.exceptions)
        installation.clock.advance(HOUR)
    pytest.fail(f"not served after {most} hours")


def asked(world: World) -> int:
    """Return how often the simulated Azure began to issue a certificate."""
    return sum(change.endswith("asked for") for change in world.journal.changes())


def served(world: World, host: str) -> str | None:
    """Return the thumbprint that a client of the host name receives, or None if the certificate does not fit."""
    content = world.web.served(host, world.web.address_of(host) or "")
    return content.thumbprint if content and host in content.host_names else None


def azure_writes(world: World) -> int:
    """Return how many write requests the simulated Azure Resource Manager received."""
    return len(world.journal.writes("management.azure.com"))


# ------------------------------------------------------------------------------------------------------ the way


def test_host_names_get_what_they_lack(install: Install) -> None:
    """A subdomain and a root domain get a managed certificate each, bound by SNI; a second run writes nothing."""
    world = a_world().world
    installation = install(world, watched=True, meddled=True)
    assert look(installation) == {HOST: Reason.SERVED, ROOT: Reason.SERVED}
    assert served(world, HOST)
    assert served(world, ROOT)
    assert {name: seen.ssl_state for name, seen in shown(world).items()} == {HOST: "SniEnabled", ROOT: "SniEnabled"}
    assert azure_writes(world) == 4
    assert look(installation) == {HOST: Reason.SERVED, ROOT: Reason.SERVED}
    assert azure_writes(world) == 4
    assert installation.findings() == set()
    assert [row["event"] for row in installation.rows("certrollhistory")].count("managed.bound") == 2


def test_binding_names_no_thumbprint(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll binds a managed certificate without a thumbprint, because App Service finds it by the host name."""
    bodies: list[str] = []
    send = requests.adapters.HTTPAdapter.send

    def listening(adapter: object, request: requests.PreparedRequest, **options: object) -> requests.Response:
        if request.method == "PUT" and "/hostNameBindings/" in str(request.url):
            bodies.append(str(request.body))
        return send(adapter, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", listening)
    installation = install(a_world(Knobs(managed_hides_thumbprint=False), root=False).world, watched=True, meddled=True)
    assert look(installation) == {HOST: Reason.SERVED}
    (body,) = bodies
    assert "SniEnabled" in body
    assert "thumbprint" not in body


KNOBS: dict[str, Knobs] = {
    "thumbprints are shown": Knobs(managed_hides_thumbprint=False),
    "issued at once": Knobs(managed_issuance_seconds=0),
    "reads lag by two": Knobs(reads_until_visible=2),
    "front ends take half a minute": Knobs(slow_front_end=30.0),
    "pages of one": Knobs(page_size=1),
    "If-Match is honoured": Knobs(if_match_honoured=True),
}


@pytest.mark.parametrize("name", KNOBS)
def test_every_doubt_about_azure_ends_in_the_same_state(install: Install, name: str) -> None:
    """Certroll requests each managed certificate once and serves it, in each undocumented behaviour of Azure."""
    world = a_world(KNOBS[name], plans=2, root=False).world
    installation = install(world, meddled=True, watched=not KNOBS[name].slow_front_end)
    look_until_served(installation, most=3)
    assert asked(world) == 1
    assert azure_writes(world) == 2


def test_slow_issuing_is_found_by_a_later_look(install: Install) -> None:
    """Certroll requests a slow certificate once, reports the wait, and binds the certificate in a later run."""
    world = a_world(Knobs(managed_issuance_seconds=4000), root=False).world
    installation = install(world, watched=True, meddled=True)
    began = installation.clock.now()
    assert set(look(installation).values()) == {Reason.ISSUING}
    assert installation.clock.now() - began < timedelta(minutes=3), "a run has to end"
    assert ("host name www.contoso.com of shop", "Issuing") in installation.findings()
    look_until_served(installation, most=3)
    assert asked(world) == 1


def test_certificate_that_is_there_already_is_bound(install: Install) -> None:
    """Certroll binds a managed certificate that an operator requested by hand, and requests no second certificate."""
    build = a_world()
    build.add_managed(build.world.web.site_with_host(HOST), HOST, bound=False)  # type: ignore[arg-type]
    installation = install(build.world, watched=True, meddled=True)
    assert look(installation)[HOST] is Reason.SERVED
    assert asked(build.world) == 1


def test_certificate_that_is_taken_away_is_asked_for_again(install: Install) -> None:
    """If an operator deletes a managed certificate, Certroll requests it again while the site keeps its tag."""
    build = a_world(root=False)
    installation = install(build.world, meddled=True)
    look(installation)
    shop = build.world.web.site_with_host(HOST)
    assert shop is not None
    build.world.web.put_site(replace(shop, hosts={**shop.hosts, HOST: Host(HOST, "Disabled", "AB" * 20)}))
    (managed,) = [copy for copy in build.world.web.certificates.values() if copy.managed]
    build.world.web.remove_certificate(managed)
    assert look(installation) == {HOST: Reason.SERVED}
    assert asked(build.world) == 2


def test_slots_own_tag_wins(install: Install) -> None:
    """A site's tag `certroll-managed` also counts for each slot of the site that has no such tag."""
    build = a_world()
    shop = build.world.web.site_with_host(HOST)
    other = build.add_site("other")
    hosts = {}
    for site, name, tags in ((shop, "same", {}), (shop, "untouched", OFF), (other, "alone", ON)):
        slot = build.add_slot(site, name, tags=tags)  # type: ignore[arg-type]
        hosts[name] = f"{name}.contoso.com"
        build.add_host(slot, hosts[name])
        build.add_record(hosts[name], "CNAME", slot.default_host_name)
    installation = install(build.world, watched=True, meddled=True)
    assert set(look(installation)) == {HOST, ROOT, hosts["same"], hosts["alone"]}
    assert served(build.world, hosts["same"])
    assert served(build.world, hosts["alone"])
    assert served(build.world, hosts["untouched"]) is None
    assert set(look(installation)) == {HOST, ROOT, hosts["same"], hosts["alone"]}


def test_own_site_is_given_one_too(install: Install) -> None:
    """Certroll binds a managed certificate to Certroll's own site as well, because a binding restarts no app."""
    world = a_world().world
    subscription = next(iter(world.subscriptions))
    installation = install(world, watched=True, meddled=True, own_site="shop", own_subscription=subscription)
    assert look(installation)[HOST] is Reason.SERVED


# ---------------------------------------------------------------------------------------------------- what is not


def test_observe_mode_says_and_writes_nothing(install: Install) -> None:
    """In observe mode Certroll reports which managed certificates it would request, and writes nothing."""
    world = a_world().world
    installation = install(world, watched=True, mode=Mode.OBSERVE)
    assert look(installation) == {HOST: Reason.OBSERVE_ONLY, ROOT: Reason.OBSERVE_ONLY}
    assert azure_writes(world) == 0
    assert ("host name www.contoso.com of shop", "ObserveOnly") in installation.findings()


@pytest.mark.parametrize("tags", [{}, OFF, {"certroll-managed": "yes"}], ids=["no tag", "off", "another word"])
def test_nobody_asks_so_nothing_is_done(install: Install, tags: dict[str, str]) -> None:
    """Without the tag `certroll-managed: on` Certroll leaves a host name unchanged."""
    world = a_world(tags=tags).world
    installation = install(world)
    assert look(installation) == {}
    assert azure_writes(world) == 0


def test_opt_out_wins(install: Install) -> None:
    """A site with `certroll: off` gets no managed certificate, although its other tags request one."""
    world = a_world(tags={**ON, "certroll": "off"}).world
    installation = install(world)
    assert set(look(installation).values()) == {Reason.OPTED_OUT}
    assert azure_writes(world) == 0
    assert installation.findings() == set()


class Meddled:
    """Certroll's interface to managed certificates, with a writer who acts just before one method's first call."""

    def __init__(self, real: object, before: str, meddle: Callable[[], object]) -> None:
        self._real, self._before, self._left = real, before, [meddle]

    def __getattr__(self, name: str) -> Callable[..., object]:
        def asked(*arguments: object) -> object:
            if name == self._before and self._left:
                self._left.pop()()
            return getattr(self._real, name)(*arguments)

        return asked


def meddled(installation: Installation, before: str, meddle: Callable[[], object]) -> None:
    """Let another writer act once, just before Certroll first calls the named method."""
    port = Meddled(installation.ports.managed, before, meddle)
    installation.ports = replace(installation.ports, managed=port)


def tagged(build: Builder, tags: dict[str, str]) -> Callable[[], object]:
    """Return a function that sets the tags of the site."""
    return lambda: build.world.web.put_site(replace(build.world.web.site_with_host(HOST), tags=tags))  # type: ignore[type-var]


@pytest.mark.parametrize(("before", "written"), [("tier", 0), ("is_done", 1)], ids=["asking", "binding"])
def test_opt_out_of_the_last_moment_wins(install: Install, before: str, written: int) -> None:
    """If an operator opts a site out while Certroll works on the site, Certroll writes nothing more to the site."""
    build = a_world(root=False)
    installation = install(build.world)
    meddled(installation, before, tagged(build, {**ON, "certroll": "off"}))
    assert look(installation) == {HOST: Reason.OPTED_OUT}
    assert azure_writes(build.world) == written


def test_bound_host_names_are_never_touched(install: Install) -> None:
    """A host name that an operator bound to an imported certificate keeps the certificate, by SNI or by address."""
    build = a_world()
    build.add_certificate("web", [HOST, ROOT])
    copy = build.add_copy("web")
    shop = build.add_host(build.world.web.site_with_host(HOST), HOST, copy)  # type: ignore[arg-type]
    build.add_host(shop, ROOT, copy, IP_BASED)
    build.add_managed(shop, HOST, bound=False)
    build.world.clock.advance(AGE)
    before = shown(build.world)
    installation = install(build.world)
    assert look(installation) == {}
    assert shown(build.world) == before
    assert azure_writes(build.world) == 0


def test_binding_of_the_last_moment_is_left_alone(install: Install) -> None:
    """Certroll keeps a binding that an operator made while Azure was issuing the managed certificate."""
    build = a_world(root=False)
    build.add_certificate("web", [HOST])
    copy = build.add_copy("web")
    installation = install(build.world, meddled=True)
    meddled(installation, "is_done", lambda: build.add_host(build.world.web.site_with_host(HOST), HOST, copy))  # type: ignore[arg-type]
    assert look(installation) == {HOST: Reason.BINDING_MOVED}
    assert shown(build.world)[HOST].thumbprint == copy.thumbprint
    assert look(installation) == {}


def test_name_that_is_taken_at_the_last_moment_is_left_alone(install: Install) -> None:
    """Certroll does not change a certificate that an operator created under the needed name during the run."""
    build = a_world(root=False)
    build.add_certificate("web", ["other.contoso.com"])
    installation = install(build.world)
    meddled(installation, "certificate", lambda: build.add_copy("web", name=HOST))
    assert look(installation) == {HOST: Reason.NAME_TAKEN}
    assert azure_writes(build.world) == 0


def test_host_name_that_goes_meanwhile_is_no_failure_of_others(install: Install) -> None:
    """Certroll reports a host name that was removed during the run, and serves the other host name."""
    build = a_world()
    shop = build.world.web.site_with_host(HOST)
    assert shop is not None
    left = {name: host for name, host in shop.hosts.items() if name != HOST}
    installation = install(build.world, watched=True, meddled=True)
    meddled(installation, "host_facts", lambda: build.world.web.put_site(replace(shop, hosts=left)))
    assert look(installation) == {HOST: Reason.REJECTED_BY_AZURE, ROOT: Reason.SERVED}


def test_refusal_at_once_is_told_and_not_repeated(install: Install) -> None:
    """Certroll reports an immediate refusal in Azure's words, and does not repeat the request at once."""
    build = a_world(root=False)
    shop = build.world.web.site_with_host(HOST)
    installation = install(build.world, watched=True, meddled=True)
    meddled(installation, "certificate", lambda: build.world.web.put_site(replace(shop, properties=IN_ENVIRONMENT)))  # type: ignore[type-var]
    assert look(installation) == {HOST: Reason.REJECTED_BY_AZURE}
    assert "App Service Environment" in installation.details()
    assert look(installation) == {HOST: Reason.REJECTED_BY_AZURE}
    assert azure_writes(build.world) == 1


def test_run_that_is_out_of_time_writes_nothing(install: Install) -> None:
    """If a run of Certroll is out of time, the run writes nothing, and the next run does the remaining work."""
    world = a_world(root=False).world
    installation = install(world)
    run = installation.start()
    (found,) = look_after_managed(replace(run, ends_at=run.now()))
    assert (found.reason, azure_writes(world)) == (Reason.OUT_OF_TIME, 0)


def test_handshake_that_no_thread_began_in_time_stops_nothing(install: Install) -> None:
    """If no thread is free for a handshake until the run ends, Certroll says so, and inspects the other host names."""
    world = a_world(root=False).world
    installation = install(world, watched=True, meddled=True)
    assert look(installation) == {HOST: Reason.SERVED}
    begun, over = Event(), Event()
    with Pool(1, "probe") as probes:
        other = Thread(target=probes.map, args=(lambda _: begun.set() or over.wait(30), [0]))
        other.start()
        begun.wait(30)
        try:
            run = replace(installation.start(), probes=probes.within(lambda: 0.05))
            assert {found.reason for found in look_after_managed(run)} == {Reason.OUT_OF_TIME}
        finally:
            over.set()
            other.join()


def test_run_that_ends_during_a_handshake_calls_no_host_unreachable(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a run ends between a new binding and its handshake, Certroll records the binding and blames no server."""
    world = a_world(root=False).world
    installation = install(world, watched=True, meddled=True)

    def ended(*_: object) -> None:
        raise OutOfTime("the time of this run ended during a handshake")

    with monkeypatch.context() as patch:
        patch.setattr(TlsProbe, "served", ended)
        assert look(installation) == {HOST: Reason.OUT_OF_TIME}
    assert [row["event"] for row in installation.rows("certrollhistory")].count("managed.bound") == 1
    assert look(installation) == {HOST: Reason.SERVED}


def test_record_that_leads_elsewhere_gets_no_token(install: Install) -> None:
    """Certroll sends no token to a host in a journal record that is not Azure Resource Manager."""
    build = a_world(root=False)
    installation = install(build.world)
    shop = build.world.web.site_with_host(HOST)
    assert shop is not None
    forged = Issuance(SiteRef.parse(shop.id), HostName(HOST), installation.clock.now(), "https://evil.example/x")
    installation.ports.requests.put_issuance(forged)
    assert look(installation) == {HOST: Reason.ISSUING}
    assert "AnswerUnreadable" in {reason for _, reason in installation.findings()}
    assert "RejectedByAzure" not in {reason for _, reason in installation.findings()}
    assert not any("evil" in entry.host for entry in build.world.journal.entries())


def _cdn(build: Builder) -> None:
    build.world.dns.remove(HOST, "CNAME")
    build.add_record(HOST, "CNAME", "contoso.azureedge.net")


def _address(build: Builder) -> None:
    build.add_record(ROOT, "A", "9.9.9.9")


def _caa(build: Builder) -> None:
    build.world.dns.remove(ROOT, "CAA")
    build.add_record(ROOT, "CAA", '0 issue "letsencrypt.org"')


def _silent(build: Builder) -> None:
    build.world.dns.trouble(HOST, "servfail")


def _unverified(build: Builder) -> None:
    _change_host(build, host_name_type="Unverified")


def _traffic_manager(build: Builder) -> None:
    _change_host(build, resource_type="TrafficManager")


def _change_host(build: Builder, **changes: object) -> None:
    shop = build.world.web.site_with_host(HOST)
    assert shop is not None
    hosts = {name: replace(host, **changes) for name, host in shop.hosts.items()}  # type: ignore[arg-type]
    build.world.web.put_site(replace(shop, hosts=hosts))


def _free(build: Builder) -> None:
    plan = next(build.world.web.plans.values())
    build.world.web.plans.put(plan.id, replace(plan, sku="F1"))


def _environment(build: Builder) -> None:
    shop = build.world.web.site_with_host(HOST)
    assert shop is not None
    build.world.web.put_site(replace(shop, properties=IN_ENVIRONMENT))


def _taken(build: Builder) -> None:
    build.add_certificate("web", ["other.contoso.com"])
    build.add_copy("web", name=HOST)


def _elsewhere(build: Builder) -> None:
    linux = build.add_plan("linux", linux=True)
    before = build.add_managed(build.add_site("before", linux), HOST, bound=False)
    build.world.web.put_certificate(replace(before, webspace=linux.webspace))


@pytest.mark.parametrize(
    ("hinder", "expected"),
    [
        pytest.param(_cdn, {HOST: Reason.CNAME_NOT_DIRECT}, id="a CDN in front"),
        pytest.param(_address, {ROOT: Reason.NOT_THE_APPS_ADDRESS}, id="another address"),
        pytest.param(_caa, {HOST: Reason.CAA_FORBIDS, ROOT: Reason.CAA_FORBIDS}, id="CAA"),
        pytest.param(_silent, {HOST: Reason.DNS_NOT_SEEN}, id="a name server that fails"),
        pytest.param(_traffic_manager, {ROOT: Reason.BEHIND_TRAFFIC_MANAGER}, id="Traffic Manager at the root"),
        pytest.param(_unverified, {HOST: Reason.HOST_NOT_VERIFIED, ROOT: Reason.HOST_NOT_VERIFIED}, id="not verified"),
        pytest.param(_free, {HOST: Reason.TIER_TOO_LOW, ROOT: Reason.TIER_TOO_LOW}, id="a free plan"),
        pytest.param(_environment, {HOST: Reason.IN_ENVIRONMENT, ROOT: Reason.IN_ENVIRONMENT}, id="an environment"),
        pytest.param(_taken, {HOST: Reason.NAME_TAKEN}, id="the name is taken"),
        pytest.param(_elsewhere, {HOST: Reason.NAME_TAKEN}, id="it is in another webspace"),
    ],
)
def test_azure_is_not_asked_in_vain(
    install: Install, hinder: Callable[[Builder], None], expected: dict[str, Reason]
) -> None:
    """If a prerequisite is missing, Certroll names it in a finding and requests no certificate for that host name.

    If one host name of a site lacks a prerequisite, the site's other host name still gets its managed certificate.
    """
    build = a_world()
    hinder(build)
    installation = install(build.world, watched=True, meddled=True)
    assert look(installation) == {HOST: Reason.SERVED, ROOT: Reason.SERVED} | expected
    assert asked(build.world) == 2 - len(expected)
    reported = {(f"host name {host} of shop", str(reason)) for host, reason in expected.items()}
    assert installation.findings() == reported


# -------------------------------------------------------------------------------------------------- what goes wrong

ARM = "management"
CERTIFICATE = r"/certificates/[^/]+$"
BINDING = r"/hostNameBindings/"
OPERATION = r"/operationresults/"
FAULTS: dict[str, Callable[[], Fault]] = {
    "asking is throttled": lambda: Fault("throttle", "PUT", path=CERTIFICATE, bucket=0, refill=0.1, times=2),
    "asking is lost before it is heard": lambda: Fault("dropped", "PUT", path=CERTIFICATE),
    "asking is heard and the answer lost": lambda: Fault("dropped", "PUT", path=CERTIFICATE, applied=True),
    "asking is heard and answers 504": lambda: Fault("applied_but_lost", "PUT", path=CERTIFICATE),
    "asking is denied": lambda: Fault("denied", "PUT", path=CERTIFICATE),
    "polling fails": lambda: Fault("server_error", "GET", path=OPERATION, status=500, times=3),
    "polling is denied": lambda: Fault("denied", "GET", path=OPERATION),
    "binding is locked": lambda: Fault("site_lock", "PUT", path=BINDING, times=3),
    "binding is done and answers 504": lambda: Fault("applied_but_lost", "PUT", path=BINDING),
    "binding is denied": lambda: Fault("denied", "PUT", path=BINDING),
    "lists are throttled": lambda: Fault("throttle", "GET", ARM, bucket=2, refill=0.5, times=4),
    "lists are stale": lambda: Fault("stale_list", "GET", path=r"/(sites|certificates)$", times=4, writes=2),
    "Azure is down for minutes": lambda: Fault("server_error", "PUT", path=BINDING, status=503, times=15),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_ends_in_the_same_state(install: Install, name: str) -> None:
    """A fault of Azure or the network only delays the managed certificate, which Certroll requests and binds once."""
    world = a_world(root=False).world
    installation = install(world, meddled=True)
    fault = FAULTS[name]()
    world.faults.add(fault)
    look_until_served(installation)
    assert fault.strikes, "the fault never struck"
    assert asked(world) == 1
    assert served(world, HOST)


def test_lost_answer_is_not_asked_for_again(install: Install) -> None:
    """If Azure's answer to the request is lost, Certroll finds the issued certificate without a second request."""
    world = a_world(root=False).world
    installation = install(world, watched=True, meddled=True)
    world.faults.add(FAULTS["asking is heard and answers 504"]())
    look_until_served(installation, most=2)
    assert azure_writes(world) == 2, "one for the certificate, one for the binding"


def test_site_with_silos_gets_no_managed_certificate(install: Install) -> None:
    """Certroll requests and binds no managed certificate for a site that runs in several regions, and says so."""
    build = a_world(root=False)
    (shop,) = build.world.web.sites.values()
    build.world.web.put_site(replace(shop, properties={"silos": [{"name": "eastus"}]}))
    installation = install(build.world, watched=True)
    assert look(installation) == {HOST: Reason.SITE_WITH_SILOS}
    assert azure_writes(build.world) == 0
    assert installation.findings() == {(f"host name {HOST} of shop", "SiteWithSilos")}


def test_operation_that_may_not_be_read_holds_up_nothing(install: Install) -> None:
    """Without the right to read Azure's operations Certroll finds the issued certificate itself and binds it."""
    world = a_world(root=False).world
    installation = install(world, watched=True, meddled=True)
    world.faults.add(Fault("denied", "GET", path=OPERATION, times=None))
    assert look(installation) == {HOST: Reason.SERVED}


def test_operation_that_may_not_be_read_is_told_while_nothing_is_issued(install: Install) -> None:
    """Without the right to read Azure's operations, Azure's refusal stays unseen, and a finding names the right."""
    build = a_world(root=False)
    build.world.dns.remove(HOST, "CNAME")
    installation = install(build.world, watched=True, meddled=True)
    installation.ports = replace(installation.ports, dns=Elsewhere())
    build.world.faults.add(Fault("denied", "GET", path=OPERATION, times=None))
    assert look(installation) == {HOST: Reason.ISSUING}
    subject = f"host name {HOST} of shop"
    assert {(subject, "Issuing"), (subject, "DeniedByAzure")} <= installation.findings()
    assert "whether Azure refuses the managed certificate" in installation.details()
    assert "docs/reference/roles.md" in installation.details()
    assert asked(build.world) == 1


@pytest.mark.real_storage
@pytest.mark.real_transport
def test_two_instances_ask_once(install: Install, two_ports: tuple[Ports, Ports]) -> None:
    """Certroll does not repeat a certificate request that another instance has sent during its run."""
    build = a_world(Knobs(managed_issuance_seconds=4000), root=False)
    installation = install(build.world, watched=True, meddled=True)
    other = installation.another_instance(two_ports[1])
    meddled(installation, "tier", lambda: look(other))
    assert look(installation) == {HOST: Reason.ISSUING}
    assert azure_writes(build.world) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault("denied", "PUT", path=CERTIFICATE, times=4), Fault("denied", "PUT", path=BINDING, times=4)],
    ids=["asking", "binding"],
)
def test_right_that_is_missing_is_told(install: Install, fault: Fault) -> None:
    """A finding names a missing role in Azure's own words until an operator grants the role."""
    world = a_world().world
    installation = install(world, watched=True, meddled=True)
    world.faults.add(replace(fault))
    assert set(look(installation).values()) == {Reason.DENIED_BY_AZURE}
    assert "AuthorizationFailed" in installation.details()
    assert set(look(installation).values()) == {Reason.DENIED_BY_AZURE}, "told as long as it lasts"
    assert set(look(installation).values()) == {Reason.SERVED}, "and done once the role is there"


@pytest.mark.parametrize("path", ["/certificates$", "/sites$", "/slots$"])
def test_list_that_is_denied_is_told(install: Install, path: str) -> None:
    """If Azure denies a list of certificates, sites or slots, Certroll reports that it cannot read the list."""
    build = a_world(Knobs(managed_issuance_seconds=4000), root=False)
    build.add_slot(build.world.web.site_with_host(HOST), "staging")  # type: ignore[arg-type]
    installation = install(build.world)
    build.world.faults.add(Fault("denied", "GET", path=path))
    assert set(look(installation).values()) <= {Reason.ISSUING}
    assert "BlindSpot" in {reason for _, reason in installation.findings()}


class Elsewhere:
    """DNS of a network whose answers differ from the simulation's DNS."""

    def ask(self, name: str, kind: RecordKind) -> DnsAnswer:
        """Return answers by which every name is a CNAME of the app."""
        if kind is RecordKind.CNAME:
            return DnsAnswer(name, kind, Seen.RECORDS, ("shop.azurewebsites.net",))
        return DnsAnswer(name, kind, Seen.NO_RECORDS)


def test_refusal_of_azure_is_told_and_not_repeated_at_once(install: Install) -> None:
    """Certroll reports a refusal after the answer 202 in Azure's words, and repeats the request only hours later."""
    build = a_world(root=False)
    build.world.dns.remove(HOST, "CNAME")
    installation = install(build.world, watched=True, meddled=True)
    installation.ports = replace(installation.ports, dns=Elsewhere())
    for _ in range(5):
        assert look(installation) == {HOST: Reason.REJECTED_BY_AZURE}
        installation.clock.advance(HOUR)
    assert asked(build.world) == 1
    assert "does not have a CNAME record" in installation.details()
    build.add_record(HOST, "CNAME", "shop.azurewebsites.net")
    look_until_served(installation, most=3)
    assert asked(build.world) == 2


@pytest.mark.real_storage
def test_site_that_another_instance_writes_is_left_for_later(install: Install) -> None:
    """Certroll writes nothing to a site while another instance of Certroll has the site's lease."""
    world = a_world().world
    installation = install(world, watched=True, meddled=True)
    site = world.web.site_with_host(HOST)
    assert site is not None
    with installation.ports.leases.hold(f"site {SiteRef.parse(site.id).resource_id}"):
        assert set(look(installation).values()) == {Reason.BUSY}
    assert azure_writes(world) == 0
    assert look(installation)[HOST] is Reason.SERVED


class Losing:
    """Leases that simulate a loss: Certroll's n-th lease passes to another instance before Certroll is done."""

    def __init__(self, leases: Leases, nth: int) -> None:
        """Build leases of which Certroll loses the lease that it takes as its `nth`."""
        self._leases, self._left = leases, nth

    @contextmanager
    def hold(self, name: str) -> Iterator[Lease]:
        """Yield the simulated lease of the given name."""
        with self._leases.hold(name) as lease:
            self._left -= 1
            if self._left == 0:
                self._leases.break_all()  # type: ignore[attr-defined]
                lease.renew()  # type: ignore[attr-defined]
            yield lease


@pytest.mark.parametrize(("nth", "written"), [(1, 0), (2, 1)], ids=["before Azure is asked", "before the binding"])
def test_who_lost_the_lease_of_a_site_writes_nothing_more(install: Install, nth: int, written: int) -> None:
    """If another instance takes a site's lease, a run of Certroll stops writing, and the next run finishes the work."""
    world = a_world(root=False).world
    installation = install(world, meddled=True)
    leases = installation.ports.leases
    installation.ports = replace(installation.ports, leases=Losing(leases, nth))
    with pytest.raises(ExceptionGroup) as lost:
        look(installation)
    assert [type(error) for error in lost.value.exceptions] == [LeaseLost]
    assert azure_writes(world) == asked(world) == written
    assert len(installation.rows("certrolljournal")) == written, "the request is known until its certificate is bound"
    installation.ports = replace(installation.ports, leases=leases)
    assert look(installation)[HOST] is Reason.SERVED
    assert installation.rows("certrolljournal") == []


def test_a_crash_after_any_write_leads_to_the_same_end(install: Install, crasher: Crasher) -> None:
    """After a crash at any write the next runs do not repeat the certificate request, and serve the certificate."""
    for write in range(1, MOST_WRITES + 1):
        build = a_world(root=False)
        installation = install(build.world, watched=True, meddled=True)
        died = False
        with crasher.crashing_after(write):
            try:
                look(installation)
            except Crash:
                died = True
        installation.storage.break_leases()
        look_until_served(installation)
        assert asked(build.world) == 1, f"after a crash at write {write}"
        assert azure_writes(build.world) == 2, f"after a crash at write {write}"
        assert served(build.world, HOST), f"after a crash at write {write}"
        if not died:
            break
    else:
        pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")
    assert write > 4, "hardly anything was written: the loop did not look"


# ------------------------------------------------------------------------------------------------- what comes later


def with_managed(*, tags: dict[str, str] = OFF, hidden: bool = True) -> Builder:
    """Return a fleet in which an operator bound a managed certificate by hand, on a site without the tag."""
    build = a_world(tags=tags, root=False)
    build.add_managed(build.world.web.site_with_host(HOST), HOST, hidden=hidden)  # type: ignore[arg-type]
    build.world.clock.advance(AGE)
    return build


@pytest.mark.parametrize("hidden", [True, False], ids=["thumbprint hidden", "thumbprint shown"])
def test_azure_renews_and_nobody_is_told(install: Install, hidden: bool) -> None:  # noqa: FBT001
    """Certroll reports no problem while Azure renews a managed certificate in time."""
    build = with_managed(hidden=hidden)
    installation = install(build.world)
    first = served(build.world, HOST)
    for _ in range(8):
        assert look(installation) == {HOST: Reason.SERVED}
        installation.clock.advance(25 * DAY)
        build.world.nightly_sync()
    assert served(build.world, HOST) not in {None, first}
    assert installation.findings() == set()
    assert azure_writes(build.world) == 0


def test_renewal_that_will_not_come_is_told_with_its_cause(install: Install) -> None:
    """Before a renewal that will fail, Certroll reports the missing prerequisite, the days left and the DNS record."""
    build = with_managed()
    installation = install(build.world)
    _cdn(build)
    installation.clock.advance(150 * DAY)
    build.world.nightly_sync()
    assert look(installation) == {HOST: Reason.SERVED}
    installation.clock.advance(5 * DAY)
    assert look(installation) == {HOST: Reason.CNAME_NOT_DIRECT}
    assert "25 days from now" in installation.details()
    assert f"{HOST}. CNAME shop.azurewebsites.net." in installation.details()


def test_renewal_that_should_have_come_is_told(install: Install) -> None:
    """Certroll reports a managed certificate that Azure fails to renew although every prerequisite is fulfilled."""
    build = with_managed()
    installation = install(build.world)
    installation.clock.advance(160 * DAY)
    assert look(installation) == {HOST: Reason.NOT_RENEWED}
    assert "support case" in installation.details()


def test_slot_is_watched_though_nobody_asks(install: Install) -> None:
    """Certroll checks the managed certificate of a slot even without a tag."""
    build = a_world(tags=OFF, root=False)
    slot = build.add_slot(build.world.web.site_with_host(HOST), "staging")  # type: ignore[arg-type]
    build.add_managed(slot, STAGING)
    installation = install(build.world)
    assert look(installation) == {STAGING: Reason.SERVED}


def test_expired_one_is_still_told_of(install: Install) -> None:
    """Certroll reports an expired managed certificate and requests no new certificate."""
    build = with_managed(tags=ON)
    installation = install(build.world)
    _caa(build)
    installation.clock.advance(200 * DAY)
    assert look(installation) == {HOST: Reason.CAA_FORBIDS}
    assert asked(build.world) == 0


def test_host_name_that_shows_something_else_is_told(install: Install) -> None:
    """Certroll detects by a handshake that a front end does not serve the managed certificate."""
    build = with_managed()
    shop = build.world.web.site_with_host(HOST)
    assert shop is not None
    lost = {**shop.hosts, HOST: Host(HOST, "SniEnabled", "AB" * 20, hidden=True)}
    build.world.web.put_site(replace(shop, hosts=lost))
    build.world.clock.advance(AGE)
    installation = install(build.world)
    assert look(installation) == {HOST: Reason.SERVED_ANOTHER}


def test_address_that_nobody_reaches_is_told(install: Install) -> None:
    """If no handshake succeeds, Certroll reports that the end date of the managed certificate is unknown."""
    build = with_managed()
    installation = install(build.world)
    installation.ports = replace(installation.ports, tls_probe=_Nowhere(installation.ports.tls_probe))
    assert look(installation) == {HOST: Reason.UNREACHABLE}
    assert "does not know when" in installation.details()


class _Nowhere:
    """A TLS probe that connects to an address which does not exist."""

    def __init__(self, real: object) -> None:
        self._real = real

    def served(self, host_name: object, _: str, give_up: object) -> object:
        """Connect to an invalid host instead of the given address."""
        return self._real.served(host_name, "nowhere.invalid", give_up)  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------------- the rest of Certroll


@pytest.mark.parametrize("hidden", [True, False], ids=["thumbprint hidden", "thumbprint shown"])
def test_renewals_of_vaults_pass_managed_certificates_by(install: Install, hidden: bool) -> None:  # noqa: FBT001
    """A managed certificate in the same webspace does not disturb the renewal of a vault certificate."""
    world = small_world()
    build = Builder(world)
    shop = world.web.site_with_host("shop.contoso.com")
    assert shop is not None
    build.add_managed(shop, "free.contoso.com", hidden=hidden)
    world.clock.advance(AGE)
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert installation.errors == []
    assert set(installation.states().values()) == {"Proven"}
    assert not any("free" in subject for subject, _ in installation.findings())


def test_a_fleet_without_managed_certificates_costs_three_lists(install: Install) -> None:
    """Without managed certificates Certroll's check sends three requests per subscription, here for 60 sites."""
    build = Builder(World(Clock()))
    for number in range(60):
        site = build.add_site(f"site-{number}")
        build.add_host(site, f"host-{number}.contoso.com")
        build.add_slot(site, "staging")
    installation = install(build.world)
    look(installation)
    build.world.journal.clear()
    look(installation)
    arm = build.world.journal.reads("management.azure.com")
    pages = {entry.path.rpartition("/")[2] for entry in arm}
    assert pages == {"subscriptions", "certificates", "sites", "resources"}
    assert len(arm) == 4


def test_what_is_asked_for_costs_little(install: Install) -> None:
    """A site whose host names lack a prerequisite of a managed certificate costs two more requests per run."""
    build = a_world()
    _cdn(build)
    _address(build)
    installation = install(build.world)
    look(installation)
    build.world.journal.clear()
    look(installation)
    paths = [entry.path.rpartition("/")[2] for entry in build.world.journal.reads("management.azure.com")]
    assert sorted(paths) == ["certificates", "hostNameBindings", "plan-0", "resources", "sites", "subscriptions"]
