"""Build subscriptions and resource groups."""

from local.azure.web.resources import Environment
from local.azure.world import ResourceGroup, Subscription, World

LOCATION = "westeurope"


class Groups:
    """Build subscriptions and resource groups in a simulated Azure."""

    def __init__(self, world: World | None = None) -> None:
        """Build in the given simulated Azure, or in a new simulated Azure."""
        self.world = world or World()

    def add_subscription(self, name: str = "Contoso", identifier: str | None = None) -> Subscription:
        """Return a new subscription."""
        subscription = Subscription(identifier or str(self.world.new_id()), name)
        self.world.subscriptions[subscription.id.lower()] = subscription
        return subscription

    def add_group(self, name: str, subscription: Subscription | None = None, location: str = LOCATION) -> ResourceGroup:
        """Return the resource group of the given name, which is made if it does not exist."""
        owner = (subscription or self._subscription()).id
        group = ResourceGroup(owner, name, location)
        return self.world.resource_groups.setdefault((owner.lower(), name.lower()), group)

    def _subscription(self) -> Subscription:
        return next(iter(self.world.subscriptions.values()), None) or self.add_subscription()

    def _group(self) -> ResourceGroup:
        return next(iter(self.world.resource_groups.values()), None) or self.add_group("contoso")

    def _group_of(self, environment: Environment) -> ResourceGroup:
        return self.world.resource_groups[environment.subscription.lower(), environment.resource_group.lower()]
