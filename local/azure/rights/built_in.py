"""The built-in roles of Azure that Certroll's templates and the local Azure use, from a kept extract."""

import json
from dataclasses import dataclass
from pathlib import Path

from local.azure.rights.permissions import Permissions

EXTRACT = Path(__file__).with_name("built_in_roles.json")


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role of Azure."""

    name: str
    id: str
    permissions: Permissions


def _roles() -> tuple[Role, ...]:
    described = json.loads(EXTRACT.read_text(encoding="utf-8"))["roles"]
    return tuple(Role(role["roleName"], role["name"], Permissions.of(role["permissions"][0])) for role in described)


ROLES = _roles()
"""The built-in roles of the extract. An Owner manages a vault, but may not read its content."""


def role(name_or_id: str) -> Role:
    """Return the built-in role with this name or id; for an unknown role, raise a KeyError that lists all."""
    wanted = name_or_id.rpartition("/")[2].casefold()
    found = next((known for known in ROLES if wanted in {known.name.casefold(), known.id}), None)
    if found is None:
        raise KeyError(f"No built-in role {name_or_id}; there are {', '.join(known.name for known in ROLES)}.")
    return found
