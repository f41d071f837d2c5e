"""A real subscription as the place of the contract, from environment variables that a person sets."""

from collections.abc import Mapping
from dataclasses import replace

from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport

from shared.clients.clock import SystemClock
from shared.clients.clouds import CLOUDS
from shared.clients.connect import Connections
from shared.clients.credentials import make_credential
from shared.domain.endpoints import CloudName, StorageAddress
from tests.contract.apis import GROUPS_API
from tests.contract.place import Place, claims
from tests.contract.wire import ARM, VAULT_SCOPE, Recorder, Sender

SWITCH = "AZURE_LIVE"
NEEDED = {
    "AZURE_LIVE_SUBSCRIPTION": "the id of the subscription: az account show --query id -o tsv",
    "AZURE_LIVE_GROUP": "the name of an empty resource group in it: az group create -n certroll-contract -l westeurope",
    "AZURE_LIVE_APP_SERVICE": "App Service's object id in your tenant: "
    "az ad sp show --id abfa0a7c-a6b6-4736-8310-5855508787cd --query id -o tsv",
}
OPTIONAL = ("AZURE_LIVE_DOMAIN", "AZURE_LIVE_ENVIRONMENT", "AZURE_LIVE_ORDER")
RETRIES = 5
NO_STORAGE = StorageAddress(
    "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9uZQ==;EndpointSuffix=x.invalid"
)
"""The suite writes no journal, so its clients of storage lead nowhere."""


class Unusable(Exception):
    """The environment variables name no place where the suite may run."""


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Return True if a person switched the live mode on."""
    return environment.get(SWITCH) == "1"


def missing(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that the live mode lacks, with the way to its value."""
    return [f"{name} is not set. It is {what}" for name, what in NEEDED.items() if not environment.get(name)]


def live_place(environment: Mapping[str, str]) -> Place:
    """Return the resource group that the environment variables name. Raise Unusable if the group is not there."""
    if lacking := missing(environment):
        raise Unusable("\n".join(lacking))
    credential = make_credential(CLOUDS[CloudName.PUBLIC], None)
    subscription, group = environment["AZURE_LIVE_SUBSCRIPTION"], environment["AZURE_LIVE_GROUP"]
    domain, ase, order = (environment.get(name) or None for name in OPTIONAL)
    found = in_group(credential, RequestsTransport(), subscription, group)
    return replace(
        found, app_service=environment["AZURE_LIVE_APP_SERVICE"], domain=domain, environment=ase, order=order
    )


def in_group(credential: TokenCredential, transport: RequestsTransport, subscription: str, group: str) -> Place:
    """Return the place in a resource group. Raise Unusable if the resource group is not there."""
    recorder, clock, me = Recorder(transport), SystemClock(), claims(credential)
    arm = Sender(credential, recorder, f"{ARM}/.default", RETRIES)
    answer = arm.send("GET", f"/subscriptions/{subscription}/resourceGroups/{group}?api-version={GROUPS_API}")
    if answer.status != 200:
        raise Unusable(
            f"Resource group {group} of subscription {subscription} cannot be read ({answer.status}). The suite makes"
            " no resource group: az group create -n … -l …, and log in with az login."
        )
    return Place(
        subscription=subscription.lower(),
        group=group,
        location=answer.json["location"],
        tenant=me["tid"],
        person=me["oid"],
        app_service="",
        ports=Connections(CloudName.PUBLIC, None, NO_STORAGE, clock, transport=recorder).ports(),
        arm=arm,
        vaults=Sender(credential, recorder, VAULT_SCOPE, RETRIES),
        recorder=recorder,
        clock=clock,
    )
