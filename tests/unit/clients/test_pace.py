"""Certroll slows down before Azure refuses requests, by what Azure's answers show."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from local.azure.wire import Request, Response
from shared.clients.pace import MOST_BUCKETS, MOST_NAMES, Asked, Pace, Ticket
from shared.clients.retrying import PATIENCE, SDK_OPTIONS, Retrying
from shared.domain.deadline import NEVER, Deadline
from shared.domain.errors import OutOfTime, Throttled, Transient
from shared.domain.pacing import FORGOTTEN
from tests.build import NOW, ManualClock
from tests.in_process import in_process
from tests.unit.clients.slow_azure import SlowAzure

ARM = "https://management.azure.com"
ONE, OTHER = (f"0000000{number}-0000-4000-8000-00000000000a" for number in (1, 2))
WEB = f"{ARM}/subscriptions/{ONE}/resourceGroups/g/providers/Microsoft.Web"
SHOP = Asked.of("GET", f"{WEB}/sites/shop")
READS = "x-ms-ratelimit-remaining-subscription-reads"
OWN = "x-ms-ratelimit-remaining-subscription-resource-requests"
ROUTED = "x-ms-routing-request-id"
SECOND = timedelta(seconds=1)
SHARE = 0.02
"""The share of requests that Azure may refuse."""


class Wire:
    """A run of Certroll that reads from an Azure whose next answers the test gives."""

    def __init__(
        self, *answers: tuple[int, Mapping[str, str]], pace: Pace | None = None, deadline: Deadline = NEVER, **how: bool
    ) -> None:
        self.clock, self.sent, self.answers = ManualClock(), list[str](), list(answers)
        self.retrying = Retrying(self.clock, pace=pace, deadline=deadline, **how)
        options: dict[str, Any] = {**SDK_OPTIONS, "transport": in_process(self.answer)}
        self.client: PipelineClient[Any, Any] = PipelineClient(ARM, **options)

    def answer(self, request: Request) -> Response:
        """Return the next answer, and the last one again and again."""
        self.sent.append(request.path)
        status, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(status, headers)

    def ask(self, url: str = f"{WEB}/sites/shop", method: str = "GET") -> int:
        """Send a request, and return the status of its answer. Raise an error for a refusal."""
        answer = self.client.send_request(HttpRequest(method, url))
        if answer.status_code >= 400:
            raise HttpResponseError(response=answer)  # type: ignore[arg-type]
        return answer.status_code

    def read(self, url: str = f"{WEB}/sites/shop") -> int:
        """Read by the retry layer."""
        return self.retrying.read("it", lambda: self.ask(url))

    def wait(self) -> float:
        """Return the seconds that the next read waits."""
        before = self.clock.now()
        self.read()
        return (self.clock.now() - before).total_seconds()


def left(tokens: object, name: str = READS, **more: str) -> tuple[int, dict[str, str]]:
    """Return a good answer that shows what is left in a bucket."""
    return 200, {name: str(tokens), **more}


def refusal(seconds: int, **headers: str) -> tuple[int, dict[str, str]]:
    """Return the refusal of a throttled request."""
    return 429, {"Retry-After": str(seconds), **headers}


# ------------------------------------------------------------------------------------------ a fleet on an honest clock


@pytest.mark.parametrize(
    ("size", "refill", "requests"),
    [(200, 10, 1000), (12_000, 12_000 / 3600, 9000), (250, 25, 1500)],
    ids=["writes", "own", "reads"],
)
def test_sweep_leaves_a_third_and_is_as_quick_as_the_bucket_allows(size: float, refill: float, requests: int) -> None:
    """A sweep is never refused, leaves a third of the bucket, and takes no longer than the refill needs."""
    azure = SlowAzure(size, refill)
    azure.add("sweep", Pace(), requests, sparing=True)
    azure.run()
    assert azure.refused == 0
    assert azure.bucket.lowest >= size / 3
    assert azure.ended["sweep"] <= 1.05 * (requests - size * 2 / 3) / refill


def test_renewal_beside_a_sweep_is_not_slowed() -> None:
    """A renewal has the third that a sweep leaves, and all that Azure refills."""
    alone, beside = SlowAzure(200, 10), SlowAzure(200, 10)
    pace = Pace()
    beside.add("sweep", pace, 1000, sparing=True)
    for azure in (alone, beside):
        azure.add("renewal", pace if azure is beside else Pace(), 55, sparing=False, at=20)
        azure.run()
    assert beside.ended["renewal"] == alone.ended["renewal"]
    assert beside.refused == 0


@pytest.mark.parametrize("workers", [8, 64])
def test_large_renewal_is_hardly_ever_refused(workers: int) -> None:
    """A renewal of many requests empties the bucket without being refused, and gets each token that Azure adds."""
    azure = SlowAzure(200, 10)
    azure.add("renewal", Pace(), 1600, workers, sparing=False)
    azure.run()
    assert azure.refused == 0
    assert azure.ended["renewal"] <= 1.05 * (1600 - 200) / 10


def test_instances_that_do_not_know_each_other_share_a_bucket() -> None:
    """Several instances notice by Azure's answers what the others use, and are hardly ever refused."""
    azure = SlowAzure(200, 10)
    for number in range(5):
        azure.add(f"instance {number}", Pace(), 400, sparing=False, at=3 * number)
    azure.run()
    assert azure.refused < SHARE * azure.sent
    assert max(azure.ended.values()) <= 1.05 * (2000 - 200) / 10


# ------------------------------------------------------------------------------------------------------ what is learnt


def test_bucket_of_one_kind_of_request_holds_up_no_other_kind() -> None:
    """A resource provider's own limits are limits of a kind of request, although their headers have one name."""
    wire = Wire(left(300), left(11_995, OWN), left(0, OWN), left(299), sparing=True)
    settings = f"{WEB}/sites/shop/config/appsettings/list"
    for url in (f"{WEB}/sites/shop", settings, f"{WEB}/certificates/web", f"{WEB}/sites/other"):
        wire.read(url)
    assert wire.clock.slept == []
    wire.read(f"{WEB}/sites/shop/config/web/list")
    assert wire.clock.slept == []


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"{WEB}/sites/shop/config/appsettings/list?api-version=1", "GET microsoft.web/sites/*/config/*/list"),
        (f"{WEB}/sites/shop/slots/staging", "GET microsoft.web/sites/*/slots/*"),
        (f"{ARM}/subscriptions/{ONE.upper()}/resources", "GET subscriptions/*/resources"),
        (f"{ARM}/subscriptions", "GET subscriptions"),
    ],
)
def test_kind_of_a_request_has_no_names(url: str, kind: str) -> None:
    """Requests for different sites are of one kind, so that one answer tells about all of them."""
    asked = Asked.of("GET", url)
    assert (asked.kind, asked.place) == (kind, "management.azure.com" if url.endswith("subscriptions") else ONE)


def test_other_region_of_azure_has_buckets_of_its_own() -> None:
    """If another region of Azure Resource Manager answers, the buckets of the first region hold nothing up."""
    west = {ROUTED: "WESTEUROPE:20261102T090000Z:0"}
    north = {ROUTED: "NORTHEUROPE:20261102T090000Z:0"}
    wire = Wire(left(240, **west), left(10, **west), left(230, **north), left(229, **north), sparing=True)
    wire.read()
    wire.read()
    assert wire.wait() > 0
    assert wire.wait() == 0


def test_subscriptions_have_buckets_of_their_own() -> None:
    """A used up subscription holds up no other subscription."""
    wire = Wire(left(240), left(10), left(240), sparing=True)
    wire.read()
    wire.read()
    wire.read(f"{ARM}/subscriptions/{OTHER}/resourceGroups/g/providers/Microsoft.Web/sites/shop")
    assert wire.clock.slept == []


def test_bucket_that_nobody_asked_for_long_holds_up_nothing() -> None:
    """After a quarter of an hour without an answer, the next request of a sweep is sent at once."""
    wire = Wire(left(240), left(10), left(240), sparing=True)
    wire.read()
    wire.read()
    wire.clock.time += FORGOTTEN
    assert wire.wait() == 0


def test_use_by_other_instances_is_noticed() -> None:
    """A sweep that finds the bucket lower than its own requests explain waits for the third."""
    wire = Wire(left(240), left(79), left(240), sparing=True)
    wire.read()
    assert wire.wait() == 0
    assert wire.wait() > 0


# --------------------------------------------------------------------------------------------- refusals and their time


def test_retry_comes_when_azure_says_and_not_by_chance() -> None:
    """After a 429, Certroll repeats the request once, at the time that Azure named."""
    wire = Wire(refusal(17, **{READS: "0"}), left(249))
    assert wire.wait() == 17
    assert len(wire.sent) == 2


def test_refusal_of_a_bucket_holds_up_all_that_draw_from_it() -> None:
    """While Azure refuses requests of a bucket, no other request of the process is sent to be refused."""
    pace = Pace()
    renewal = Wire(left(20), refusal(9, **{READS: "0"}), pace=pace)
    renewal.read()
    with pytest.raises(Throttled):
        renewal.retrying.ask("it", lambda: renewal.ask(method="GET"))
    beside = Wire(left(249), pace=pace)
    assert 9 <= beside.wait() <= 18
    assert len(beside.sent) == 1


def test_refusal_of_one_resource_holds_up_no_other() -> None:
    """A 429 that shows tokens in every bucket is about one resource, and the neighbours are asked at once."""
    wire = Wire(left(240), refusal(60, **{READS: "239"}), left(238))
    wire.read()
    with pytest.raises(Throttled):
        wire.retrying.ask("it", lambda: wire.ask(f"{WEB}/sites/sick"))
    assert wire.wait() == 0


def test_requests_that_were_refused_do_not_come_back_all_at_once() -> None:
    """Requests that wait for the same refused bucket come back one by one."""
    pace = Pace()
    for _ in range(2):
        pace.answered(Ticket(SHOP, sparing=False), 429, {READS: "0", "Retry-After": "2"}, NOW)
    waits = [pace.seconds(Ticket(SHOP, sparing=False), NOW + 2 * SECOND) for _ in range(5)]
    assert len(set(waits)) == 5


# ------------------------------------------------------------------------------------- no wait is longer than allowed


def test_renewal_is_sent_although_azure_says_that_nothing_is_left() -> None:
    """A server that always says that nothing is left stops no renewal."""
    wire = Wire(left(0))
    assert [wire.wait() for _ in range(100)] == [0] * 100


def test_renewal_is_only_slowed_by_a_server_that_suddenly_says_nothing_is_left() -> None:
    """A renewal of 200 requests ends in four minutes although Azure says after the first that nothing is left."""
    wire = Wire(left(250), left(0))
    assert sum(wire.wait() for _ in range(200)) < 240


def test_too_long_wait_of_a_sweep_is_an_error_at_once() -> None:
    """A read of a sweep whose wait would be longer than the patience is not sent, and says so without waiting."""
    pace = Pace()
    renewal = Wire(left(11_999, OWN), left(3000, OWN), pace=pace)
    for _ in range(4):
        renewal.read()
        renewal.clock.time += SECOND * 3
    wire = Wire(left(3000, OWN), pace=pace, sparing=True)
    wire.clock.time = renewal.clock.time
    sent = len(wire.sent)
    with pytest.raises(Throttled, match="left to renewals"):
        wire.read()
    assert (len(wire.sent), wire.clock.slept) == (sent, [])


def test_same_wait_stops_no_renewal_and_no_write() -> None:
    """A renewal, and a write of a sweep, are sent at once if the wait would be longer than the patience."""
    pace = Pace()
    for _ in range(2):
        pace.answered(
            Ticket(Asked.of("GET", f"{WEB}/sites/shop"), sparing=False), 429, {READS: "0", "Retry-After": "99"}, NOW
        )
    assert Wire(left(1), pace=pace).wait() == 0
    sweep = Wire(left(1), pace=pace, sparing=True)
    sweep.retrying.write("it", sweep.ask)
    assert sweep.clock.slept == []


def test_sweep_at_the_end_of_its_time_says_so() -> None:
    """A read of a sweep whose wait would end after the time of its run raises OutOfTime, and waits for nothing."""
    work = NOW + timedelta(seconds=3)
    ends = Deadline(work, work + SECOND, work + SECOND)
    wire = Wire(left(240), left(10), left(10), deadline=ends, sparing=True)
    wire.read()
    wire.read()
    with pytest.raises(OutOfTime):
        wire.read()
    assert wire.clock.now() <= work


def test_what_a_sweep_has_begun_is_read_to_its_end() -> None:
    """After the time for new work, a read of a sweep waits for no bucket."""
    work = NOW - SECOND
    wire = Wire(left(240), left(10), left(10), deadline=Deadline(work, NOW + SECOND, NOW + SECOND), sparing=True)
    for _ in range(3):
        wire.read()
    assert wire.clock.slept == []


def test_waits_and_retries_together_end_with_the_patience() -> None:
    """Waits for a bucket and retries together last no longer than the patience of the retry layer."""
    wire = Wire(left(250), left(70), (503, {READS: "60"}), sparing=True)
    wire.read()
    wire.read()
    began = wire.clock.now()
    with pytest.raises(Transient):
        wire.read()
    assert wire.clock.now() - began <= PATIENCE


# ------------------------------------------------------------------------------------------------------ hostile answers


@pytest.mark.parametrize("value", ["-5", "1e9", "", "many", "99999999999999999999", "٣", "Microsoft.Compute/Get3Min;1"])
def test_number_that_is_none_says_nothing(value: str) -> None:
    """A header that is no plain number, or a number beyond reason, holds up nothing."""
    wire = Wire(left(240), left(value), sparing=True)
    assert [wire.wait() for _ in range(20)] == [0] * 20


def test_huge_number_is_forgotten_and_stops_no_renewal() -> None:
    """A number that was much too large slows a sweep for two hours at most, and a renewal never."""
    pace = Pace()
    Wire(left(9_999_999), pace=pace).read()
    assert Wire(left(240), pace=pace).wait() == 0
    assert Wire(left(240), pace=pace).wait() == 0
    for _ in range(13):
        wire = Wire(left(240), pace=pace)
        wire.clock.time += timedelta(minutes=10) * (_ + 1)
        wire.read()
    later = Wire(left(240), pace=pace, sparing=True)
    later.clock.time = wire.clock.time
    assert later.wait() == 0


def test_memory_is_bounded() -> None:
    """However many names, subscriptions and kinds answers have, the process remembers a bounded number of them."""
    pace = Pace()
    names = {f"x-ms-ratelimit-remaining-{chr(97 + number % 26)}{'x' * (number // 26)}": "5" for number in range(100)}
    for number in range(MOST_BUCKETS):
        pace.answered(Ticket(Asked(f"{number}", "k"), sparing=True), 200, names, NOW)
    assert len(pace._buckets) == MOST_BUCKETS
    assert len(pace._drawn[Asked(f"{MOST_BUCKETS - 1}", "k")]) == MOST_NAMES


def test_request_that_fails_without_an_answer_is_under_way_no_longer() -> None:
    """A request without an answer takes no place before later requests."""
    wire = Wire(left(2))
    wire.read()
    for _ in range(5):
        with pytest.raises(KeyError):
            wire.retrying.ask("it", lambda: _fail(wire))
    assert wire.wait() < 2


def _fail(wire: Wire) -> int:
    wire.ask()
    raise KeyError
