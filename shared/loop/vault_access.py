"""Check whether a service of Azure has the rights on a vault that the service needs, and report missing rights."""

from collections.abc import Iterable

from shared.domain.errors import AzureError
from shared.domain.findings import Finding
from shared.domain.fleet.vault_access import AccessVerdict, Principal, VaultAccess, judge, unreadable
from shared.domain.letter_case import lower_case
from shared.domain.reason import Reason
from shared.loop.report import report
from shared.loop.run import Run

REASONS = {
    AccessVerdict.LACKING: Reason.VAULT_ACCESS_LACKING,
    AccessVerdict.UNKNOWN: Reason.VAULT_ACCESS_UNKNOWN,
}


def access_to(run: Run, vault_id: str, principal: Principal, name: str | None = None) -> VaultAccess:
    """Read which rights on a vault the principal has, lacks, or may lack. Send at most two requests.

    `name` is the vault object that the principal needs, or None for the whole vault. If Certroll cannot read the rights
    of the principal, the result says that the rights are unknown.
    """
    try:
        return judge(run.ports.vault_rights.settings(vault_id), principal, name)
    except AzureError as error:
        return unreadable(lower_case(vault_id.rpartition("/")[2]), principal, str(error))


def access_subject(access: VaultAccess) -> str:
    """Return the subject of findings about the rights of a principal on a vault."""
    return f"vault {access.vault} for {access.principal.name}"


def report_access(run: Run, scope: str, seen: Iterable[VaultAccess]) -> None:
    """Record as findings (reported problems) the rights on vaults that are missing or unknown."""
    findings = tuple(
        Finding(
            run.now(),
            scope,
            access_subject(access),
            REASONS[access.verdict],
            access.detail,
        )
        for access in seen
        if access.verdict is not AccessVerdict.ALLOWED
    )
    report(run.ports.findings, findings)
