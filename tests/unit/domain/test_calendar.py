"""Each rule for certificates that changes by calendar changes at the first moment of its day, and not before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.certificates.calendar import (
    AUTOMATIC_WINDOWS,
    DISTRUSTED,
    LETS_ENCRYPT_LIVES,
    MANUAL_WINDOWS,
    ORDER_REUSE,
    REUSE_LIMITS,
    VALIDITY_LIMITS,
    applying,
    distrust_of,
    in_force,
)
from shared.domain.names import HostName
from shared.domain.orders.order import Order, OrderRef, OrderStatus
from shared.domain.orders.problems import asks_when_verified, problems
from shared.domain.reason import Reason

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
TABLES: tuple[Sequence[tuple[datetime, object]], ...] = (
    VALIDITY_LIMITS,
    REUSE_LIMITS,
    ORDER_REUSE,
    AUTOMATIC_WINDOWS,
    MANUAL_WINDOWS,
    LETS_ENCRYPT_LIVES,
)


def days(count: int) -> timedelta:
    """Return a number of days."""
    return timedelta(days=count)


@pytest.mark.parametrize(
    ("table", "day", "before", "since"),
    [
        pytest.param(VALIDITY_LIMITS, "2020-09-01", None, 398, id="validity: 398 days"),
        pytest.param(VALIDITY_LIMITS, "2026-03-15", 398, 200, id="validity: 200 days"),
        pytest.param(VALIDITY_LIMITS, "2027-03-15", 200, 100, id="validity: 100 days"),
        pytest.param(VALIDITY_LIMITS, "2029-03-15", 100, 47, id="validity: 47 days"),
        pytest.param(REUSE_LIMITS, "2021-10-01", None, 398, id="reuse of a proof: 398 days"),
        pytest.param(REUSE_LIMITS, "2026-03-15", 398, 200, id="reuse of a proof: 200 days"),
        pytest.param(REUSE_LIMITS, "2027-03-15", 200, 100, id="reuse of a proof: 100 days"),
        pytest.param(REUSE_LIMITS, "2029-03-15", 100, 10, id="reuse of a proof: 10 days"),
        pytest.param(ORDER_REUSE, "2021-09-23", None, days(395), id="reuse by Azure: 395 days"),
        pytest.param(ORDER_REUSE, "2026-03-01", days(395), days(198), id="reuse by Azure: 198 days"),
        pytest.param(ORDER_REUSE, "2027-03-15", days(198), days(98), id="reuse by Azure: 98 days"),
        pytest.param(ORDER_REUSE, "2029-03-15", days(98), days(8), id="reuse by Azure: 8 days"),
        pytest.param(AUTOMATIC_WINDOWS, "2021-09-23", None, days(32), id="automatic renewal: 32 days"),
        pytest.param(MANUAL_WINDOWS, "2021-09-23", None, days(60), id="manual renewal: 60 days"),
        pytest.param(LETS_ENCRYPT_LIVES, "2015-12-03", None, 90, id="Let's Encrypt: 90 days"),
        pytest.param(LETS_ENCRYPT_LIVES, "2027-02-10", 90, 64, id="Let's Encrypt: 64 days"),
        pytest.param(LETS_ENCRYPT_LIVES, "2028-02-16", 64, 45, id="Let's Encrypt: 45 days"),
    ],
)
def test_table_changes_on_its_day(
    table: Sequence[tuple[datetime, object]], day: str, before: object, since: object
) -> None:
    """The second before a day has the former value, and the day's first moment has the new one."""
    first = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert in_force(table, first - SECOND) == before
    assert in_force(table, first) == since
    assert applying(table, first) == since


def test_first_known_value_applies_before_its_row() -> None:
    """A time before the first row of a table has the first known value."""
    assert applying(AUTOMATIC_WINDOWS, datetime(2020, 1, 1, tzinfo=UTC)) == days(32)


@pytest.mark.parametrize("table", TABLES)
def test_newest_row_stands_first(table: Sequence[tuple[datetime, object]]) -> None:
    """Each table begins with its newest row."""
    dates = [since for since, _ in table]
    assert dates == sorted(set(dates), reverse=True)


def test_root_is_distrusted_from_its_day() -> None:
    """Browsers distrust certificates under a G1 root of DigiCert from one day on, whenever they were issued."""
    root = distrust_of(" digicert global root ca ")
    assert root is not None
    day = datetime(2026, 4, 15, tzinfo=UTC)
    assert not root.concerns(day - 400 * DAY, day - SECOND)
    assert root.concerns(day - 400 * DAY, day)


def test_root_is_distrusted_for_later_certificates() -> None:
    """Chrome distrusts only certificates under the root G4 of DigiCert that were issued from a day on."""
    root = distrust_of("DigiCert Trusted Root G4")
    assert root is not None
    day = datetime(2026, 7, 1, tzinfo=UTC)
    assert not root.concerns(day - SECOND, day + 30 * DAY)
    assert root.concerns(day, day)


def test_other_roots_are_trusted() -> None:
    """A root that is not in the table is not distrusted, and no root stands in the table twice."""
    assert distrust_of("DigiCert Global Root G2") is None
    assert len({found.root for found in DISTRUSTED}) == len(DISTRUSTED)


def order(renews: datetime, verified: datetime) -> Order:
    """Return an order that Azure renews at a time, with its last proof of the domain."""
    return Order(
        OrderRef("11111111-2222-3333-4444-555555555555", "shop-rg", "shop"),
        HostName("shop.contoso.com"),
        OrderStatus.ISSUED,
        auto_renew=True,
        expires=renews + days(32),
        issued=renews - days(100),
        last_verified=verified,
    )


@pytest.mark.parametrize(
    ("first", "before", "since"),
    [
        pytest.param(datetime(2027, 3, 15, tzinfo=UTC), 198, 98, id="100 days of the Forum"),
        pytest.param(datetime(2029, 3, 15, tzinfo=UTC), 98, 8, id="10 days of the Forum"),
    ],
)
def test_proof_of_a_domain_is_judged_by_the_day_of_the_next_certificate(
    first: datetime, before: int, since: int
) -> None:
    """A proof that was fresh enough the day before a date is too old for a certificate of that date."""

    def due(renews: datetime, age: int) -> list[str]:
        """Return what Certroll says of the proof three days before the renewal."""
        found = problems(order(renews, renews - days(age)), renews - days(3))
        return [problem.detail for problem in found if problem.reason is Reason.VERIFICATION_DUE]

    assert due(first - SECOND, before - 1) == []
    assert f"lasts {before} days" in due(first - SECOND, before)[0]
    assert due(first, since - 1) == []
    assert f"lasts {since} days" in due(first, since)[0]


def test_nobody_is_asked_for_a_proof_that_would_be_too_old() -> None:
    """From 2029 on, Certroll asks for a proof only in the last 8 days, because an earlier one would not count."""
    renews = datetime(2029, 6, 1, tzinfo=UTC)
    waiting = order(renews, renews - days(90))
    assert not asks_when_verified(waiting, renews - days(9))
    assert asks_when_verified(waiting, renews - days(8))
    assert not asks_when_verified(replace(waiting, status=OrderStatus.PENDING), renews - days(8))
