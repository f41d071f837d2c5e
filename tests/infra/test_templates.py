"""Test the kept templates and snapshots of infra/, without a compiler."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from infra.sources import INFRA, hashes, kept_hashes
from shared.clients.vault.events import KINDS
from shared.domain import messages
from shared.schedules import SCHEDULES
from shared.settings import Settings
from tests.pages import part_of, rows_of, text_of

VARIANTS = sorted(path.name.removesuffix(".bicepparam") for path in INFRA.glob("variants/*.bicepparam"))
FOR_AZURE = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_RUNTIME",
    "WEBSITE_RUN_FROM_PACKAGE",
}
"""The app settings that the Functions host reads and Certroll does not."""
DRIVEN = {"CERTROLL_VAULTS": "vaults", "CERTROLL_SUBSCRIPTIONS": "subscriptions", "CERTROLL_MODE": "mode"}
BEFORE = INFRA.parent / "tests" / "infra" / "settings_before.json"
EVENTS = messages.EVENTS

Resource = dict[str, Any]


@cache
def snapshot(variant: str) -> Resource:
    """Return the kept snapshot of a variant."""
    found: Resource = json.loads((INFRA / "variants" / f"{variant}.snapshot.json").read_text(encoding="utf-8"))
    return found


def resources(variant: str, kind: str = "") -> list[Resource]:
    """Return the resources of a variant, of one type if a type is named."""
    found: list[Resource] = snapshot(variant)["predictedResources"]
    return [resource for resource in found if not kind or resource["type"].lower() == kind.lower()]


def settings(variant: str) -> dict[str, str]:
    """Return the app settings of a variant."""
    (found,) = [entry for entry in resources(variant, "Microsoft.Web/sites/config") if "appsettings" in entry["name"]]
    values: dict[str, str] = found["properties"]
    return values


def actions(variant: str) -> set[str]:
    """Return the actions of the custom role of a variant."""
    (role, *_) = resources(variant, "Microsoft.Authorization/roleDefinitions")
    return set(role["properties"]["permissions"][0]["actions"])


def parameters() -> dict[str, Resource]:
    """Return the parameters of the compiled main template."""
    found: dict[str, Resource] = json.loads((INFRA / "compiled/main.json").read_text(encoding="utf-8"))["parameters"]
    return found


def parameter_of(setting: str) -> str:
    """Return the name of the parameter for a setting."""
    first, *rest = setting.removeprefix("CERTROLL_").lower().split("_")
    return first + "".join(word.title() for word in rest)


def documented() -> Iterator[tuple[str, str]]:
    """Yield each operator's setting and what its page says, without links to other pages."""
    for name, _, _, text in rows_of(part_of(text_of("docs/reference/settings.md"), "What operators set")):
        if name.startswith("`CERTROLL_"):
            plain = re.sub(r" See \[[^\]]*\]\([^)]*\)\.", "", text)
            yield name.strip("`"), re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain).replace("`", "").replace("**", "")


def test_compiled_templates_are_those_of_the_sources() -> None:
    """Each source of the templates has the hash with which the kept templates and snapshots were made."""
    assert kept_hashes() == hashes(), "run `make infra WRITE=--write`"


def test_mode_has_no_default() -> None:
    """A deployment that forgets the mode stops instead of switching the mode."""
    assert "defaultValue" not in parameters()["mode"]
    assert parameters()["mode"]["allowedValues"] == ["observe", "apply"]


@pytest.mark.parametrize(("setting", "description"), list(documented()))
def test_each_setting_is_a_parameter(setting: str, description: str) -> None:
    """Each setting of operators is a parameter of the template, with the description from the page of settings."""
    assert parameters()[parameter_of(setting)]["metadata"]["description"] == description


@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_are_known(variant: str) -> None:
    """The template sets only app settings that Certroll or the Functions host reads."""
    known = {str(field.alias) for field in Settings.model_fields.values()} | SCHEDULES | FOR_AZURE
    assert set(settings(variant)) <= known


def test_no_value_of_an_operator_is_lost() -> None:
    """Every setting that an operator had set by hand before the templates has the same value after a deployment."""
    before = json.loads(BEFORE.read_text(encoding="utf-8"))
    after = settings("upgrade")
    assert {name: after.get(name) for name in before if name.startswith("CERTROLL_")} == {
        name: value for name, value in before.items() if name.startswith("CERTROLL_")
    }
    assert {name for name, _ in documented()} == {name for name in before if name.startswith("CERTROLL_")}


@pytest.mark.parametrize("variant", VARIANTS)
def test_events_go_to_the_queue_that_certroll_reads(variant: str) -> None:
    """Each event subscription sends the events that Certroll handles, to Certroll's queue, without keys."""
    queues = {
        entry["name"].rpartition("/")[2]
        for entry in resources(variant, "Microsoft.Storage/storageAccounts/queueServices/queues")
    }
    assert queues == {EVENTS, EVENTS + messages.POISON_SUFFIX}
    for subscription in resources(variant, "Microsoft.EventGrid/systemTopics/eventSubscriptions"):
        properties = subscription["properties"]
        assert properties["deliveryWithResourceIdentity"]["destination"]["properties"]["queueName"] == EVENTS
        assert {kind.lower() for kind in properties["filter"]["includedEventTypes"]} == set(KINDS)
        assert properties["eventDeliverySchema"] == "CloudEventSchemaV1_0"


def test_observe_mode_gets_no_right_to_write() -> None:
    """In observe mode, the role can read, and start what Certroll stopped in apply mode."""
    writing = {action for action in actions("observe") if not action.endswith(("/read", "/config/list/action"))}
    assert writing == {
        "Microsoft.CertificateRegistration/certificateOrders/retrieveCertificateActions/action",
        "Microsoft.Web/sites/start/action",
        "Microsoft.Web/sites/slots/start/action",
    }


@pytest.mark.parametrize(
    ("variant", "word"),
    [
        ("no-roots", "hostingEnvironments/publicCertificates"),
        ("no-orders", "CertificateRegistration"),
        ("no-flex", "sites/certificates"),
    ],
)
def test_what_is_off_gets_no_right(variant: str, word: str) -> None:
    """A kind of certificate that is off has no action in the role."""
    assert [action for action in actions(variant) if word in action] == []
    assert [action for action in actions("here") if word in action] != []


def test_two_installations_share_no_id() -> None:
    """Two installations in one subscription have no resource in common."""
    first, second = ({entry["id"] for entry in resources(f"two-installations-{letter}")} for letter in "ab")
    assert first & second == set()


def test_grants_apart_touch_no_other_group() -> None:
    """With grants apart, the template deploys into its own group only, and names a command for each owner."""
    own = "/resourceGroups/certroll-rg"
    assert [entry["id"] for entry in resources("apart") if own not in entry["id"]] == []
    outputs = snapshot("apart")["outputs"]
    assert outputs["subscriptionCommands"].count("az deployment sub create") == 1
    assert [outputs["vaultCommands"].count(part) for part in ("az deployment group create", "events=")] == [2, 2]


def test_three_vaults_in_two_subscriptions_have_their_topics() -> None:
    """Each vault gets its event subscription in its own subscription, and a topic of somebody else stays unchanged."""
    heard = {
        entry["id"].split("/eventSubscriptions/")[0].rpartition("/")[2]: entry["id"].split("/")[2]
        for entry in resources("three-vaults", "Microsoft.EventGrid/systemTopics/eventSubscriptions")
    }
    assert {name: scope[-1] for name, scope in heard.items()} == {
        "certroll-kv-one": "a",
        "certroll-kv-two": "a",
        "kv-three-events": "b",
    }
    assert {entry["name"] for entry in resources("three-vaults", "Microsoft.EventGrid/systemTopics")} == {
        "certroll-kv-one",
        "certroll-kv-two",
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_storage_has_no_keys(variant: str) -> None:
    """The storage account refuses keys and anonymous requests."""
    (account,) = resources(variant, "Microsoft.Storage/storageAccounts")
    assert (account["properties"]["allowSharedKeyAccess"], account["properties"]["allowBlobPublicAccess"]) == (
        False,
        False,
    )


def test_dedicated_plan_has_no_part_of_flex() -> None:
    """A dedicated plan runs the app all the time, and has no settings of Flex Consumption."""
    (site,) = resources("dedicated", "Microsoft.Web/sites")
    assert site["properties"]["siteConfig"]["alwaysOn"] is True
    assert "functionAppConfig" not in site["properties"]
