"""Role assignments of a world, stated as exceptions: by default every principal sees and changes everything."""

from dataclasses import dataclass
from typing import Literal

EVERYONE = "*"
Right = Literal["nothing", "read"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A principal has only that right on a scope and on everything below it."""

    principal: str
    scope: str
    right: Right

    def concerns(self, principal: str | None, resource_id: str) -> bool:
        """Return True if the exception says something about that principal and resource."""
        same = self.principal in {EVERYONE, (principal or "").lower()}
        below = resource_id.lower() + "/"
        return same and below.startswith(self.scope + "/")


class Roles:
    """Who may see and change what. A scope is a resource id, or the beginning of one."""

    def __init__(self) -> None:
        """Begin without exceptions."""
        self._exceptions: list[Assignment] = []

    def hide(self, scope: str, principal: str = EVERYONE) -> None:
        """Let the principal see nothing at or below the scope: absent from lists, 403 when read."""
        self._add(scope, principal, "nothing")

    def read_only(self, scope: str, principal: str = EVERYONE) -> None:
        """Let the principal read, but not change, what is at or below the scope."""
        self._add(scope, principal, "read")

    def restore(self, scope: str) -> None:
        """Take back every exception at exactly that scope."""
        self._exceptions = [kept for kept in self._exceptions if kept.scope != _normal(scope)]

    def may_read(self, principal: str | None, resource_id: str) -> bool:
        """Return True if the principal sees that resource."""
        return not any(
            exception.right == "nothing" and exception.concerns(principal, resource_id)
            for exception in self._exceptions
        )

    def may_write(self, principal: str | None, resource_id: str) -> bool:
        """Return True if the principal may change that resource."""
        return not any(exception.concerns(principal, resource_id) for exception in self._exceptions)

    def _add(self, scope: str, principal: str, right: Right) -> None:
        self._exceptions.append(Assignment(principal.lower(), _normal(scope), right))


def _normal(scope: str) -> str:
    return scope.rstrip("/").lower()
