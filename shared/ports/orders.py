"""Orders of purchased certificates."""

from datetime import datetime
from typing import Protocol

from shared.domain.fleet.fleet import Listing
from shared.domain.orders.order import Order, OrderRef


class Orders(Protocol):
    """Orders of purchased certificates. Every method raises AzureError's kinds; the last three are not retried."""

    def orders(self, subscription: str) -> Listing[Order]:
        """List the orders of a subscription, without when their domains were last verified."""

    def order(self, ref: OrderRef) -> Order:
        """Read one order."""

    def last_verified(self, ref: OrderRef) -> datetime | None:
        """Return when the domain was last proven, None if the order's history does not say."""

    def turn_on_auto_renew(self, ref: OrderRef) -> None:
        """Turn automatic renewal on and keep everything else as Azure shows it now."""

    def renew(self, order: Order) -> None:
        """Buy the next certificate of an order."""

    def reissue(self, order: Order) -> None:
        """Have the certificate issued again with a new key; the issuer revokes the old certificate later."""
