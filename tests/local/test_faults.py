"""These tests script faults around a service that only counts its requests."""

from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault, Faults, Kind
from local.azure.scripting.journal import Journal
from local.azure.wire import Drop, Request, Response, Router, json_response

SITE = Request.to("PUT", "https://management.azure.com/subscriptions/s/providers/Microsoft.Web/sites/shop")
VAULT = Request.to("GET", "https://kv.vault.azure.net/certificates")


class Service:
    """A service behind scripted faults, which counts the requests that reach the service."""

    def __init__(self) -> None:
        """Start the counting service with no requests and a manual clock."""
        self.clock = Clock()
        self.faults = Faults(self.clock, Journal(self.clock))
        self.applied = 0

    def ask(self, request: Request = SITE) -> Response:
        """Send a request through the faults, and return the answer."""
        return self.faults.around(request, self._apply)

    def _apply(self) -> Response:
        self.applied += 1
        return json_response(200, {})


@pytest.fixture
def service() -> Service:
    """Build a service without faults."""
    return Service()


def test_fault_strikes_as_often_as_told(service: Service) -> None:
    """A scripted fault lets `skip` requests pass and then strikes `times` requests."""
    service.faults.add(Fault("server_error", status=502, skip=1, times=2))
    assert [service.ask().status for _ in range(4)] == [200, 502, 502, 200]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("denied", method="GET"),
        Fault("denied", path="/sites/other"),
        Fault("denied", host="vault"),
    ],
)
def test_fault_concerns_its_route_only(service: Service, fault: Fault) -> None:
    """A scripted fault strikes only requests whose method, host and path match."""
    service.faults.add(fault)
    assert service.ask().status == 200


def test_latency_takes_time_of_the_worlds_clock(service: Service) -> None:
    """Latency faults add up on the simulated clock, and the request succeeds."""
    before = service.clock.now()
    service.faults.add(Fault("latency", seconds=2), Fault("latency", seconds=3))
    assert service.ask().status == 200
    assert service.clock.now() - before == timedelta(seconds=5)


@pytest.mark.parametrize("applied", [True, False])
def test_any_answer_can_be_scripted(service: Service, *, applied: bool) -> None:
    """A scripted answer replaces the answer to a request, whether the request takes effect or not."""
    service.faults.add(Fault("answered", status=202, body="<html>", applied=applied))
    answer = service.ask()
    assert (answer.status, answer.body, service.applied) == (202, b"<html>", int(applied))


def test_throttle_is_a_bucket(service: Service) -> None:
    """A throttle fault passes as many requests as its bucket holds, and then answers 429.

    A throttled answer's header counts the remaining requests, and the bucket refills with time.
    """
    service.faults.add(Fault("throttle", times=None, bucket=2, refill=0.5))
    header = "x-ms-ratelimit-remaining-subscription-writes"
    assert [service.ask().headers[header] for _ in range(2)] == ["1", "0"]
    refused = service.ask()
    assert (refused.status, refused.headers["Retry-After"], service.applied) == (429, "2", 2)
    service.clock.advance(timedelta(seconds=2))
    assert service.ask().status == 200


def test_throttle_may_leave_out_retry_after(service: Service) -> None:
    """A throttle fault can omit Retry-After, and its error has the form of the requested Azure service."""
    service.faults.add(Fault("throttle", retry_after=None, times=2))
    refused = service.ask()
    assert ("Retry-After" in refused.headers, refused.json()["error"]["code"]) == (False, "TooManyRequests")
    assert service.ask(VAULT).json()["error"]["code"] == "Throttled"


def test_site_lock_speaks_microsoft_web(service: Service) -> None:
    """A site lock answers 429 in Microsoft.Web's own error form, and applies no change."""
    service.faults.add(Fault("site_lock"))
    refused = service.ask()
    entity = refused.json()["Details"][2]["ErrorEntity"]
    assert (refused.status, entity["ExtendedCode"], service.applied) == (429, "59206", 0)


def test_lost_answer_is_applied(service: Service) -> None:
    """A write behind the fault `applied_but_lost` takes effect, although the client gets a 504."""
    service.faults.add(Fault("applied_but_lost"))
    lost = service.ask()
    assert (lost.status, lost.json()["error"]["code"], service.applied) == (504, "GatewayTimeout", 1)


@pytest.mark.parametrize("applied", [True, False])
def test_dropped_connection_is_applied_or_not(service: Service, applied: bool) -> None:  # noqa: FBT001 - either way
    """A dropped connection gives the client no answer, whether or not the write took effect."""
    service.faults.add(Fault("dropped", applied=applied))
    with pytest.raises(Drop):
        service.ask()
    assert service.applied == applied


@pytest.mark.parametrize(("kind", "status"), [("denied", 403), ("server_error", 500)])
def test_vault_faults_speak_key_vault(service: Service, kind: Kind, status: int) -> None:
    """A fault on a Key Vault request answers in Key Vault's own error form."""
    service.faults.add(Fault(kind))
    response = service.ask(VAULT)
    assert (response.status, "message" in response.json()["error"]) == (status, True)


def test_missing_resource_speaks_microsoft_web(service: Service) -> None:
    """The fault `missing` answers as Microsoft.Web does for a resource that it does not find."""
    service.faults.add(Fault("missing"))
    response = service.ask()
    assert (response.status, response.json()["Code"]) == (404, "NotFound")
    assert not service.applied
    assert service.ask().status == 200


def test_clearing_ends_all_faults(service: Service) -> None:
    """`clear` ends all scripted faults."""
    service.faults.add(Fault("denied", times=None))
    service.faults.clear()
    assert service.ask().status == 200


def test_journal_says_what_struck(service: Service) -> None:
    """An entry of the request journal names the fault that struck the request, and the changes by the request."""
    journal = Journal(service.clock)
    faults = Faults(service.clock, journal)
    faults.add(Fault("applied_but_lost"))

    def apply() -> Response:
        journal.note("binding changed")
        return json_response(200, {})

    with journal.recording(SITE, "somebody") as entry:
        entry.status = faults.around(SITE, apply).status
    (written,) = journal.writes()
    assert (written.status, written.fault, written.change, written.principal) == (
        504,
        "applied_but_lost",
        "binding changed",
        "somebody",
    )
    assert journal.counts("management.azure.com") == {"PUT": 1}
    assert journal.reads() == ()


def test_real_clock_follows_time_plus_what_was_added() -> None:
    """`Clock.real` follows real time plus the shifts made by `advance` and `set`.

    The method `sleep` of a clock in real time waits in real time.
    """
    slept: list[float] = []
    start = Clock().now()
    clock = Clock.real(lambda: start, slept.append)
    clock.advance(timedelta(days=1))
    assert clock.now() == start + timedelta(days=1)
    clock.set(start)
    clock.sleep(0.5)
    assert (clock.now(), slept) == (start, [0.5])


def test_router_decodes_parameters_and_ignores_case() -> None:
    """A router matches literal path segments in any letter case, and decodes parameters.

    A router does not match an empty parameter.
    """
    router = Router(lambda _: Response(404))
    router.add("GET", "/things/{name}", lambda _, parameters: Response(200, body=parameters["name"].encode()))
    assert router.dispatch(Request.to("GET", "https://x/THINGS/a%23b")).body == b"a#b"
    assert router.dispatch(Request.to("GET", "https://x/things/")).status == 404
    assert router.dispatch(Request.to("PUT", "https://x/things/a")).status == 404
