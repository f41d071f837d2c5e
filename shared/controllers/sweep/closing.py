"""Close the findings about vault objects that are gone, and about what the settings of an operator no longer name."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from shared.domain.despite_storage import storage_failures
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import StorageFailed
from shared.domain.findings import OpenFinding
from shared.domain.names import VaultName
from shared.domain.reason import Reason
from shared.loop.run import Run
from shared.planning.closing import is_of_vault, left_scope

STAYS = frozenset({Reason.NO_LAST_GOOD})
"""The reasons of apps that Certroll left down, which somebody must mend whatever the settings name."""


def close_gone(
    run: Run, scopes: Collection[str], listed: Collection[VaultName], began: datetime
) -> list[StorageFailed]:
    """Close the findings of each scope whose vault object is in no list of its vault, and return the errors of storage.

    If the storage account fails with one scope, Certroll goes on with the others.
    """
    gone = sorted(scope for scope in scopes if is_of_vault(scope, listed))
    return list(storage_failures(gone, partial(_close, run, began, "")))


def close_left(
    run: Run, scopes: Collection[str], records: Collection[EnvironmentRecord], began: datetime
) -> list[StorageFailed]:
    """Close the findings about vaults and environments that the settings no longer name, and return the errors.

    `scopes` are those without an unfinished change of a site or app. The findings about an environment stay open as
    long as its apps wait for a stop or a start.
    """
    left = {scope: why for scope in sorted(scopes) if (why := left_scope(scope, run.intent)) is not None}
    unfinished = {record.environment.resource_id for record in records if record.is_open}
    if any(scope.startswith("/") for scope in left.keys() - unfinished):
        unfinished |= {start.environment.resource_id for start in run.ports.pending_starts.all()}
    closing = [scope for scope in left if scope not in unfinished]
    return list(storage_failures(closing, lambda scope: _close(run, began, left[scope], scope)))


def _close(run: Run, began: datetime, why: str, scope: str) -> None:
    def is_gone(found: OpenFinding) -> bool:
        return found.last_seen < began and found.reason not in STAYS

    run.ports.findings.close(scope, run.now(), is_gone, why)
