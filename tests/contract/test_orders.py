"""Check what Certroll relies on when it reads a certificate order, which a person lends. No test changes the order."""

import pytest

from shared.domain.orders.order import OrderRef, OrderStatus
from tests.contract.making import Rig
from tests.contract.operations import Recording


@pytest.mark.operations("orders.orders", "orders.order", "orders.last_verified")
def test_an_order_is_listed_and_read(azure: Recording, rig: Rig, order: str) -> None:
    """The list and a read of an order agree in host name, dates and vault secret, and its history can be read."""
    ref = OrderRef.parse(order)
    with rig.place.recorder.recorded() as exchanges:
        found = azure.orders.order(ref)
        listed = {seen.ref: seen for seen in azure.orders.orders(ref.subscription).found}
        azure.orders.last_verified(ref)
    assert {exchange.method for exchange in exchanges} <= {"GET", "POST"}  # the history is read by a POST
    assert {exchange.path.rpartition("/")[2] for exchange in exchanges if exchange.method == "POST"} == {
        "retrieveCertificateActions"
    }
    assert listed[ref] == found
    assert found.host
    assert found.status is not OrderStatus.UNKNOWN


@pytest.mark.operations("orders.orders")
def test_a_subscription_without_orders_is_no_error(azure: Recording, rig: Rig) -> None:
    """The list of orders can be read, also in a subscription that has not registered the resource provider."""
    assert azure.orders.orders(rig.place.subscription).blind_spots == ()
