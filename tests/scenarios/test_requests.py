"""Count the requests that Certroll sends to Azure, because each request costs time and quota."""

import re
from collections import Counter

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.journal import Entry
from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.app_worlds import CLIENT, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import AGE, MOVING, VAULT, renew, small_world, writes

ARM = "management.azure.com"
OK = 200
SETTINGS = "/config/appsettings/list"
LISTING = re.compile(
    r"/subscriptions$|/resources$|/Microsoft\.Web/(sites|certificates|serverfarms)$|/slots$|/serverfarms/[^/]+/sites$",
    re.IGNORECASE,
)


def _reads(world: World) -> list[Entry]:
    """Return the read requests for single Azure resources, except app settings."""
    return [e for e in world.journal.reads(ARM) if not LISTING.search(e.path) and not e.path.endswith(SETTINGS)]


def _settings_read(world: World) -> Counter[str]:
    """Return how often Certroll read the settings of each site and slot."""
    found = (e.path.rpartition("/Microsoft.Web/sites/")[2] for e in world.journal.reads(ARM) if SETTINGS in e.path)
    return Counter(path.removesuffix(SETTINGS) for path in found)


@pytest.mark.parametrize("moves", [True, False], ids=["Azure moves the bindings", "Certroll moves the bindings"])
@pytest.mark.real_storage
def test_a_renewal_costs_no_more_than_it_must(install: Install, moves: bool) -> None:  # noqa: FBT001
    """A renewal sends the expected number of requests, and no more.

    Certroll writes each stale certificate once, and each stale binding that Azure has not moved. Certroll reads each
    affected site once. Before an overwrite Certroll also reads the certificate that the site needs, the parent of a
    slot for its opt-out, and each binding. Certroll reads each imported certificate before and after its sync, and each
    site whose binding Certroll overwrote once more. The test's renewal makes Certroll inspect the fleet once for each
    of two webspaces, and once at the end. The first inspection reads the settings of each site and slot. Each later
    inspection reads only the settings of the webspace where Certroll writes next. The fleet of this test has no app
    that names a certificate in its settings.
    """
    world = small_world(Knobs(sync_moves_bindings=moves))
    installation = install(world)
    renew(world)
    world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    copies, sites, slots, bindings = 2, 3, 1, 0 if moves else len(MOVING)
    of_sites = sites if moves else sites + (sites + slots) + sites
    assert writes(world) == copies + bindings
    assert len(_reads(world)) == 2 * copies + of_sites + bindings
    assert _settings_read(world) == {"api": 1, "other": 2, "shop": 2, "shop/slots/staging": 2}


def _requests(world: World) -> Counter[tuple[str, str]]:
    """Return how often each Azure resource was requested by each method, without lists."""
    found = (e for e in world.journal.entries() if e.host == ARM and not LISTING.search(e.path))
    return Counter((e.method, e.path.rpartition("/Microsoft.Web/")[2]) for e in found)


def _rolled(install: Install, queue: str) -> tuple[Street, Counter[tuple[str, str]]]:
    """Update an app's settings by a renewal, and return the ARM requests that the messages of one queue caused."""
    town = street()
    town.linux_app("billing")
    age(town)
    installation = install(town.world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    asked: Counter[tuple[str, str]] = Counter()
    while (message := installation.queue.take(town.world.clock.now() + AGE)) is not None:
        town.world.journal.clear()
        installation.deliver(message)
        asked += _requests(town.world) if message.queue == queue else Counter()
    assert installation.rolls() == {"billing": "Validated"}
    return town, asked


def test_rolling_an_app_takes_one_write_and_eleven_reads(install: Install) -> None:
    """The settings update of an app costs one write, which is one restart, and eleven reads.

    Certroll inspects an app before its settings are written, and again once the new settings had time to take effect.
    Each inspection of an app reads the site, its settings and the two certificates that the app may name. When Certroll
    writes app settings, it also reads the site for its ETag, and the settings before and after the write.
    """
    town, asked = _rolled(install, "sites")
    kept = town.kept()[0].name
    assert asked == {
        ("PUT", "sites/billing/config/appsettings"): 1,
        ("POST", f"sites/billing{SETTINGS}"): 2 + 2,
        ("GET", "sites/billing"): 2 + 1,
        ("GET", "certificates/client-linux"): 2,
        ("GET", f"certificates/{kept}"): 2,
    }
    assert town.restarts("billing") == 1


def test_keeping_a_superseded_version_takes_one_write_and_two_reads(install: Install) -> None:
    """Keeping an old version for an app costs one upload, and a read before and after the upload.

    During a renewal Certroll inspects the fleet once for each of the two webspaces, and once at the end. Certroll reads
    the app's settings at first, and after its own write of the settings.
    Each sync of an imported certificate costs three requests.
    """
    town, asked = _rolled(install, "certificates")
    kept = f"certificates/{town.kept()[0].name}"
    synced = ("certificates/client-linux", "certificates/client-windows")
    assert asked == {
        ("PUT", kept): 1,
        ("GET", kept): 2,
        **{("PUT", copy): 1 for copy in synced},
        **{("GET", copy): 2 for copy in synced},
        ("POST", f"sites/billing{SETTINGS}"): 1 + 1,
    }


@pytest.mark.parametrize("apps", [1, 3])
def test_each_app_of_a_roll_is_written_and_restarted_once(install: Install, apps: int) -> None:
    """Certroll writes and restarts each app that names the old version exactly once per renewal."""
    town = street()
    names = {f"app{number}" for number in range(apps)}
    for name in names:
        town.linux_app(name)
    age(town)
    installation = install(town.world)
    town.renew()
    town.world.journal.clear()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all()
    installation.sweep()
    installation.deliver_all()
    puts = Counter(entry.path for entry in town.world.journal.writes(ARM) if "/config/appsettings" in entry.path)
    assert installation.rolls() == dict.fromkeys(names, "Validated")
    assert sorted(puts.values()) == [1] * apps
    assert {name: town.restarts(name) for name in names} == dict.fromkeys(names, 1)


def _fleet_with(lineages: int) -> World:
    """Return a fleet of 20 sites, whose 100 imported certificates come from the given number of vault certificates."""
    world = World(Clock(), knobs=Knobs())
    build = Builder(world)
    plan = build.add_plan()
    for number in range(100):
        if number < lineages:
            build.add_certificate(f"c{number}", (f"c{number}.contoso.com",))
    copies = [build.add_copy(f"c{number % lineages}", plan, name=f"copy-{number}") for number in range(100)]
    for number in range(20):
        site = build.add_site(f"site{number}", plan)
        build.add_host(site, f"c{number % lineages}.contoso.com" if number < lineages else f"x{number}.contoso.com")
    assert len(copies) == 100
    world.clock.advance(AGE)
    return world


def test_a_sweep_reads_azure_the_same_for_10_and_for_100_lineages(install: Install) -> None:
    """A sweep sends the same number of ARM requests for 10 and for 100 vault certificates.

    In the test Certroll lists subscriptions, certificates, plans, sites, sites with slots, and the sites of the plan,
    each once.
    """
    counts = []
    for lineages in (10, 100):
        world = _fleet_with(lineages)
        installation = install(world)
        world.journal.clear()
        installation.sweep()
        counts.append(world.journal.counts(ARM))
        assert _settings_read(world) == {f"site{number}": 1 for number in range(20)}
    assert counts == [{"GET": 6, "POST": 20}] * 2


def test_an_installation_without_a_subscription_setting_sees_all_subscriptions(install: Install) -> None:
    """Without CERTROLL_SUBSCRIPTIONS Certroll lists all subscriptions.

    Certroll reads App Service plans only in subscriptions where App Service has a certificate imported from a vault.
    """
    world = small_world()
    build = Builder(world)
    build.add_group("elsewhere", build.add_subscription("Elsewhere"))
    installation = install(world)
    world.journal.clear()
    installation.sweep()
    paths = [entry.path for entry in world.journal.reads(ARM)]
    assert sum(path == "/subscriptions" for path in paths) == 1
    assert sum(path.lower().endswith("/sites") and "serverfarms" not in path for path in paths) == 2
    assert sum(path.lower().endswith("/providers/microsoft.web/serverfarms") for path in paths) == 1


def test_waiting_for_sites_costs_no_request(install: Install) -> None:
    """A run of Certroll that waits for sites sends Azure Resource Manager no request."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    renew(world)
    installation.look_at(VAULT, "web")
    first = installation.queue.take(world.clock.now())
    assert first is not None
    installation.deliver(first)
    site = installation.queue.take(world.clock.now())
    assert site is not None
    assert site.queue == "sites"
    world.journal.clear()
    again = installation.queue.take(world.clock.now() + AGE)
    assert again is not None
    assert again.queue == "certificates"
    installation.deliver(again)
    assert world.journal.counts(ARM) == {}


def _vault_reads(world: World) -> Counter[str]:
    """Return how often the simulated vaults answered each kind of request."""
    entries = [e for e in world.journal.entries() if e.host.endswith(".vault.azure.net") and e.status == OK]
    return Counter(
        re.sub(r"/(web|order)\b", "/{name}", re.sub(r"/[0-9a-f]{32}$", "/{version}", e.path)) for e in entries
    )


def test_a_sweep_reads_each_vault_object_and_no_secret_twice(install: Install) -> None:
    """A repeated sweep lists each vault and each object's versions once, and reads no secret value again."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",))
    build.add_copy("web")
    build.add_secret("order", ("shop.contoso.com",))
    build.add_copy("order")
    world.vaults[VAULT].set_secret("password", "hunter2")
    installation = install(world)
    installation.sweep()
    world.journal.clear()
    installation.sweep()
    assert _vault_reads(world) == {
        "/certificates": 1,
        "/secrets": 1,
        "/certificates/{name}/versions": 1,
        "/certificates/{name}/": 1,
        "/secrets/{name}/versions": 1,
    }


def test_run_that_moves_something_lists_each_vault_once(install: Install) -> None:
    """A run that moves something lists each vault once, and reads no other secret that is older than the renewal."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",))
    build.add_copy("web")
    other = build.add_vault("other-kv")
    for number in range(5):
        other.set_pfx_secret(f"older-{number}", ("shop.contoso.com",))
    world.clock.advance(AGE)
    installation = install(world)
    installation.deliver_all()
    world.vaults[VAULT].renew("web")
    other.set_pfx_secret("younger", ("shop.contoso.com",))
    installation.look_at(VAULT, "web")
    message = installation.queue.take(world.clock.now())
    assert message is not None
    world.journal.clear()
    installation.deliver(message)
    assert len(world.journal.writes(ARM)) == 1
    answered = (e for e in world.journal.entries() if e.host.endswith(".vault.azure.net") and e.status == OK)
    read = Counter((e.host.partition(".")[0], e.path) for e in answered)
    lists = {place: number for place, number in read.items() if place[1] in {"/certificates", "/secrets"}}
    assert lists == {(vault, kind): 1 for vault in (VAULT, "other-kv") for kind in ("/certificates", "/secrets")}
    assert {path.split("/")[2] for vault, path in read.keys() - lists.keys() if vault == "other-kv"} == {"younger"}


def test_sites_of_flex_plans_cost_a_read_each(install: Install) -> None:
    """Certroll reads the certificates of each Flex Consumption site once, because no list of a webspace has them."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",))
    for number in range(5):
        site = build.add_site(f"flex{number}", flex=True)
        copy = build.add_site_certificate(site, "web") if number == 0 else None
        build.add_host(site, f"flex{number}.contoso.com", copy)
    installation = install(world)
    installation.look_at(VAULT, "web")
    world.journal.clear()
    installation.deliver_all()
    listed = [e.path for e in world.journal.reads(ARM) if e.path.endswith("/certificates") and "/sites/" in e.path]
    assert len(listed) == len(set(listed)) == 5
    assert _settings_read(world) == {"flex0": 1}


def test_public_certificates_are_read_where_they_matter(install: Install) -> None:
    """Certroll reads the public certificates of a site only if the site may use a public certificate of a vault.

    A site may use a public certificate of a vault if a tag names the site, or if the site's WEBSITE_LOAD_CERTIFICATES
    has an unknown thumbprint.
    """
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",), tags={"certroll-public-to": "wanted"})
    copy = build.add_copy("web")
    odd = f"{copy.thumbprint},{'F' * 40}"
    for name, listed in (("wanted", ""), ("plain", copy.thumbprint), ("odd", odd), ("quiet", "")):
        build.add_site(name, settings={"WEBSITE_LOAD_CERTIFICATES": listed})
    installation = install(world)
    installation.look_at(VAULT, "web")
    world.journal.clear()
    installation.deliver_all()
    asked = (e.path for e in world.journal.reads(ARM) if e.path.endswith("/publicCertificates"))
    assert sorted({path.split("/sites/")[1].split("/")[0] for path in asked}) == ["odd", "wanted"]
