"""Every version of an Azure API that Certroll uses, with the day on which Azure stops answering the version.

Azure announced the end of Key Vault's old management versions a year before. A test fails six months before one of the
days in this table, so that a release in time uses a newer version. The command `make docs` writes the table into
docs/reference/api-versions.md.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """One version of an API of Azure."""

    api: str
    """The resource provider or service, and what Certroll does with it."""
    version: str
    """The version, as the query `api-version` or the header `x-ms-version` names it."""
    ends: date | None
    """The day from which Azure no longer answers the version, None if no such day is announced."""
    source: str
    """Where the end, or the choice of this version, is documented."""
    sdk: str = ""
    """The package that chooses the version by its default, empty if Certroll itself names the version."""

    def __str__(self) -> str:
        """Return the version, as requests name it."""
        return self.version


VAULTS = ApiVersion(
    "Microsoft.KeyVault/vaults, to read who may read a vault",
    "2026-02-01",
    None,
    "all earlier versions end on 2027-02-27 (azure-cli #34020, azure-powershell #30098)",
)
ROLE_ASSIGNMENTS = ApiVersion(
    "Microsoft.Authorization/roleAssignments, to read who may read a vault",
    "2022-04-01",
    None,
    "azure-rest-api-specs, Microsoft.Authorization",
)
RESOURCES = ApiVersion(
    "Microsoft.Resources, to list slots, vaults and dates of uploads",
    "2021-04-01",
    None,
    "azure-rest-api-specs, Microsoft.Resources",
)
RESOURCE_TAGS = ApiVersion(
    "Microsoft.Resources/tags, to mark a certificate order",
    "2021-04-01",
    None,
    "azure-rest-api-specs, Microsoft.Resources, Tags_UpdateAtScope",
)
SUBSCRIPTIONS = ApiVersion(
    "Microsoft.Resources/subscriptions, to list subscriptions",
    "2022-12-01",
    None,
    "azure-rest-api-specs, Microsoft.Resources/subscriptions",
)
MANAGED_CERTIFICATES = ApiVersion(
    "Microsoft.Web/certificates, to request a managed certificate",
    "2025-05-01",
    None,
    "the version of azure-mgmt-web 11",
)
ENVIRONMENT_ROOTS = ApiVersion(
    "Microsoft.Web/hostingEnvironments/publicCertificates, for roots of environments",
    "2024-04-01",
    None,
    "the only version that Azure docs name (overview-certificates, Root Certificate API)",
)
REFERENCES_REFRESH = ApiVersion(
    "Microsoft.Web/sites/config/configreferences, to refresh Key Vault references",
    "2022-03-01",
    None,
    "the version that Azure docs name (app-service-key-vault-references, rotation)",
)
ORDERS = ApiVersion(
    "Microsoft.CertificateRegistration/certificateOrders, in the commands that findings give",
    "2024-11-01",
    None,
    "the version of azure-mgmt-certificateregistration 1.0",
)

OWN = (
    VAULTS,
    ROLE_ASSIGNMENTS,
    RESOURCES,
    RESOURCE_TAGS,
    SUBSCRIPTIONS,
    MANAGED_CERTIFICATES,
    ENVIRONMENT_ROOTS,
    REFERENCES_REFRESH,
    ORDERS,
)
"""The versions that Certroll itself names."""

DEFAULTS = (
    ApiVersion("Microsoft.Web, for sites and certificates", "2025-05-01", None, "the SDK's default", "azure-mgmt-web"),
    ApiVersion(
        "Microsoft.CertificateRegistration, to list orders",
        "2024-11-01",
        None,
        "the SDK's default",
        "azure-mgmt-certificateregistration",
    ),
    ApiVersion(
        "certificates in vaults",
        "2026-04-01",
        None,
        "the SDK's default; the end of 2027-02-27 concerns only the management of vaults (azure-cli #34020)",
        "azure-keyvault-certificates",
    ),
    ApiVersion(
        "secrets in vaults",
        "2026-04-01",
        None,
        "the SDK's default; the end of 2027-02-27 concerns only the management of vaults (azure-cli #34020)",
        "azure-keyvault-secrets",
    ),
    ApiVersion("blobs, for leases", "2026-10-06", None, "the SDK's default", "azure-storage-blob"),
    ApiVersion("queues", "2026-10-06", None, "the SDK's default", "azure-storage-queue"),
    ApiVersion("tables", "2019-02-02", None, "the SDK's default", "azure-data-tables"),
    ApiVersion(
        "tokens of the managed identity of a Function App",
        "2019-08-01",
        None,
        "the version that Azure docs name (overview-managed-identity, REST endpoint reference)",
        "azure-identity",
    ),
)
"""The versions that the SDKs choose, which change with a newer package."""

API_VERSIONS = (*OWN, *DEFAULTS)
