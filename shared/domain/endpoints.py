"""The addresses of Azure's clouds, of the storage account and of name servers."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Self

DNS_PORT = 53
LAST_PORT = 65_535


class CloudName(StrEnum):
    """The clouds that CERTROLL_CLOUD can name."""

    PUBLIC = "public"
    US_GOVERNMENT = "usgov"


@dataclass(frozen=True, slots=True)
class StorageAddress:
    """The address of the Function App's storage account."""

    connection_string: str | None = None
    """The connection string. If it is None, Certroll uses its identity and the addresses of the three services."""
    blob_uri: str = ""
    queue_uri: str = ""
    table_uri: str = ""


@dataclass(frozen=True, slots=True)
class DnsServer:
    """The address and port of a name server for Certroll's DNS questions."""

    address: str
    port: int = DNS_PORT

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the server that the text names as `ip`, `ip:port` or `[ip]:port`.

        Raise ValueError with an example of a valid address if the text is not an address.
        """
        bare = text.strip()
        address, colon, port = bare.rpartition(":")
        if not colon or (":" in address and not address.endswith("]")):
            address, port = bare, str(DNS_PORT)
        number = int(port) if port.isdecimal() and port.isascii() else 0
        try:
            found = ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError:
            number = 0
        if not 0 < number <= LAST_PORT:
            raise ValueError(f"{bare[:60]!r} is no name server: write its address, or address and port: 10.0.0.4:53")
        return cls(str(found), number)
