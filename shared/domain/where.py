"""Where Azure and our own storage are."""

from dataclasses import dataclass
from enum import StrEnum


class CloudName(StrEnum):
    """The clouds that CERTROLL_CLOUD can name."""

    PUBLIC = "public"
    US_GOVERNMENT = "usgov"


@dataclass(frozen=True, slots=True)
class StorageAddress:
    """The storage account of the Function App: a connection string, or the services' addresses for the identity."""

    connection_string: str | None = None
    blob_uri: str = ""
    queue_uri: str = ""
    table_uri: str = ""
