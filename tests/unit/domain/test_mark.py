"""What a mark on an order says about a request that costs money."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.orders.action import ASKED_LATELY, AskedState, OrderAction, OrderRecord, certificate_of
from shared.domain.orders.mark import (
    FORSAKEN,
    PAID,
    RENEWED_AFTER,
    SETTLED,
    Claim,
    Mark,
    MarkState,
    claim_on,
    mark_of,
    mark_problems,
    parse_mark,
)
from shared.domain.orders.order import Order
from shared.domain.reason import Reason
from shared.domain.tags import ASKED_BY
from tests.build import NOW
from tests.unit.domain.test_order import GOOD

OWN, OTHER, SECOND = "one.azurewebsites.net", "two.azurewebsites.net", timedelta(seconds=1)
WANTS, ASKED, RENEW = MarkState.WANTS, MarkState.ASKED, OrderAction.RENEW
ORDER = replace(GOOD, serial="0A1B")
RECORD = OrderRecord(ORDER.ref, RENEW, certificate_of(ORDER), AskedState.PUT_OFF, NOW)


def marked(by: str, age: timedelta, state: MarkState = WANTS, **changes: object) -> Order:
    """Return the order with a mark of the given age."""
    mark = replace(mark_of(ORDER, RENEW, by, state, NOW - age), **changes)  # type: ignore[arg-type]
    return replace(ORDER, tags=((ASKED_BY.name, str(mark)),))


@pytest.mark.parametrize(
    ("order", "records", "claim"),
    [
        pytest.param(ORDER, (), Claim.FREE, id="no mark"),
        pytest.param(marked(OWN, SETTLED - SECOND), (), Claim.YOUNG, id="own, just written"),
        pytest.param(marked(OWN, SETTLED), (), Claim.OWN, id="own, two minutes old"),
        pytest.param(marked(OWN, RENEWED_AFTER), (), Claim.OWN, id="own, half a day old"),
        pytest.param(marked(OWN, RENEWED_AFTER + SECOND), (), Claim.STALE, id="own, older"),
        pytest.param(marked(OWN, SETTLED, action=OrderAction.REISSUE), (), Claim.FREE, id="own, for another action"),
        pytest.param(marked(OWN, SETTLED, certificate="ff"), (), Claim.FREE, id="own, of an earlier certificate"),
        pytest.param(marked(OWN, SETTLED, ASKED), (), Claim.SPENT, id="own, asked, and not in the journal"),
        pytest.param(marked(OWN, SETTLED, ASKED), (RECORD,), Claim.OWN, id="own, asked, and put off in the journal"),
        pytest.param(marked(OWN, ASKED_LATELY, ASKED), (), Claim.STALE, id="own, asked a month ago"),
        pytest.param(marked(OTHER, timedelta(0)), (), Claim.FOREIGN, id="another's, just written"),
        pytest.param(marked(OTHER, FORSAKEN - SECOND), (), Claim.FOREIGN, id="another's, a day old"),
        pytest.param(marked(OTHER, FORSAKEN), (), Claim.FREE, id="another's, older"),
        pytest.param(marked(OTHER, ASKED_LATELY - SECOND, ASKED), (), Claim.FOREIGN, id="another's, asked"),
        pytest.param(marked(OTHER, ASKED_LATELY, ASKED), (), Claim.FREE, id="another's, asked a month ago"),
        pytest.param(marked(OTHER, -FORSAKEN + SECOND), (), Claim.FOREIGN, id="another's, with a fast clock"),
        pytest.param(marked(OTHER, -FORSAKEN), (), Claim.FREE, id="another's, of the far future"),
        pytest.param(marked(OTHER, SETTLED, certificate="ff"), (), Claim.FREE, id="another's, of an earlier one"),
        pytest.param(marked(OTHER, SETTLED, action=OrderAction.REISSUE), (), Claim.FOREIGN, id="another's reissue"),
    ],
)
def test_mark_decides_about_a_request(order: Order, records: tuple[OrderRecord, ...], claim: Claim) -> None:
    """Only the own mark that has lasted, and that is not too old, lets Certroll send a request that costs money."""
    assert claim_on(order, RENEW, records, OWN, NOW) is claim


@pytest.mark.parametrize(
    ("order", "records", "reasons"),
    [
        (ORDER, (), []),
        (marked(OWN, SETTLED), (), []),
        (marked(OWN, SETTLED, ASKED), (RECORD,), []),
        (marked(OWN, SETTLED, ASKED), (), [Reason.ORDER_ACTION_UNKNOWN]),
        (marked(OTHER, SETTLED), (), [Reason.ANOTHER_INSTALLATION]),
        (marked(OTHER, SETTLED, certificate="ff"), (), [Reason.ANOTHER_INSTALLATION]),
        (marked(OTHER, ASKED_LATELY), (), []),
        (marked(OTHER, -FORSAKEN), (), []),
    ],
)
def test_mark_of_another_is_a_problem(order: Order, records: tuple[OrderRecord, ...], reasons: list[Reason]) -> None:
    """A mark of another installation is told for 30 days, and a request that the journal forgot, too."""
    assert [problem.reason for problem in mark_problems(order, records, OWN, NOW)] == reasons


def test_actions_that_cost_money_need_a_mark() -> None:
    """Renewing and reissuing cost money or revoke a certificate. Turning on automatic renewal does neither."""
    assert {OrderAction.RENEW, OrderAction.REISSUE} == PAID


def test_mark_is_read_as_it_was_written() -> None:
    """A mark is one line of at most 256 characters, however long the name and the serial number are."""
    for installation in (OWN, "a b", "", "x" * 400):
        for order in (ORDER, replace(ORDER, serial="a" * 400)):
            mark = mark_of(order, RENEW, installation, WANTS, NOW)
            text = str(mark)
            assert len(text) <= 256
            assert parse_mark(text) == replace(mark, certificate=mark.certificate[:100])
            tagged = replace(order, tags=((ASKED_BY.name, text),))
            assert claim_on(tagged, RENEW, (), installation, NOW + SETTLED) is Claim.OWN


@pytest.mark.parametrize("text", [None, "", "x", "a b c d e", f"{OWN} wants renew 1 yesterday", "\u0660" * 300])
def test_odd_text_is_no_mark(text: str | None) -> None:
    """A text of a person is no mark."""
    assert parse_mark(text) is None
    assert isinstance(mark_of(ORDER, RENEW, OWN, WANTS, NOW), Mark)


def test_all_that_costs_money_needs_a_mark() -> None:
    """A renewal and a reissue wait for the own mark; only turning on automatic renewal needs none."""
    assert frozenset(OrderAction) - {OrderAction.AUTO_RENEW} == PAID
