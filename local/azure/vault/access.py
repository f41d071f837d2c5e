"""The parts of access to a vault: role assignments, access policies and the firewall."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from local.azure.rights.built_in import Role, role

Mechanism = Literal["rbac", "policy", "firewall"]

CERTIFICATE_USER = "Key Vault Certificate User"
SECRETS_OFFICER = "Key Vault Secrets Officer"
TRUSTED_SERVICES = "AzureServices"
VAULTS = "Microsoft.KeyVault/vaults"
EVERYTHING = "all"


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
"""The operation on data for each permission of an access policy, below `VAULTS` (Azure docs, permissions/security).

A permission without an entry has the operation `{permission}/action`. A test compares all with Microsoft's list.
"""


def data_action(operation: str) -> str:
    """Return the operation on data that Azure's roles know, for a permission such as `secrets/get`."""
    return f"{VAULTS}/{ACTIONS.get(operation, f'{operation}/action')}"


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
            return (
                None if any(known.permissions.allows(data_action(operation), data=True) for known in roles) else "rbac"
            )
        own = (policy for policy in self.policies if policy.concerns(object_id))
        return None if any(policy.lets(operation) for policy in own) else "policy"

    def with_policy(self, wanted: AccessPolicy) -> "Access":
        """Return the access settings with this access policy instead of the principal's previous access policy.

        An access policy without permissions only removes the principal's previous access policy.
        """
        empty = not (wanted.secrets or wanted.certificates or wanted.keys)
        others = tuple(policy for policy in self.policies if not policy.is_about(wanted))
        return replace(self, policies=others if empty else (*others, wanted))
