"""One call to Key Vault's data plane: the objects that its path names, the routes, and the paging of lists."""

import base64
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.azure.vault import wire
from local.azure.vault.objects import NAME_RULE, Operation, VaultCertificate, Version
from local.azure.vault.vault import Vault
from local.azure.vault.wire import Refused, answer
from local.azure.wire import Request, Response

PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request to a vault, with the name and version of an object in its path."""

    vault: Vault
    request: Request
    name: str = ""
    version: str = ""

    @property
    def certificate(self) -> VaultCertificate:
        """The vault certificate that the request names; a request for a missing certificate is refused."""
        found = self.vault.certificate(self.name)
        if found is None:
            raise wire.missing(self.name)
        return found

    @property
    def found(self) -> tuple[VaultCertificate, Version]:
        """The vault certificate that the request names, and its named version or else its latest version."""
        certificate = self.certificate
        if not certificate.versions:
            raise wire.missing(self.name)
        version = certificate.version(self.version) if self.version else self.vault.latest(certificate)
        if version is None:
            raise wire.missing(self.name, self.version)
        return certificate, version

    @property
    def pending(self) -> tuple[VaultCertificate, Operation]:
        """The vault certificate and its pending creation; the request is refused if no creation is pending."""
        certificate = self.certificate
        if certificate.pending is None:
            raise Refused(404, "PendingCertificateNotFound", f"Pending certificate not found: {self.name}")
        return certificate, certificate.pending

    @property
    def deleted(self) -> VaultCertificate:
        """The deleted vault certificate that the request names."""
        found = self.vault.deleted.get(self.name.lower())
        if found is None:
            raise Refused(404, "CertificateNotFound", f"Deleted Certificate not found: {self.name}")
        return found


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the data plane: method, path, the permission that it needs, and the function that answers."""

    method: str
    path: re.Pattern[str]
    permission: str
    answer: Callable[[Call], Response]


def check_name(call: Call, deleted: Collection[str], kind: str) -> None:
    """Refuse an invalid name of a vault object, and a name that a deleted object of the same kind still has."""
    if not NAME_RULE.fullmatch(call.name):
        raise Refused(400, "BadParameter", f"The {kind.lower()} name {call.name} is not valid.")
    if call.name.lower() in deleted:
        message = f"{kind} {call.name} is currently in a deleted but recoverable state."
        raise Refused(409, "Conflict", message, "ObjectIsDeletedButRecoverable")


def page(call: Call, items: Sequence[Mapping[str, Any]]) -> Response:
    """Return one page of a list in a vault, with a link to the next page if more entries follow."""
    query = call.request.query
    size = min(int(query.get("maxresults", PAGE_SIZE)), call.vault.kernel.knobs.page_size)
    start = _offset(query.get("$skiptoken", ""))
    shown, left = items[start : start + size], len(items) > start + size
    token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    address = f"{call.vault.url}{call.request.path}?api-version={query['api-version']}"
    next_link = f"{address}&$skiptoken={token}&maxresults={size}" if left else None
    return answer(200, {"value": list(shown), "nextLink": next_link})


def _offset(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token) or b"0")
    except ValueError as wrong:
        raise Refused(400, "BadParameter", "The skiptoken is not valid.") from wrong


def routes(lines: Iterable[tuple[str, str, str, Callable[[Call], Response]]]) -> tuple[Route, ...]:
    """Return one route for each line of method, path, permission and function."""

    def pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), re.IGNORECASE)

    return tuple(Route(method, pattern(path), permission, function) for method, path, permission, function in lines)
