"""What the templates deploy for the Function App itself: its app settings, and the id of its storage account.

Both come from the kept snapshots of the templates (infra/variants), so that the local Function App has the settings of
an installation in Azure.
"""

import re
from collections.abc import Mapping

from local.azure.entra.tokens import CERTROLL
from local.variants import resources

SETTINGS = "/config/appsettings"
ACCOUNTS = "Microsoft.Storage/storageAccounts"
REFERENCE = re.compile(r"reference\('[^']*/providers/([\w.]+/\w+)/[^']*', '[^']*'\)\.(\w+)")
FORMAT = re.compile(r"format\('([^']*)', (.*)\)")
TELEMETRY = (
    "InstrumentationKey=00000000-0000-0000-0000-000000000000;"
    "IngestionEndpoint=https://westeurope-0.in.applicationinsights.azure.com/"
)
"""A connection string of Application Insights that leads nowhere: the proxy refuses the host name."""
VALUES: Mapping[tuple[str, str], str] = {
    ("Microsoft.ManagedIdentity/userAssignedIdentities", "clientId"): CERTROLL.client_id,
    ("Microsoft.Insights/components", "ConnectionString"): TELEMETRY,
}
"""What a deployment reads from the resources that it makes, by their type and property."""


class NotReadable(ValueError):
    """A setting of the templates has a value that only a deployment can compute, and that this module does not know."""


def deployed_settings(variant: str) -> dict[str, str]:
    """Return the app settings that the variant of the templates deploys, as Azure computes their values.

    Raise NotReadable for an expression that the local Azure cannot compute.
    """
    (found,) = (each for each in resources(variant) if str(each["id"]).endswith(SETTINGS))
    return {name: computed(value) for name, value in found["properties"].items()}


def storage_account(variant: str) -> str:
    """Return the resource id of the storage account that the variant of the templates deploys."""
    (found,) = (each for each in resources(variant) if each.get("type") == ACCOUNTS)
    return str(found["id"])


def computed(value: str) -> str:
    """Return the value that a deployment computes, from a text or an expression in brackets."""
    if not value.startswith("["):
        return value
    expression = value[1:-1]
    if found := FORMAT.fullmatch(expression):
        return found[1].replace("{0}", _referenced(found[2]))
    return _referenced(expression)


def _referenced(expression: str) -> str:
    found = REFERENCE.fullmatch(expression)
    if found is None or (found[1], found[2]) not in VALUES:
        raise NotReadable(f"The local Azure cannot compute {expression}; add its resource to local/installed.py.")
    return VALUES[found[1], found[2]]
