"""Turn every failure of the storage account into StorageFailed, as the last layer before the core.

The caller catches the answers that it expects, such as a missing row, within the edge.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged

from shared.clients.answers import read_answer
from shared.clients.faults import comes_from_sdk
from shared.clients.network.bounded import limited
from shared.clients.reading import ODD
from shared.clients.remedies import remedy_for
from shared.domain.errors import CertrollError, RecordUnreadable, StorageFailed

REMEDY = "grant the identity the roles on the storage account that docs/reference/roles.md lists"
LONGEST = 300
CALL_SECONDS = 30.0
"""How long a call to the storage account may take with all its requests: repeats, and the creation of a table or queue.

A lease that cannot be renewed lets a write begin for 50 seconds (leases.py), and a run keeps half a minute for its last
record (shared/domain/deadline.py). A call that outlasts both would go on while somebody else has the lease.
"""
VERSION = 1
"""The version of all rows. A release raises it for a field, state or word that earlier releases must not overlook."""
OF_ANY_VERSION = "starts"
"""The partition whose rows count whatever their version: an app that any release stopped has to start."""
_EPOCH = datetime.fromtimestamp(0, UTC)

Item = TypeVar("Item")
Record = TypeVar("Record")


@contextmanager
def storage_edge(what: str, seconds: float) -> Iterator[None]:
    """Raise StorageFailed, which names `what`, in place of every error of the storage SDKs.

    All requests within the context together take at most the given seconds, and at most `CALL_SECONDS`.
    """
    try:
        with limited(min(seconds, CALL_SECONDS)):
            yield
    except CertrollError:
        raise
    except Exception as error:
        if not comes_from_sdk(error):
            raise
        raise StorageFailed(f"{what}: {_said(error)}") from error


def all_pages(what: str, items: ItemPaged[Item]) -> tuple[Item, ...]:
    """Return the items of all pages. Raise StorageFailed, which names `what`, if the pages lead in a circle."""
    pages = items.by_page()
    found: list[Item] = []
    seen: set[str] = set()
    for page in pages:
        found.extend(page)
        link = getattr(pages, "continuation_token", None)
        if link and str(link) in seen:
            raise StorageFailed(f"{what}: its pages lead in a circle")
        seen.add(str(link))
    return tuple(found)


def code_of(error: HttpResponseError) -> str:
    """Return the error code of the storage account's answer, or an empty text."""
    return read_answer(error, _EPOCH).code


def _said(error: Exception) -> str:
    if isinstance(error, HttpResponseError) and error.response is not None:
        answer = read_answer(error, _EPOCH)
        first = (answer.message.splitlines() or [""])[0]
        said = " ".join(part for part in (str(answer.status), answer.code, first) if part)
        return "; ".join(part for part in (said, remedy_for(answer, REMEDY)) if part)
    kind = "no answer" if isinstance(error, SdkError) else f"the answer cannot be read: {type(error).__name__}"
    return f"{kind}: {(str(error).splitlines() or [''])[0][:LONGEST]}"


def record_of(read: Callable[[Mapping[str, Any]], Record], row: Mapping[str, Any]) -> Record:
    """Return the record that a row of a table holds. Raise RecordUnreadable, which names the row, if it is unreadable.

    A row without a version was made by hand, and counts as of the present version.
    """
    try:
        if row.get("v", VERSION) != VERSION and row.get("PartitionKey") != OF_ANY_VERSION:
            raise ValueError(f"the row has the version {row['v']!r}, and this release reads the version {VERSION}")
        return read(row)
    except ODD as error:
        keys = "/".join(str(row.get(key))[:LONGEST] for key in ("PartitionKey", "RowKey"))
        problem = f"{type(error).__name__}: {error}"[:LONGEST]
        raise RecordUnreadable(
            f"the row {keys} of Certroll's tables cannot be read: {problem}; install the release that wrote it, "
            "or repair or delete it"
        ) from error
