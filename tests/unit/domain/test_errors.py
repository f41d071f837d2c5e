"""The domain's error classes carry messages for operators, and form one documented tree."""

import re
from collections.abc import Iterator

import pytest

from shared.domain import errors
from shared.domain.errors import CertrollError, EventRejected, SettingsInvalid
from shared.domain.fleet.probe import ProbeInvalid
from shared.domain.names import InvalidNameError
from shared.domain.reason import Reason

ELSEWHERE = [(1, InvalidNameError.__name__), (1, ProbeInvalid.__name__)]
"""The classes that other modules define. Python lists them in the order of import."""


def test_every_wrong_setting_is_in_the_message() -> None:
    """The error about invalid settings names every setting that the operator has to correct."""
    error = SettingsInvalid(("CERTROLL_VAULTS: is missing", "CERTROLL_MODE: 'x' is none"))
    assert str(error) == "CERTROLL_VAULTS: is missing; CERTROLL_MODE: 'x' is none"


@pytest.mark.parametrize(
    ("rejected", "message"),
    [
        (EventRejected(Reason.MALFORMED_EVENT, "the list has no event"), "the list has no event"),
        (
            EventRejected(Reason.MALFORMED_EVENT, "the event names no vault object", "Id"),
            "the event names no vault object: Id",
        ),
    ],
)
def test_refused_event_quotes_only_what_there_is(rejected: EventRejected, message: str) -> None:
    """The error about a refused event ends with the quoted text, or with the problem if no text is quoted."""
    assert str(rejected) == message


def test_drawn_tree_equals_the_classes() -> None:
    """The tree at the head of `errors.py` shows every error class of the product below its parent."""
    drawn = re.findall(r"^((?:│   )*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE)
    classes = [found for found in _below(CertrollError, 1) if found not in ELSEWHERE]
    assert [(len(indent) // 4 + 1, name) for indent, name in drawn] == [*classes, *ELSEWHERE]


def _below(parent: type[CertrollError], depth: int) -> Iterator[tuple[int, str]]:
    """Yield the depth and the name of each class below a class, in the order of the tree."""
    for child in parent.__subclasses__():
        yield depth, child.__name__
        yield from _below(child, depth + 1)
