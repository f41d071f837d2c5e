"""Check that Certroll compares host names by their ASCII form, and addresses Azure by the name as Azure wrote it."""

from collections.abc import Collection
from dataclasses import replace
from urllib.parse import unquote

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import dns_name
from local.azure.world import World
from local.worlds.builders import Builder
from shared.controllers.managed.controller import look_after_managed
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_managed import Meddled
from tests.scenarios.worlds import AGE, NAME, VAULT, renew, shown

PLAIN = "shop.example"
BOOKS = "bücher.example"
NAMES = (PLAIN, "xn--bcher-kva.example", "*.xn--bcher-kva.example", "xn--strae-oqa.example", "xn--n3h.example")
ARM = "management.azure.com"


def unicode_world(*hosts: str, covered: Collection[str] = NAMES) -> World:
    """Return a fleet with one site in each of two webspaces, which have the given host names and a plain host name."""
    world = World(knobs=Knobs(sync_moves_bindings=False))
    build = Builder(world)
    build.add_certificate(NAME, tuple(covered))
    windows, linux = build.add_plan("windows"), build.add_plan("linux", location="northeurope", linux=True)
    copy, other = build.add_copy(NAME, windows), build.add_copy(NAME, linux, name="web-linux")
    shop, second = build.add_site("shop", windows), build.add_site("second", linux)
    for host in (*hosts, PLAIN):
        build.add_host(shop, host, copy)
    build.add_host(second, "second.example", other)
    build.add_host(second, "third.example", other)
    world.clock.advance(AGE)
    return world


def thumbprints(world: World) -> dict[str, str | None]:
    """Return the thumbprint of each custom host name."""
    return {name: seen.thumbprint for name, seen in shown(world).items()}


def rolled(install: Install, world: World) -> tuple[Installation, str]:
    """Install Certroll, renew the certificate, and deliver every message; return the new thumbprint too."""
    installation = install(world)
    new = renew(world)
    installation.look_at(VAULT, NAME)
    installation.deliver_all()
    return installation, new


def binding_requests(world: World) -> set[str]:
    """Return the host names for which Certroll asked Azure for a single binding."""
    paths = (unquote(entry.path) for entry in world.journal.entries() if entry.host == ARM)
    return {path.rpartition("/")[2] for path in paths if "/hostNameBindings/" in path}


@pytest.mark.parametrize(
    "host",
    [
        BOOKS,
        "BÜCHER.Example",
        "*.bücher.example",
        "straße.example",
        "b\u0075\u0308cher.example",
        "xn--bcher-kva.example",
    ],
)
def test_an_international_host_name_moves_under_the_name_that_azure_holds(install: Install, host: str) -> None:
    """A host name that App Service holds in Unicode moves, is proven, and Azure is asked for exactly this name."""
    world = unicode_world(host, covered=(*NAMES, "second.example", "third.example"))
    installation, new = rolled(install, world)
    assert set(thumbprints(world).values()) == {new}
    assert host.lower() in {name.lower() for name in binding_requests(world)}
    assert installation.states() == {"shop": "Proven", "second": "Proven"}
    assert installation.queue.dead_letter == []
    assert installation.findings() == set()


ALL = (*NAMES, "second.example", "third.example")


def site_runs(caplog: pytest.LogCaptureFixture) -> int:
    """Return how many runs of the queue `sites` ended."""
    return sum('"site.reconciled"' in record.getMessage() for record in caplog.records)


def test_a_listed_host_name_that_answers_404_holds_up_nobody(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """A host name whose binding Azure lists and does not find is one finding, and all other host names move."""
    world = unicode_world(covered=ALL)
    world.faults.add(Fault("missing", "GET", path="/hostNameBindings/second.example", times=None))
    installation, new = rolled(install, world)
    moved = thumbprints(world)
    assert moved.pop("second.example") != new
    assert set(moved.values()) == {new}
    assert installation.findings() == {("binding second.example of second", "NotFoundByAzure")}
    assert installation.states() == {"shop": "Proven", "second": "Proven"}
    assert installation.queue.dead_letter == []
    assert installation.errors == []
    assert site_runs(caplog) == 2


def test_a_listed_host_name_that_answers_404_is_tried_again_by_each_sweep(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """A host name whose binding Azure did not find moves in the first sweep in which Azure finds it."""
    world = unicode_world(covered=ALL)
    world.faults.add(Fault("missing", "GET", path="/hostNameBindings/second.example", times=2))
    installation, new = rolled(install, world)
    installation.sweep()
    installation.deliver_all()
    assert thumbprints(world)["second.example"] != new
    assert site_runs(caplog) == 3
    installation.sweep()
    installation.deliver_all()
    assert set(thumbprints(world).values()) == {new}
    assert site_runs(caplog) == 4


def test_a_host_name_whose_write_azure_refuses_is_written_once_per_sweep(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """If Azure refuses the write of one binding, Certroll repeats the write only after an event or a sweep."""
    world = unicode_world(BOOKS, covered=ALL)
    world.faults.add(Fault("denied", "PUT", path="/hostNameBindings/b", times=None))
    installation, new = rolled(install, world)
    assert installation.findings() == {("binding bücher.example (xn--bcher-kva.example) of shop", "DeniedByAzure")}
    assert installation.states() == {"shop": "Proven", "second": "Proven"}
    assert site_runs(caplog) == 2
    world.faults.clear()
    installation.sweep()
    installation.deliver_all()
    assert set(thumbprints(world).values()) == {new}
    assert site_runs(caplog) == 3


def test_a_host_name_that_its_owner_removes_is_no_finding(install: Install) -> None:
    """A host name that somebody removes between plan and write is gone, and Certroll plans again without it."""
    world = unicode_world(covered=ALL)
    installation = install(world, meddled=True)
    new = renew(world)
    second = next(site for site in world.web.sites.values() if site.name == "second")
    left = {name: host for name, host in second.hosts.items() if name != "second.example"}
    port = Meddled(installation.ports.app_service, "binding", lambda: world.web.put_site(replace(second, hosts=left)))
    installation.ports = replace(installation.ports, app_service=port)
    installation.look_at(VAULT, NAME)
    installation.deliver_all()
    assert set(thumbprints(world).values()) == {new}
    assert {reason for _, reason in installation.findings()} <= {"BindingMoved"}
    assert installation.states() == {"shop": "Proven", "second": "Proven"}


@pytest.mark.parametrize(
    "host",
    [
        "☃.example",
        f"{'a' * 64}.example",
        f"{'ü' * 60}.example",
        "\u202ebü.example",
        "b\u200dc.example",
        "xn--bü.example",
        "\u0661.example",
        "a b.example",
        "..",
        "-",
        ".".join(["label" * 10] * 6),
    ],
)
def test_a_host_name_that_nobody_can_ask_for_is_a_finding_of_its_own(install: Install, host: str) -> None:
    """A host name that IDNA 2008 or DNS forbids is one finding with the next step, and all other host names move."""
    world = unicode_world(host, BOOKS, covered=ALL)
    installation, new = rolled(install, world)
    moved = thumbprints(world)
    assert moved.pop(host) != new
    assert set(moved.values()) == {new}
    assert {reason for _, reason in installation.findings()} == {"HostNameInvalid"}
    assert len(installation.findings()) == 1
    assert "add it again in a valid form" in installation.details()
    assert installation.states() == {"shop": "Proven", "second": "Proven"}
    assert not binding_requests(world) & {host, host.lower()}


def test_azures_own_sync_of_a_name_that_nobody_can_ask_for_proves_the_others(install: Install) -> None:
    """If a sync moves all bindings by itself, a name without a TLS form keeps no other name from being proven."""
    world = unicode_world("☃.example", BOOKS, covered=ALL)
    world.knobs.turn(sync_moves_bindings=True, mismatch_refused=False)
    installation, new = rolled(install, world)
    assert set(thumbprints(world).values()) == {new}
    assert installation.states() == {"shop": "Proven", "second": "Proven"}
    assert installation.queue.dead_letter == []


@pytest.mark.parametrize(
    "host", ["my_app.example", "SHOP2.Example", "*.wild.example", "אב.example", "\u0430pple.example"]
)
def test_an_odd_host_name_that_clients_can_ask_for_moves_like_any_other(install: Install, host: str) -> None:
    """Underscores, capitals, wildcards, right-to-left and mixed scripts keep no host name from moving."""
    world = unicode_world(host, covered=(*ALL, dns_name(host)))
    installation, new = rolled(install, world)
    assert set(thumbprints(world).values()) == {new}
    assert installation.findings() == set()
    assert installation.states() == {"shop": "Proven", "second": "Proven"}


def test_both_forms_of_one_name_are_two_bindings(install: Install) -> None:
    """If Azure holds one name in Unicode and in ASCII, each binding is written under its own name."""
    world = unicode_world(BOOKS, "xn--bcher-kva.example", covered=ALL)
    installation, new = rolled(install, world)
    assert set(thumbprints(world).values()) == {new}
    assert {BOOKS, "xn--bcher-kva.example"} <= binding_requests(world)
    assert installation.queue.dead_letter == []


def test_a_name_with_sharp_s_is_not_covered_by_the_name_with_ss(install: Install) -> None:
    """A certificate for `strasse.example` does not cover `straße.example`, whose owner may be another."""
    world = unicode_world("straße.example", covered=("strasse.example", PLAIN, "second.example", "third.example"))
    installation, new = rolled(install, world)
    moved = thumbprints(world)
    assert moved.pop("straße.example") != new
    assert set(moved.values()) == {new}
    assert {reason for _, reason in installation.findings()} == {"NotCovered"}


def test_a_finding_about_an_international_name_has_both_its_forms(install: Install) -> None:
    """A finding names an international host name in Unicode, as the portal does, and in ASCII, as certificates do."""
    world = unicode_world(BOOKS, covered=(PLAIN, "second.example", "third.example"))
    installation, _ = rolled(install, world)
    assert ("binding bücher.example (xn--bcher-kva.example) of shop", "NotCovered") in installation.findings()


def test_an_international_host_name_gets_no_managed_certificate(install: Install) -> None:
    """Certroll asks for no managed certificate for an international host name, and reports `NameNotAllowed`."""
    world = World()
    build = Builder(world)
    shop = build.add_host(build.add_site("shop", tags={"certroll-managed": "on"}), BOOKS)
    build.add_host(shop, "STRASSE.example")
    build.add_record("strasse.example", "CNAME", shop.default_host_name)
    installation = install(world, meddled=True)
    found = {seen.subject: (seen.reason, seen.detail) for seen in look_after_managed(installation.start())}
    reason, detail = found["host name bücher.example (xn--bcher-kva.example) of shop"]
    assert reason == "NameNotAllowed"
    assert "import a certificate from a vault" in detail
    assert found["host name strasse.example of shop"][0] == "Served"
    assert [path for path in written_certificates(world) if "xn--" in path or "bücher" in path] == []
    assert {reason for _, reason in installation.findings()} == {"NameNotAllowed"}


def written_certificates(world: World) -> list[str]:
    """Return the paths of the certificates that Certroll wrote."""
    return [unquote(entry.path) for entry in world.journal.writes(ARM) if "/certificates/" in entry.path]


def test_a_managed_certificate_is_bound_under_the_name_that_azure_holds(install: Install) -> None:
    """Certroll binds a managed certificate to a host name that Azure holds with a dot at its end, under this name."""
    world = World()
    build = Builder(world)
    shop = build.add_host(build.add_site("shop", tags={"certroll-managed": "on"}), "shop.example.")
    build.add_managed(shop, "shop.example", bound=False)
    installation = install(world, meddled=True)
    (found,) = look_after_managed(installation.start())
    assert (found.host_name, found.reason) == ("shop.example", "Served")
    assert binding_requests(world) == {"shop.example."}


@pytest.mark.parametrize("lost", ["web", "web-linux"])
def test_a_listed_certificate_that_answers_404_holds_up_nobody(install: Install, lost: str) -> None:
    """An import that Azure lists and does not find is one finding, and the other webspace gets the new version."""
    world = unicode_world(BOOKS, covered=ALL)
    copies = sorted(copy.name for copy in world.web.certificates.values())
    (name,) = (copy for copy in copies if copy.endswith("linux") == (lost == "web-linux"))
    world.faults.add(Fault("missing", "GET", path=f"/certificates/{name}$", times=None))
    installation, new = rolled(install, world)
    installation.clock.advance(AGE)
    installation.sweep()
    installation.deliver_all()
    moved = {host for host, thumbprint in thumbprints(world).items() if thumbprint == new}
    assert moved == ({"second.example", "third.example"} if lost == "web" else {PLAIN, BOOKS})
    assert {reason for _, reason in installation.findings()} == {"NotFoundByAzure"}
    assert installation.queue.dead_letter == []
    assert installation.errors == []


def test_a_site_that_azure_refuses_is_tried_once_per_sweep(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """If Azure refuses every request about one site, Certroll runs the site again only after an event or a sweep."""
    world = unicode_world(BOOKS, covered=ALL)
    world.faults.add(Fault("denied", "GET", path="/sites/second$", times=None))
    installation, new = rolled(install, world)
    assert installation.findings() == {("second", "DeniedByAzure")}
    assert site_runs(caplog) == 2
    world.faults.clear()
    installation.sweep()
    installation.deliver_all()
    assert set(thumbprints(world).values()) == {new}
    assert installation.findings() == {("second", "DeniedByAzure")}
