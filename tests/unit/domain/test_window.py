"""The restart window says when Certroll may restart apps."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.domain.restart_window import RestartWindow

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
DAYS = {name: MONDAY + timedelta(days=number) for number, name in enumerate(NAMES)}
MOMENT = timedelta(microseconds=1)
WEEKEND = "Sat,Sun 22:00-04:00; Wed 01:00-03:00"


def at(text: str) -> datetime:
    """Return the time that a text such as `Sat 22:00` names in a fixed week."""
    day, time = text.split()
    hours, minutes = time.split(":")
    return DAYS[day] + timedelta(hours=int(hours), minutes=int(minutes))


@pytest.mark.parametrize(
    ("text", "opens", "closes"),
    [
        pytest.param("Wed 01:00-03:00", "Wed 01:00", "Wed 03:00", id="within a day"),
        pytest.param("Sat 22:00-04:00", "Sat 22:00", "Sun 04:00", id="into the next day"),
        pytest.param("Tue 12:30-12:30", "Tue 12:30", "Wed 12:30", id="equal times are 24 hours"),
        pytest.param("Tue 00:00-00:00", "Tue 00:00", "Wed 00:00", id="a whole day"),
        pytest.param("Fri 22:00-24:00", "Fri 22:00", "Sat 00:00", id="until midnight"),
        pytest.param("Fri 00:00-24:00", "Fri 00:00", "Sat 00:00", id="midnight to midnight"),
        pytest.param("Fri 22:00-00:00", "Fri 22:00", "Sat 00:00", id="until the next midnight"),
        pytest.param("Mon 00:00-00:01", "Mon 00:00", "Mon 00:01", id="the first minute of the week"),
        pytest.param("thursday 7:05 - 23:59", "Thu 07:05", "Thu 23:59", id="written loosely"),
    ],
)
def test_window_is_open_from_its_start_to_before_its_end(text: str, opens: str, closes: str) -> None:
    """A restart window is open at its start time and closed at its end time."""
    window = RestartWindow.parse(text)
    assert not window.is_open(at(opens) - MOMENT)
    assert window.is_open(at(opens))
    assert window.is_open(at(closes) - MOMENT)
    assert not window.is_open(at(closes))


@pytest.mark.parametrize("text", ["Sun 22:00-04:00", "Sun 22:00-22:00"])
def test_window_of_sunday_runs_into_the_next_week(text: str) -> None:
    """A restart window on Sunday evening stays open until its end on Monday."""
    window = RestartWindow.parse(text)
    assert window.is_open(at("Mon 00:00"))
    assert window.is_open(at("Mon 03:59"))
    assert window.is_open(at("Sun 23:59"))
    assert not window.is_open(at("Mon 22:00"))
    assert not window.is_open(at("Sun 21:59"))
    assert window.is_open(at("Mon 02:00") + timedelta(weeks=520))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("MON,tue 10:00-11:00", "Mon Tue"),
        ("Saturday , SUNDAY 10:00-11:00", "Sat Sun"),
        ("monday,tuesday,wednesday,thursday,friday 10:00-11:00", "Mon Tue Wed Thu Fri"),
        ("wed 10:00-11:00;; Thu 10:30-10:45 ;", "Wed Thu"),
        ("Daily 10:00-11:00", "Mon Tue Wed Thu Fri Sat Sun"),
        ("Fri\t10:00 -11:00", "Fri"),
    ],
)
def test_days_are_named_in_many_ways(text: str, days: str) -> None:
    """A restart window names its days in short or long form in any letter case, and several windows add up."""
    window = RestartWindow.parse(text)
    assert [day for day, start in DAYS.items() if window.is_open(start + timedelta(hours=10.5))] == days.split()


@pytest.mark.parametrize(
    ("text", "now", "opens"),
    [
        pytest.param(WEEKEND, "Mon 12:00", "Wed 01:00", id="later this week"),
        pytest.param(WEEKEND, "Wed 00:59", "Wed 01:00", id="in a minute"),
        pytest.param(WEEKEND, "Wed 03:00", "Sat 22:00", id="just closed"),
        pytest.param(WEEKEND, "Sun 04:00", "Sun 22:00", id="between two nights"),
        pytest.param("Sun 12:00-13:00; Sat 12:00-13:00", "Mon 00:00", "Sat 12:00", id="not in the order written"),
    ],
)
def test_next_opening_is_the_soonest(text: str, now: str, opens: str) -> None:
    """While the restart window is closed, its next opening is the soonest start of a window."""
    assert RestartWindow.parse(text).opens_at(at(now)) == at(opens)


def test_next_opening_may_be_next_week() -> None:
    """After the last restart window of a week, the next opening is in the following week."""
    window = RestartWindow.parse("Tue 01:00-02:00; Thu 01:00-02:00")
    assert window.opens_at(at("Sun 23:00")) == at("Tue 01:00") + timedelta(weeks=1)
    assert RestartWindow.parse("Thu 01:00-02:00").opens_at(at("Thu 02:00")) == at("Thu 01:00") + timedelta(weeks=1)


def test_open_window_opens_now() -> None:
    """An open restart window reports the present time as its opening."""
    now = at("Sun 02:30") + timedelta(seconds=17, microseconds=3)
    assert RestartWindow.parse(WEEKEND).opens_at(now) == now


def test_opening_is_exact() -> None:
    """A restart window opens at exactly the whole minute that the setting names."""
    now = at("Tue 23:58") + timedelta(seconds=59, microseconds=999_999)
    assert RestartWindow.parse(WEEKEND).opens_at(now) == at("Wed 01:00")


def test_times_are_utc() -> None:
    """Certroll converts a time to UTC before it compares the time with a restart window."""
    ahead = timezone(timedelta(hours=9))
    window = RestartWindow.parse("Sun 22:00-23:00")
    monday_morning = datetime(2026, 11, 30, 7, 30, tzinfo=ahead)
    assert window.is_open(monday_morning)
    later = window.opens_at(monday_morning + timedelta(hours=1))
    assert (later, later.utcoffset()) == (at("Sun 22:00") + timedelta(weeks=1), timedelta(0))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(" ", "there is no window", id="blank"),
        pytest.param(" ; ", "there is no window", id="nothing between semicolons"),
        pytest.param("22:00-04:00", "'22:00-04:00' is not days before a start and an end", id="no day"),
        pytest.param("Sat", "'Sat' is not days before a start and an end", id="no times"),
        pytest.param("Sat 22:00", "'Sat 22:00' is not days before a start and an end", id="no end"),
        pytest.param("Sat 022:00-04:00", "is not days before", id="three digits of a start's hour"),
        pytest.param("Sat 22:00-004:00", "is not days before", id="three digits of an end's hour"),
        pytest.param("Sat 22:000-04:00", "is not days before", id="three digits of a start's minute"),
        pytest.param("Sat 22:00-04:000", "is not days before", id="three digits of an end's minute"),
        pytest.param("Sat 22:0-04:00", "is not days before", id="one digit of a start's minute"),
        pytest.param("Sat 22:00-04:0", "is not days before", id="one digit of an end's minute"),
        pytest.param("Sat22:00-04:00", "is not days before", id="no blank before the start"),
        pytest.param("Sat 22-04", "'Sat 22-04' is not days before a start and an end", id="hours alone"),
        pytest.param("Sat 22:00-04:00 UTC", "'Sat 22:00-04:00 UTC' is not days before", id="a zone"),
        pytest.param("Sat, 22:00-04:00", "'Sat, 22:00-04:00' is not days before", id="a comma too many"),
        pytest.param("Sat 22:00-04:00, Sun 22:00-04:00", "is not a day", id="a comma between windows"),
        pytest.param("Mon-Fri 22:00-04:00", "'Mon-Fri' is not a day", id="a range of days"),
        pytest.param("Sat,,Sun 22:00-04:00", "'' is not a day", id="an empty day"),
        pytest.param("Sa 22:00-04:00", "'Sa' is not a day", id="two letters"),
        pytest.param("Sat 24:00-04:00", "'24:00' is not a time", id="a start at the day's end"),
        pytest.param("Sat 22:00-25:00", "'25:00' is not a time", id="a 26th hour"),
        pytest.param("Sat 22:60-23:00", "'22:60' is not a time", id="a 61st minute"),
        pytest.param("Wed 01:00-03:00; Sun 1:00-24:01", "'24:01' is not a time", id="the second window"),
        pytest.param("Sat ٢٢:15-04:00", "is not days before a start and an end", id="digits of another script"),
    ],
)
def test_impossible_window_is_refused_with_an_example(text: str, problem: str) -> None:
    """Certroll refuses a malformed restart window, and the error quotes the mistake and a correct window."""
    with pytest.raises(
        ValueError, match=r"; write days, then times in UTC: Sat,Sun 22:00-04:00; Wed 01:00-03:00$"
    ) as e:
        RestartWindow.parse(text)
    assert problem in str(e.value)


def test_complaint_is_short() -> None:
    """The error about a malformed restart window does not quote all of a long text."""
    for text in ("x" * 5000, "x" * 5000 + " 22:00-23:00"):
        with pytest.raises(ValueError, match="xxx") as caught:
            RestartWindow.parse(text)
        assert len(str(caught.value)) < 200
