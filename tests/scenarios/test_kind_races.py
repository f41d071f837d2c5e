"""Check that a broken, excluded or unreadable resource neither delays nor harms other certificates of any kind."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.web.resources import IP_BASED
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.arm.wire import read_certificate
from shared.clients.retrying import PATIENCE
from shared.domain.errors import OutOfTime
from shared.domain.intent import Mode
from shared.runtime import READERS
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_kind_faults import KINDS, world_of
from tests.scenarios.test_kind_faults import renewed as new_version
from tests.scenarios.test_managed import a_world
from tests.scenarios.test_own_certificates import LOADED, PROBED, importing, public, site_of, trusting
from tests.scenarios.test_uploads import one_upload
from tests.scenarios.worlds import AGE, VAULT, after_renewal, shown, writes

HOST = "shop.contoso.com"
HOURS = timedelta(hours=6)
SETTINGS = "/config/appsettings/list"
REDELIVERY = timedelta(minutes=3)
"""The time for which these tests deliver messages: longer than any follow-up message, and shorter than a redelivery."""
GRACE = timedelta(days=31)
OFF = {"certroll": "off"}
FIRST, SECOND = (f"00000000-0000-0000-0000-00000000000{last}" for last in "ab")


def served(**tags: str) -> World:
    """Return one webspace with an imported certificate that an IP-based host name shows."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",), tags=tags)
    build.add_host(build.add_site("shop"), HOST, build.add_copy("web"), IP_BASED)
    world.clock.advance(AGE)
    return world


def client(**tags: str) -> World:
    """Return one webspace with an imported certificate that an app names in its settings, and with a second app."""
    world = World(Clock())
    build = Builder(world)
    version = build.add_certificate("web", ("client.contoso.com",), tags=tags)
    build.add_copy("web")
    build.add_partner()
    settings = {LOADED: version.thumbprint, "CLIENT_CERT": version.thumbprint}
    build.add_app(build.add_site("orders", tags=PROBED, settings=settings), setting="CLIENT_CERT")
    build.add_site("reader")
    world.clock.advance(AGE)
    return world


def flex(*, imported: bool = False, loaded: bool = False, **tags: str) -> World:
    """Return a site of a Flex Consumption plan that is bound to an uploaded or imported certificate of its own."""
    world = World(Clock())
    build = Builder(world)
    version = build.add_certificate("web", ("*.contoso.com",))
    site = build.add_site("flex", flex=True, tags=tags)
    copy = build.add_site_certificate(site, "web" if imported else version, loaded=loaded)
    build.add_host(site, "flex.contoso.com", copy)
    world.clock.advance(AGE)
    return world


def signer(*, slot: bool = False) -> World:
    """Return a simulated Azure in which a tag of the vault object requests a public certificate for a site.

    If `slot` is True, the settings of a slot load the public certificate.
    """
    world = World(Clock())
    build = Builder(world)
    tags = {"certroll-public-to": "orders, orders/staging" if slot else "orders"}
    version = build.add_certificate("web", ("signer.contoso.com",), tags=tags)
    app = build.add_site("orders", settings={"LOG_LEVEL": "info"})
    if slot:
        build.add_slot(app, "staging", settings={LOADED: version.thumbprint})
    world.clock.advance(AGE)
    return world


def renewed(world: World) -> str:
    """Renew the certificate with unchanged tags, and return the new thumbprint."""
    vault = world.vaults[VAULT]
    return vault.renew("web", tags=vault.certificates["web"].newest.tags).thumbprint


def looked(installation: Installation, during: timedelta = REDELIVERY) -> None:
    """Queue the message that the certificate's event causes, and deliver all messages."""
    installation.look_at(VAULT, "web")
    installation.deliver_all(during)


def swept(installation: Installation) -> None:
    """Run Certroll's sweep, and deliver all messages that follow."""
    installation.sweep()
    installation.deliver_all()


def silent(world: World, method: str, path: str, host: str = "", status: int = 503) -> None:
    """Let the simulated Azure answer all matching requests with a server error from now on."""
    world.faults.add(Fault("server_error", method, host, path, status=status, times=None))


def thumbprints(world: World) -> list[str]:
    """Return the thumbprints of all private certificates in App Service."""
    return [copy.thumbprint for copy in world.web.all_certificates()]


# ------------------------------------------------------------------------------------------- places of the same name


def test_an_import_goes_to_the_subscription_of_the_site_that_is_named(install: Install) -> None:
    """Certroll imports a key only for the named site, even if two subscriptions have a resource group of one name."""
    world = World(Clock())
    build = Builder(world)
    subscription, two = build.add_subscription("dev", FIRST), build.add_subscription("prod", SECOND)
    dev, prod = build.add_group("rg", subscription), build.add_group("rg", two)
    build.add_vault(VAULT, dev)
    build.add_certificate("web", ("*.contoso.com",), tags={"certroll-import-to": "prod-shop"})
    build.add_site("dev-shop", build.add_plan("plan", dev))
    build.add_site("prod-shop", build.add_plan("plan", prod))
    world.clock.advance(AGE)
    swept(install(world))
    assert [copy.subscription for copy in world.web.certificates.values()] == [SECOND]


@pytest.mark.parametrize("tags", [{}, {"certroll-import-name": "wildcard"}], ids=["named by az", "named by a tag"])
def test_each_webspace_of_a_group_gets_its_import(install: Install, tags: dict[str, str]) -> None:
    """Certroll imports a certificate into two webspaces of one resource group under different names."""
    world = importing("shop, api", **tags)
    installation = install(world)
    swept(installation)
    copies = list(world.web.certificates.values())
    assert len({copy.webspace.name for copy in copies}) == len({copy.name for copy in copies}) == 2
    assert installation.sweep() == ()
    assert installation.findings() == set()


# ------------------------------------------------------------------------------------------- what operators took out


def importing_where_off(name: str) -> World:
    """Return a simulated fleet in which a tag requests an import for a site that has opted out."""
    world = importing(name)
    world.web.put_site(replace(site_of(world, name), tags=OFF))
    return world


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(lambda: flex(**OFF), id="its upload"),
        pytest.param(lambda: flex(imported=True, **OFF), id="its copy"),
        pytest.param(lambda: importing_where_off("flex"), id="an import that a tag asks for"),
        pytest.param(lambda: importing_where_off("shop"), id="an import into its webspace by its name"),
    ],
)
def test_a_site_that_is_off_gets_no_private_key(install: Install, world: Callable[[], World]) -> None:
    """A site with `certroll: off` gets no private key, and Certroll reports the opt-out."""
    place = world()
    installation = install(place)
    renewed(place)
    swept(installation)
    assert writes(place) == 0
    assert "OptedOut" in {reason for _, reason in installation.findings()}


@pytest.mark.parametrize("value", ["disabled", "skip", "'off'", ""])
def test_an_opt_out_with_a_typing_mistake_is_an_opt_out(install: Install, value: str) -> None:
    """A site whose tag `certroll` has an unknown value keeps its private keys as they are, and Certroll tells it."""
    place = flex(certroll=value)
    installation = install(place)
    renewed(place)
    swept(installation)
    assert writes(place) == 0
    assert ("tag certroll of site flex", "TagNotUnderstood") in installation.findings()


@pytest.mark.parametrize("kind", KINDS)
def test_a_vault_object_with_a_misspelled_opt_out_is_left_alone(install: Install, kind: str) -> None:
    """Certroll writes nothing for a vault object whose tag `certroll` says `disabled`, and reports the tag."""
    world = world_of(kind)
    installation = install(world)
    new_version(installation, certroll="disabled")
    swept(installation)
    assert writes(world) == 0
    assert "TagNotUnderstood" in {reason for _, reason in installation.findings()}


def superseded(installation: Installation) -> str:
    """Let Certroll upload a public certificate and its next version, and return the first version's thumbprint."""
    world = installation.world
    swept(installation)
    (old,) = public(world, "orders").values()
    renewed(world)
    looked(installation)
    return old


def test_nothing_is_deleted_from_a_site_that_is_off(install: Install) -> None:
    """Certroll does not delete a superseded public certificate from a site that has opted out since the upload."""
    world = signer()
    installation = install(world)
    old = superseded(installation)
    world.web.put_site(replace(site_of(world, "orders"), tags=OFF))
    installation.clock.advance(GRACE)
    swept(installation)
    assert old in public(world, "orders").values()


def test_a_public_certificate_that_the_slot_names_stays_with_the_site(install: Install) -> None:
    """A public certificate that a slot's settings name stays on the slot and on its site, because slots are swapped."""
    world = signer(slot=True)
    installation = install(world)
    old = superseded(installation)
    installation.clock.advance(GRACE)
    swept(installation)
    assert old in public(world, "orders").values()
    assert old in public(world, "orders/staging").values()


@pytest.mark.parametrize("kind", KINDS)
def test_an_installation_that_observes_writes_nothing(install: Install, kind: str) -> None:
    """In observe mode Certroll writes nothing for weeks after the renewal of any kind of certificate."""
    world = world_of(kind)
    installation = install(world, mode=Mode.OBSERVE)
    new_version(installation)
    for _ in range(2):
        swept(installation)
        installation.clock.advance(GRACE)
    assert writes(world) == 0


# -------------------------------------------------------------------------------------- what is out of order


def test_a_site_that_may_not_be_written_does_not_stop_its_neighbours(install: Install) -> None:
    """If a site refuses the upload of its public certificate, the other apps of the webspace get the new version."""
    world = client(**{"certroll-public-to": "reader"})
    installation = install(world)
    world.roles.read_only(site_of(world, "reader").id)
    renewed(world)
    looked(installation, timedelta(hours=1))
    assert installation.rolls() == {"orders": "Validated"}
    assert "DeniedByAzure" in {reason for _, reason in installation.findings()}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("server_error", host="sick-kv", path="/certificates$", status=503, times=None), id="503"),
        pytest.param(Fault("dropped", host="sick-kv", times=None), id="no such host any more"),
    ],
)
def test_a_vault_that_does_not_answer_does_not_starve_the_others(install: Install, fault: Fault) -> None:
    """Certroll's sweep serves the other vaults, names each vault that Certroll could not list, and fails at the end."""
    world = served()
    build = Builder(world)
    build.add_vault("sick-kv")
    for name in ("one-closed-kv", "two-closed-kv"):
        build.add_vault(name).deny()
    installation = install(world)
    before, new = shown(world), renewed(world)
    world.faults.add(replace(fault))
    with pytest.raises(ExceptionGroup):
        installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (HOST,))
    assert {
        ("vault sick-kv", "VaultUnreachable"),
        ("vault one-closed-kv", "VaultDenied"),
        ("vault two-closed-kv", "VaultDenied"),
    } <= installation.findings()


def test_a_slow_vault_does_not_starve_the_same_ones_for_ever(install: Install) -> None:
    """A sweep that runs out of time queues what it has read, and later sweeps reach every certificate within hours."""
    world = served()
    build = Builder(world)
    for number in range(12):
        build.add_certificate(f"a-{number}", ("a.contoso.com",))
    installation = install(world)
    renewed(world)
    world.faults.add(Fault("latency", "GET", "vault", seconds=25.0, times=None))
    sweeps = 0
    # the simulated clock adds up the latencies of requests in parallel, so a sweep may have no time left for the fleet
    late = "could not inspect every|the time of this run is over"
    while not len(installation.queue):
        with pytest.raises((ExceptionGroup, OutOfTime), match=late):
            installation.sweep()
        sweeps += 1
        assert sweeps <= 13
        installation.clock.advance(timedelta(hours=1))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(r"/sites/other/config/appsettings/list", id="a neighbour's settings"),
        pytest.param(r"/sites/other-flex/certificates", id="the certificates of a Flex Consumption site"),
        pytest.param(rf"/subscriptions/{SECOND}/providers/Microsoft\.Web/", id="another subscription"),
    ],
)
@pytest.mark.parametrize("cause", ["event", "sweep"])
def test_what_does_not_answer_hides_itself_alone(install: Install, cause: str, path: str) -> None:
    """Certroll reports a resource that fails for hours, and moves the bindings that do not depend on the resource."""
    world = served()
    build = Builder(world)
    build.add_site("other")
    build.add_site("other-flex", flex=True)
    build.add_subscription("other", SECOND)
    installation = install(world)
    before, new = shown(world), renewed(world)
    silent(world, "", path, status=500)
    if cause == "event":
        looked(installation)
    else:
        installation.sweep()
        installation.deliver_all(REDELIVERY)
    assert shown(world) == after_renewal(before, new, (HOST,))
    assert "BlindSpot" in {reason for _, reason in installation.findings()}


def test_some_apps_that_are_broken_for_good_do_not_freeze_the_fleet(install: Install) -> None:
    """Certroll reports apps whose settings Azure never returns, and moves the TLS bindings of other sites."""
    world = served()
    for number in range(3):
        Builder(world).add_site(f"broken-{number}")
    installation = install(world)
    before, new = shown(world), renewed(world)
    silent(world, "", "/sites/broken-./config/appsettings/list", status=500)
    installation.sweep()
    installation.deliver_all(REDELIVERY)
    assert shown(world) == after_renewal(before, new, (HOST,))


def test_a_subscription_without_answers_does_not_stop_managed_certificates(install: Install) -> None:
    """Host names get managed certificates although another subscription answers no request."""
    world = a_world().world
    Builder(world).add_subscription("other", SECOND)
    installation = install(world, meddled=True)
    silent(world, "", rf"/subscriptions/{SECOND}/providers/Microsoft\.Web/")
    installation.sweep_everything()
    installation.deliver_all()
    assert {seen.ssl_state for seen in shown(world).values()} == {"SniEnabled"}


def test_an_outage_of_arm_ends_a_look_soon(install: Install) -> None:
    """In an outage of ARM a run gives up within the function's ten minutes, and its message is redelivered.

    The simulation's clock adds up waits that happen in parallel, so the test derives the time from the number of probed
    apps.
    """
    world = served()
    build = Builder(world)
    for number in range(60):
        build.add_site(f"site-{number}")
    installation = install(world)
    before, new = shown(world), renewed(world)
    silent(world, "", SETTINGS)
    installation.look_at(VAULT, "web")
    message = installation.queue.take(world.clock.now())
    assert message is not None
    installation.deliver(message)
    asked = {entry.path for entry in world.journal.reads("management.azure.com") if SETTINGS in entry.path}
    assert len(asked) * PATIENCE / READERS < timedelta(minutes=10)
    assert shown(world) == before
    world.faults.clear()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (HOST,))


@pytest.mark.parametrize("status", [500, 503])
def test_a_webspace_that_takes_no_write_does_not_hold_up_the_next(install: Install, status: int) -> None:
    """If one webspace refuses writes, Certroll reports that webspace and still renews in the other webspaces."""
    world = World(Clock())
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",))
    for place, linux in (("api", True), ("shop", False)):
        plan = build.add_plan(place, linux=linux)
        build.add_host(build.add_site(place, plan), f"{place}.contoso.com", build.add_copy("web", plan, name=place))
    world.clock.advance(AGE)
    installation = install(world, stage_soak=timedelta(0))
    before, new = shown(world), renewed(world)
    silent(world, "PUT", "/certificates/api$", status=status)
    looked(installation)
    assert shown(world) == after_renewal(before, new, (HOST,))
    assert "NoAnswer" in {reason for _, reason in installation.findings()}
    world.faults.clear()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (HOST, "api.contoso.com"))


def test_a_public_certificate_without_an_answer_does_not_hold_up_the_bindings(install: Install) -> None:
    """A site that refuses the upload of a public certificate still gets new certificates for its host names."""
    world = served(**{"certroll-public-to": "shop"})
    installation = install(world)
    before, new = shown(world), renewed(world)
    silent(world, "PUT", "/publicCertificates", status=500)
    looked(installation)
    assert shown(world) == after_renewal(before, new, (HOST,))


@pytest.mark.parametrize(
    ("method", "host", "path"),
    [("GET", "vault", "/secrets/web"), ("PUT", "management", "/certificates/certroll-")],
    ids=["the vault", "the upload"],
)
def test_a_version_that_cannot_be_kept_for_now_is_not_replaced(
    install: Install, method: str, host: str, path: str
) -> None:
    """Certroll replaces an imported old version that an app names only after Azure stored it as an upload too."""
    world = client()
    (old,) = thumbprints(world)
    installation = install(world)
    new = renewed(world)
    silent(world, method, path, host)
    looked(installation)
    assert thumbprints(world) == [old]
    world.faults.clear()
    installation.deliver_all()
    assert set(thumbprints(world)) == {old, new}


# -------------------------------------------------------------------------------------------- what cannot be read


def test_an_import_waits_until_the_copies_can_be_seen(install: Install) -> None:
    """If Azure does not list certificates, Certroll imports none, because the webspace may have the certificate."""
    world = importing("shop")
    Builder(world).add_copy("web", next(iter(world.web.plans.values())), name="by-hand")
    installation = install(world)
    silent(world, "GET", r"/Microsoft\.Web/certificates$")
    looked(installation)
    assert [copy.name for copy in world.web.certificates.values()] == ["by-hand"]


def test_an_import_asks_azure_where_the_rights_cannot_be_read(install: Install) -> None:
    """Certroll imports a certificate even if Certroll may not read the vault's access rules, and lets Azure decide."""
    world = importing("api")
    Builder(world).add_copy("web", next(iter(world.web.plans.values())))
    installation = install(world)
    world.faults.add(Fault("denied", "GET", "management", path=f"/vaults/{VAULT}", times=None))
    swept(installation)
    assert len(thumbprints(world)) == 2


def test_a_secret_that_may_not_be_read_is_not_called_missing(install: Install) -> None:
    """Certroll reports a secret that it may not read as a missing right, and never as a missing certificate."""
    world = World(Clock())
    build = Builder(world)
    build.add_secret("order-0d5f", (HOST,))
    build.add_host(build.add_site("shop"), HOST, build.add_copy("order-0d5f"))
    world.clock.advance(AGE)
    installation = install(world)
    world.faults.add(Fault("denied", host="vault", path="/secrets", times=None))
    installation.sweep()
    found = {reason for subject, reason in installation.findings() if subject == f"{VAULT}/order-0d5f"}
    assert "NoSuchCertificate" not in found
    assert "may not read whether the vault has a secret" in installation.details()


def test_an_upload_of_a_disabled_secret_version_is_reported(install: Install) -> None:
    """Certroll reports that it cannot match an upload to a secret whose old version is disabled."""
    world = one_upload("secret")
    installation = install(world)
    before, vault = shown(world), world.vaults[VAULT]
    vault.renew_secret("web")
    vault.secrets["web"].versions[0].enabled = False
    installation.sweep()
    installation.deliver_all()
    assert shown(world) == before
    assert "VersionsUnread" in {reason for _, reason in installation.findings()}


def test_a_switch_of_another_shape_is_read_as_off() -> None:
    """Certroll reads `loadCertificateToWebsitesSettings` as off if Azure sends a boolean instead of an object."""
    group = "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg"
    properties = {"webSpace": "rg-webspace", "loadCertificateToWebsitesSettings": True}
    wire = {"id": f"{group}/providers/Microsoft.Web/certificates/web", "location": "x", "properties": properties}
    assert not read_certificate(wire).loaded


# --------------------------------------------------------------------------------------------- whose certificate it is


def opposed_secrets(*, bystander: bool = False) -> World:
    """Return a bound upload, and two vaults whose secrets have its version and another one in opposite order."""
    world = World(Clock())
    build = Builder(world)
    one_kv, two = build.add_vault("one-kv"), build.add_vault("two-kv")
    first = one_kv.set_pfx_secret("web", ("*.contoso.com",))
    world.clock.advance(timedelta(hours=1))
    second = one_kv.set_pfx_secret("web", ("*.contoso.com",))
    values = {version.thumbprint: version for version in one_kv.secrets["web"].versions}
    copied = [(two, second), (two, first), *([(build.add_vault("zero-kv"), first)] if bystander else [])]
    for vault, wanted in copied:
        world.clock.advance(timedelta(hours=1))
        version = values[wanted.thumbprint]
        vault.set_secret("web", version.value, content_type=version.content_type)
    build.add_host(build.add_site("shop"), HOST, build.add_upload(first, name="by-hand"), IP_BASED)
    world.clock.advance(AGE)
    return world


def opposed_certificates() -> World:
    """Return a bound upload, and two vault certificates that have its version and another one in opposite order."""
    world = World(Clock())
    build = Builder(world)
    one_kv, two = build.add_vault("one-kv"), build.add_vault("two-kv")
    first = one_kv.add("web", ("*.contoso.com",))
    world.clock.advance(timedelta(hours=1))
    second = one_kv.renew("web")
    two.add("web", ("*.contoso.com",))
    now = world.clock.now()
    two.certificates["web"].versions[:] = [replace(second, created=now), replace(first, created=now + HOURS)]
    build.add_host(build.add_site("shop"), HOST, build.add_upload(first, name="by-hand"), IP_BASED)
    world.clock.advance(AGE)
    return world


@pytest.mark.parametrize("kind", ["certificate", "secret"])
def test_event_moves_nothing_of_lineages_in_opposite_order(install: Install, kind: str) -> None:
    """An event about one of two opposed vault certificates moves no binding, before and after a sweep."""
    world = opposed_secrets() if kind == "secret" else opposed_certificates()
    installation = install(world)
    before = shown(world)
    for _ in range(2):
        for vault in ("one-kv", "two-kv"):
            installation.look_at(vault, "web", kind=kind)
            installation.deliver_all(HOURS)
            assert (shown(world), writes(world)) == (before, 0)
        swept(installation)
    assert {("one-kv/web", "AmbiguousLineage"), ("two-kv/web", "AmbiguousLineage")} <= installation.open_findings()
    assert installation.errors == []


def test_event_after_the_rivals_end_moves_the_binding(install: Install) -> None:
    """A new version in one of two opposed vault certificates reaches the binding by its own event."""
    world = opposed_certificates()
    installation = install(world)
    installation.look_at("one-kv", "web")
    installation.deliver_all(HOURS)
    before, new = shown(world), world.vaults["one-kv"].renew("web").thumbprint
    installation.look_at("one-kv", "web")
    installation.deliver_all(HOURS)
    assert shown(world) == after_renewal(before, new, (HOST,))
    assert "AmbiguousLineage" not in {reason for _, reason in installation.open_findings()}


@pytest.mark.parametrize("bystander", [False, True], ids=["two", "next to a third with the same newest version"])
@pytest.mark.real_storage
def test_lineages_in_opposite_order_do_not_fight_over_an_upload(install: Install, bystander: bool) -> None:  # noqa: FBT001
    """If two vaults have the same versions in opposite order, Certroll moves no binding and reports both vaults."""
    world = opposed_secrets(bystander=bystander)
    installation = install(world)
    for _ in range(2):
        swept(installation)
    assert writes(world) == 0
    assert {("one-kv/web", "AmbiguousLineage"), ("two-kv/web", "AmbiguousLineage")} <= installation.findings()


def test_a_vault_that_was_moved_is_followed(install: Install) -> None:
    """Certroll renews an uploaded certificate of a deleted vault from the vault that has the certificate now."""
    world = World(Clock())
    build = Builder(world)
    vault = build.add_vault("new-kv")
    first = vault.set_pfx_secret("web", ("*.contoso.com",))
    name, tags = f"certroll-web-{first.thumbprint.lower()}", {"certroll-lineage": "old-kv/web"}
    build.add_host(build.add_site("shop"), HOST, build.add_upload(first, name=name, tags=tags), IP_BASED)
    world.clock.advance(AGE)
    installation = install(world)
    before, new = shown(world), vault.set_pfx_secret("web", ("*.contoso.com",)).thumbprint
    swept(installation)
    assert shown(world) == after_renewal(before, new, (HOST,))


def test_what_was_uploaded_for_another_vault_object_is_not_deleted(install: Install) -> None:
    """Certroll keeps its upload of one vault object's newest version, even if another object has a newer version."""
    world = World(Clock())
    build = Builder(world)
    one_kv, two = build.add_vault("one-kv"), build.add_vault("two-kv")
    first = one_kv.set_pfx_secret("web", ("*.contoso.com",))
    name, tags = f"certroll-web-{first.thumbprint.lower()}", {"certroll-lineage": "one-kv/web"}
    build.add_upload(first, name=name, tags=tags)
    two.set_secret("web", one_kv.secrets["web"].versions[0].value, content_type="application/x-pkcs12")
    world.clock.advance(timedelta(hours=1))
    build.add_upload(two.set_pfx_secret("web", ("*.contoso.com",)), name="by-hand")
    world.clock.advance(2 * GRACE)
    installation = install(world)
    swept(installation)
    assert first.thumbprint in thumbprints(world)


@pytest.mark.real_storage
def test_a_public_certificate_that_two_vaults_ask_for_stays(install: Install) -> None:
    """Certroll keeps a public certificate that a vault object's tag requests, even if another vault supersedes it."""
    world = World(Clock())
    build = Builder(world)
    tags = {"certroll-public-to": "orders"}
    one_kv, two = build.add_vault("one-kv"), build.add_vault("two-kv")
    first = one_kv.set_pfx_secret("signer", ("signer.contoso.com",), tags=tags)
    two.set_secret("signer", first.value, content_type=first.content_type, tags=tags)
    world.clock.advance(timedelta(hours=1))
    second = two.set_pfx_secret("signer", ("signer.contoso.com",), tags=tags)
    build.add_site("orders")
    world.clock.advance(AGE)
    installation = install(world)
    swept(installation)
    before = public(world, "orders")
    assert set(before.values()) == {first.thumbprint, second.thumbprint}
    installation.clock.advance(GRACE)
    for _ in range(2):
        swept(installation)
    assert public(world, "orders") == before
    assert writes(world) == 2


def test_a_public_certificate_that_no_tag_asks_for_is_left_to_its_owner(install: Install) -> None:
    """Certroll's sweep does not change a public certificate that an owner uploaded and no tag requests."""
    world = trusting({})
    build = Builder(world)
    build.add_certificate("web", ("*.contoso.com",))
    build.add_copy("web")
    installation = install(world)
    world.vaults[VAULT].renew("signer")
    assert installation.sweep() == ()
    assert writes(world) == 0


# ------------------------------------------------------------------------------------------------------------ Flex


def test_an_upload_of_a_flex_site_comes_with_its_switch(install: Install) -> None:
    """A new upload of a Flex Consumption site is loaded into the app's code as the old upload was.

    The old upload stays until it expires, because the app's code may still use the old certificate.
    """
    world = flex(loaded=True)
    installation = install(world, delete_superseded=True, delete_grace=timedelta(days=7))
    (old,) = thumbprints(world)
    new = renewed(world)
    looked(installation)
    installation.clock.advance(timedelta(days=8))
    swept(installation)
    loaded = {copy.thumbprint: copy.loaded for copy in world.web.site_certificates.values()}
    assert loaded == {old: True, new: True}
