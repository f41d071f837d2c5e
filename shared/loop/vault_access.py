"""Whether a service of Azure may do on a vault what it needs, and what to do where it may not."""

from collections.abc import Iterable

from shared.domain.errors import AzureError
from shared.domain.findings import Finding
from shared.domain.fleet.vault_access import AccessVerdict, Principal, VaultAccess, judge, unreadable
from shared.domain.reason import Reason
from shared.loop.report import report
from shared.loop.run import Run

REASONS = {
    AccessVerdict.LACKING: Reason.VAULT_ACCESS_LACKING,
    AccessVerdict.UNKNOWN: Reason.VAULT_ACCESS_UNKNOWN,
}


def access_to(run: Run, vault_id: str, principal: Principal, name: str | None = None) -> VaultAccess:
    """Return whether the principal may do what it needs on a vault; `name` is the one object that matters, if one does.

    Two requests at most. What cannot be read is not known, never in order.
    """
    try:
        return judge(run.ports.vault_rights.settings(vault_id), principal, name)
    except AzureError as error:
        return unreadable(vault_id, principal, str(error))


def report_access(run: Run, scope: str, seen: Iterable[VaultAccess]) -> None:
    """Record as findings what is missing, or not known."""
    findings = tuple(
        Finding(
            run.now(),
            scope,
            f"vault {access.vault} for {access.principal.name}",
            REASONS[access.verdict],
            access.detail,
        )
        for access in seen
        if access.verdict is not AccessVerdict.ALLOWED
    )
    report(run.ports.findings, findings)
