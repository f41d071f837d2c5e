"""The deletion of vaults: soft delete, the list of deleted vaults, and the purge.

The shapes follow the examples of azure-rest-api-specs (Microsoft.KeyVault, deleteVault, getDeletedVault and
purgeDeletedVault).
"""

from local.azure.front_door.call import SUBSCRIPTION, Call, Route
from local.azure.front_door.vaults import VAULT, Item
from local.azure.vault.vault import DeletedVault
from local.azure.web.resources import short_location
from local.azure.wire import Refused, Response, arm_error, json_response

KEY_VAULT = "/providers/Microsoft.KeyVault"
AT_LOCATION = f"{SUBSCRIPTION}{KEY_VAULT}/locations/{{location}}"
DELETED = f"{AT_LOCATION}/deletedVaults/{{vault}}"


def delete_vault(call: Call) -> Response:
    """Move a vault to soft delete; its name does not resolve any more, and stays taken.

    The response to the deletion of an unknown vault is an empty 204.
    """
    vault = call.world.vaults.get(call["vault"].lower())
    if vault is None or not call.within(vault.subscription, vault.resource_group):
        return Response(204)
    del call.world.vaults[vault.name.lower()]
    call.world.deleted_vaults[vault.name.lower()] = DeletedVault(vault, call.world.clock.now())
    call.world.journal.note(f"vault {vault.name} deleted")
    return Response(200)


def list_deleted(call: Call) -> Response:
    """Respond with the deleted vaults of a subscription."""
    found = call.world.deleted_vaults.values()
    return call.page(_json(deleted) for deleted in found if call.within(deleted.vault.subscription, ""))


def get_deleted(call: Call) -> Response:
    """Respond with one deleted vault."""
    return json_response(200, _json(_deleted(call)))


def purge(call: Call) -> Response:
    """Remove a deleted vault for ever, so that its name is free."""
    vault = _deleted(call).vault
    del call.world.deleted_vaults[vault.name.lower()]
    call.world.journal.note(f"vault {vault.name} purged")
    operation = (
        f"https://{call.request.host}{call.request.path.rpartition('/deletedVaults/')[0]}/operationResults/purge"
    )
    version = call.request.query["api-version"]
    return Response(202, {"Location": f"{operation}?api-version={version}", "Retry-After": "15"})


def finished(_: Call) -> Response:
    """Respond that the purge of a vault is finished, because a purge of the local Azure takes no time."""
    return Response(200)


def _deleted(call: Call) -> DeletedVault:
    found = call.world.deleted_vaults.get(call["vault"].lower())
    if found is None or short_location(found.vault.location) != short_location(call["location"]):
        message = f"The specified deleted vault '{call['vault']}' does not exist."
        raise Refused(arm_error(404, "DeletedVaultNotFound", message))
    return found


def _json(deleted: DeletedVault) -> Item:
    vault, location = deleted.vault, short_location(deleted.vault.location)
    return {
        "id": f"/subscriptions/{vault.subscription}{KEY_VAULT}/locations/{location}/deletedVaults/{vault.name}",
        "name": vault.name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": {
            "vaultId": vault.resource_id,
            "location": location,
            "tags": dict(vault.tags),
            "deletionDate": deleted.deleted_at.isoformat().replace("+00:00", "Z"),
            "scheduledPurgeDate": deleted.purged_at.isoformat().replace("+00:00", "Z"),
        },
    }


ROUTES: tuple[Route, ...] = (
    ("DELETE", VAULT, delete_vault),
    ("GET", f"{SUBSCRIPTION}{KEY_VAULT}/deletedVaults", list_deleted),
    ("GET", DELETED, get_deleted),
    ("POST", f"{DELETED}/purge", purge),
    ("GET", f"{AT_LOCATION}/operationResults/purge", finished),
)
