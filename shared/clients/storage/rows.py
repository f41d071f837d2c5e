"""Keys, texts and times of rows in Table storage, which all records of Certroll share.

Table storage forbids slashes, backslashes, `#` and `?` in a key, so Certroll uses hashes as keys.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.domain.names import ObjectKind, SiteRef, VaultCertificateRef

ROLL = "roll-"
CHUNK = 30_000
"""The longest text of one property. Table storage takes 32 K characters (Azure docs, "Understanding the Table service
data model")."""

Entity = Mapping[str, Any]


def digest(text: str) -> str:
    """Return the table key for a text, which is its SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def fitting(text: str, most: int = CHUNK) -> str:
    """Return a text that one property takes: valid Unicode of at most `most` characters, as Table storage counts them.

    Azure's JSON may have half a character (a lone surrogate), and Table storage counts some characters as two.
    """
    units = text.encode("utf-8", "backslashreplace").decode().encode("utf-16-le")
    return units[: 2 * most].decode("utf-16-le", "ignore")


def lineage_key(ref: VaultCertificateRef) -> str:
    """Return the partition key of a vault certificate; a vault secret of the same name has the same key."""
    return digest(f"{ref.vault}/{ObjectKind.CERTIFICATE}/{ref.name}")


def roll_key(site: SiteRef) -> str:
    """Return the row key of the record about Certroll's update of an app's settings."""
    return f"{ROLL}{digest(site.resource_id)}"


def is_roll(row: Entity) -> bool:
    """Return True if the row records Certroll's update of an app's settings."""
    return str(row.get("RowKey")).startswith(ROLL)


def moment(stored: datetime) -> datetime:
    """Return a stored time as an aware datetime in UTC."""
    return datetime.fromtimestamp(stored.timestamp(), UTC)


def revision_of(row: Entity) -> str | None:
    """Return the revision of a row that Certroll read, or None for a row without a revision."""
    metadata: Mapping[str, str] = getattr(row, "metadata", {})
    return metadata.get("etag")


def keys_of(subject: str) -> tuple[str, str, str]:
    """Return the table, the PartitionKey and the RowKey from the subject of the finding about a row."""
    table, partition, key = subject.removeprefix("row ").split("/")
    return table, partition, key


def row_subject(table: str, row: Entity) -> str:
    """Return the subject of the finding about a row."""
    return f"row {table}/{row['PartitionKey']}/{row['RowKey']}"


def stored_at(row: Entity) -> datetime | None:
    """Return when Azure stored a row, or None for a row that Azure has not stored."""
    metadata: Mapping[str, datetime | None] = getattr(row, "metadata", {})
    stored = metadata.get("timestamp")
    return None if stored is None else moment(stored)


def chunked(name: str, text: str) -> dict[str, str | int]:
    """Return a text of any length in parts: the row properties `name_0`, `name_1` and so on, and `name_parts`.

    A merge keeps the later parts of an earlier, longer text, so `name_parts` says how many parts belong to the text.
    """
    size = CHUNK if text.isascii() else CHUNK // 2  # Table storage counts some characters as two
    parts = [fitting(text[start : start + size]) for start in range(0, len(text), size)] or [""]
    return {f"{name}_parts": len(parts), **{f"{name}_{number}": part for number, part in enumerate(parts)}}


def joined(name: str, row: Entity) -> str:
    """Return a long text from the row properties into which the function `chunked` split the text."""
    return "".join(str(row[f"{name}_{number}"]) for number in range(row[f"{name}_parts"]))


def listed(name: str, items: Iterable[object]) -> dict[str, str | int]:
    """Return a list of any length as row properties, for the function `items_of`."""
    return chunked(name, json.dumps(list(items)))


def items_of(name: str, row: Entity) -> Any:  # noqa: ANN401 - a JSON list, whose items the caller reads
    """Return the list that the function `listed` stored in a row."""
    return json.loads(joined(name, row))
