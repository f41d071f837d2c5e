"""Check that the rights of Certroll's own templates were enough for each request of a demo."""

from local.azure.entra.tokens import CERTROLL
from local.azure.storage.account import SERVICES
from local.azure.world import World
from local.demo.screen import Checks


def check_azure(checks: Checks, world: World) -> None:
    """Check that Azure refused nothing to Certroll for want of a right."""
    refused = [f"{refusal.operation} at {refusal.scope}" for refusal in world.grants.refused]
    but = f", but not for {'; '.join(refused)}" if refused else ""
    checks.claim(not refused, f"the rights of Certroll's own templates were enough{but}")


def check_storage(checks: Checks, world: World) -> None:
    """Check that the storage account judged requests to each of its services by the roles of the templates."""
    used = world.grants.used.get(CERTROLL.object_id, set())
    unused = [service for service in SERVICES if not any(f"/{service}services/" in operation for operation in used)]
    but = f", but not to {', '.join(unused)}" if unused else ""
    checks.claim(not unused, f"the storage roles of the templates allowed the requests to each service of storage{but}")
