"""Check that an odd answer of Azure costs no more than its own subject, and that its remedy is right."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import MOVING, VAULT, after_renewal, renew, shown, small_world

UNREGISTERED = json.dumps(
    {
        "error": {
            "code": "MissingSubscriptionRegistration",
            "message": "The subscription is not registered to use namespace 'Microsoft.Web'.",
        }
    }
)
POLICY = json.dumps(
    {
        "error": {
            "code": "RequestDisallowedByPolicy",
            "message": "Resource 'shop' was disallowed by policy. See error details for policy resource IDs.",
            "additionalInfo": [
                {"type": "PolicyViolation", "info": {"policyAssignmentDisplayName": "Freeze of web apps"}}
            ],
        }
    }
)
LOCKED = '{"Error": {"Code": "ScopeLocked", "Message": "These scope(s) are locked: \'rg-web\'. Remove the lock."}}'


def test_subscription_without_app_service_is_empty_and_never_registered(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """A subscription that does not use App Service is empty, is named once, and stays unregistered."""
    caplog.set_level("INFO", "certroll")
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    empty = Builder(world).add_subscription("not registered")
    lists = rf"{empty.id}/providers/Microsoft\.Web/"
    world.faults.add(Fault("answered", path=lists, status=409, body=UNREGISTERED, times=None))
    for _ in range(2):
        installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert "BlindSpot" not in {reason for _, reason in installation.findings()}
    assert caplog.text.count("subscription.not_registered") == 1
    assert not [entry for entry in world.journal.writes("management.azure.com") if "register" in entry.path]


def test_plan_of_no_known_webspace_holds_no_other_webspace(install: Install) -> None:
    """A plan whose webspace Azure does not show is a blind spot of itself, and all renewals of others go on."""
    world = small_world()
    build = Builder(world)
    plan = build.add_plan("being-made")
    world.web.plans.put(plan.id, replace(plan, shows_webspace=False))
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    installation.sweep()
    assert (plan.id, "BlindSpot") in {(subject, reason) for subject, reason in installation.findings()}
    assert "Azure does not say its webspace" in installation.details()


def test_certificate_of_no_known_webspace_holds_no_other_certificate(install: Install) -> None:
    """A certificate whose webspace Azure does not show is a blind spot of itself, and all other renewals go on."""
    world = small_world()
    build = Builder(world)
    build.add_certificate("lost", ("lost.contoso.com",))
    copy = build.add_copy("lost", build.add_plan("elsewhere"))
    world.web.certificates.put(copy.id, replace(copy, shows_webspace=False))
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    installation.sweep()
    assert (copy.id, "BlindSpot") in {(subject, reason) for subject, reason in installation.findings()}


@pytest.mark.parametrize("path", ["/hostNameBindings/", "/certificates/"])
def test_accepted_write_is_no_refusal(install: Install, path: str) -> None:
    """If Azure answers a binding or an import with 202, the renewal goes on, and nothing is reported as refused."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    world.faults.add(Fault("answered", method="PUT", path=path, status=202, body="", applied=True, times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert installation.errors == []
    assert "RejectedByAzure" not in {reason for _, reason in installation.findings()}


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        pytest.param(403, POLICY, "exempt the resource from the policy assignment Freeze of web apps", id="policy"),
        pytest.param(409, LOCKED, "remove the lock that the message names", id="a lock, in capitals"),
    ],
)
def test_refused_write_names_its_own_remedy(install: Install, status: int, body: str, remedy: str) -> None:
    """A write that a policy or a lock refuses names the policy assignment or the lock, and asks for no role."""
    world = small_world()
    installation = install(world)
    renew(world)
    path = "/hostNameBindings/|/certificates/"
    world.faults.add(Fault("answered", method="PUT", path=path, status=status, body=body, times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert remedy in installation.details()
    assert "grant the identity" not in installation.details()


@pytest.mark.parametrize(
    "odd", [None, {"id": "https://contoso-kv.vault.azure.net/certificates/odd"}], ids=["null", "named"]
)
def test_unreadable_entry_of_a_vaults_list_is_a_finding(install: Install, odd: object) -> None:
    """An entry of a vault's list that makes no sense is told as a blind spot, and the other certificates go on.

    The finding ends with the first sweep that can read the whole list.
    """
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    web = {"id": f"https://{VAULT}.vault.azure.net/certificates/web", "attributes": {"enabled": True}}
    body = json.dumps({"value": [odd, web]})
    world.faults.add(Fault("answered", method="GET", path="^/certificates/?$", status=200, body=body, times=1))
    assert installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    (subject,) = {subject for subject, reason in installation.findings() if reason == "BlindSpot"}
    assert subject.startswith(f"the certificates of vault {VAULT}: ")
    assert ("certificates/odd" in subject) is (odd is not None)
    installation.clock.sleep(3600)
    installation.sweep()
    states = {(row["reason"], row.get("state")) for row in installation.rows("certrollfindings") if "subject" in row}
    assert ("BlindSpot", "closed") in states
    assert ("BlindSpot", "open") not in states


def test_binding_that_azure_accepts_and_does_not_show_is_named(install: Install) -> None:
    """If Azure accepts the write of one binding and goes on to show the old one, a finding names the host name."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    before, new = shown(world), renew(world)
    world.faults.add(Fault("answered", "PUT", path=r"/hostNameBindings/shop\.", status=200, body="[null]", times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=30))
    assert shown(world) == after_renewal(before, new, tuple(name for name in MOVING if name != "shop.contoso.com"))
    assert ("binding shop.contoso.com of shop", "NotSettled") in installation.open_findings()
