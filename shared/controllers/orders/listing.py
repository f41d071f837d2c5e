"""List the orders of purchased certificates, and report the ones that Certroll could not read."""

from shared.controllers.orders.marking import SCOPE
from shared.domain.errors import AzureError, Denied
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import BlindSpot, Listing
from shared.domain.orders.order import Order
from shared.domain.reason import Reason
from shared.loop.report import report
from shared.loop.run import Run


def listed(run: Run, subscription: str) -> Listing[Order]:
    """List the orders of purchased certificates in a subscription.

    Each order that Certroll could not read becomes a finding (a reported problem).
    """
    subject = f"orders of subscription {subscription}"
    try:
        listing = run.ports.orders.orders(subscription)
    except AzureError as error:
        reason = Reason.DENIED_BY_AZURE if isinstance(error, Denied) else Reason.BLIND_SPOT
        report(run.ports.findings, (Finding(run.now(), SCOPE, subject, reason, str(error)),))
        return Listing((), blind_spots=(BlindSpot(subject, str(error), subscription),))
    unread = ((f"order {spot.subject}", spot.detail) for spot in listing.blind_spots)
    found = (Finding(run.now(), SCOPE, subject, Reason.ORDER_UNREADABLE, detail) for subject, detail in unread)
    report(run.ports.findings, tuple(found))
    return listing
