"""Certroll decides what to request for a certificate order, and does not pay for a request twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.orders.action import (
    REASONS,
    AskedState,
    OrderAction,
    OrderRecord,
    certificate_of,
    moved,
    next_action,
    open_questions,
)
from shared.domain.orders.order import Order, OrderStatus
from shared.domain.reason import Reason
from tests.unit.domain.test_order import GOOD, NEAR, NOW, REF

OFF = replace(GOOD, auto_renew=False)
LATE = replace(GOOD, expires=NOW + timedelta(days=29))  # In this test, Azure is three days late with a renewal.
TAGGED = replace(GOOD, tags=(("certroll-reissue", "0a1b"),))


def asked(
    action: OrderAction, state: AskedState, *, ago: timedelta = timedelta(hours=1), certificate: str = "a1b"
) -> OrderRecord:
    """Return Certroll's record of an earlier request for the order."""
    return OrderRecord(REF, action, certificate, state, NOW - ago, "why")


AUTO, RENEW, REISSUE = OrderAction.AUTO_RENEW, OrderAction.RENEW, OrderAction.REISSUE
ASKED, ACCEPTED, REFUSED, PUT_OFF = AskedState.ASKED, AskedState.ACCEPTED, AskedState.REFUSED, AskedState.PUT_OFF
TURNED_ON_NOW = asked(AUTO, ACCEPTED)


@pytest.mark.parametrize(
    ("order", "records", "expected"),
    [
        pytest.param(GOOD, (), None, id="all is well: nothing"),
        pytest.param(OFF, (), AUTO, id="automatic renewal is off: turn it on"),
        pytest.param(OFF, (asked(AUTO, ACCEPTED),), None, id="turned off again by a person: left off"),
        pytest.param(OFF, (asked(AUTO, ASKED),), AUTO, id="asked with no outcome: turning it on twice harms nobody"),
        pytest.param(OFF, (asked(AUTO, REFUSED),), None, id="refused an hour ago: not yet again"),
        pytest.param(OFF, (asked(AUTO, REFUSED, ago=timedelta(days=1)),), AUTO, id="refused a day ago: again"),
        pytest.param(OFF, (asked(AUTO, ACCEPTED, certificate="ff"),), AUTO, id="asked for an earlier certificate"),
        pytest.param(LATE, (), RENEW, id="the automatic renewal does not come: renew"),
        pytest.param(
            replace(LATE, expires=NOW + timedelta(days=30)), (), None, id="due for exactly two days: still waited for"
        ),
        pytest.param(LATE, (TURNED_ON_NOW,), None, id="turned on an hour ago: Azure gets two days"),
        pytest.param(LATE, (asked(AUTO, ACCEPTED, ago=timedelta(days=3)),), RENEW, id="turned on three days ago"),
        pytest.param(
            replace(NEAR, auto_renew=False), (asked(AUTO, REFUSED),), RENEW, id="it cannot be turned on: renew by hand"
        ),
        pytest.param(replace(NEAR, auto_renew=False), (), AUTO, id="near its end and never turned on: turn it on"),
        pytest.param(
            replace(NEAR, auto_renew=False),
            (asked(AUTO, ACCEPTED),),
            None,
            id="a person turned it off again: no renewal either",
        ),
        pytest.param(
            replace(GOOD, auto_renew=False),
            (asked(AUTO, REFUSED),),
            None,
            id="cannot be turned on, but far from its end",
        ),
        pytest.param(
            replace(NEAR, next_auto_renewal=NOW + timedelta(days=51)),
            (),
            None,
            id="a moment after its end is shown, which may be that of the next one: no haste",
        ),
        pytest.param(
            replace(LATE, next_auto_renewal=NOW + timedelta(days=51)),
            (),
            RENEW,
            id="a moment after its end is shown, and Azure is late",
        ),
        pytest.param(
            replace(LATE, next_auto_renewal=LATE.expires), (), RENEW, id="its end is shown as the moment: Azure is late"
        ),
        pytest.param(
            replace(NEAR, next_auto_renewal=NOW - timedelta(days=200)), (), None, id="last year's moment is shown"
        ),
        pytest.param(NEAR, (), None, id="the automatic renewal is still to come"),
        *(
            pytest.param(LATE, (asked(RENEW, state, ago=timedelta(days=9)),), None, id=f"renewal {state}: never again")
            for state in (ASKED, ACCEPTED)
        ),
        pytest.param(LATE, (asked(RENEW, PUT_OFF),), RENEW, id="renewal put off: again"),
        pytest.param(LATE, (asked(RENEW, REFUSED),), None, id="renewal refused an hour ago: not yet again"),
        pytest.param(
            LATE,
            (asked(RENEW, ACCEPTED, certificate="ff", ago=timedelta(days=30)),),
            RENEW,
            id="asked for the certificate before",
        ),
        pytest.param(
            LATE,
            (asked(RENEW, ACCEPTED, certificate="ff", ago=timedelta(days=29)),),
            None,
            id="asked lately, though the serial number is another one",
        ),
        pytest.param(
            LATE,
            (asked(RENEW, ASKED, certificate="ff", ago=timedelta(days=29)),),
            None,
            id="asked lately with no outcome, though the serial number is another one",
        ),
        pytest.param(replace(LATE, serial=""), (), None, id="without a serial number nothing is bought"),
        pytest.param(replace(TAGGED, serial="0A:1B"), (asked(REISSUE, ACCEPTED),), None, id="spelled in another way"),
        pytest.param(replace(LATE, not_renewable=("SubscriptionNotActive",)), (), None, id="Azure would refuse"),
        pytest.param(TAGGED, (), REISSUE, id="the tag names this certificate: reissue"),
        pytest.param(TAGGED, (asked(REISSUE, ASKED),), None, id="reissue asked with no outcome: never again"),
        pytest.param(TAGGED, (asked(REISSUE, ACCEPTED),), None, id="reissue accepted: not again"),
        pytest.param(
            TAGGED,
            (asked(REISSUE, ACCEPTED, certificate="ff", ago=timedelta(days=10)),),
            REISSUE,
            id="the certificate before was reissued lately, and this one is to be as well",
        ),
        pytest.param(replace(TAGGED, serial="00ff"), (), None, id="the tag names a certificate that is gone"),
        pytest.param(
            replace(GOOD, tags=(("certroll-reissue", "on"),)), (), None, id="a tag that could repeat: nothing"
        ),
        pytest.param(replace(GOOD, serial="", tags=(("certroll-reissue", ""),)), (), None, id="no serial, empty tag"),
        pytest.param(replace(OFF, tags=(("certroll", "Off"),)), (), None, id="opted out"),
        pytest.param(replace(OFF, stored=()), (), None, id="in no vault: nobody would use what is paid for"),
        pytest.param(replace(OFF, external_key=True), (), None, id="its key is elsewhere"),
        pytest.param(replace(OFF, expires=NOW), (), None, id="expired"),
        pytest.param(replace(OFF, expires=None), (), None, id="nothing says when it ends"),
        *(
            pytest.param(replace(OFF, status=status), (), None, id=f"{status}: not acted on")
            for status in OrderStatus
            if status is not OrderStatus.ISSUED
        ),
    ],
)
def test_next_action(order: Order, records: tuple[OrderRecord, ...], expected: OrderAction | None) -> None:
    """Certroll's next request for an order depends on the order and on records about its current certificate."""
    assert next_action(order, records, NOW) is expected


@pytest.mark.parametrize(
    ("order", "record", "expected"),
    [
        pytest.param(LATE, asked(RENEW, ASKED), Reason.ORDER_ACTION_UNKNOWN, id="a renewal with no outcome"),
        pytest.param(LATE, asked(RENEW, ACCEPTED), None, id="a renewal accepted an hour ago"),
        pytest.param(
            LATE,
            asked(RENEW, ACCEPTED, ago=timedelta(days=3)),
            Reason.ORDER_ACTION_UNKNOWN,
            id="a renewal accepted, and nothing came in three days",
        ),
        pytest.param(LATE, asked(RENEW, REFUSED), Reason.ORDER_ACTION_REFUSED, id="a renewal refused"),
        pytest.param(LATE, asked(RENEW, PUT_OFF), None, id="a renewal put off"),
        pytest.param(LATE, asked(RENEW, ASKED, certificate="ff"), None, id="of the certificate before"),
        pytest.param(OFF, asked(AUTO, ACCEPTED), Reason.AUTO_RENEW_OFF, id="off again"),
        pytest.param(OFF, asked(AUTO, ASKED), None, id="turning it on is asked again"),
        pytest.param(OFF, asked(AUTO, REFUSED), Reason.ORDER_ACTION_REFUSED, id="it cannot be turned on"),
        pytest.param(GOOD, asked(AUTO, ACCEPTED), None, id="it is on"),
        pytest.param(
            replace(LATE, status=OrderStatus.PENDING), asked(RENEW, ASKED), None, id="pending: Azure has heard it"
        ),
    ],
)
def test_open_questions(order: Order, record: OrderRecord, expected: Reason | None) -> None:
    """If a request for an order was refused, undone or perhaps lost, Certroll reports the time of the request."""
    found = open_questions(order, (record,), NOW)
    assert [question.reason for question in found] == ([expected] if expected else [])
    assert all(" at 2026-" in question.detail for question in found)
    check = "check shop in the portal (App Service Certificates), and "
    assert all(check in question.detail for question in found if question.reason is Reason.ORDER_ACTION_UNKNOWN)


def test_certificate_without_a_serial_is_told_by_its_dates() -> None:
    """Certroll distinguishes an order's certificates by their dates if Azure shows no serial number."""
    bare = replace(GOOD, serial="")
    assert certificate_of(bare) != certificate_of(replace(bare, expires=NOW))
    assert certificate_of(replace(bare, issued=None)) != ""


def test_order_shows_whether_azure_heard_it() -> None:
    """If Azure's answer to a request is lost, Certroll tells from the order itself whether the request took effect."""
    assert moved(OFF, GOOD, AUTO)
    assert not moved(OFF, OFF, AUTO)
    assert moved(LATE, replace(LATE, status=OrderStatus.PENDING), RENEW)
    assert moved(LATE, replace(LATE, serial="00ff"), RENEW)
    assert not moved(LATE, replace(LATE, auto_renew=False), RENEW)


def test_every_action_has_its_reason() -> None:
    """Certroll reports each action on an order with its own reason."""
    assert REASONS == {AUTO: Reason.AUTO_RENEW_OFF, RENEW: Reason.RENEWAL_DUE, REISSUE: Reason.REISSUE_ASKED}
