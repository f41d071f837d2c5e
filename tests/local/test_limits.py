"""The local Azure limits requests by the token buckets that Azure documents, and by those that recordings show."""

from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.scripting.limits import Limits
from local.azure.wire import Request

SUBSCRIPTION = "https://management.azure.com/subscriptions/s"
SITE = f"{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Web/sites/shop"
SETTINGS = f"{SITE}/config/appsettings/list"
PREFIX = "x-ms-ratelimit-remaining-"


class Town:
    """A simulated Azure with limits."""

    def __init__(self, **knobs: object) -> None:
        self.clock = Clock()
        self.limits = Limits(self.clock, Knobs(throttling=True, **knobs))  # type: ignore[arg-type]

    def ask(self, method: str, url: str, principal: str = "certroll") -> tuple[str | None, dict[str, str]]:
        """Return Retry-After if the request is refused, and what is left by the rest of the header's name."""
        refusal, headers = self.limits.refusal(Request.to(method, url), principal)
        left = {name.removeprefix(PREFIX): text for name, text in headers.items() if name.startswith(PREFIX)}
        return (refusal.headers["Retry-After"] if refusal else None), left


@pytest.mark.parametrize(
    ("method", "url", "left"),
    [
        ("GET", SITE, {"subscription-reads": "249", "subscription-global-reads": "3749"}),
        ("PUT", SETTINGS, {"subscription-writes": "199", "subscription-global-writes": "2999"}),
        ("POST", f"{SITE}/restart", {"subscription-writes": "199", "subscription-global-writes": "2999"}),
        ("DELETE", SITE, {"subscription-deletes": "199", "subscription-global-deletes": "2999"}),
        ("POST", SETTINGS, {"subscription-resource-requests": "11999"}),
        ("PUT", SITE, {"subscription-resource-requests": "499"}),
        ("GET", "https://management.azure.com/subscriptions", {"tenant-reads": "249"}),
    ],
)
def test_answer_says_what_is_left(method: str, url: str, left: dict[str, str]) -> None:
    """Each answer has the headers that Azure sends for this kind of request."""
    assert Town().ask(method, url) == (None, left)


def test_reads_of_settings_may_take_from_the_writes() -> None:
    """With the knob `settings_posts`, a read of settings takes its token from the bucket of writes."""
    left = Town(settings_posts="writes").ask("POST", SETTINGS)[1]
    assert left == {"subscription-writes": "199", "subscription-global-writes": "2999"}


def test_empty_bucket_refuses_until_it_has_a_token() -> None:
    """An empty bucket refuses requests and names the wait. Other principals and methods have buckets of their own."""
    town = Town()
    for _ in range(200):
        assert town.ask("DELETE", SITE)[0] is None
    assert town.ask("DELETE", SITE) == ("1", {"subscription-deletes": "0", "subscription-global-deletes": "2800"})
    assert town.ask("DELETE", SITE, "other")[0] is None
    assert town.ask("GET", SITE)[0] is None
    town.clock.advance(timedelta(seconds=1))
    assert [town.ask("DELETE", SITE)[0] for _ in range(11)] == [None] * 10 + ["1"]
    assert town.limits.lowest("s", "deletes") == 0


def test_all_principals_share_a_larger_bucket() -> None:
    """The principals of a subscription together have fifteen times the tokens of one."""
    town = Town()
    asked = [town.ask("DELETE", SITE, f"principal {number // 200}")[0] for number in range(3200)]
    assert [number for number, wait in enumerate(asked) if wait is not None] == list(range(3000, 3200))


def test_limits_are_off_unless_a_knob_turns_them_on() -> None:
    """Without the knob `throttling`, the local Azure refuses nothing and sends no header."""
    limits = Limits(Clock(), Knobs())
    assert [limits.refusal(Request.to("GET", SITE), "certroll") for _ in range(300)] == [(None, {})] * 300
