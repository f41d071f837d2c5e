"""The operation of Azure that each route of ARM stands for, by which Azure's roles allow or refuse a request.

The names are those of Microsoft's lists (local/azure/rights/operations.json), and not those of Certroll's own role.
`UNLISTED` has the few routes that Microsoft's lists lack; their names follow the path, as all others do.
"""

import re

TABLE = """
GET     /subscriptions                                  Microsoft.Resources/subscriptions/read
GET     /tenants                                        Microsoft.Resources/tenants/read
GET     /subscriptions/*                                Microsoft.Resources/subscriptions/read
GET     /subscriptions/*/resourceGroups                 Microsoft.Resources/subscriptions/resourceGroups/read
GET     /subscriptions/*/resourceGroups/*               Microsoft.Resources/subscriptions/resourceGroups/read
GET     /subscriptions/*/resources                      Microsoft.Resources/subscriptions/resources/read
GET     /subscriptions/*/resourceGroups/*/resources     Microsoft.Resources/subscriptions/resourceGroups/resources/read
PATCH   Microsoft.Resources/tags/default                Microsoft.Resources/tags/write

GET     /subscriptions/*/locations                      Microsoft.Resources/subscriptions/locations/read
GET     /subscriptions/*/providers                      Microsoft.Resources/subscriptions/providers/read
GET     Microsoft.Authorization/permissions             Microsoft.Authorization/permissions/read
GET     Microsoft.Authorization/providerOperations/*    Microsoft.Authorization/providerOperations/read
GET     Microsoft.EventGrid/systemTopics                Microsoft.EventGrid/systemTopics/read
DELETE  Microsoft.EventGrid/systemTopics/*              Microsoft.EventGrid/systemTopics/delete
GET     Microsoft.EventGrid/systemTopics/*/eventSubscriptions \
        Microsoft.EventGrid/systemTopics/eventSubscriptions/read
DELETE  Microsoft.EventGrid/systemTopics/*/eventSubscriptions/* \
        Microsoft.EventGrid/systemTopics/eventSubscriptions/delete
GET     Microsoft.Insights/components/*                 Microsoft.Insights/Components/Read
GET     Microsoft.Insights/privateLinkScopes/*/scopedResources \
        Microsoft.Insights/PrivateLinkScopes/ScopedResources/Read
DELETE  Microsoft.Insights/privateLinkScopes/*/scopedResources/* \
        Microsoft.Insights/PrivateLinkScopes/ScopedResources/Delete
GET     Microsoft.ManagedIdentity/userAssignedIdentities Microsoft.ManagedIdentity/userAssignedIdentities/read
GET     Microsoft.OperationalInsights/workspaces/*      Microsoft.OperationalInsights/workspaces/read
DELETE  Microsoft.Authorization/roleDefinitions/*       Microsoft.Authorization/roleDefinitions/delete
DELETE  /subscriptions/*/resourceGroups/*               Microsoft.Resources/subscriptions/resourceGroups/delete
GET     Microsoft.Web/geoRegions                        Microsoft.Web/geoRegions/read
GET     Microsoft.Authorization/roleAssignments         Microsoft.Authorization/roleAssignments/read
GET     Microsoft.Authorization/roleAssignments/*       Microsoft.Authorization/roleAssignments/read
PUT     Microsoft.Authorization/roleAssignments/*       Microsoft.Authorization/roleAssignments/write
DELETE  Microsoft.Authorization/roleAssignments/*       Microsoft.Authorization/roleAssignments/delete
GET     Microsoft.Authorization/roleDefinitions         Microsoft.Authorization/roleDefinitions/read
GET     Microsoft.Authorization/roleDefinitions/*       Microsoft.Authorization/roleDefinitions/read
GET     Microsoft.Insights/eventtypes/management/values Microsoft.Insights/eventtypes/values/read

GET     Microsoft.KeyVault/managedHSMs                  Microsoft.KeyVault/managedHSMs/read
GET     Microsoft.KeyVault/vaults                       Microsoft.KeyVault/vaults/read
GET     Microsoft.KeyVault/vaults/*                     Microsoft.KeyVault/vaults/read
PUT     Microsoft.KeyVault/vaults/*                     Microsoft.KeyVault/vaults/write
PATCH   Microsoft.KeyVault/vaults/*                     Microsoft.KeyVault/vaults/write
DELETE  Microsoft.KeyVault/vaults/*                     Microsoft.KeyVault/vaults/delete
PUT     Microsoft.KeyVault/vaults/*/accessPolicies/*    Microsoft.KeyVault/vaults/accessPolicies/write
GET     Microsoft.KeyVault/deletedVaults                Microsoft.KeyVault/deletedVaults/read
GET     Microsoft.KeyVault/locations/*/deletedVaults/*  Microsoft.KeyVault/locations/deletedVaults/read
POST    Microsoft.KeyVault/locations/*/deletedVaults/*/purge Microsoft.KeyVault/locations/deletedVaults/purge/action
GET     Microsoft.KeyVault/locations/*/operationResults/purge Microsoft.KeyVault/locations/operationResults/read

GET     Microsoft.Web/hostingEnvironments               Microsoft.Web/hostingEnvironments/read
GET     Microsoft.Web/hostingEnvironments/*             Microsoft.Web/hostingEnvironments/read
GET     Microsoft.Web/hostingEnvironments/*/configurations/networking \
        Microsoft.Web/hostingEnvironments/configurations/networking/read
GET     Microsoft.Web/hostingEnvironments/*/serverfarms Microsoft.Web/hostingEnvironments/serverfarms/read
GET     Microsoft.Web/hostingEnvironments/*/sites       Microsoft.Web/hostingEnvironments/sites/read
GET     Microsoft.Web/serverfarms                       Microsoft.Web/serverfarms/read
GET     Microsoft.Web/serverfarms/*                     Microsoft.Web/serverfarms/read
PUT     Microsoft.Web/serverfarms/*                     Microsoft.Web/serverfarms/write
DELETE  Microsoft.Web/serverfarms/*                     Microsoft.Web/serverfarms/delete
GET     Microsoft.Web/serverfarms/*/sites               Microsoft.Web/serverfarms/sites/read

GET     Microsoft.Web/certificates                      Microsoft.Web/certificates/read
GET     Microsoft.Web/certificates/*                    Microsoft.Web/certificates/read
PUT     Microsoft.Web/certificates/*                    Microsoft.Web/certificates/write
PATCH   Microsoft.Web/certificates/*                    Microsoft.Web/certificates/write
DELETE  Microsoft.Web/certificates/*                    Microsoft.Web/certificates/delete
GET     Microsoft.Web/certificates/*/operationresults/* Microsoft.Web/certificates/operationresults/read

GET     Microsoft.Web/sites                             Microsoft.Web/sites/read
GET     Microsoft.Web/sites/*                           Microsoft.Web/sites/read
PUT     Microsoft.Web/sites/*                           Microsoft.Web/sites/write
PATCH   Microsoft.Web/sites/*                           Microsoft.Web/sites/write
DELETE  Microsoft.Web/sites/*                           Microsoft.Web/sites/delete
GET     Microsoft.Web/sites/*/slots                     Microsoft.Web/sites/slots/read
POST    Microsoft.Web/sites/*/start                     Microsoft.Web/sites/start/action
POST    Microsoft.Web/sites/*/stop                      Microsoft.Web/sites/stop/action
POST    Microsoft.Web/sites/*/restart                   Microsoft.Web/sites/restart/action
POST    Microsoft.Web/sites/*/publishxml                Microsoft.Web/sites/publishxml/action
GET     Microsoft.Web/sites/*/hostNameBindings          Microsoft.Web/sites/hostNameBindings/read
GET     Microsoft.Web/sites/*/hostNameBindings/*        Microsoft.Web/sites/hostNameBindings/read
PUT     Microsoft.Web/sites/*/hostNameBindings/*        Microsoft.Web/sites/hostNameBindings/write
DELETE  Microsoft.Web/sites/*/hostNameBindings/*        Microsoft.Web/sites/hostNameBindings/delete
GET     Microsoft.Web/sites/*/publicCertificates        Microsoft.Web/sites/publicCertificates/read
GET     Microsoft.Web/sites/*/publicCertificates/*      Microsoft.Web/sites/publicCertificates/read
PUT     Microsoft.Web/sites/*/publicCertificates/*      Microsoft.Web/sites/publicCertificates/write
DELETE  Microsoft.Web/sites/*/publicCertificates/*      Microsoft.Web/sites/publicCertificates/delete
GET     Microsoft.Web/sites/*/config/slotConfigNames    Microsoft.Web/sites/config/read
PUT     Microsoft.Web/sites/*/config/slotConfigNames    Microsoft.Web/sites/config/write
GET     Microsoft.Web/sites/*/config/web                Microsoft.Web/sites/config/read
PUT     Microsoft.Web/sites/*/config/web                Microsoft.Web/sites/config/write
PATCH   Microsoft.Web/sites/*/config/web                Microsoft.Web/sites/config/write
PUT     Microsoft.Web/sites/*/config/appsettings        Microsoft.Web/sites/config/write
POST    Microsoft.Web/sites/*/config/appsettings/list   Microsoft.Web/sites/config/list/action
POST    Microsoft.Web/sites/*/config/connectionstrings/list     Microsoft.Web/sites/config/list/action
POST    Microsoft.Web/sites/*/config/publishingcredentials/list Microsoft.Web/sites/config/list/action
GET     Microsoft.Web/sites/*/config/configreferences/appsettings \
        Microsoft.Web/sites/config/appsettings/read
GET     Microsoft.Web/sites/*/config/configreferences/appsettings/* \
        Microsoft.Web/sites/config/appsettings/read

GET     Microsoft.CertificateRegistration/certificateOrders     Microsoft.CertificateRegistration/certificateOrders/read
GET     Microsoft.CertificateRegistration/certificateOrders/*   Microsoft.CertificateRegistration/certificateOrders/read
PUT     Microsoft.CertificateRegistration/certificateOrders/* \
        Microsoft.CertificateRegistration/certificateOrders/write
PATCH   Microsoft.CertificateRegistration/certificateOrders/* \
        Microsoft.CertificateRegistration/certificateOrders/write
DELETE  Microsoft.CertificateRegistration/certificateOrders/* \
        Microsoft.CertificateRegistration/certificateOrders/delete
POST    Microsoft.CertificateRegistration/certificateOrders/*/renew \
        Microsoft.CertificateRegistration/certificateOrders/renew/action
POST    Microsoft.CertificateRegistration/certificateOrders/*/reissue \
        Microsoft.CertificateRegistration/certificateOrders/reissue/action
POST    Microsoft.CertificateRegistration/certificateOrders/*/verifyDomainOwnership \
        Microsoft.CertificateRegistration/certificateOrders/verifyDomainOwnership/action
POST    Microsoft.CertificateRegistration/certificateOrders/*/retrieveCertificateActions \
        Microsoft.CertificateRegistration/certificateOrders/retrieveCertificateActions/action
GET     Microsoft.CertificateRegistration/certificateOrders/*/certificates \
        Microsoft.CertificateRegistration/certificateOrders/certificates/read
GET     Microsoft.CertificateRegistration/certificateOrders/*/certificates/* \
        Microsoft.CertificateRegistration/certificateOrders/certificates/read
PUT     Microsoft.CertificateRegistration/certificateOrders/*/certificates/* \
        Microsoft.CertificateRegistration/certificateOrders/certificates/write
"""
"""Method, path after the last `/providers/`, and operation. A site's path stands for the same path of a slot too."""

UNLISTED = """
GET     Microsoft.Web/sites/*/certificates              Microsoft.Web/sites/certificates/read
GET     Microsoft.Web/sites/*/certificates/*            Microsoft.Web/sites/certificates/read
PUT     Microsoft.Web/sites/*/certificates/*            Microsoft.Web/sites/certificates/write
PATCH   Microsoft.Web/sites/*/certificates/*            Microsoft.Web/sites/certificates/write
DELETE  Microsoft.Web/sites/*/certificates/*            Microsoft.Web/sites/certificates/delete
POST    Microsoft.Web/sites/*/config/configreferences/appsettings/refresh \
        Microsoft.Web/sites/config/appsettings/refresh/action
GET     Microsoft.Web/hostingEnvironments/*/publicCertificates \
        Microsoft.Web/hostingEnvironments/publicCertificates/read
GET     Microsoft.Web/hostingEnvironments/*/publicCertificates/* \
        Microsoft.Web/hostingEnvironments/publicCertificates/read
PUT     Microsoft.Web/hostingEnvironments/*/publicCertificates/* \
        Microsoft.Web/hostingEnvironments/publicCertificates/write
DELETE  Microsoft.Web/hostingEnvironments/*/publicCertificates/* \
        Microsoft.Web/hostingEnvironments/publicCertificates/delete
"""
JOIN = "Microsoft.Web/serverfarms/join/action"
"""The operation on the plan that the body of a write names (recorded as a linked scope in azure-cli #18763)."""
_SLOT = ("Microsoft.Web/sites/*/slots/*", "Microsoft.Web/sites/*")
_NAME = re.compile(r"\{\w+\}")


class NoOperation(KeyError):
    """A route has no operation in the table."""


def _rows(text: str) -> dict[tuple[str, str], str]:
    fields = (line.split() for line in text.splitlines() if line.strip())
    return {(method, path.lower()): operation for method, path, operation in fields}


_OPERATIONS = _rows(TABLE) | _rows(UNLISTED)


def operation_of(method: str, template: str) -> str:
    """Return the operation of Azure for a route; raise NoOperation if the table lacks the route."""
    path = _NAME.sub("*", template)
    path = path.rpartition("/providers/")[2] or path
    known = _OPERATIONS.get((method, path.lower()))
    slot, site = _SLOT
    if known is None and path.startswith(slot):
        known = _of_slot(_OPERATIONS.get((method, (site + path.removeprefix(slot)).lower())))
    if known is None:
        raise NoOperation(f"{method} {template} has no operation in {__name__}.TABLE.")
    return known


def unlisted() -> frozenset[str]:
    """Return the operations that Microsoft's lists lack, for sites and slots."""
    names = set(_rows(UNLISTED).values())
    return frozenset(names | {_of_slot(name) or name for name in names if name.startswith("Microsoft.Web/sites/")})


def _of_slot(operation: str | None) -> str | None:
    return operation and operation.replace("Microsoft.Web/sites/", "Microsoft.Web/sites/slots/", 1)
