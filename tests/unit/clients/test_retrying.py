"""Certroll retries calls of Azure that fail for a passing reason."""

import json
import logging
from datetime import timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.paging import ItemPaged
from azure.core.pipeline.transport import HttpRequest, RequestsTransportResponse

from shared.clients.arm.requests import plain_list
from shared.clients.retrying import LONGEST_WAIT_SECONDS, SDK_OPTIONS, Retrying
from shared.clients.storage.edge import all_pages
from shared.domain.deadline import Deadline
from shared.domain.errors import (
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    OutOfTime,
    Rejected,
    SiteLocked,
    StorageFailed,
    Throttled,
    Transient,
    Unavailable,
)
from tests.build import NOW, ManualClock

Answer = int | Exception


def refusal(status: int, retry_after: str | None = None) -> HttpResponseError:
    """Return the SDK's error for an HTTP answer without a body."""
    wire = requests.Response()
    wire.status_code = status
    wire._content = b""
    if retry_after is not None:
        wire.headers["Retry-After"] = retry_after
    return HttpResponseError(response=RequestsTransportResponse(HttpRequest("GET", "https://x"), wire))


class Calls:
    """This fake call of Azure returns or raises the answers that the test gave, in order.

    After the last given answer, the fake call repeats this last answer.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.made = 0

    def __call__(self) -> int:
        """Return or raise the fake call's next answer."""
        self.made += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_good_answer_is_returned_at_once() -> None:
    """If a call of Azure succeeds, Certroll makes the call only once, without a wait."""
    clock, calls = ManualClock(), Calls(7)
    assert Retrying(clock).read("it", calls) == 7
    assert (calls.made, clock.slept) == (1, [])


@pytest.mark.parametrize(
    "passing",
    [
        pytest.param(refusal(429), id="throttled"),
        pytest.param(refusal(503), id="unavailable"),
        pytest.param(ServiceRequestError("refused"), id="no connection"),
    ],
)
def test_passing_trouble_is_waited_out(passing: Exception) -> None:
    """Certroll repeats a read that Azure throttles or cannot serve, and returns Azure's later answer."""
    clock, calls = ManualClock(), Calls(passing, passing, 7)
    assert Retrying(clock).read("it", calls) == 7
    assert (calls.made, len(clock.slept)) == (3, 2)


def test_each_wait_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The log has an event for each retry, with the number of the attempt, the wait and the error."""
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    Retrying(clock).read("it", Calls(refusal(429, "17"), refusal(503), 7))
    told = [json.loads(line.getMessage()) for line in caplog.records if line.name == "certroll"]
    assert told == [
        {"event": "request.retried", "attempt": 1, "wait": 17.0, "error": "it: 429"},
        {"event": "request.retried", "attempt": 2, "wait": round(clock.slept[1], 1), "error": "it: 503"},
    ]


@pytest.mark.parametrize("passing", [refusal(429), refusal(503)], ids=["throttled", "unavailable"])
def test_write_is_made_once(passing: Exception) -> None:
    """Certroll does not repeat a failed write by itself, because the data behind the write may be out of date."""
    clock, calls = ManualClock(), Calls(passing, 7)
    with pytest.raises(Transient):
        Retrying(clock).write("it", calls)
    assert (calls.made, clock.slept) == (1, [])


@pytest.mark.parametrize("passing", [Throttled("wait", timedelta(seconds=9)), SiteLocked("x"), OutcomeUnknown("x")])
def test_work_that_compares_is_done_again(passing: Exception) -> None:
    """If Certroll's work reads, compares and writes, Certroll repeats all of it, and waits as long as Azure asks."""
    clock, calls = ManualClock(), Calls(passing, passing, 7)
    assert Retrying(clock).retry(calls) == 7
    assert calls.made == 3
    assert not isinstance(passing, Throttled) or min(clock.slept) >= 9


@pytest.mark.parametrize(
    ("asked", "least"),
    [
        pytest.param("17", 17.0, id="in seconds"),
        pytest.param(format_datetime(NOW + timedelta(seconds=17), usegmt=True), 17.0, id="as a date"),
    ],
)
def test_azure_is_never_asked_before_its_time(asked: str, least: float) -> None:
    """Certroll does not retry before the time that Azure's `Retry-After` header names."""
    for _ in range(50):
        clock = ManualClock()
        Retrying(clock).read("it", Calls(refusal(429, asked), 7))
        assert least <= clock.slept[0] <= LONGEST_WAIT_SECONDS


def test_waits_without_advice_grow_and_differ() -> None:
    """Without a `Retry-After` header, Certroll's waits grow on average and are random, so that clients spread out."""
    first, later = set(), set()
    for _ in range(50):
        clock = ManualClock()
        trouble = [refusal(503)] * 4
        Retrying(clock).read("it", Calls(*trouble, 7))
        first.add(clock.slept[0])
        later.add(clock.slept[3])
    assert min(len(first), len(later)) > 25
    assert max(first) <= 1
    assert max(later) <= 8
    assert sum(later) > 3 * sum(first)


def test_patience_ends() -> None:
    """Certroll stops retrying a call of Azure before its deadline, and raises the last error."""
    clock, calls = ManualClock(), Calls(refusal(503))
    with pytest.raises(Unavailable, match=r"^it: 503$"):
        Retrying(clock, timedelta(seconds=30)).read("it", calls)
    assert calls.made > 3
    assert clock.now() - NOW <= timedelta(seconds=30)


def test_wait_beyond_the_deadline_is_not_begun() -> None:
    """Certroll raises the error at once if Azure asks for a wait beyond the deadline.

    After an error, the queue of the Function App delivers the same queue message again later.
    """
    clock, calls = ManualClock(), Calls(refusal(429, "91"))
    with pytest.raises(Throttled) as caught:
        Retrying(clock).read("it", calls)
    assert (calls.made, clock.slept) == (1, [])
    assert caught.value.retry_after == timedelta(seconds=91)


def test_wait_up_to_the_deadline_is_made() -> None:
    """Certroll still waits for a retry if the wait ends exactly at the deadline."""
    clock = ManualClock()
    assert Retrying(clock).read("it", Calls(refusal(429, "90"), 7)) == 7
    assert clock.slept == [90]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (403, Denied), (404, NotFound), (412, Rejected), (409, Rejected)]
)
def test_lasting_trouble_is_raised_at_once(status: int, kind: type[Exception]) -> None:
    """If Azure would refuse a request again for the same reason, Certroll does not retry the request."""
    clock, calls = ManualClock(), Calls(refusal(status, "1"))
    with pytest.raises(kind):
        Retrying(clock).write("it", calls)
    assert (calls.made, clock.slept) == (1, [])


@pytest.mark.parametrize(
    "lost",
    [refusal(504), refusal(500), ServiceResponseError("aborted")],
    ids=["a gateway gave up", "an internal error", "the connection broke"],
)
def test_write_of_unknown_outcome_is_not_repeated(lost: Exception) -> None:
    """Certroll does not repeat a write that Azure may have applied, and repeats a read after the same error."""
    writes, reads = Calls(lost, 7), Calls(lost, 7)
    with pytest.raises(OutcomeUnknown):
        Retrying(ManualClock()).write("it", writes)
    assert writes.made == 1
    assert Retrying(ManualClock()).read("it", reads) == 7


def test_bug_of_ours_is_not_hidden() -> None:
    """If a call raises an exception that does not come from Azure, Certroll raises the same exception at once."""
    calls = Calls(KeyError("bug"))
    with pytest.raises(KeyError):
        Retrying(ManualClock()).read("it", calls)
    assert calls.made == 1


def test_unreadable_first_page_is_no_empty_list() -> None:
    """Certroll requests an unreadable first page again, and never takes the list for an empty one."""
    bodies = iter(["<html>", "[1, 2]"])
    pages: ItemPaged[int] = ItemPaged(lambda _: next(bodies), lambda body: (None, iter(json.loads(body))))
    assert list(Retrying(ManualClock()).pages("it", pages)) == [1, 2]


def test_page_that_fails_is_asked_for_again_alone() -> None:
    """Certroll retries only the failed page of a list, and then the list of all pages is complete."""
    fetch = Calls(0, refusal(503), 1, 2)
    pages: ItemPaged[int] = ItemPaged(
        lambda _: fetch(), lambda number: (None if number == 2 else f"after {number}", iter([number, number]))
    )
    assert list(Retrying(ManualClock()).pages("it", pages)) == [0, 0, 1, 1, 2, 2]
    assert fetch.made == 4


def test_list_ends_between_two_pages_with_the_time_of_its_run() -> None:
    """After the time for new work, a run asks for no further page, and half a list never counts as a whole one."""
    clock = ManualClock()

    def fetch(_: str | None) -> int:
        clock.sleep(200)
        return 1

    pages: ItemPaged[int] = ItemPaged(fetch, lambda number: (f"after {clock.now()}", iter([number])))
    with pytest.raises(OutOfTime, match="pages of the sites"):
        list(Retrying(clock, deadline=Deadline.of_run(clock.now())).pages("sites", pages))
    assert clock.slept == [200.0] * 3


def test_error_without_a_cure_says_what_happened_alone() -> None:
    """If the caller names no next step for the operator, the error of a denied request contains none."""
    pages: ItemPaged[int] = ItemPaged(lambda _: Calls(refusal(403))(), lambda _: (None, iter([])))
    with pytest.raises(Denied, match=r"^it: 403$"):
        list(Retrying(ManualClock()).pages("it", pages))
    with pytest.raises(Denied, match=r"^it: 403$"):
        Retrying(ManualClock()).write("it", Calls(refusal(403)))
    with pytest.raises(Denied, match=r"^it: 403$"):
        Retrying(ManualClock()).read("it", Calls(refusal(403)))


def test_sdk_does_not_retry_by_itself_and_hangs_nowhere() -> None:
    """The Azure SDK does not retry by itself, and gives up a connection after ten seconds and a read after sixty."""
    retries = dict.fromkeys(("retry_total", "retry_connect", "retry_read", "retry_status"), 0)
    times = {"connection_timeout": 10, "read_timeout": 60}
    assert {**SDK_OPTIONS, **retries, **times} == SDK_OPTIONS


def test_list_that_may_not_be_read_says_what_to_grant() -> None:
    """The error about a list that Azure denies names the role that the operator has to grant."""
    pages: ItemPaged[int] = ItemPaged(lambda _: Calls(refusal(403))(), lambda _: (None, iter([])))
    with pytest.raises(Denied, match="grant Reader"):
        list(Retrying(ManualClock()).pages("it", pages, "grant Reader"))


@pytest.mark.parametrize("lasting", [Conflict("x"), Denied("x"), NotFound("x"), Rejected("x")])
def test_work_that_meets_lasting_trouble_is_not_done_again(lasting: Exception) -> None:
    """If the same work would meet the same error again, Certroll does not repeat the work."""
    calls = Calls(lasting)
    with pytest.raises(type(lasting)):
        Retrying(ManualClock()).retry(calls)
    assert calls.made == 1


def test_cure_reaches_the_message() -> None:
    """The error about a request that Azure denies names the role that the operator has to grant."""
    with pytest.raises(Denied, match="grant Reader"):
        Retrying(ManualClock()).read("it", Calls(refusal(403)), "grant Reader")
    with pytest.raises(Denied, match="grant Contributor"):
        Retrying(ManualClock()).write("it", Calls(refusal(403)), "grant Contributor")


def test_sdk_does_not_retry_by_itself() -> None:
    """The retries of the Azure SDK are off, so that the SDK's and Certroll's retries do not multiply."""
    assert {SDK_OPTIONS[name] for name in ("retry_total", "retry_connect", "retry_read", "retry_status")} == {0}


def test_pages_that_lead_in_a_circle_end() -> None:
    """A list whose last page leads back to an earlier page ends with an error instead of running for ever."""
    pages = {None: ("b", [1]), "b": ("c", [2]), "c": ("b", [3])}
    items = ItemPaged(lambda link: pages[link], lambda page: page)
    seen = []
    with pytest.raises(Rejected, match="lead in a circle"):
        seen.extend(Retrying(ManualClock()).pages("sites of subscription x", items))


@pytest.mark.parametrize("link", ["itself", "the first page"])
def test_plain_list_that_leads_in_a_circle_ends(link: str) -> None:
    """A list that Certroll requests without an SDK ends with an error if a page leads back to itself or the first."""
    first, second = "https://management.azure.com/a", "https://management.azure.com/b"
    pages = {first: second, second: second if link == "itself" else first}

    class Client:
        def send_request(self, request: HttpRequest) -> object:
            page = {"value": [{"id": request.url}], "nextLink": pages[request.url]}
            return SimpleNamespace(raise_for_status=lambda: None, json=lambda: page)

    with pytest.raises(Rejected, match="lead in a circle"):
        plain_list(Retrying(ManualClock()), cast("Any", Client()), first, "slots", "")


def test_table_whose_pages_lead_in_a_circle_ends() -> None:
    """A table whose pages lead in a circle ends with an error, so that no run reads its rows for ever."""
    items = ItemPaged(lambda _: ({"PartitionKey": "a"}, [1]), lambda page: page)
    with pytest.raises(StorageFailed, match="lead in a circle"):
        all_pages("table x", items)


@pytest.mark.parametrize("secret", [False, True])
def test_error_of_a_request_with_secrets_hides_its_cause(*, secret: bool) -> None:
    """An error about a request with secrets carries no error of the SDK, whose text may hold a value."""
    retrying = Retrying(ManualClock(), timedelta(minutes=5))
    lost = refusal(400)
    for call in (retrying.read, retrying.write):
        with pytest.raises(Rejected) as refused:
            call("settings of shop", Calls(lost), secret=secret)
        assert refused.value.__cause__ is (None if secret else lost)
        assert refused.value.__suppress_context__
