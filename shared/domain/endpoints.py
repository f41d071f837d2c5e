"""The addresses of Azure's clouds, of the storage account and of name servers."""

from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Self

SERVICES = ("blob", "queue", "table")
WHOLE = "copy the whole string that `az storage account show-connection-string` prints"
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


def parse_connection_string(text: str) -> str:
    """Return the connection string of a storage account without blanks around it.

    Raise ValueError, which quotes no part of the connection string, if the string cannot work: if it is cut off, has no
    account, or has a key that is not base64.
    """
    bare = text.strip()
    parts = [part.partition("=") for part in bare.rstrip(";").split(";")]
    found = {name.strip().lower(): value for name, equals, value in parts if equals}
    if found.get("usedevelopmentstorage", "").lower() == "true":
        return bare
    if len(found) != len(parts):
        where = f"part {_first_odd(parts)} of {len(parts)}"
        raise ValueError(f"it is no connection string: {where} has no '=', or a name that came before; {WHOLE}")
    if not found.get("accountname") and not all(found.get(f"{service}endpoint") for service in SERVICES):
        raise ValueError(f"the connection string has no AccountName; {WHOLE}")
    if not found.get("sharedaccesssignature") and not _is_base64(found.get("accountkey", "")):
        raise ValueError(f"the AccountKey of the connection string is missing or is not base64; {WHOLE}")
    return bare


def _first_odd(parts: list[tuple[str, str, str]]) -> int:
    """Return the number of the first part without `=`, or with the name of a part before it."""
    names = [name.strip().lower() for name, _, _ in parts]
    return next(
        number
        for number, (_, equals, _) in enumerate(parts, 1)
        if not equals or names[number - 1] in names[: number - 1]
    )


def _is_base64(text: str) -> bool:
    try:
        return bool(b64decode(text, validate=True))
    except ValueError:
        return False


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
