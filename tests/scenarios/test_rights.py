"""Run Certroll with exactly the rights that its templates grant, in each variant that takes something away.

The fleets make every request that Certroll's clients can send. The rights come from what the Bicep compiler says that a
deployment makes, and the operations from Microsoft's lists.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from local import variants
from local.azure.entra.tokens import CERTROLL
from local.azure.front_door.operations import unlisted
from local.azure.rights.deployed import definitions_of
from local.azure.rights.permissions import Permissions
from local.azure.scripting.clock import Clock
from local.azure.world import World
from local.variants import PAID
from local.worlds.builders import Builder
from shared.domain.intent import Mode
from tests.pages import code_in, rows_of, text_of
from tests.scenarios.app_worlds import LIST, PIN
from tests.scenarios.conftest import Install
from tests.scenarios.sick_fleets import AGE, FLEETS, Fleet
from tests.scenarios.sick_things import ANSWERS, Sick, Trial
from tests.scenarios.worlds import VAULT

WEB, ROLES = "microsoft.web/", "docs/reference/roles.md"
NEVER_ASKED = {
    f"{WEB}sites/config/read": "Azure may judge Key Vault references by it: Microsoft's lists do not name them",
    f"{WEB}sites/slots/config/read": "as for sites",
    f"{WEB}hostingenvironments/configurations/read": "the path fits it as well as the one below it; both are listed",
}
"""The actions of the custom role that no request of Certroll asks for in the local Azure, each with its reason."""
FLEET_WITHOUT = {"no-roots": "environments", "no-orders": "orders", "no-flex": "holdings"}
"""For each variant without a group of rights, the fleet that needs the group."""
VARIANT_OF = {"`roots` = `off`": "no-roots", "`orders` = `false`": "no-orders", "`flexSites` = `off`": "no-flex"}
NAMED = {"no-roots": "roots=actions", "no-orders": "orders=true", "no-flex": "flexSites=actions"}
"""For each variant, the parameter of infra/subscription.bicep that a finding of the variant names."""
Run = Callable[..., Trial]


def leftovers() -> Fleet:
    """Return slots, and a Flex Consumption app, whose certificates are renewed twice, so that much is superseded."""
    build = Builder(World(Clock()))
    asked = {"certroll-public-to": "shop, shop/quiet"}
    client, public = (
        build.add_certificate(name, (f"{name}.com",), tags=asked if name == "public" else {})
        for name in ("client", "public")
    )
    plans = build.add_plan("linux", linux=True), build.add_plan("windows")
    for plan in plans:
        build.add_copy("client", plan)
    shop, day = (build.add_site(name, plan) for name, plan in zip(("shop", "day"), plans, strict=True))
    build.add_slot(day, "names", settings={LIST: client.thumbprint, PIN: client.thumbprint})
    build.add_slot(
        day,
        "refers",
        settings={"CERT": f"@Microsoft.KeyVault(SecretUri=https://{VAULT}.vault.azure.net/secrets/client)"},
    )
    build.add_slot(day, "starts", tags={"certroll-restart": "on"}, settings={LIST: "*"})
    for site in (shop, build.add_slot(shop, "quiet")):
        build.add_public_certificate(site, public.leaf.der, name="by-hand")
    flex = build.add_site("flex", flex=True)
    own = build.add_site_certificate(flex, build.add_certificate("own", ("own.com",), key_type="EC"))
    build.add_host(flex, "own.com", own)

    def renew() -> None:
        for name in tuple(build.world.vaults[VAULT].certificates):
            build.world.vaults[VAULT].renew(name, **({"tags": asked} if name == "public" else {}))

    return Fleet(
        build.world, renew, sweeps=3, later=timedelta(days=31), intent={"delete_superseded": True, "max_restarts": 9}
    )


WHOLE: dict[str, Callable[[], Fleet]] = {**FLEETS, "leftovers": leftovers}
"""The fleets that make every request of Certroll's clients, for sites and slots."""


@pytest.fixture
def run(install: Install) -> Run:
    """Return a function that carries a fleet with the rights of a variant."""

    def on(name: str, variant: str = "", **intent: object) -> Trial:
        fleet = WHOLE[name]()
        fleet.world.clock.advance(AGE)
        sick = Sick(fleet.world, None, ANSWERS["500"])
        wanted = {**fleet.intent, **intent}
        certroll = install(fleet.world, meddled=name == "managed", variant=variant, **wanted)
        trial = Trial(fleet, sick, certroll)
        trial.carry()
        if name == "leftovers":
            trial.carry()
        return trial

    return on


def refused(trial: Trial) -> set[str]:
    """Return the operations that Azure refused because no grant allows them."""
    return {refusal.operation.lower() for refusal in trial.fleet.world.grants.refused}


def role_of(variant: str) -> Permissions:
    """Return the custom role of a variant."""
    (definition,) = definitions_of(variants.document(variant)["predictedResources"])
    (permissions,) = definition["properties"]["permissions"]
    return Permissions.of(permissions)


def lowered(operations: tuple[str, ...]) -> set[str]:
    """Return the operations in lower case, as Azure compares them."""
    return {operation.lower() for operation in operations}


@dataclass(frozen=True, slots=True)
class Loss:
    """What the page of roles says about a variant: the missing actions, what Azure refuses, and the findings."""

    actions: set[str]
    refused: set[str]
    reasons: set[str]


def losses() -> dict[str, Loss]:
    """Return what the page of roles says about each variant without a group of rights."""
    rows = [row for row in rows_of(text_of(ROLES)) if row[0] in VARIANT_OF]
    return {
        VARIANT_OF[parameter]: Loss(
            lowered(tuple(code_in(lacks))),
            lowered(tuple(code_in(denied))),
            set(re.findall(r"\[(\w+)\]", reported)),
        )
        for parameter, lacks, denied, reported in rows
    }


def with_slots(actions: set[str]) -> set[str]:
    """Return actions in lower case with the twins for slots that the page does not repeat."""
    return actions | {action.replace(f"{WEB}sites/", f"{WEB}sites/slots/") for action in actions}


def reported(trial: Trial) -> set[str]:
    """Return the reasons of the findings that are open."""
    return {str(row["reason"]) for row in trial.certroll.rows("certrollfindings") if "reason" in row}


def test_rights_are_enough_and_each_is_needed(run: Run) -> None:
    """With the templates' own rights Certroll carries every fleet, is refused nothing, and uses each action."""
    used = set[str]()
    for name in WHOLE:
        trial = run(name)
        assert refused(trial) == set(), name
        used |= trial.fleet.world.grants.used[CERTROLL.object_id]
    assert lowered(role_of(PAID).actions) - used == NEVER_ASKED.keys()


@pytest.mark.parametrize("variant", FLEET_WITHOUT)
def test_variant_loses_what_the_page_says_and_nothing_else(run: Run, variant: str) -> None:
    """Without a group of rights, Azure refuses and Certroll reports what the page of roles says, and nothing else."""
    fleet = FLEET_WITHOUT[variant]
    trial = run(fleet, variant)
    assert refused(trial) == losses()[variant].refused
    assert reported(trial) - reported(run(fleet)) == losses()[variant].reasons
    rows = trial.certroll.rows("certrollfindings")
    told = [str(row.get("detail")) for row in rows if row.get("reason") in losses()[variant].reasons]
    assert any(f"infra/subscription.bicep …` with {NAMED[variant]} (in full" in detail for detail in told)
    assert trial.certroll.queue.dead_letter == []
    assert all(site.state == "Running" for site in trial.fleet.world.web.sites.values())


@pytest.mark.parametrize("variant", FLEET_WITHOUT)
def test_variant_lacks_the_actions_that_the_page_says(variant: str) -> None:
    """A variant without a group of rights has the usual role but for the actions that the page of roles lists."""
    whole, less = (lowered(role_of(name).actions) for name in ("here", variant))
    assert less <= whole
    assert whole - less == with_slots(losses()[variant].actions) & whole
    assert losses()[variant].actions <= whole


def test_page_has_each_variant_without_a_group_of_rights() -> None:
    """The page of roles has a row for each kept variant without a group of rights, and no other row."""
    kept = {path.name.removesuffix(".bicepparam") for path in variants.FOLDER.glob("no-*.bicepparam")}
    assert losses().keys() == kept == FLEET_WITHOUT.keys()


def test_flex_sites_without_rights_hold_up_no_other_site(run: Run) -> None:
    """Without the rights on certificates of Flex Consumption sites, every other thing of the fleet is carried."""
    broken = {promise.what for promise in run("holdings", "no-flex").broken()}
    assert broken == {f"{name}.own.com shows the new version of own" for name in ("flexa", "flexb")}


@pytest.mark.parametrize("name", FLEETS)
def test_observe_needs_no_right_to_write(run: Run, name: str) -> None:
    """With the rights of observe mode, Certroll in observe mode is refused nothing, and changes nothing."""
    trial = run(name, "observe", mode=Mode.OBSERVE)
    assert refused(trial) == set()
    assert [entry.path for entry in trial.fleet.world.journal.writes()] == []


@pytest.mark.parametrize("variant", [*FLEET_WITHOUT, "here", "observe", PAID])
def test_variant_is_the_documented_role(variant: str) -> None:
    """A variant has only documented actions, and each action that it lacks is in the table of what is lost."""
    rows = rows_of(text_of(ROLES))
    documented = {row[0].strip("`").lower() for row in rows if row[0].startswith("`Microsoft.")}
    assert lowered(role_of(variant).actions) - with_slots(documented) == set()


def test_documented_role_is_the_templates_role_without_unlisted_actions() -> None:
    """The role that a person may create by hand has the listed actions of the templates' role, and no other."""
    (block,) = re.findall(r"```json\n(.*?)```", text_of(ROLES), re.DOTALL)
    by_hand = lowered(tuple(json.loads(block)["Actions"]))
    assert by_hand == lowered(role_of("here").actions) - {action.lower() for action in unlisted()}
