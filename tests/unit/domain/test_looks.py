"""Certroll tells by numbers whether an inspection that ended well came after a question."""

import pytest

from shared.domain.looks import Look


@pytest.mark.parametrize(
    ("look", "after", "whole", "answered"),
    [
        pytest.param(Look(8, whole=8), 7, True, True, id="a later whole look answers a whole question"),
        pytest.param(Look(8, whole=8), 7, False, True, id="a later whole look answers a partial question"),
        pytest.param(Look(8, partial=8), 7, False, True, id="a later partial look answers a partial question"),
        pytest.param(Look(8, whole=3, partial=8), 7, True, False, id="a partial look answers no whole question"),
        pytest.param(Look(8, whole=8), 8, True, False, id="a look that began before answers nothing"),
        pytest.param(Look(8, whole=8), None, False, False, id="a question without a number has no answer"),
    ],
)
def test_only_a_later_look_of_its_kind_answers(look: Look, after: int | None, *, whole: bool, answered: bool) -> None:
    """A question is answered by a look that began later, and a question for a whole look only by a whole look."""
    assert look.answers(after, whole=whole) is answered


def test_ended_look_counts_for_its_kind() -> None:
    """After a look ended well, its number is kept as that of the last whole look, or of the last other look."""
    began = Look(7, whole=5, partial=6).next()
    assert began.ended(whole=True) == Look(8, whole=8, partial=6)
    assert began.ended(whole=False) == Look(8, whole=5, partial=8)
