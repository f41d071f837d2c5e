"""Who may do what in a vault: built-in roles and their assignments, access policies, the firewall."""

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
    """A built-in role, and what it lets its bearer do with the content of a vault (data actions below `VAULTS`)."""

    name: str
    id: str
    data_actions: tuple[str, ...] = ()

    def lets(self, operation: str) -> bool:
        """Return True if the role covers that operation of the data plane."""
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
"""Azure docs, built-in-roles and key-vault/general/rbac-guide. An Owner manages a vault, not what is in it."""

ACTIONS: Mapping[str, str] = {
    "certificates/get": "certificates/read",
    "certificates/list": "certificates/read",
    "secrets/get": "secrets/getSecret/action",
    "secrets/list": "secrets/readMetadata/action",
    "secrets/set": "secrets/setSecret/action",
    "secrets/delete": "secrets/delete",
    "certificates/delete": "certificates/delete",
}
"""The data action behind each permission of a policy (Azure docs, permissions/security); others are `…/action`."""


def data_action(operation: str) -> str:
    """Return the data action, below `VAULTS`, that the operation (`secrets/get`) is for roles."""
    return ACTIONS.get(operation, f"{operation}/action")


def role(name_or_id: str) -> Role:
    """Return the built-in role with that name or id; a KeyError names those that exist."""
    wanted = name_or_id.rpartition("/")[2].casefold()
    found = next((known for known in ROLES if wanted in {known.name.casefold(), known.id}), None)
    if found is None:
        raise KeyError(f"No built-in role {name_or_id}; there are {', '.join(known.name for known in ROLES)}.")
    return found


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A principal has a role at a scope and at everything below it.

    A condition is kept and shown, never judged: an assignment that has one lets nobody in.
    """

    name: str
    scope: str
    role: Role
    principal: str
    created: datetime
    principal_type: str = "ServicePrincipal"
    condition: str | None = None

    @property
    def id(self) -> str:
        """The assignment's resource id."""
        return f"{self.scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{self.name}"

    @property
    def what(self) -> tuple[str, str, str]:
        """What no two assignments have in common: principal, role and scope."""
        return self.principal.lower(), self.role.id, self.scope.rstrip("/").lower()

    def reaches(self, resource_id: str) -> bool:
        """Return True if the assignment is at that resource, or above it."""
        return is_within(resource_id, self.scope)

    def gives(self, principal: str, resource_id: str, since: datetime) -> bool:
        """Return True if the principal has had the role on that resource since that moment."""
        own = self.concerns(principal) and self.condition is None
        return own and self.reaches(resource_id) and self.created <= since

    def concerns(self, principal: str) -> bool:
        """Return True if the assignment is that principal's, named by its object id."""
        return self.principal.casefold() == principal.casefold()


def is_within(resource_id: str, scope: str) -> bool:
    """Return True if the resource is the scope, or lies below it; `/` is everything."""
    return f"{resource_id.rstrip('/').lower()}/".startswith(f"{scope.rstrip('/').lower()}/")


def assignment(principal: str, role_name: str, scope: str, created: datetime) -> RoleAssignment:
    """Return an assignment whose name follows from what it says, so that it is the same in every run."""
    name = str(uuid5(NAMESPACE_URL, f"{principal} {role_name} {scope}".lower()))
    return RoleAssignment(name, scope, role(role_name), principal, created)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What a vault without roles lets one principal do, in Key Vault's words: `Get`, `list`, `all`.

    With an `application_id` it is for those who come through that application, and never for the principal itself.
    """

    object_id: str
    secrets: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    application_id: str | None = None

    def concerns(self, principal: str) -> bool:
        """Return True if the policy is that principal's, named by its object id."""
        return self.application_id is None and self.object_id.casefold() == principal.casefold()

    def is_about(self, other: "AccessPolicy") -> bool:
        """Return True if both policies are for the same principal, coming the same way."""
        mine, its = (policy.object_id + (policy.application_id or "") for policy in (self, other))
        return mine.casefold() == its.casefold()

    def lets(self, operation: str) -> bool:
        """Return True if the policy covers that operation. That `all` leaves out purge is a guess."""
        kind, _, verb = operation.partition("/")
        granted = {word.casefold() for word in {"secrets": self.secrets, "certificates": self.certificates}[kind]}
        return verb in granted or (EVERYTHING in granted and verb != "purge")


@dataclass(frozen=True, slots=True)
class NetworkRules:
    """A vault's firewall as ARM shows it; a bypass that nobody states is that of the trusted services."""

    bypass: str = TRUSTED_SERVICES
    default_action: str = "Allow"
    ip_rules: tuple[str, ...] = ()
    virtual_network_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """Who gets into a vault: by roles or by access policies, and from where."""

    by_roles: bool = True
    policies: tuple[AccessPolicy, ...] = ()
    network: NetworkRules | None = NetworkRules()
    public: str = "Enabled"

    @property
    def is_closed(self) -> bool:
        """True if only named networks, private endpoints and, with the bypass, Microsoft's services get in."""
        rules = self.network or NetworkRules()
        return rules.default_action.casefold() == "deny" or self.public.casefold() == "disabled"

    @property
    def admits_services(self) -> bool:
        """True if Microsoft's trusted services get through the firewall."""
        bypass = (self.network or NetworkRules()).bypass
        return not self.is_closed or bypass.casefold() == TRUSTED_SERVICES.casefold()

    def refusal(self, object_id: str, operation: str, roles: Collection[Role]) -> Mechanism | None:
        """Return what keeps a trusted service with these roles from that operation, or None where nothing does."""
        if not self.admits_services:
            return "firewall"
        if self.by_roles:
            return None if any(role.lets(operation) for role in roles) else "rbac"
        own = (policy for policy in self.policies if policy.concerns(object_id))
        return None if any(policy.lets(operation) for policy in own) else "policy"

    def with_policy(self, wanted: AccessPolicy) -> "Access":
        """Return this with that access policy in place of the one for the same principal; one without rights goes."""
        empty = not (wanted.secrets or wanted.certificates or wanted.keys)
        others = tuple(policy for policy in self.policies if not policy.is_about(wanted))
        return replace(self, policies=others if empty else (*others, wanted))
