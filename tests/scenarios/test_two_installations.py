"""Check with the real SDK that two installations of Certroll on one fleet never pay for the same renewal twice."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import requests

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from shared.controllers.orders.controller import look_after_orders
from shared.controllers.orders.marking import REQUEST_NEEDS
from shared.domain.deadline import TIME_BUDGET
from shared.domain.freeze import Freeze
from shared.domain.intent import Mode, Scope
from shared.domain.orders.action import OrderAction, plain_serial
from shared.domain.orders.mark import FORSAKEN, SETTLED, Mark, MarkState
from shared.domain.tags import ASKED_BY
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.scenarios.storage import MemoryStorage
from tests.scenarios.test_orders import HOUR, LATE, Shop

MONTH = 86400.0 * 30
SECOND = timedelta(seconds=1)


def late_shop(install: Install, **differences: object) -> Shop:
    """Return an installation whose order is due for a renewal that Azure shows a month later."""
    shop = Shop(install, Knobs(orders_renew_themselves=False, orders_show_late=MONTH), age=LATE, **differences)  # type: ignore[arg-type]
    shop.order.verified_at = None
    shop.installation.intent = replace(shop.installation.intent, installation="one.azurewebsites.net")
    return shop


def second(shop: Shop) -> Installation:
    """Return a second installation on the same fleet, with a name and a journal of its own."""
    other = shop.installation.another_instance(shop.installation.ports)
    other.storage = MemoryStorage(shop.world.clock)
    other.ports = replace(other.storage.under(shop.installation.ports), queue=other.queue)
    other.intent = replace(shop.installation.intent, installation="two.azurewebsites.net")
    return other


def reasons_of(installation: Installation) -> set[str]:
    """Return the reasons of all findings of an installation."""
    return {reason for _, reason in installation.findings()}


def marked(shop: Shop, at: datetime, state: MarkState = MarkState.WANTS) -> None:
    """Let another installation, which never runs again, mark the order."""
    mark = Mark("gone.azurewebsites.net", OrderAction.RENEW, plain_serial(shop.order.serial), at, state)
    shop.order.tags = {**shop.order.tags, ASKED_BY.name: str(mark)}


def interleaved(monkeypatch: pytest.MonkeyPatch, shop: Shop, other: Installation, at: int) -> list[str]:
    """Let the other installation sweep before the request of the given number that the first one sends to Azure."""
    real, seen, busy = requests.adapters.HTTPAdapter.send, list[str](), list[bool]()

    def send(adapter: object, request: requests.PreparedRequest, **options: object) -> requests.Response:
        if not busy and "management.azure.com" in str(request.url):
            seen.append(str(request.url))
            if len(seen) == at:
                busy.append(True)
                shop.look(other)
                busy.pop()
        return real(adapter, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return seen


def test_two_installations_pay_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever request of one installation a second one comes before, the renewal is asked for once, and it comes."""
    at = sent = 1
    while at <= sent:
        shop = late_shop(install)
        other = second(shop)
        with monkeypatch.context() as patch:
            seen = interleaved(patch, shop, other, at)
            for _ in range(4):
                shop.look()
                shop.world.clock.advance(timedelta(minutes=1))
                shop.look(other)
                shop.world.clock.advance(HOUR)
            sent = len(seen)
        assert (shop.asked("renew"), shop.order.purchases) == (1, 2), f"the second came before request {at}"
        assert "AnotherInstallation" in reasons_of(shop.installation) | reasons_of(other)
        at += 1
    assert at > 8, "hardly anything was sent: the loop did not look"


def test_renewal_follows_its_mark_after_two_minutes(install: Install) -> None:
    """Certroll marks the order first, and sends the request only if a read two minutes later still shows the mark."""
    shop = late_shop(install, tags={"team": "shop"})
    stored = dict(shop.order.stored)
    shop.look()
    mark = shop.order.tags[ASKED_BY.name]
    assert mark.startswith(f"one.azurewebsites.net wants renew {plain_serial(shop.order.serial)} 2026-")
    assert (shop.order.tags["team"], shop.order.stored, shop.asked("renew")) == ("shop", stored, 0)
    shop.world.clock.advance(timedelta(seconds=110))
    shop.look()
    assert shop.asked("renew") == 0
    shop.world.clock.advance(timedelta(seconds=10))
    shop.look()
    assert shop.asked("renew") == 1
    assert shop.order.tags[ASKED_BY.name].startswith("one.azurewebsites.net asked renew")
    shop.sweeps(3)
    assert (shop.asked("renew"), shop.writes()) == (1, 3)
    assert "AnotherInstallation" not in shop.reasons()


def test_mark_of_another_installation_is_a_finding(install: Install) -> None:
    """While another installation's mark is fresh, Certroll asks for nothing, and the finding names the installation."""
    shop = late_shop(install)
    marked(shop, shop.world.clock.now())
    shop.sweeps(5, timedelta(hours=4))
    assert shop.writes() == 0
    assert "AnotherInstallation" in shop.reasons()
    assert "gone.azurewebsites.net marked the order for renew" in shop.installation.details()
    assert "one fleet takes one installation" in shop.installation.details()


def test_installation_that_died_before_its_request_blocks_for_a_day(install: Install) -> None:
    """A mark without a request counts no longer after a day, so that the certificate does not expire."""
    shop = late_shop(install)
    marked(shop, shop.world.clock.now() - FORSAKEN + HOUR)
    shop.sweeps(4)
    assert (shop.asked("renew"), shop.order.purchases) == (1, 2)


def test_request_of_another_installation_is_not_repeated(install: Install) -> None:
    """If another installation says that it has sent the request, Certroll does not pay again, and a person is told."""
    shop = late_shop(install)
    marked(shop, shop.world.clock.now(), MarkState.ASKED)
    shop.sweeps(8, timedelta(days=1))
    assert shop.asked("renew") == 0
    assert "AnotherInstallation" in shop.reasons()


@pytest.mark.real_storage
def test_lost_journal_does_not_pay_again(install: Install) -> None:
    """If the journal is lost after a renewal, the own mark on the order keeps Certroll from paying for it again."""
    shop = late_shop(install)
    shop.sweeps(2)
    assert shop.asked("renew") == 1
    again = second(shop)
    again.intent = shop.installation.intent
    for _ in range(4):
        shop.look(again)
        shop.world.clock.advance(HOUR)
    assert shop.asked("renew") == 1
    assert "OrderActionUnknown" in reasons_of(again)


@pytest.mark.parametrize(
    "text", ["", "by hand", "x wants renew 1 2999-01-01T00:00:00Z", "x wants buy 1 2026-01-01T00:00:00Z"]
)
def test_text_that_is_no_mark_blocks_nothing(install: Install, text: str) -> None:
    """A text of a person, and a mark of the far future, do not keep Certroll from renewing."""
    shop = late_shop(install)
    shop.order.tags = {ASKED_BY.name: text.replace(" 1 ", f" {plain_serial(shop.order.serial)} ")}
    shop.sweeps(3)
    assert shop.asked("renew") == 1


def test_mark_that_azure_denies_is_a_finding(install: Install) -> None:
    """Without the right to write tags Certroll buys nothing, and the finding names the right."""
    shop = late_shop(install)
    shop.world.faults.add(Fault("denied", "PATCH", path="/tags/default$", times=None))
    shop.sweeps(3)
    assert shop.asked("renew") == 0
    assert "DeniedByAzure" in shop.reasons()
    assert "Microsoft.Resources/tags/write" in shop.installation.details()


def test_rare_sweeps_renew_as_well(install: Install) -> None:
    """If a week lies between two sweeps, the second sweep writes the mark again, waits two minutes, and asks."""
    shop = late_shop(install)
    shop.sweeps(1, timedelta(days=7))
    shop.look()
    assert (shop.asked("renew"), shop.order.purchases) == (1, 2)


def test_daily_sweep_renews_although_its_orders_come_first(install: Install) -> None:
    """If sweeps are daily, the second whole sweep renews two orders after a single wait, and ends in time."""
    shop = late_shop(install)
    other = shop.build.add_order("second", "second.contoso.com", shop.vault, age=LATE)
    other.verified_at = None
    shop.installation.sweep_everything()
    shop.world.clock.advance(timedelta(days=1))
    began = shop.world.clock.now()
    shop.installation.sweep_everything()
    assert (shop.asked("renew"), shop.order.purchases, other.purchases) == (2, 2, 2)
    assert timedelta(minutes=2) <= shop.world.clock.now() - began < timedelta(minutes=3)


def test_old_mark_that_has_no_time_to_last_is_written_for_the_next_sweep(install: Install) -> None:
    """If a sweep has no time for the wait, Certroll writes the mark again at once, and the next sweep asks."""
    shop = late_shop(install)
    shop.sweeps(1, timedelta(days=1))
    with pytest.raises(ExceptionGroup, match="every order"):
        look_after_orders(shop.installation.start().leaving(TIME_BUDGET - SETTLED - REQUEST_NEEDS + SECOND))
    assert shop.asked("renew") == 0
    shop.world.clock.advance(HOUR)
    began = shop.world.clock.now()
    shop.look()
    assert (shop.asked("renew"), shop.world.clock.now() - began) == (1, timedelta(0))


def test_mark_whose_name_has_capitals_stops_no_renewal(install: Install) -> None:
    """If the tag of the mark is on the order with capitals, Azure keeps them, and Certroll renews all the same."""
    shop = late_shop(install)
    shop.order.tags["Certroll-Asked-By"] = "nobody"
    shop.sweeps(2, HOUR)
    assert (shop.asked("renew"), shop.order.purchases) == (1, 2)
    assert [name for name in shop.order.tags if name.lower() == ASKED_BY.name] == ["Certroll-Asked-By"]


@pytest.mark.parametrize("kind", ["denied", "throttle", "applied_but_lost"])
def test_second_mark_that_fails_sends_nothing_yet(install: Install, kind: str) -> None:
    """If the mark right before the request fails, Certroll sends no request, and tries again in the next sweep."""
    shop = late_shop(install)
    shop.look()
    shop.world.clock.advance(HOUR)
    shop.world.faults.add(Fault(kind, "PATCH", path="/tags/default$", times=1))  # type: ignore[arg-type]
    shop.look()
    assert shop.asked("renew") == 0
    shop.sweeps(3)
    assert (shop.asked("renew"), shop.order.purchases) == (1, 2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"mode": Mode.OBSERVE}, id="observe mode"),
        pytest.param({"scope": Scope.TAGGED}, id="a pilot"),
        pytest.param({"freeze": Freeze.parse("2020-01-01/2040-01-01")}, id="a freeze"),
        pytest.param({"order_actions": False}, id="not switched on"),
    ],
)
def test_no_mark_is_written_where_nothing_is_asked(install: Install, change: dict[str, object]) -> None:
    """Certroll marks no order for which it may send no request."""
    shop = late_shop(install)
    shop.installation.intent = replace(shop.installation.intent, **change)  # type: ignore[arg-type]
    shop.sweeps(3)
    assert shop.writes() == 0


def test_crash_at_any_write_does_not_stop_the_renewal_for_ever(install: Install, crasher: Crasher) -> None:
    """If one installation dies at any write and never runs again, the other one renews or tells a person."""
    for write in range(1, 20):
        shop = late_shop(install)
        other = second(shop)
        died = False
        for _ in range(2):
            with crasher.crashing_after(write):
                try:
                    shop.look()
                except Crash:
                    died = True
                    break
            shop.world.clock.advance(HOUR)
        for _ in range(4):
            shop.world.clock.advance(timedelta(hours=20))
            shop.look(other)
        assert shop.asked("renew") <= 1, f"after a crash at write {write}"
        assert shop.asked("renew") == 1 or "AnotherInstallation" in reasons_of(other), f"after a crash at write {write}"
        if not died:
            break
    else:
        pytest.fail("no end was seen")
