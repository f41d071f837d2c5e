"""The plan for a vault certificate costs nothing for the sites that it does not concern."""

import sys
from dataclasses import replace
from types import FrameType

import pytest

from shared.domain.fleet.app_settings import Sealed, SiteSettings, VaultReference
from shared.domain.fleet.districts import Districts, Key, keys_of
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_memory import digest_of
from shared.domain.names import Thumbprint, Webspace
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.concern import concerned
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import IMPORT_TO
from shared.planning import planner
from tests.build import (
    APPLY,
    ASE,
    EAST,
    FRESH,
    HOST,
    LINEAGE,
    NEW,
    NORTH,
    OLD,
    REF,
    SUBSCRIPTION,
    WEST,
    binding,
    copy,
    environment,
    farm,
    lineage,
    mentions,
    named,
    record,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
)

OTHER = Thumbprint("F0" * 20)


def with_foreign(number: int) -> Fleet:
    """Return a fleet with one stale binding, and sites of another webspace with another certificate."""
    names = [f"foreign-{place}" for place in range(number)]
    foreign = Webspace(SUBSCRIPTION, "foreign")
    far = replace(farm(foreign), resource_id=farm(foreign).resource_id.replace("/rg/", "/far/"))
    return replace(
        snapshot(bindings=(binding(),)).fleet,
        sites=(site(), *(site(name, webspace=foreign) for name in names)),
        bindings=(binding(), *(replace(binding(thumbprint=OTHER), site=site_ref(name)) for name in names)),
        certificates=(copy(),),
        plans=(farm(WEST), far),
        settings=tuple(SiteSettings(site_ref(name)) for name in ("shop", *names)),
    )


def steps_of_plan(fleet: Fleet) -> int:
    """Return how many functions Python calls for the plan of one vault certificate, after the fleet is divided."""
    districts, calls = Districts.of(fleet), 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        plan = planner.plan(Snapshot(LINEAGE, concerned(districts, LINEAGE, FRESH), FRESH), APPLY)
    finally:
        sys.setprofile(None)
    assert plan.steps
    return calls


def test_site_of_another_certificate_costs_a_plan_nothing() -> None:
    """The plan for a certificate takes as many steps among 200 foreign sites as among 100."""
    steps_of_plan(with_foreign(1))  # fills what the process computes once
    assert steps_of_plan(with_foreign(100)) == steps_of_plan(with_foreign(200))


def part_of(fleet: Fleet, key: Key) -> set[str]:
    """Return the names of the sites that belong to the part of the fleet with the key."""
    return {str(found.ref) for found in Districts.of(fleet).part([key]).sites}


SHOP, API = site("shop", webspace=WEST), site("api", webspace=NORTH)
TWO = replace(snapshot().fleet, sites=(SHOP, API), bindings=(), certificates=(), plans=(), settings=())


@pytest.mark.parametrize(
    "fleet",
    [
        replace(TWO, sites=(SHOP, replace(API, webspace=WEST))),
        replace(TWO, sites=(SHOP, site("shop", "staging", webspace=NORTH))),
        replace(TWO, sites=(replace(SHOP, plan="p"), replace(API, plan="p"))),
        replace(TWO, sites=(replace(SHOP, environment=ASE), replace(API, environment=ASE))),
        replace(TWO, sites=(SHOP, replace(API, webspace=None))),
        replace(TWO, certificates=(copy("a", webspace=WEST), copy("b", webspace=NORTH))),
        replace(TWO, plans=(farm(WEST), farm(NORTH))),
        replace(TWO, sites=(SHOP, replace(API, environment=ASE)), plans=(replace(farm(WEST), environment=ASE),)),
    ],
    ids=["webspace", "slot", "plan", "environment", "anywhere", "group of copies", "group of plans", "plan in it"],
)
def test_neighbours_of_a_site_belong_to_its_part(fleet: Fleet) -> None:
    """A plan that concerns a site also sees all that may affect the site, and the names of its certificates."""
    assert part_of(fleet, SHOP.ref) == {str(found.ref) for found in fleet.sites}


def test_site_without_ties_belongs_to_no_part() -> None:
    """A plan that concerns one site sees no site of another webspace, group, App Service plan and environment."""
    assert part_of(TWO, SHOP.ref) == {"shop"}


REMEMBERED = Sealed(2, (("KEY", digest_of(OLD)),), {digest_of(NEW): frozenset({"TEXT"})})
UPLOAD = copy("by-hand", OTHER, webspace=NORTH, source=None)
FOUND = {
    "binding": (replace(TWO, bindings=(binding(site="api"),)), OLD),
    "copy": (replace(TWO, certificates=(copy(webspace=NORTH),)), OLD),
    "import": (replace(TWO, certificates=(copy(webspace=NORTH),)), REF),
    "first import of the vault": (replace(TWO, certificates=(copy(webspace=NORTH),)), REF.vault),
    "upload for a host name": (replace(TWO, certificates=(UPLOAD,)), HOST),
    "setting": (replace(TWO, settings=(named(OLD, site="api"),)), OLD),
    "mention": (replace(TWO, settings=(SiteSettings(API.ref, mentions=mentions(OLD)),)), OLD),
    "reference": (replace(TWO, settings=(SiteSettings(API.ref, vault_references=(VaultReference("K", REF),)),)), REF),
    "remembered setting": (replace(TWO, settings=(SiteSettings(API.ref, sealed=REMEMBERED),)), keys_of(OLD)[1]),
    "remembered mention": (replace(TWO, settings=(SiteSettings(API.ref, sealed=REMEMBERED),)), keys_of(NEW)[1]),
    "name of a site": (TWO, "rg-web/api"),
    "name of a plan": (replace(TWO, plans=(farm(NORTH),)), f"rg/{NORTH}"),
    "name of a webspace": (replace(TWO, plans=(farm(NORTH),)), NORTH.name),
    "name of an environment": (
        replace(TWO, sites=(SHOP, replace(API, environment=ASE)), environments=(environment(),)),
        ASE.name,
    ),
}


@pytest.mark.parametrize("found", FOUND)
def test_what_a_plan_looks_for_leads_to_the_part(found: str) -> None:
    """A plan finds each resource that has the certificate, or that a tag names, and no other webspace."""
    fleet, key = FOUND[found]
    assert part_of(fleet, key) == {"api"}


NAMING = lineage(tags=((IMPORT_TO.name, "rg-web/api"),))
JOURNAL = {
    "site": rollout(record(SiteState.PENDING, site="api", webspace=EAST), first=None),
    "app": rollout(rolls=(replace(roll(RollState.STALE, site="api"), webspace=EAST),), first=None),
    "webspace": rollout(first=NORTH),
    "earlier import": Rollout("v2", held=frozenset({(NORTH, OTHER)})),
}


@pytest.mark.parametrize("known", JOURNAL)
def test_what_the_journal_knows_belongs_to_the_part(known: str) -> None:
    """A plan sees each site that the journal has for the version, even if the site has none of its certificates now."""
    assert concerned(Districts.of(TWO), LINEAGE, FRESH).sites == ()
    assert [found.ref for found in concerned(Districts.of(TWO), LINEAGE, JOURNAL[known]).sites] == [API.ref]


def test_place_in_a_tag_belongs_to_the_part() -> None:
    """A plan sees the place that a tag of the vault certificate names, although the place has no certificate yet."""
    assert [found.ref for found in concerned(Districts.of(TWO), NAMING, FRESH).sites] == [API.ref]
