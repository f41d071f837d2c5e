"""Sick things that come first by name and fail slowly do not starve the healthy one behind them, in any kind of loop.

Each test has more sick things than the time of a run suffices for. Each of them costs simulated seconds.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shared.clients.storage.journal import journal_ports
from shared.controllers.certificate import rollout as rolling
from shared.controllers.certificate.progress import RolloutRun
from shared.controllers.environment import pending_starts
from shared.controllers.managed.controller import look_after_managed
from shared.controllers.orders.controller import look_after_orders
from shared.controllers.sweep import certificates
from shared.controllers.sweep.judging import Seen
from shared.controllers.sweep.reading import Inspection, read_in_turn
from shared.controllers.sweep.use import Use
from shared.domain.certificates.lineage import Lineage
from shared.domain.environments.record import PendingStart
from shared.domain.errors import OutOfTime, Unavailable
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.fleet import Listing
from shared.domain.managed.dns import DnsAnswer, RecordKind
from shared.domain.managed.dns import Seen as DnsSeen
from shared.domain.managed.issuance import HostFacts, HostInspection, Place
from shared.domain.names import HostName, SiteRef, VaultCertificateRef, Webspace
from shared.domain.orders.order import Order, OrderRef, OrderStatus, StoredCertificate, StoreStatus
from shared.domain.reason import Reason
from shared.domain.turns import Turn
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.plan import Plan, Step
from tests.build import (
    APPLY,
    ASE,
    DAY,
    HOUR,
    LINEAGE,
    NOW,
    SUBSCRIPTION,
    VAULT,
    ManualClock,
    binding,
    copy,
    farm,
    site,
    site_ref,
    snapshot,
    version,
)
from tests.small_storage import SmallStorage, ports_on

PATIENCE_SECONDS = 90


@dataclass
class Slow:
    """A clock, and subjects that are asked. Each subject but the last takes 90 s and then does not answer."""

    healthy: str
    seconds: float = PATIENCE_SECONDS
    clock: ManualClock = field(default_factory=ManualClock)
    storage: SmallStorage = field(default_factory=SmallStorage)
    asked: list[str] = field(default_factory=list)

    def ask(self, subject: object) -> None:
        """Note the question, and raise Unavailable after a while unless the subject is the healthy one."""
        self.asked.append(str(subject))
        if str(subject) != self.healthy:
            self.clock.sleep(self.seconds)
            raise Unavailable(f"{subject} does not answer")

    def run(self, pool: Pool, **given: object) -> Run:
        """Return a run on the same journal."""
        return Run.start(
            ports_on(self.storage, self.clock, **given), replace(APPLY, subscriptions=(SUBSCRIPTION,)), pool
        )

    def carried_after(self, run: Callable[[], object], most: int = 12) -> int:
        """Repeat the run each hour until the healthy subject is asked, and return how many runs it took."""
        for number in range(1, most + 1):
            self.asked.clear()
            try:
                run()
            except (ExceptionGroup, OutOfTime, Unavailable):
                assert True  # the host logs it and delivers the message again
            if self.healthy in self.asked:
                return number
            self.clock.time += HOUR
        raise AssertionError(f"{self.healthy} never had its turn")


@pytest.fixture(name="pool")
def _pool() -> Iterator[Pool]:
    with Pool(1, "reader") as pool:
        yield pool


# ------------------------------------------------------------------------------------- webspaces and deletions


class Writes:
    """A retry layer, lease, journal and queue on which the steps of sick webspaces do not answer."""

    def __init__(self, slow: Slow) -> None:
        self._slow = slow

    def retry(self, work: Any) -> bool:  # noqa: ANN401 - a bound method of an action
        """Write a step, or raise Unavailable after a while."""
        self._slow.ask(work.func.__self__.copy.webspace.name)
        return True

    def __getattr__(self, _: str) -> Callable[..., Any]:
        """Return a method that does nothing, and returns no records."""
        return lambda *_, **__: ()

    def begin(self, _: VaultCertificateRef, begun: Any) -> Any:  # noqa: ANN401 - a Rollout and its records
        """Return the records as stored."""
        return begun.records


def spaces(number: int) -> list[Webspace]:
    """Return webspaces in the order of their names."""
    return [Webspace(SUBSCRIPTION, f"space-{index:02}") for index in range(number)]


def sync(webspace: Webspace) -> Step:
    """Return the step that syncs the import of a webspace."""
    return Step(SyncCertificate(copy(webspace=webspace), farm(webspace), version()), Reason.STALE_COPY)


def deletion(webspace: Webspace) -> Step:
    """Return the step that deletes the upload of a webspace."""
    upload = copy(f"upload-{webspace.name}", webspace=webspace, source=None)
    return Step(DeleteCertificate(upload, ()), Reason.SUPERSEDED)


@pytest.mark.parametrize("step", [sync, deletion])
def test_webspaces(pool: Pool, step: Callable[[Webspace], Step]) -> None:
    """Ten webspaces whose certificate answers 503 starve no webspace behind them, neither its sync nor its deletion."""
    places = spaces(11)
    slow = Slow(places[-1].name)
    writes: Any = Writes(slow)
    plan, seen = Plan(tuple(map(step, places))), snapshot()

    def deliver() -> None:
        given = dict.fromkeys(("rollouts", "settings_rolls", "history", "findings", "queue", "retrying"), writes)
        run = slow.run(pool, **given)
        rolling.roll_out(RolloutRun(run, writes, seen, version(), 0, is_fresh=True), plan)

    assert slow.carried_after(deliver) <= 3
    assert slow.carried_after(deliver) == 1, "what did not fail goes first"


# -------------------------------------------------------------------------------------------------- orders


@dataclass
class Shop:
    """A shop whose orders have a history that does not answer, except for the last order."""

    slow: Slow
    number: int

    def orders(self, _: str) -> Listing[Order]:
        """Return orders whose domain may soon need a proof."""
        refs = (OrderRef(SUBSCRIPTION, "rg", f"order-{index:02}") for index in range(self.number))
        about: dict[str, Any] = {"auto_renew": True, "next_auto_renewal": NOW + DAY, "expires": NOW + 30 * DAY}
        return Listing(tuple(Order(ref, HostName("a.contoso.com"), OrderStatus.ISSUED, **about) for ref in refs))

    def last_verified(self, ref: OrderRef) -> datetime | None:
        """Return no proof, or raise Unavailable after a while."""
        self.slow.ask(ref.name)
        return None


def test_orders(pool: Pool) -> None:
    """Seven orders whose history does not answer starve no order behind them."""
    slow = Slow("order-07")
    shop = Shop(slow, 8)
    assert slow.carried_after(lambda: look_after_orders(slow.run(pool, orders=shop))) <= 2
    slow.clock.time += HOUR
    assert slow.carried_after(lambda: look_after_orders(slow.run(pool, orders=shop))) == 1


@dataclass
class Secrets:
    """Secrets of orders. Each but the last uses up the time of a run, and none holds the order's certificate."""

    slow: Slow
    number: int
    run: Run = field(init=False)

    def look(self, pool: Pool) -> tuple[Order, ...]:
        """Inspect all orders in a run."""
        self.run = self.slow.run(pool, orders=self, vault=self)
        return look_after_orders(self.run)

    def orders(self, _: str) -> Listing[Order]:
        """Return orders whose certificates Azure should have stored in secrets."""
        about: dict[str, Any] = {"issued": NOW - 9 * DAY, "thumbprint": version("new").thumbprint}
        about |= {"next_auto_renewal": NOW + DAY, "expires": NOW + 30 * DAY}
        return Listing(tuple(self._order(f"order-{index:02}", about) for index in range(self.number)))

    def last_verified(self, _: OrderRef) -> None:
        """Return no proof after a second."""
        self.slow.clock.sleep(1)

    def lineage(self, ref: VaultCertificateRef, _: datetime) -> Lineage:
        """Return no versions, or raise OutOfTime at the end of the run."""
        self.run.check_time()
        with suppress(Unavailable):
            self.slow.ask(ref.name)
            return Lineage(ref, (), None)
        raise OutOfTime("the time of this run is over")

    def _order(self, name: str, about: dict[str, Any]) -> Order:
        secret = VaultCertificateRef.parse(VAULT, "secret", name)
        stored = StoredCertificate(name, "", secret, StoreStatus.INITIALIZED)
        ref = OrderRef(SUBSCRIPTION, "rg", name)
        return Order(ref, HostName("a.contoso.com"), OrderStatus.ISSUED, auto_renew=True, stored=(stored,), **about)


def test_secrets_of_orders(pool: Pool) -> None:
    """Two secrets that use up the whole time of a run starve no order behind them."""
    slow = Slow("order-02", seconds=600)
    shop = Secrets(slow, 3)
    assert slow.carried_after(lambda: shop.look(pool)) <= 3


# ------------------------------------------------------------------------------------- managed certificates


@dataclass
class Names:
    """Sites with a host name each, and DNS that is silent about all names but the last."""

    slow: Slow
    number: int
    bound: bool = False

    def certificates(self, _: str) -> Listing[Any]:
        """Return no certificates."""
        return Listing(())

    def places(self, _: str) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """Return sites that ask for a managed certificate for their host names."""
        return Listing(tuple(self._place(f"h{index:03}") for index in range(self.number)))

    def slot_tags(self, _: str) -> Listing[Any]:
        """Return no slots."""
        return Listing(())

    def tier(self, _: str) -> str:
        """Return a tier that may have managed certificates."""
        return "Basic"

    def host_facts(self, ref: SiteRef) -> dict[HostName, HostFacts]:
        """Return that Azure has verified the host name."""
        return {HostName(f"{ref.name}.contoso.com"): HostFacts(verified=True)}

    def ask(self, name: str, kind: RecordKind) -> DnsAnswer:
        """Return no answer after six seconds, or that there is no record."""
        try:
            self.slow.ask(name)
        except Unavailable as error:
            return DnsAnswer(name, kind, DnsSeen.NOTHING, detail=str(error))
        return DnsAnswer(name, kind, DnsSeen.NO_NAME)

    def _place(self, name: str) -> tuple[Place, tuple[Binding, ...]]:
        plan = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/serverfarms/plan"
        made = site(name, tags=(("certroll-managed", "on"),), plan=plan)
        wanted = binding(f"{name}.contoso.com", site=name, ssl_state=SslState.DISABLED, thumbprint=None)
        return Place(made, "West Europe", ("20.1.2.3",)), (wanted,)


def test_managed_host_names(pool: Pool) -> None:
    """Host names whose DNS is silent starve no host name behind them, and each costs one question in a run."""
    slow = Slow("h100.contoso.com", seconds=6)
    names = Names(slow, 101)

    def look() -> tuple[HostInspection, ...]:
        return look_after_managed(slow.run(pool, managed=names, dns=names))

    assert slow.carried_after(look) == 2
    assert len(slow.asked) == len(set(slow.asked)) + 1, "the healthy one is asked for its CNAME and its CAA"
    slow.clock.time += HOUR
    assert slow.carried_after(look) == 1


# ------------------------------------------------------------------------------------------ vault certificates


def refs(number: int) -> list[VaultCertificateRef]:
    """Return vault certificates in the order of their names."""
    return [VaultCertificateRef.parse(VAULT, "certificate", f"shop-{index:02}") for index in range(number)]


def test_vault_certificates(pool: Pool) -> None:
    """Vault certificates that do not answer starve no vault certificate behind them."""
    slow = Slow("kv-shop/shop-20")

    def lineage(ref: VaultCertificateRef, _: datetime) -> Lineage:
        slow.ask(ref)
        return LINEAGE

    vault = SimpleNamespace(lineage=lineage)
    look = lambda: read_in_turn(slow.run(pool, vault=vault), "vault certificates", refs(21))  # noqa: E731
    assert slow.carried_after(look) <= 4
    slow.clock.time += HOUR
    assert slow.carried_after(look) == 1


def test_judged_certificates(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a sweep is cut off while it judges, the vault certificates that it did not reach come first in the next."""
    slow = Slow("kv-shop/shop-20")

    def judge(run: Run, _: Seen, __: Use, ref: VaultCertificateRef, ___: Inspection) -> Inspection:
        try:
            run.check_time()
            slow.ask(ref)
        except (OutOfTime, Unavailable) as error:
            return Inspection(error=error)
        return Inspection()

    monkeypatch.setattr(certificates, "judge", judge)
    seen: Any = None
    inspections = {ref: Inspection() for ref in refs(21)}
    assert slow.carried_after(lambda: certificates._judged(slow.run(pool), seen, seen, inspections)) <= 4
    slow.clock.time += HOUR
    assert slow.carried_after(lambda: certificates._judged(slow.run(pool), seen, seen, inspections)) == 1


# ------------------------------------------------------------------------------------------------------- apps


def test_pending_starts(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apps of which Azure does not answer starve no app behind them that Certroll has to start."""
    monkeypatch.setattr(pending_starts, "MOST_THREADS", 1)
    slow = Slow("app-20")

    def read(ref: SiteRef) -> tuple[Any, tuple[()]]:
        slow.ask(ref)
        return site(ref.name, running=True), ()

    def start() -> None:
        run = slow.run(pool, app_service=SimpleNamespace(site=read), queue=SimpleNamespace(send_environment=print))
        pending_starts.complete_pending_starts(run)

    for index in range(21):
        slow.run(pool).ports.pending_starts.record(PendingStart(site_ref(f"app-{index:02}"), ASE, NOW))
    assert slow.carried_after(start) <= 4


# ------------------------------------------------------------------------------------------------- the journal


def test_turns_of_the_largest_fleet_fit_into_the_journal() -> None:
    """The journal keeps the turns of ten thousand things in one row that Table storage takes, and reads them back."""
    turns = journal_ports(SmallStorage(), ManualClock())["turns"]
    known = {
        f"site-{number}": Turn(NOW + timedelta(seconds=number), failed=number % 3 == 0) for number in range(10_000)
    }
    turns.put("sites", known)
    assert turns.of("sites", known) == known
    assert turns.of("orders", known) == {}
    turns.put("sites", {})
    assert turns.of("sites", known) == {}


def test_storage_that_fails_costs_only_the_order(pool: Pool) -> None:
    """If the storage account does not give the turns, Certroll still looks after every thing."""
    slow = Slow("order-02")

    def fail(*_: object) -> None:
        raise OutOfTime("storage does not answer")

    run = slow.run(pool, orders=Shop(slow, 3), turns=SimpleNamespace(of=fail, put=fail))
    look_after_orders(run)
    assert slow.asked == ["order-00", "order-01", "order-02"]


@pytest.mark.parametrize("text", [None, "", "x" * 40, 7])
def test_row_of_another_form_holds_no_turns(text: object) -> None:
    """A row of turns that cannot be read counts as none, so that it stops no run."""
    storage = SmallStorage()
    turns = journal_ports(storage, ManualClock())["turns"]
    turns.put("orders", {"a": Turn(NOW, failed=True)})
    (row,) = storage.rows("certrolljournal", "turns")
    storage.write("certrolljournal", [{**row, "turns_0": text or "", "turns_parts": 1 if text is not None else 2}])
    assert turns.of("orders", ["a"]) == {}
