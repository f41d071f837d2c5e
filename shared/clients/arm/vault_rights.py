"""Who may do what on a vault, from ARM: the vault's own settings, and the role assignments at its scope."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from azure.mgmt.web import WebSiteManagementClient

from shared.clients.arm.requests import Json, plain_list, plain_read, readable
from shared.clients.arm.site_requests import RESOURCES_API, AppServiceClients
from shared.clients.retrying import Retrying
from shared.domain.errors import Denied, Rejected
from shared.domain.fleet.vault_access import AccessPolicy, Rights, RoleAssignment, VaultRight, VaultSettings
from shared.domain.names import InvalidNameError, VaultName, parse_subscription, parse_vault_name

VAULTS_API = "2023-07-01"
ROLES_API = "2022-04-01"
VAULT_FILTER = quote("resourceType eq 'Microsoft.KeyVault/vaults'")
VAULT_REMEDY = "grant the identity Microsoft.KeyVault/vaults/read on this vault"
ROLES_REMEDY = "grant the identity Microsoft.Authorization/roleAssignments/read on this vault"
LIST_REMEDY = "grant the identity Microsoft.Resources/subscriptions/resources/read on this subscription"
KINDS = ("secrets", "certificates")
ALL = "all"


class VaultRights:
    """Reads who may do what on vaults. Every method raises the domain's errors."""

    def __init__(self, clients: AppServiceClients, retrying: Retrying) -> None:
        self._clients = clients
        self._retrying = retrying

    def vaults(self, subscription: str) -> dict[VaultName, str]:
        """Return the resource ids of a subscription's vaults: one request, and one for each further page."""
        url = f"/subscriptions/{subscription}/resources?$filter={VAULT_FILTER}&api-version={RESOURCES_API}"
        client = self._clients.client(subscription)
        found = plain_list(self._retrying, client, url, f"vaults of {subscription}", LIST_REMEDY)
        ids = [str(one.get("id")) for one in found if isinstance(one, Mapping)]
        return {parse_vault_name(one): one for one in ids if _is_vault(one)}

    def settings(self, vault_id: str) -> VaultSettings:
        """Read how a vault decides who may use it; role assignments only where it decides by them."""
        client, what = self._clients.client(_subscription(vault_id)), f"vault {vault_id}"
        wire = plain_read(self._retrying, client, f"{quote(vault_id)}?api-version={VAULTS_API}", what, VAULT_REMEDY)
        settings = readable(what, partial(read_vault, vault_id), wire)
        return self._with_roles(client, settings) if settings.uses_roles else settings

    def _with_roles(self, client: WebSiteManagementClient, settings: VaultSettings) -> VaultSettings:
        url = f"{quote(settings.resource_id)}/providers/Microsoft.Authorization/roleAssignments?api-version={ROLES_API}"
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
        raise Rejected(f"{vault_id[:200]!r} is not the resource id of a vault") from error


def read_vault(vault_id: str, wire: Json) -> VaultSettings:
    """Return a vault's access from its wire form. Raises ValueError.

    Without rules for the network everybody gets through; `bypass` is AzureServices where it is not said; where public
    access is disabled trusted services still get through by it (azure-rest-api-specs, Microsoft.KeyVault).
    """
    properties = _object(wire.get("properties"), "properties")
    network = _object(properties.get("networkAcls"), "networkAcls")
    closed = str(network.get("defaultAction") or "Allow").lower() == "deny"
    disabled = str(properties.get("publicNetworkAccess") or "Enabled").lower() == "disabled"
    return VaultSettings(
        resource_id=vault_id,
        name=parse_vault_name(vault_id),
        uses_roles=properties.get("enableRbacAuthorization") is True,
        policies=tuple(_policy(one) for one in _entries(properties.get("accessPolicies"), "access policies")),
        open_to_all=not closed and not disabled,
        trusted_services=str(network.get("bypass") or "AzureServices").lower() == "azureservices",
    )


def _policy(wire: object) -> AccessPolicy:
    entry = _object(wire, "access policy")
    permissions = _object(entry.get("permissions"), "permissions")
    owner, application = entry.get("objectId"), entry.get("applicationId")
    return AccessPolicy(str(owner or ""), _rights(permissions), str(application) if application else None)


def _rights(permissions: Json) -> Rights:
    given = {f"{kind}/{str(one).lower()}" for kind in KINDS for one in _entries(permissions.get(kind), kind)}
    return frozenset(right for right in VaultRight if right in given or f"{right.partition('/')[0]}/{ALL}" in given)


def read_assignments(wires: Iterable[object]) -> tuple[RoleAssignment, ...]:
    """Return role assignments from their wire form. Raises ValueError."""
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
        raise ValueError(f"its {what} is no object")  # noqa: TRY004 - what cannot be read is one kind of error
    return found


def _entries(found: object, what: str) -> list[object]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError(f"its {what} is no list")  # noqa: TRY004 - see _object
    return found
