"""The api-versions that ARM no longer answers, each from a day that Azure announced."""

from datetime import UTC, datetime
from typing import NamedTuple

from local.azure.wire import Refused, Request, arm_error
from local.azure.world import World


class Retirement(NamedTuple):
    """The announced end of all earlier api-versions of a resource type."""

    resource_type: str
    first_to_stay: str
    """The oldest api-version that ARM goes on to answer."""
    ends: datetime
    """The moment from which ARM refuses the earlier versions."""


RETIREMENTS = (
    # azure-cli #34020, azure-powershell #30098; Azure docs, key-vault/general/access-control-default
    Retirement("Microsoft.KeyVault/vaults", "2026-02-01", datetime(2027, 2, 27, tzinfo=UTC)),
)


def check_version(world: World, request: Request) -> None:
    """Refuse a request without an api-version, or with one that has ended at the simulation's present date.

    Users report the code and text of the refusal for versions that ARM does not have (azure-cli #18483, #28496). Azure
    did not announce how it refuses a version that has ended.
    """
    asked = request.query.get("api-version")
    if asked is None:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise Refused(arm_error(400, "MissingApiVersionParameter", message))
    provider = request.path.lower().rpartition("/providers/")[2]
    for retirement in RETIREMENTS:
        concerned = f"{provider}/".startswith(f"{retirement.resource_type.lower()}/")
        if concerned and asked < retirement.first_to_stay and world.clock.now() >= retirement.ends:
            kind = retirement.resource_type.rpartition("/")[2]
            message = (
                f"No registered resource provider found for location and API version '{asked}' for type '{kind}'."
                f" The supported api-versions are '{retirement.first_to_stay}'."
            )
            raise Refused(arm_error(400, "NoRegisteredProviderFound", message))
