"""Who gets into a vault: roles, access policies, the firewall, and the denials that a test states."""

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
)


@dataclass(frozen=True, slots=True)
class Denial:
    """Operations that a vault refuses a principal, and by which of its mechanisms."""

    principal: str
    how: Mechanism = "rbac"
    operations: frozenset[str] = frozenset({"*"})

    def covers(self, principal: str, operation: str) -> bool:
        """Return True if this denial stands against that principal and operation."""
        concerned = self.principal == EVERYONE or self.principal.casefold() == principal.casefold()
        return concerned and any(fnmatchcase(operation, pattern) for pattern in self.operations)


class Doors:
    """Who gets into one vault. Denials stand against anybody; `access` decides for `PROVIDERS` alone.

    `access` is what Azure shows of the vault: roles or access policies, and the firewall. A caller that is no provider
    may do everything that no denial forbids.
    """

    def __init__(self, kernel: Kernel, assignments: MutableMapping[str, RoleAssignment], resource_id: str) -> None:
        """Let no provider in; `assignments` are those of the world, by lower-case resource id."""
        self.kernel = kernel
        self.resource_id = resource_id
        self.access = Access()
        self.denials: list[Denial] = []
        self._assignments = assignments

    def deny(self, principal: str = EVERYONE, how: Mechanism = "rbac", operations: Collection[str] = ("*",)) -> None:
        """Refuse these operations (`certificates/get`, `secrets/*` …) to that principal from now on."""
        self.denials.append(Denial(principal, how, frozenset(operations)))

    def allow(self, principal: str = EVERYONE) -> None:
        """Lift the denials that name that principal; `*` lifts all."""
        self.denials = [] if principal == EVERYONE else [kept for kept in self.denials if kept.principal != principal]

    def refusal(self, principal: str, operation: str) -> Denial | None:
        """Return what stands against that principal and operation, or None if the principal may do it.

        A provider is known by its application id and by its object id.
        """
        names = {provider: {provider, self.kernel.object_id(provider)} for provider in PROVIDERS}
        known = next((provider for provider in PROVIDERS if principal.lower() in names[provider]), principal)
        stated = next((denial for denial in self.denials if denial.covers(known, operation)), None)
        return stated or (self._no_access(known, operation) if known in PROVIDERS else None)

    def lets(self, principal: str, operation: str) -> bool:
        """Return True if that principal may do that (`secrets/get`, `certificates/list` …) in this vault."""
        return self.refusal(principal, operation) is None

    def assign(self, application_id: str, role: str = CERTIFICATE_USER, scope: str | None = None) -> None:
        """Give the application that built-in role on this vault, or on a scope above it: a resource id."""
        principal, now = self.kernel.object_id(application_id), self.kernel.clock.now()
        given = assignment(principal, role, scope or self.resource_id, now)
        self._assignments[given.id.lower()] = given

    def unassign(self, application_id: str) -> None:
        """Take from the application its roles on this vault, those at a scope above included."""
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
        """Make this the application's access policy; the vault goes by access policies from now on."""
        principal = self.kernel.object_id(application_id)
        own = AccessPolicy(principal, tuple(secrets), tuple(certificates), tuple(keys))
        self.access = replace(self.access, by_roles=False).with_policy(own)

    def close(self, bypass: str = "AzureServices") -> None:
        """Let only named networks in, and Microsoft's trusted services unless `bypass` is `None`, the word."""
        self.access = replace(self.access, network=NetworkRules(bypass, "Deny"))

    def _no_access(self, application_id: str, operation: str) -> Denial | None:
        principal = self.kernel.object_id(application_id)
        since = self.kernel.clock.now() - timedelta(seconds=self.kernel.knobs.role_seconds)
        assignments = self._assignments.values()
        roles = [given.role for given in assignments if given.gives(principal, self.resource_id, since)]
        how = self.access.refusal(principal, operation, roles)
        return how and Denial(application_id, how, frozenset({operation}))
