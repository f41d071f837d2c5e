"""What a role allows, evaluated as Azure evaluates a role."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Patterns = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permissions of a role, as patterns of operations in which `*` stands for any text.

    Azure compares operations without regard to case (Azure docs, role-based-access-control/role-definitions).
    """

    actions: Patterns = ()
    """The allowed operations on resources, which ARM decides."""
    not_actions: Patterns = ()
    """The operations on resources that `actions` contains, but the role does not allow."""
    data_actions: Patterns = ()
    """The allowed operations on data, which a vault or a storage account decides."""
    not_data_actions: Patterns = ()
    """The operations on data that `data_actions` contains, but the role does not allow."""

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Permissions":
        """Return the permissions in the form of a role definition's JSON; a missing list is empty."""
        names = ("actions", "notActions", "dataActions", "notDataActions")
        return cls(*(tuple(described.get(name) or ()) for name in names))

    def allows(self, operation: str, *, data: bool = False) -> bool:
        """Return True if the role allows an operation such as `Microsoft.Web/sites/read`, or an operation on data."""
        allowed, taken = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return matches(allowed, operation) and not matches(taken, operation)

    def to_json(self) -> dict[str, Sequence[str]]:
        """Return the permissions in the form of a role definition's JSON."""
        return {
            "actions": self.actions,
            "notActions": self.not_actions,
            "dataActions": self.data_actions,
            "notDataActions": self.not_data_actions,
        }


def matches(patterns: Patterns, operation: str) -> bool:
    """Return True if one of the patterns covers the operation."""
    return any(covers(pattern, operation) for pattern in patterns)


@functools.lru_cache(maxsize=20_000)
def covers(pattern: str, operation: str) -> bool:
    """Return True if the pattern covers the operation. A `*` stands for any text, slashes included."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, operation, re.IGNORECASE) is not None
