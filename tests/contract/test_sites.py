"""Check what Certroll relies on when it lists plans, sites and slots, and when it stops and starts them."""

import pytest

from shared.domain.fleet.sites import Site
from shared.domain.names import SiteRef
from tests.contract.apis import WEB_API
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.place import Waited
from tests.contract.wire import Json

BOTH = pytest.mark.parametrize("which", ["site", "slot"])


def _wire(rig: Rig, resource_id: str) -> Json:
    return rig.place.arm.expect("GET", f"{resource_id}?api-version={WEB_API}")


@pytest.mark.operations("app_service.subscriptions")
def test_the_subscription_is_listed(azure: Recording, rig: Rig) -> None:
    """The list of subscriptions names the subscription by its bare id."""
    assert rig.place.subscription.lower() in azure.app_service.subscriptions()


@pytest.mark.operations("app_service.plans", "managed.tier")
def test_a_plan_names_its_webspace_and_tier(azure: Recording, rig: Rig) -> None:
    """A plan in the list has an id that ARM accepts, a webspace and a region, and a read shows its tier."""
    (plan,) = (
        plan
        for plan in azure.app_service.plans(rig.place.subscription).found
        if plan.resource_id.lower() == rig.plan_id.lower()
    )
    wire = _wire(rig, plan.resource_id)
    assert wire["properties"]["webSpace"].lower() == plan.webspace.name
    assert plan.location.replace(" ", "").lower() == rig.place.location
    assert azure.managed.tier(plan.resource_id) == "Standard"


@pytest.mark.operations("app_service.sites", "app_service.site", "managed.places")
def test_a_site_is_listed_as_a_read_shows_it(azure: Recording, rig: Rig) -> None:
    """The list and a read of a site agree in webspace, plan, default host name, tags and bindings."""
    seen = rig.place.until(
        "the site is listed",
        lambda: [found for found in azure.app_service.sites(rig.place.subscription).found if found[0].ref == rig.site],
        bool,
    )
    ((listed, bindings),) = seen.value
    site, of_site = azure.app_service.site(rig.site)
    assert (listed, bindings) == (site, of_site)
    assert site.webspace == rig.plan.webspace
    assert site.plan == rig.plan_id.lower()
    assert site.default_host_name.startswith(rig.site_name)
    assert rig.ledger.tags.items() <= dict(site.tags).items()
    assert (site.running, site.flex, site.environment, site.windows_code) == (True, False, None, True)
    places = azure.managed.places(rig.place.subscription).found
    (place,) = (place for place, _ in places if place.site.ref == rig.site)
    assert place.site == site
    assert place.inbound_addresses
    assert not place.in_environment


@pytest.mark.operations("app_service.slots", "app_service.slot_parents", "managed.slots", "managed.slot_tags")
def test_a_slot_is_found_by_its_site_and_by_the_list_of_resources(azure: Recording, rig: Rig, waited: Waited) -> None:
    """ARM's list of resources names a slot with its tags, and the list of the site's slots shows it in full."""
    parents = rig.place.until(
        "the list of resources names the slot",
        lambda: azure.app_service.slot_parents(rig.place.subscription).found,
        lambda found: rig.site in found,
    )
    waited("the list of resources names a new slot", parents)
    tags = dict(azure.managed.slot_tags(rig.place.subscription).found)
    assert rig.ledger.tags.items() <= dict(tags[rig.slot]).items()
    ((slot, _),) = azure.app_service.slots(rig.site).found
    assert (slot.ref, slot.webspace, slot.plan) == (rig.slot, rig.plan.webspace, rig.plan_id.lower())
    ((place, _),) = azure.managed.slots(rig.site).found
    assert place.site == slot


@pytest.mark.operations("app_service.sites_of_plan")
def test_a_plan_names_its_sites(azure: Recording, rig: Rig) -> None:
    """The list of a plan's sites names the site, even if its slots are missing."""
    found = rig.place.until(
        "the plan names its site",
        lambda: azure.app_service.sites_of_plan(rig.plan).found,
        lambda sites: rig.site in sites,
    )
    assert {site.production for site in found.value} == {rig.site}


@BOTH
@pytest.mark.operations("app_service.stop", "app_service.start", "app_service.restart")
def test_stop_start_and_restart(azure: Recording, rig: Rig, which: str, waited: Waited) -> None:
    """Stop and start answer 200, a read shows the new state, and a second stop or start is no error."""
    ref: SiteRef = getattr(rig, which)

    def state() -> bool:
        site: Site = azure.app_service.site(ref)[0]
        return site.running

    with rig.place.recorder.recorded() as exchanges:
        azure.app_service.stop(ref)
        azure.app_service.stop(ref)
    assert [exchange.status for exchange in exchanges] == [200, 200]
    waited("a read shows that a site is stopped", rig.place.until("the site is stopped", state, lambda runs: not runs))
    with rig.place.recorder.recorded() as exchanges:
        azure.app_service.start(ref)
        azure.app_service.start(ref)
        azure.app_service.restart(ref)
    assert {exchange.status for exchange in exchanges} == {200}
    waited("a read shows that a site runs", rig.place.until("the site runs", state, bool))


@pytest.mark.operations("managed.host_facts")
def test_the_default_host_name_is_verified(azure: Recording, rig: Rig) -> None:
    """The list of host name bindings names the default host name as verified, and not by Traffic Manager."""
    site, _ = azure.app_service.site(rig.site)
    facts = azure.managed.host_facts(rig.site)[site.default_host_name]
    assert (facts.verified, facts.by_traffic_manager) == (True, False)


@BOTH
def test_a_binding_of_the_default_host_name_names_its_site(rig: Rig, which: str) -> None:
    """The name of a binding ends in the host name, and the binding of an unbound host name has no thumbprint."""
    ref: SiteRef = getattr(rig, which)
    url = f"{ref.resource_id}/hostNameBindings?api-version={WEB_API}"
    named = {binding["name"].rpartition("/")[2]: binding for binding in rig.place.arm.expect("GET", url)["value"]}
    (binding,) = (binding for name, binding in named.items() if name.startswith(rig.site_name))
    assert not binding["properties"].get("thumbprint")
