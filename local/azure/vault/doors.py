"""The decision on access to a vault: roles, access policies, the firewall, and denials that a test states."""

from collections.abc import Collection, MutableMapping
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase

from local.azure.kernel import Kernel
from local.azure.principals import EVERYONE, PROVIDERS
from local.azure.vault.access import (
    CERTIFICATE_USER,
    Access,
    AccessPolicy,
    Mechanism,
    NetworkRules,
    RoleAssignment,
    assignment,
    data_action,
)


@dataclass(frozen=True, slots=True)
class Denial:
    """A denial: the operations that a vault refuses to a principal, and the mechanism that refuses them."""

    principal: str
    how: Mechanism = "rbac"
    operations: frozenset[str] = frozenset({"*"})

    def covers(self, principal: str, operation: str) -> bool:
        """Return True if the denial applies to this principal and operation."""
        concerned = self.principal == EVERYONE or self.principal.casefold() == principal.casefold()
        return concerned and any(fnmatchcase(operation, pattern) for pattern in self.operations)


class Doors:
    """The access control of one key vault.

    A denial may concern any principal; the settings in `access` apply only to the principals in `PROVIDERS` (Azure's
    own services). `access` has the settings of the vault that ARM shows: roles or access policies, and the firewall.
    Grants decide for a principal that has some, such as Certroll's identity. Every other principal may do everything in
    the vault, unless a denial of a test forbids the operation.
    """

    def __init__(self, kernel: Kernel, assignments: MutableMapping[str, RoleAssignment], resource_id: str) -> None:
        """Begin without access policies and denials, so that Azure's own services (`PROVIDERS`) need a role assignment.

        `assignments` are the role assignments of the simulated Azure, by resource id in lower case.
        """
        self.kernel = kernel
        self.resource_id = resource_id
        self.access = Access()
        self.denials: list[Denial] = []
        self._assignments = assignments

    def deny(self, principal: str = EVERYONE, how: Mechanism = "rbac", operations: Collection[str] = ("*",)) -> None:
        """Refuse these operations to this principal from now on, such as `certificates/get` or `secrets/*`."""
        self.denials.append(Denial(principal, how, frozenset(operations)))

    def allow(self, principal: str = EVERYONE) -> None:
        """Remove the vault's denials for the principal; the principal `*` removes all denials."""
        self.denials = [] if principal == EVERYONE else [kept for kept in self.denials if kept.principal != principal]

    def refusal(self, principal: str, operation: str, name: str = "") -> Denial | None:
        """Return the denial of this operation to this principal, or None if the principal may do the operation.

        `name` is the name of the object that the operation is about. A role may be assigned at a single secret.
        The application id and the object id both identify a principal in `PROVIDERS` (Azure's own services).
        """
        names = {provider: {provider, self.kernel.object_id(provider)} for provider in PROVIDERS}
        known = next((provider for provider in PROVIDERS if principal.lower() in names[provider]), principal)
        stated = next((denial for denial in self.denials if denial.covers(known, operation)), None)
        if stated is not None or known in PROVIDERS:
            return stated or self._no_access(known, operation)
        scope = f"{self.resource_id}/{operation.partition('/')[0]}/{name}" if name else self.resource_id
        granted = self.kernel.grants.allow(principal, data_action(operation), scope, data=True)
        return None if granted else Denial(principal, "rbac", frozenset({operation}))

    def lets(self, principal: str, operation: str) -> bool:
        """Return True if the principal may do an operation such as `secrets/get` in this vault."""
        return self.refusal(principal, operation) is None

    def assign(self, application_id: str, role: str = CERTIFICATE_USER, scope: str | None = None) -> None:
        """Give the application a built-in role on this vault, or on a scope above the vault.

        `scope` is a resource id.
        """
        principal, now = self.kernel.object_id(application_id), self.kernel.clock.now()
        given = assignment(principal, role, scope or self.resource_id, now)
        self._assignments[given.id.lower()] = given

    def unassign(self, application_id: str) -> None:
        """Remove all roles that the application has on this vault, including roles at a scope above the vault."""
        principal, assignments = self.kernel.object_id(application_id), self._assignments
        for key, given in tuple(assignments.items()):
            if given.concerns(principal) and given.reaches(self.resource_id):
                del assignments[key]

    def permit(
        self,
        application_id: str,
        *,
        secrets: Collection[str] = (),
        certificates: Collection[str] = (),
        keys: Collection[str] = (),
    ) -> None:
        """Set the application's access policy, and make the vault use access policies instead of roles."""
        principal = self.kernel.object_id(application_id)
        own = AccessPolicy(principal, tuple(secrets), tuple(certificates), tuple(keys))
        self.access = replace(self.access, by_roles=False).with_policy(own)

    def close(self, bypass: str = "AzureServices") -> None:
        """Close the vault's firewall to all except named networks and Microsoft's trusted services.

        If `bypass` is the string `None`, the vault's firewall also refuses trusted services.
        """
        self.access = replace(self.access, network=NetworkRules(bypass, "Deny"))

    def _no_access(self, application_id: str, operation: str) -> Denial | None:
        principal = self.kernel.object_id(application_id)
        since = self.kernel.clock.now() - timedelta(seconds=self.kernel.knobs.role_seconds)
        assignments = self._assignments.values()
        roles = [given.role for given in assignments if given.gives(principal, self.resource_id, since)]
        how = self.access.refusal(principal, operation, roles)
        return how and Denial(application_id, how, frozenset({operation}))
