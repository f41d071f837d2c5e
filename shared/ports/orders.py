"""Define the port to orders of purchased certificates."""

from datetime import datetime
from typing import Protocol

from shared.domain.fleet.fleet import Listing
from shared.domain.orders.order import Order, OrderRef


class Orders(Protocol):
    """The port to orders of purchased certificates.

    If a call to Azure fails, each method of the port raises a subclass of AzureError.

    Certroll does not retry the four methods that write to an order.
    """

    def orders(self, subscription: str) -> Listing[Order]:
        """List the orders of purchased certificates in a subscription.

        The method `last_verified` reads when the domain of an order was last verified.
        """

    def order(self, ref: OrderRef) -> Order:
        """Read one order."""

    def last_verified(self, ref: OrderRef) -> datetime | None:
        """Return when the domain of an order was last verified, None if the order's history does not tell."""

    def mark(self, ref: OrderRef, tag: str, text: str) -> None:
        """Set one tag of an order, and leave the order itself and all other tags unchanged."""

    def turn_on_auto_renew(self, ref: OrderRef) -> None:
        """Turn automatic renewal of an order on, and keep all other properties of the order."""

    def renew(self, order: Order) -> None:
        """Buy the next certificate of an order."""

    def reissue(self, order: Order) -> None:
        """Make the issuer reissue the certificate with a new key.

        The issuer of the certificate revokes the old certificate later.
        """
