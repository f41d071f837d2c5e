"""Check that Certroll reports what it cannot read, and defers the work that may depend on the unread part."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.vault import certificates
from shared.controllers.certificate.controller import reconcile_certificate
from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateFacts
from shared.domain.errors import Denied
from shared.domain.messages import Cause, CertificateMessage
from shared.domain.names import VaultCertificateRef
from shared.domain.outcome import Stalled
from shared.domain.reason import Reason
from tests.scenarios.app_worlds import CLIENT, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import MOVING, VAULT, Shown, after_renewal, renew, shown, small_world, writes

LISTS = r"/Microsoft\.Web/(certificates|sites|serverfarms)$"
WEB = VaultCertificateRef.parse(VAULT, "certificate", "web")
OTHER = VaultCertificateRef.parse(VAULT, "certificate", "other")


def _subscription(world: World) -> str:
    return next(iter(world.subscriptions))


def test_a_sweep_that_sees_no_subscription_fails_and_says_so(install: Install) -> None:
    """Certroll's sweep fails if Certroll's identity has no role in Azure, and a finding names the role to grant."""
    world = small_world()
    installation = install(world)
    renew(world)
    world.roles.hide(f"/subscriptions/{_subscription(world)}")
    with pytest.raises(Denied, match="no subscription"):
        installation.sweep()
    assert installation.findings() == {("subscriptions", "DeniedByAzure")}
    assert "grant it the role" in installation.details()


def test_a_message_that_sees_no_subscription_is_stalled_and_says_so(install: Install) -> None:
    """If Certroll's identity has no role in Azure, the renewal stalls, and Certroll reports the missing role."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    renew(world)
    world.roles.hide(f"/subscriptions/{_subscription(world)}")
    outcome = reconcile_certificate(installation.start(), CertificateMessage(WEB, Cause.EVENT))
    assert isinstance(outcome, Stalled)
    assert outcome.reason is Reason.DENIED_BY_AZURE
    assert ("App Service", "DeniedByAzure") in installation.findings()
    assert shown(world) == before


def test_a_sweep_that_is_denied_every_list_says_what_it_cannot_see(install: Install) -> None:
    """If Azure denies every list, the sweep queues no certificate and reports the subscription as unreadable."""
    world = small_world()
    installation = install(world)
    renew(world)
    world.faults.add(Fault("denied", "GET", path=LISTS, times=None))
    assert installation.sweep() == ()
    assert installation.findings() == {(f"subscription {_subscription(world)}", "BlindSpot")}


def test_a_renewal_that_is_denied_every_list_is_not_called_converged(install: Install) -> None:
    """If Azure denies every list, the renewal ends as stalled with an incomplete view, never as finished."""
    world = small_world()
    installation = install(world)
    renew(world)
    world.faults.add(Fault("denied", "GET", path=LISTS, times=None))
    outcome = reconcile_certificate(installation.start(), CertificateMessage(WEB, Cause.EVENT))
    assert isinstance(outcome, Stalled)
    assert outcome.reason is Reason.INCOMPLETE_VIEW
    assert _subscription(world) in outcome.detail


@pytest.mark.real_storage
def test_a_subscription_that_answers_409_to_a_list_stops_no_other(install: Install) -> None:
    """Certroll reports a subscription without App Service as unreadable, and renews in the other subscriptions."""
    world = small_world()
    odd = Builder(world).add_subscription("Access to Azure Active Directory")
    installation = install(world)
    before, new = shown(world), renew(world)
    path = rf"/subscriptions/{odd.id}/.*/certificates$"
    world.faults.add(Fault("server_error", "GET", path=path, status=409, times=None))
    assert installation.sweep() == (WEB,)
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert installation.findings() == {(f"subscription {odd.id}", "BlindSpot")}
    assert installation.errors == []


def _odd_site(world: World, group: str) -> str:
    """Add a site with a host name of an unknown binding kind, and return the site's name."""
    build = Builder(world)
    plan = next((plan for plan in world.web.plans.values() if plan.resource_group == group and not plan.linux), None)
    site = build.add_host(build.add_site("odd", plan or build.add_plan("odd", build.add_group(group))), "odd.example")
    host = replace(site.hosts["odd.example"], ssl_state="Mystery")  # type: ignore[arg-type]
    world.web.put_site(replace(site, hosts={**site.hosts, host.name: host}))
    return site.name


def test_a_site_that_cannot_be_read_elsewhere_blocks_nothing(install: Install) -> None:
    """Certroll reports an unreadable site in a webspace without the certificate, and renews in all webspaces."""
    world = small_world()
    odd = _odd_site(world, "elsewhere")
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    told = {subject for subject, reason in installation.findings() if reason == "BlindSpot"}
    assert any(odd in subject for subject in told)


def test_a_site_that_cannot_be_read_blocks_the_sync_of_its_own_webspace_alone(install: Install) -> None:
    """An unreadable site stops the sync of an imported certificate in the site's own webspace alone."""
    world = small_world()
    _odd_site(world, "contoso")
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert {"BlindSpot", "IncompleteView"} <= {reason for _, reason in installation.findings()}


def give_silos(world: World, name: str) -> None:
    """Let Azure show that the site also runs in another region."""
    site = next(site for site in world.web.sites.values() if site.full_name == name)
    world.web.put_site(replace(site, properties={"silos": [{"name": "eastus", "properties": {}}]}))


def renew_with_silos(install: Install) -> tuple[Installation, dict[str, Shown], str]:
    """Renew the certificate of a site with silos, and deliver every message of Certroll.

    Return the installation, what the host names showed before the renewal, and the thumbprint of the new version.
    """
    world = small_world(Knobs(sync_moves_bindings=False))
    give_silos(world, "shop")
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    return installation, before, new


def test_site_with_silos_is_left_alone(install: Install) -> None:
    """Certroll writes nothing to a site with silos or to its slots, says so, and renews everywhere else."""
    installation, before, new = renew_with_silos(install)
    world = installation.world
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert [entry.path for entry in world.journal.writes() if "/sites/shop" in entry.path] == []
    told = {subject for subject, reason in installation.findings() if reason == "SiteWithSilos"}
    assert "other regions of site shop" in told
    assert {subject for subject in told if "shop.contoso.com" in subject or "staging.contoso.com" in subject}
    assert "by hand" in installation.details()
    assert installation.errors == []


def test_site_whose_silos_are_gone_is_renewed(install: Install) -> None:
    """Certroll writes the bindings of a site again as soon as Azure shows no silos of the site any more."""
    installation, before, new = renew_with_silos(install)
    world = installation.world
    shop = next(site for site in world.web.sites.values() if site.full_name == "shop")
    world.web.put_site(replace(shop, properties={"silos": []}))
    installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)


def test_settings_of_an_app_with_silos_stay_as_they_are(install: Install) -> None:
    """Certroll neither writes nor restarts an app with silos, and updates the settings of the other app."""
    town = street()
    town.linux_app("spread")
    town.linux_app("billing")
    give_silos(town.world, "spread")
    installation = install(age(town).world)
    before = (town.settings("spread"), town.restarts("spread"))
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all()
    assert installation.sweep() == ()
    assert (town.settings("spread"), town.restarts("spread")) == before
    assert installation.rolls() == {"billing": "Validated"}
    assert "SiteWithSilos" in {reason for _, reason in installation.findings()}


def test_a_site_with_a_name_beyond_ascii_is_an_ordinary_site(install: Install) -> None:
    """Certroll renews the binding of a site whose name has letters beyond ASCII, which Azure allows."""
    world = small_world()
    build = Builder(world)
    copy = next(copy for copy in world.web.certificates.values() if copy.name == "contoso-contoso-kv-web")
    windows = next(plan for plan in world.web.plans.values() if not plan.linux)
    build.add_host(build.add_site("büro", windows), "buero.contoso.com", copy)
    world.clock.advance(timedelta(days=2))
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (*MOVING, "buero.contoso.com"))
    assert "BlindSpot" not in {reason for _, reason in installation.findings()}


def test_a_vault_certificate_that_cannot_be_parsed_is_reported_and_the_sweep_goes_on(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certroll reports a vault certificate that its parser refuses, and the sweep queues the other certificates."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    unreadable = world.vaults[VAULT].certificates["other"].newest.leaf.der
    real = certificates.read_facts

    def read_facts(der: bytes) -> CertificateFacts:
        if der == unreadable:
            raise ValueError("error parsing asn1 value")
        return real(der)

    monkeypatch.setattr(certificates, "read_facts", read_facts)
    assert installation.sweep() == (WEB,)
    assert installation.findings() == {(str(OTHER), "CertificateUnreadable")}
    assert f"vault certificate {OTHER} cannot be read" in installation.details()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)


def test_whatever_breaks_one_lineage_the_sweep_sends_the_others_and_fails_at_the_end(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error of one certificate fails the sweep only after the sweep has queued the other certificates."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    real = type(installation.ports.vault).lineage

    def lineage(vault: object, ref: VaultCertificateRef, *rest: object) -> Lineage:
        if ref == OTHER:
            raise RuntimeError("nobody foresaw this")
        return real(vault, ref, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(installation.ports.vault), "lineage", lineage)
    with pytest.raises(ExceptionGroup, match="could not inspect every vault certificate") as raised:
        installation.sweep()
    assert [str(error) for error in raised.value.exceptions] == ["nobody foresaw this"]
    assert len(installation.queue) == 1
    assert writes(world) == 0
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
