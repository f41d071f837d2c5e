"""What a test takes from principals in ARM: by default, exceptions leave every principal all that its grants give."""

from dataclasses import dataclass
from typing import Literal

EVERYONE = "*"
Right = Literal["nothing", "read"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """An exception from full rights: the only right of a principal on a scope and on resources below the scope."""

    principal: str
    scope: str
    right: Right

    def concerns(self, principal: str | None, resource_id: str) -> bool:
        """Return True if the exception from full rights applies to this principal and resource."""
        same = self.principal in {EVERYONE, (principal or "").lower()}
        below = resource_id.lower() + "/"
        return same and below.startswith(self.scope + "/")


class Roles:
    """The rights of principals in ARM on scopes.

    A scope in ARM is a resource id, or a parent of resource ids.
    """

    def __init__(self) -> None:
        """Begin without exceptions."""
        self._exceptions: list[Assignment] = []

    def hide(self, scope: str, principal: str = EVERYONE) -> None:
        """Hide a scope, and all resources below the scope, from the principal.

        Most lists omit a hidden resource, and reading a hidden resource gives 403.
        """
        self._add(scope, principal, "nothing")

    def read_only(self, scope: str, principal: str = EVERYONE) -> None:
        """Let the principal read, but not change, the scope and all resources below the scope."""
        self._add(scope, principal, "read")

    def restore(self, scope: str) -> None:
        """Remove all exceptions from the full rights of principals at exactly the given scope."""
        self._exceptions = [kept for kept in self._exceptions if kept.scope != _normal(scope)]

    def may_read(self, principal: str | None, resource_id: str) -> bool:
        """Return True if the principal may read this resource."""
        return not any(
            exception.right == "nothing" and exception.concerns(principal, resource_id)
            for exception in self._exceptions
        )

    def may_write(self, principal: str | None, resource_id: str) -> bool:
        """Return True if the principal may change this resource."""
        return not any(exception.concerns(principal, resource_id) for exception in self._exceptions)

    def _add(self, scope: str, principal: str, right: Right) -> None:
        self._exceptions.append(Assignment(principal.lower(), _normal(scope), right))


def _normal(scope: str) -> str:
    return scope.rstrip("/").lower()
