"""These tests check how the demo shows the waves in which Certroll stops and starts apps."""

import io

import pytest

from local.demo.waves import Wave, show_table
from local.screen import Screen

WAVES = [Wave(1, "plan-billing", ("invoices",), 1, 1.1), Wave(1, "plan-orders", ("orders/staging",), 1, 1.0)]


@pytest.mark.parametrize("width", [80, 120])
def test_each_row_names_its_wave(width: int) -> None:
    """The rows of two plans with the same number are one wave, and the seconds stand below the table."""
    file = io.StringIO()
    show_table(Screen(file, width=width), WAVES)
    title, head, _, first, second, *note = (line.strip() for line in file.getvalue().splitlines() if line)
    assert (title, head.split()[0]) == ("Stopped and started", "wave")
    assert [row.split()[:3] for row in (first, second)] == [
        ["1", "plan-billing", "invoices"],
        ["1", "plan-orders", "orders/staging"],
    ]
    assert " ".join(note).startswith("From the first stop of a wave to its last answer: 1.1 s at most.")


def test_the_report_has_the_number_of_the_wave() -> None:
    """The report of the demo numbers the waves as the table does."""
    assert [wave.to_json()["wave"] for wave in WAVES] == [1, 1]
