"""Check before an import or a sync whether App Service may read the vault."""

from shared.domain.errors import AzureError
from shared.domain.fleet.vault_access import AccessVerdict, Principal, judge
from shared.ports import Ports


def lacking_right(ports: Ports, vault_id: str, principal: Principal, name: str) -> str:
    """Return which right the principal lacks on a vault object, empty if Certroll knows of no missing right.

    If Certroll cannot read the rights on the vault, only Azure's own refusal of the write shows a missing right.
    """
    try:
        access = judge(ports.vault_rights.settings(vault_id), principal, name)
    except AzureError:
        return ""
    return access.detail if access.verdict is AccessVerdict.LACKING else ""
