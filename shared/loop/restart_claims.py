"""Limit how many apps of an App Service plan, and of an App Service Environment, restart at the same time.

While an app may be down, Certroll counts the app against the restart limits of its App Service plan and environment.
Apps that Certroll stops and starts, and apps that restart because of new settings, count against the same limits.
"""

from collections.abc import Iterable

from shared.domain.despite_storage import despite_storage
from shared.domain.errors import LeaseBusy
from shared.domain.names import EnvironmentRef, SiteRef, VaultCertificateRef
from shared.domain.rollout.budget import RestartBudget
from shared.loop.run import Run

Limits = tuple[tuple[str, int], ...]
"""The resource ids of a site's plan and environment, each with how many sites may restart there at once."""


def limits_of(plan: str, budget: RestartBudget) -> Limits:
    """Return the limits for an app of an App Service Environment: one for its plan, and one for the environment."""
    return (plan, budget.on_plan), (budget.environment, budget.in_all)


def claimed(run: Run, limits: Limits, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> bool:
    """Count the site's restart against each restart limit, and return True if no limit is exceeded.

    If a restart limit has no room for the site, this function undoes the counts under the other limits and returns
    False. Raises LeaseBusy.
    """
    taken: list[str] = []
    for resource_id, most in limits:
        try:
            with run.ports.leases.hold(f"plan {resource_id}"):
                free = run.ports.restart_claims.claim(resource_id, site, ref, most)
        except LeaseBusy:
            give_back(run, taken, site, ref)
            raise
        if not free:
            give_back(run, taken, site, ref)
            return False
        taken.append(resource_id)
    return True


def has_room(run: Run, limits: Limits, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> bool:
    """Return True if no restart limit keeps the site from a restart now."""
    return all(run.ports.restart_claims.has_room(resource_id, site, ref, most) for resource_id, most in limits)


def give_back(run: Run, resource_ids: Iterable[str], site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> None:
    """Stop counting a site against the restart limits of its App Service plan and environment."""
    despite_storage(resource_ids, lambda resource_id: run.ports.restart_claims.give_back(resource_id, site, ref))
