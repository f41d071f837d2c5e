"""Read from ARM who has which rights on a vault: the vault's access settings, and the role assignments on it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from azure.mgmt.web import WebSiteManagementClient

from shared.clients.arm.requests import Json, plain_list, plain_read, tags_of, wire_of
from shared.clients.arm.site_requests import AppServiceClients
from shared.clients.reading import readable
from shared.clients.retrying import Retrying
from shared.domain.api_versions import RESOURCES, ROLE_ASSIGNMENTS, VAULTS
from shared.domain.errors import Denied, Rejected
from shared.domain.fleet.vault_access import AccessPolicy, Rights, RoleAssignment, VaultRight, VaultSettings
from shared.domain.names import InvalidNameError, VaultName, parse_subscription, parse_vault_name
from shared.domain.reason import Reason

VAULT_FILTER = quote("resourceType eq 'Microsoft.KeyVault/vaults'")
VAULT_REMEDY = "grant the identity Microsoft.KeyVault/vaults/read on this vault"
ROLES_REMEDY = "grant the identity Microsoft.Authorization/roleAssignments/read on this vault"
LIST_REMEDY = "grant the identity Microsoft.Resources/subscriptions/resources/read on this subscription"
SHOWN_OF_VAULT = (
    "tenantId",
    "enableRbacAuthorization",
    "enableSoftDelete",
    "enablePurgeProtection",
    "publicNetworkAccess",
    "networkAcls",
)
"""The properties of a vault that compliance rules judge."""
KINDS = ("secrets", "certificates")
ALL = "all"


class VaultRights:
    """The client of access rights on vaults.

    The client's methods translate errors of the Azure SDK into Certroll's own error classes.
    """

    def __init__(self, clients: AppServiceClients, retrying: Retrying) -> None:
        self._clients = clients
        self._retrying = retrying

    def vaults(self, subscription: str) -> dict[VaultName, str]:
        """Return the resource ids of a subscription's vaults. Each page of ARM's list of vaults costs one request."""
        url = f"/subscriptions/{subscription}/resources?$filter={VAULT_FILTER}&api-version={RESOURCES}"
        client = self._clients.client(subscription)
        found = plain_list(self._retrying, client, url, f"vaults of {subscription}", LIST_REMEDY)
        ids = [str(wire_of(entry).get("id")) for entry in found]
        return {parse_vault_name(resource_id): resource_id for resource_id in ids if _is_vault(resource_id)}

    def settings(self, vault_id: str) -> VaultSettings:
        """Read the access settings of a vault, and also the role assignments if the vault uses Azure RBAC."""
        client, what = self._clients.client(_subscription(vault_id)), f"vault {vault_id}"
        wire = plain_read(self._retrying, client, f"{quote(vault_id)}?api-version={VAULTS}", what, VAULT_REMEDY)
        settings = readable(what, partial(read_vault, vault_id), wire)
        return self._with_roles(client, settings) if settings.uses_roles else settings

    def _with_roles(self, client: WebSiteManagementClient, settings: VaultSettings) -> VaultSettings:
        scope = f"{quote(settings.resource_id)}/providers/Microsoft.Authorization"
        url = f"{scope}/roleAssignments?api-version={ROLE_ASSIGNMENTS}"
        what = f"role assignments of vault {settings.name}"
        try:
            found = readable(what, read_assignments, plain_list(self._retrying, client, url, what, ROLES_REMEDY))
        except Denied as denied:
            return replace(settings, not_read=str(denied))
        return replace(settings, assignments=found)


def _is_vault(resource_id: str) -> bool:
    try:
        parse_vault_name(resource_id)
    except InvalidNameError:
        return False
    return "/" in resource_id


def _subscription(vault_id: str) -> str:
    try:
        parse_vault_name(vault_id)
        return parse_subscription(vault_id.split("/")[2])
    except (IndexError, InvalidNameError) as error:
        raise Rejected(f"{vault_id[:200]!r} is not the resource id of a vault", Reason.ANSWER_UNREADABLE) from error


def read_vault(vault_id: str, wire: Json) -> VaultSettings:
    """Return the access settings of a vault from Azure's JSON.

    Raise ValueError if a field of the vault's settings is not an object or list as expected. A vault whose
    `enableRbacAuthorization` is null uses access policies in every API version (Azure docs, access-control-default). A
    vault without network rules lets every address through the firewall, unless public access is disabled. The default
    of `bypass` is AzureServices, which lets trusted Azure services through even if public access is disabled
    (azure-rest-api-specs, Microsoft.KeyVault).
    """
    properties = _object(wire.get("properties"), "properties")
    network = _object(properties.get("networkAcls"), "networkAcls")
    closed = str(network.get("defaultAction") or "Allow").lower() == "deny"
    disabled = str(properties.get("publicNetworkAccess") or "Enabled").lower() == "disabled"
    return VaultSettings(
        resource_id=vault_id,
        name=parse_vault_name(vault_id),
        uses_roles=properties.get("enableRbacAuthorization") is True,
        policies=tuple(_policy(entry) for entry in _entries(properties.get("accessPolicies"), "access policies")),
        open_to_all=not closed and not disabled,
        trusted_services=str(network.get("bypass") or "AzureServices").lower() == "azureservices",
        shown={
            "id": vault_id,
            "tags": dict(tags_of(wire)),
            **{name: properties[name] for name in SHOWN_OF_VAULT if name in properties},
        },
    )


def _policy(wire: object) -> AccessPolicy:
    entry = _object(wire, "access policy")
    permissions = _object(entry.get("permissions"), "permissions")
    owner, application = entry.get("objectId"), entry.get("applicationId")
    return AccessPolicy(str(owner or ""), _rights(permissions), str(application) if application else None)


def _rights(permissions: Json) -> Rights:
    given = {f"{kind}/{str(word).lower()}" for kind in KINDS for word in _entries(permissions.get(kind), kind)}
    return frozenset(right for right in VaultRight if right in given or f"{right.partition('/')[0]}/{ALL}" in given)


def read_assignments(wires: Iterable[object]) -> tuple[RoleAssignment, ...]:
    """Return role assignments from Azure's JSON. Raise ValueError if a role assignment is not a JSON object."""
    return tuple(_assignment(_object(_object(wire, "entry").get("properties"), "properties")) for wire in wires)


def _assignment(properties: Json) -> RoleAssignment:
    return RoleAssignment(
        object_id=str(properties.get("principalId") or ""),
        role_id=str(properties.get("roleDefinitionId") or "").rpartition("/")[2].lower(),
        scope=str(properties.get("scope") or ""),
        group=str(properties.get("principalType") or "").lower() == "group",
        conditional=bool(properties.get("condition")),
    )


def _object(found: object, what: str) -> Json:
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"its {what} is not an object")  # noqa: TRY004 - callers expect ValueError for every unreadable field
    return found


def _entries(found: object, what: str) -> list[object]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError(f"its {what} is not a list")  # noqa: TRY004 - see _object
    return found
