"""The grants of a simulated Azure: which principal has which role where, and what the principal may do by them."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from local.azure.rights.permissions import Permissions


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that a principal has at a scope and at everything below the scope."""

    scope: str
    """A resource id, or a pattern of resource ids: a segment `*` stands for any name."""
    permissions: Permissions
    role: str = ""
    """The name of the role, for people."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operation at a scope that no grant of a principal allows."""

    principal: str
    operation: str
    scope: str


class Grants:
    """The grants of principals, and what the principals did by them.

    A principal without grants may do everything: the local Azure asks for the rights of those only who got some.
    """

    def __init__(self) -> None:
        """Begin without grants."""
        self._grants: dict[str, tuple[Grant, ...]] = {}
        self._decided: dict[tuple[str, str, str, bool], bool] = {}
        self.used: dict[str, set[str]] = {}
        """For each principal with grants, the operations that a grant allowed."""
        self.refused: dict[Refusal, None] = {}
        """The refusals, in order and each once."""

    def give(self, principal: str, grants: Iterable[Grant]) -> None:
        """Let the principal do what these grants allow, and nothing else."""
        self._grants[principal.lower()] = tuple(grants)
        self._decided.clear()

    def lift(self, principal: str) -> None:
        """Let the principal do everything again."""
        self._grants.pop(principal.lower(), None)
        self._decided.clear()

    def binds(self, principal: str | None) -> bool:
        """Return True if grants decide what the principal may do."""
        return principal is not None and principal.lower() in self._grants

    def allow(self, principal: str | None, operation: str, scope: str, *, data: bool = False) -> bool:
        """Return True if the principal may do the operation at the scope, and remember the decision.

        Azure adds up the role assignments of a principal: one that allows the operation is enough.
        """
        allowed = self.sees(principal, operation, scope, data=data)
        if not allowed:
            self.refused[Refusal(str(principal).lower(), operation, scope)] = None
        return allowed

    def sees(self, principal: str | None, operation: str, scope: str, *, data: bool = False) -> bool:
        """Return True as `allow` does, for an operation without which Azure refuses nothing, but shows less."""
        if principal is None or not self.binds(principal):
            return True
        key = principal.lower(), operation.lower(), scope.lower().rstrip("/"), data
        allowed = self._decided.get(key)
        if allowed is None:
            allowed = self._decided[key] = self._evaluated(*key)
        if allowed:
            self.used.setdefault(key[0], set()).add(key[1])
        return allowed

    def _evaluated(self, principal: str, operation: str, scope: str, data: bool) -> bool:  # noqa: FBT001 - a key
        return any(
            reaches(grant.scope, scope) and grant.permissions.allows(operation, data=data)
            for grant in self._grants[principal]
        )


def reaches(scope: str, resource_id: str) -> bool:
    """Return True if the scope is the resource or a parent of it. The scope `/` contains every resource."""
    return _expression(scope.rstrip("/").lower()).match(f"{resource_id.rstrip('/').lower()}/") is not None


@functools.lru_cache(maxsize=1000)
def _expression(scope: str) -> re.Pattern[str]:
    segments = ("[^/]+" if segment == "*" else re.escape(segment) for segment in scope.split("/"))
    return re.compile("/".join(segments) + "/")
