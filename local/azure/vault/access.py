"""The parts of access to a vault: built-in roles, role assignments, access policies and the firewall."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

Mechanism = Literal["rbac", "policy", "firewall"]

CERTIFICATE_USER = "Key Vault Certificate User"
SECRETS_OFFICER = "Key Vault Secrets Officer"
TRUSTED_SERVICES = "AzureServices"
VAULTS = "Microsoft.KeyVault/vaults"
EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role of Azure, with the data actions that it allows in a vault."""

    name: str
    id: str
    data_actions: tuple[str, ...] = ()
    """The patterns of the allowed data actions, relative to `VAULTS`."""

    def lets(self, operation: str) -> bool:
        """Return True if the role allows this operation of Key Vault's data plane."""
        return any(fnmatchcase(data_action(operation), pattern) for pattern in self.data_actions)


ROLES = (
    Role("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
    Role("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c"),
    Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"),
    Role("Key Vault Contributor", "f25e0fa2-a7c8-4377-a976-54943a77a395"),
    Role("Key Vault Administrator", "00482a5a-887f-4fb3-b363-3b7fe8e74483", ("*",)),
    Role(
        "Key Vault Certificates Officer",
        "a4417e6f-fecd-4de8-b567-7b0420556985",
        ("certificatecas/*", "certificates/*", "certificatecontacts/write"),
    ),
    Role(
        CERTIFICATE_USER,
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        ("certificates/read", "secrets/getSecret/action", "secrets/readMetadata/action", "keys/read"),
    ),
    Role("Key Vault Reader", "21090545-7ca7-4776-b22c-e363652d74d2", ("*/read", "secrets/readMetadata/action")),
    Role(SECRETS_OFFICER, "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", ("secrets/*",)),
    Role(
        "Key Vault Secrets User",
        "4633458b-17de-408a-b874-0445c86b69e6",
        ("secrets/getSecret/action", "secrets/readMetadata/action"),
    ),
)
"""The built-in roles that concern vaults (Azure docs, built-in-roles and key-vault/general/rbac-guide).

An Owner manages a vault, but may not read its content.
"""

ACTIONS: Mapping[str, str] = {
    "certificates/get": "certificates/read",
    "certificates/list": "certificates/read",
    "keys/get": "keys/read",
    "secrets/get": "secrets/getSecret/action",
    "secrets/list": "secrets/readMetadata/action",
    "secrets/set": "secrets/setSecret/action",
    "secrets/delete": "secrets/delete",
    "certificates/delete": "certificates/delete",
}
"""The data action for each permission of an access policy (Azure docs, permissions/security).

A permission without an entry has the data action `{permission}/action`.
"""


def data_action(operation: str) -> str:
    """Return the data action of an operation such as `secrets/get`, without the prefix `Microsoft.KeyVault/vaults`."""
    return ACTIONS.get(operation, f"{operation}/action")


def role(name_or_id: str) -> Role:
    """Return the built-in role with this name or id; for an unknown role, raise a KeyError that lists all."""
    wanted = name_or_id.rpartition("/")[2].casefold()
    found = next((known for known in ROLES if wanted in {known.name.casefold(), known.id}), None)
    if found is None:
        raise KeyError(f"No built-in role {name_or_id}; there are {', '.join(known.name for known in ROLES)}.")
    return found


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role assignment: a principal has a role at a scope and at everything below the scope.

    The local Azure stores and shows the condition of a role assignment, but does not evaluate it. In the local Azure, a
    role assignment with a condition gives no access.
    """

    name: str
    scope: str
    role: Role
    principal: str
    created: datetime
    principal_type: str = "ServicePrincipal"
    condition: str | None = None
    description: str | None = None

    @property
    def id(self) -> str:
        """The resource id of the role assignment."""
        return f"{self.scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{self.name}"

    @property
    def what(self) -> tuple[str, str, str]:
        """The unique key of the role assignment: principal, role and scope."""
        return self.principal.lower(), self.role.id, self.scope.rstrip("/").lower()

    def reaches(self, resource_id: str) -> bool:
        """Return True if the scope of the role assignment is this resource or a parent of this resource."""
        return is_within(resource_id, self.scope)

    def gives(self, principal: str, resource_id: str, since: datetime) -> bool:
        """Return True if the principal has had the role on the resource at least since the given time."""
        own = self.concerns(principal) and self.condition is None
        return own and self.reaches(resource_id) and self.created <= since

    def concerns(self, principal: str) -> bool:
        """Return True if the role assignment belongs to the principal with this object id."""
        return self.principal.casefold() == principal.casefold()


def is_within(resource_id: str, scope: str) -> bool:
    """Return True if the resource is the scope itself or below the scope.

    The scope `/` contains every resource.
    """
    return f"{resource_id.rstrip('/').lower()}/".startswith(f"{scope.rstrip('/').lower()}/")


def assignment(principal: str, role_name: str, scope: str, created: datetime) -> RoleAssignment:
    """Return a role assignment whose name is the same in every run, because its content determines the name."""
    name = str(uuid5(NAMESPACE_URL, f"{principal} {role_name} {scope}".lower()))
    return RoleAssignment(name, scope, role(role_name), principal, created)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """An access policy: the permissions of one principal in a vault that does not use roles.

    A permission in an access policy is a word such as `Get`, `list` or `all`, in upper or lower case. An access policy
    with an `application_id` is for users of this application, and not for the principal itself.
    """

    object_id: str
    secrets: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    application_id: str | None = None

    def concerns(self, principal: str) -> bool:
        """Return True if the access policy belongs to the principal with this object id."""
        return self.application_id is None and self.object_id.casefold() == principal.casefold()

    def is_about(self, other: "AccessPolicy") -> bool:
        """Return True if both access policies have the same principal and the same application."""
        mine, its = (policy.object_id + (policy.application_id or "") for policy in (self, other))
        return mine.casefold() == its.casefold()

    def lets(self, operation: str) -> bool:
        """Return True if the access policy allows this operation.

        In the local Azure, the permission `all` does not include purge, which is a guess.
        """
        kind, _, verb = operation.partition("/")
        granted = {word.casefold() for word in {"secrets": self.secrets, "certificates": self.certificates}[kind]}
        return verb in granted or (EVERYTHING in granted and verb != "purge")


@dataclass(frozen=True, slots=True)
class NetworkRules:
    """The firewall rules of a vault, which ARM shows.

    By default, Microsoft's trusted services bypass the firewall of a vault.
    """

    bypass: str = TRUSTED_SERVICES
    default_action: str = "Allow"
    ip_rules: tuple[str, ...] = ()
    virtual_network_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """The access settings of a vault: roles or access policies, and the firewall."""

    by_roles: bool = True
    """True if roles decide on access; False if access policies decide."""
    policies: tuple[AccessPolicy, ...] = ()
    """The access policies of the vault."""
    network: NetworkRules | None = NetworkRules()
    """The firewall rules, or None if the vault has none."""
    public: str = "Enabled"
    """Azure's setting `publicNetworkAccess`."""

    @property
    def is_closed(self) -> bool:
        """True if the firewall admits only named networks, private endpoints and services that bypass it."""
        rules = self.network or NetworkRules()
        return rules.default_action.casefold() == "deny" or self.public.casefold() == "disabled"

    @property
    def admits_services(self) -> bool:
        """True if the firewall admits Microsoft's trusted services."""
        bypass = (self.network or NetworkRules()).bypass
        return not self.is_closed or bypass.casefold() == TRUSTED_SERVICES.casefold()

    def refusal(self, object_id: str, operation: str, roles: Collection[Role]) -> Mechanism | None:
        """Return the mechanism (firewall, roles or policies) that denies the operation, or None."""
        if not self.admits_services:
            return "firewall"
        if self.by_roles:
            return None if any(role.lets(operation) for role in roles) else "rbac"
        own = (policy for policy in self.policies if policy.concerns(object_id))
        return None if any(policy.lets(operation) for policy in own) else "policy"

    def with_policy(self, wanted: AccessPolicy) -> "Access":
        """Return the access settings with this access policy instead of the principal's previous access policy.

        An access policy without permissions only removes the principal's previous access policy.
        """
        empty = not (wanted.secrets or wanted.certificates or wanted.keys)
        others = tuple(policy for policy in self.policies if not policy.is_about(wanted))
        return replace(self, policies=others if empty else (*others, wanted))
