"""The key vaults that ARM shows and changes, with access by roles or access policies, and the firewall."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from local.azure.front_door.call import GROUP, SUBSCRIPTION, Call, Route
from local.azure.vault.access import Access, AccessPolicy, NetworkRules
from local.azure.vault.vault import Place, Vault
from local.azure.web import refusals
from local.azure.web.resources import short_location
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World

VAULT_TYPE = "Microsoft.KeyVault/vaults"
VAULTS = f"/providers/{VAULT_TYPE}"
VAULT = f"{GROUP}{VAULTS}/{{vault}}"
ROLES_BY_DEFAULT = "2026-02-01"
"""The first API version whose new vaults use roles unless the request says otherwise (azure-cli #34020)."""
TAKEN = "The vault name '{0}' is already in use. Vault names are globally unique."
TAKEN_BY_DELETED = (
    "A vault with the same name already exists in deleted state. Recover or purge the existing key vault."
)
Item = dict[str, Any]
Words = tuple[str, ...]


def list_vaults(call: Call) -> Response:
    """Respond with the vaults of a subscription or a resource group."""
    vaults = (vault for vault in call.world.vaults.values() if call.within(vault.subscription, vault.resource_group))
    return call.page(_vault_json(call.world, vault) for vault in vaults if call.sees(vault.resource_id))


def get_vault(call: Call) -> Response:
    """Respond with one vault."""
    return json_response(200, _vault_json(call.world, _vault(call)))


def put_vault(call: Call) -> Response:
    """Create a vault, or change an existing vault as a PUT asks, and respond with the vault.

    A PUT removes the access policies and network rules of the vault that the request omits. The az CLI reads a vault
    before a change, and sends the whole vault back.
    """
    known = call.world.vaults.get(call["vault"].lower())
    if known is None:
        _create(call)
    elif not call.within(known.subscription, known.resource_group):
        raise Refused(arm_error(409, "VaultAlreadyExists", TAKEN.format(known.name)))
    return _changed(call, replace(_vault(call).access, policies=(), network=None))


def patch_vault(call: Call) -> Response:
    """Change only the properties of the vault that the request names, and respond with the vault."""
    return _changed(call, _vault(call).access)


def update_policies(call: Call) -> Response:
    """Add, replace or remove access policies, and respond with all policies of the vault.

    The last segment of the request's path says whether policies are added, replaced or removed.
    """
    edit = EDITS.get(call["kind"].lower())
    if edit is None:
        message = f"Access policies can be told to add, replace or remove, not to {call['kind']}."
        raise Refused(arm_error(400, "BadRequest", message))
    vault = _vault(call)
    before = vault.access
    for change in _policies(_properties(call)):
        vault.access = edit(vault.access, change)
    _note(call, vault, before)
    policies = {"accessPolicies": [_policy_json(call.world, policy) for policy in vault.access.policies]}
    identity = {"id": f"{vault.resource_id}/accessPolicies/", "type": f"{VAULT_TYPE}/accessPolicies"}
    return json_response(200, identity | {"location": vault.location, "properties": policies})


def generic_vault(vault: Vault) -> Item:
    """Return the vault as an entry in a list of resources of all types."""
    location = short_location(vault.location)
    return {
        "id": vault.resource_id,
        "name": vault.name,
        "type": VAULT_TYPE,
        "location": location,
        "tags": dict(vault.tags),
    }


def _vault(call: Call) -> Vault:
    vault = call.world.vaults.get(call["vault"].lower())
    if vault is None or not call.within(vault.subscription, vault.resource_group):
        raise refusals.absent(VAULT_TYPE, call["vault"], call["group"])
    return vault


def _create(call: Call) -> None:
    """Add an empty vault with the place of the request, or recover the deleted vault of the same name.

    A vault in soft delete keeps its name (azure-docs, key-vault/general/soft-delete-overview). Since the API version
    2026-02-01 a new vault uses roles by default (azure-cli #34020).
    """
    name, properties = call["vault"].lower(), _properties(call)
    if name in call.world.deleted_vaults:
        if str(properties.get("createMode")).lower() != "recover":
            raise Refused(arm_error(409, "ConflictError", TAKEN_BY_DELETED))
        call.world.vaults[name] = call.world.deleted_vaults.pop(name).vault
        return
    if not properties.get("tenantId") or not properties.get("sku") or not call.payload().get("location"):
        raise Refused(arm_error(400, "BadRequest", "A new vault needs a location, a tenantId and a sku."))
    place = Place(subscription=call["subscription"], resource_group=call["group"], location=call.payload()["location"])
    vault = call.world.new_vault(call["vault"], **place)
    vault.retention_days = int(properties.get("softDeleteRetentionInDays") or vault.retention_days)
    by_roles = call.request.query["api-version"] >= ROLES_BY_DEFAULT
    vault.access = Access(by_roles=by_roles)
    call.world.vaults[name] = vault
    call.world.journal.note(f"vault {vault.name} created")


def _changed(call: Call, start: Access) -> Response:
    vault, before = _vault(call), _vault(call).access
    vault.access = _merged(start, _properties(call))
    tags = call.payload().get("tags")
    vault.tags = vault.tags if tags is None else dict(tags)
    _note(call, vault, before)
    return json_response(200, _vault_json(call.world, vault))


def _merged(access: Access, properties: Mapping[str, Any]) -> Access:
    rules, policies = properties.get("networkAcls"), properties.get("accessPolicies")
    by_roles = properties.get("enableRbacAuthorization")
    return Access(
        by_roles=access.by_roles if by_roles is None else bool(by_roles),
        policies=access.policies if policies is None else _policies(properties),
        network=access.network if rules is None else _network(rules),
        public=properties.get("publicNetworkAccess") or access.public,
    )


def _note(call: Call, vault: Vault, before: Access) -> None:
    if vault.access != before:
        call.world.journal.note(f"access to vault {vault.name} changed")


def _properties(call: Call) -> Mapping[str, Any]:
    properties = call.payload().get("properties") or {}
    if not isinstance(properties, dict):
        raise Refused(arm_error(400, "InvalidRequestContent", "The properties of a vault are an object."))
    return properties


def _policies(properties: Mapping[str, Any]) -> tuple[AccessPolicy, ...]:
    try:
        return tuple(_policy(entry) for entry in properties.get("accessPolicies") or ())
    except (AttributeError, KeyError, TypeError) as wrong:
        message = "An access policy has a tenantId, an objectId and permissions."
        raise Refused(arm_error(400, "InvalidRequestContent", message)) from wrong


def _policy(entry: Mapping[str, Any]) -> AccessPolicy:
    granted = entry.get("permissions") or {}
    secrets, certificates, keys = (tuple(granted.get(kind) or ()) for kind in ("secrets", "certificates", "keys"))
    return AccessPolicy(str(entry["objectId"]), secrets, certificates, keys, entry.get("applicationId"))


def _network(rules: Mapping[str, Any]) -> NetworkRules:
    return NetworkRules(
        bypass=rules.get("bypass") or "AzureServices",
        default_action=rules.get("defaultAction") or "Allow",
        ip_rules=tuple(str(rule["value"]) for rule in rules.get("ipRules") or ()),
        virtual_network_rules=tuple(str(rule["id"]) for rule in rules.get("virtualNetworkRules") or ()),
    )


def _combined(access: Access, change: AccessPolicy, words: Callable[[Words, Words], Words]) -> Access:
    own = next((policy for policy in access.policies if policy.is_about(change)), None)
    own = own or replace(change, secrets=(), certificates=(), keys=())
    policy = replace(
        own,
        secrets=words(own.secrets, change.secrets),
        certificates=words(own.certificates, change.certificates),
        keys=words(own.keys, change.keys),
    )
    return access.with_policy(policy)


def _added(access: Access, change: AccessPolicy) -> Access:
    return _combined(access, change, lambda own, more: (*own, *(word for word in more if word not in own)))


def _replaced(access: Access, change: AccessPolicy) -> Access:
    return _combined(access, change, lambda _, words: words)


def _removed(access: Access, change: AccessPolicy) -> Access:
    return _combined(access, change, lambda own, less: tuple(word for word in own if word not in less))


EDITS: Mapping[str, Callable[[Access, AccessPolicy], Access]] = {
    "add": _added,
    "replace": _replaced,
    "remove": _removed,
}


def _vault_json(world: World, vault: Vault) -> Item:
    access = vault.access
    network = {} if access.network is None else {"networkAcls": _network_json(access.network)}
    properties = {
        "sku": {"family": "A", "name": "standard"},
        "tenantId": world.tenant_id,
        **network,
        "accessPolicies": [_policy_json(world, policy) for policy in access.policies],
        "enabledForDeployment": False,
        "enabledForDiskEncryption": False,
        "enabledForTemplateDeployment": False,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": vault.retention_days,
        "enableRbacAuthorization": access.by_roles,
        "vaultUri": f"{vault.url}/",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": access.public,
    }
    return generic_vault(vault) | {"properties": properties}


def _policy_json(world: World, policy: AccessPolicy) -> Item:
    granted = {"keys": policy.keys, "secrets": policy.secrets, "certificates": policy.certificates}
    permissions = {kind: list(words) for kind, words in granted.items() if words}
    through = {"applicationId": policy.application_id} if policy.application_id else {}
    return {"tenantId": world.tenant_id, "objectId": policy.object_id, **through, "permissions": permissions}


def _network_json(rules: NetworkRules) -> Item:
    return {
        "bypass": rules.bypass,
        "defaultAction": rules.default_action,
        "ipRules": _listed("value", rules.ip_rules),
        "virtualNetworkRules": _listed("id", rules.virtual_network_rules),
    }


def _listed(key: str, values: Iterable[str]) -> list[dict[str, str]]:
    return [{key: value} for value in values]


ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{VAULTS}", list_vaults),
    ("GET", f"{GROUP}{VAULTS}", list_vaults),
    ("GET", VAULT, get_vault),
    ("PUT", VAULT, put_vault),
    ("PATCH", VAULT, patch_vault),
    ("PUT", f"{VAULT}/accessPolicies/{{kind}}", update_policies),
)
