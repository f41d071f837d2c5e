"""Check that Certroll undoes no change of other writers, and that one failure delays nothing else."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import IP_BASED, Site
from local.azure.world import World
from local.patience import HANG
from local.stand import Stand
from local.worlds.builders import Builder
from shared.clients.storage import leases
from shared.clients.storage.leases import SAFE_SECONDS, HeldLease
from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import LeaseLost
from shared.domain.fleet.app_settings import AppSettings, SiteSettings
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.handshake import Handshake
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import ServerFarm
from shared.domain.fleet.sites import Site as SeenSite
from shared.domain.intent import Intent, Mode
from shared.domain.names import CopyRef, HostName, SiteRef, Thumbprint, VaultCertificateRef, VaultName, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.plan import Plan
from tests.build import facts as good
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation, Message
from tests.scenarios.worlds import MOVING, VAULT, after_renewal, renew, shown, small_world, writes

SECOND = ("shop.contoso.com", "staging.contoso.com", "www.contoso.com")
SOON = timedelta(hours=1)


def _site(world: World, name: str) -> Site:
    return next(site for site in world.web.sites.values() if site.full_name == name)


def _copy(world: World, name: str) -> Certificate:
    return next(copy for copy in world.web.certificates.values() if copy.name == name)


def _add_webspace(world: World, name: str) -> Certificate:
    """Add a webspace with one binding that shows the shared vault certificate; return the imported certificate."""
    build = Builder(world)
    plan = build.add_plan(name, build.add_group(name))
    copy = build.add_copy("web", plan)
    build.add_host(build.add_site(f"site-{name}", plan), f"{name}.contoso.com", copy)
    world.clock.advance(timedelta(days=2))
    return copy


def _while_waiting(monkeypatch: pytest.MonkeyPatch, world: World, change: Callable[[], None]) -> None:
    """Let an operator make a change while Certroll waits after the first fault."""
    sleep, left = world.clock.sleep, [change]

    def sleeping(seconds: float) -> None:
        sleep(seconds)
        if left and any(fault.strikes for fault in world.faults.all()):
            left.pop()()

    monkeypatch.setattr(world.clock, "sleep", sleeping)


def _next(installation: Installation) -> Message:
    message = installation.queue.take(installation.clock.now() + SOON)
    assert message is not None
    return message


def _deliver_until(installation: Installation, reached: Callable[[], bool]) -> None:
    while not reached():
        installation.deliver(_next(installation))


# ------------------------------------------------------------------------------------------------- others write


def test_a_binding_that_became_ip_based_during_a_lock_keeps_its_address(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Certroll repeats a locked write, it reads the binding again and keeps a new kind and address."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, meddled=True)
    before, new = shown(world), renew(world)
    address = world.web.new_address()

    def change() -> None:
        site = _site(world, "api")
        host = replace(site.hosts["api.contoso.com"], ssl_state=IP_BASED, virtual_ip=address)
        world.web.put_site(replace(site, hosts={**site.hosts, host.name: host}))

    world.faults.add(Fault("site_lock", "PUT", path=r"/hostNameBindings/api", retry_after=20))
    _while_waiting(monkeypatch, world, change)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    expected = after_renewal(before, new)
    expected["api.contoso.com"] = expected["api.contoso.com"]._replace(ssl_state=IP_BASED, address=address)
    assert shown(world) == expected
    assert ("binding api.contoso.com of api", "BindingMoved") in installation.findings()


def test_a_binding_that_was_given_another_certificate_during_a_lock_keeps_it(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Certroll repeats a locked write, it reads the binding again and keeps an operator's certificate."""
    world = small_world(Knobs(sync_moves_bindings=False))
    linux = next(plan for plan in world.web.plans.values() if plan.linux)
    other = Builder(world).add_copy("other", linux, name="other-linux")
    installation = install(world, meddled=True)
    before = shown(world)
    renew(world)
    world.faults.add(Fault("site_lock", "PUT", path=r"/hostNameBindings/api", retry_after=20))
    _while_waiting(
        monkeypatch, world, lambda: Builder(world).add_host(_site(world, "api"), "api.contoso.com", other) and None
    )
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=10))
    assert shown(world)["api.contoso.com"] == before["api.contoso.com"]._replace(thumbprint=other.thumbprint)


def test_a_tag_that_came_to_a_copy_during_a_lock_stays(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Certroll repeats a locked sync, it reads the certificate again and keeps a tag that was added."""
    world = small_world()
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    world.faults.add(Fault("site_lock", "PUT", path=r"/certificates/web-linux", retry_after=20))
    tags = {"owner": "somebody"}
    _while_waiting(
        monkeypatch, world, lambda: world.web.put_certificate(replace(_copy(world, "web-linux"), tags=tags)) and None
    )
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert dict(_copy(world, "web-linux").tags) == tags
    assert shown(world) == after_renewal(before, new)


class _InterruptedProbe:
    """A TLS probe that lets another event happen during its first handshake, and remembers all results."""

    def __init__(self, installation: Installation, happens: Callable[[], None]) -> None:
        self._inner = installation.ports.tls_probe
        self._happens = [happens]
        self.seen: list[Handshake] = []

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Handshake:
        handshake = self._inner.shows(host_name, address, expected, give_up)
        self.seen.append(handshake)
        if self._happens:
            self._happens.pop()()
        return handshake


@pytest.mark.real_storage
def test_a_late_result_of_an_older_version_opens_nothing_for_a_newer_one(install: Install) -> None:
    """A late handshake with an older version does not let an untested newer version reach the other webspaces."""
    world = small_world()
    installation = install(world, watched=True)
    before, plain = shown(world), installation.ports
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver(_next(installation))
    late = _next(installation)
    assert late.queue == "sites"

    def newer_is_dispatched() -> None:
        world.clock.sleep(60)
        newer = renew(world)
        installation.look_at(VAULT, "web")
        _deliver_until(installation, lambda: shown(world)["api.contoso.com"].thumbprint == newer)
        world.knobs.slow_front_end = timedelta(days=1).total_seconds()

    installation.ports = replace(plain, tls_probe=_InterruptedProbe(installation, newer_is_dispatched))
    installation.deliver(late)
    installation.ports = plain
    assert installation.states() == {"api": "Pending"}
    installation.deliver_all(timedelta(minutes=50))
    assert installation.states() == {"api": "Failed"}
    assert all(shown(world)[name] == before[name] for name in SECOND)


@pytest.mark.parametrize("queue", ["certificates", "sites"])
def test_a_message_for_a_vault_that_is_not_ours_is_not_obeyed(install: Install, queue: str) -> None:
    """Certroll reports a message for a vault that its settings do not name, and does not read that vault."""
    world = small_world()
    installation = install(world, watched=True, vaults=frozenset({VaultName("only-this-one")}))
    renew(world)
    fields = {"v": 1, "vault": VAULT, "kind": "certificate", "name": "web", "waits": 0}
    extra = {"cause": "event"} if queue == "certificates" else {"site": _site(world, "api").id}
    world.journal.clear()
    installation.queue.put(queue, json.dumps(fields | extra))
    installation.deliver_all()
    assert installation.findings() == {(f"{VAULT}/web", "UnknownVault")}
    assert world.journal.entries() == ()
    assert installation.errors == []


@pytest.mark.parametrize("moves", [True, False])
def test_a_certificate_made_again_under_its_name_reaches_the_bindings_stage_by_stage(
    install: Install, *, moves: bool
) -> None:
    """A certificate that was deleted and created again under its name reaches one webspace before the others."""
    world = small_world(Knobs(sync_moves_bindings=moves))
    installation = install(world, watched=True)
    before = shown(world)
    del world.vaults[VAULT].certificates["web"]
    version = Builder(world).add_certificate("web", ("*.contoso.com", "contoso.com"), created=world.clock.now())
    installation.look_at(VAULT, "web")
    installation.deliver(_next(installation))
    assert all(shown(world)[name] == before[name] for name in SECOND)
    installation.deliver_all()
    assert shown(world) == after_renewal(before, version.thumbprint)
    assert installation.states() == {"api": "Proven", "shop": "Proven", "shop/slots/staging": "Proven"}


def test_two_vault_certificates_with_each_others_versions_move_nothing_of_each_other(install: Install) -> None:
    """Certroll reports a binding that may belong to either of two vault certificates, and does not change it."""
    world = small_world(Knobs(sync_moves_bindings=False))
    build, vault = Builder(world), world.vaults[VAULT]
    first = vault.certificates["web"].newest
    renew(world)
    world.nightly_sync()
    second = vault.certificates["web"].newest
    build.add_certificate("web2", ("*.contoso.com", "contoso.com"))
    now = world.clock.now()
    vault.certificates["web2"].versions[:] = [
        replace(second, created=now - timedelta(days=1)),
        replace(first, created=now),
    ]
    build.add_copy("web2", next(plan for plan in world.web.plans.values() if not plan.linux))
    build.add_host(_site(world, "shop"), "www.contoso.com", first)
    installation = install(world, watched=True)
    before = shown(world)
    for _ in range(3):
        installation.sweep()
        installation.deliver_all(timedelta(minutes=50))
    assert shown(world) == before
    assert writes(world) == 0
    told = installation.findings()
    assert ("binding shop.contoso.com of shop", "AmbiguousLineage") in told
    assert ("binding www.contoso.com of shop", "AmbiguousLineage") in told


def test_a_slot_is_spared_when_its_site_opts_out_after_the_dispatch(install: Install) -> None:
    """Certroll leaves a slot unchanged if an operator opts the slot's site out at any time before the write."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    _deliver_until(installation, lambda: len(installation.states()) == 3)
    world.web.put_site(replace(_site(world, "shop"), tags={"certroll": "off"}))
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert ("binding staging.contoso.com of shop/staging", "OptedOut") in installation.findings()


# --------------------------------------------------------------------------------------------- something fails


def test_a_webspace_that_never_settles_does_not_hold_up_the_others(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certroll reports a webspace that keeps its old certificate after a sync, and renews in the other webspaces."""
    world = small_world(Knobs(sync_moves_bindings=False))
    stuck = _add_webspace(world, "aaa")
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    app_service = installation.ports.app_service
    real = app_service.import_certificate
    monkeypatch.setattr(
        app_service,
        "import_certificate",
        lambda copy, plan: None if copy.ref.resource_group == "aaa" else real(copy, plan),
    )
    _carried_past(installation, stuck, "NotSettled")
    assert shown(world) == after_renewal(before, new)


def test_a_webspace_whose_sync_answers_404_does_not_hold_up_the_others(install: Install) -> None:
    """Certroll reports a webspace whose sync answers 404, and renews in the other webspaces."""
    world = small_world(Knobs(sync_moves_bindings=False))
    stuck = _add_webspace(world, "aaa")
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    world.faults.add(Fault("server_error", "PUT", path=rf"/certificates/{stuck.name}", status=404, times=None))
    _carried_past(installation, stuck, "RejectedByAzure")
    assert shown(world) == after_renewal(before, new)


def _carried_past(installation: Installation, stuck: Certificate, reason: str) -> None:
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=30))
    for _ in range(2):
        installation.clock.sleep(SOON.total_seconds())
        installation.sweep()
        installation.deliver_all(timedelta(minutes=50))
    subject = f"certificate {stuck.resource_group}/{stuck.name} in {stuck.webspace.name.lower()}"
    assert (subject, reason) in installation.findings()
    assert installation.errors == []


def test_a_bind_that_answers_404_does_not_stop_the_sites_other_host_names(install: Install) -> None:
    """If writing one binding answers 404, Certroll reports that binding and moves the site's other host names."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    world.faults.add(Fault("server_error", "PUT", path=r"/hostNameBindings/shop\.", status=404, times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, tuple(name for name in MOVING if name != "shop.contoso.com"))
    assert ("binding shop.contoso.com of shop", "RejectedByAzure") in installation.findings()
    assert "NoSuchSite" not in {reason for _, reason in installation.findings()}


def test_a_copy_that_names_no_hosts_is_not_taken_to_serve_none(install: Install) -> None:
    """If Azure does not return a certificate's host names, Certroll refuses a sync that would uncover a bound name."""
    world = small_world()
    copy = next(c for c in world.web.certificates.values() if c.name == "contoso-contoso-kv-web")
    world.web.put_certificate(replace(copy, content=replace(copy.content, host_names=())))
    installation = install(world, watched=True)
    before = shown(world)
    new = renew(world, host_names=("api.contoso.com", "shop.contoso.com", "www.contoso.com"))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert (f"certificate contoso/{copy.name} in {copy.webspace.name.lower()}", "NotCovered") in installation.findings()


# ---------------------------------------------------------------------------------------------------- time runs


FORGOTTEN: dict[str, tuple[int, dict[str, str] | None]] = {
    "nothing": (60, None),
    "expired, and opted out": (60, {"certroll": "off"}),
    "about to expire, and opted out": (26, {"certroll": "off"}),
    "expired, and to be moved": (60, {}),
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_a_forgotten_binding_does_not_switch_the_soak_off(
    install: Install, stand: Stand, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An expired or excluded binding does not make Certroll skip the waiting time between webspaces."""
    days, tags = FORGOTTEN[name]
    world = small_world()
    build = Builder(world)
    first = world.vaults[VAULT].certificates["web"].newest
    windows = next(plan for plan in world.web.plans.values() if not plan.linux)
    renew(world)
    world.nightly_sync()
    if tags is not None:
        build.add_host(build.add_site("museum", windows, tags=tags), "museum.contoso.com", first)
    world.clock.advance(timedelta(days=days))
    installation = install(world, meddled=True)
    monkeypatch.setattr(stand.proxy, "resolve", lambda _: None)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=45))
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))


def test_out_of_time_after_a_sync_its_sites_are_on_their_way(install: Install) -> None:
    """If a run ends right after a certificate's sync, the bindings still move within two minutes."""
    world = small_world(Knobs(sync_moves_bindings=False))
    for name in ("aaa", "bbb"):
        _add_webspace(world, name)
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    _deliver_until(installation, lambda: "Proven" in installation.states().values())
    world.faults.add(Fault("latency", "PUT", path=r"/certificates/", times=None, seconds=500.0))
    _deliver_until(installation, lambda: world.faults.all()[0].strikes == 1)
    world.faults.clear()
    synced = world.clock.now()
    assert installation.states()["site-bbb"] == "Pending"
    assert "shop" not in installation.states()
    _deliver_until(installation, lambda: shown(world)["bbb.contoso.com"].thumbprint == new)
    assert world.clock.now() - synced < timedelta(minutes=2)
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (*MOVING, "aaa.contoso.com", "bbb.contoso.com"))


class _HangingLease:
    """A lease whose first renewals take some seconds each, and whose next renewal hangs."""

    def __init__(self, clock: SimpleNamespace, durations: tuple[float, ...]) -> None:
        self._clock = clock
        self._durations = list(durations)
        self.hangs, self.answered = threading.Event(), threading.Event()

    def renew(self) -> None:
        if self._durations:
            self._clock.seconds += self._durations.pop(0)
            return
        self.hangs.set()
        self.answered.wait()

    def release(self) -> None:
        """Do nothing, because a simulated lease needs no release in storage."""


def _check_with(monkeypatch: pytest.MonkeyPatch, durations: tuple[float, ...], later: float) -> None:
    """Check a lease after renewals with the given durations, while the next renewal hangs for `later` seconds."""
    clock = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    monkeypatch.setattr(leases, "RENEW_EVERY_SECONDS", 0.0)
    hanging = _HangingLease(clock, durations)
    held = HeldLease("site x", hanging, clock.seconds)  # type: ignore[arg-type]
    try:
        assert hanging.hangs.wait(HANG)
        clock.seconds += later
        held.check()
    finally:
        held._released.set()
        hanging.answered.set()
        held.release()


def test_a_lease_whose_renewal_hangs_is_not_taken_for_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the renewal of a lease hangs, Certroll counts the lease's age from the last renewal that succeeded."""
    with pytest.raises(LeaseLost, match="site x"):
        _check_with(monkeypatch, (), SAFE_SECONDS + 1)


def test_a_renewal_counts_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The age of a lease counts from the beginning of its last renewal, when storage may have granted it."""
    with pytest.raises(LeaseLost, match="site x"):
        _check_with(monkeypatch, (SAFE_SECONDS - 1,), 2.0)


def test_a_lease_that_is_renewed_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that renews its lease keeps the lease, however long the holder's work takes."""
    _check_with(monkeypatch, (SAFE_SECONDS - 1,) * 5 + (0.0,), SAFE_SECONDS - 1)


def _large_fleet(sites: int, hosts: int) -> Snapshot:
    """Return one webspace with sites that have stale bindings and settings, and a certificate with twenty versions."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    subscription = "00000000-0000-0000-0000-000000000001"
    ref = VaultCertificateRef.parse(VAULT, "certificate", "web")
    webspace = Webspace(subscription, "w")
    facts = good("*.contoso.com")
    current, old, *older = (
        CertificateVersion(
            f"v{age}",
            Thumbprint(f"{age:040X}"),
            now,
            now + timedelta(days=100 - age),
            enabled=True,
            created=now - timedelta(days=age),
            facts=None if age else facts,
        )
        for age in range(20)
    )
    refs = [SiteRef(subscription, "g", f"s{number}") for number in range(sites)]
    farm = f"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Web/serverfarms/p"
    copy = CopyRef(subscription, "g", "web")
    fleet = Fleet(
        now,
        tuple(SeenSite(site, webspace, HostName(f"{site.name}.azurewebsites.net")) for site in refs),
        tuple(
            Binding(site, HostName(f"h{number}-{site.name}.contoso.com"), SslState.SNI, old.thumbprint)
            for site in refs
            for number in range(hosts)
        ),
        (WebspaceCertificate(copy, webspace, "westeurope", old.thumbprint, facts.host_names, old.not_after, ref),),
        (ServerFarm(farm, webspace),),
        settings=tuple(_settings(site, old.thumbprint) for site in refs),
    )
    return Snapshot(Lineage(ref, (current, old, *older), current), fleet, Rollout(current.version))


def _settings(site: SiteRef, named: Thumbprint) -> SiteSettings:
    """Return app settings: WEBSITE_LOAD_CERTIFICATES, a setting of one thumbprint and thirty other settings."""
    others = {f"SETTING_{number}": "x" for number in range(30)}
    values = {**others, "WEBSITE_LOAD_CERTIFICATES": named, "CLIENT_PIN": named}
    return read_settings(AppSettings(site, values, values))


def _calls_of_planning(sites: int) -> tuple[int, Plan]:
    """Return the plan of a fleet, and the number of function calls of planning, which machine load cannot change."""
    snapshot, calls = _large_fleet(sites, 3), count()
    sys.setprofile(lambda _frame, event, _argument: next(calls) if event in {"call", "c_call"} else None)
    try:
        plan = planner.plan(snapshot, Intent(mode=Mode.APPLY))
    finally:
        sys.setprofile(None)
    return next(calls), plan


def test_planning_takes_as_much_longer_as_a_fleet_is_larger() -> None:
    """Planning four times the sites takes about four times the work, so a lease outlasts planning a thousand sites.

    The test's plan uploads the old version once, syncs one imported certificate, overwrites every binding and updates
    the settings of one app.
    """
    of_50, _ = _calls_of_planning(50)
    of_200, plan = _calls_of_planning(200)
    assert of_200 < 5 * of_50
    assert len(plan.steps) == 1 + 1 + 600 + 1
    assert Counter(skip.reason for skip in plan.skips) == {Reason.AWAITING_FIRST_SITE: 199}
    assert sum(len(skip.detail) for skip in plan.skips) < 199 * 200
