"""Limit how many apps of an App Service plan, and of an App Service Environment, restart at the same time.

An app holds a claim on the restart budget of its plan, and of its environment, while the app may be down. Waves of apps
(stopped together) and updates of app settings share the claims on the restart budget, and so keep to the limits
together.
"""

from collections.abc import Iterable

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
    """Claim a restart of the site under each limit, and return True if all claims succeed.

    If one claim on a restart budget fails, this function gives back the site's other claims and returns False. Raises
    LeaseBusy.
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


def give_back(run: Run, resource_ids: Iterable[str], site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> None:
    """Give back the claims of a site on the restart budgets of its plan and environment."""
    for resource_id in resource_ids:
        run.ports.restart_claims.give_back(resource_id, site, ref)
