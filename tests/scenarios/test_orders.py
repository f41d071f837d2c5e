"""Check with the real SDK that Certroll reports problems of purchased certificates and buys nothing twice."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from local.azure.eventgrid.event import Event
from local.azure.principals import APP_SERVICE, REGISTRATION
from local.azure.registration.orders import ISSUING, Order
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.vault.access import SECRETS_OFFICER
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.arm.orders import Orders
from shared.controllers.orders.controller import look_after_orders
from shared.domain.errors import Denied, Rejected
from shared.domain.fleet.vault_access import AccessVerdict, app_service, registration
from shared.domain.intent import Mode
from shared.domain.orders.order import OrderRef
from shared.loop.vault_access import access_to
from shared.ports import Ports
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.scenarios.worlds import shown
from tests.unit.domain.test_order import GOOD

HOST = "shop.contoso.com"
ORDERS = "/providers/Microsoft.CertificateRegistration/certificateOrders"
LATE = timedelta(days=198 - 29)
"""The age of a certificate that Azure should have renewed three days ago."""
HOUR = timedelta(hours=1)

Build = Callable[[Builder], Order]


class Shop:
    """An installation of Certroll that may act on orders, with one certificate order in a simulated vault."""

    def __init__(
        self, install: Install, knobs: Knobs | None = None, *, act: bool = True, **differences: object
    ) -> None:
        """Build the simulated fleet and the installation of Certroll."""
        self.world = World(Clock(), 0, knobs)
        self.build = Builder(self.world)
        self.vault = self.build.add_vault(by_roles=False)
        self.order = self.build.add_order("shop", HOST, self.vault, **differences)  # type: ignore[arg-type]
        known = registration(self.world.object_id(REGISTRATION))
        intent: dict[str, object] = {"order_actions": act, "registration": known}
        self.installation: Installation = install(self.world, **intent)
        self.events: list[Event] = []
        self.world.events.subscribe(self.events.append)

    def look(self, installation: Installation | None = None) -> None:
        """Let Certroll check the certificate orders once, as the sweep does."""
        look_after_orders((installation or self.installation).start())

    def sweeps(self, count: int, every: timedelta = HOUR) -> None:
        """Let Certroll check the certificate orders `count` times, and advance the clock after each time."""
        for _ in range(count):
            self.look()
            self.world.clock.advance(every)

    def reasons(self) -> set[str]:
        """Return the reasons of all findings (problems that Certroll reported)."""
        return {reason for _, reason in self.installation.findings()}

    def asked(self, action: str) -> int:
        """Return how often the simulated Azure received that action for an order."""
        return sum(entry.path.endswith(f"/{action}") for entry in self.world.journal.entries())

    def writes(self) -> int:
        """Return how many write requests the simulated Azure Resource Manager received."""
        return len(self.world.journal.writes("management.azure.com"))

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the newest version of the certificate order's secret."""
        (stored,) = self.order.stored.values()
        return self.vault.secrets[stored.secret_name.lower()].newest.thumbprint


def answering(monkeypatch: pytest.MonkeyPatch, part: str, status: int, body: bytes) -> list[tuple[str, str]]:
    """Replace each answer for a URL that contains `part`, after the simulated Azure acted; return all sent requests."""
    real, seen = requests.adapters.HTTPAdapter.send, []

    def send(adapter: object, request: requests.PreparedRequest, **options: object) -> requests.Response:
        seen.append((str(request.method), str(request.url)))
        answer = real(adapter, request, **options)  # type: ignore[arg-type]
        if part in str(request.url):
            assert answer.content is not None, "read to its end, so that the next request can have the connection"
            answer.status_code, answer.raw._body, answer._content = status, body, body
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return seen


# ------------------------------------------------------------------------------------------------------------ looking


def test_healthy_order_costs_one_list_and_says_nothing(install: Install) -> None:
    """An order that Azure renews costs one list request, and Certroll finds the secret with its certificate."""
    shop = Shop(install)
    (order,) = look_after_orders(shop.installation.start())
    (stored,) = shop.order.stored.values()
    assert str(order.secret) == f"contoso-kv/{stored.secret_name}".lower()
    assert shop.installation.findings() == set()
    paths = [entry.path for entry in shop.world.journal.entries() if ORDERS in entry.path]
    assert paths == [f"/subscriptions/{shop.order.subscription}{ORDERS}"]
    assert shop.writes() == 0


def test_lists_are_read_to_their_last_page(install: Install) -> None:
    """Certroll reads the list of certificate orders to its last page."""
    shop = Shop(install, Knobs(page_size=1), stored=False)
    shop.build.add_order("other", "other.contoso.com", shop.vault, stored=False)
    shop.look()
    assert {subject for subject, _ in shop.installation.findings()} == {"order contoso/shop", "order contoso/other"}


def test_pending_order_gets_its_certificate_once_a_person_verified_the_domain(install: Install) -> None:
    """A finding names the DNS token of a pending order; after the verification the vault gets the certificate."""
    shop = Shop(install, status="Pendingissuance")
    shop.world.orders.begin(shop.order, "issue")
    shop.look()
    assert shop.reasons() == {"OrderPending"}
    assert f"TXT record @ at the root domain of {HOST} with the value {shop.order.token}" in shop.installation.details()
    shop.build.add_record("contoso.com", "TXT", f'"{shop.order.token}"')
    shop.world.orders.verify(shop.order)
    shop.world.clock.advance(HOUR)
    (order,) = look_after_orders(shop.installation.start())
    assert (order.status, order.stored[0].status) == ("Issued", "Succeeded")
    assert [(event.object_type, event.kind) for event in shop.events] == [("Secret", "NewVersionCreated")]


def test_denied_order_is_told_once_and_nothing_is_asked(install: Install) -> None:
    """Certroll reports a denied certificate order, which has no certificate, and writes nothing."""
    shop = Shop(install, status="Denied", auto_renew=False)
    shop.sweeps(2)
    assert shop.reasons() == {"OrderDenied"}
    assert shop.writes() == 0


def test_orders_that_cannot_be_listed_are_a_finding(install: Install) -> None:
    """If Azure denies the list of certificate orders, a finding names the right that an operator must grant."""
    shop = Shop(install)
    shop.world.roles.hide(f"/subscriptions/{shop.order.subscription}{ORDERS}")
    shop.look()
    assert shop.reasons() == {"DeniedByAzure"}
    assert "Microsoft.CertificateRegistration/certificateOrders/read" in shop.installation.details()


def test_subscription_that_never_sold_certificates_is_not_changed(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certroll finds no orders where the resource provider is not registered, and never registers the provider."""
    shop = Shop(install)
    unregistered = b'{"error":{"code":"MissingSubscriptionRegistration","message":"not registered"}}'
    seen = answering(monkeypatch, ORDERS, 409, unregistered)
    assert look_after_orders(shop.installation.start()) == ()
    assert shop.installation.findings() == set()
    assert [method for method, url in seen if method != "GET" and "management" in url] == []


def test_national_clouds_have_no_orders() -> None:
    """In a cloud where Azure sells no certificates Certroll sends no request for certificate orders."""
    none = Orders(None, None)  # type: ignore[arg-type] - the client sends no request here
    assert none.orders("any").found == ()
    with pytest.raises(Rejected, match="this cloud sells no certificates"):
        none.renew(GOOD)


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (b"[]", "orders of subscription"),
        (b'{"value": 3}', "orders of subscription"),
        (b'{"value": null}', "orders of subscription"),
        (b"<html>", "orders of subscription"),
        (b'{"value": [null]}', "order None"),
        (rb'{"value": [{"id": "\ud800"}]}', r"order \ud800"),
        (b'{"value": [{}]}', "order without an id"),
        (b'{"value": [{"id": "x", "properties": {"certificates": 7}}]}', "order x"),
    ],
)
def test_odd_answers_are_findings(install: Install, monkeypatch: pytest.MonkeyPatch, body: bytes, subject: str) -> None:
    """Certroll reports an unreadable list of certificate orders as a finding and finishes its run."""
    shop = Shop(install)
    answering(monkeypatch, ORDERS, 200, body)
    assert look_after_orders(shop.installation.start()) == ()
    ((found, _),) = shop.installation.findings()
    assert found.startswith(subject)


def test_list_that_azure_refuses_is_a_finding(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll reports a refused list of certificate orders with Azure's own words."""
    shop = Shop(install)
    answering(monkeypatch, ORDERS, 409, b'{"error":{"code":"Conflict","message":"not now"}}')
    assert look_after_orders(shop.installation.start()) == ()
    assert shop.reasons() == {"BlindSpot"}
    assert "409 Conflict not now" in shop.installation.details()


def test_domain_that_must_be_verified_before_the_renewal_is_told_in_time(install: Install) -> None:
    """Near the renewal Certroll reads the order's history and reports a domain that needs a new verification."""
    shop = Shop(install, age=timedelta(days=130), verified=timedelta(days=170))
    shop.look()
    assert shop.reasons() == {"VerificationDue"}
    assert "the domain was last verified on 2026-05-16" in shop.installation.details()
    shop.build.add_record(HOST, "TXT", f'"{shop.order.token}"')
    verified = shop.world.clock.now()
    shop.world.orders.verify(shop.order)
    (order,) = look_after_orders(shop.installation.start())
    assert order.last_verified == verified


def test_history_that_may_not_be_read_is_said_and_not_taken_for_good(install: Install) -> None:
    """If Azure denies the order's history, Certroll reports the domain verification as uncertain."""
    shop = Shop(install, age=timedelta(days=130))
    shop.world.roles.read_only(shop.order.id)
    shop.look()
    assert shop.reasons() == {"VerificationDue"}
    assert "could not read when the domain was last verified" in shop.installation.details()


# ------------------------------------------------------------------------------------------------------------ asking


@pytest.mark.parametrize(
    "differences",
    [
        {"act": False},
        {"tags": {"certroll": "off"}},
        {"tags": {"certroll": "skip"}},
        {"stored": False},
    ],
    ids=["not switched on", "opted out", "opted out with a typing mistake", "in no vault"],
)
def test_nothing_is_asked_where_it_is_not_wanted(install: Install, differences: dict[str, object]) -> None:
    """Certroll changes no order that opted out or is in no vault, and none without CERTROLL_ORDER_ACTIONS."""
    shop = Shop(install, auto_renew=False, age=LATE, **differences)  # type: ignore[arg-type]
    shop.sweeps(3)
    assert shop.writes() == 0
    assert "AutoRenewOff" in shop.reasons()
    assert ("TagNotUnderstood" in shop.reasons()) is (shop.order.tags.get("certroll") == "skip")


def test_observe_mode_asks_for_nothing(install: Install) -> None:
    """In observe mode Certroll changes no certificate order."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), auto_renew=False, age=LATE)
    shop.installation.intent = replace(shop.installation.intent, mode=Mode.OBSERVE)
    shop.sweeps(3)
    assert shop.writes() == 0


def test_order_in_another_vault_is_left_alone(install: Install) -> None:
    """Certroll changes only orders whose certificates are in a vault of Certroll's settings."""
    shop = Shop(install, auto_renew=False)
    other = shop.build.add_vault("other-kv", by_roles=False)
    shop.build.add_order("elsewhere", "elsewhere.contoso.com", other, auto_renew=False)
    shop.sweeps(2)
    assert shop.order.auto_renew
    assert [order.auto_renew for order in shop.world.orders] == [True, False]


@pytest.mark.parametrize(
    "forgets", [False, True], ids=["a PATCH keeps the rest", "a PATCH drops what it does not name"]
)
def test_automatic_renewal_is_turned_on_once_and_nothing_else_changes(install: Install, forgets: bool) -> None:  # noqa: FBT001
    """Certroll turns automatic renewal on with one PATCH, which keeps the order's vault, names and tags."""
    shop = Shop(install, Knobs(order_patch_forgets=forgets), auto_renew=False, tags={"team": "shop"})
    before = dict(shop.order.stored)
    shop.sweeps(3)
    assert (shop.order.auto_renew, shop.order.stored, shop.order.tags) == (True, before, {"team": "shop"})
    assert shop.writes() == 1
    assert shop.order.purchases == 1
    assert "AutoRenewOff" not in shop.reasons()


def test_automatic_renewal_that_a_person_turns_off_again_stays_off(install: Install) -> None:
    """If an operator turns automatic renewal off again, Certroll leaves it off and buys no renewal instead."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), auto_renew=False)
    shop.sweeps(2)
    shop.order.auto_renew = False
    shop.world.clock.advance(timedelta(days=140))
    shop.sweeps(3)
    assert not shop.order.auto_renew
    assert shop.order.purchases == 1
    assert "Certroll leaves it off" in shop.installation.details()


def test_switch_that_was_turned_though_the_answer_was_lost_counts_as_turned(install: Install) -> None:
    """After a lost answer Certroll still knows that it turned automatic renewal on, and sends no second PATCH."""
    shop = Shop(install, auto_renew=False)
    shop.world.faults.add(Fault("applied_but_lost", "PATCH", path="/shop$"))
    shop.look()
    assert shop.order.auto_renew
    shop.order.auto_renew = False
    shop.sweeps(3)
    assert not shop.order.auto_renew


def test_azures_own_renewal_is_left_to_azure(install: Install) -> None:
    """Certroll buys no renewal if Azure's automatic renewal comes in time."""
    shop = Shop(install, age=timedelta(days=165))
    old = shop.thumbprint
    shop.sweeps(12, timedelta(hours=8))
    assert (shop.order.purchases, shop.asked("renew")) == (2, 0)
    assert shop.thumbprint != old


@pytest.mark.parametrize("late", [0.0, 86400.0 * 30], ids=["Azure shows it at once", "Azure shows it a month later"])
def test_renewal_that_does_not_come_is_bought_once(install: Install, late: float) -> None:
    """Certroll buys a missing renewal once, however long Azure still shows the old certificate."""
    shop = Shop(install, Knobs(orders_renew_themselves=False, orders_show_late=late), age=LATE)
    shop.order.verified_at = shop.world.clock.now() if not late else None
    shop.sweeps(6, timedelta(hours=20))
    assert (shop.order.purchases, shop.asked("renew")) == (2, 1)
    assert ("OrderActionUnknown" in shop.reasons()) == bool(late)


def test_tag_with_the_serial_number_reissues_once(install: Install) -> None:
    """The tag `certroll-reissue` makes Certroll reissue the certificate with that serial number once."""
    shop = Shop(install)
    old = shop.thumbprint
    shop.order.tags = {"certroll-reissue": shop.order.serial.lower()}
    shop.sweeps(5)
    assert (shop.order.reissues, shop.order.purchases, shop.asked("reissue")) == (1, 1, 1)
    assert shop.thumbprint != old


def test_renewal_that_azure_refuses_is_told(install: Install) -> None:
    """Certroll reports a refused renewal, and requests the renewal again a day later, as a refusal costs nothing."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), age=LATE)
    shop.world.faults.add(Fault("denied", "POST", path="/renew$", times=None))
    shop.sweeps(3)
    assert shop.asked("renew") == 1
    assert "OrderActionRefused" in shop.reasons()
    shop.world.clock.advance(timedelta(days=1))
    shop.look()
    assert (shop.asked("renew"), shop.order.purchases) == (2, 1)


def test_renewal_with_an_undocumented_answer_is_not_repeated(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll does not repeat a renewal after an undocumented 200, because Azure may have renewed the order."""
    shop = Shop(install, Knobs(orders_renew_themselves=False, orders_show_late=86400.0 * 30), age=LATE)
    answering(monkeypatch, "/renew?", 200, b"{}")
    shop.sweeps(4, timedelta(hours=20))
    assert (shop.asked("renew"), shop.order.purchases) == (1, 2)
    assert shop.reasons() == {"OrderActionUnknown"}


def test_order_that_changed_since_the_list_is_read_again_first(install: Install) -> None:
    """Certroll reads an order again before a change, and skips a change that an operator has just made."""
    shop = Shop(install, auto_renew=False)
    orders = shop.installation.ports.orders

    class Hasty:
        """Certroll's interface to certificate orders, with an operator who acts just before Certroll reads an order."""

        def __getattr__(self, name: str) -> object:
            return getattr(orders, name)

        def order(self, ref: OrderRef) -> object:
            shop.order.auto_renew = True
            return orders.order(ref)

    shop.installation.ports = replace(shop.installation.ports, orders=Hasty())
    shop.look()
    assert shop.writes() == 0
    assert shop.installation.rows("certrolljournal") == []


def test_order_that_is_gone_does_not_hold_up_the_others(install: Install) -> None:
    """An unreadable order delays no other order, and the run raises the order's error at the end."""
    shop = Shop(install, auto_renew=False)
    other = shop.build.add_order("other", "other.contoso.com", shop.vault, auto_renew=False)
    shop.world.faults.add(Fault("denied", "GET", path="/shop$", times=None))
    with pytest.raises(ExceptionGroup) as caught:
        shop.look()
    assert [type(error) for error in caught.value.exceptions] == [Denied]
    assert (shop.order.auto_renew, other.auto_renew) == (False, True)


def test_order_that_cannot_be_read_after_it_was_asked_is_not_asked_again(install: Install) -> None:
    """Certroll does not repeat an accepted change of an order that Certroll cannot read afterwards."""
    shop = Shop(install, auto_renew=False)
    shop.world.faults.add(Fault("denied", "GET", path="/shop$", skip=2, times=1))
    shop.sweeps(2)
    assert shop.order.auto_renew
    assert shop.writes() == 1


LOST: dict[str, Fault] = {
    "applied, and answers 504": Fault("applied_but_lost", "POST", path="/renew$"),
    "applied, and the answer is lost": Fault("dropped", "POST", path="/renew$", applied=True),
    "lost on its way": Fault("dropped", "POST", path="/renew$"),
    "answers 500": Fault("server_error", "POST", path="/renew$", status=500),
    "answers 503": Fault("server_error", "POST", path="/renew$", status=503),
}


@pytest.mark.parametrize(
    ("fault", "late"),
    [
        *(pytest.param(fault, 86400.0 * 30, id=f"{name}, shown a month later") for name, fault in LOST.items()),
        *(pytest.param(LOST[name], 0.0, id=f"{name}, shown at once") for name in list(LOST)[:3]),
    ],
)
def test_renewal_with_an_unknown_outcome_is_never_repeated(install: Install, fault: Fault, late: float) -> None:
    """Certroll does not repeat the renewal of a certificate order if the outcome of the first request is unknown.

    After a renewal request without an answer, Certroll reads the certificate order again. If the order does not show
    whether Azure renewed it, Certroll asks an operator to check.
    """
    shop = Shop(install, Knobs(orders_renew_themselves=False, orders_show_late=late), age=LATE)
    shop.order.verified_at = None
    shop.world.faults.add(Fault(fault.kind, fault.method, path=fault.path, status=fault.status, applied=fault.applied))
    shop.sweeps(4, timedelta(hours=20))
    assert shop.asked("renew") == 1
    bought = shop.order.purchases == 2
    assert bought == (fault.kind == "applied_but_lost" or fault.applied)
    assert shop.reasons() <= {"OrderActionUnknown", "OrderPending", "VerificationDue"}
    assert ("OrderPending" if bought and not late else "OrderActionUnknown") in shop.reasons()


def test_renewal_that_azure_is_too_busy_for_is_asked_again(install: Install) -> None:
    """Certroll repeats a renewal after a 429, which means that Azure has done nothing, and pays for one renewal."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), age=LATE)
    shop.world.faults.add(Fault("throttle", "POST", path="/renew$", times=2))
    shop.sweeps(5)
    assert (shop.asked("renew"), shop.order.purchases) == (3, 2)


@pytest.mark.real_storage
@pytest.mark.real_transport
def test_two_instances_ask_once(install: Install, two_ports: tuple[Ports, Ports]) -> None:
    """If two instances of Certroll sweep at the same moment, only one instance buys the renewal."""
    shop = Shop(install, Knobs(orders_renew_themselves=False, orders_show_late=86400.0), age=LATE)
    other = shop.installation.another_instance(two_ports[1])
    shop.sweeps(1)
    ports = shop.installation.ports
    real, raced = type(ports.requests).put_asked, []

    class Raced:
        """The journal, with another instance of Certroll that acts just before the first record is written."""

        def __getattr__(self, name: str) -> object:
            return getattr(ports.requests, name)

        def put_asked(self, record):  # noqa: ANN001, ANN202 - the signature of the journal
            if not raced:
                raced.append(record)
                shop.look(other)
            return real(ports.requests, record)

    shop.installation.ports = replace(ports, requests=Raced())
    shop.look()
    assert raced
    assert (shop.asked("renew"), shop.order.purchases) == (1, 2)


def test_history_that_cannot_be_written_stops_no_renewal(install: Install) -> None:
    """If storage refuses the history of a renewal, Certroll has sent the recorded renewal all the same, once."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), age=LATE)
    shop.sweeps(1)
    real = shop.installation.ports

    class Deaf:
        """A history whose every write fails."""

        def add(self, *_: object) -> None:
            """Raise the error of a storage account that does not answer."""
            raise OSError("the storage account does not answer")

    shop.installation.ports = replace(real, history=Deaf())
    with pytest.raises(ExceptionGroup):
        shop.look()
    assert shop.asked("renew") == 1
    shop.installation.ports = real
    shop.sweeps(3)
    assert shop.asked("renew") == 1


DYING: dict[str, Callable[[Install], Shop]] = {
    "turn on": lambda install: Shop(install, auto_renew=False),
    "renew, shown late": lambda install: Shop(
        install, Knobs(orders_renew_themselves=False, orders_show_late=864000.0), age=LATE
    ),
    "reissue": lambda install: _tagged(Shop(install)),
}


def _tagged(shop: Shop) -> Shop:
    shop.order.tags = {"certroll-reissue": shop.order.serial}
    return shop


@pytest.mark.parametrize("make", DYING.values(), ids=DYING)
def test_a_crash_after_any_write_buys_nothing_twice(
    install: Install, crasher: Crasher, make: Callable[[Install], Shop]
) -> None:
    """After a crash at any write Certroll buys nothing twice and reports an uncertain outcome."""
    for write in range(1, 20):
        shop = make(install)
        died = _look_dying(shop, crasher, write)
        shop.sweeps(4)
        assert shop.order.purchases + shop.order.reissues <= 2, f"after a crash at write {write}"
        assert shop.asked("renew") + shop.asked("reissue") <= 1, f"after a crash at write {write}"
        done = shop.order.auto_renew and shop.order.purchases + shop.order.reissues == 2
        unsure = "OrderActionUnknown" in shop.reasons()
        turned_on = make is DYING["turn on"] and shop.order.auto_renew
        assert done or unsure or turned_on, f"after a crash at write {write}"
        if not died:
            break
    else:
        pytest.fail("no end was seen")
    assert write > 3, "hardly anything was written: the loop did not look"


def _look_dying(shop: Shop, crasher: Crasher, write: int) -> bool:
    with crasher.crashing_after(write):
        try:
            shop.sweeps(2)  # the first one marks the order, and the second one sends the request
        except Crash:
            return True
    return False


@pytest.mark.parametrize("trouble", [None, "applied, and answers 504", "answers 500"])
@pytest.mark.real_storage
@pytest.mark.real_transport
def test_no_certificate_that_was_bought_is_written_anywhere(
    install: Install, caplog: pytest.LogCaptureFixture, trouble: str | None
) -> None:
    """Certroll compares an order with its secret alone, and no log or table shows the secret's value."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), age=LATE)
    shop.world.faults.add(*([replace(LOST[trouble])] if trouble else []))
    with caplog.at_level(logging.DEBUG):
        shop.sweeps(3)
    tables = ("certrolljournal", "certrollhistory", "certrollfindings")
    text = "\n".join([caplog.text, *(str(shop.installation.rows(table)) for table in tables)])
    assert shop.order.name in text
    (stored,) = shop.order.stored.values()
    values = [version.value for version in shop.vault.secrets[stored.secret_name.lower()].versions]
    assert (shop.asked("renew"), len(values)) == (1, 1 if trouble == "answers 500" else 2)
    assert not any(value[start : start + 60] in text for value in values for start in range(0, 2000, 60))
    read = [entry for entry in shop.world.journal.entries() if entry.path.startswith("/secrets")]
    assert {(entry.method, entry.path.split("/")[2].lower()) for entry in read} == {("GET", stored.secret_name.lower())}


# ------------------------------------------------------------------------------------------------------------ vaults


def test_vault_that_lost_the_registrations_rights_is_told_before_the_renewal_fails(install: Install) -> None:
    """A finding names the vault rights that Azure's certificate registration lacks, and the command to grant them."""
    shop = Shop(install, age=timedelta(days=165), may_store=False)
    shop.look()
    assert shop.reasons() == {"VaultAccessLacking", "OrderStoreFailed"}
    assert "az keyvault set-policy --name contoso-kv --spn f3c21649" in shop.installation.details()
    shop.vault.permit(REGISTRATION, secrets=["get", "list", "set", "delete"], certificates=["get", "list"])
    (order,) = look_after_orders(shop.installation.start())
    assert order.stored[0].status == "Succeeded"


def test_missing_rights_stay_told_while_nobody_can_read_them(install: Install) -> None:
    """While Certroll may not read the rights on a vault, it does not say that the missing rights are there."""
    shop = Shop(install, may_store=False)
    shop.look()
    assert "VaultAccessLacking" in shop.reasons()
    shop.world.faults.add(Fault("denied", "GET", path="/vaults/contoso-kv$", times=None))
    shop.world.clock.advance(timedelta(hours=1))
    shop.look()
    rows = shop.installation.rows("certrollfindings")
    told = {str(row["reason"]) for row in rows if row["state"] == "open"}
    assert told >= {"VaultAccessLacking", "VaultAccessUnknown"}


def test_object_id_that_is_not_set_leaves_the_access_in_question(install: Install) -> None:
    """Without CERTROLL_REGISTRATION_OBJECT_ID Certroll reports that the vault's access rules are uncertain."""
    shop = Shop(install)
    shop.installation.intent = replace(shop.installation.intent, registration=registration())
    shop.look()
    assert shop.reasons() == {"VaultAccessUnknown"}
    assert "CERTROLL_REGISTRATION_OBJECT_ID" in shop.installation.details()


@pytest.mark.parametrize("by_roles", [True, False], ids=["by roles", "by access policies"])
def test_access_of_app_service_is_judged_as_the_import_goes(install: Install, by_roles: bool) -> None:  # noqa: FBT001
    """Certroll judges App Service's access to a vault correctly, and its command grants the missing access."""
    world = World(Clock())
    build = Builder(world)
    vault = build.add_vault(by_roles=by_roles, app_service_may_read=False)
    installation = install(world)
    known = app_service(object_id=world.object_id(APP_SERVICE))

    def verdict() -> AccessVerdict:
        return access_to(installation.start(), vault.resource_id, known).verdict

    assert verdict() is AccessVerdict.LACKING
    if by_roles:
        vault.assign(APP_SERVICE, scope=f"/subscriptions/{vault.subscription}")
    else:
        vault.permit(APP_SERVICE, secrets=["Get"], certificates=["GET"])
    assert verdict() is AccessVerdict.ALLOWED
    vault.close(bypass="None")
    assert verdict() is AccessVerdict.LACKING
    vault.close()
    assert verdict() is AccessVerdict.ALLOWED
    vaults = installation.ports.vault_rights.vaults(vault.subscription)
    assert {str(name): path.lower() for name, path in vaults.items()} == {vault.name: vault.resource_id.lower()}


def test_vault_that_may_not_be_seen_is_not_known(install: Install) -> None:
    """Certroll reports the access to a vault that it may not read, or to an impossible vault id, as unknown."""
    world = World(Clock())
    vault = Builder(world).add_vault()
    installation = install(world)
    world.roles.hide(vault.resource_id)
    known = app_service(object_id=world.object_id(APP_SERVICE))
    found = access_to(installation.start(), vault.resource_id, known)
    assert found.verdict is AccessVerdict.UNKNOWN
    assert "Microsoft.KeyVault/vaults/read" in found.detail
    assert access_to(installation.start(), "nonsense", known).verdict is AccessVerdict.UNKNOWN


def test_role_assignments_that_may_not_be_read_leave_the_access_in_question(install: Install) -> None:
    """If Certroll may not read role assignments, its finding names the right that Certroll lacks."""
    world = World(Clock())
    vault = Builder(world).add_vault()
    installation = install(world)
    world.faults.add(Fault("denied", "GET", path="roleAssignments$", times=None))
    found = access_to(installation.start(), vault.resource_id, app_service(object_id=world.object_id(APP_SERVICE)))
    assert found.verdict is AccessVerdict.UNKNOWN
    assert "Microsoft.Authorization/roleAssignments/read" in found.detail


@pytest.mark.parametrize("body", [b"[]", b'{"properties": 3}', b'{"properties": {"accessPolicies": 3}}', b"<html>"])
def test_odd_vault_is_not_known(install: Install, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Certroll reports the access to a vault as unknown if Azure's answer is unreadable."""
    world = World(Clock())
    vault = Builder(world).add_vault()
    installation = install(world)
    answering(monkeypatch, "/vaults/contoso-kv?", 200, body)
    known = app_service(object_id=world.object_id(APP_SERVICE))
    assert access_to(installation.start(), vault.resource_id, known).verdict is AccessVerdict.UNKNOWN


def test_purchases_by_roles_are_said_to_be_undocumented(install: Install) -> None:
    """Certroll reports vault access by roles as unknown, because Azure documents purchases only for access policies."""
    world = World(Clock())
    vault = Builder(world).add_vault()
    vault.assign(REGISTRATION, SECRETS_OFFICER)
    vault.assign(REGISTRATION)
    installation = install(world)
    found = access_to(installation.start(), vault.resource_id, registration(world.object_id(REGISTRATION)))
    assert found.verdict is AccessVerdict.UNKNOWN
    assert found.remedies == ()
    assert "Azure documents purchased certificates only for vaults with access policies" in found.detail


# ------------------------------------------------------------------------------------------------------- end to end


def test_renewed_purchase_is_served_within_minutes(install: Install) -> None:
    """After Azure renews an order, the vault's event makes Certroll bind the new certificate to its host names."""
    world = World(Clock())
    build = Builder(world)
    vault = build.add_vault(by_roles=False)
    order = build.add_order("shop", HOST, vault, age=timedelta(days=165))
    (stored,) = order.stored.values()
    copy = build.add_copy(stored.secret_name, vault=vault)
    build.add_host(build.add_site("shop"), HOST, copy)
    world.clock.advance(timedelta(days=2))
    installation = install(world, order_actions=True, registration=registration(world.object_id(REGISTRATION)))
    world.events.subscribe(lambda event: installation.event(json.dumps(event.payload)))
    look_after_orders(installation.start())
    world.clock.advance(ISSUING)
    with world.lock:
        world.orders.settle()
    new = vault.secrets[stored.secret_name.lower()].newest.thumbprint
    assert new != copy.thumbprint
    installation.deliver_all()
    assert shown(world)[HOST].thumbprint == new
    assert installation.errors == []
