"""Certroll slows down before Azure refuses requests, by what Azure's answers show."""

import pytest

from shared.clients.pace import Asked, Pace, Ticket
from shared.domain.errors import Throttled
from shared.domain.pacing import FORGOTTEN
from tests.build import NOW
from tests.unit.clients.paced import ARM, ONE, OTHER, OWN, READS, ROUTED, SECOND, SHOP, WEB, Wire, left, refusal
from tests.unit.clients.slow_azure import SlowAzure

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


def test_renewal_next_to_a_sweep_is_not_slowed() -> None:
    """A renewal has the third that a sweep leaves, and all that Azure refills."""
    alone, nearby = SlowAzure(200, 10), SlowAzure(200, 10)
    pace = Pace()
    nearby.add("sweep", pace, 1000, sparing=True)
    for azure in (alone, nearby):
        azure.add("renewal", pace if azure is nearby else Pace(), 55, sparing=False, at=20)
        azure.run()
    assert nearby.ended["renewal"] == alone.ended["renewal"]
    assert nearby.refused == 0


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


SHARE = 0.02
"""The share of requests that Azure may refuse."""

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
    nearby = Wire(left(249), pace=pace)
    assert 9 <= nearby.wait() <= 18
    assert len(nearby.sent) == 1


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


def test_request_that_waits_follows_azure_to_another_region() -> None:
    """A request that waits for a bucket waits no longer if another region of Azure answers requests of its kind."""
    pace, waiting = Pace(), Ticket(SHOP, sparing=True)
    for tokens, region in ((240, "WESTEUROPE"), (10, "WESTEUROPE")):
        pace.answered(Ticket(SHOP, sparing=True), 200, {READS: str(tokens), ROUTED: f"{region}:0:0"}, NOW)
    assert pace.seconds(waiting, NOW) > 0
    pace.answered(Ticket(SHOP, sparing=True), 200, {READS: "240", ROUTED: "NORTHEUROPE:0:0"}, NOW)
    assert pace.seconds(waiting, NOW) <= 0
    pace.end(waiting)
    assert [(bucket.under_way, bucket.waiting) for bucket in pace._buckets.values()] == [(0, [])] * 2
