"""An inspection of the fleet answers the questions that came before it."""

import pytest

from shared.domain.looks import Look


@pytest.mark.parametrize(
    ("look", "whole", "answered"),
    [
        pytest.param(Look(5, whole=4, partial=2), True, True, id="a whole look ended later"),
        pytest.param(Look(5, whole=2, partial=4), True, False, id="only a partial look ended later"),
        pytest.param(Look(5, whole=2, partial=4), False, True, id="any look is enough"),
        pytest.param(Look(5, whole=3, partial=3), False, False, id="none ended later"),
    ],
)
def test_question_is_answered_by_a_later_look(look: Look, *, whole: bool, answered: bool) -> None:
    """A question for a whole look is answered only by a whole look that began after the question."""
    assert look.answers(3, whole=whole) is answered
    assert not look.answers(None, whole=whole)


def test_inspection_that_ended_counts_for_its_kind() -> None:
    """After an inspection ended well, its number is that of the last whole or of the last other inspection."""
    began = Look(7, whole=5, partial=6).next()
    assert began.ended(whole=True) == Look(8, whole=8, partial=6)
    assert began.ended(whole=False) == Look(8, whole=5, partial=8)
