"""Run each kind of certificate under faults, under undocumented Azure behaviour, and with a crash at any write."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import product
from typing import NamedTuple

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import IP_BASED
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crasher, Installation, deliver_dying
from tests.scenarios.worlds import AGE, VAULT
from tests.soaking import SOAKING, crashes

MOST_WRITES = 40


class Kind(NamedTuple):
    """How to simulate a fleet with one kind of certificate, and how to read the fleet's state after a renewal."""

    build: Callable[[Builder], None]
    shown: Callable[[World, str], dict[str, object]]


def _uploaded(build: Builder) -> None:
    upload = build.add_upload(build.add_certificate("web", ("*.contoso.com",)))
    build.add_host(build.add_site("shop"), "shop.contoso.com", upload, IP_BASED)


def _in_a_secret(build: Builder) -> None:
    build.add_secret("web", ("*.contoso.com",))
    build.add_host(build.add_site("shop"), "shop.contoso.com", build.add_copy("web"), IP_BASED)


def _public(build: Builder) -> None:
    tags = {"certroll-public-to": "shop, shop/staging"}
    version = build.add_certificate("web", ("*.contoso.com",), tags=tags)
    site = build.add_site("shop")
    for owner in (site, build.add_slot(site, "staging")):
        build.add_public_certificate(owner, version.leaf.der)


def _of_a_flex_site(build: Builder) -> None:
    build.add_certificate("web", ("*.contoso.com",))
    site = build.add_site("shop", flex=True)
    build.add_host(site, "shop.contoso.com", build.add_site_certificate(site, "web", loaded=True))


def _imported_where_missing(build: Builder) -> None:
    build.add_certificate("web", ("*.contoso.com",), tags={"certroll-import-to": "shop"})
    build.add_site("shop")


def _bound(world: World, new: str) -> dict[str, object]:
    """Return whether the host name shows the new version, and how many certificates in App Service have it."""
    host = next(h for site in world.web.sites.values() for h in site.hosts.values() if h.name == "shop.contoso.com")
    return {"shown": host.thumbprint == new, "copies": sum(c.thumbprint == new for c in world.web.all_certificates())}


def _held(world: World, new: str) -> dict[str, object]:
    """Return the sites with the new version as a public certificate, and the number of private certificates."""
    public = [cert.owner_id for cert in world.web.public_certificates.values() if cert.thumbprint == new]
    return {"public": sorted(public), "copies": sum(c.thumbprint == new for c in world.web.all_certificates())}


KINDS = {
    "uploaded": Kind(_uploaded, _bound),
    "in a secret": Kind(_in_a_secret, _bound),
    "public": Kind(_public, _held),
    "of a Flex Consumption site": Kind(_of_a_flex_site, _bound),
    "imported where missing": Kind(_imported_where_missing, _held),
}
PUT = r"/(certificates|publicCertificates)/[^/]+$"
FAULTS: dict[str, Callable[[], Fault]] = {
    "a write fails with 500": lambda: Fault("server_error", "PUT", path=PUT, status=500, times=2),
    "a write fails with 503": lambda: Fault("server_error", "PUT", path=PUT, status=503, times=2),
    "a write is applied and answers 504": lambda: Fault("applied_but_lost", "PUT", path=PUT),
    "a write is dropped after it was applied": lambda: Fault("dropped", "PUT", path=PUT, applied=True),
    "a write is dropped before it is applied": lambda: Fault("dropped", "PUT", path=PUT),
    "reads are throttled": lambda: Fault("throttle", "GET", "management", bucket=4, refill=1.0, times=None),
    "the vault fails with 503": lambda: Fault("server_error", host="vault", status=503, times=2),
}
KNOBS = {
    "reads lag by two": Knobs(reads_until_visible=2, sync_moves_bindings=False),
    "the echo is wrong, and pages are short": Knobs(wrong_echo=True, page_size=1, sync_moves_bindings=False),
    "a thumbprint is taken once": Knobs(second_import_same_thumbprint="refuse"),
    "Flex sites use their webspace's": Knobs(flex_uses_webspace_certificates=True, sync_moves_bindings=False),
    "public certificates flap for long": Knobs(public_certificate_flaps=400),
    "an event comes twice": Knobs(certificate_events_have_secret_twins=True),
}


def world_of(kind: str, knobs: Knobs | None = None) -> World:
    """Return a simulated fleet with the given kind of certificate, before the certificate is renewed."""
    world = World(Clock(), 0, knobs)
    KINDS[kind].build(Builder(world))
    world.clock.advance(AGE)
    return world


def renewed(installation: Installation, **tags: str) -> str:
    """Renew the certificate, queue the message that the renewal's event causes, and return the new thumbprint.

    The new version has the tags of the old version, and the given tags.
    """
    vault = installation.world.vaults[VAULT]
    if "web" not in vault.certificates:
        new = vault.renew_secret("web", tags=tags).thumbprint
        installation.look_at(VAULT, "web", kind="secret")
        return new
    new = vault.renew("web", tags={**vault.certificates["web"].newest.tags, **tags}).thumbprint
    installation.look_at(VAULT, "web")
    return new


def expected(kind: str, world: World) -> dict[str, object]:
    """Return the state that a fleet with the given kind of certificate should have after a renewal."""
    if kind == "public":
        sites = sorted(site.id for site in world.web.sites.values())
        return {"public": sites, "copies": 0}
    return {"public": [], "copies": 1} if kind == "imported where missing" else {"shown": True, "copies": 1}


def _kinds_with(faults: Iterable[str]) -> list[tuple[str, str]]:
    """Return each fault or doubt with one kind of certificate, and each kind with at least two of them.

    All kinds of certificates share the code that handles faults, so most pairs of a fault and a kind would test the
    same code again. The command `make soak` tries every pair of a fault and a kind of certificate.
    """
    kinds, names = list(KINDS), list(faults)
    if SOAKING:
        return list(product(kinds, names))
    each = [(kinds[number % len(kinds)], name) for number, name in enumerate(names)]
    return each + [(kind, names[(number + 3) % len(names)]) for number, kind in enumerate(kinds)]


@pytest.mark.parametrize(("kind", "fault"), _kinds_with(FAULTS))
@pytest.mark.real_transport
def test_every_fault_ends_in_the_same_state(install: Install, kind: str, fault: str) -> None:
    """A fault of Azure or the network only delays the renewal, repeats no work and causes no dead letter."""
    world = world_of(kind)
    installation = install(world, watched=True)
    new = renewed(installation)
    world.faults.add(FAULTS[fault]())
    installation.deliver_all()
    assert KINDS[kind].shown(world, new) == expected(kind, world)
    assert installation.queue.dead_letter == []
    assert any(fault.strikes for fault in world.faults.all()), "the fault never struck"


@pytest.mark.parametrize(("kind", "knobs"), _kinds_with(KNOBS))
def test_every_doubt_about_azure_ends_in_the_same_state(install: Install, kind: str, knobs: str) -> None:
    """The renewal ends in the same state for each simulated variant of Azure's undocumented behaviour."""
    world = world_of(kind, KNOBS[knobs])
    installation = install(world, watched=True)
    new = renewed(installation)
    installation.deliver_all()
    assert KINDS[kind].shown(world, new) == expected(kind, world)
    assert installation.sweep() == ()
    assert installation.errors == []


@pytest.mark.parametrize("kind", [*list(KINDS)[1:], pytest.param("uploaded", marks=pytest.mark.real_storage)])
def test_renewals_go_on_after_the_end_of_old_api_versions(install: Install, kind: str) -> None:
    """Each kind of certificate is renewed in March 2027, when Azure refuses old versions of Key Vault's management."""
    world = world_of(kind)
    world.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))
    installation = install(world, watched=True)
    new = renewed(installation)
    installation.deliver_all()
    assert KINDS[kind].shown(world, new) == expected(kind, world)
    assert [entry.path for entry in world.journal.entries() if entry.status == 400] == []
    assert installation.errors == []
    if kind == "imported where missing":
        assert any(entry.path == world.vaults[VAULT].resource_id for entry in world.journal.reads()), "rights are read"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "uploaded"])
def test_a_crash_after_any_write_leads_to_the_same_end(install: Install, crasher: Crasher, kind: str) -> None:
    """After a crash at any write the redelivered message brings the renewal to the same end."""
    for write in crashes(MOST_WRITES):
        world = world_of(kind)
        installation = install(world, watched=True)
        new = renewed(installation)
        died = deliver_dying(installation, crasher, write)
        assert KINDS[kind].shown(world, new) == expected(kind, world), f"after a crash at write {write}"
        if not died:
            break
    assert 1 < write < MOST_WRITES - 1
