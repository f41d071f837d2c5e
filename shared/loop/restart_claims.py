"""How many apps restart at once: each is counted on its App Service plan, and in its environment, while it may be down.

Waves of stops and rolls of settings count in the same places, so that neither exceeds a limit because of the other.
"""

from collections.abc import Iterable

from shared.domain.errors import LeaseBusy
from shared.domain.names import EnvironmentRef, SiteRef, VaultCertificateRef
from shared.domain.rollout.budget import RestartBudget
from shared.loop.run import Run

Limits = tuple[tuple[str, int], ...]
"""Where a site counts, by resource id, each with how many may restart there at once."""


def limits_of(plan: str, budget: RestartBudget) -> Limits:
    """Return where an app of an App Service Environment counts: on its plan, and in the environment."""
    return (plan, budget.on_plan), (budget.environment, budget.in_all)


def claimed(run: Run, limits: Limits, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> bool:
    """Return True if the site may restart now. If so it is counted in every place, else in none. Raises LeaseBusy."""
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
    """Count the site no longer."""
    for resource_id in resource_ids:
        run.ports.restart_claims.give_back(resource_id, site, ref)
