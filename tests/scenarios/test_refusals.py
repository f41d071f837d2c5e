"""Check that Certroll refuses bad input and missing rights early, with a reason and a next step."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Never

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.held_certificates import Source
from local.azure.world import World
from local.worlds.builders import Builder
from shared.controllers.certificate import controller as certificate
from shared.controllers.intake.dead_letters import replay
from shared.domain.errors import StorageFailed
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import MOVING, VAULT, after_renewal, renew, shown, small_world, writes

REFUSED = {
    "disabled": ({"enabled": False}, "VersionDisabled"),
    "expired": ({"not_before": -20, "not_after": -10}, "Expired"),
    "key not exportable": ({"exportable": False}, "KeyNotExportable"),
    "PEM": ({"content_type": "application/x-pem-file"}, "NotPkcs12"),
    "newly self-signed": ({"self_signed": True}, "NewlySelfSigned"),
    "not yet valid": ({"not_before": 3, "not_after": 100}, "NotYetValid"),
}
UNUSABLE = {
    "an EC key": ({"key_type": "EC"}, "KeyNotImportable"),
    "a small RSA key": ({"key_size": 1024}, "KeyTooSmall"),
}


def _import_newest(world: World) -> None:
    """Replace every imported certificate by the newest version without moving a TLS binding."""
    web = Source(world.vaults[VAULT].resource_id, "web")
    for copy in list(world.web.certificates.values()):
        if copy.source == web:
            world.web.put_certificate(replace(copy, content=world.vaults[VAULT].newest_importable("web")))


def _dated(world: World, differences: dict[str, object]) -> dict[str, object]:
    now = world.clock.now()
    days = {"not_before", "not_after"}
    return {k: now + timedelta(days=v) if k in days else v for k, v in differences.items()}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_newest_version_is_synced_nowhere(install: Install, name: str) -> None:
    """Certroll syncs nothing while it refuses the newest version, because App Service imports only the newest."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    differences, reason = REFUSED[name]
    renew(world, **_dated(world, differences))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    installation.sweep()
    assert shown(world) == before
    assert writes(world) == 0
    assert installation.errors == []
    told = {found for _, found in installation.findings()}
    assert reason in installation.details() or reason in told
    assert told & {"NewestRefused", reason}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_key_that_app_service_cannot_use_is_refused(install: Install, name: str) -> None:
    """Certroll refuses a version whose key App Service cannot use, and names the reason."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    differences, reason = UNUSABLE[name]
    renew(world, **differences)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == before
    assert writes(world) == 0
    assert reason in {found for _, found in installation.findings()}


def test_an_older_good_version_stays_the_target_while_the_newest_is_refused(install: Install) -> None:
    """If Certroll refuses the newest version, bindings move to an older good version that their webspaces have."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    before, good = shown(world), renew(world)
    _import_newest(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, good)
    assert "NewestRefused" not in {reason for _, reason in installation.findings()} or writes(world) == len(MOVING)


def test_a_name_that_is_no_longer_covered_keeps_its_certificate(install: Install) -> None:
    """Certroll does not sync a certificate if the new version leaves one of its bound host names uncovered."""
    world = small_world()
    build = Builder(world)
    world.vaults[VAULT].renew("other", host_names=("other.contoso.com", "extra.contoso.com"))
    installation = install(world)
    before = shown(world)
    new = renew(world, host_names=("api.contoso.com", "shop.contoso.com", "www.contoso.com"))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert build.world is world
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert "staging.contoso.com" in installation.details()
    assert "NotCovered" in {reason for _, reason in installation.findings()}


def test_a_binding_that_is_not_covered_does_not_block_the_others(install: Install) -> None:
    """If the webspace has the new version already, only the uncovered host name keeps the old version."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    before = shown(world)
    new = renew(world, host_names=("api.contoso.com", "shop.contoso.com", "www.contoso.com"))
    _import_newest(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com", "shop.contoso.com", "www.contoso.com"))
    assert ("binding staging.contoso.com of shop/staging", "NotCovered") in installation.findings()


def test_close_to_expiry_a_lost_name_does_not_take_the_others_with_it(install: Install) -> None:
    """Less than 72 hours before expiry Certroll syncs despite an uncovered host name, and reports that name."""
    world = small_world(Knobs(sync_moves_bindings=False))
    world.clock.advance(timedelta(days=26))
    installation = install(world)
    before = shown(world)
    new = renew(world, host_names=("api.contoso.com", "shop.contoso.com", "www.contoso.com"))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com", "shop.contoso.com", "www.contoso.com"))
    assert ("binding staging.contoso.com of shop/staging", "NotCovered") in installation.findings()


def test_a_vault_that_may_not_be_read_is_reported_with_the_cure(install: Install) -> None:
    """If the vault denies access, Certroll reports the missing role and does not retry."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    renew(world)
    world.vaults[VAULT].deny()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == before
    assert (f"{VAULT}/web", "VaultDenied") in installation.findings()
    assert "Key Vault Reader" in installation.details()
    assert installation.errors == []


def test_app_service_without_rights_on_the_vault_is_reported(install: Install) -> None:
    """Certroll reports Azure's refusal if App Service's own principal may not read the vault."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    renew(world)
    world.vaults[VAULT].deny("abfa0a7c-a6b6-4736-8310-5855508787cd")
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == before
    assert "RejectedByAzure" in {reason for _, reason in installation.findings()}
    assert "does not have access" in installation.details()


def test_a_missing_write_role_is_reported_and_the_rest_goes_on(install: Install) -> None:
    """Certroll reports a site whose bindings it may not write, and moves all other bindings."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    before, new = shown(world), renew(world)
    shop = next(site for site in world.web.sites.values() if site.full_name == "shop")
    world.roles.read_only(shop.id + "/hostNameBindings")
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com", "staging.contoso.com"))
    assert ("binding shop.contoso.com of shop", "DeniedByAzure") in installation.findings()


def test_a_hidden_subscription_is_a_blind_spot_and_not_an_empty_one(install: Install) -> None:
    """Certroll reports a subscription of its settings that it may not read, and does not treat it as empty."""
    world = small_world()
    subscription = next(iter(world.subscriptions))
    installation = install(world, subscriptions=(subscription,))
    world.roles.hide(f"/subscriptions/{subscription}")
    world.faults.add(Fault("denied", "GET", path=r"/Microsoft\.Web/certificates$", times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert (f"subscription {subscription}", "BlindSpot") in installation.findings()


def test_a_site_that_only_its_plan_names_blocks_the_sync_of_its_webspace(install: Install) -> None:
    """A site that only its plan's list names blocks the sync in its webspace, as it may show the certificate."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    other = next(site for site in world.web.sites.values() if site.full_name == "other")
    world.roles.hide(other.id)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert "IncompleteView" in {reason for _, reason in installation.findings()}
    assert "grant Reader" in installation.details()


def test_an_opted_out_vault_certificate_is_left_alone(install: Install) -> None:
    """The tag `certroll: off` on a vault certificate prevents every write, even if a renewal loses the tag."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    renew(world, tags={"certroll": "off"})
    world.clock.sleep(60)
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == before
    assert writes(world) == 0
    assert {"OptedOut", "TagsInherited"} <= {reason for _, reason in installation.findings()}


def test_an_opted_out_slot_is_spared_our_writes(install: Install) -> None:
    """The tag `certroll: off` on a slot excludes only that slot from Certroll's writes."""
    world = small_world(Knobs(sync_moves_bindings=False))
    slot = next(site for site in world.web.sites.values() if site.slot)
    world.web.put_site(replace(slot, tags={"certroll": "off"}))
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, tuple(name for name in MOVING if name != "staging.contoso.com"))
    assert ("binding staging.contoso.com of shop/staging", "OptedOut") in installation.findings()


def test_two_webspaces_with_the_same_resource_names_are_kept_apart(install: Install) -> None:
    """Certroll keeps two webspaces apart whose resources have the same names in different subscriptions."""
    world = small_world(Knobs(sync_moves_bindings=False))
    build = Builder(world)
    twin = build.add_group("contoso", build.add_subscription("Twin"))
    plan = build.add_plan("windows", twin)
    copy = build.add_copy("web", plan)
    build.add_host(build.add_site("shop", plan), "twin.contoso.com", copy)
    world.clock.advance(timedelta(days=2))
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new, (*MOVING, "twin.contoso.com"))
    assert writes(world) == 3 + 5


@pytest.mark.parametrize("second", ["accept", "refuse"])
def test_two_imports_of_one_vault_certificate_are_reported(install: Install, second: str) -> None:
    """Certroll reports a second import of the same vault certificate, and still moves the TLS bindings."""
    world = small_world(Knobs(sync_moves_bindings=False, second_import_same_thumbprint=second))  # type: ignore[arg-type]
    plan = next(plan for plan in world.web.plans.values() if not plan.linux)
    Builder(world).add_copy("web", plan, name="second")
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    installation.sweep()
    installation.deliver_all()
    assert "DuplicateImport" in {reason for _, reason in installation.findings()}
    assert shown(world) == after_renewal(before, new)


def test_somebody_else_moves_a_binding_meanwhile(install: Install) -> None:
    """Certroll does not undo a change that an operator made to a binding between plan and write."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    before, new = shown(world), renew(world)
    build = Builder(world)
    other = next(
        copy for copy in world.web.certificates.values() if copy.source and str(copy.source.secret_name) == "other"
    )
    installation.look_at(VAULT, "web")
    while len(installation.states()) < 3:
        message = installation.queue.take(world.clock.now() + timedelta(hours=1))
        assert message is not None
        installation.deliver(message)
    shop = next(site for site in world.web.sites.values() if site.full_name == "shop")
    build.add_host(shop, "www.contoso.com", other)
    installation.deliver_all()
    expected = after_renewal(before, new)
    expected["www.contoso.com"] = expected["www.contoso.com"]._replace(thumbprint=other.thumbprint)
    assert shown(world) == expected


EVENTS = {
    "another vault": (
        '{"eventType":"Microsoft.KeyVault.CertificateNewVersionCreated","data":{"VaultName":"evil","ObjectName":"web"}}',
        "UnknownVault",
    ),
    "another type": (
        '{"eventType":"Microsoft.KeyVault.KeyNewVersionCreated","data":{"VaultName":"contoso-kv","ObjectName":"web"}}',
        "UnknownEvent",
    ),
    "no object": ("[]", "MalformedEvent"),
    "no JSON": ("{", "MalformedEvent"),
    "a hostile name": (
        '{"eventType":"Microsoft.KeyVault.CertificateNewVersionCreated","data":{"VaultName":"contoso-kv","ObjectName":"../x"}}',
        "MalformedEvent",
    ),
}


@pytest.mark.parametrize("name", EVENTS)
def test_a_foreign_event_is_recorded_and_accepted(install: Install, name: str) -> None:
    """Certroll records why it cannot use an event, queues no message and sends Azure no request."""
    world = small_world()
    installation = install(world)
    world.journal.clear()
    text, reason = EVENTS[name]
    installation.event(text)
    assert reason in {found for _, found in installation.findings()}
    assert len(installation.queue) == 0
    assert world.journal.entries() == ()


@pytest.mark.parametrize("kind", ["NearExpiry", "Expired"])
def test_expiry_events_are_findings_and_also_reconcile(install: Install, kind: str) -> None:
    """Certroll records an expiry event as a finding and makes up for a missed renewal."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.event(json.dumps(world.events.emit(VAULT, "web", kind).payload))  # type: ignore[arg-type]
    installation.deliver_all()
    assert (f"{VAULT}/web", kind) in installation.findings()
    assert shown(world) == after_renewal(before, new)


@pytest.mark.parametrize(
    "body",
    [
        "nonsense",
        "{}",
        '{"v":1,"vault":"contoso-kv","kind":"certificate","name":"web","cause":"x","waits":0}',
        "[" * 3000,
    ],
)
@pytest.mark.real_storage
def test_a_message_that_cannot_be_read_is_kept_at_once(install: Install, body: str) -> None:
    """A malformed message becomes a dead letter at its first delivery, and an operator can replay the message."""
    installation = install(small_world())
    installation.queue.put("certificates", body)
    installation.deliver_all()
    (kept,) = installation.kept()
    assert "MalformedMessage" in str(kept["cause"])
    assert kept["body_0"] == body
    replay(installation.start(), "certificates", str(kept["RowKey"]))
    message = installation.queue.take(installation.clock.now())
    assert message is not None
    assert message.body == body


def test_a_tampered_site_id_is_kept_and_touches_nothing(install: Install) -> None:
    """A message with a forged site id becomes a dead letter, and Certroll sends Azure no request."""
    world = small_world()
    installation = install(world)
    evil = "/subscriptions/x/resourceGroups/y/providers/Microsoft.Web/sites/../../z"
    fields = {"v": 1, "site": evil, "vault": VAULT, "kind": "certificate", "name": "web", "waits": 0}
    world.journal.clear()
    installation.queue.put("sites", json.dumps(fields))
    installation.deliver_all()
    assert len(installation.kept()) == 1
    assert world.journal.entries() == ()


@pytest.mark.real_storage
def test_a_message_that_fails_five_times_is_kept_with_its_cause(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that fails five times becomes a dead letter with its cause, and a replay finishes the renewal."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    with monkeypatch.context() as patch:
        patch.setattr(certificate, "reconcile_lineage", without_storage)
        installation.look_at(VAULT, "web")
        installation.deliver_all(timedelta(hours=2))
    (kept,) = installation.kept()
    assert "StorageFailed" in str(kept["cause"])
    assert len(installation.queue.dead_letter) == 1
    replay(installation.start(), "certificates", str(kept["RowKey"]))
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert installation.kept() == []


def test_a_run_that_azure_does_not_answer_is_said_and_goes_on_later(install: Install) -> None:
    """While Azure does not answer, the message comes back, a finding has Azure's own words, and nothing is lost."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    world.faults.add(Fault("server_error", "GET", path=r"/certificates$", status=500, times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=30))
    assert ("App Service", "Unanswered") in installation.open_findings()
    assert f"certificates of subscription {next(iter(world.subscriptions))}: 500" in installation.details()
    world.faults.clear()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert ("App Service", "Unanswered") not in installation.open_findings()
    assert installation.kept() == []


def without_storage(*_: object, **__: object) -> Never:
    """Fail as a run whose storage account does not answer."""
    raise StorageFailed("table certrolljournal: 503 ServerBusy")


def test_a_deleted_vault_certificate_is_reported(install: Install) -> None:
    """Certroll reports an imported certificate whose vault certificate was deleted."""
    world = small_world()
    installation = install(world)
    world.vaults[VAULT].delete("web")
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert (f"{VAULT}/web", "NoSuchCertificate") in installation.findings()
    assert installation.sweep() == ()
