"""Certroll spends its patience once for each request that fails for long, and for each silent vault, in a run."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient
from azure.mgmt.web import WebSiteManagementClient

from local.azure.wire import Request, Response
from shared.clients.retrying import PATIENCE, SDK_OPTIONS, Retrying
from shared.domain.errors import Throttled, Unavailable
from tests.build import SUBSCRIPTION, ManualClock
from tests.in_process import in_process

SITE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites"
LISTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Web"


class Token:
    """A credential that gives a token without a request."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        """Return the same token always."""
        return AccessToken("token", 4_000_000_000)


class Azure:
    """A fake Azure that answers 503 for the paths in `sick`, and notes each request."""

    def __init__(self, *sick: str, status: int = 503) -> None:
        self.sick, self.status = list(sick), status
        self.clock = ManualClock()
        self.asked: list[str] = []
        self.retrying = Retrying(self.clock)
        options = {**SDK_OPTIONS, "transport": in_process(self.answer)}
        self.arm = WebSiteManagementClient(Token(), SUBSCRIPTION, **options)
        self.vault = SecretClient("https://kv.vault.azure.net", Token(), verify_challenge_resource=False, **options)

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        self.asked.append(f"{request.method} {request.path}")
        sick = any(part in f"{request.method} {request.path}" for part in self.sick)
        body = b'{"value": [], "id": "https://kv.vault.azure.net/secrets/x/1", "name": "x"}'
        return Response(self.status if sick else 200, {"Content-Type": "application/json"}, body)

    def site(self, name: str) -> float:
        """Read a site, and return how many seconds Certroll waited."""
        return self.waited(lambda: self.arm.web_apps.get("rg", name))

    def secret(self, name: str) -> float:
        """Read a secret, and return how many seconds Certroll waited."""
        return self.waited(lambda: self.vault.get_secret(name))

    def waited(self, read: Callable[[], object]) -> float:
        """Read by an SDK, and return how many seconds Certroll waited, also after an error."""
        before = self.clock.now()
        with suppress(Unavailable, Throttled):
            self.retrying.read("it", read)
        return (self.clock.now() - before).total_seconds()


@pytest.mark.parametrize("status", [429, 503])
def test_sick_resource_costs_its_patience_once(status: int) -> None:
    """A read that failed for the whole patience is answered at once for the rest of the run, without a request."""
    azure = Azure("/sites/sick", status=status)
    assert azure.site("sick") > PATIENCE.total_seconds() / 2
    asked = len(azure.asked)
    with pytest.raises((Unavailable, Throttled), match=f"it: {status}"):
        azure.retrying.read("it again", lambda: azure.arm.web_apps.get("rg", "sick"))
    assert azure.retrying.retry(lambda: azure.retrying.read("it", lambda: 7)) == 7
    assert len(azure.asked) == asked


def test_work_around_a_sick_read_does_not_wait_again() -> None:
    """Work that is retried as a whole ends at once when a read in it has used up its patience."""
    azure = Azure("/sites/sick")
    azure.site("sick")
    before = azure.clock.now()
    with pytest.raises(Unavailable):
        azure.retrying.retry(lambda: azure.retrying.read("it", lambda: azure.arm.web_apps.get("rg", "sick")))
    assert azure.clock.now() == before


def test_neighbours_of_a_sick_resource_are_asked() -> None:
    """However many single resources of ARM are sick, Certroll asks the others of the same subscription."""
    azure = Azure("/sites/sick")
    for number in range(3):
        assert azure.site(f"sick-{number}") > 0
    asked = len(azure.asked)
    assert azure.site("well") == 0
    assert azure.asked[asked:] == [f"GET {SITE}/well"]


def test_silent_vault_costs_its_patience_twice_at_most() -> None:
    """If two secrets of a vault fail for the whole patience and nothing else answers, the rest fails at once."""
    azure = Azure("/secrets/")
    waits = [azure.secret(f"shop-{number}") for number in range(60)]
    assert [wait > 0 for wait in waits] == [True, True] + [False] * 58


def test_vault_that_answers_is_not_silent() -> None:
    """Two sick secrets silence no vault whose other secrets answer."""
    azure = Azure("/secrets/sick")
    for number in range(3):
        assert azure.secret(f"sick-{number}") > 0
        assert azure.secret("well") == 0
    assert azure.asked[-1] == "GET /secrets/well/"


def test_lists_of_a_silent_subscription_fail_at_once() -> None:
    """If two lists of a subscription do not answer, its other lists fail at once, and a single site is asked."""
    azure = Azure(LISTS)
    lists = (azure.arm.certificates.list, azure.arm.web_apps.list, azure.arm.app_service_plans.list)
    waits = [azure.waited(lambda listing=listing: list(listing())) for listing in lists]  # type: ignore[misc]
    assert [wait > 0 for wait in waits] == [True, True, False]
    assert azure.site("shop") == 0


def test_write_is_sent_although_its_patience_is_spent() -> None:
    """A write that used up its patience is sent again when it is needed, but not repeated; its success heals it."""
    azure = Azure("POST ")

    def stop() -> None:
        azure.retrying.write("stop", lambda: azure.arm.web_apps.stop("rg", "shop"))

    with pytest.raises(Unavailable):
        azure.retrying.retry(stop)
    asked, before = len(azure.asked), azure.clock.now()
    with pytest.raises(Unavailable):
        azure.retrying.retry(stop)
    assert (len(azure.asked), azure.clock.now()) == (asked + 1, before)
    assert azure.site("shop") == 0, "reads of the site are asked"
    azure.sick.clear()
    azure.retrying.retry(stop)
    azure.sick.append("POST ")
    with pytest.raises(Unavailable):
        azure.retrying.retry(stop)
    assert azure.clock.now() > before


def test_next_run_asks_again() -> None:
    """What was spent in one run is asked in the next run."""
    azure = Azure("/sites/sick")
    azure.site("sick")
    azure.retrying.forget()
    assert azure.site("sick") > 0
