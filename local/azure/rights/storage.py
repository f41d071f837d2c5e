"""The operations of Azure that a request to a storage account stands for.

Azurite knows no roles, so the simulated storage account judges each request before Azurite gets it. The pairs of
requests and operations are those of Azure docs (rest/api/storageservices/authorize-with-azure-active-directory,
"Permissions for calling data operations").
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

ACCOUNT = "Microsoft.Storage/storageAccounts/"
CONTAINERS, QUEUES = f"{ACCOUNT}blobServices/containers/", f"{ACCOUNT}queueServices/queues/"
TABLES = f"{ACCOUNT}tableServices/tables/"
BLOBS, MESSAGES, ENTITIES = f"{CONTAINERS}blobs/", f"{QUEUES}messages/", f"{TABLES}entities/"
PLURALS: Mapping[str, str] = {"blob": "containers", "queue": "queues", "table": "tables"}
TABLE = re.compile(r"\w+(\(.*\))?")


class UnknownRequest(ValueError):
    """A request to storage is in no row of this module."""


@dataclass(frozen=True, slots=True)
class StorageOperation:
    """What a request to storage does: any one of some groups of operations on data, or an operation on the account."""

    alternatives: tuple[tuple[str, ...], ...]
    """Groups of operations. A role has to allow all operations of at least one group."""
    data: bool = True
    """True for operations on data, which `dataActions` of a role allow."""

    def allowed(self, allows: Callable[[str, bool], bool]) -> bool:
        """Return True if `allows` is true for each operation of one group."""
        return any(all(allows(operation, self.data) for operation in group) for group in self.alternatives)


def _resource(operation: str) -> StorageOperation:
    return StorageOperation(((operation,),), data=False)


def _data(*alternatives: str | tuple[str, ...]) -> StorageOperation:
    return StorageOperation(tuple((each,) if isinstance(each, str) else each for each in alternatives))


def operation_of(service: str, method: str, path: str, query: Mapping[str, str]) -> StorageOperation:
    """Return what a request does to the service `blob`, `queue` or `table`; raise UnknownRequest for any other.

    `path` is the path without the name of the account, still percent-encoded. A batch has to be taken apart first.
    """
    segments = [unquote(segment) for segment in path.strip("/").split("/") if segment]
    kinds = {"blob": _blob, "queue": _queue, "table": _table}
    found = kinds[service](method, segments, query)
    if found is None:
        raise UnknownRequest(f"{service}: {method} {path} {dict(query)}")
    return found


def scope_of(service: str, path: str) -> str:
    """Return the part of a resource id below the account at which a request needs its right.

    A request that names no container, queue or table in its path needs the right for the whole service: for example a
    list, or the creation of a table, whose name is in the body.
    """
    first = unquote(path).strip("/").partition("/")[0].partition("(")[0]
    below = f"/{service}Services/default"
    is_named = first and not (service == "table" and first == "Tables")
    return f"{below}/{PLURALS[service]}/{first}" if is_named else below


def _blob(method: str, segments: list[str], query: Mapping[str, str]) -> StorageOperation | None:
    if query.get("restype") == "container":
        listing = query.get("comp") == "list"
        verb = {"PUT": "write", "GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method)
        if listing:
            return _data(f"{BLOBS}read")
        return _resource(f"{CONTAINERS}{verb}") if verb else None
    if not segments and query.get("comp") == "list":
        return _resource(f"{CONTAINERS}read")
    if len(segments) > 1:
        verb = {"PUT": "write", "GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method)
        return _data(f"{BLOBS}{verb}") if verb else None
    return None


def _queue(method: str, segments: list[str], query: Mapping[str, str]) -> StorageOperation | None:
    if segments[1:2] != ["messages"]:
        verb = {"PUT": "write", "GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method)
        return _resource(f"{QUEUES}{verb}") if verb else None
    if len(segments) > 2:  # noqa: PLR2004 - the queue, `messages`, and the id of a message
        taken = _data(f"{MESSAGES}process/action", f"{MESSAGES}delete")
        return {"PUT": _data(f"{MESSAGES}write"), "DELETE": taken}.get(method)
    if method == "GET" and query.get("peekonly") == "true":
        return _data(f"{MESSAGES}read")
    got = _data(f"{MESSAGES}process/action", (f"{MESSAGES}delete", f"{MESSAGES}read"))
    sent = _data(f"{MESSAGES}add/action", f"{MESSAGES}write")
    return {"GET": got, "POST": sent, "DELETE": _data(f"{MESSAGES}delete")}.get(method)


def _table(method: str, segments: list[str], _: Mapping[str, str]) -> StorageOperation | None:
    first = segments[0] if segments else ""
    if first.lower().startswith("tables"):
        verb = {"POST": "write", "GET": "read", "DELETE": "delete"}.get(method)
        return _resource(f"{TABLES}{verb}") if verb else None
    whole = (f"{ENTITIES}add/action", f"{ENTITIES}update/action")
    rows = {
        "GET": _data(f"{ENTITIES}read"),
        "POST": _data(f"{ENTITIES}write", f"{ENTITIES}add/action"),
        "PUT": _data(f"{ENTITIES}write", whole),
        "PATCH": _data(f"{ENTITIES}write", whole),
        "MERGE": _data(f"{ENTITIES}write", whole),
        "DELETE": _data(f"{ENTITIES}delete"),
    }
    return rows.get(method) if TABLE.fullmatch(first) else None
