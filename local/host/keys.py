"""Make and check the keys that callers of the Functions host need."""

import secrets
from dataclasses import dataclass, field
from http import HTTPStatus

from local.host.web import Request


def _new_key() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one start of the Functions host."""

    function: str = field(default_factory=_new_key)
    """The key of the HTTP functions."""
    master: str = field(default_factory=_new_key)
    """The key that opens everything, and alone the admin routes."""
    event_grid: str = field(default_factory=_new_key)
    """The system key `eventgrid_extension`, which a subscription of Event Grid brings along."""

    def refusal(self, request: Request, *accepted: str) -> HTTPStatus | None:
        """Return the status that refuses the request, or None if the request has an accepted key.

        A wrong or missing key is a 401, and a valid key of other routes a 403 (measured on Azure Functions host
        4.1037).
        """
        given = request.headers.get("x-functions-key") or request.query("code")
        if _is_among(given, (*accepted, self.master)):
            return None
        if _is_among(given, (self.function, self.event_grid)):
            return HTTPStatus.FORBIDDEN
        return HTTPStatus.UNAUTHORIZED


def _is_among(given: str, keys: tuple[str, ...]) -> bool:
    return any(secrets.compare_digest(given.encode(), key.encode()) for key in keys)
