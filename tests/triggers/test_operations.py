"""Check the answers that operators receive from Certroll's HTTP routes."""

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
    """A successful call of an HTTP route is answered 202, with one line that tells what Certroll did."""
    answer = _answer(lambda: "put back")
    assert (answer.status_code, answer.get_body()) == (HTTPStatus.ACCEPTED, b"put back\n")


@pytest.mark.parametrize(("error", "status"), ERRORS.values(), ids=ERRORS.keys())
def test_refused_call_is_answered_with_the_cause(error: Exception, status: HTTPStatus) -> None:
    """A refused call of an HTTP route is answered with the status of its error and one line with the error's text."""
    answer = _answer(lambda: _raising(error))
    assert (answer.status_code, answer.get_body()) == (status, f"{error}\n".encode())


def test_fault_fails_the_function() -> None:
    """A fault of Azure fails the function of an HTTP route, so that the log names the cause."""
    with pytest.raises(Throttled):
        _answer(lambda: _raising(Throttled("429")))
