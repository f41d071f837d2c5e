"""The backup and restore of a vault object, after which the oldest version is the newest one."""

from datetime import timedelta

from local.azure.vault.vault import Vault

BETWEEN = timedelta(seconds=1)
"""The time that the vault needs to restore one version."""


def backup_and_restore(vault: Vault, name: str) -> None:
    """Restore a vault certificate or plain secret from its backup: the versions come in reverse order.

    The vault creates the versions again, each with its id, its certificate and its attributes, and dates their creation
    by the restore (azure-powershell #8721). Key Vault sends no event for a restore.
    """
    found = vault.secret(name)
    if found is None:
        raise KeyError(f"Vault {vault.name} has no object {name}.")
    moment = vault.kernel.clock.now()
    with vault.kernel.lock:
        found.versions.reverse()
        for version in found.versions:
            version.created = version.updated = moment
            moment += BETWEEN
