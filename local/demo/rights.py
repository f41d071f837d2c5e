"""Check that the rights of Certroll's own templates were enough for each request of a demo."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from local.app import LocalApp
from local.azure.rights.storage import operation_of, service_of
from local.azure.world import World
from local.azurite import ACCOUNT
from local.demo.screen import Checks
from local.variants import grants

REQUEST = re.compile(rf'"([A-Z]+) /{ACCOUNT}(\S*) HTTP/[\d.]+" \d+')
STORAGE = "/providers/microsoft.storage/"


def check_azure(checks: Checks, world: World) -> None:
    """Check that Azure refused nothing to Certroll for want of a right."""
    refused = [f"{refusal.operation} at {refusal.scope}" for refusal in world.grants.refused]
    checks.claim(not refused, f"the rights of Certroll's own templates were enough{_but(refused)}")


def check_storage(checks: Checks, local: LocalApp) -> None:
    """Check that the storage roles of the templates allow each request of the app and of the Functions host."""
    asked = set(storage_requests(local.azurite.log.read_text(encoding="utf-8")))
    beyond = sorted({f"{method} {path}" for method, path, query in asked if not _allowed(method, path, query)})
    holds = bool(asked) and not beyond
    checks.claim(holds, f"the storage roles of the templates allow each request to storage{_but(beyond)}")


def storage_requests(log: str) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """Yield method, path and query of each request in the log of Azurite."""
    for method, target in REQUEST.findall(log):
        parts = urlsplit(target)
        yield method, unquote(parts.path), tuple(parse_qsl(parts.query, keep_blank_values=True))


def _allowed(method: str, path: str, query: tuple[tuple[str, str], ...]) -> bool:
    known = dict(query)
    roles = [grant.permissions for grant in grants() if STORAGE in grant.scope.lower()]
    asked = operation_of(service_of(path, known), method, path, known)
    return asked.allowed(lambda operation, data: any(role.allows(operation, data=data) for role in roles))


def _but(wrong: list[str]) -> str:
    return f", but not for {'; '.join(wrong)}" if wrong else ""
