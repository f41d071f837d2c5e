"""Test the intervals of CERTROLL_FREEZE: how operators write them, and when each of them begins and ends."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.domain.freeze import EXAMPLE, Freeze


def at(text: str) -> datetime:
    """Return a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BUSY = Freeze.parse("2027-11-25/2027-12-01")


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        pytest.param("2027-11-24T23:59:59", None, id="before"),
        pytest.param("2027-11-25T00:00", "2027-12-02", id="its first moment"),
        pytest.param("2027-12-01T23:59:59", "2027-12-02", id="the last moment of its last day"),
        pytest.param("2027-12-02", None, id="the day after"),
    ],
)
def test_date_stands_for_its_whole_day(moment: str, until: str | None) -> None:
    """A freeze by dates lasts from the beginning of its first day to the end of its last day, in UTC."""
    assert BUSY.until(at(moment)) == (at(until) if until else None)


def test_times_of_day_are_exact() -> None:
    """A freeze with times of day ends at the given minute; a Z behind the time says what holds anyway: UTC."""
    for text in ("2027-12-20T18:00/2028-01-03T06:00", "2027-12-20t18:00Z / 2028-01-03T06:00z"):
        freeze = Freeze.parse(text)
        assert freeze.until(at("2027-12-20T17:59")) is None
        assert freeze.until(at("2028-01-03T05:59")) == at("2028-01-03T06:00")
        assert freeze.until(at("2028-01-03T06:00")) is None


def test_now_may_be_in_another_zone() -> None:
    """A moment in another time zone counts as the same moment in UTC."""
    tokyo = timezone(timedelta(hours=9))
    assert BUSY.until(datetime(2027, 11, 25, 8, 59, tzinfo=tokyo)) is None
    assert BUSY.until(datetime(2027, 11, 25, 9, 0, tzinfo=tokyo)) == at("2027-12-02")


@pytest.mark.parametrize("order", ["2027-12-02/2027-12-05;2027-11-25/2027-12-01", EXAMPLE])
def test_several_intervals_are_allowed(order: str) -> None:
    """Several intervals may stand in any order, separated by commas or semicolons."""
    assert len(Freeze.parse(order).intervals) == 2


def test_intervals_that_touch_are_one_freeze() -> None:
    """A freeze goes on while one interval follows another without a gap, and an inner interval does not end it."""
    freeze = Freeze.parse("2027-12-02/2027-12-05, 2027-11-25/2027-12-01, 2027-11-26/2027-11-27, 2027-12-07/2027-12-08")
    assert freeze.until(at("2027-11-26")) == at("2027-12-06")
    assert freeze.until(at("2027-12-06")) is None


def test_freeze_that_is_over_does_nothing() -> None:
    """A freeze of the past stays in the settings without an effect."""
    assert BUSY.until(at("2030-01-01")) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(",", "there is no interval", id="nothing"),
        pytest.param("2027-11-25", "'2027-11-25' is no interval", id="one date"),
        pytest.param("2027-11-25/", "'' is no date of the form YYYY-MM-DD or YYYY-MM-DDTHH:MM", id="no end"),
        pytest.param(
            "25.11.2027/01.12.2027",
            "'25.11.2027' is no date of the form YYYY-MM-DD or YYYY-MM-DDTHH:MM",
            id="German dates",
        ),
        pytest.param(
            "2027-11-31/2027-12-01",
            "'2027-11-31' is no date, because the calendar has no such day or time",
            id="31 November",
        ),
        pytest.param(
            "2027-11-25/2027-11-24", "'2027-11-25/2027-11-24' ends before it begins", id="the wrong way round"
        ),
        pytest.param("2027-11-25T10:00/2027-11-25T10:00", "ends before it begins", id="no time at all"),
        pytest.param(
            "2027-11-25T10:00+01:00/2027-12-01",
            "'2027-11-25T10:00+01:00' is no date of the form YYYY-MM-DD or YYYY-MM-DDTHH:MM",
            id="another zone",
        ),
        pytest.param("20271125/20271201", "'20271125' is no date of the form YYYY-MM-DD", id="no hyphens"),
        pytest.param("2027-11-25T10:00:30/2027-12-01", "is no date of the form YYYY-MM-DD", id="seconds"),
        pytest.param("2027-11-25 10:00/2027-12-01", "is no date of the form YYYY-MM-DD", id="a blank for the T"),
        pytest.param(
            "2027-11-25T24:00/2027-12-01",
            "'2027-11-25T24:00' is no date, because the calendar has no such day or time",
            id="no such time",
        ),
        pytest.param(
            "2027-11-25/9999-12-31",
            "'9999-12-31' is no date, because the calendar has no such day or time",
            id="the end of all days",
        ),
        pytest.param("2027-11-25 - 2027-12-01", "is no interval", id="a hyphen"),
        pytest.param(
            "2027-11-25/2027-12-01/2028-01-01",
            "'2027-12-01/2028-01-01' is no date of the form YYYY-MM-DD or YYYY-MM-DDTHH:MM",
            id="three dates",
        ),
        pytest.param("٢٠٢٧-11-25/2027-12-01", "is no date of the form YYYY", id="other digits"),
    ],
)
def test_what_is_no_freeze_is_refused_with_an_example(text: str, problem: str) -> None:
    """Certroll refuses a freeze that it cannot read, with the problem and an example."""
    with pytest.raises(ValueError, match="write intervals in UTC: 2027-11-25/2027-12-01") as caught:
        Freeze.parse(text)
    assert problem in str(caught.value)
