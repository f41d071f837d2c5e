"""What an operator is answered."""

from http import HTTPStatus

import pytest

from functions.operations import _answer
from shared.domain.errors import Conflict, NotFound, Throttled

ERRORS = {
    "a name that Certroll does not know": (NotFound("no version of kv-shop/web is held"), HTTPStatus.NOT_FOUND),
    "a conflict with a run": (Conflict("an app is being taken back"), HTTPStatus.CONFLICT),
}


def _raising(error: Exception) -> str:
    raise error


def test_accepted_call_is_answered_with_its_text() -> None:
    """A call that succeeds is answered 202, with what it did as one line."""
    answer = _answer(lambda: "put back")
    assert (answer.status_code, answer.get_body()) == (HTTPStatus.ACCEPTED, b"put back\n")


@pytest.mark.parametrize(("error", "status"), ERRORS.values(), ids=ERRORS.keys())
def test_refused_call_is_answered_with_the_cause(error: Exception, status: HTTPStatus) -> None:
    """A call that is refused is answered with the status of its error, and the error's text as one line."""
    answer = _answer(lambda: _raising(error))
    assert (answer.status_code, answer.get_body()) == (status, f"{error}\n".encode())


def test_fault_fails_the_function() -> None:
    """A fault of Azure is no answer: the function fails, so that the log names the cause."""
    with pytest.raises(Throttled):
        _answer(lambda: _raising(Throttled("429")))
