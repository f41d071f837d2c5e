"""Check the answers that operators receive from Certroll's HTTP routes."""

from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus

import pytest

from functions import operations
from functions.operations import _answer
from shared.domain.errors import Conflict, NotFound, RecordUnreadable, Throttled

ERRORS = {
    "a name that Certroll does not know": (NotFound("no version of kv-shop/web is held"), HTTPStatus.NOT_FOUND),
    "a conflict with a run": (Conflict("an app is being taken back"), HTTPStatus.CONFLICT),
    "a row that cannot be read": (RecordUnreadable("the row holds/web cannot be read"), HTTPStatus.CONFLICT),
}


class RuntimeWithoutAzure:
    """The runtime of a process whose runs reach nothing."""

    def run(self) -> AbstractContextManager[None]:
        """Return a context without a run."""
        return nullcontext()


@pytest.fixture(autouse=True)
def _without_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "runtime", RuntimeWithoutAzure)


def _raising(error: Exception) -> str:
    raise error


def test_accepted_call_is_answered_with_its_text() -> None:
    """A successful call of an HTTP route is answered 202, with one line that tells what Certroll did."""
    answer = _answer(lambda _: "put back")
    assert (answer.status_code, answer.get_body()) == (HTTPStatus.ACCEPTED, b"put back\n")


@pytest.mark.parametrize(("error", "status"), ERRORS.values(), ids=ERRORS.keys())
def test_refused_call_is_answered_with_the_cause(error: Exception, status: HTTPStatus) -> None:
    """A refused call of an HTTP route is answered with the status of its error and one line with the error's text."""
    answer = _answer(lambda _: _raising(error))
    assert (answer.status_code, answer.get_body()) == (status, f"{error}\n".encode())


def test_fault_fails_the_function() -> None:
    """A fault of Azure fails the function of an HTTP route, so that the log names the cause."""
    with pytest.raises(Throttled):
        _answer(lambda _: _raising(Throttled("429")))
