"""These tests cover apps in an App Service Environment: trusted roots, starts, and how many apps are down at once."""

import base64
from collections.abc import Iterator
from typing import Literal

import pytest
from azure.mgmt.web import WebSiteManagementClient

from local.azure.running.apps import App
from local.azure.running.trust import ROOT_LIST
from local.azure.vault.authority import Authority, Leaf
from local.azure.vault.content import read
from local.azure.vault.objects import Version
from local.azure.vault.secrets import SecretVersion
from local.azure.watching.down_watch import DownWatch
from local.azure.web.load_list import LOAD_LIST
from local.azure.web.resources import STOPPED, Site
from local.fleet import fleet
from local.frontend.partners import CallEnd
from local.stand import Stand
from tests.local.sdk import web_client
from tests.local.test_environments import Hosted

OUT_OF_TIME = 60


class Trusting(Hosted):
    """An App Service Environment with two apps that call a partner server whose certificate has a private root."""

    def __init__(self) -> None:
        """Build the App Service Environment, whose apps do not trust the partner server's root yet."""
        super().__init__()
        self.corp = Authority("Corp")
        self.root = self.corp.root_leaf
        self.partner = self.build.add_partner("erp", own_root=self.corp, open_to_all=True)
        self.shop_app, self.api_app = (
            self.build.add_app(site, self.partner, anonymous=True) for site in (self.shop, self.api)
        )

    def add_root(self, leaf: Leaf | None = None) -> None:
        """Add a root certificate to the App Service Environment: by default the partner server's root."""
        self.build.add_root_certificate(self.ase, (leaf or self.root).der)

    def ask(self, stand: Stand, site: Site | None = None) -> tuple[int, str]:
        """Return the probe answer of the app on the given site, or on the shop by default."""
        return stand.visitor.ask((site or self.shop).default_host_name, "/health")

    def list_root(self, site: Site, value: str) -> None:
        """Write WEBSITE_LOAD_ROOT_CERTIFICATES of the site."""
        self.arm.put(f"{site.id}/config/appsettings", {"properties": {ROOT_LIST: value}})

    def stop_and_start(self, site: Site) -> None:
        """Stop the site and start it again."""
        self.arm.post(f"{site.id}/stop")
        self.arm.post(f"{site.id}/start")


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """Yield a running local Azure that all tests of this module share."""
    with Stand() as stand:
        yield stand


@pytest.fixture
def hosted(stand: Stand) -> Trusting:
    """Build an App Service Environment, and let the local Azure serve it."""
    hosted = Trusting()
    stand.use(hosted.world)
    return hosted


@pytest.fixture
def client(hosted: Trusting, stand: Stand) -> Iterator[WebSiteManagementClient]:
    """Yield the unmodified azure-mgmt-web client, connected to the local Azure."""
    with web_client(stand, hosted.build) as client:
        yield client


# ------------------------------------------------------------------------------------------------ roots at a start


def test_a_root_is_trusted_after_stop_and_start(
    client: WebSiteManagementClient, hosted: Trusting, stand: Stand
) -> None:
    """An app trusts a new root of its environment only after a stop and a start, on Windows and Linux."""
    assert hosted.ask(stand) == (502, "untrusted")
    hosted.add_root()
    for site in (hosted.shop, hosted.api):
        client.web_apps.stop("network", site.name)
        assert stand.visitor.fetch(site.default_host_name, "/health") == 403
        client.web_apps.start("network", site.name)
        assert hosted.ask(stand, site) == (200, f"ok with roots {hosted.root.thumbprint}")
    assert hosted.world.apps.troubles() == ()


def test_forgetting_to_cycle_is_seen(hosted: Trusting, stand: Stand) -> None:
    """A running app neither trusts a new root nor forgets a deleted root.

    The local Azure's list of failing apps names each app that distrusts its partner server.
    """
    hosted.add_root()
    assert hosted.ask(stand) == (502, "untrusted")
    assert hosted.world.apps.troubles() == (
        "shop: the running process does not trust the root of erp",
        "api: the running process does not trust the root of erp",
    )
    hosted.stop_and_start(hosted.shop)
    hosted.world.web.roots.remove(f"{hosted.roots}/{hosted.root.thumbprint}")
    assert hosted.ask(stand)[0] == 200
    assert "shop: a process started now does not trust the root of erp" in hosted.world.apps.troubles()
    hosted.stop_and_start(hosted.shop)
    assert hosted.ask(stand) == (502, "untrusted")


def test_a_restart_injects_nothing(client: WebSiteManagementClient, hosted: Trusting, stand: Stand) -> None:
    """A restart or a changed setting neither adds a new root to an app nor removes a trusted root."""
    other = Authority("Other").root_leaf
    hosted.add_root(other)
    hosted.stop_and_start(hosted.shop)
    hosted.add_root()
    client.web_apps.restart("network", "shop")
    hosted.list_root(hosted.shop, "")
    assert hosted.shop_app.processes[-1].roots == (other.der,)
    assert hosted.ask(stand) == (502, f"untrusted with roots {other.thumbprint}")


def test_an_app_begins_with_the_roots_there_are(hosted: Trusting) -> None:
    """A new app trusts the roots that its App Service Environment already has.

    An app outside the App Service Environment trusts no root of the environment.
    """
    hosted.add_root()
    made = hosted.build.add_app(hosted.build.add_site("new", hosted.linux), hosted.partner, anonymous=True)
    outside = hosted.build.add_app(hosted.outside, hosted.partner, anonymous=True)
    assert [process.roots for process in made.processes] == [(hosted.root.der,)]
    hosted.stop_and_start(hosted.outside)
    assert [process.roots for process in outside.processes] == [()]


def test_only_a_root_is_injected(hosted: Trusting, stand: Stand) -> None:
    """An app trusts its partner server only if the environment has the partner server's true root with `isRoot`.

    A certificate without `isRoot`, an issuing CA and a root of the same name with another key are not trusted.
    """
    hosted.build.add_root_certificate(hosted.ase, hosted.root.der, is_root=False)
    hosted.stop_and_start(hosted.shop)
    assert hosted.shop_app.processes[-1].roots == ()
    for name, der in (("issuer", Leaf(hosted.corp.issuer, None).der), ("namesake", Authority("Corp").root_leaf.der)):
        hosted.build.add_root_certificate(hosted.ase, der, name=name)
        hosted.stop_and_start(hosted.shop)
        assert hosted.ask(stand)[1].startswith("untrusted with roots")
        assert not hosted.partner.is_trusted_with(hosted.shop_app.processes[-1].roots)


def test_a_root_rolls_over(hosted: Trusting, stand: Stand) -> None:
    """An app that trusts both roots reaches its partner server before and after that server moves to the new root."""
    fresh = Authority("Corp 2")
    hosted.add_root()
    hosted.add_root(fresh.root_leaf)
    hosted.stop_and_start(hosted.shop)
    both = f"ok with roots {hosted.root.thumbprint},{fresh.root_leaf.thumbprint}"
    assert hosted.ask(stand) == (200, both)
    hosted.partner.move_to(fresh)
    assert hosted.ask(stand) == (200, both)
    assert hosted.partner.is_trusted_with((fresh.root_leaf.der,))
    assert not hosted.partner.is_trusted_with((hosted.root.der,))
    hosted.partner.move_to(None)
    assert hosted.ask(stand)[0] == 200


def test_an_app_may_present_a_certificate_too(hosted: Trusting, stand: Stand) -> None:
    """A partner server with a private root can require a client certificate, so that both sides need trust."""
    strict = hosted.build.add_partner("strict", own_root=True)
    content = hosted.build.add_certificate("client", ["client.contoso.com"]).imported()
    root = strict.own.root_leaf.der if strict.own else b""
    assert stand.partners.call(strict, content) is CallEnd.UNTRUSTED
    assert stand.partners.call(strict, content, (root,)) is CallEnd.ACCEPTED
    assert stand.partners.call(strict, None, (root,)) is CallEnd.REFUSED
    strict.accept_only()
    assert stand.partners.call(strict, content, (root,)) is CallEnd.REFUSED
    hosted.partner.accept_only()
    assert stand.partners.call(hosted.partner, content, (hosted.root.der,)) is CallEnd.ACCEPTED


def test_who_presents_nothing_is_in_trouble_with_a_strict_partner(hosted: Trusting, stand: Stand) -> None:
    """The local Azure lists an app without the client certificate that its partner server requires as failing."""
    strict = hosted.build.add_partner("strict")
    hosted.build.add_app(hosted.shop, strict, anonymous=True)
    assert hosted.ask(stand) == (502, "refused")
    assert [trouble for trouble in hosted.world.apps.troubles() if trouble.startswith("shop: ")] == [
        f"shop: strict wants a client certificate, which {which} does not present"
        for which in ("the running process", "a process started now")
    ]


@pytest.mark.parametrize("form", ["pem", "der", "certificate"])
def test_a_vault_keeps_a_root(hosted: Trusting, form: Literal["pem", "der", "certificate"]) -> None:
    """The builder stores a root as a plain secret in PEM or DER, or as a certificate with its key."""
    fresh = Authority("Corp").root_leaf
    versions = [hosted.build.add_root_object("corp", leaf, form=form, tags={"a": "b"}) for leaf in (hosted.root, fresh)]
    vault = hosted.world.vaults["contoso-kv"]
    kept = vault.certificates["corp"].versions if form == "certificate" else vault.secrets["corp"].versions
    assert kept == versions
    assert versions[-1].tags == {"a": "b"}
    values = [version.value for version in versions if isinstance(version, SecretVersion)]
    assert not any("PRIVATE KEY" in value for value in values)
    found = [base64.b64decode(value) if form == "der" else read(value)[0].der for value in values]
    found = found or [version.leaf.der for version in versions if isinstance(version, Version)]
    assert found == [hosted.root.der, fresh.der]


# ------------------------------------------------------------------------------------------- listed by a setting


def public(hosted: Trusting, site: Site) -> str:
    """Add the partner server's root as a public certificate of the site, and return its thumbprint."""
    return hosted.build.add_public_certificate(site, hosted.root.der).thumbprint


def test_a_listed_root_is_trusted_by_the_whole_plan(hosted: Trusting, stand: Stand) -> None:
    """A Windows app trusts a root that its setting lists, after the restart that the new setting causes.

    From their next start or restart on, the apps on a plan trust a root that one app's setting lists.
    """
    neighbour = hosted.build.add_site("neighbour", hosted.windows)
    hosted.build.add_app(neighbour, hosted.partner, anonymous=True)
    hosted.list_root(hosted.shop, public(hosted, hosted.shop).lower())
    assert hosted.ask(stand) == (200, f"ok with roots {hosted.root.thumbprint}")
    assert hosted.ask(stand, neighbour) == (502, "untrusted")
    hosted.arm.post(f"{neighbour.id}/restart")
    assert hosted.ask(stand, neighbour)[0] == 200
    hosted.arm.post(f"{hosted.api.id}/restart")
    assert hosted.ask(stand, hosted.api) == (502, "untrusted")


def test_a_neighbour_that_is_stopped_lists_nothing(hosted: Trusting, stand: Stand) -> None:
    """The setting WEBSITE_LOAD_ROOT_CERTIFICATES of a stopped site has no effect on other apps of its plan.

    WEBSITE_LOAD_ROOT_CERTIFICATES may name a public certificate of another site on the plan, even a stopped site.
    """
    neighbour = hosted.build.add_site("neighbour", hosted.windows, state=STOPPED)
    hosted.list_root(neighbour, public(hosted, neighbour))
    hosted.stop_and_start(hosted.shop)
    assert hosted.ask(stand) == (502, "untrusted")
    hosted.list_root(hosted.shop, hosted.root.thumbprint)
    assert hosted.ask(stand)[0] == 200


@pytest.mark.parametrize(("value", "trusted"), [("{},AB", True), ("AB,{}", True), ("AB, {}", False), ("*", False)])
def test_a_root_list_bears_no_blanks(hosted: Trusting, stand: Stand, value: str, *, trusted: bool) -> None:
    """The setting WEBSITE_LOAD_ROOT_CERTIFICATES separates thumbprints by commas only.

    The setting WEBSITE_LOAD_ROOT_CERTIFICATES ignores `*` and a thumbprint after a blank.
    """
    hosted.list_root(hosted.shop, value.format(public(hosted, hosted.shop)))
    assert hosted.ask(stand)[0] == (200 if trusted else 502)


def test_only_windows_code_in_an_environment_heeds_the_list(hosted: Trusting) -> None:
    """Only code on Windows plans in an environment supports the setting WEBSITE_LOAD_ROOT_CERTIFICATES.

    WEBSITE_LOAD_ROOT_CERTIFICATES has no effect on Linux, in Windows containers, or outside of an App Service
    Environment.
    """
    container = hosted.build.add_site("container", hosted.windows, windows_container=True)
    for site in (hosted.api, container, hosted.outside):
        app = hosted.build.add_app(site, hosted.partner, anonymous=True)
        hosted.list_root(site, public(hosted, site))
        assert app.processes[-1].roots == ()
    hosted.list_root(hosted.shop, Authority("Other").root_leaf.thumbprint)
    assert hosted.shop_app.processes[-1].roots == ()
    hosted.list_root(hosted.shop, hosted.root.thumbprint)
    hosted.stop_and_start(container)
    assert hosted.shop_app.processes[-1].roots == (hosted.root.der,)
    contained = hosted.world.apps.of(container)
    assert contained is not None
    assert contained.processes[-1].roots == ()


@pytest.mark.parametrize(("inside", "found"), [(True, True), (False, False)])
def test_code_in_an_environment_sees_the_machines_store(hosted: Trusting, *, inside: bool, found: bool) -> None:
    """Windows code in an App Service Environment finds a public certificate in the machine's store.

    Windows code outside an environment does not find a public certificate in the machine's store.
    """
    site = hosted.shop if inside else hosted.outside
    hosted.build.add_public_certificate(site, hosted.root.der, location="LocalMachineMy")
    app = hosted.build.add_app(site, trusts="SIGNER")
    settings = {"SIGNER": hosted.root.thumbprint, LOAD_LIST: hosted.root.thumbprint}
    hosted.arm.put(f"{site.id}/config/appsettings", {"properties": settings})
    assert app.processes[-1].trusted == (hosted.root.thumbprint if found else None)


# ------------------------------------------------------------------------------------------------- down and up


def test_a_start_takes_its_time(hosted: Trusting, stand: Stand) -> None:
    """A stopped app answers 403, and a starting app answers 503. A restart causes no downtime."""
    hosted.add_root()
    hosted.world.knobs.turn(restart_seconds=30)
    with DownWatch(hosted.world) as watch:
        hosted.arm.post(f"{hosted.shop.id}/restart")
        assert watch.down_now() == frozenset()
        hosted.arm.post(f"{hosted.shop.id}/stop")
        assert hosted.ask(stand)[0] == 403
        hosted.arm.post(f"{hosted.shop.id}/start")
        assert hosted.ask(stand) == (503, "starting")
        assert watch.down_now() == {hosted.shop.id.lower()}
        hosted.world.clock.sleep(30)
        assert hosted.ask(stand)[0] == 200
        assert watch.down_now() == frozenset()


def test_a_start_may_bring_up_nothing(hosted: Trusting, stand: Stand) -> None:
    """A site whose start failed shows the state Running, and its app answers 503 until a later start succeeds."""
    hosted.add_root()
    hosted.shop_app.failing_starts = 1
    hosted.stop_and_start(hosted.shop)
    assert hosted.arm.get(hosted.shop.id)["properties"]["state"] == "Running"
    hosted.world.clock.sleep(OUT_OF_TIME)
    assert hosted.ask(stand) == (503, "starting")
    hosted.stop_and_start(hosted.shop)
    assert hosted.ask(stand)[0] == 200


def test_starts_may_fail_for_ever(hosted: Trusting) -> None:
    """The value `failing_starts = None` of a simulated app makes every start of the app fail.

    A failed restart leaves the old process running.
    """
    hosted.api_app.failing_starts = None
    hosted.arm.post(f"{hosted.api.id}/restart")
    assert answers(hosted, hosted.api_app)
    for _ in range(3):
        hosted.stop_and_start(hosted.api)
        assert not answers(hosted, hosted.api_app)


def answers(hosted: Trusting, app: App) -> bool:
    """Return True if any process of the app answers now."""
    return bool(app.answering(hosted.world.clock.now()))


def test_the_watch_counts_what_is_down_at_once(hosted: Trusting) -> None:
    """A `DownWatch` (a test's observer) reports how many sites were down at once: in total, per plan and per tag group.

    A slot with its own tag `certroll-group` belongs only to that tag's group of apps.
    """
    tagged = hosted.build.add_site("tagged", hosted.windows, tags={"certroll-group": "pay, core"})
    slot = hosted.build.add_slot(tagged, "staging")
    own = hosted.build.add_slot(tagged, "own", tags={"certroll-group": "alone"})
    with DownWatch(hosted.world) as watch:
        hosted.stop_and_start(hosted.shop)
        for site in (tagged, slot, hosted.api):
            hosted.arm.post(f"{site.id}/stop")
        hosted.arm.post(f"{tagged.id}/start")
        hosted.arm.post(f"{own.id}/stop")
    hosted.arm.post(f"{hosted.shop.id}/stop")
    assert watch.max_unavailable() == 3
    assert watch.max_unavailable(plan=hosted.windows.id.upper()) == 2
    assert watch.max_unavailable(plan=hosted.linux.id) == 1
    assert [watch.max_unavailable(group=name) for name in ("pay", "core", "alone", "other")] == [1, 1, 1, 0]


def test_what_was_down_before_does_not_count(hosted: Trusting) -> None:
    """A `DownWatch` (a test's observer) ignores a site that was down from the beginning, until the site has been up."""
    hosted.arm.post(f"{hosted.shop.id}/stop")
    with DownWatch(hosted.world) as watch:
        hosted.arm.post(f"{hosted.api.id}/restart")
        assert watch.max_unavailable() == 0
        hosted.stop_and_start(hosted.shop)
        assert watch.max_unavailable() == 0
        hosted.stop_and_start(hosted.shop)
        assert watch.max_unavailable() == 1


def test_who_came_up_in_the_meantime_counts(hosted: Trusting) -> None:
    """A `DownWatch` (a test's observer) counts a site as up from the moment its start completes."""
    hosted.world.knobs.turn(restart_seconds=30)
    hosted.arm.post(f"{hosted.shop.id}/stop")
    with DownWatch(hosted.world) as watch:
        hosted.arm.post(f"{hosted.shop.id}/start")
        hosted.world.clock.sleep(29)
        hosted.stop_and_start(hosted.shop)
        assert watch.max_unavailable() == 0
        hosted.world.clock.sleep(30)
        hosted.arm.post(f"{hosted.shop.id}/stop")
        assert watch.max_unavailable() == 1


# ------------------------------------------------------------------------------------------------------- the state


def test_the_state_shows_roots_and_who_has_them(hosted: Trusting) -> None:
    """GET /state on the control port shows each environment's roots, and the roots of each process."""
    hosted.add_root()
    hosted.stop_and_start(hosted.shop)
    shown = fleet(hosted.world)
    thumbprint = hosted.root.thumbprint
    assert shown["environments"] == [
        {
            "id": hosted.ase.id,
            "internal": True,
            "address": hosted.ase.address,
            "roots": [{"name": thumbprint, "thumbprint": thumbprint, "is_root": True}],
        }
    ]
    assert {site["id"]: site["environment"] for site in shown["sites"]} == {
        hosted.shop.id: hosted.ase.id,
        hosted.api.id: hosted.ase.id,
        hosted.outside.id: None,
    }
    assert [process["roots"] for app in shown["apps"] for process in app["processes"]] == [[thumbprint], []]
