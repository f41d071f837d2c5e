"""A finding is open as long as its cause lasts, and closes only after Certroll could see that the cause is gone."""

import base64
import json
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import authority
from local.azure.world import World
from local.stand import Stand
from shared.controllers.managed.controller import look_after_managed
from shared.controllers.sweep import reading
from shared.domain.findings import Finding, SeenBy
from shared.domain.names import ObjectKind, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.rollout.settings_record import RollState
from tests.build import roll
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import ROOT, Hosted
from tests.scenarios.installation import Installation
from tests.scenarios.test_managed import HOST, a_world
from tests.scenarios.test_orders import Shop
from tests.scenarios.test_uploads import crossed_root, uploads
from tests.scenarios.test_uploads import renew as renew_upload
from tests.scenarios.worlds import MOVING, VAULT, renew, small_world

REF = VaultCertificateRef.parse(VAULT, ObjectKind.CERTIFICATE, "web")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STAGING = ("binding staging.contoso.com of shop/staging", "NotCovered")
TOO_FEW = ("api.contoso.com", "shop.contoso.com", "www.contoso.com")
SETTINGS = r"/sites/shop/config/appsettings/list$"


def open_findings(installation: Installation) -> set[tuple[object, object]]:
    """Return subject and reason of each open finding about a vault certificate or the fleet."""
    rows = installation.rows("certrollfindings")
    return {(row["subject"], row["reason"]) for row in rows if row.get("state") == "open"}


def uncovered(install: Install) -> tuple[World, Installation]:
    """Return a fleet whose newest version covers one host name less, after Certroll has carried it to the others."""
    world = small_world(Knobs(sync_moves_bindings=False))
    world.clock.advance(timedelta(days=26))
    installation = install(world)
    renew(world, host_names=TOO_FEW)
    carried(installation)
    assert STAGING in open_findings(installation)
    return world, installation


def carried(installation: Installation) -> None:
    """Deliver the event of the certificate, and all messages that follow."""
    installation.look_at(VAULT, "web")
    installation.deliver_all()


def swept(installation: Installation) -> None:
    """Run a sweep an hour later, and deliver all messages that follow."""
    installation.clock.advance(HOUR)
    installation.sweep()
    installation.deliver_all()


def test_finding_closes_when_its_cause_is_gone(install: Install) -> None:
    """After a version that covers every host name, the next inspection closes the finding about the missing name."""
    world, installation = uncovered(install)
    swept(installation)
    assert STAGING in open_findings(installation)
    renew(world)
    carried(installation)
    assert STAGING not in open_findings(installation)
    swept(installation)
    assert open_findings(installation) == set()


@pytest.mark.parametrize("blind", ["an app's settings", "the vault"])
def test_finding_stays_open_while_nobody_can_look(install: Install, blind: str) -> None:
    """If Certroll cannot read changed settings of the webspace, or the vault, the finding stays open until it can."""
    world, installation = uncovered(install)
    renew(world)
    shop = next(site for site in world.web.sites.values() if site.full_name == "shop")
    world.meddle(shop, edit=lambda values: {**values, "FEATURE": "on"})
    if blind == "the vault":
        world.vaults[VAULT].deny(operations={"*"})
    else:
        world.faults.add(Fault("denied", "POST", path=SETTINGS, times=None))
    swept(installation)
    assert STAGING in open_findings(installation)
    assert open_findings(installation) & {("vault contoso-kv", "VaultDenied"), ("app settings of shop", "BlindSpot")}
    world.vaults[VAULT].allow()
    world.faults.clear()
    swept(installation)
    swept(installation)
    assert open_findings(installation) == set()


def test_unproven_site_stays_open_until_somebody_proves_it(
    install: Install, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep makes no handshakes, so it closes no finding about a handshake; the next version's run does."""
    world = small_world()
    installation = install(world)
    with monkeypatch.context() as closed:
        closed.setattr(stand.proxy, "resolve", lambda _: None)
        renew(world)
        carried(installation)
        world.clock.advance(2 * HOUR)
        carried(installation)
    unproven = {(site, "Unreachable") for site in ("api", "shop", "shop/staging")}
    assert open_findings(installation) == unproven
    swept(installation)
    swept(installation)
    assert open_findings(installation) == unproven
    renew(world)
    carried(installation)
    assert open_findings(installation) == set()


def test_unproven_site_stays_open_if_azure_refuses_a_binding(
    install: Install, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that reaches no host name of a site does not say that the site is proven, also if Azure refuses a write."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    monkeypatch.setattr(stand.proxy, "resolve", lambda _: None)
    for denied in (False, True):
        if denied:
            world.faults.add(Fault("denied", "PUT", path="/hostNameBindings/www", times=None))
        renew(world)
        carried(installation)
        world.clock.advance(2 * HOUR)
        carried(installation)
        assert ("shop", "Unreachable") in open_findings(installation)
    assert ("binding www.contoso.com of shop", "DeniedByAzure") in open_findings(installation)


@pytest.mark.parametrize("listed", [True, False], ids=["the vault is listed", "the vault is not listed"])
def test_deleted_certificate_has_no_open_finding(install: Install, *, listed: bool) -> None:
    """After an operator deletes a certificate everywhere, its findings close as soon as a sweep lists the vault."""
    world, installation = uncovered(install)
    vanish(world)
    if not listed:
        world.vaults[VAULT].deny(operations={"certificates/list"})
    swept(installation)
    assert (STAGING in open_findings(installation)) is not listed


@pytest.mark.parametrize("begun", [False, True], ids=["nothing is begun", "an app is begun"])
def test_vault_that_left_the_settings_has_no_open_finding(install: Install, *, begun: bool) -> None:
    """If CERTROLL_VAULTS no longer names a vault, its findings close with that reason, but for an unfinished change."""
    _, installation = uncovered(install)
    down = Finding(installation.clock.now(), str(REF), "app shop", Reason.NO_LAST_GOOD, "mend it by hand", SeenBy.APP)
    installation.ports.findings.report((down,))
    if begun:
        installation.ports.settings_rolls.put_roll(REF, roll(RollState.OVERLAPPING))
    installation.intent = replace(installation.intent, vaults=frozenset({VaultName("another-kv")}))
    installation.clock.advance(HOUR)
    with suppress(ExceptionGroup):  # nobody has made the other vault
        installation.sweep()
    assert (STAGING in open_findings(installation)) is begun
    rows = installation.rows("certrollfindings")
    closed = {row["subject"]: row.get("why") for row in rows if row["state"] == "closed"}
    assert ("app shop", "NoLastGood") in open_findings(installation), "an app that is down needs a person as before"
    assert closed.get(STAGING[0]) == (None if begun else f"vault {VAULT} is not among CERTROLL_VAULTS")


def vanish(world: World) -> None:
    """Delete the certificate with its copies and bindings."""
    world.vaults[VAULT].delete("web")
    for copy in list(world.web.certificates.values()):
        if copy.source and "web" in copy.source.secret_name:
            world.web.certificates.remove(copy.id)
    for site in world.web.sites.values():
        for name in set(site.hosts) & set(MOVING):
            site.hosts[name] = replace(site.hosts[name], ssl_state="Disabled", thumbprint=None)


def test_open_finding_is_in_the_log_once_a_day(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """A finding whose cause lasts three days is in the log four times, although every sweep sees the cause."""
    caplog.set_level(logging.INFO, logger="certroll")
    _, installation = uncovered(install)
    for _ in range(24):
        installation.clock.advance(timedelta(hours=2))
        swept(installation)
    lines = [json.loads(line) for line in caplog.messages]
    about = [line for line in lines if (line.get("subject"), line.get("reason")) == STAGING]
    reported = [line["state"] for line in about if line["event"] == "finding.reported"]
    assert reported == ["opened", "lasts", "lasts", "lasts"]


def test_started_app_has_no_open_finding(install: Install) -> None:
    """As soon as the timer has started an app, the finding about its pending start closes."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(2))
    hosted.put_new()
    failing = Fault("server_error", "POST", path=r"/sites/shop/slots/staging/start", status=500, times=None)
    hosted.world.faults.add(failing)
    installation.look_at("contoso-kv", ROOT, kind="secret")
    installation.deliver_all(during=timedelta(minutes=20))
    assert ("site shop/staging", "StartPending") in open_findings(installation)
    hosted.world.faults.clear()
    installation.minutes(10)
    installation.deliver_all()
    assert open_findings(installation) == set()


def test_problem_of_an_order_closes_when_it_is_solved(install: Install) -> None:
    """After a person has turned automatic renewal on, the next inspection of all orders closes the finding."""
    shop = Shop(install, act=False, auto_renew=False)
    shop.look()
    opened = {("order contoso/shop", "AutoRenewOff")}
    assert opened <= open_findings(shop.installation)
    shop.order.auto_renew = True
    shop.world.clock.advance(HOUR)
    listing = Fault("denied", "GET", path="/certificateOrders$", times=1)
    shop.world.faults.add(listing)
    shop.look()
    assert opened <= open_findings(shop.installation)
    shop.world.clock.advance(HOUR)
    shop.look()
    assert open_findings(shop.installation) == set()


def test_missing_prerequisite_closes_when_it_is_there(install: Install) -> None:
    """After the DNS record has come, the next inspection closes the finding about the host name."""
    build = a_world(root=False)
    build.world.dns.remove(HOST, "CNAME")
    installation = install(build.world, watched=True, meddled=True)
    look_after_managed(installation.start())
    ((subject, _),) = open_findings(installation)
    assert subject == f"host name {HOST} of shop"
    shop = next(site for site in build.world.web.sites.values() if site.full_name == "shop")
    build.add_record(HOST, "CNAME", shop.default_host_name)
    installation.clock.advance(HOUR)
    look_after_managed(installation.start())
    assert open_findings(installation) == set()


@pytest.mark.parametrize("trouble", ["the vault is closed", "the newest version is disabled"])
def test_order_stays_told_while_nobody_can_compare_it_with_its_secret(install: Install, trouble: str) -> None:
    """A finding that the secret holds another certificate stays open while Certroll may not read the secret.

    Certroll closes the finding once the secret holds the certificate of the order.
    """
    shop = Shop(install, age=timedelta(days=60))
    (stored,) = shop.order.stored.values()
    bought, secret = stored.secret_name.lower(), shop.vault.secrets[stored.secret_name.lower()]
    shop.world.clock.advance(timedelta(minutes=1))
    shop.vault.renew_secret(bought)
    shop.look()
    told = {("order contoso/shop", "OrderStoreFailed")}
    assert told <= open_findings(shop.installation)
    shop.world.clock.advance(HOUR)
    if trouble == "the vault is closed":
        shop.vault.deny(operations={"secrets/get", "secrets/list"})
    else:
        secret.newest.enabled = False
    shop.look()
    assert told <= open_findings(shop.installation)
    shop.vault.allow()
    secret.versions.pop()
    shop.world.clock.advance(HOUR)
    shop.look()
    assert not told & open_findings(shop.installation)


@pytest.mark.parametrize("hidden", [r"/sites/shop/hostNameBindings$", r"/serverfarms/[^/]+$", "DNS"])
def test_missing_prerequisite_stays_told_while_nobody_can_look(install: Install, hidden: str) -> None:
    """A finding about a host name stays open while Azure or DNS hides what a managed certificate depends on."""
    build = a_world(root=False)
    build.world.dns.remove(HOST, "CNAME")
    installation = install(build.world, watched=True, meddled=True)
    look_after_managed(installation.start())
    opened = open_findings(installation)
    assert len(opened) == 1
    installation.clock.advance(HOUR)
    if hidden == "DNS":
        build.world.dns.trouble(HOST, "servfail")
    else:
        build.world.faults.add(Fault("denied", "GET", path=hidden, times=None))
    look_after_managed(installation.start())
    assert opened < open_findings(installation)


def test_mistyped_tag_stays_told_while_nobody_can_read_its_vault(install: Install) -> None:
    """While Certroll may not read a vault, it does not say that a mistyped tag in the vault is gone."""
    world = small_world()
    newest = world.vaults[VAULT].certificates["other"].newest
    newest.tags["certroll-retrie"] = "on"
    installation = install(world)
    mistyped = (f"tag certroll-retrie of {VAULT}/other", "UnknownTag")
    swept(installation)
    assert open_findings(installation) == {mistyped}
    world.vaults[VAULT].deny(operations={"*"})
    swept(installation)
    assert mistyped in open_findings(installation)
    world.vaults[VAULT].allow()
    swept(installation)
    assert open_findings(installation) == {mistyped}
    installation.look_at(VAULT, "other")
    installation.deliver_all()
    assert open_findings(installation) == {mistyped}
    del newest.tags["certroll-retrie"]
    swept(installation)
    assert open_findings(installation) == set()


def test_unlisted_vault_keeps_its_finding(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep whose time ends before it lists a vault does not say that the vault may be read again."""
    world = small_world()
    installation = install(world)
    world.vaults[VAULT].deny(operations={"*"})
    swept(installation)
    denied = (f"vault {VAULT}", "VaultDenied")
    assert denied in open_findings(installation)
    monkeypatch.setattr(reading, "LIST_SHARE", Fraction(2))
    with pytest.raises(ExceptionGroup):
        swept(installation)
    assert denied in open_findings(installation)


def test_shorter_chain_stays_told_after_the_upload(install: Install) -> None:
    """A sweep reads no chain, so what an upload's chain lacks stays an open finding until the next version."""
    world = uploads(kind="secret").world
    secret = world.vaults[VAULT].secrets["web"]
    leaf = secret.newest.leaf
    longer = base64.b64encode(replace(leaf, chain=(*leaf.chain, crossed_root(), authority().root)).pfx()).decode()
    secret.versions[-1] = replace(secret.newest, value=longer)
    installation = install(world)
    renew_upload(world)
    installation.look_at(VAULT, "web", kind="secret")
    installation.deliver_all()
    told = {found for found in open_findings(installation) if found[1] == "RequirementWarning"}
    assert any(str(subject).startswith("certificate ") for subject, _ in told)
    swept(installation)
    assert open_findings(installation) >= told
