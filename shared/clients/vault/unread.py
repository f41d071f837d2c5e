"""Read the lists of a vault entry by entry, and note the entries that Certroll cannot read."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from azure.core.pipeline import PipelineResponse

from shared.clients.reading import ODD, page_entries
from shared.domain.fleet.fleet import BlindSpot
from shared.telemetry import event

ID_SLASHES = 4
"""How many slashes the id of a vault object has at least: https://vault/certificates/name."""
DATES = ("created", "updated", "nbf", "exp")
KINDS: tuple[tuple[str, type], ...] = (("x5t", str), ("tags", Mapping), ("contentType", str))
LAST_SECOND = 253402300799
"""The last second of the year 9999 in seconds since 1970."""
Entry = TypeVar("Entry")
Found = TypeVar("Found")


class Unread:
    """The entries of one list of a vault that Certroll could not read."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._spots: dict[str, BlindSpot] = {}

    @property
    def spots(self) -> tuple[BlindSpot, ...]:
        """The unreadable entries, each by its name."""
        return tuple(self._spots.values())

    def take_out(self, response: PipelineResponse[Any, Any]) -> None:
        """Take unreadable entries out of a page, because the SDK would raise an error in place of the page."""
        answer = response.http_response
        if answer.status_code == HTTPStatus.OK:
            entries = page_entries(answer.json())
            entries[:] = [entry for entry in entries if self._is_readable(entry)]

    def readable(self, entry: Entry, read: Callable[[Entry], Found]) -> Found | None:
        """Return what `read` returns for an entry of the list, or note the entry as unreadable and return None."""
        try:
            return read(entry)
        except ODD as error:
            self._note(str(getattr(entry, "id", None) or ""), str(error))
            return None

    def _is_readable(self, entry: object) -> bool:
        """Return True if the SDK can read the entry. Note an unreadable entry."""
        fields = entry if isinstance(entry, Mapping) else {}
        written = fields.get("id")
        why = "" if isinstance(entry, Mapping) else f"it is of the type {type(entry).__name__}"
        if why := why or _problem(fields):
            self._note(written if isinstance(written, str) else "", why)
        return not why

    def _note(self, written: str, why: str) -> None:
        name = f"{self._what}: {written[:200] or 'an entry without an id'}"
        if name not in self._spots:
            event("vault.entry_unreadable", of=self._what, detail=why[:200])
        self._spots[name] = BlindSpot(name, f"it cannot be read: {why}"[:500], "")


def _problem(fields: Mapping[str, Any]) -> str:
    """Return which field of an entry no SDK could read, or an empty text."""
    written, attributes = fields.get("id"), fields.get("attributes")
    if not isinstance(written, str) or written.count("/") < ID_SLASHES:
        return "it has no id"
    if not isinstance(attributes, Mapping):
        return "it has no attributes"
    odd = [name for name in DATES if not _is_date(attributes.get(name))]
    odd += [name for name, kind in KINDS if not isinstance(fields.get(name), (kind, type(None)))]
    return f"its {', '.join(odd)} is odd" if odd else ""


def _is_date(found: object) -> bool:
    """Return True for a missing date, and for seconds since 1970 that Python can turn into a date."""
    return found is None or (isinstance(found, int) and 0 <= found <= LAST_SECOND)
